// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/offload_model.h"

#include "dataplane/budget.h"
#include "dataplane/flow.h"
#include "dataplane/usage.h"
#include "tests/unit/offload_flows.h"
#include "tests/unit/offload_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct up {
	struct up *next;
	struct dp_offload_frame frame; // its bytes stand behind
	uint8_t bytes[];
};

struct offload_model {
	struct offload_model_config cfg;
	struct dp_offload offload;
	pthread_mutex_t lock; // of all below
	struct offload_flows flows;
	struct offload_parts *parts; // owned, of workers
	uint64_t *end_ns; // owned, likewise: asked for last
	struct up *first, *last; // on their way up
	uint64_t random;
	struct dp_offload_stats stats;
	struct dp_encap_counters encaps;
	struct offload_model_stats told;
	const char *fault;
};

static void fault(struct offload_model *m, bool is_fault, const char *what)
{
	if (is_fault && m->fault == NULL)
		m->fault = what;
}

/* xorshift64* */
static bool by_chance(struct offload_model *m, uint32_t one_in)
{
	if (one_in == 0)
		return false;
	m->random ^= m->random >> 12;
	m->random ^= m->random << 25;
	m->random ^= m->random >> 27;
	return (m->random * 0x2545f4914f6cdd1dULL >> 33) % one_in == 0;
}

/* --- what stands on flows ---------------------------------------------------------------------- */

static struct dp_offload_counts counts_of(const struct offload_flow *f)
{
	return (struct dp_offload_counts){.packets = {f->packets[0], f->packets[1]},
		.bytes = {f->bytes[0], f->bytes[1]},
		.segments = {f->segments[0], f->segments[1]},
		.last_ns = f->last_ns,
		.tcp = f->tcp | (f->is_decided ? DP_OFFLOAD_DECIDED : 0)};
}

/* What stands on it is told. */
static struct dp_offload_counts take_counts(struct offload_model *m, const struct offload_flow *f)
{
	const struct dp_offload_counts c = counts_of(f);

	if (!f->is_decided)
		m->stats.taken_bytes += c.bytes[0] + c.bytes[1];
	return c;
}

/* --- kept ------------------------------------------------------------------------------------- */

static void count_event(struct dp_offload_usage *u, unsigned int way, const struct dp_tcp_event *e)
{
	const unsigned int side = e->is_rtt_of_endpoint ? 0 : 1, what = e->what;
	struct dp_quality *q = &u->quality;

	q->first_ns = u->first_ns;
	q->last_ns = u->last_ns;
	q->segments[way] += e->n_segments;
	q->retransmitted[way] += (what & DP_TCP_RETRANSMITTED) != 0;
	q->out_of_order[way] += (what & DP_TCP_OUT_OF_ORDER) != 0;
	q->zero_windows[way] += (what & DP_TCP_ZERO_WINDOW) != 0;
	q->resets[way] += (what & DP_TCP_RESET) != 0;
	q->handshakes_failed += (what & DP_TCP_HANDSHAKE_FAILED) != 0;
	q->n_handshake_rtt[side] += (what & DP_TCP_RTT_HANDSHAKE) != 0;
	q->handshake_rtt_us[side] += (what & DP_TCP_RTT_HANDSHAKE) != 0 ? e->rtt_us : 0;
	q->n_data_rtt[side] += (what & DP_TCP_RTT_DATA) != 0;
	q->data_rtt_us[side] += (what & DP_TCP_RTT_DATA) != 0 ? e->rtt_us : 0;
}

static void count_decided(struct offload_model *m, const struct offload_flow *f,
	const struct dp_pkt *p, const struct dp_tcp_event *event)
{
	const uint64_t begin_ns = p->time_ns / m->cfg.tick_ns * m->cfg.tick_ns;
	const uint64_t slot = p->time_ns / DP_USAGE_SLOT_NS - begin_ns / DP_USAGE_SLOT_NS;
	struct dp_offload_usage *u = offload_parts_of(&m->parts[f->worker], f->id,
		p->time_ns / m->cfg.tick_ns, p->time_ns, by_chance(m, m->cfg.in_parts));
	const unsigned int way = offload_flow_way(f, p);

	u->packets[way]++;
	u->bytes[way] += p->ip_bytes;
	u->last_ns = p->time_ns;
	if (slot < 128)
		u->active[slot / 64] |= UINT64_C(1) << slot % 64;
	count_event(u, way, event);
	m->told.kept_decided++;
}

static void keep_packet(struct offload_model *m, struct offload_flow *f, const struct dp_pkt *p,
	const struct dp_tcp_event *event)
{
	const unsigned int way = offload_flow_way(f, p);

	f->packets[way]++;
	f->bytes[way] += p->ip_bytes;
	m->stats.packets++;
	m->stats.up_packets += (p->flags & DP_PKT_UP) != 0;
	m->stats.ip_bytes += p->ip_bytes;
	if (f->is_decided) {
		count_decided(m, f, p, event);
		return;
	}
	f->segments[way] += event->n_segments;
	m->stats.undecided_bytes += p->ip_bytes;
	m->told.kept_undecided++;
}

static void keep_frame(
	struct offload_model *m, const struct dp_capture_record *r, enum dp_outcome outcome)
{
	m->stats.frames++;
	m->stats.wire_bytes += r->wire_len;
	m->stats.outcomes[outcome]++;
}

/* --- up --------------------------------------------------------------------------------------- */

/* False: there is no room. */
static bool hand_up(struct offload_model *m, const struct dp_capture_record *r, unsigned int handed,
	const struct dp_offload_head *head)
{
	struct up *u;

	if (by_chance(m, m->cfg.lost)) {
		m->stats.lost++;
		m->told.n_lost++;
		return false;
	}
	u = offload_need(malloc(sizeof(*u) + r->cap_len));
	*u = (struct up){.frame = {.time_ns = r->time_ns,
				 .data = u->bytes,
				 .cap_len = r->cap_len,
				 .wire_len = r->wire_len,
				 .link = r->link,
				 .handed = (uint8_t)handed}};
	if (head != NULL)
		u->frame.head = *head;
	memcpy(u->bytes, r->data, r->cap_len);
	if (m->last != NULL)
		m->last->next = u;
	else
		m->first = u;
	m->last = u;
	m->told.handed[0] += (handed & DP_HANDED_ASKS) != 0;
	m->told.handed[1] += (handed & DP_HANDED_FOLLOWS) != 0;
	m->told.handed_ended += (handed & DP_HANDED_ENDED) != 0;
	return true;
}

static uint32_t budget_of(const struct offload_model *m, uint8_t l4_proto)
{
	if (m->cfg.has_no_budget)
		return UINT32_MAX - 1;
	return l4_proto == IPPROTO_TCP	  ? DP_BUDGET_TCP
		: l4_proto == IPPROTO_UDP ? DP_BUDGET_UDP
					  : DP_BUDGET_OTHER;
}

static bool is_wanted(
	const struct offload_model *m, const struct offload_flow *f, const struct dp_pkt *p)
{
	if ((p->tcp_flags & (DP_TCP_SYN | DP_TCP_FIN | DP_TCP_RST)) != 0 ||
		offload_is_signalling(&p->tuple))
		return true;
	if (f->is_decided)
		return f->is_watched && offload_has_payload(p);
	// One more than the budget: with it the classifier is asked for its last word.
	return f->n_asked[offload_has_payload(p)] <= budget_of(m, p->tuple.l4_proto);
}

/* The packet begins another flow where f was. Without room for it nothing changes, and the next one does. */
static void begin_anew(struct offload_model *m, struct offload_flow *f, const struct dp_pkt *p,
	const struct dp_capture_record *r)
{
	const struct dp_offload_head head = {.flow = m->flows.n_numbers + 1, .ended = counts_of(f)};

	if (!hand_up(m, r, DP_HANDED_ASKS | DP_HANDED_ENDED, &head)) {
		keep_packet(m, f, p, &(struct dp_tcp_event){.n_segments = p->payload_bytes > 0});
		keep_frame(m, r, DP_OUTCOME_ACCOUNTED);
		return;
	}
	(void)take_counts(m, f);
	offload_flow_begin_anew(&m->flows, f, p);
	(void)offload_flow_tell(f, p);
	offload_flow_follow(f, p);
	f->n_asked[offload_has_payload(p)]++;
}

static void take_packet(
	struct offload_model *m, const struct dp_pkt *p, const struct dp_capture_record *r)
{
	struct offload_flow *f = offload_flow_find(&m->flows, &p->tuple);
	struct dp_offload_head head = {0};

	if (f != NULL && offload_flow_is_over(f, p)) {
		begin_anew(m, f, p, r);
		return;
	}
	if (f == NULL)
		f = offload_flow_begin(&m->flows, p);
	head.flow = f->number;
	head.event = offload_flow_tell(f, p);
	offload_flow_follow(f, p);
	if (is_wanted(m, f, p) &&
		hand_up(m, r, f->is_decided ? DP_HANDED_FOLLOWS : DP_HANDED_ASKS, &head)) {
		f->n_asked[offload_has_payload(p)] += !f->is_decided;
		return;
	}
	keep_packet(m, f, p, &head.event);
	keep_frame(m, r, DP_OUTCOME_ACCOUNTED);
}

static void take_fragment(struct offload_model *m, const struct dp_capture_record *r)
{
	if (!hand_up(m, r, DP_HANDED_PLAIN, NULL))
		keep_frame(m, r, DP_OUTCOME_QUEUE_FULL);
}

static void take_frame(struct offload_model *m, const struct dp_capture_record *r)
{
	struct dp_walk w;
	struct dp_pkt p = {.time_ns = r->time_ns};
	const enum dp_outcome outcome = dp_walk(r->data, r->cap_len, r->wire_len, r->link, &w);
	const struct dp_ignore *ignore = m->cfg.ignore;

	if (ignore != NULL && dp_ignore_has_vlan(ignore, &w.vlans)) {
		keep_frame(m, r, DP_OUTCOME_IGNORED);
		return;
	}
	if (outcome != DP_OUTCOME_ACCOUNTED) {
		dp_walk_count(&w, &m->encaps);
		keep_frame(m, r, outcome);
		return;
	}
	dp_packet_of(&w, m->cfg.nets, r->wire_len, &p);
	if (w.ip.is_fragment) {
		take_fragment(m, r);
		return;
	}
	if (ignore != NULL && dp_ignore_has_addr(ignore, &p.tuple.src, &p.tuple.dst)) {
		keep_frame(m, r, DP_OUTCOME_IGNORED);
		return;
	}

	const uint64_t n_kept = m->stats.frames;

	take_packet(m, &p, r);
	if (m->stats.frames > n_kept)
		dp_walk_count(&w, &m->encaps);
}

/* --- the seam ----------------------------------------------------------------------------------- */

static int run(void *self, const struct dp_capture_record *r, struct dp_err *)
{
	struct offload_model *m = self;

	if (r->cap_len < m->cfg.cap_min || (m->cfg.cap_max > 0 && r->cap_len > m->cfg.cap_max))
		return -EMSGSIZE;
	(void)pthread_mutex_lock(&m->lock);
	m->stats.received++;
	if (m->flows.n > 0 && by_chance(m, m->cfg.forgotten)) {
		offload_flow_forget(&m->flows, m->flows.all[m->random % m->flows.n]);
		m->told.n_forgotten++;
	}
	take_frame(m, r);
	(void)pthread_mutex_unlock(&m->lock);
	return 0;
}

static int take(void *self, uint16_t port, void (*got)(void *ctx, const struct dp_offload_frame *),
	void *ctx)
{
	struct offload_model *m = self;
	struct up *u;

	(void)pthread_mutex_lock(&m->lock);
	fault(m, port != 0, "take: of another port than captures have");
	u = m->first;
	if (u != NULL)
		m->first = u->next;
	if (m->first == NULL)
		m->last = NULL;
	(void)pthread_mutex_unlock(&m->lock);
	if (u == NULL)
		return 0;
	got(ctx, &u->frame);
	free(u);
	return 1;
}

/* The one that is meant, or NULL. With the lock. */
static struct offload_flow *meant(
	struct offload_model *m, const struct dp_five_tuple *tuple, uint32_t flow)
{
	struct offload_flow *f = offload_flow_find(&m->flows, tuple);

	if (f != NULL && (flow == 0 || f->number == flow))
		return f;
	m->told.not_found++;
	return NULL;
}

static int decide(void *self, uint16_t worker, const struct dp_five_tuple *tuple, uint32_t flow,
	uint32_t id, bool is_watched, uint64_t since_ns, struct dp_offload_counts *ret_before)
{
	struct offload_model *m = self;
	struct offload_flow *f;

	*ret_before = (struct dp_offload_counts){0};
	(void)pthread_mutex_lock(&m->lock);
	fault(m, worker >= m->cfg.n_workers, "decide: no such worker");
	fault(m, id == 0 || id >= m->cfg.n_entries, "decide: no such entry");
	f = m->fault == NULL ? meant(m, tuple, flow) : NULL;
	if (f != NULL && flow == 0 && !f->is_decided)
		f = NULL;
	if (f != NULL) {
		const struct dp_offload_counts before = take_counts(m, f);

		fault(m, f->is_decided && f->worker != worker, "decide: another worker's flow");
		*(f->is_decided ? &m->told.decided_again : &m->told.decided) += 1;
		m->told.repeated += f->is_decided && f->id == id && f->is_watched == is_watched;
		if (!f->is_decided) {
			*ret_before = before;
			memset(f->packets, 0, sizeof(f->packets));
			memset(f->bytes, 0, sizeof(f->bytes));
			offload_flow_drop_round_trip(f, since_ns);
		}
		ret_before->last_ns = f->last_ns;
		ret_before->tcp = f->tcp;
		f->is_decided = true;
		f->is_watched = is_watched;
		f->worker = worker;
		f->id = id;
	}
	(void)pthread_mutex_unlock(&m->lock);
	return f != NULL ? 0 : -ENOENT;
}

static int look(void *self, const struct dp_five_tuple *tuple, uint32_t flow,
	struct dp_offload_counts *ret_counts)
{
	struct offload_model *m = self;
	const struct offload_flow *f;

	(void)pthread_mutex_lock(&m->lock);
	f = meant(m, tuple, flow);
	*ret_counts = f != NULL ? counts_of(f) : (struct dp_offload_counts){0};
	m->told.looked++;
	(void)pthread_mutex_unlock(&m->lock);
	return f != NULL ? 0 : -ENOENT;
}

static int end(void *self, uint16_t, const struct dp_five_tuple *tuple, uint32_t flow, uint32_t,
	struct dp_offload_counts *ret_counts)
{
	struct offload_model *m = self;
	struct offload_flow *f;

	*ret_counts = (struct dp_offload_counts){0};
	(void)pthread_mutex_lock(&m->lock);
	f = meant(m, tuple, flow);
	if (f != NULL) {
		*ret_counts = take_counts(m, f);
		offload_flow_forget(&m->flows, f);
		m->told.ended++;
	}
	(void)pthread_mutex_unlock(&m->lock);
	return f != NULL ? 0 : -ENOENT;
}

static uint32_t drain(void *self, uint16_t worker, uint64_t end_ns,
	struct dp_offload_usage *ret_usages, uint32_t max)
{
	struct offload_model *m = self;
	uint32_t n;

	(void)pthread_mutex_lock(&m->lock);
	fault(m, worker >= m->cfg.n_workers, "drain: no such worker");
	fault(m, end_ns < m->end_ns[worker], "drain: time runs backwards");
	m->end_ns[worker] = end_ns;
	n = offload_parts_drain(&m->parts[worker], end_ns, ret_usages, max);
	m->told.drained += n;
	(void)pthread_mutex_unlock(&m->lock);
	return n;
}

static int open_port(void *self, uint16_t port, uint64_t offset_ns, struct dp_err *)
{
	struct offload_model *m = self;

	fault(m, port != 0 || offset_ns != 0, "open_port: a replay has port 0, and its own time");
	return 0;
}

static void stop(void *, uint64_t)
{
}

static void stats(void *self, uint16_t, struct dp_offload_stats *ret_stats)
{
	struct offload_model *m = self;

	(void)pthread_mutex_lock(&m->lock);
	*ret_stats = m->stats;
	for (int e = 0; e < DP_ENCAP_COUNT; e++) {
		ret_stats->encaps.opened[e] = dp_counter_get(&m->encaps.opened[e]);
		for (int i = 0; i < DP_REFUSAL_COUNT; i++)
			ret_stats->encaps.refused[e][i] = dp_counter_get(&m->encaps.refused[e][i]);
	}
	(void)pthread_mutex_unlock(&m->lock);
}

/* --- life --------------------------------------------------------------------------------------- */

struct offload_model *offload_model_new(const struct offload_model_config *config)
{
	static const struct dp_offload_ops ops = {.decide = decide,
		.look = look,
		.end = end,
		.drain = drain,
		.open_port = open_port,
		.stop = stop,
		.run = run,
		.take = take,
		.stats = stats};
	struct offload_model *m = offload_need(calloc(1, sizeof(*m)));

	m->cfg = *config;
	m->random = config->seed * 0x9e3779b97f4a7c15ULL | 1;
	m->offload = (struct dp_offload){.ops = &ops, .self = m, .n_entries = config->n_entries};
	(void)pthread_mutex_init(&m->lock, NULL);
	m->parts = offload_need(calloc(config->n_workers, sizeof(*m->parts)));
	m->end_ns = offload_need(calloc(config->n_workers, sizeof(*m->end_ns)));
	for (uint16_t i = 0; i < config->n_workers; i++)
		offload_parts_init(&m->parts[i], config->n_entries);
	return m;
}

const struct dp_offload *offload_model_offload(const struct offload_model *m)
{
	return &m->offload;
}

void offload_model_stats(struct offload_model *m, struct offload_model_stats *ret_stats)
{
	(void)pthread_mutex_lock(&m->lock);
	*ret_stats = m->told;
	ret_stats->n_flows = m->flows.n;
	for (size_t i = 0; i < m->flows.n; i++) {
		if (!m->flows.all[i]->is_decided)
			ret_stats->waiting_bytes += m->flows.all[i]->bytes[0] +
				m->flows.all[i]->bytes[1];
	}
	(void)pthread_mutex_unlock(&m->lock);
}

const char *offload_model_fault(struct offload_model *m)
{
	return m->fault;
}

void offload_model_free(struct offload_model *m)
{
	if (m == NULL)
		return;
	offload_flows_fini(&m->flows);
	for (uint16_t i = 0; i < m->cfg.n_workers; i++)
		offload_parts_fini(&m->parts[i]);
	while (m->first != NULL) {
		struct up *u = m->first;

		m->first = u->next;
		free(u);
	}
	(void)pthread_mutex_destroy(&m->lock);
	free(m->parts);
	free(m->end_ns);
	free(m);
}
