// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/path_state.h"

#include "dataplane/eal.h"
#include "dataplane/hash.h"
#include "dataplane/idle.h"
#include "dataplane/pool.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_ring.h>
#include <stdlib.h>

enum {
	RECORDS_LEN = 16384, // records between a worker and control; start value
	DATAGRAMS = 4096, // being rebuilt or remembered, of one port; start value
	DATAGRAM_BUFFERS = 512, // start value: 5 MB
	DATAGRAM_TIMEOUT_S =
		5, // start value; hosts wait 30 s to 60 s, mirrors do not reorder that much
	FLOWS_PER_SAID = 128, // that share what the classifier said of them; start value
	SAID_MIN = 1024,
	// Live, entries of endpoint x app for half as many as flows, and half as many endpoints: a
	// subscriber has more flows than apps. Where they do not suffice the oldest flow goes. A
	// replay takes what its captures need: there is an entry for all that a flow may count on, and
	// with an offload for those that rest (dataplane/usage.h).
	FLOWS_PER_ENTRY = 2, // start value
	ENTRIES_PER_FLOW = 2, // its undecided bytes and its app's
	ENTRIES_PER_ENDPOINT = 2,
	ENTRIES_MIN = 65536,
};

static int add_worker(struct dp_path *path, const struct dp_path_config *c, struct dp_err *reterr)
{
	const uint16_t i = path->n_workers;
	const bool waits = c->captures != NULL;
	const uint64_t n_flows = c->n_flows / c->n_workers > 0 ? c->n_flows / c->n_workers : 1;
	const uint64_t n_resting = c->offload != NULL ? ENTRIES_MIN : 0;
	const uint64_t n_entries = waits ? n_flows * ENTRIES_PER_FLOW + n_resting
					 : n_flows / FLOWS_PER_ENTRY + ENTRIES_MIN;
	const struct dp_worker_config cfg = {
		.id = (uint8_t)i,
		.tick_ns = c->tick_ns,
		.n_flows = (uint32_t)n_flows,
		.n_said = (uint32_t)(n_flows / FLOWS_PER_SAID + SAID_MIN),
		.n_entries = (uint32_t)n_entries,
		.n_endpoints = (uint32_t)(n_entries / ENTRIES_PER_ENDPOINT + 1),
		.waits = waits,
		.notes = c->notes,
		.duplicates = c->duplicates,
		.duplicate_window_ns = c->duplicate_window_ns,
		.samples = c->samples,
		.n_records = RECORDS_LEN,
		.signalling_bytes = c->signalling_bytes,
		.offload = c->offload,
	};
	const int r = dp_worker_new(&cfg, c->stages[i], &path->workers[i], reterr);

	c->stages[i] = (struct dp_stage){0};
	if (r == 0)
		path->n_workers++;
	return r;
}

/* Where the packets of a source go: n workers from first on, by the receiver's hash, and the thread that
 * looks for them. */
struct way {
	const struct dp_path_shape *shape;
	uint16_t first, n;
	struct dp_thread *thread;
};

static int add_queues(struct dp_path *path, struct dp_receiver *r, const struct way *way)
{
	char name[RTE_RING_NAMESIZE];

	for (uint16_t i = 0; i < way->n; i++) {
		(void)snprintf(name, sizeof(name), "in_%u_%u", path->n_receivers, i);
		r->queues[i] = rte_ring_create(
			name, way->shape->queue_len, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (r->queues[i] == NULL)
			return -rte_errno;
		r->n_workers++;
		dp_worker_add_input(path->workers[way->first + i], r->queues[i]);
	}
	return 0;
}

/* source is given. */
static int add_receiver(struct dp_path *path, const struct dp_path_config *c,
	struct dp_source *source, const struct dp_ignore *ignore, const struct way *way)
{
	const struct dp_datagram_config datagrams = {
		.n_datagrams = RTE_MAX(DATAGRAMS / way->shape->n_queues, 256),
		.n_buffers = RTE_MAX(DATAGRAM_BUFFERS / way->shape->n_queues, 32),
		.timeout_ns = DATAGRAM_TIMEOUT_S * UINT64_C(1000000000),
		.drops_repeated = c->duplicates == DP_DUPLICATES_DROP,
	};
	struct dp_receiver *r = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(*r), 64));

	if (r == NULL) {
		dp_source_close(source);
		return -ENOMEM;
	}
	*r = (struct dp_receiver){.source = source,
		.cfg = {.tick_ns = c->tick_ns,
			.nets = &path->nets,
			.ignore = ignore != NULL && dp_ignore_has_any(ignore) ? ignore : NULL,
			.frames = path->pool,
			.wide = path->wide,
			.waits = c->captures != NULL,
			.ticks_ahead = c->offload != NULL ? 0 : DP_TICKS_AHEAD,
			.sleep_ns = path->sleep_ns},
		.offset_ns = path->offset_ns,
		.drained = &path->drained};
	path->receivers[path->n_receivers++] = r;
	way->thread->receivers[way->thread->n_receivers++] = r;
	if (dp_datagrams_new(&datagrams, &path->nets, &r->datagrams) < 0)
		return -ENOMEM;
	return add_queues(path, r, way);
}

/* n sources of port (0 for captures), given: one for all workers, or one for each. thread: of a port that
 * has one. */
static int add_receivers(struct dp_path *path, const struct dp_path_config *c, size_t port,
	struct dp_source **sources, uint16_t n, struct dp_thread *thread)
{
	const struct dp_path_shape shape = dp_path_shape(c, port, n);
	const struct dp_ignore *ignore = c->captures != NULL ? c->captures_ignore
							     : c->ports[port].ignore;
	const uint16_t n_each = n > 1 ? 1 : c->n_workers;
	int r = 0;

	for (uint16_t i = 0; i < n; i++) {
		const struct way way = {&shape, i, n_each,
			shape.is_pair ? &path->threads[path->n_threads - c->n_workers + i]
				      : thread};

		if (r < 0)
			dp_source_close(sources[i]);
		else
			r = add_receiver(path, c, sources[i], ignore, &way);
	}
	return r;
}

/* What comes up of a port through the offload. captures: given, or NULL. */
static int open_offloaded(struct dp_path *path, const struct dp_path_config *c, uint16_t port,
	struct dp_source *captures, struct dp_source **ret_source, struct dp_err *reterr)
{
	const struct dp_offload_source source = {.offload = c->offload,
		.port = port,
		.pool = path->pool,
		.wide = path->wide,
		.captures = captures,
		.tick_ns = c->tick_ns,
		.offset_ns = captures != NULL ? 0 : path->offset_ns};

	return dp_source_offload_open(&source, ret_source, reterr);
}

static int open_captures(
	struct dp_path *path, const struct dp_path_config *c, struct dp_err *reterr)
{
	struct dp_source *source;
	int r = dp_source_file_open(
		c->captures, c->n_captures, path->pool, c->is_exact, &source, reterr);

	if (r == 0 && c->offload != NULL)
		r = open_offloaded(path, c, 0, source, &source, reterr);
	if (r < 0)
		return r;
	r = add_receivers(path, c, 0, &source, 1, &path->threads[0]);
	return r < 0 ? dp_fail(reterr, -r, "cannot set up the receiver of the captures: %m") : 0;
}

/* *ret_n sources of a port. */
static int open_sources(struct dp_path *path, const struct dp_path_config *c, size_t i,
	struct dp_source **ret_sources, uint16_t *ret_n, struct dp_err *reterr)
{
	const struct dp_port_config port = {.device = c->ports[i].device,
		.mtu = c->ports[i].mtu,
		.spread = dp_path_spread(c, i),
		.n_workers = c->n_workers};

	*ret_n = 1;
	if (c->ports[i].refused != NULL)
		return dp_fail(reterr, ENODEV, "%s", c->ports[i].refused);
	if (c->ports[i].is_offloaded)
		return open_offloaded(path, c, (uint16_t)i, NULL, ret_sources, reterr);
	return dp_source_port_open(&port, path->pool, ret_sources, ret_n, reterr);
}

/* Returns 0, also when the port stays down; else an error that is not the port's. */
static int open_port(struct dp_path *path, const struct dp_path_config *c, size_t i,
	struct dp_thread *thread, struct dp_err *reterr)
{
	const char *device = c->ports[i].device;
	struct dp_source *sources[DP_WORKERS_MAX];
	struct dp_err err = {0};
	uint16_t n = 0;
	int r;

	(void)snprintf(path->ports[i].name, sizeof(path->ports[i].name), "%s", device);
	path->ports[i].first = path->n_receivers;
	path->n_ports++;
	r = open_sources(path, c, i, sources, &n, &err);
	if (r < 0) {
		(void)snprintf(path->ports[i].down, sizeof(path->ports[i].down), "%s", err.text);
		return 0;
	}
	r = add_receivers(path, c, i, sources, n, thread);
	path->ports[i].n = path->n_receivers - path->ports[i].first;
	return r < 0 ? dp_fail(reterr, -r, "cannot set up the receiver of '%s': %m", device) : 0;
}

static int open_ports(struct dp_path *path, const struct dp_path_config *c, struct dp_err *reterr)
{
	struct dp_thread *thread = path->threads;

	for (size_t i = 0; i < c->n_ports; i++) {
		const int r = open_port(path, c, i, thread, reterr);

		if (r < 0)
			return r;
		thread += dp_path_port_has_thread(c, i);
	}
	return path->n_receivers > 0 ? 0 : dp_fail(reterr, ENODEV, "%.480s", path->ports[0].down);
}

/* The threads of workers; those of ports before them get their receiver when it is open. */
static void lay_out_threads(struct dp_path *path, const struct dp_path_config *c)
{
	path->n_threads = (uint16_t)dp_path_lcores(c);
	for (uint16_t i = 0; i < path->n_threads; i++)
		path->threads[i] = (struct dp_thread){
			.end = &path->end, .stop = &path->stop_workers, .sleep_ns = path->sleep_ns};
	for (uint16_t i = 0; i < c->n_workers; i++)
		path->threads[path->n_threads - c->n_workers + i].worker = path->workers[i];
}

/* Of idle threads. A replay often waits for control, and has all day. */
static uint32_t sleep_ns(const struct dp_path_config *c)
{
	bool is_all_offloaded = c->captures == NULL;

	for (size_t i = 0; i < c->n_ports; i++)
		is_all_offloaded &= c->ports[i].is_offloaded;
	if (is_all_offloaded)
		return DP_IDLE_LONG_NS;
	return c->captures != NULL || dp_eal_shares_cpus() ? DP_IDLE_SHORT_NS : 0;
}

static int build(struct dp_path *path, const struct dp_path_config *c, struct dp_err *reterr)
{
	int r;

	if (c->n_workers == 0 || c->n_workers > DP_WORKERS_MAX || c->n_ports > DP_RECEIVERS_MAX)
		return dp_fail(reterr, EINVAL,
			"%u workers and %zu ports: expected 1 to %d and at most %d", c->n_workers,
			c->n_ports, DP_WORKERS_MAX, DP_RECEIVERS_MAX);
	dp_hash_key_init();
	path->nets = c->nets;
	path->offload = c->offload;
	path->offset_ns = dp_event_offset_ns(c->not_before_ns);
	path->sleep_ns = sleep_ns(c);
	path->pool = dp_pool_new(
		"frames", dp_path_n_mbufs(c), DP_POOL_CACHE, dp_path_frame_room(c));
	path->wide = dp_pool_new("wide", dp_path_n_wide(c), DP_WIDE_CACHE, DP_WIDE_ROOM);
	if (path->pool == NULL || path->wide == NULL)
		return dp_fail(reterr, ENOMEM, "cannot get %zu MB for frames: %m",
			dp_path_pool_bytes(c) / 1000000);
	while (path->n_workers < c->n_workers) {
		r = add_worker(path, c, reterr);
		if (r < 0)
			return r;
	}
	lay_out_threads(path, c);
	return c->captures != NULL ? open_captures(path, c, reterr) : open_ports(path, c, reterr);
}

int dp_path_open(const struct dp_path_config *c, struct dp_path **ret_path, struct dp_err *reterr)
{
	struct dp_path *path = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(*path), 64));
	int r;

	if (path != NULL)
		*path = (struct dp_path){0};
	r = path == NULL ? dp_fail(reterr, ENOMEM, "cannot set up the packet path: %m")
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

static int thread_main(void *arg)
{
	dp_thread_run(arg);
	return 0;
}

int dp_path_start(struct dp_path *path, struct dp_err *reterr)
{
	unsigned int lcore = rte_get_next_lcore(-1, 1, 0);
	const uint64_t now_ns = dp_path_now_ns(path);

	path->is_started = true;
	for (uint16_t i = 0; i < path->n_receivers; i++) {
		if (!path->receivers[i]->cfg.waits)
			dp_receiver_begin(path->receivers[i], now_ns);
	}
	for (uint16_t i = 0; i < path->n_threads; i++) {
		struct dp_thread *t = &path->threads[i];
		const bool is_used = t->n_receivers > 0 || t->worker != NULL;

		if (is_used &&
			(lcore >= RTE_MAX_LCORE ||
				rte_eal_remote_launch(thread_main, t, lcore) != 0))
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

bool dp_path_take_signalling(
	struct dp_path *path, uint16_t worker, struct dp_signalling *ret_message)
{
	struct dp_signalling_ring *ring = dp_worker_signalling_ring(path->workers[worker]);

	return ring != NULL && dp_signalling_ring_take(ring, ret_message);
}

uint64_t dp_path_tell(struct dp_path *path)
{
	path->n_tellings++;
	for (uint16_t i = 0; i < path->n_workers; i++)
		dp_worker_tell(path->workers[i], path->n_tellings);
	return path->n_tellings;
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
	if (path->offload != NULL)
		path->offload->ops->stop(
			path->offload->self, (tick + 1) * path->receivers[0]->cfg.tick_ns);
	// Release: pairs with the receivers, which read their clock before.
	atomic_store_explicit(&path->end.at_tick, tick, memory_order_release);
}

/* Receivers first, so that workers see no more input; rings are emptied afterwards. */
static void stop(struct dp_path *path)
{
	atomic_store(&path->end.is_abort, true);
	atomic_store(&path->stop_workers, true);
	for (uint16_t i = 0; i < path->n_workers; i++) {
		struct dp_signalling_ring *signalling = dp_worker_signalling_ring(path->workers[i]);

		dp_ring_abandon(dp_worker_ring(path->workers[i]));
		if (signalling != NULL)
			dp_signalling_ring_abandon(signalling);
	}
	rte_eal_mp_wait_lcore();
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
