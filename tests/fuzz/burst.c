// SPDX-License-Identifier: BSD-3-Clause

/* Frames through the whole packet path in one thread: source, walk, datagrams, receiver, queues,
 * workers, records; and the ledger of it.
 *
 * Byte 0 is the set-up (enum setup). Then a frame at a time:
 *
 *   0      link type (bits 0-3) and how much later it comes (bits 4-7), see `steps`
 *   1      how many bytes more there were on the wire, see `more`
 *   2, 3   captured bytes, big endian; the rest of the input where it is shorter
 *   4      the frame */

#include "dataplane/eal.h"
#include "dataplane/ring.h"
#include "dataplane/thread.h"
#include "tests/mutants/frames.h"

#include <malloc.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum setup {
	SETUP_TWO_WORKERS = 1 << 0,
	SETUP_DROPS_DUPLICATES = 1 << 1,
	SETUP_WATCHES_DUPLICATES = 1 << 2,
	SETUP_IGNORES = 1 << 3,
	SETUP_FEW_FLOWS = 1 << 4,
	SETUP_FEW_DATAGRAMS = 1 << 5,
};

enum {
	HEAD_BYTES = 4,
	FRAMES_MAX = 64,
	WORKERS_MAX = 2,
	N_MBUFS = 2047,
	N_WIDE = 255,
	QUEUE_LEN = 2048,
	N_RECORDS = 1024,
	IGNORED_VLAN = 120,
	PRIV_BYTES = RTE_ALIGN_CEIL(sizeof(struct dp_pkt), RTE_MBUF_PRIV_ALIGN),
};

static const uint64_t TICK_NS = 1000000000;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct rte_mempool *frames, *wide;
	struct rte_ring *queues[WORKERS_MAX];
	struct dp_endpoint_nets nets;
	struct dp_ignore ignore;
} rig;

/* What workers posted. */
struct told {
	uint64_t bytes, packets; // of usage
	uint64_t flow_bytes, flow_packets; // of flows that ended
	uint64_t n_ends;
};

struct run {
	struct dp_source source; // the receiver's; workers work between two bursts
	struct dp_source *file;
	struct dp_receiver *receiver;
	struct dp_worker *workers[WORKERS_MAX];
	unsigned int n_states[WORKERS_MAX]; // of stages, alive
	uint16_t n_workers;
	struct told told;
	_Atomic uint64_t drained;
};

static void check(bool is_true)
{
	if (!is_true)
		abort();
}

int LLVMFuzzerInitialize(int *, char ***)
{
	struct dp_err err;

	// A worker's tables come and go with each input: keep their pages.
	(void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
	(void)mallopt(M_TRIM_THRESHOLD, 64 << 20);
	if (dp_eal_start(&(struct dp_eal_config){.pool_bytes = 16 << 20}, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	dp_endpoint_nets_default(&rig.nets);
	dp_ignore_vlan(&rig.ignore, IGNORED_VLAN);
	rig.ignore.n_nets = 1;
	check(dp_prefix_parse("198.51.100.0/24", &rig.ignore.nets[0]) == 0);
	rig.frames = rte_pktmbuf_pool_create(
		"frames", N_MBUFS, 0, PRIV_BYTES, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	rig.wide = rte_pktmbuf_pool_create(
		"wide", N_WIDE, 0, PRIV_BYTES, DP_WIDE_BYTES + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	check(rig.frames != NULL && rig.wide != NULL);
	for (int i = 0; i < WORKERS_MAX; i++) {
		rig.queues[i] = rte_ring_create(i == 0 ? "in_0" : "in_1", QUEUE_LEN, SOCKET_ID_ANY,
			RING_F_SP_ENQ | RING_F_SC_DEQ);
		check(rig.queues[i] != NULL);
	}
	return 0;
}

/* --- input ------------------------------------------------------------------------------------- */

static void decode(const uint8_t *data, size_t size, struct frames *frames)
{
	static const uint64_t steps[16] = {0, 0, 1, 1000, 1000000, 10000000, 99000000, 100000000,
		1000000000, 2000000000, 5000000000, 10000000000, 30000000000, 31000000000,
		130000000000, 700000000000};
	static const uint32_t more[8] = {0, 0, 0, 1, 4, 1400, 65535, 1 << 20};
	uint64_t time_ns = 1000 * TICK_NS;

	while (size >= HEAD_BYTES && frames->n < FRAMES_MAX) {
		const uint32_t wanted = (uint32_t)(data[2] << 8 | data[3]);
		const uint32_t left = (uint32_t)size - HEAD_BYTES;
		const uint32_t len = wanted < left ? wanted : left;

		time_ns += steps[data[0] >> 4];
		frames_add(frames,
			&(struct frame){.data = (uint8_t *)(uintptr_t)(data + HEAD_BYTES),
				.cap_len = len,
				.wire_len = len + more[data[1] % 8],
				.time_ns = time_ns,
				.link = (enum dp_link)((data[0] & 15) % DP_LINK_COUNT)});
		data += HEAD_BYTES + len;
		size -= HEAD_BYTES + len;
	}
}

/* --- the stage: it reads every byte, and what it says depends on them -------------------------- */

static uint32_t sum_of(const struct dp_stage_item *item)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < item->l3_len; i++)
		sum = sum * 31 + item->l3[i];
	return sum;
}

static void hold_state(unsigned int *n_states, struct dp_stage_item *item)
{
	if (*item->state != NULL)
		return;
	*item->state = malloc(1);
	check(*item->state != NULL);
	++*n_states;
}

static void drop_state(unsigned int *n_states, struct dp_stage_item *item)
{
	if (*item->state == NULL)
		return;
	free(*item->state);
	*item->state = NULL;
	--*n_states;
}

static void stage_look(void *self, struct dp_stage_item *item)
{
	const uint32_t sum = sum_of(item);
	const bool is_known = sum % 4 == 0;

	check(!item->is_watched);
	hold_state(self, item);
	item->verdict = (struct dp_verdict){
		.app = is_known ? DP_APP_FIRST + sum / 4 % 4 : DP_APP_UNDECIDED,
		.is_final = is_known && sum / 16 % 2 == 0,
		.is_watched = sum / 32 % 2 == 0,
	};
	if (item->verdict.is_final && (!item->verdict.is_watched || sum / 64 % 2 == 0))
		drop_state(self, item);
}

static void stage_overhear(void *self, struct dp_stage_item *item)
{
	const uint32_t sum = sum_of(item);

	check(item->is_watched);
	if (sum % 4 != 0)
		hold_state(self, item);
	else
		drop_state(self, item);
	item->is_watched = sum % 8 != 0;
}

static void stage_finish(void *self, struct dp_stage_item *item)
{
	check(!item->is_watched || *item->state != NULL);
	drop_state(self, item);
	item->verdict = (struct dp_verdict){.app = DP_APP_UNKNOWN, .is_final = true};
}

static void stage_free(void *)
{
}

/* --- workers --------------------------------------------------------------------------------------- */

static void take_records(struct run *run, struct dp_worker *w)
{
	struct dp_record records[64];
	uint32_t n;

	while ((n = dp_ring_take(dp_worker_ring(w), records, 64)) > 0) {
		for (uint32_t i = 0; i < n; i++) {
			const struct dp_record *r = &records[i];

			if (r->kind == DP_RECORD_USAGE) {
				run->told.bytes += r->usage.bytes[0] + r->usage.bytes[1];
				run->told.packets += r->usage.packets[0] + r->usage.packets[1];
			} else if (r->kind == DP_RECORD_NOTE && r->note.why == DP_NOTE_END) {
				run->told.flow_bytes += r->note.bytes[0] + r->note.bytes[1];
				run->told.flow_packets += r->note.packets[0] + r->note.packets[1];
			} else if (r->kind == DP_RECORD_TICK_END) {
				run->told.n_ends++;
			}
		}
	}
}

static void work(struct run *run)
{
	for (uint16_t i = 0; i < run->n_workers; i++) {
		while (dp_worker_poll(run->workers[i]))
			take_records(run, run->workers[i]);
		take_records(run, run->workers[i]);
	}
}

static enum dp_poll poll_after_work(
	struct dp_source *s, struct rte_mbuf **mbufs, uint16_t max, uint16_t *ret_n)
{
	struct run *run = s->self;
	enum dp_poll r;

	work(run);
	r = run->file->ops->poll(run->file, mbufs, max, ret_n);
	s->link = run->file->link;
	return r;
}

/* --- a run ------------------------------------------------------------------------------------------ */

static void open_worker(struct run *run, uint8_t setup)
{
	static const struct dp_stage_ops ops = {.look = stage_look,
		.overhear = stage_overhear,
		.finish = stage_finish,
		.free = stage_free};
	const uint16_t i = run->n_workers++;
	const struct dp_worker_config cfg = {
		.id = (uint8_t)i,
		.tick_ns = TICK_NS,
		.n_flows = (setup & SETUP_FEW_FLOWS) != 0 ? 2 : 64,
		.n_said = 64,
		.n_entries = (setup & SETUP_FEW_FLOWS) != 0 ? 4 : 128,
		.n_endpoints = (setup & SETUP_FEW_FLOWS) != 0 ? 1 : 64,
		.waits = true, // takes no more memory than it needs
		.notes = DP_NOTES_ALL,
		.duplicates = (setup & SETUP_DROPS_DUPLICATES) != 0 ? DP_DUPLICATES_DROP
			: (setup & SETUP_WATCHES_DUPLICATES) != 0   ? DP_DUPLICATES_WATCH
								    : DP_DUPLICATES_OFF,
		.duplicate_window_ns = 100000,
		.n_records = N_RECORDS,
	};

	check(dp_worker_new(&cfg, (struct dp_stage){&ops, &run->n_states[i]}, &run->workers[i],
		      NULL) == 0);
	dp_worker_add_input(run->workers[i], rig.queues[i]);
}

static void open_receiver(struct run *run, uint8_t setup)
{
	static const struct dp_source_ops ops = {.poll = poll_after_work};
	const struct dp_datagram_config datagrams = {
		.n_datagrams = (setup & SETUP_FEW_DATAGRAMS) != 0 ? 2 : 64,
		.n_buffers = (setup & SETUP_FEW_DATAGRAMS) != 0 ? 1 : 16,
		.timeout_ns = 30 * TICK_NS,
		.drops_repeated = (setup & SETUP_DROPS_DUPLICATES) != 0,
	};
	struct dp_receiver *r = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(*r), 64));

	check(r != NULL);
	run->source = (struct dp_source){.ops = &ops, .self = run, .has_time = true};
	*r = (struct dp_receiver){.source = &run->source,
		.cfg = {.tick_ns = TICK_NS,
			.nets = &rig.nets,
			.ignore = (setup & SETUP_IGNORES) != 0 ? &rig.ignore : NULL,
			.frames = rig.frames,
			.wide = rig.wide},
		.n_workers = run->n_workers,
		.drained = &run->drained};
	for (uint16_t i = 0; i < run->n_workers; i++)
		r->queues[i] = rig.queues[i];
	check(dp_datagrams_new(&datagrams, &rig.nets, &r->datagrams) == 0);
	run->receiver = r;
}

static void close_all(struct run *run)
{
	dp_datagrams_free(run->receiver->datagrams);
	free(run->receiver);
	for (uint16_t i = 0; i < run->n_workers; i++) {
		dp_worker_free(run->workers[i]);
		check(run->n_states[i] == 0);
		check(rte_ring_empty(rig.queues[i]));
	}
	dp_source_close(run->file);
	check(rte_mempool_avail_count(rig.frames) == N_MBUFS);
	check(rte_mempool_avail_count(rig.wide) == N_WIDE);
}

/* Frames are the sum of outcomes, bytes those of usage and of flows. */
static void check_ledger(const struct run *run, const struct frames *frames)
{
	const struct dp_receiver_counters *c = &run->receiver->counters;
	uint64_t outcomes = 0, ip_bytes = 0, wire_bytes = 0, left_out = 0;

	for (size_t i = 0; i < frames->n; i++)
		wire_bytes += frames->v[i].wire_len;
	for (int i = 0; i < DP_OUTCOME_COUNT; i++)
		outcomes += dp_counter_get(&c->outcomes[i]);
	for (uint16_t w = 0; w < run->n_workers; w++) {
		const struct dp_worker_counters *wc = dp_worker_counters(run->workers[w]);

		for (int i = 0; i < DP_OUTCOME_COUNT; i++)
			outcomes += dp_counter_get(&wc->outcomes[i]);
		left_out += dp_counter_get(&wc->outcomes[DP_OUTCOME_NO_ROOM]) +
			dp_counter_get(&wc->outcomes[DP_OUTCOME_DUPLICATE]);
		ip_bytes += dp_counter_get(&wc->ip_bytes);
	}
	check(dp_counter_get(&c->frames) == frames->n);
	check(dp_counter_get(&c->wire_bytes) == wire_bytes);
	check(outcomes == frames->n);
	check(dp_counter_get(&dp_datagrams_counters(run->receiver->datagrams)->held) == 0);
	check(dp_counter_get(&c->outcomes[DP_OUTCOME_QUEUE_FULL]) == 0);
	check(ip_bytes == run->told.bytes && ip_bytes == run->told.flow_bytes);
	check(run->told.packets == run->told.flow_packets);
	check(ip_bytes <= dp_counter_get(&c->ip_bytes));
	check(left_out > 0 || ip_bytes == dp_counter_get(&c->ip_bytes));
	check(run->told.n_ends == run->n_workers * run->receiver->n_marks);
}

/* One file per link type, merged by time as they were. */
static void open_source(struct run *run, const struct frames *frames)
{
	char names[DP_LINK_COUNT][32];
	const char *paths[DP_LINK_COUNT];
	int fds[DP_LINK_COUNT];
	size_t n = 0;

	for (int link = 0; link < DP_LINK_COUNT; link++) {
		if (!frames_have(frames, (enum dp_link)link))
			continue;
		fds[n] = memfd_create("burst", MFD_CLOEXEC);
		check(fds[n] >= 0);
		frames_write(frames, (enum dp_link)link, fds[n]);
		(void)snprintf(names[n], sizeof(names[n]), "/proc/self/fd/%d", fds[n]);
		paths[n] = names[n];
		n++;
	}
	check(dp_source_file_open(paths, n, rig.frames, true, &run->file, NULL) == 0);
	while (n > 0)
		(void)close(fds[--n]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dp_receiver_end never;
	struct frames frames = {0};
	struct run run = {0};

	if (size < 1 + HEAD_BYTES)
		return -1;
	decode(data + 1, size - 1, &frames);
	open_source(&run, &frames);
	open_worker(&run, data[0]);
	if ((data[0] & SETUP_TWO_WORKERS) != 0)
		open_worker(&run, data[0]);
	open_receiver(&run, data[0]);
	dp_thread_run(
		&(struct dp_thread){.receivers = {run.receiver}, .n_receivers = 1, .end = &never});
	work(&run);
	check_ledger(&run, &frames);
	close_all(&run);
	frames_clear(&frames);
	return 0;
}
