// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_ring.h>
#include <sched.h>
#include <stdlib.h>

enum {
	CLOSE_SLICE = 256, // entries and expiries between two receives
	ENTRIES_PER_FLOW = 2, // a verdict's flow has an entry for undecided and one for its app
};

struct input {
	struct rte_ring *ring;
	void *elements[DP_BURST]; // taken from the ring
	uint16_t n, next;
	uint64_t mark; // last one met
	bool is_held; // at a mark that others have not reached
};

/* Packets on their way through one round, in order of arrival. */
struct batch {
	struct rte_mbuf *mbufs[DP_BURST];
	struct dp_flow *flows[DP_BURST];
	bool is_reverse[DP_BURST];
	int16_t item[DP_BURST]; // of items, or -1
	struct dp_stage_item items[DP_BURST];
	uint16_t n, n_items;
};

struct dp_worker {
	struct dp_worker_config cfg;
	struct dp_flow_table flows;
	struct dp_usage_table usage;
	struct dp_hosts hosts;
	struct dp_stage stage;
	struct dp_ring *ring;
	struct input inputs[DP_RECEIVERS_MAX];
	uint16_t n_inputs;
	uint64_t tick; // open
	uint64_t now_ns; // of the latest packet: time does not run backwards behind it
	uint64_t closing_tick; // valid while is_closing
	uint64_t closing_mark;
	bool is_closing;
	uint64_t ended_tick; // everything up to it is posted, once n_ticks > 0
	uint64_t n_ticks; // closed
	bool owes_end; // the ring had no room for the record that says so
	struct batch batch;
	struct dp_worker_counters counters;
};

static const struct dp_pkt *pkt_of(struct rte_mbuf *m)
{
	return rte_mbuf_to_priv(m);
}

/* Live, memory is had at start or not at all. (A replay takes what its captures need.) */
static void make_resident(struct dp_worker *w)
{
	struct dp_flow_table *f = &w->flows;
	struct dp_usage_table *u = &w->usage;
	struct dp_hosts *h = &w->hosts;

	memset(f->flows, 0, ((size_t)f->n_flows + 1) * sizeof(*f->flows));
	memset(f->buckets, 0, ((size_t)f->bucket_mask + 1) * sizeof(*f->buckets));
	memset(u->entries, 0, ((size_t)u->n_entries + 1) * sizeof(*u->entries));
	memset(u->buckets, 0, ((size_t)u->bucket_mask + 1) * sizeof(*u->buckets));
	dp_hosts_make_resident(h);
}

int dp_worker_new(const struct dp_worker_config *cfg, struct dp_stage stage,
	struct dp_worker **ret_worker, struct dp_err *reterr)
{
	struct dp_worker *w = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(*w), 64));

	if (w == NULL) {
		stage.ops->free(stage.self);
		return dp_fail(reterr, ENOMEM, "cannot set up worker %u: %m", cfg->id);
	}
	*w = (struct dp_worker){.cfg = *cfg, .stage = stage};
	w->ring = dp_ring_new(cfg->n_records, cfg->waits);
	if (w->ring == NULL || dp_flow_table_init(&w->flows, cfg->n_flows) < 0 ||
		dp_hosts_init(&w->hosts, cfg->n_hosts) < 0 ||
		dp_usage_init(&w->usage, cfg->n_flows * ENTRIES_PER_FLOW, w->ring, cfg->id) < 0) {
		dp_worker_free(w);
		return dp_fail(reterr, ENOMEM,
			"cannot set up worker %u for %u flows: %m; lower workers.flows", cfg->id,
			cfg->n_flows);
	}
	if (!cfg->waits)
		make_resident(w);
	*ret_worker = w;
	return 0;
}

/* Flows that were still alive when the worker was stopped: only their classifier state matters. */
static void drop_flows(struct dp_worker *w)
{
	for (struct dp_flow *f = dp_flow_oldest(&w->flows); f != NULL;
		f = dp_flow_oldest(&w->flows)) {
		struct dp_stage_item item = {.state = &f->stage_state, .tuple = &f->tuple};

		if (f->stage_state != NULL)
			w->stage.ops->finish(w->stage.self, &item);
		dp_flow_remove(&w->flows, f);
	}
}

void dp_worker_free(struct dp_worker *w)
{
	if (w == NULL)
		return;
	if (w->flows.flows != NULL)
		drop_flows(w);
	for (uint16_t i = 0; i < w->n_inputs; i++) {
		struct input *in = &w->inputs[i];

		for (; in->next < in->n; in->next++) {
			if (!dp_is_mark(in->elements[in->next]))
				rte_pktmbuf_free(in->elements[in->next]);
		}
	}
	w->stage.ops->free(w->stage.self);
	dp_flow_table_fini(&w->flows);
	dp_usage_fini(&w->usage);
	dp_hosts_fini(&w->hosts);
	dp_ring_free(w->ring);
	free(w);
}

void dp_worker_add_input(struct dp_worker *w, struct rte_ring *ring)
{
	w->inputs[w->n_inputs++].ring = ring;
}

struct dp_ring *dp_worker_ring(struct dp_worker *w)
{
	return w->ring;
}

const struct dp_worker_counters *dp_worker_counters(const struct dp_worker *w)
{
	return &w->counters;
}

static void post_note(
	struct dp_worker *w, const struct dp_flow *f, uint64_t tick, enum dp_note_why why)
{
	struct dp_record r = {
		.tick = tick,
		.endpoint = w->usage.entries[f->usage].key.endpoint,
		.app = f->app,
		.tag = f->tag,
		.kind = DP_RECORD_NOTE,
		.evidence = f->evidence,
		.is_ambiguous = (f->flags & DP_FLOW_AMBIGUOUS) != 0,
		.worker = w->cfg.id,
		.note = {.src = f->tuple.src,
			.dst = f->tuple.dst,
			.packets = {f->packets[0], f->packets[1]},
			.bytes = {f->bytes[0], f->bytes[1]},
			.first_ns = f->first_ns,
			.last_ns = f->counted_ns,
			.risk_bits = f->risk_bits,
			.sport = f->tuple.sport,
			.dport = f->tuple.dport,
			.ndpi_master = f->ndpi_master,
			.ndpi_app = f->ndpi_app,
			.l4_proto = f->tuple.l4_proto,
			.why = (uint8_t)why,
			.is_syn_start = (f->flags & DP_FLOW_SYN_START) != 0,
			.has_ech = (f->flags & DP_FLOW_ECH) != 0},
	};

	memcpy(r.note.host, dp_hosts_name(&w->hosts, f->host), DP_HOST_MAX);
	if (!dp_ring_post(w->ring, &r))
		dp_count(&w->counters.notes_dropped, 1);
}

/* The flow's app is known: from here on it counts there, and what it counted before moves. */
static void settle(struct dp_worker *w, struct dp_flow *f, const struct dp_verdict *v,
	uint64_t tick, uint64_t time_ns)
{
	const bool is_src = (f->flags & DP_FLOW_ENDPOINT_IS_SRC) != 0;
	const struct dp_usage undecided = {
		.bytes = {f->bytes[!is_src], f->bytes[is_src]},
		.packets = {f->packets[!is_src], f->packets[is_src]},
		.first_ns = f->first_ns,
		.last_ns = f->counted_ns,
	};
	struct dp_usage_key key = w->usage.entries[f->usage].key;

	f->app = v->app;
	f->tag = v->tag;
	f->evidence = v->evidence;
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
	if (w->cfg.wants_notes)
		post_note(w, f, tick, DP_NOTE_VERDICT);
}

static void apply_verdict(struct dp_worker *w, struct dp_flow *f, const struct dp_verdict *v,
	uint64_t tick, uint64_t time_ns)
{
	f->ndpi_master = v->ndpi_master;
	f->ndpi_app = v->ndpi_app;
	f->risk_bits = v->risk_bits;
	if (v->has_ech)
		f->flags |= DP_FLOW_ECH;
	if (v->is_final)
		f->flags |= DP_FLOW_FINAL;
	if (strcmp(dp_hosts_name(&w->hosts, f->host), v->host) != 0) {
		const uint32_t before = f->host;

		f->host = dp_hosts_get(&w->hosts, v->host);
		dp_hosts_put(&w->hosts, before);
	}
	if (f->app == DP_APP_UNDECIDED && v->app != DP_APP_UNDECIDED)
		settle(w, f, v, tick, time_ns);
}

static void flow_end(struct dp_worker *w, struct dp_flow *f, uint64_t tick)
{
	if ((f->flags & (DP_FLOW_FINAL | DP_FLOW_FRAGMENTS)) == 0) {
		struct dp_stage_item item = {
			.state = &f->stage_state,
			.tuple = &f->tuple,
			.n_packets = f->n_seen,
			.time_ns = f->last_ns,
			.server_is_src = (f->flags & DP_FLOW_ENDPOINT_IS_SRC) == 0,
		};

		w->stage.ops->finish(w->stage.self, &item);
		apply_verdict(w, f, &item.verdict, tick, f->last_ns);
	} else if (f->app == DP_APP_UNDECIDED) {
		const struct dp_verdict unknown = {.app = DP_APP_UNKNOWN};

		apply_verdict(w, f, &unknown, tick, f->last_ns);
	}
	if (w->cfg.wants_notes)
		post_note(w, f, tick, DP_NOTE_END);
	dp_hosts_put(&w->hosts, f->host);
	dp_usage_put(&w->usage, f->usage);
	dp_flow_remove(&w->flows, f);
}

static enum dp_flow_life life_of(const struct dp_flow *f)
{
	const unsigned int both = DP_FLOW_FIN_SRC | DP_FLOW_FIN_DST;

	switch (f->tuple.l4_proto) {
	case IPPROTO_TCP:
		if ((f->flags & DP_FLOW_RST) != 0 || (f->flags & both) == both)
			return DP_FLOW_TCP_CLOSED;
		return DP_FLOW_TCP;
	case IPPROTO_UDP:
		return DP_FLOW_UDP;
	default:
		return DP_FLOW_OTHER;
	}
}

static bool is_syn(const struct dp_pkt *p)
{
	return (p->tcp_flags & (DP_TCP_SYN | DP_TCP_ACK)) == DP_TCP_SYN;
}

static bool is_syn_ack(const struct dp_pkt *p)
{
	return (p->tcp_flags & (DP_TCP_SYN | DP_TCP_ACK)) == (DP_TCP_SYN | DP_TCP_ACK);
}

/* Ask the classifier about the batch's items, then account its packets in order. That a packet is
 * counted after the verdict it brought, and before later ones, makes the result independent of
 * where bursts begin. */
static void batch_run(struct dp_worker *w)
{
	struct batch *b = &w->batch;
	uint64_t ip_bytes = 0;

	if (b->n == 0)
		return;
	if (b->n_items > 0)
		w->stage.ops->burst(w->stage.self, b->items, b->n_items);
	for (uint16_t i = 0; i < b->n; i++) {
		struct dp_flow *f = b->flows[i];
		const struct dp_pkt *p = pkt_of(b->mbufs[i]);
		bool is_src;

		if (b->item[i] >= 0) {
			f->flags &= (uint16_t)~DP_FLOW_IN_BATCH;
			apply_verdict(w, f, &b->items[b->item[i]].verdict, w->tick, p->time_ns);
		}
		f->bytes[b->is_reverse[i]] += p->ip_bytes;
		f->packets[b->is_reverse[i]]++;
		f->counted_ns = p->time_ns;
		// By the flow, as a verdict moves it: an endpoint that talks to itself is the sender
		// of both directions.
		is_src = (f->flags & DP_FLOW_ENDPOINT_IS_SRC) != 0;
		dp_usage_add(&w->usage, f->usage, w->tick, p->time_ns,
			is_src == (b->is_reverse[i] != 0), p->ip_bytes);
		ip_bytes += p->ip_bytes;
	}
	dp_count(&w->counters.outcomes[DP_OUTCOME_ACCOUNTED], b->n);
	dp_count(&w->counters.ip_bytes, ip_bytes);
	dp_count(&w->counters.classified_packets, b->n_items);
	rte_pktmbuf_free_bulk(b->mbufs, b->n);
	b->n = 0;
	b->n_items = 0;
}

static bool has_ports(uint8_t l4_proto)
{
	return l4_proto == IPPROTO_TCP || l4_proto == IPPROTO_UDP || l4_proto == IPPROTO_SCTP;
}

static struct dp_flow *flow_new(struct dp_worker *w, const struct dp_pkt *p, uint32_t hash)
{
	const struct dp_usage_key key = {
		.endpoint = p->endpoint, .is_ambiguous = (p->flags & DP_PKT_AMBIGUOUS) != 0};
	const uint32_t usage = dp_usage_get(&w->usage, &key);
	struct dp_five_tuple tuple = p->tuple;
	bool endpoint_is_src = (p->flags & DP_PKT_UP) != 0;

	if (usage == DP_USAGE_NONE)
		return NULL;
	if (is_syn_ack(p)) {
		tuple = (struct dp_five_tuple){.src = p->tuple.dst,
			.dst = p->tuple.src,
			.sport = p->tuple.dport,
			.dport = p->tuple.sport,
			.l4_proto = p->tuple.l4_proto};
		endpoint_is_src = !endpoint_is_src;
	}

	struct dp_flow *f = dp_flow_add(&w->flows, &tuple, hash, DP_FLOW_OTHER, p->time_ns);

	if (f == NULL) { // the one idle longest makes room
		batch_run(w);
		flow_end(w, dp_flow_oldest(&w->flows), w->tick);
		dp_count(&w->counters.flows_evicted, 1);
		f = dp_flow_add(&w->flows, &tuple, hash, DP_FLOW_OTHER, p->time_ns);
	}
	f->usage = usage;
	f->flags = (uint16_t)((endpoint_is_src ? DP_FLOW_ENDPOINT_IS_SRC : 0) |
		(key.is_ambiguous ? DP_FLOW_AMBIGUOUS : 0) | (is_syn(p) ? DP_FLOW_SYN_START : 0));
	if ((p->flags & DP_PKT_FRAGMENT) != 0 && (p->flags & DP_PKT_HAS_PORTS) == 0 &&
		has_ports(p->tuple.l4_proto))
		f->flags |= DP_FLOW_FRAGMENTS;
	f->syn_seq = p->tcp_seq;
	dp_count(&w->counters.flows, 1);
	return f;
}

/* A flow the packet cannot belong to any more: it is over, or a new handshake reuses its ports. */
static bool is_stale(const struct dp_flow *f, const struct dp_pkt *p)
{
	if (dp_flow_expiry_ns(f) <= p->time_ns)
		return true;
	return is_syn(p) &&
		(f->life == DP_FLOW_TCP_CLOSED ||
			((f->flags & DP_FLOW_SYN_START) != 0 && f->syn_seq != p->tcp_seq));
}

static struct dp_flow *flow_of(struct dp_worker *w, const struct dp_pkt *p, bool *ret_is_reverse)
{
	const uint32_t hash = dp_flow_hash(&p->tuple);
	struct dp_flow *f = dp_flow_find(&w->flows, &p->tuple, hash, ret_is_reverse);

	if (f != NULL && is_stale(f, p)) {
		// An expiry that the tick being closed owes is still that tick's.
		const bool is_owed = w->is_closing &&
			dp_flow_expiry_ns(f) <= (w->closing_mark + 1) * w->cfg.tick_ns;

		batch_run(w);
		flow_end(w, f, is_owed ? w->closing_tick : w->tick);
		f = NULL;
	}
	if (f != NULL)
		return f;
	*ret_is_reverse = is_syn_ack(p);
	return flow_new(w, p, hash);
}

static void track(struct dp_worker *w, struct dp_flow *f, const struct dp_pkt *p, bool is_reverse)
{
	if ((p->tcp_flags & DP_TCP_FIN) != 0)
		f->flags |= is_reverse ? DP_FLOW_FIN_DST : DP_FLOW_FIN_SRC;
	if ((p->tcp_flags & DP_TCP_RST) != 0)
		f->flags |= DP_FLOW_RST;
	f->n_seen++;
	dp_flow_touch(&w->flows, f, life_of(f), p->time_ns);
}

static bool wants_classifier(const struct dp_flow *f, const struct dp_pkt *p)
{
	if ((f->flags & (DP_FLOW_FINAL | DP_FLOW_FRAGMENTS)) != 0)
		return false;
	if ((p->flags & DP_PKT_FRAGMENT) != 0)
		return false; // half a datagram misleads the library
	return p->payload_bytes > 0 || !has_ports(p->tuple.l4_proto);
}

static void batch_add(struct dp_worker *w, struct rte_mbuf *m)
{
	struct batch *b = &w->batch;
	const struct dp_pkt *p = pkt_of(m);
	bool is_reverse;
	struct dp_flow *f = flow_of(w, p, &is_reverse);

	if (f == NULL) {
		dp_count(&w->counters.outcomes[DP_OUTCOME_NO_ROOM], 1);
		rte_pktmbuf_free(m);
		return;
	}
	if ((f->flags & DP_FLOW_IN_BATCH) != 0)
		batch_run(w); // its verdict decides whether this packet is wanted
	track(w, f, p, is_reverse);

	const uint16_t i = b->n++;

	b->mbufs[i] = m;
	b->flows[i] = f;
	b->is_reverse[i] = is_reverse;
	b->item[i] = -1;
	if (!wants_classifier(f, p))
		return;
	b->item[i] = (int16_t)b->n_items;
	b->items[b->n_items++] = (struct dp_stage_item){
		.state = &f->stage_state,
		.tuple = &f->tuple,
		.l3 = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->l3_off),
		.l3_len = p->l3_len,
		.n_packets = f->n_seen,
		.time_ns = p->time_ns,
		.server_is_src = (f->flags & DP_FLOW_ENDPOINT_IS_SRC) == 0,
	};
	f->flags |= DP_FLOW_IN_BATCH;
}

/* A packet comes in. Receivers stamp on their own and rings delay differently, so that a packet may
 * be older than one of another input before it; all behind here counts on one order of time. */
static void take_packet(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_pkt *p = rte_mbuf_to_priv(m);

	if (p->time_ns < w->now_ns)
		p->time_ns = w->now_ns;
	w->now_ns = p->time_ns;

	const uint64_t tick = p->time_ns / w->cfg.tick_ns;

	if (tick != w->tick) { // the first of its tick: marks came before it
		batch_run(w);
		w->tick = tick;
		w->usage.dirty[w->usage.open].tick = tick;
	}
	batch_add(w, m);
}

/* Take what the input has up to its next mark. */
static bool poll_input(struct dp_worker *w, struct input *in)
{
	if (in->is_held)
		return false;
	if (in->next == in->n) {
		in->n = (uint16_t)rte_ring_sc_dequeue_burst(in->ring, in->elements, DP_BURST, NULL);
		in->next = 0;
	}
	if (in->n == 0)
		return false;
	while (in->next < in->n) {
		void *element = in->elements[in->next++];

		if (dp_is_mark(element)) {
			in->mark = dp_mark_tick(element);
			in->is_held = true;
			break;
		}
		take_packet(w, element);
	}
	batch_run(w);
	return true;
}

/* Every input stands at a mark: the open tick is over. */
static void begin_close(struct dp_worker *w)
{
	uint64_t mark = UINT64_MAX;

	for (uint16_t i = 0; i < w->n_inputs; i++) {
		if (!w->inputs[i].is_held)
			return;
		if (w->inputs[i].mark < mark)
			mark = w->inputs[i].mark;
	}
	for (uint16_t i = 0; i < w->n_inputs; i++) {
		if (w->inputs[i].mark == mark)
			w->inputs[i].is_held = false;
	}
	w->is_closing = true;
	w->closing_tick = w->tick;
	w->closing_mark = mark;
	w->tick = mark + 1;
	dp_usage_close_tick(&w->usage, w->tick);
}

/* Say that ticks are complete. When the ring is full that waits, and packets do not: the next tick
 * may close in the meantime, and its end speaks for both. */
static void post_end(struct dp_worker *w)
{
	const struct dp_record end = {.kind = DP_RECORD_TICK_END,
		.tick = w->ended_tick,
		.worker = w->cfg.id,
		.end = {.n_ticks = w->n_ticks}};

	w->owes_end = !dp_ring_post(w->ring, &end);
}

/* One slice of the close: expire, then report, then say that the tick is complete. */
static void close_slice(struct dp_worker *w)
{
	const uint64_t end_ns = (w->closing_mark + 1) * w->cfg.tick_ns;
	unsigned int n = CLOSE_SLICE;

	for (; n > 0; n--) {
		struct dp_flow *f = dp_flow_expired(&w->flows, end_ns);

		if (f == NULL)
			break;
		flow_end(w, f, w->closing_tick);
	}
	if (n == 0 || !dp_usage_flush(&w->usage, n))
		return;
	w->is_closing = false;
	w->ended_tick = w->closing_mark;
	w->n_ticks++;
	post_end(w);
	atomic_store_explicit(&w->counters.postponed, w->usage.n_postponed, memory_order_relaxed);
	atomic_store_explicit(&w->counters.names_refused, w->hosts.n_refused, memory_order_relaxed);
}

bool dp_worker_poll(struct dp_worker *w)
{
	bool is_busy = w->is_closing;

	for (uint16_t i = 0; i < w->n_inputs; i++)
		is_busy |= poll_input(w, &w->inputs[i]);
	if (w->owes_end)
		post_end(w);
	if (!w->is_closing)
		begin_close(w);
	if (w->is_closing)
		close_slice(w);
	return is_busy;
}

void dp_worker_run(struct dp_worker *w, const atomic_bool *stop)
{
	while (!atomic_load_explicit(stop, memory_order_relaxed)) {
		const uint64_t begin = rte_rdtsc();

		// Release: what the round before read is read. The fence meets that of
		// dp_path_grace_begin(): either control sees this round begun, or this round sees
		// the pointer that control put out before.
		atomic_store_explicit(&w->counters.rounds, dp_counter_get(&w->counters.rounds) + 1,
			memory_order_release);
		atomic_thread_fence(memory_order_seq_cst);
		if (dp_worker_poll(w)) {
			dp_count(&w->counters.busy_tsc, rte_rdtsc() - begin);
			continue;
		}
		if (w->cfg.yields)
			(void)sched_yield();
		else
			rte_pause();
	}
}
