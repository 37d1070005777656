// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/offload_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/budget.h"
#include "dataplane/eal.h"
#include "dataplane/hash.h"
#include "dataplane/path_state.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>

enum { HEARD_ENOUGH = 20 };

int offload_rig_start(void **)
{
	struct dp_err err = {0};

	if (dp_eal_start(&(struct dp_eal_config){.n_lcores = 1 + OFFLOAD_RIG_WORKERS_MAX,
				 .pool_bytes = 160 << 20},
		    &err) < 0) {
		print_error("%s\n", err.text);
		return -1;
	}
	return 0;
}

int offload_rig_stop(void **)
{
	dp_eal_stop();
	return 0;
}

/* --- the stage --------------------------------------------------------------------------------- */

/* A worker's; read when it has ended. */
struct stage {
	const _Atomic uint32_t *world; // control's: apps have 100 times that more
	uint32_t in_force;
	uint64_t n_shown, n_overheard, sum;
};

static uint32_t hash_of(const struct dp_five_tuple *t)
{
	uint32_t h = t->l4_proto;

	for (int i = 0; i < 16; i++)
		h = (h ^ t->src.b[i] ^ (uint32_t)t->dst.b[i] << 8) * 0x01000193;
	return ((h ^ t->sport) * 0x01000193 ^ t->dport) * 0x01000193 >> 8;
}

/* The same for both directions. */
static uint32_t plan_of(const struct dp_five_tuple *t)
{
	const struct dp_five_tuple turned = {.src = t->dst,
		.dst = t->src,
		.sport = t->dport,
		.dport = t->sport,
		.l4_proto = t->l4_proto};

	return hash_of(t) + hash_of(&turned);
}

static void hear(struct stage *s, const struct dp_stage_item *item, uint64_t kind)
{
	uint64_t h = item->time_ns * 31 + kind;

	for (uint32_t i = 0; i < item->l3_len; i++)
		h = (h ^ item->l3[i]) * 0x100000001b3;
	s->sum += h;
}

static void name(const struct stage *s, uint32_t plan, struct dp_verdict *v)
{
	v->app = DP_APP_FIRST + plan % 5 + 100 * s->in_force;
	v->tag = (uint16_t)(plan / 5 % 3);
	v->evidence = DP_EVIDENCE_SNI;
	v->is_renewed = true; // by what is in force now
}

static bool is_over_budget(const struct dp_stage_item *item)
{
	const uint8_t proto = item->tuple->l4_proto;

	return item->n_packets > (proto == IPPROTO_TCP			? DP_BUDGET_TCP
						 : proto == IPPROTO_UDP ? DP_BUDGET_UDP
									: DP_BUDGET_OTHER);
}

static void stage_look(void *self, struct dp_stage_item *item)
{
	struct stage *s = self;
	const uint32_t plan = plan_of(item->tuple);
	const uint32_t n = (uint32_t)(uintptr_t)*item->state + 1;
	const uint32_t decides = plan % 11 == 0 ? UINT32_MAX : 1 + plan / 16 % 6;
	const bool is_dns = item->tuple->sport == 53 || item->tuple->dport == 53;

	s->n_shown++;
	hear(s, item, item->n_packets);
	item->verdict = (struct dp_verdict){.effort = n < 255 ? (uint8_t)n : 255};
	if (n >= decides)
		name(s, plan, &item->verdict);
	// Some are known before nothing more is wanted of them.
	item->verdict.is_final = n >= decides && n - decides >= plan / 128 % 3;
	if (is_over_budget(item)) {
		item->verdict.is_final = true;
		if (n < decides)
			item->verdict.app = DP_APP_UNKNOWN;
	}
	item->verdict.is_watched = item->verdict.is_final && (is_dns || plan / 512 % 6 == 0);
	*item->state = item->verdict.is_final ? NULL : (void *)(uintptr_t)n;
}

static void stage_overhear(void *self, struct dp_stage_item *item)
{
	struct stage *s = self;
	const uint32_t n = (uint32_t)(uintptr_t)*item->state + 1;

	s->n_overheard++;
	hear(s, item, 7);
	item->is_watched = n < HEARD_ENOUGH || plan_of(item->tuple) % 2 == 0;
	*item->state = item->is_watched ? (void *)(uintptr_t)n : NULL;
}

static void stage_finish(void *self, struct dp_stage_item *item)
{
	const struct stage *s = self;
	const uint32_t plan = plan_of(item->tuple);

	item->verdict = (struct dp_verdict){.app = DP_APP_UNKNOWN, .is_final = true};
	if (plan % 3 == 0 || *item->state != NULL)
		name(s, plan, &item->verdict);
	item->verdict.is_renewed = false;
	*item->state = NULL;
}

static bool stage_renew(void *self)
{
	struct stage *s = self;
	const uint32_t world = atomic_load_explicit(s->world, memory_order_acquire);

	if (world == s->in_force)
		return false;
	s->in_force = world;
	return true;
}

static void stage_resolve(void *self, struct dp_known *known)
{
	const struct stage *s = self;

	if (known->app >= DP_APP_FIRST)
		known->app = known->app % 100 + 100 * s->in_force;
}

static void stage_free(void *)
{
}

/* --- what comes out ---------------------------------------------------------------------------- */

static void *room_for(void *array, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return array;
	*room = 2 * *room + 256;
	array = realloc(array, *room * size);
	assert_non_null(array);
	return array;
}

static void keep_row(struct offload_run *run, const struct dp_record *r)
{
	run->rows = room_for(run->rows, run->n_rows, &run->rows_room, sizeof(*run->rows));
	run->rows[run->n_rows++] = (struct offload_row){.tick = r->tick,
		.endpoint = r->endpoint,
		.app = r->app,
		.tag = r->tag,
		.kind = r->kind,
		.evidence = r->evidence,
		.is_ambiguous = r->is_ambiguous,
		.usage = r->usage};
}

static void keep_note(struct offload_run *run, const struct dp_record *r)
{
	run->notes = room_for(run->notes, run->n_notes, &run->notes_room, sizeof(*run->notes));
	run->notes[run->n_notes++] = *r;
}

/* Where a replay stands. */
struct drive {
	struct dp_path *path;
	const struct offload_rig_config *cfg;
	struct offload_run *run;
	_Atomic uint32_t world;
	uint64_t tick[OFFLOAD_RIG_WORKERS_MAX], n_ends[OFFLOAD_RIG_WORKERS_MAX];
	uint64_t told[OFFLOAD_RIG_WORKERS_MAX];
};

/* All records that there are. Between two of them others may run. */
static void take(struct drive *d)
{
	static const struct dp_record none;

	for (uint16_t i = 0; i < d->cfg->n_workers; i++) {
		struct dp_record r = none;

		for (; dp_path_take(d->path, i, &r, 1) == 1; r = none) {
			switch (r.kind) {
			case DP_RECORD_USAGE:
			case DP_RECORD_MOVE:
				keep_row(d->run, &r);
				break;
			case DP_RECORD_NOTE:
				keep_note(d->run, &r);
				break;
			case DP_RECORD_TICK_END:
				d->tick[i] = r.tick;
				d->n_ends[i] = r.end.n_ticks;
				break;
			case DP_RECORD_TOLD:
				d->told[i] = r.told.request;
				break;
			case DP_RECORD_QUALITY:
				dp_quality_add(&d->run->quality, &r.quality);
				break;
			default:
				fail_msg("a record of kind %u", r.kind);
			}
		}
	}
	(void)sched_yield();
}

static bool has_walked(const struct drive *d)
{
	struct dp_worker_stats w;

	for (uint16_t i = 0; i < d->cfg->n_workers; i++) {
		dp_path_worker_stats(d->path, i, &w);
		if (w.to_resolve > 0)
			return false;
	}
	return true;
}

static void renew(struct drive *d)
{
	struct dp_path_grace grace;

	atomic_store_explicit(&d->world, d->world + 1, memory_order_release);
	dp_path_grace_begin(d->path, &grace);
	while (!dp_path_grace_is_over(d->path, &grace) || !has_walked(d))
		take(d);
}

static void tell(struct drive *d)
{
	const uint64_t request = dp_path_tell(d->path);

	for (uint16_t i = 0; i < d->cfg->n_workers; i++) {
		while (d->told[i] != request)
			take(d);
	}
}

static uint64_t least(const uint64_t *numbers, uint16_t n)
{
	uint64_t min = numbers[0];

	for (uint16_t i = 1; i < n; i++)
		min = numbers[i] < min ? numbers[i] : min;
	return min;
}

static void drive(struct drive *d)
{
	const uint16_t n = d->cfg->n_workers;
	uint64_t n_ticks = 0;

	while (!dp_path_is_drained(d->path)) {
		take(d);
		if (least(d->n_ends, n) == n_ticks)
			continue;
		n_ticks = least(d->n_ends, n);
		if (d->cfg->renew_every > 0 && n_ticks % d->cfg->renew_every == 0)
			renew(d);
		if (d->cfg->tell_every > 0 && n_ticks % d->cfg->tell_every == 0)
			tell(d);
		dp_path_drained(d->path, least(d->tick, n), n_ticks);
	}
	take(d);
	d->run->n_ticks = n_ticks;
}

static void open_path(struct drive *d, struct stage *stages)
{
	static const struct dp_stage_ops ops = {.renew = stage_renew,
		.resolve = stage_resolve,
		.look = stage_look,
		.overhear = stage_overhear,
		.finish = stage_finish,
		.free = stage_free};
	const struct offload_rig_config *c = d->cfg;
	struct dp_stage given[OFFLOAD_RIG_WORKERS_MAX];
	struct dp_path_config config = {.n_workers = c->n_workers,
		.tick_ns = c->tick_ns,
		.n_flows = c->n_flows,
		.notes = DP_NOTES_ALL,
		.captures = &c->capture,
		.n_captures = 1,
		.captures_ignore = c->ignore,
		.offload = c->offload,
		.stages = given};
	struct dp_err err = {0};

	for (uint16_t i = 0; i < c->n_workers; i++) {
		stages[i] = (struct stage){.world = &d->world};
		given[i] = (struct dp_stage){&ops, &stages[i]};
	}
	dp_endpoint_nets_default(&config.nets);
	if (dp_path_open(&config, &d->path, &err) < 0)
		fail_msg("%s", err.text);
	d->path->receivers[0]->cfg.ticks_ahead = 0;
	if (dp_path_start(d->path, &err) < 0)
		fail_msg("%s", err.text);
}

/* --- in an order ------------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, offsetof(struct offload_row, usage));
}

static int compare_notes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct dp_record));
}

static void add(struct dp_usage *to, const struct dp_usage *from)
{
	for (int way = 0; way < 2; way++) {
		to->bytes[way] += from->bytes[way];
		to->packets[way] += from->packets[way];
	}
	to->first_ns = from->first_ns < to->first_ns ? from->first_ns : to->first_ns;
	to->last_ns = from->last_ns > to->last_ns ? from->last_ns : to->last_ns;
	to->n_new_flows += from->n_new_flows;
	to->active_ms += from->active_ms;
}

static void put_in_order(struct offload_run *run)
{
	size_t n = 0;

	if (run->n_notes > 0)
		qsort(run->notes, run->n_notes, sizeof(*run->notes), compare_notes);
	if (run->n_rows == 0)
		return;
	qsort(run->rows, run->n_rows, sizeof(*run->rows), compare_keys);
	for (size_t i = 1; i < run->n_rows; i++) {
		if (compare_keys(&run->rows[n], &run->rows[i]) == 0)
			add(&run->rows[n].usage, &run->rows[i].usage);
		else
			run->rows[++n] = run->rows[i];
	}
	run->n_rows = n + 1;
}

void offload_rig_run(const struct offload_rig_config *config, struct offload_run *run)
{
	struct stage stages[OFFLOAD_RIG_WORKERS_MAX];
	struct drive d = {.cfg = config, .run = run};

	*run = (struct offload_run){0};
	open_path(&d, stages);
	drive(&d);
	assert_null(dp_path_broken(d.path));
	dp_path_stats(d.path, &run->stats);
	assert_int_equal(dp_path_ports(d.path, &run->port, 1), 0); // captures are none
	dp_path_close(d.path);
	for (uint16_t i = 0; i < config->n_workers; i++) {
		run->n_shown += stages[i].n_shown;
		run->n_overheard += stages[i].n_overheard;
		run->sum += stages[i].sum;
	}
	run->n_renewed = d.world;
	put_in_order(run);
}

void offload_rig_fini(struct offload_run *run)
{
	free(run->rows);
	free(run->notes);
	*run = (struct offload_run){0};
}

/* --- what it should be ------------------------------------------------------------------------- */

static void print_row(const char *what, const struct offload_row *r)
{
	char endpoint[DP_ADDR_STRLEN];

	print_error("%s: %s tick %" PRIu64 " %s%s app %u tag %u evidence %u bytes %" PRIu64
		    "/%" PRIu64 " packets %" PRIu64 "/%" PRIu64 " first %" PRIu64 " last %" PRIu64
		    " flows %u active %u ms\n",
		what, r->kind == DP_RECORD_MOVE ? "move" : "usage", r->tick,
		dp_addr_format(&r->endpoint, endpoint), r->is_ambiguous ? " (ambiguous)" : "",
		r->app, r->tag, r->evidence, r->usage.bytes[0], r->usage.bytes[1],
		r->usage.packets[0], r->usage.packets[1], r->usage.first_ns, r->usage.last_ns,
		r->usage.n_new_flows, r->usage.active_ms);
}

static void print_note(const char *what, const struct dp_record *r)
{
	char src[DP_ADDR_STRLEN], dst[DP_ADDR_STRLEN];
	const struct dp_note *n = &r->note;

	print_error("%s: note %u tick %" PRIu64 " %s:%u %s:%u proto %u app %u packets %" PRIu64
		    "/%" PRIu64 " bytes %" PRIu64 "/%" PRIu64 " first %" PRIu64 " last %" PRIu64
		    " effort %u syn %d\n",
		what, n->why, r->tick, dp_addr_format(&n->src, src), n->sport,
		dp_addr_format(&n->dst, dst), n->dport, n->l4_proto, r->app, n->packets[0],
		n->packets[1], n->bytes[0], n->bytes[1], n->first_ns, n->last_ns, n->effort,
		n->is_syn_start);
}

static void assert_same_rows(const struct offload_run *a, const struct offload_run *b)
{
	for (size_t i = 0; i < a->n_rows || i < b->n_rows; i++) {
		const struct offload_row *x = i < a->n_rows ? &a->rows[i] : NULL;
		const struct offload_row *y = i < b->n_rows ? &b->rows[i] : NULL;

		if (x != NULL && y != NULL && memcmp(x, y, sizeof(*x)) == 0)
			continue;
		if (x != NULL)
			print_row("without", x);
		if (y != NULL)
			print_row("with", y);
		fail_msg("row %zu of %zu and %zu differs", i, a->n_rows, b->n_rows);
	}
}

static void assert_same_notes(const struct offload_run *a, const struct offload_run *b)
{
	for (size_t i = 0; i < a->n_notes || i < b->n_notes; i++) {
		const struct dp_record *x = i < a->n_notes ? &a->notes[i] : NULL;
		const struct dp_record *y = i < b->n_notes ? &b->notes[i] : NULL;

		if (x != NULL && y != NULL && memcmp(x, y, sizeof(*x)) == 0)
			continue;
		if (x != NULL)
			print_note("without", x);
		if (y != NULL)
			print_note("with", y);
		fail_msg("note %zu of %zu and %zu differs", i, a->n_notes, b->n_notes);
	}
}

/* Round trips are not compared, nor what depends on them where numbers make no sense (a worker looks at those closely
 * only while one is due): in a worker the classifier's state stands in their place as long as it listens, and the
 * test's listens long. Captures say that the kernel tells the same of real connections (tests/golden/xdp). */
static void assert_same_quality(const struct dp_quality *a, const struct dp_quality *b)
{
	for (int i = 0; i < 2; i++) {
		assert_int_equal(a->segments[i], b->segments[i]);
		assert_int_equal(a->retransmitted[i] + a->out_of_order[i],
			b->retransmitted[i] + b->out_of_order[i]);
		assert_int_equal(a->zero_windows[i], b->zero_windows[i]);
	}
	assert_int_equal(a->handshakes_failed, b->handshakes_failed);
}

void offload_rig_assert_same(const struct offload_run *a, const struct offload_run *b)
{
	assert_same_notes(a, b);
	assert_same_rows(a, b);
	assert_same_quality(&a->quality, &b->quality);
	assert_int_equal(a->n_shown, b->n_shown);
	assert_int_equal(a->n_overheard, b->n_overheard);
	assert_int_equal(a->sum, b->sum);
	assert_int_equal(a->n_ticks, b->n_ticks);
	assert_int_equal(a->stats.frames, b->stats.frames);
	assert_int_equal(a->stats.wire_bytes, b->stats.wire_bytes);
	assert_int_equal(a->stats.ip_bytes, b->stats.ip_bytes);
	assert_int_equal(a->stats.accounted_bytes, b->stats.accounted_bytes);
	assert_int_equal(a->stats.flows, b->stats.flows);
	assert_int_equal(a->stats.flows_evicted, b->stats.flows_evicted);
	assert_int_equal(a->stats.tcp_ended, b->stats.tcp_ended);
	assert_memory_equal(
		a->stats.tcp_one_way, b->stats.tcp_one_way, sizeof(a->stats.tcp_one_way));
	assert_memory_equal(a->stats.outcomes, b->stats.outcomes, sizeof(a->stats.outcomes));
	assert_memory_equal(&a->stats.encaps, &b->stats.encaps, sizeof(a->stats.encaps));
	assert_memory_equal(&a->stats.datagrams, &b->stats.datagrams, sizeof(a->stats.datagrams));
}

struct dp_usage offload_rig_total(const struct offload_run *run, const struct offload_row *of)
{
	struct dp_usage sum = {.first_ns = UINT64_MAX};

	for (size_t i = 0; i < run->n_rows; i++) {
		const struct offload_row *r = &run->rows[i];

		if (r->kind == DP_RECORD_USAGE &&
			(of == NULL ||
				(dp_addr_cmp(&r->endpoint, &of->endpoint) == 0 &&
					r->is_ambiguous == of->is_ambiguous)))
			add(&sum, &r->usage);
	}
	return sum;
}

/* Bytes that were undecided less those that were moved. */
static int64_t unmoved(const struct offload_run *run)
{
	int64_t n = 0;

	for (size_t i = 0; i < run->n_rows; i++) {
		const struct offload_row *r = &run->rows[i];
		const int64_t bytes = (int64_t)(r->usage.bytes[0] + r->usage.bytes[1]);

		if (r->kind == DP_RECORD_MOVE)
			n -= bytes;
		else if (r->app == DP_APP_UNDECIDED)
			n += bytes;
	}
	return n;
}

void offload_rig_assert_ledger(const struct offload_run *run)
{
	const struct dp_usage all = offload_rig_total(run, NULL);
	uint64_t n_frames = run->stats.datagrams.held;

	for (int i = 0; i < DP_OUTCOME_COUNT; i++)
		n_frames += run->stats.outcomes[i];
	assert_int_equal(run->stats.frames, n_frames);
	assert_int_equal(run->stats.accounted_bytes, all.bytes[0] + all.bytes[1]);
	// Where flows are given up there is not always an entry for what they turn out to be.
	if (run->stats.flows_evicted == 0)
		assert_int_equal(unmoved(run), 0);
}
