// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/signalling.h"
#include "dataplane/tcp.h"
#include "dataplane/worker_state.h"

#include <netinet/in.h>

enum {
	OWED_LOOKS = 64, // flows looked at for one whose end is owed
	OLDEST_LOOKS = 8, // flows that an offload is asked for before one is given up
	ROOM_TRIES = 2, // flows given up for an entry, of a packet that may be part of a flood
};

/* --- beginning ------------------------------------------------------------------------------- */

/* The table is full. An expiry that the tick being closed owes is no eviction: it would have been
 * over already, had its slice come. Else the flow idle longest goes. */
static void make_room(struct dp_worker *w)
{
	unsigned int max = OWED_LOOKS;
	const uint32_t owed = w->is_closing
		? dp_worker_flow_over(w, dp_worker_closing_end_ns(w), &max)
		: DP_FLOW_NONE;

	if (owed != DP_FLOW_NONE) {
		dp_worker_flow_end(w, owed, w->closing_tick);
		return;
	}
	dp_worker_flow_give_up(w);
}

/* The entry for what nobody has decided yet. Where there is none left, those of the flows idle longest go,
 * unless they wait for a tick's end. */
static uint32_t undecided_entry(struct dp_worker *w, const struct dp_pkt *p)
{
	const struct dp_usage_key key = {
		.endpoint = p->endpoint, .is_ambiguous = (p->flags & DP_PKT_AMBIGUOUS) != 0};
	uint32_t id = dp_usage_get(&w->usage, &key);

	for (int i = 0; i < ROOM_TRIES && id == DP_USAGE_NONE && w->flows.n_used > 0; i++) {
		dp_worker_flow_give_up(w);
		id = dp_usage_get(&w->usage, &key);
	}
	return id;
}

static uint16_t flags_of(const struct dp_pkt *p, bool endpoint_is_src)
{
	const bool has_ports = p->tuple.l4_proto == IPPROTO_TCP ||
		p->tuple.l4_proto == IPPROTO_UDP || p->tuple.l4_proto == IPPROTO_SCTP;
	uint16_t flags = 0;

	if (endpoint_is_src)
		flags |= DP_FLOW_ENDPOINT_IS_SRC;
	if ((p->flags & DP_PKT_AMBIGUOUS) != 0)
		flags |= DP_FLOW_AMBIGUOUS;
	if (dp_is_syn(p))
		flags |= DP_FLOW_SYN_START;
	if ((p->flags & DP_PKT_FRAGMENT) != 0 && (p->flags & DP_PKT_HAS_PORTS) == 0 && has_ports)
		flags |= DP_FLOW_FRAGMENTS;
	return flags;
}

uint32_t dp_worker_flow_begin(
	struct dp_worker *w, const struct dp_pkt *p, const struct dp_flow_seek *seek)
{
	const uint32_t usage = undecided_entry(w, p);
	const bool is_answer = dp_is_syn_ack(p); // it began with somebody else's packet
	const bool src_is_high = seek->is_swapped != is_answer;
	const enum dp_flow_life life = dp_flow_life_of(p->tuple.l4_proto);
	uint32_t i;

	if (usage == DP_USAGE_NONE)
		return DP_FLOW_NONE;
	i = dp_flow_add(&w->flows, seek, src_is_high, life, p->time_ns);
	if (i == DP_FLOW_NONE) {
		make_room(w);
		i = dp_flow_add(&w->flows, seek, src_is_high, life, p->time_ns);
	}

	struct dp_flow *f = dp_worker_flow(w, i);

	f->usage = usage;
	f->flags |= flags_of(p, ((p->flags & DP_PKT_UP) != 0) != is_answer);
	dp_worker_rest(w, i)->syn_seq = p->tcp_seq;
	dp_count(&w->counters.flows, 1);
	return i;
}

/* --- verdict --------------------------------------------------------------------------------- */

/* The flow's app is known: from here on it counts there, and what it counted before moves. */
static void settle(struct dp_worker *w, uint32_t i, const struct dp_verdict *v, uint64_t tick,
	uint64_t time_ns)
{
	struct dp_flow *f = dp_worker_flow(w, i);
	const bool is_src = (f->flags & DP_FLOW_ENDPOINT_IS_SRC) != 0;
	const struct dp_usage undecided = {
		.bytes = {dp_flow_bytes(f, !is_src), dp_flow_bytes(f, is_src)},
		.packets = {dp_flow_packets(f, !is_src), dp_flow_packets(f, is_src)},
		.first_ns = dp_worker_rest(w, i)->first_ns,
		.last_ns = f->last_ns,
	};
	struct dp_usage_key key = *dp_usage_key(&w->usage, f->usage);

	key.app = v->app;
	key.tag = v->tag;
	key.evidence = v->evidence;

	const uint32_t id = dp_usage_get(&w->usage, &key);

	if (id == DP_USAGE_NONE)
		return; // stays undecided: never somebody else's
	dp_usage_move(&w->usage, id, tick, &undecided);
	dp_usage_add_flow(&w->usage, id, tick, time_ns);
	dp_usage_put(&w->usage, f->usage);
	f->usage = id;
	dp_worker_note_verdict(w, i, tick);
}

static bool says(const struct dp_said *said, const struct dp_verdict *v)
{
	return said->risk_bits == v->risk_bits && said->ndpi_master == v->ndpi_master &&
		said->ndpi_app == v->ndpi_app && said->has_ech == v->has_ech &&
		said->basis == v->basis && strcmp(said->host, v->host) == 0 &&
		strcmp(said->alias, v->alias) == 0;
}

static void remember(struct dp_worker *w, struct dp_flow_rest *rest, const struct dp_said *said)
{
	const uint32_t id = rest->said;

	rest->said = dp_said_get(&w->said, said);
	dp_said_put(&w->said, id);
}

/* Keep what else the classifier said. Most packets after the first bring nothing new. */
static void remember_verdict(
	struct dp_worker *w, struct dp_flow_rest *rest, const struct dp_verdict *v)
{
	struct dp_said said = {.risk_bits = v->risk_bits,
		.ndpi_master = v->ndpi_master,
		.ndpi_app = v->ndpi_app,
		.has_ech = v->has_ech,
		.basis = v->basis};

	if (says(dp_said_of(&w->said, rest->said), v))
		return;
	memcpy(said.host, v->host, strnlen(v->host, sizeof(said.host) - 1));
	memcpy(said.alias, v->alias, strnlen(v->alias, sizeof(said.alias) - 1));
	remember(w, rest, &said);
}

/* A verdict whose state was taken away knows neither names nor protocols: those before stand. */
static void remember_cut(struct dp_worker *w, struct dp_flow_rest *rest, const struct dp_verdict *v)
{
	struct dp_said said = *dp_said_of(&w->said, rest->said);

	said.basis |= v->basis;
	remember(w, rest, &said);
}

/* --- another verdict -------------------------------------------------------------------------- */

bool dp_worker_flow_recount(
	struct dp_worker *w, uint32_t i, uint32_t app, uint16_t tag, uint8_t evidence)
{
	struct dp_flow *f = dp_worker_flow(w, i);
	struct dp_usage_key key = *dp_usage_key(&w->usage, f->usage);
	uint32_t id;

	if (key.app == app && key.tag == tag && key.evidence == evidence)
		return false;
	key.app = app;
	key.tag = tag;
	key.evidence = evidence;
	id = dp_usage_get(&w->usage, &key);
	if (id == DP_USAGE_NONE) {
		dp_count(&w->counters.resolve_refused, 1);
		return false;
	}
	// No new flow of the app: each is counted once, as what it was when it became known.
	dp_usage_put(&w->usage, f->usage);
	f->usage = id;
	dp_count(&w->counters.resolved_again, 1);
	dp_worker_note_verdict(w, i, w->tick);
	if (w->cfg.offload != NULL)
		dp_worker_offload_decide(w, i);
	return true;
}

bool dp_worker_flow_resolve(struct dp_worker *w, uint32_t i)
{
	const struct dp_flow *f = dp_worker_flow(w, i);
	const struct dp_usage_key *key = dp_usage_key(&w->usage, f->usage);
	const bool is_src = (f->flags & DP_FLOW_ENDPOINT_IS_SRC) != 0;
	struct dp_five_tuple tuple;
	struct dp_known known = {
		.said = dp_said_of(&w->said, dp_worker_rest(w, i)->said),
		.server = is_src ? &tuple.dst : &tuple.src,
		.l4_proto = f->l4_proto,
		.app = key->app,
		.tag = key->tag,
		.evidence = key->evidence,
	};

	dp_flow_tuple(&w->flows, i, &tuple);
	known.server_port = is_src ? tuple.dport : tuple.sport;
	w->stage.ops->resolve(w->stage.self, &known);
	return dp_worker_flow_recount(w, i, known.app, known.tag, known.evidence);
}

/* --- what the classifier says ------------------------------------------------------------------ */

static void count_hello(struct dp_worker *w, const struct dp_verdict *v)
{
	if (!v->has_hello)
		return;
	dp_count(&w->counters.hellos, 1);
	dp_count(&w->counters.hellos_ech, v->has_ech);
}

/* Whether control gets copies of the flow's packets: then none passes unseen. */
static bool is_signalling(const struct dp_worker *w, uint32_t i)
{
	struct dp_five_tuple tuple;

	if (w->signalling == NULL || w->flows.flows[i].l4_proto != IPPROTO_UDP)
		return false;
	dp_flow_tuple(&w->flows, i, &tuple);
	return dp_is_told_port(tuple.sport) || dp_is_told_port(tuple.dport);
}

/* What the classifier says of the flow now. tick: the open one or the one being closed. */
static void take_verdict(struct dp_worker *w, uint32_t i, const struct dp_verdict *v, uint64_t tick,
	uint64_t time_ns)
{
	struct dp_flow *f = dp_worker_flow(w, i);

	f->effort = v->effort;
	if (v->is_final) {
		f->flags |= v->is_watched || is_signalling(w, i) ? DP_FLOW_WATCHED : DP_FLOW_FINAL;
		count_hello(w, v);
	}
	if (v->is_cut)
		dp_count(&w->counters.verdicts_cut, 1);
	else
		remember_verdict(w, dp_worker_rest(w, i), v);
	if (v->app == DP_APP_UNDECIDED)
		return;
	if (dp_usage_key(&w->usage, f->usage)->app == DP_APP_UNDECIDED) {
		if (v->is_cut)
			remember_cut(w, dp_worker_rest(w, i), v);
		settle(w, i, v, tick, time_ns);
	} else if (v->is_renewed) {
		(void)dp_worker_flow_recount(w, i, v->app, v->tag, v->evidence);
	} else if (v->is_cut && dp_counter_get(&w->counters.catalogues) > 0) {
		(void)dp_worker_flow_resolve(w, i); // the walk has left it to its state
	}
}

/* --- the classifier's state lives where a decided flow has something else --------------------- */

static void *lend_state(const struct dp_flow *f, const struct dp_flow_rest *rest)
{
	return (f->flags & DP_FLOW_SCRATCH) == DP_SCRATCH_STAGE ? rest->scratch.stage_state : NULL;
}

static void keep_state(struct dp_flow *f, struct dp_flow_rest *rest, void *state)
{
	const bool had_it = (f->flags & DP_FLOW_SCRATCH) == DP_SCRATCH_STAGE;
	const unsigned int others = f->flags & ~(unsigned int)DP_FLOW_SCRATCH_BITS;

	if (state != NULL)
		rest->scratch.stage_state = state;
	if (state != NULL && !had_it)
		f->flags = (uint16_t)(others | DP_SCRATCH_STAGE);
	else if (state == NULL && had_it)
		f->flags = (uint16_t)others;
}

/* Call the classifier, one of its operations. *item has what they differ in. */
static void ask(struct dp_worker *w, uint32_t i, struct dp_stage_item *item,
	void (*operation)(void *stage, struct dp_stage_item *item))
{
	struct dp_flow *f = dp_worker_flow(w, i);
	struct dp_flow_rest *rest = dp_worker_rest(w, i);
	void *state = lend_state(f, rest);
	struct dp_five_tuple tuple;

	dp_flow_tuple(&w->flows, i, &tuple);
	item->state = &state;
	item->tuple = &tuple;
	item->endpoint = &dp_usage_key(&w->usage, f->usage)->endpoint;
	item->n_packets += (uint32_t)(dp_flow_packets(f, 0) + dp_flow_packets(f, 1));
	item->has_syn = (f->flags & DP_FLOW_SYN_START) != 0;
	item->syn_seq = rest->syn_seq;
	item->server_is_src = (f->flags & DP_FLOW_ENDPOINT_IS_SRC) == 0;
	item->is_watched = (f->flags & DP_FLOW_WATCHED) != 0;
	operation(w->stage.self, item);
	if (w->told != NULL && state == NULL && lend_state(f, rest) != NULL)
		w->told[i].since_ns = item->time_ns;
	keep_state(f, rest, state);
}

void dp_worker_flow_look(struct dp_worker *w, uint32_t i, struct rte_mbuf *m, bool is_from_dst)
{
	const struct dp_pkt *p = dp_worker_pkt(m);
	struct dp_flow *f = dp_worker_flow(w, i);
	struct dp_stage_item item = {
		.l3 = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->l3_off),
		.l3_len = p->l3_len,
		.n_packets = p->n_packets,
		.time_ns = p->time_ns,
		.tcp_seq = p->tcp_seq,
		.is_from_dst = is_from_dst,
	};

	if (is_signalling(w, i)) {
		dp_worker_signalling(w, m, p);
		if ((f->flags & DP_FLOW_WATCHED) != 0)
			return; // for us, not for the classifier
	}
	if ((f->flags & DP_FLOW_WATCHED) == 0) {
		ask(w, i, &item, w->stage.ops->look);
		take_verdict(w, i, &item.verdict, w->tick, p->time_ns);
		if (w->sampler != NULL)
			dp_worker_sample_look(w, i, &item, p->ip_bytes);
		w->round.n_classified++;
		return;
	}
	ask(w, i, &item, w->stage.ops->overhear);
	if (!item.is_watched)
		f->flags = (uint16_t)((f->flags & ~(unsigned int)DP_FLOW_WATCHED) | DP_FLOW_FINAL);
}

/* --- end ------------------------------------------------------------------------------------- */

/* Both sides of a TCP connection send. Where only one is seen the mirror delivers only that one, or
 * the other goes another way. Fragments without ports are nobody's connection. */
static void count_ways(struct dp_worker *w, const struct dp_flow *f)
{
	const bool is_src = (f->flags & DP_FLOW_ENDPOINT_IS_SRC) != 0;
	const uint64_t packets[2] = {dp_flow_packets(f, 0), dp_flow_packets(f, 1)};

	if (f->l4_proto != IPPROTO_TCP || (f->flags & DP_FLOW_TALKED) == 0 ||
		(f->flags & DP_FLOW_FRAGMENTS) != 0 || packets[0] + packets[1] < DP_ONE_WAY_PACKETS)
		return;
	dp_count(&w->counters.tcp_ended, 1);
	if (packets[is_src] == 0)
		dp_count(&w->counters.tcp_one_way[0], 1);
	else if (packets[!is_src] == 0)
		dp_count(&w->counters.tcp_one_way[1], 1);
}

/* The classifier's last word, by what is known. */
static void take_last_word(struct dp_worker *w, uint32_t i, uint64_t tick)
{
	struct dp_stage_item item = {.time_ns = dp_worker_flow(w, i)->last_ns};

	ask(w, i, &item, w->stage.ops->finish);
	take_verdict(w, i, &item.verdict, tick, item.time_ns);
}

/* A watched flow said its last word; what the classifier holds of it goes. */
static void stop_watching(struct dp_worker *w, uint32_t i)
{
	const struct dp_flow *f = dp_worker_flow(w, i);
	struct dp_stage_item item = {.time_ns = f->last_ns};

	if (lend_state(f, dp_worker_rest(w, i)) != NULL)
		ask(w, i, &item, w->stage.ops->finish);
}

/* is_over: nothing of it comes any more, so that what did not come is missing. */
static void end(struct dp_worker *w, uint32_t i, uint64_t tick, bool is_over)
{
	struct dp_flow *f = dp_worker_flow(w, i);
	struct dp_tcp_event event;

	if ((f->flags & DP_FLOW_WATCHED) != 0)
		stop_watching(w, i);
	if ((f->flags & (DP_FLOW_FINAL | DP_FLOW_WATCHED | DP_FLOW_FRAGMENTS)) == 0) {
		take_last_word(w, i, tick);
	} else if (dp_usage_key(&w->usage, f->usage)->app == DP_APP_UNDECIDED) {
		const struct dp_verdict unknown = {.app = DP_APP_UNKNOWN, .effort = f->effort};

		take_verdict(w, i, &unknown, tick, f->last_ns);
	}
	if (is_over && f->l4_proto == IPPROTO_TCP && dp_tcp_end(f, &event))
		dp_usage_tcp(&w->usage, f->usage, tick, f->last_ns, &event);
	count_ways(w, f);
	dp_worker_note_end(w, i, tick);
	if (w->sampler != NULL)
		dp_worker_sample_end(w, i);
	dp_said_put(&w->said, dp_worker_rest(w, i)->said);
	dp_usage_put(&w->usage, f->usage);
	dp_flow_remove(&w->flows, i);
}

void dp_worker_flow_end(struct dp_worker *w, uint32_t i, uint64_t tick)
{
	if (w->cfg.offload != NULL)
		dp_worker_offload_forget(w, i, tick);
	end(w, i, tick, true);
}

uint32_t dp_worker_flow_over(struct dp_worker *w, uint64_t now_ns, unsigned int *max)
{
	for (;;) {
		const uint32_t i = dp_flow_expired(&w->flows, now_ns, max);
		struct dp_offload_counts counts;

		if (i == DP_FLOW_NONE || w->cfg.offload == NULL)
			return i;
		dp_worker_offload_look(w, i, &counts);
		if (dp_flow_expiry_ns(dp_worker_flow(w, i)) <= now_ns)
			return i;
		dp_flow_put_back(&w->flows, i);
	}
}

/* The flow idle longest. Those whose packets an offload keeps look idle from here. */
static uint32_t oldest(struct dp_worker *w)
{
	uint32_t i = dp_flow_oldest(&w->flows);

	for (int n = 0; n < OLDEST_LOOKS && w->cfg.offload != NULL; n++) {
		const uint64_t last_ns = dp_worker_flow(w, i)->last_ns;
		struct dp_offload_counts counts;

		dp_worker_offload_look(w, i, &counts);
		if (dp_worker_flow(w, i)->last_ns == last_ns)
			break;
		dp_flow_put_back(&w->flows, i);
		i = dp_flow_oldest(&w->flows);
	}
	return i;
}

void dp_worker_flow_give_up(struct dp_worker *w)
{
	const uint32_t i = oldest(w);

	if (w->cfg.offload != NULL)
		dp_worker_offload_forget(w, i, w->tick);
	end(w, i, w->tick, false);
	dp_count(&w->counters.flows_evicted, 1);
}

/* The tick that a flow's end belongs to that a packet finds over. */
static uint64_t stale_tick(const struct dp_worker *w, uint32_t i)
{
	const bool is_owed = w->is_closing &&
		dp_flow_expiry_ns(&w->flows.flows[i]) <= dp_worker_closing_end_ns(w);

	return is_owed ? w->closing_tick : w->tick;
}

void dp_worker_flow_end_stale(struct dp_worker *w, uint32_t i)
{
	dp_worker_flow_end(w, i, stale_tick(w, i));
}

void dp_worker_flow_end_handed(struct dp_worker *w, uint32_t i)
{
	end(w, i, stale_tick(w, i), true);
}
