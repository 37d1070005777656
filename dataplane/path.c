// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/path_state.h"

#include "dataplane/eal.h"
#include "dataplane/hash.h"

#include <errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdlib.h>

enum {
	QUEUE_LEN = 4096, // packets between a receiver and a worker; start value
	RECORDS_LEN = 16384, // records between a worker and control; start value
	POOL_CACHE = 256, // frames a thread may keep; the pool lets it have half as many again
	POOL_SPARE = 4096,
	// Wide mbufs: of each receiver a quarter of a queue, so that one that is full of them leaves
	// something to others. Rebuilt datagrams of up to 2 KB travel in their last frame's.
	WIDE_PER_RECEIVER = 1024, // start value
	WIDE_CACHE = 32,
	WIDE_ROOM = DP_WIDE_BYTES + RTE_PKTMBUF_HEADROOM,
	DATAGRAMS = 4096, // being rebuilt or remembered, of one receiver; start value
	DATAGRAM_BUFFERS = 512, // start value: 5 MB
	DATAGRAM_TIMEOUT_S =
		5, // start value; hosts wait 30 s to 60 s, mirrors do not reorder that much
	FLOWS_PER_SAID = 128, // that share what the classifier said of them; start value
	SAID_MIN = 1024,
	// Live, entries of endpoint x app for half as many as flows, and half as many endpoints: a
	// subscriber has more flows than apps. Where they do not suffice the oldest flow goes. A
	// replay takes what its captures need: there is an entry for all that a flow may count on.
	FLOWS_PER_ENTRY = 2, // start value
	ENTRIES_PER_FLOW = 2, // its undecided bytes and its app's
	ENTRIES_PER_ENDPOINT = 2,
	ENTRIES_MIN = 65536,
	PRIV_BYTES = RTE_ALIGN_CEIL(sizeof(struct dp_pkt), RTE_MBUF_PRIV_ALIGN),
};

static size_t n_receivers_of(const struct dp_path_config *c)
{
	return c->captures != NULL ? 1 : c->n_ports;
}

/* So many that all queues can fill up while drivers still have what they ask for: a queue that is
 * full is then counted as such, and costs its worker's packets only. */
static unsigned int n_mbufs(const struct dp_path_config *c)
{
	const size_t n_receivers = n_receivers_of(c);
	const size_t in_driver = c->captures != NULL ? 0 : DP_PORT_DESCRIPTORS;
	const size_t of_receiver = in_driver + c->n_workers * (QUEUE_LEN + 2 * DP_BURST);
	const size_t in_caches = (n_receivers + c->n_workers) * POOL_CACHE * 3 / 2;

	return (unsigned int)(n_receivers * of_receiver + in_caches + POOL_SPARE);
}

static unsigned int n_wide(const struct dp_path_config *c)
{
	const size_t n_receivers = n_receivers_of(c);
	const size_t in_caches = (n_receivers + c->n_workers) * WIDE_CACHE * 3 / 2;

	return (unsigned int)(n_receivers * WIDE_PER_RECEIVER + in_caches);
}

static size_t pool_bytes(unsigned int n, size_t room)
{
	return n * (sizeof(struct rte_mbuf) + PRIV_BYTES + room + 128);
}

size_t dp_path_pool_bytes(const struct dp_path_config *c)
{
	return pool_bytes(n_mbufs(c), RTE_MBUF_DEFAULT_BUF_SIZE) + pool_bytes(n_wide(c), WIDE_ROOM);
}

unsigned int dp_path_lcores(const struct dp_path_config *c)
{
	return (unsigned int)(n_receivers_of(c) + c->n_workers);
}

static int add_worker(struct dp_path *path, const struct dp_path_config *c, struct dp_err *reterr)
{
	const uint16_t i = path->n_workers;
	const bool waits = c->captures != NULL;
	const uint64_t n_flows = c->n_flows / c->n_workers > 0 ? c->n_flows / c->n_workers : 1;
	const uint64_t n_entries = waits ? n_flows * ENTRIES_PER_FLOW
					 : n_flows / FLOWS_PER_ENTRY + ENTRIES_MIN;
	const struct dp_worker_config cfg = {
		.id = (uint8_t)i,
		.tick_ns = c->tick_ns,
		.n_flows = (uint32_t)n_flows,
		.n_said = (uint32_t)(n_flows / FLOWS_PER_SAID + SAID_MIN),
		.n_entries = (uint32_t)n_entries,
		.n_endpoints = (uint32_t)(n_entries / ENTRIES_PER_ENDPOINT + 1),
		.waits = waits,
		.wants_notes = c->wants_notes,
		.yields = dp_eal_shares_cpus(),
		.duplicates = c->duplicates,
		.duplicate_window_ns = c->duplicate_window_ns,
		.n_records = RECORDS_LEN,
	};
	const int r = dp_worker_new(&cfg, c->stages[i], &path->workers[i], reterr);

	c->stages[i] = (struct dp_stage){0};
	if (r == 0)
		path->n_workers++;
	return r;
}

static int add_receiver(struct dp_path *path, const struct dp_path_config *c,
	struct dp_source *source, const char *name, const struct dp_ignore *ignore,
	struct dp_err *reterr)
{
	const struct dp_datagram_config datagrams = {
		.n_datagrams = DATAGRAMS,
		.n_buffers = DATAGRAM_BUFFERS,
		.timeout_ns = DATAGRAM_TIMEOUT_S * UINT64_C(1000000000),
		.drops_repeated = c->duplicates == DP_DUPLICATES_DROP,
	};
	struct dp_receiver *r = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(*r), 64));
	char ring_name[RTE_RING_NAMESIZE];

	if (r == NULL) {
		dp_source_close(source);
		return dp_fail(reterr, ENOMEM, "cannot set up the receiver of '%s': %m", name);
	}
	*r = (struct dp_receiver){.source = source,
		.cfg = {.tick_ns = c->tick_ns,
			.nets = &path->nets,
			.ignore = ignore,
			.frames = path->pool,
			.wide = path->wide,
			.waits = c->captures != NULL,
			.yields = dp_eal_shares_cpus()},
		.offset_ns = path->offset_ns,
		.drained = &path->drained};
	path->receivers[path->n_receivers++] = r;
	if (dp_datagrams_new(&datagrams, &path->nets, &r->datagrams) < 0)
		return dp_fail(reterr, ENOMEM, "cannot set up the receiver of '%s': %m", name);
	for (uint16_t i = 0; i < path->n_workers; i++) {
		(void)snprintf(ring_name, sizeof(ring_name), "in_%u_%u", path->n_receivers, i);
		r->queues[i] = rte_ring_create(
			ring_name, QUEUE_LEN, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (r->queues[i] == NULL)
			return dp_fail(
				reterr, ENOMEM, "cannot set up the queues of '%s': %m", name);
		r->n_workers++;
		dp_worker_add_input(path->workers[i], r->queues[i]);
	}
	return 0;
}

static int open_captures(
	struct dp_path *path, const struct dp_path_config *c, struct dp_err *reterr)
{
	struct dp_source *source;
	const int r = dp_source_file_open(
		c->captures, c->n_captures, path->pool, c->is_exact, &source, reterr);

	return r < 0 ? r : add_receiver(path, c, source, "capture", c->captures_ignore, reterr);
}

static int open_port(struct dp_path *path, const struct dp_path_config *c,
	const struct dp_path_port *port, struct dp_err *reterr)
{
	struct dp_source *source;
	const int r = dp_source_port_open(port->device, port->mtu, path->pool, &source, reterr);

	return r < 0 ? r : add_receiver(path, c, source, port->device, port->ignore, reterr);
}

static int open_ports(struct dp_path *path, const struct dp_path_config *c, struct dp_err *reterr)
{
	int first_error = 0;

	for (size_t i = 0; i < c->n_ports; i++) {
		const uint16_t n_before = path->n_receivers;
		struct dp_err err = {0};
		const int r = open_port(path, c, &c->ports[i], &err);

		(void)snprintf(
			path->ports[i].name, sizeof(path->ports[i].name), "%s", c->ports[i].device);
		path->n_ports++;
		if (r == 0) {
			path->ports[i].receiver = path->receivers[path->n_receivers - 1];
			continue;
		}
		if (path->n_receivers > n_before) { // half of its queues: not the port's fault
			if (reterr != NULL)
				*reterr = err;
			return r;
		}
		(void)snprintf(path->ports[i].down, sizeof(path->ports[i].down), "%s", err.text);
		if (first_error == 0 && reterr != NULL)
			*reterr = err;
		first_error = first_error == 0 ? r : first_error;
	}
	return path->n_receivers > 0 ? 0 : first_error;
}

static int build(struct dp_path *path, const struct dp_path_config *c, struct dp_err *reterr)
{
	int r;

	if (c->n_workers == 0 || c->n_workers > DP_WORKERS_MAX ||
		n_receivers_of(c) > DP_RECEIVERS_MAX)
		return dp_fail(reterr, EINVAL,
			"%u workers and %zu ports: expected 1 to %d and at most %d", c->n_workers,
			n_receivers_of(c), DP_WORKERS_MAX, DP_RECEIVERS_MAX);
	dp_hash_key_init();
	path->nets = c->nets;
	path->offset_ns = dp_event_offset_ns(c->not_before_ns);
	path->pool = rte_pktmbuf_pool_create("frames", n_mbufs(c), POOL_CACHE, PRIV_BYTES,
		RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	path->wide = rte_pktmbuf_pool_create(
		"wide", n_wide(c), WIDE_CACHE, PRIV_BYTES, WIDE_ROOM, SOCKET_ID_ANY);
	if (path->pool == NULL || path->wide == NULL)
		return dp_fail(reterr, ENOMEM, "cannot get %zu MB for frames: %m",
			dp_path_pool_bytes(c) / 1000000);
	while (path->n_workers < c->n_workers) {
		r = add_worker(path, c, reterr);
		if (r < 0)
			return r;
	}
	return c->captures != NULL ? open_captures(path, c, reterr) : open_ports(path, c, reterr);
}

int dp_path_open(const struct dp_path_config *c, struct dp_path **ret_path, struct dp_err *reterr)
{
	struct dp_path *path = calloc(1, sizeof(*path));
	int r = path == NULL ? dp_fail(reterr, ENOMEM, "cannot set up the packet path: %m")
			     : build(path, c, reterr);

	for (uint16_t i = 0; i < c->n_workers; i++) {
		if (c->stages[i].ops != NULL)
			c->stages[i].ops->free(c->stages[i].self);
	}
	if (r < 0) {
		dp_path_close(path);
		return r;
	}
	*ret_path = path;
	return 0;
}

static struct {
	struct dp_path *path; // of the threads below; there is one EAL, so one path at a time
} running;

static int receiver_main(void *arg)
{
	dp_receiver_run(arg, &running.path->end);
	return 0;
}

static int worker_main(void *arg)
{
	dp_worker_run(arg, &running.path->stop_workers);
	return 0;
}

int dp_path_start(struct dp_path *path, struct dp_err *reterr)
{
	unsigned int lcore = rte_get_next_lcore(-1, 1, 0);

	running.path = path;
	path->is_started = true;
	for (unsigned int i = 0; i < path->n_receivers + path->n_workers; i++) {
		const bool is_receiver = i < path->n_receivers;
		void *arg = is_receiver ? (void *)path->receivers[i]
					: (void *)path->workers[i - path->n_receivers];

		if (lcore >= RTE_MAX_LCORE ||
			rte_eal_remote_launch(
				is_receiver ? receiver_main : worker_main, arg, lcore) != 0)
			return dp_fail(
				reterr, EAGAIN, "cannot start thread %u of the packet path", i);
		lcore = rte_get_next_lcore(lcore, 1, 0);
	}
	return 0;
}

uint32_t dp_path_take(
	struct dp_path *path, uint16_t worker, struct dp_record *records, uint32_t max)
{
	return dp_ring_take(dp_worker_ring(path->workers[worker]), records, max);
}

void dp_path_drained(struct dp_path *path, uint64_t tick, uint64_t n_ticks)
{
	path->drained_tick = tick;
	atomic_store_explicit(&path->drained, n_ticks, memory_order_release);
}

bool dp_path_is_drained(const struct dp_path *path)
{
	for (uint16_t i = 0; i < path->n_receivers; i++) {
		const struct dp_receiver *r = path->receivers[i];

		// last_mark is final before is_done is set.
		if (!atomic_load_explicit(&r->is_done, memory_order_acquire) ||
			(r->n_marks > 0 && path->drained_tick < r->last_mark))
			return false;
	}
	return true;
}

const char *dp_path_broken(const struct dp_path *path)
{
	for (uint16_t i = 0; i < path->n_receivers; i++) {
		const struct dp_receiver *r = path->receivers[i];

		if (atomic_load_explicit(&r->is_broken, memory_order_acquire))
			return r->source->err.text;
	}
	return NULL;
}

void dp_path_grace_begin(const struct dp_path *path, struct dp_path_grace *ret_grace)
{
	atomic_thread_fence(memory_order_seq_cst); // the new pointer is out before rounds are read
	for (uint16_t i = 0; i < path->n_workers; i++)
		ret_grace->rounds[i] = atomic_load_explicit(
			&dp_worker_counters(path->workers[i])->rounds, memory_order_acquire);
}

bool dp_path_grace_is_over(const struct dp_path *path, const struct dp_path_grace *grace)
{
	for (uint16_t i = 0; i < path->n_workers; i++) {
		const uint64_t now = atomic_load_explicit(
			&dp_worker_counters(path->workers[i])->rounds, memory_order_acquire);

		if (now < grace->rounds[i] + 2)
			return false;
	}
	return true;
}

uint64_t dp_path_now_ns(const struct dp_path *path)
{
	return dp_event_now_ns(path->offset_ns);
}

void dp_path_finish(struct dp_path *path, uint64_t tick)
{
	// Release: pairs with the receivers, which read their clock before.
	atomic_store_explicit(&path->end.at_tick, tick, memory_order_release);
}

/* Receivers first, so that workers see no more input; rings are emptied afterwards. */
static void stop(struct dp_path *path)
{
	atomic_store(&path->end.is_abort, true);
	atomic_store(&path->stop_workers, true);
	for (uint16_t i = 0; i < path->n_workers; i++)
		dp_ring_abandon(dp_worker_ring(path->workers[i]));
	rte_eal_mp_wait_lcore();
	running.path = NULL;
}

static void empty_queue(struct rte_ring *queue)
{
	void *element;

	while (rte_ring_sc_dequeue(queue, &element) == 0) {
		if (!dp_is_mark(element))
			rte_pktmbuf_free(element);
	}
}

void dp_path_close(struct dp_path *path)
{
	if (path == NULL)
		return;
	if (path->is_started)
		stop(path);
	for (uint16_t i = 0; i < path->n_receivers; i++) {
		struct dp_receiver *r = path->receivers[i];

		dp_source_close(r->source);
		for (uint16_t w = 0; w < r->n_workers; w++) {
			empty_queue(r->queues[w]);
			rte_ring_free(r->queues[w]);
		}
		dp_datagrams_free(r->datagrams);
		free(r);
	}
	for (uint16_t i = 0; i < path->n_workers; i++)
		dp_worker_free(path->workers[i]);
	rte_mempool_free(path->pool);
	rte_mempool_free(path->wide);
	free(path);
}
