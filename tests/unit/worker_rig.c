// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/worker_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/eal.h"

#include <netinet/in.h>
#include <rte_mbuf.h>
#include <stdlib.h>

enum { N_MBUFS = 16383, QUEUE_LEN = 8192, ROOM = 256 };

static struct rte_mempool *pool;
static struct dp_endpoint_nets nets;
static unsigned int n_rigs; // names of rings are unique

int rig_start(void **)
{
	struct dp_err err = {0};

	if (dp_eal_start(&(struct dp_eal_config){.pool_bytes = 24 << 20}, &err) < 0) {
		print_error("%s\n", err.text);
		return -1;
	}
	dp_endpoint_nets_default(&nets);
	pool = rte_pktmbuf_pool_create("frames", N_MBUFS, 0,
		RTE_ALIGN_CEIL(sizeof(struct dp_pkt), RTE_MBUF_PRIV_ALIGN),
		RTE_PKTMBUF_HEADROOM + ROOM, SOCKET_ID_ANY);
	return pool != NULL ? 0 : -1;
}

int rig_stop(void **)
{
	rte_mempool_free(pool);
	dp_eal_stop();
	return 0;
}

static struct dp_addr ipv4(uint32_t host_order)
{
	const uint8_t be[4] = {(uint8_t)(host_order >> 24), (uint8_t)(host_order >> 16),
		(uint8_t)(host_order >> 8), (uint8_t)host_order};

	return dp_addr_from_v4(be);
}

static const uint32_t CLIENTS = 0x0a000000, SERVER = 0xcb007109; // 10.0.0.0, 203.0.113.9

/* --- the stage ------------------------------------------------------------------------------- */

struct flow_state {
	uint32_t n_given;
	uint32_t n_packets;
	uint32_t world; // of its verdict
};

static uint16_t server_port(const struct dp_stage_item *item)
{
	return item->server_is_src ? item->tuple->sport : item->tuple->dport;
}

static struct dp_verdict verdict_after(uint16_t port, uint32_t n_given, bool is_last_word)
{
	struct dp_verdict v = {.evidence = DP_EVIDENCE_SNI, .is_final = is_last_word};

	switch (port) {
	case RIG_AT_FIRST:
		v.app = 10;
		v.is_final = true;
		break;
	case RIG_AT_THIRD:
		v.app = is_last_word || n_given >= 3 ? 11 : DP_APP_UNDECIDED;
		v.is_final |= n_given >= 3;
		break;
	case RIG_REFINED:
		v.app = 12;
		v.is_final |= n_given >= 3;
		(void)snprintf(v.host, sizeof(v.host), "%s.example", n_given >= 3 ? "b" : "a");
		break;
	case RIG_WATCHED:
	case RIG_WATCHED_STATE:
	case RIG_WATCHED_TWICE:
		v.app = 14;
		v.is_final = true;
		v.is_watched = true;
		break;
	case RIG_CUT:
	case RIG_CUT_FIRST:
		v.app = n_given >= 2 ? 16 : port == RIG_CUT ? 15 : DP_APP_UNDECIDED;
		v.is_final = v.is_cut = n_given >= 2;
		v.basis = n_given >= 2 ? 0x80 : 1;
		(void)snprintf(
			v.host, sizeof(v.host), "%s", n_given >= 2 ? "nonsense" : "a.example");
		break;
	case RIG_UNKNOWN_AT_THIRD:
		v.app = is_last_word || n_given >= 3 ? DP_APP_UNKNOWN : DP_APP_UNDECIDED;
		v.is_final |= n_given >= 3;
		v.ndpi_master = 91;
		v.ndpi_app = 5;
		break;
	case RIG_NEVER:
		v.app = is_last_word ? 13 : DP_APP_UNDECIDED;
		break;
	default:
		v.app = is_last_word ? DP_APP_UNKNOWN : DP_APP_UNDECIDED;
		break;
	}
	if (v.app == DP_APP_UNDECIDED || v.app == DP_APP_UNKNOWN)
		v.evidence = DP_EVIDENCE_NONE;
	return v;
}

/* Each app of the rig has another number in each world. */
static uint32_t app_in(const struct rig *r, uint32_t app)
{
	return app < DP_APP_FIRST ? app : app % 100 + 100 * r->world_in_force;
}

static struct dp_verdict verdict_in(
	const struct rig *r, uint16_t port, uint32_t n_given, bool is_last_word)
{
	struct dp_verdict v = verdict_after(port, n_given, is_last_word);

	v.app = app_in(r, v.app);
	return v;
}

static bool stage_renew(void *self)
{
	struct rig *r = self;

	if (r->world == r->world_in_force)
		return false;
	r->world_in_force = r->world;
	return true;
}

static void drop_state(struct rig *r, struct dp_stage_item *item)
{
	if (*item->state == NULL)
		return;
	free(*item->state);
	*item->state = NULL;
	r->n_states--;
}

/* The flow's state, taken if need be. */
static struct flow_state *hold_state(struct rig *r, struct dp_stage_item *item)
{
	if (*item->state == NULL) {
		*item->state = calloc(1, sizeof(struct flow_state));
		assert_non_null(*item->state);
		r->n_states++;
	}
	return *item->state;
}

static void remember(struct rig *r, const struct dp_stage_item *item)
{
	assert_non_null(item->l3);
	r->last = *item;
	r->last_endpoint = *item->endpoint;
}

static void stage_look(void *self, struct dp_stage_item *item)
{
	struct rig *r = self;
	struct flow_state *s = hold_state(r, item);

	remember(r, item);
	assert_false(item->is_watched);
	assert_true(item->n_packets > s->n_packets);
	s->n_packets = item->n_packets;
	s->n_given++;
	r->n_given++;
	item->verdict = verdict_in(r, server_port(item), s->n_given, false);
	item->verdict.is_renewed = s->world != r->world_in_force && s->n_given > 1 &&
		!item->verdict.is_cut; // a state that is gone knows no other world
	s->world = r->world_in_force;
	if (item->verdict.is_final && server_port(item) != RIG_WATCHED_STATE)
		drop_state(r, item);
}

/* What an overhearing or the end of a watched flow says is nothing. */
static const struct dp_verdict nonsense = {
	.app = 99, .is_final = true, .effort = 77, .is_cut = true, .host = "nonsense.example"};

static void stage_overhear(void *self, struct dp_stage_item *item)
{
	struct rig *r = self;

	remember(r, item);
	assert_true(item->is_watched);
	r->n_overheard++;
	item->verdict = nonsense;
	switch (server_port(item)) {
	case RIG_WATCHED:
		assert_null(*item->state);
		break;
	case RIG_WATCHED_STATE:
		assert_non_null(*item->state);
		break;
	case RIG_WATCHED_TWICE:
		item->is_watched = *item->state == NULL;
		if (item->is_watched)
			(void)hold_state(r, item);
		else
			drop_state(r, item);
		break;
	default:
		fail_msg("nobody watches %u", server_port(item));
	}
}

static void stage_finish(void *self, struct dp_stage_item *item)
{
	assert_null(item->l3);
	assert_non_null(item->endpoint);
	if (item->is_watched)
		assert_non_null(*item->state);
	if (item->is_watched) {
		item->verdict = nonsense;
	} else {
		item->verdict = verdict_in(self, server_port(item), 0, true);
		item->verdict.is_renewed = true;
	}
	drop_state(self, item);
}

static void stage_free(void *)
{
}

static void stage_resolve(void *self, struct dp_known *known)
{
	struct rig *r = self;
	const struct dp_addr server = ipv4(SERVER);

	assert_memory_equal(known->server, &server, sizeof(server));
	assert_true(known->app != DP_APP_UNDECIDED);
	assert_string_equal(known->said->host,
		known->app % 100 == 12		 ? "b.example"
			: known->app % 100 >= 15 ? "a.example"
						 : "");
	assert_true(known->server_port >= RIG_AT_FIRST || known->server_port == 0);
	known->app = app_in(r, known->app);
	r->n_resolved++;
}

/* --- the rig --------------------------------------------------------------------------------- */

struct rig *rig_new(struct dp_worker_config config, unsigned int n_inputs, unsigned int burst)
{
	static const struct dp_stage_ops ops = {.renew = stage_renew,
		.resolve = stage_resolve,
		.look = stage_look,
		.overhear = stage_overhear,
		.finish = stage_finish,
		.free = stage_free};
	struct rig *r = calloc(1, sizeof(*r));
	struct dp_err err = {0};

	assert_non_null(r);
	r->burst = burst;
	r->n_mbufs = rte_mempool_avail_count(pool);
	config.tick_ns = config.tick_ns > 0 ? config.tick_ns : RIG_S;
	config.n_flows = config.n_flows > 0 ? config.n_flows : 4096;
	config.n_said = config.n_said > 0 ? config.n_said : 64;
	config.n_entries = config.n_entries > 0 ? config.n_entries : 2 * config.n_flows;
	config.n_endpoints = config.n_endpoints > 0 ? config.n_endpoints : config.n_entries;
	config.n_records = config.n_records > 0 ? config.n_records : 32768;
	config.notes = config.notes == DP_NOTES_NONE ? DP_NOTES_ALL : config.notes;
	if (dp_worker_new(&config, (struct dp_stage){&ops, r}, &r->worker, &err) < 0)
		fail_msg("%s", err.text);
	for (; r->n_inputs < n_inputs; r->n_inputs++) {
		char name[RTE_RING_NAMESIZE];

		(void)snprintf(name, sizeof(name), "in_%u", n_rigs++);
		r->inputs[r->n_inputs] = rte_ring_create(
			name, QUEUE_LEN, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
		assert_non_null(r->inputs[r->n_inputs]);
		r->tick[r->n_inputs] = UINT64_MAX;
		dp_worker_add_input(r->worker, r->inputs[r->n_inputs]);
	}
	return r;
}

void rig_free(struct rig *r)
{
	dp_worker_free(r->worker);
	for (unsigned int i = 0; i < r->n_inputs; i++) {
		void *element;

		while (rte_ring_sc_dequeue(r->inputs[i], &element) == 0) {
			if (!dp_is_mark(element))
				rte_pktmbuf_free(element);
		}
		rte_ring_free(r->inputs[i]);
	}
	assert_int_equal(rte_mempool_avail_count(pool), r->n_mbufs);
	assert_int_equal(r->n_states, 0);
	free(r->records);
	free(r);
}

static void describe(struct dp_pkt *p, const struct rig_packet *s)
{
	const struct dp_addr client = ipv4(CLIENTS + s->client), server = ipv4(SERVER);
	const uint16_t cport = s->is_fragment ? 0 : s->sport;
	const uint16_t sport = s->is_fragment ? 0 : s->server_port;
	const uint8_t flags = (uint8_t)((s->is_down ? 0 : DP_PKT_UP) |
		(s->is_fragment ? DP_PKT_FRAGMENT : DP_PKT_HAS_PORTS));

	*p = (struct dp_pkt){
		.tuple = {.src = s->is_down ? server : client,
			.dst = s->is_down ? client : server,
			.sport = s->is_down ? sport : cport,
			.dport = s->is_down ? cport : sport,
			.l4_proto = s->l4_proto},
		.tcp_flags = s->tcp_flags,
		.endpoint = client,
		.time_ns = s->ms * 1000000,
		.wire_bytes = s->ip_bytes + 14,
		.hash = dp_endpoint_hash(&client),
		.n_frames = s->n_frames > 0 ? s->n_frames : 1,
		.n_packets = s->n_packets > 0 ? s->n_packets : 1,
		.ip_bytes = s->ip_bytes,
		.l3_len = s->is_credit ? 0 : RTE_MIN(s->ip_bytes, (uint32_t)ROOM),
		.payload_bytes = s->is_empty ? 0 : s->ip_bytes - 20,
		.tcp_seq = s->seq,
		.tcp_ack = s->ack,
		.tcp_window = s->window,
		.flags = flags,
	};
}

/* An IPv4 header and what tells packets apart; no library looks inside. */
static void write_bytes(struct rte_mbuf *m, const struct rig_packet *s)
{
	const struct dp_pkt *p = rte_mbuf_to_priv(m);
	uint8_t *l3 = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)p->l3_len);
	const uint32_t words[] = {s->client, s->sport, s->server_port, s->l4_proto, s->tcp_flags,
		s->seq, s->is_down, s->is_empty, s->ip_bytes};

	assert_non_null(l3);
	memset(l3, 0, p->l3_len);
	if (p->l3_len < 20)
		return;
	l3[0] = 0x45;
	memcpy(l3 + 4, &s->id, sizeof(s->id));
	l3[8] = s->ttl;
	memcpy(l3 + 20, words, RTE_MIN(sizeof(words), p->l3_len - 20));
}

void rig_mark(struct rig *r, unsigned int i, uint64_t tick)
{
	assert_int_equal(rte_ring_sp_enqueue(r->inputs[i], dp_mark_make(tick)), 0);
	r->tick[i] = tick + 1;
}

void rig_send(struct rig *r, unsigned int i, struct rig_packet packet)
{
	const uint64_t tick = packet.ms / 1000;
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	assert_non_null(m);
	packet.l4_proto = packet.l4_proto > 0 ? packet.l4_proto : IPPROTO_TCP;
	describe(rte_mbuf_to_priv(m), &packet);
	write_bytes(m, &packet);
	if (r->tick[i] == UINT64_MAX)
		r->tick[i] = tick;
	if (tick > r->tick[i])
		rig_mark(r, i, tick - 1);
	r->tick[i] = tick;
	assert_int_equal(rte_ring_sp_enqueue(r->inputs[i], m), 0);
	r->bytes_in += packet.ip_bytes;
	if (++r->n_waiting >= r->burst) {
		rig_run(r);
		r->n_waiting = 0;
	}
}

void rig_poll(struct rig *r)
{
	(void)dp_worker_poll(r->worker);
}

void rig_take(struct rig *r)
{
	struct dp_record taken[64] = {0}; // records are compared whole, and not all of one is taken
	uint32_t n;

	while ((n = dp_ring_take(dp_worker_ring(r->worker), taken, 64)) > 0) {
		if (r->n_records + n > r->n_room) {
			r->n_room = 2 * r->n_room + 64;
			r->records = realloc(r->records, r->n_room * sizeof(*r->records));
			assert_non_null(r->records);
		}
		memcpy(r->records + r->n_records, taken, n * sizeof(*taken));
		r->n_records += n;
		memset(taken, 0, sizeof(taken));
	}
}

void rig_run(struct rig *r)
{
	while (dp_worker_poll(r->worker))
		rig_take(r);
	rig_take(r);
}

void rig_finish(struct rig *r)
{
	for (unsigned int i = 0; i < r->n_inputs; i++)
		rig_mark(r, i, (r->tick[i] == UINT64_MAX ? 0 : r->tick[i]) + 600);
	rig_run(r);
}

/* --- what came out --------------------------------------------------------------------------- */

struct dp_usage rig_sum(
	const struct rig *r, enum dp_record_kind kind, uint32_t app, uint32_t client)
{
	const struct dp_addr endpoint = ipv4(CLIENTS + client);
	struct dp_usage sum = {.first_ns = UINT64_MAX};

	for (size_t i = 0; i < r->n_records; i++) {
		const struct dp_record *x = &r->records[i];

		if (x->kind != kind || (app != UINT32_MAX && x->app != app) ||
			(client != 0 && dp_addr_cmp(&x->endpoint, &endpoint) != 0))
			continue;
		for (int dir = 0; dir < 2; dir++) {
			sum.bytes[dir] += x->usage.bytes[dir];
			sum.packets[dir] += x->usage.packets[dir];
		}
		sum.n_new_flows += x->usage.n_new_flows;
		sum.active_ms += x->usage.active_ms;
		sum.first_ns = RTE_MIN(sum.first_ns, x->usage.first_ns);
		sum.last_ns = RTE_MAX(sum.last_ns, x->usage.last_ns);
	}
	return sum;
}

const struct dp_record *rig_note(const struct rig *r, enum dp_note_why why, size_t n)
{
	for (size_t i = 0; i < r->n_records; i++) {
		const struct dp_record *x = &r->records[i];

		if (x->kind == DP_RECORD_NOTE && x->note.why == why && n-- == 0)
			return x;
	}
	return NULL;
}

bool rig_has_closed(const struct rig *r, uint64_t tick)
{
	for (size_t i = 0; i < r->n_records; i++) {
		if (r->records[i].kind == DP_RECORD_TICK_END && r->records[i].tick == tick)
			return true;
	}
	return false;
}
