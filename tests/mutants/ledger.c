// SPDX-License-Identifier: BSD-3-Clause
#include "tests/mutants/ledger.h"

#include "classifier/ndpi.h"
#include "control/collect.h"
#include "dataplane/eal.h"
#include "dataplane/packet.h"
#include "dataplane/path.h"

#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { FLOWS_ENOUGH = 1024, N_MBUFS = 255, TICK_MS = 1000, TIME_LIMIT_S = 60, IGNORED_VLAN = 120 };

/* The classifier's modules live as long as the program: only workers come and go. */
struct kept_stage {
	struct dp_stage real;
	uint64_t n_states; // that flows have of it
};

static struct {
	struct cls_catalogue *catalogue;
	struct kept_stage stages[LEDGER_WORKERS_MAX];
	struct rte_mempool *pool;
	struct dp_endpoint_nets nets;
	struct dp_ignore ignore;
} rig;

/* What control is told, summed up. */
struct told {
	uint64_t bytes, packets; // of usage
	uint64_t undecided; // bytes, of usage without an app
	uint64_t moved; // bytes
	uint64_t flow_bytes, flow_packets; // of flows that ended
	struct dp_path *path;
	uint64_t n_ticks;
};

static void stop_with(const char *what, const struct dp_err *err)
{
	fprintf(stderr, "not ok - %s: %s\n", what, err->text);
	exit(1);
}

/* --- the classifier -------------------------------------------------------------------------- */

static void stage_look(void *self, struct dp_stage_item *item)
{
	struct kept_stage *s = self;
	const bool had = *item->state != NULL;

	s->real.ops->look(s->real.self, item);
	s->n_states += (*item->state != NULL) - (uint64_t)had;
}

static void stage_overhear(void *self, struct dp_stage_item *item)
{
	struct kept_stage *s = self;
	const bool had = *item->state != NULL;

	s->real.ops->overhear(s->real.self, item);
	s->n_states += (*item->state != NULL) - (uint64_t)had;
}

static void stage_finish(void *self, struct dp_stage_item *item)
{
	struct kept_stage *s = self;
	const bool had = *item->state != NULL;

	s->real.ops->finish(s->real.self, item);
	s->n_states += (*item->state != NULL) - (uint64_t)had;
}

static void stage_keep(void *)
{
}

static struct dp_stage stage_of(uint16_t worker)
{
	static const struct dp_stage_ops ops = {.look = stage_look,
		.overhear = stage_overhear,
		.finish = stage_finish,
		.free = stage_keep};

	return (struct dp_stage){.ops = &ops, .self = &rig.stages[worker]};
}

/* --- start and stop -------------------------------------------------------------------------- */

static struct dp_path_config path_config(const struct ledger_config *config)
{
	return (struct dp_path_config){
		.n_workers = config->n_workers,
		.tick_ns = (uint64_t)TICK_MS * 1000000,
		.nets = rig.nets,
		.n_flows = config->n_flows,
		.notes = DP_NOTES_ALL,
		.is_exact = true,
		.captures_ignore = config->ignores ? &rig.ignore : NULL,
		.duplicates = config->drops_duplicates ? DP_DUPLICATES_DROP : DP_DUPLICATES_WATCH,
		.duplicate_window_ns = 10000000,
	};
}

static void start_eal(struct dp_err *err)
{
	static const char *const no_paths[] = {NULL};
	struct dp_path_config largest = path_config(
		&(struct ledger_config){.n_workers = LEDGER_WORKERS_MAX});

	largest.captures = no_paths;
	if (dp_eal_start(&(struct dp_eal_config){.n_lcores = dp_path_lcores(&largest),
				 .pool_bytes = 2 * dp_path_pool_bytes(&largest)},
		    err) < 0)
		stop_with("the EAL starts", err);
}

void ledger_start(void)
{
	static const char *const tags[] = {""};
	static const char *const protocols[] = {"NetFlix", NULL};
	static const struct cls_app_def app = {
		.id = DP_APP_FIRST, .name = "film", .category = "streaming", .ndpi = protocols};
	struct dp_err err = {0};

	dp_endpoint_nets_default(&rig.nets);
	rig.ignore.has_vlans = true;
	rig.ignore.vlans[IGNORED_VLAN / 64] |= UINT64_C(1) << IGNORED_VLAN % 64;
	rig.ignore.n_nets = 1;
	if (dp_prefix_parse("198.51.100.0/24", &rig.ignore.nets[0]) < 0)
		abort();
	start_eal(&err);
	if (cls_catalogue_new(&app, 1, tags, 1, &rig.catalogue, &err) < 0)
		stop_with("there is a catalogue", &err);
	for (int i = 0; i < LEDGER_WORKERS_MAX; i++) {
		if (cls_stage_new(rig.catalogue, &rig.stages[i].real, &err) < 0)
			stop_with("there is a classifier", &err);
	}
}

struct rte_mempool *ledger_pool(void)
{
	if (rig.pool == NULL)
		rig.pool = rte_pktmbuf_pool_create("read", N_MBUFS, 0,
			RTE_ALIGN_CEIL(sizeof(struct dp_pkt), RTE_MBUF_PRIV_ALIGN), 256,
			SOCKET_ID_ANY);
	if (rig.pool == NULL)
		abort();
	return rig.pool;
}

void ledger_stop(void)
{
	rte_mempool_free(rig.pool);
	for (int i = 0; i < LEDGER_WORKERS_MAX; i++)
		rig.stages[i].real.ops->free(rig.stages[i].real.self);
	cls_catalogue_free(rig.catalogue);
	dp_eal_stop();
}

/* --- a run ----------------------------------------------------------------------------------- */

static void tell_tick(void *ctx, uint64_t end_ns, const struct dp_record *records, size_t n)
{
	struct told *told = ctx;

	for (size_t i = 0; i < n; i++) {
		const struct dp_usage *u = &records[i].usage;
		const uint64_t bytes = u->bytes[0] + u->bytes[1];

		if (records[i].kind == DP_RECORD_QUALITY)
			continue;
		if (records[i].kind == DP_RECORD_MOVE) {
			told->moved += bytes;
			continue;
		}
		told->bytes += bytes;
		told->packets += u->packets[0] + u->packets[1];
		if (records[i].app == DP_APP_UNDECIDED)
			told->undecided += bytes;
	}
	dp_path_drained(told->path, end_ns / ((uint64_t)TICK_MS * 1000000) - 1, ++told->n_ticks);
}

static void tell_note(void *ctx, const struct dp_record *r)
{
	struct told *told = ctx;

	if (r->note.why != DP_NOTE_END)
		return;
	told->flow_bytes += r->note.bytes[0] + r->note.bytes[1];
	told->flow_packets += r->note.packets[0] + r->note.packets[1];
}

static uint64_t now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // cannot fail for this clock
	return (uint64_t)ts.tv_sec;
}

/* Take everything until the capture has been worked off. False when that never comes. */
static bool drain(struct dp_path *path, uint16_t n_workers, struct told *told)
{
	static const struct ctl_collect_ops ops = {.tick = tell_tick, .note = tell_note};
	struct ctl_collect *c = ctl_collect_new(
		path, n_workers, (uint64_t)TICK_MS * 1000000, &ops, told);
	const uint64_t begin_s = now_s();
	bool is_over = false;

	while (!is_over && now_s() - begin_s < TIME_LIMIT_S) {
		if (!ctl_collect_poll(c)) {
			is_over = dp_path_is_drained(path);
			(void)sched_yield();
		}
	}
	(void)ctl_collect_poll(c);
	ctl_collect_free(c);
	return is_over;
}

/* Files in memory, one per link type. Returns how many. */
static size_t write_files(const struct frames *frames, int fds[], char paths[][32])
{
	size_t n = 0;

	for (int link = 0; link < DP_LINK_COUNT; link++) {
		if (!frames_have(frames, (enum dp_link)link))
			continue;
		fds[n] = memfd_create("mutant", MFD_CLOEXEC);
		if (fds[n] < 0)
			abort();
		frames_write(frames, (enum dp_link)link, fds[n]);
		(void)snprintf(paths[n], 32, "/proc/self/fd/%d", fds[n]);
		n++;
	}
	return n;
}

/* --- the books --------------------------------------------------------------------------------- */

static unsigned int equal(const char *what, uint64_t a, uint64_t b)
{
	if (a == b)
		return 0;
	fprintf(stderr, "    %s: %llu / %llu\n", what, (unsigned long long)a,
		(unsigned long long)b);
	return 1;
}

static unsigned int at_most(const char *what, uint64_t a, uint64_t b)
{
	return a <= b ? 0 : equal(what, a, b);
}

static unsigned int check(const struct frames *frames, const struct dp_path_stats *s,
	const struct told *told, const struct ledger_config *config)
{
	uint64_t wire_bytes = 0, outcomes = 0;
	unsigned int n = 0;

	for (size_t i = 0; i < frames->n; i++)
		wire_bytes += frames->v[i].wire_len;
	for (int i = 0; i < DP_OUTCOME_COUNT; i++)
		outcomes += s->outcomes[i];
	n += equal("frames of the capture, counted", frames->n, s->frames);
	n += equal("bytes of the capture, counted", wire_bytes, s->wire_bytes);
	n += equal("frames, sum of outcomes", s->frames, outcomes);
	n += equal("frames that still wait, none", s->datagrams.held, 0);
	n += equal("bytes accounted, of usage", s->accounted_bytes, told->bytes);
	n += equal("bytes accounted, of flows", s->accounted_bytes, told->flow_bytes);
	n += equal("packets of usage, of flows", told->packets, told->flow_packets);
	n += at_most("bytes moved, undecided", told->moved, told->undecided);
	n += at_most("bytes accounted, of packets", s->accounted_bytes, s->ip_bytes);
	if (s->outcomes[DP_OUTCOME_NO_ROOM] == 0 && s->outcomes[DP_OUTCOME_DUPLICATE] == 0)
		n += equal("bytes of packets, accounted", s->ip_bytes, s->accounted_bytes);
	// A flow for whose app there is no room stays undecided.
	if (config->n_flows >= FLOWS_ENOUGH)
		n += equal("bytes moved, undecided", told->moved, told->undecided);
	n += equal("notes lost, none", s->notes_dropped, 0);
	if (!config->ignores)
		n += equal("frames ignored, none", s->outcomes[DP_OUTCOME_IGNORED], 0);
	n += equal("frames lost in queues, none", s->outcomes[DP_OUTCOME_QUEUE_FULL], 0);
	return n;
}

/* Whatever came in went out again. */
static unsigned int check_left(const struct rte_mempool *frames)
{
	return frames == NULL
		? 0
		: equal("mbufs of the pool, free", frames->size, rte_mempool_avail_count(frames));
}

static void add(struct ledger_sums *sums, const struct dp_path_stats *s)
{
	sums->frames += s->frames;
	sums->accounted += s->outcomes[DP_OUTCOME_ACCOUNTED];
	sums->fragments += s->datagrams.fragments;
	sums->flows += s->flows;
	sums->bytes += s->accounted_bytes;
	for (int e = 0; e < DP_ENCAP_COUNT; e++) {
		sums->opened += s->encaps.opened[e];
		for (int i = 0; i < DP_REFUSAL_COUNT; i++)
			sums->refused += s->encaps.refused[e][i];
	}
}

static struct dp_path *open_path(
	const struct ledger_config *config, const char *const *paths, size_t n_paths)
{
	struct dp_path_config c = path_config(config);
	struct dp_stage stages[LEDGER_WORKERS_MAX];
	struct dp_path *path = NULL;
	struct dp_err err = {0};

	for (uint16_t i = 0; i < config->n_workers; i++)
		stages[i] = stage_of(i);
	c.stages = stages;
	c.captures = paths;
	c.n_captures = n_paths;
	if (dp_path_open(&c, &path, &err) < 0 || dp_path_start(path, &err) < 0)
		stop_with("the packet path starts", &err);
	return path;
}

unsigned int ledger_run(
	const struct frames *frames, const struct ledger_config *config, struct ledger_sums *sums)
{
	int fds[DP_LINK_COUNT];
	char names[DP_LINK_COUNT][32];
	const char *paths[DP_LINK_COUNT];
	const size_t n_paths = write_files(frames, fds, names);
	struct dp_path_stats stats;
	unsigned int n_faults = 0;

	for (size_t i = 0; i < n_paths; i++)
		paths[i] = names[i];
	if (n_paths == 0)
		return 0; // every frame was cut away

	struct told told = {.path = open_path(config, paths, n_paths)};

	if (!drain(told.path, config->n_workers, &told))
		n_faults += equal("the end of the capture comes", 0, 1);
	dp_path_stats(told.path, &stats);
	n_faults += check(frames, &stats, &told, config);
	if (dp_path_broken(told.path) != NULL)
		n_faults += equal("the capture breaks off", 1, 0);
	n_faults += check_left(rte_mempool_lookup("frames"));
	dp_path_close(told.path);
	for (uint16_t i = 0; i < config->n_workers; i++)
		n_faults += equal("classifier's states left, none", rig.stages[i].n_states, 0);
	for (size_t i = 0; i < n_paths; i++)
		(void)close(fds[i]);
	add(sums, &stats);
	return n_faults;
}
