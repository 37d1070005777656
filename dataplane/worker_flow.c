// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/worker_state.h"

#include <netinet/in.h>

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
			.has_ech = (f->flags & DP_FLOW_ECH) != 0,
			.effort = f->effort},
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

	key.app = v->app;
	key.tag = v->tag;
	key.evidence = v->evidence;

	const uint32_t id = dp_usage_get(&w->usage, &key);

	if (id == DP_USAGE_NONE)
		return; // stays undecided: never somebody else's
	f->app = v->app;
	f->tag = v->tag;
	f->evidence = v->evidence;
	dp_usage_move(&w->usage, id, tick, &undecided);
	dp_usage_add_flow(&w->usage, id, tick, time_ns);
	dp_usage_put(&w->usage, f->usage);
	f->usage = id;
	if (w->cfg.wants_notes)
		post_note(w, f, tick, DP_NOTE_VERDICT);
}

void dp_worker_flow_verdict(struct dp_worker *w, struct dp_flow *f, const struct dp_verdict *v,
	uint64_t tick, uint64_t time_ns)
{
	f->ndpi_master = v->ndpi_master;
	f->ndpi_app = v->ndpi_app;
	f->risk_bits = v->risk_bits;
	f->effort = v->effort;
	if (v->is_cut)
		dp_count(&w->counters.verdicts_cut, 1);
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

/* Both sides of a TCP connection send. Where only one is seen the mirror delivers only that one, or
 * the other goes another way. Fragments without ports are nobody's connection. */
static void count_ways(struct dp_worker *w, const struct dp_flow *f)
{
	const bool is_src = (f->flags & DP_FLOW_ENDPOINT_IS_SRC) != 0;

	if (f->tuple.l4_proto != IPPROTO_TCP || (f->flags & DP_FLOW_TALKED) == 0 ||
		(f->flags & DP_FLOW_FRAGMENTS) != 0 ||
		f->packets[0] + f->packets[1] < DP_ONE_WAY_PACKETS)
		return;
	dp_count(&w->counters.tcp_ended, 1);
	if (f->packets[is_src] == 0)
		dp_count(&w->counters.tcp_one_way[0], 1);
	else if (f->packets[!is_src] == 0)
		dp_count(&w->counters.tcp_one_way[1], 1);
}

void dp_worker_flow_end(struct dp_worker *w, struct dp_flow *f, uint64_t tick)
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
		dp_worker_flow_verdict(w, f, &item.verdict, tick, f->last_ns);
	} else if (f->app == DP_APP_UNDECIDED) {
		const struct dp_verdict unknown = {.app = DP_APP_UNKNOWN};

		dp_worker_flow_verdict(w, f, &unknown, tick, f->last_ns);
	}
	count_ways(w, f);
	if (w->cfg.wants_notes)
		post_note(w, f, tick, DP_NOTE_END);
	dp_hosts_put(&w->hosts, f->host);
	dp_usage_put(&w->usage, f->usage);
	dp_flow_remove(&w->flows, f);
}
