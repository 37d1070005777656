// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/hints.h"
#include "classifier/ndpi.h"
#include "classifier/overhear.h"
#include "classifier/pool.h"
#include "classifier/resolve.h"
#include "dataplane/budget.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	POOL_MAX = 65536, // flows in dissection per worker: 71 MB of states; start value
	HINTS_MAX = 1 << 19, // addresses that were looked up, per worker: 39 MB; start value
};

struct stage {
	struct cls_library *lib;
	struct cls_names *names;
	struct cls_pool *pool;
	struct cls_hints *hints;
	struct cls_overhear *overhear;
	const struct cls_catalogue *catalogue; // of this round
	uint32_t n_catalogues; // that were in force before it
	_Atomic(const struct cls_catalogue *) next_catalogue; // written by control
};

/* After so many packets the library is asked for its last word. It looks at 32 by itself. */
static bool has_enough(const struct dp_stage_item *item)
{
	switch (item->tuple->l4_proto) {
	case IPPROTO_UDP:
		return item->n_packets > DP_BUDGET_UDP;
	case IPPROTO_TCP:
		return item->n_packets > DP_BUDGET_TCP;
	default:
		return false;
	}
}

/* --- the name --------------------------------------------------------------------------------- */

static uint16_t master_of(const struct cls_state *state, const struct dp_stage_item *item)
{
	switch (state->named) {
	case DP_EVIDENCE_QUIC:
		return NDPI_PROTOCOL_QUIC;
	case DP_EVIDENCE_HTTP:
		return NDPI_PROTOCOL_HTTP;
	default:
		return item->tuple->l4_proto == IPPROTO_UDP ? NDPI_PROTOCOL_DTLS
							    : NDPI_PROTOCOL_TLS;
	}
}

static void take_name(struct cls_state *state, enum cls_name_step step, const struct cls_name *name,
	enum dp_evidence evidence)
{
	state->name_step = step;
	if (step != CLS_NAME_FOUND)
		return;
	state->verdict.has_ech |= name->has_ech;
	state->verdict.has_hello |= evidence != DP_EVIDENCE_HTTP;
	if (name->host[0] == '\0')
		return;
	state->named = (uint8_t)evidence;
	cls_verdict_name(&state->verdict, name->host);
}

static void look_for_name(
	struct stage *s, struct cls_state *state, const struct dp_stage_item *item)
{
	struct cls_name name;
	enum dp_evidence evidence;

	if (state->name_step != CLS_NAME_MORE)
		return;

	const enum cls_name_step step = cls_names_look(
		s->names, &state->names, item, &name, &evidence);

	take_name(state, step, &name, evidence);
}

static void end_search(struct stage *s, struct cls_state *state)
{
	struct cls_name name;
	enum dp_evidence evidence;

	if (state->name_step != CLS_NAME_MORE)
		return;

	const enum cls_name_step step = cls_names_last(s->names, &state->names, &name, &evidence);

	take_name(state, step, &name, evidence);
}

/* --- the verdict ------------------------------------------------------------------------------ */

/* Echoes, and errors of other flows: nobody uses an app by them. */
static bool is_icmp(const struct dp_five_tuple *t)
{
	return t->l4_proto == IPPROTO_ICMP || t->l4_proto == IPPROTO_ICMPV6;
}

/* What the server's address was looked up as when the flow had its last packet with payload. A flow is judged at the latest when
 * it is forgotten, long after that: what was looked up until then tells nothing of it. */
static const char *hint_of(
	const struct stage *s, struct cls_state *state, const struct dp_stage_item *item)
{
	const struct dp_five_tuple *t = item->tuple;
	const char *host;

	if (is_icmp(t))
		return NULL;
	if (item->l3 != NULL) {
		host = cls_hints_get(s->hints, item->endpoint,
			item->server_is_src ? &t->src : &t->dst, item->time_ns);
		if (host != NULL)
			memcpy(state->hint, host, strlen(host) + 1);
		else
			state->hint[0] = '\0';
	}
	return state->hint[0] != '\0' ? state->hint : NULL;
}

/* The library's word after the last update, our name in it. */
static ndpi_protocol said_of(const struct cls_state *state)
{
	return (ndpi_protocol){.master_protocol = state->verdict.ndpi_master,
		.app_protocol = state->verdict.ndpi_app};
}

/* Whether the library's table has the name that we found; *ret_protocol is its word then, whatever it took the packets
 * for. It is asked once. */
static bool is_name_known(struct stage *s, struct cls_state *state,
	const struct dp_stage_item *item, ndpi_protocol *ret_protocol)
{
	if (!state->is_name_told)
		state->is_name_known = cls_library_knows(
			s->lib, &state->flow, master_of(state, item), state->verdict.host);
	state->is_name_told = true;
	if (state->is_name_known)
		*ret_protocol = (ndpi_protocol){
			.master_protocol = state->flow.detected_protocol_stack[1],
			.app_protocol = state->flow.detected_protocol_stack[0]};
	return state->is_name_known;
}

/* A name in a hello that the library's table has, before it looked at anything: it would decrypt and read the hello
 * once more, and say this. */
static bool is_spared(struct stage *s, struct cls_state *state, const struct dp_stage_item *item,
	ndpi_protocol *ret_protocol)
{
	return (state->named == DP_EVIDENCE_SNI || state->named == DP_EVIDENCE_QUIC) &&
		state->verdict.effort == 0 && !state->is_name_told &&
		is_name_known(s, state, item, ret_protocol);
}

/* What else may decide, where the name does not by the catalogue. */
static void look_further(struct stage *s, struct cls_state *state, const struct dp_stage_item *item,
	struct cls_view *view)
{
	const char *host = state->verdict.host[0] != '\0' ? state->verdict.host
							  : state->flow.host_server_name;

	if (cls_overhear_wants(item->tuple, item->server_is_src))
		return; // what a look-up asks for is no name of its own

	const bool is_listed = cls_match_host(s->catalogue, host, strlen(host)).app !=
		DP_APP_UNKNOWN;

	if (!is_listed)
		view->is_alike = cls_library_is_alike(s->lib, &view->proto, host);
	if (!is_listed || state->verdict.has_ech)
		view->hint = hint_of(s, state, item);
}

/* What did not matter to the flow's app, as its name was listed, and may when it is judged by another catalogue. */
static void look_back(struct stage *s, struct cls_state *state, const struct dp_stage_item *item,
	struct cls_view *view)
{
	const char *host = state->verdict.host;

	if (cls_overhear_wants(item->tuple, item->server_is_src))
		return;
	view->is_alike = host[0] != '\0' && cls_library_is_alike(s->lib, &view->proto, host);
	view->hint = state->hint[0] != '\0' ? state->hint : NULL;
}

/* What is known by now, where the library thinks *p. */
static struct cls_view view_of(struct stage *s, struct cls_state *state,
	const struct dp_stage_item *item, const ndpi_protocol *p)
{
	struct cls_view view = {.flow = &state->flow,
		.proto = *p,
		.named = state->named,
		.is_name_open = state->name_step == CLS_NAME_MORE};

	// The library saw no name: what would it have said?
	if (state->named != DP_EVIDENCE_NONE && state->flow.host_server_name[0] == '\0')
		(void)is_name_known(s, state, item, &view.proto);
	if (state->named != DP_EVIDENCE_NONE && view.proto.app_protocol == NDPI_PROTOCOL_UNKNOWN)
		view.proto.app_protocol = master_of(state, item);
	view.is_guess = !state->is_name_known &&
		cls_library_is_guess(s->lib, &state->flow, &view.proto);
	if (state->verdict.app == DP_APP_UNDECIDED)
		look_further(s, state, item, &view);
	return view;
}

static void update(struct stage *s, struct cls_state *state, const struct dp_stage_item *item,
	const ndpi_protocol *p)
{
	const struct cls_view view = view_of(s, state, item, p);

	cls_verdict_update(&state->verdict, s->catalogue, &view);
}

/* Nothing more comes, or nothing more is wanted. */
static void judge(struct stage *s, struct dp_stage_item *item, struct cls_state *state,
	const ndpi_protocol *seen)
{
	end_search(s, state);

	const ndpi_protocol p = cls_library_last_word(s->lib, &state->flow, *seen);

	update(s, state, item, &p);

	const ndpi_protocol said = said_of(state);
	struct cls_view view = view_of(s, state, item, &said);

	if (state->verdict.app != DP_APP_UNDECIDED)
		look_back(s, state, item, &view);
	cls_verdict_end(&state->verdict, s->catalogue, item, &view);
	state->verdict.is_watched = cls_overhear_wants(item->tuple, item->server_is_src);
	item->verdict = state->verdict;
	*item->state = state->waiting;
	state->waiting = NULL;
	cls_pool_give(s->pool, state);
}

/* What a round reads of a catalogue it reads of this one: control frees the one before when every worker has
 * begun a round behind the swap. */
static bool stage_renew(void *stage)
{
	struct stage *s = stage;
	const struct cls_catalogue *next = atomic_load_explicit(
		&s->next_catalogue, memory_order_acquire);

	if (next == s->catalogue)
		return false;
	s->catalogue = next;
	s->n_catalogues++;
	return true;
}

void cls_stage_set_catalogue(struct dp_stage *stage, const struct cls_catalogue *catalogue)
{
	struct stage *s = stage->self;

	atomic_store_explicit(&s->next_catalogue, catalogue, memory_order_release);
}

/* Headers as the flow's first packet had them: enough for the library to guess by address and port
 * where no payload ever came. Returns its length. */
static uint16_t headers_of(const struct dp_five_tuple *t, uint8_t buf[64])
{
	const bool is_v4 = dp_addr_is_v4(&t->src);
	const uint16_t l4_off = is_v4 ? 20 : 40;
	const uint16_t l4_len = t->l4_proto == IPPROTO_TCP ? 20 : 8;
	uint8_t *l4 = buf + l4_off;

	memset(buf, 0, 64);
	if (is_v4) { // RFC 791 3.1
		buf[0] = 0x45;
		buf[3] = (uint8_t)(l4_off + l4_len);
		buf[8] = 64;
		buf[9] = t->l4_proto;
		memcpy(buf + 12, t->src.b + 12, 4);
		memcpy(buf + 16, t->dst.b + 12, 4);
	} else { // RFC 8200 3
		buf[0] = 0x60;
		buf[5] = (uint8_t)l4_len;
		buf[6] = t->l4_proto;
		buf[7] = 64;
		memcpy(buf + 8, t->src.b, 16);
		memcpy(buf + 24, t->dst.b, 16);
	}
	l4[0] = (uint8_t)(t->sport >> 8);
	l4[1] = (uint8_t)t->sport;
	l4[2] = (uint8_t)(t->dport >> 8);
	l4[3] = (uint8_t)t->dport;
	if (t->l4_proto == IPPROTO_TCP) { // RFC 9293 3.1
		l4[12] = 0x50;
		l4[13] = 0x02; // SYN
	} else {
		l4[5] = (uint8_t)l4_len; // RFC 768, Length
	}
	return (uint16_t)(l4_off + l4_len);
}

/* The library never took a packet: it is shown the headers, so that it can still guess. */
static ndpi_protocol look_at_headers(
	struct stage *s, struct cls_state *state, const struct dp_stage_item *item)
{
	uint8_t buf[64];
	const uint16_t len = headers_of(item->tuple, buf);

	return cls_library_look(s->lib, &state->flow, buf, len, item->time_ns);
}

/* The state was taken away. What can be said without one; what was said of name and protocols stands. */
static void judge_without(struct stage *s, struct dp_stage_item *item)
{
	struct cls_state *scratch = cls_pool_scratch(s->pool);
	ndpi_protocol p;

	*item->state = NULL;
	scratch->name_step = CLS_NAME_NONE;
	p = look_at_headers(s, scratch, item);
	scratch->verdict.is_cut = true;
	judge(s, item, scratch, &p);
	item->verdict.basis = CLS_BASIS_PAST; // what it rests on is not remembered
}

/* Another catalogue is in force than at the flow's last packet: what the one before decided counts no more, and the
 * flow is judged by what is known of it now and what comes. The worker leaves its app as it is until then. */
static void reconsider(const struct stage *s, struct cls_state *state)
{
	struct dp_verdict *v = &state->verdict;

	if (state->catalogue == s->n_catalogues)
		return;
	state->catalogue = s->n_catalogues;
	if (v->app == DP_APP_UNDECIDED)
		return;
	v->app = DP_APP_UNDECIDED;
	v->tag = DP_TAG_NONE;
	v->evidence = DP_EVIDENCE_NONE;
	v->is_renewed = true;
	if ((v->basis & CLS_BASIS_LOOKED_UP) != 0)
		v->host[0] = '\0';
	v->alias[0] = '\0';
	v->basis &= (uint8_t) ~(CLS_BASIS_LOOKED_UP | CLS_BASIS_CERTIFICATE | CLS_BASIS_PAST);
}

static ndpi_protocol look_at_packet(
	struct stage *s, struct cls_state *state, const struct dp_stage_item *item)
{
	if (state->is_library_done)
		return said_of(state);
	if (state->verdict.effort < UINT8_MAX)
		state->verdict.effort++;
	return cls_library_look(s->lib, &state->flow, item->l3, item->l3_len, item->time_ns);
}

static void dissect(struct stage *s, struct dp_stage_item *item)
{
	struct cls_state *state = *item->state != NULL ? cls_pool_find(s->pool, *item->state)
						       : cls_pool_scratch(s->pool);
	ndpi_protocol p;

	if (state == NULL) {
		judge_without(s, item);
		return;
	}
	reconsider(s, state);
	if (cls_overhear_wants(item->tuple, item->server_is_src))
		cls_overhear(s->overhear, item, &state->waiting);
	look_for_name(s, state, item);
	if (is_spared(s, state, item, &p))
		state->is_library_done = true;
	else
		p = look_at_packet(s, state, item);
	update(s, state, item, &p);

	const ndpi_protocol said = said_of(state);

	state->is_library_done |= cls_library_is_done(
		s->lib, &state->flow, said, state->verdict.app != DP_APP_UNDECIDED);
	if ((has_enough(item) && !cls_names_is_reading(&state->names)) ||
		(state->is_library_done && state->name_step != CLS_NAME_MORE)) {
		judge(s, item, state, &p);
		return;
	}
	if (*item->state == NULL && cls_pool_keep(s->pool, item->state) == NULL) {
		judge(s, item, state, &p); // no memory
		return;
	}
	item->verdict = cls_pool_find(s->pool, *item->state)->verdict;
}

static void stage_look(void *stage, struct dp_stage_item *item)
{
	dissect(stage, item);
}

static void stage_overhear(void *stage, struct dp_stage_item *item)
{
	struct stage *s = stage;

	cls_overhear(s->overhear, item, item->state);
}

static uint64_t stage_forgotten(const void *stage)
{
	const struct stage *s = stage;

	return cls_hints_counts(s->hints)->forgotten + cls_names_refused(s->names) +
		cls_overhear_refused(s->overhear);
}

/* A flow's last word. Where the library never took a packet (no payload, or each was cut by a snap
 * length) it can guess by the headers. */
static void stage_finish(void *stage, struct dp_stage_item *item)
{
	struct stage *s = stage;

	if (item->is_watched) {
		cls_overhear_drop(s->overhear, item->state);
		return;
	}

	struct cls_state *state = *item->state != NULL ? cls_pool_find(s->pool, *item->state)
						       : cls_pool_scratch(s->pool);

	if (state == NULL) {
		judge_without(s, item);
		return;
	}

	ndpi_protocol p = said_of(state);

	reconsider(s, state);
	if (!state->flow.protocol_id_already_guessed) {
		p = look_at_headers(s, state, item);
		update(s, state, item, &p);
	}
	judge(s, item, state, &p);
	cls_overhear_drop(s->overhear, item->state); // nothing is heard any more
}

/* What is in force decides by what is remembered. */
static void stage_resolve(void *stage, struct dp_known *known)
{
	const struct stage *s = stage;
	const struct dp_said *said = known->said;
	const struct cls_known k = {.host = said->host,
		.alias = said->alias,
		.ndpi_master = said->ndpi_master,
		.ndpi_app = said->ndpi_app,
		.basis = said->basis,
		.has_ech = said->has_ech,
		.l4_proto = known->l4_proto,
		.server_port = known->server_port,
		.server = known->server,
		.now = {known->app, known->tag, known->evidence}};
	const struct cls_decision d = cls_resolve(s->catalogue, &k);

	known->app = d.app;
	known->tag = d.tag;
	known->evidence = d.evidence;
}

static void stage_free(void *stage)
{
	struct stage *s = stage;

	if (s == NULL)
		return;
	cls_pool_free(s->pool);
	cls_names_free(s->names);
	cls_overhear_free(s->overhear);
	cls_hints_free(s->hints);
	cls_library_free(s->lib);
	free(s);
}

int cls_stage_new(
	const struct cls_catalogue *catalogue, struct dp_stage *ret_stage, struct dp_err *reterr)
{
	static const struct dp_stage_ops ops = {.renew = stage_renew,
		.resolve = stage_resolve,
		.look = stage_look,
		.overhear = stage_overhear,
		.forgotten = stage_forgotten,
		.finish = stage_finish,
		.free = stage_free};
	struct stage *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return dp_fail(reterr, ENOMEM, "cannot set up the classifier: %m");
	s->catalogue = catalogue;
	atomic_init(&s->next_catalogue, catalogue);
	s->lib = cls_library_new();
	s->names = cls_names_new();
	s->hints = cls_hints_new(HINTS_MAX);
	if (s->hints != NULL)
		s->overhear = cls_overhear_new(s->hints);
	if (s->lib != NULL && s->names != NULL && s->overhear != NULL)
		s->pool = cls_pool_new(POOL_MAX, s->lib, s->names, s->overhear);
	if (s->pool == NULL) {
		stage_free(s);
		return dp_fail(reterr, ENOMEM, "cannot set up the classifier with nDPI %s: %m",
			cls_ndpi_version());
	}
	*ret_stage = (struct dp_stage){.ops = &ops, .self = s};
	return 0;
}
