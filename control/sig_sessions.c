// SPDX-License-Identifier: BSD-3-Clause
#include "control/sig_sessions_state.h"

#include "dataplane/encap.h"

#include <string.h>

static const uint64_t SECOND_NS = 1000000000;

enum { NSAPI_MIN = 5, NSAPI_MAX = 15 }; // TS 24.008 10.5.6.2

/* Tunnels that subscribers are in: what comes out of them is theirs. */
static const uint32_t subscriber_encaps = 1U << DP_ENCAP_GTPU | 1U << DP_ENCAP_PPPOE |
	1U << DP_ENCAP_PPP | 1U << DP_ENCAP_L2TP | 1U << DP_ENCAP_TEREDO;

struct ctl_sessions *ctl_sessions_new(const struct ctl_sessions_config *config)
{
	struct ctl_sessions *s = g_new0(struct ctl_sessions, 1);
	struct ctl_bindings_config bc = {
		.n_max = config->n_max,
		.guard_ns = config->guard_ns,
		.ipv6_prefix_len = config->ipv6_prefix_len,
		.ended = config->ended,
		.ctx = config->ctx,
	};

	memcpy(bc.ranks, config->ranks, sizeof(bc.ranks));
	s->cfg = *config;
	s->aliases = ctl_aliases_new(2 * config->n_max); // of sessions, and those who were bound
	bc.aliases = s->aliases;
	s->bindings = ctl_bindings_new(&bc);
	ctl_sig_asked_init(s);
	ctl_sig_gone_init(s);
	ctl_sig_sessions_table_init(s);
	return s;
}

void ctl_sessions_free(struct ctl_sessions *s)
{
	if (s == NULL)
		return;
	ctl_sig_sessions_table_fini(s);
	ctl_sig_asked_fini(s);
	ctl_sig_gone_fini(s);
	ctl_bindings_free(s->bindings);
	ctl_aliases_free(s->aliases);
	g_free(s);
}

/* --- RADIUS -------------------------------------------------------------------------------------- */

static void take_radius(
	struct ctl_sessions *s, const struct dp_signalling *message, const struct ctl_sig *sig)
{
	const struct ctl_sig_handle handle = {
		.addr = message->src, .proto = CTL_SIG_RADIUS, .text = sig->session};
	struct ctl_sig_session *session = ctl_sig_session_find(s, &handle, &message->src);
	const uint64_t now_ns = message->time_ns;
	const uint64_t at_ns = now_ns - MIN(now_ns, sig->delay_s * SECOND_NS);

	if (sig->kind == CTL_SIG_RESTART) {
		ctl_sig_sessions_end_of(s, &message->src, CTL_SIG_RADIUS, now_ns);
		return;
	}
	if (sig->kind == CTL_SIG_OTHER || sig->session[0] == '\0')
		return;
	if (sig->kind == CTL_SIG_DELETE) {
		if (session != NULL)
			ctl_sig_session_end(s, session, false, at_ns);
		ctl_sig_gone_add(s, &message->src, sig->session, now_ns);
		return;
	}
	if (session == NULL) {
		if (ctl_sig_gone_has(s, &message->src, sig->session, now_ns))
			return; // said again, or late
		session = ctl_sig_session_new(s, sig, &message->src);
		if (session == NULL)
			return;
		ctl_sig_session_name(s, session, 0, &handle);
	}
	// Of an Interim only that it is so now is known.
	ctl_sig_session_claim(s, session, sig, sig->kind == CTL_SIG_CREATE ? at_ns : now_ns);
	ctl_sig_session_tell(s, session, sig, now_ns);
}

/* --- GTP and PFCP -------------------------------------------------------------------------------- */

/* What the receiver of the message calls the session; GTPv1-C has several contexts under one number. */
static struct ctl_sig_handle handle_of(
	const struct dp_addr *addr, uint64_t id, const struct ctl_sig *sig)
{
	return (struct ctl_sig_handle){
		.addr = *addr, .id = id, .proto = sig->proto, .nsapi = sig->nsapi};
}

static void take_digits(char *to, const char *from)
{
	if (to[0] == '\0')
		memcpy(to, from, strlen(from) + 1);
}

/* What request and answer say together: the answer's word goes first. */
static struct ctl_sig join(const struct ctl_sig *request, const struct ctl_sig *answer)
{
	struct ctl_sig both = *answer;

	take_digits(both.imsi, request->imsi);
	take_digits(both.msisdn, request->msisdn);
	take_digits(both.imei, request->imei);
	take_digits(both.apn, request->apn);
	take_digits(both.uli, request->uli);
	take_digits(both.mcc_mnc, request->mcc_mnc);
	if (both.rat == 0)
		both.rat = request->rat;
	// An answer without an address leaves the one that was asked for (TS 29.274 7.2.2, PAA).
	if (!both.has_ipv4 && !both.has_ipv6) {
		both.has_ipv4 = request->has_ipv4;
		both.ipv4 = request->ipv4;
		both.has_ipv6 = request->has_ipv6;
		both.ipv6 = request->ipv6;
		both.ipv6_len = request->ipv6_len;
	}
	for (unsigned int i = 0; i < request->n_teids && both.n_teids < CTL_SIG_TEIDS_MAX; i++)
		both.teids[both.n_teids++] = request->teids[i];
	both.nsapi = request->nsapi;
	both.is_backbone |= request->is_backbone;
	return both;
}

/* The numbers that both sides gave out for the session: [0] is the asking side's. */
static void name_ends(struct ctl_sessions *s, struct ctl_sig_session *session,
	const struct ctl_sig *request, const struct ctl_sig *answer)
{
	const struct ctl_sig *said[2] = {request, answer};

	for (unsigned int side = 0; side < 2; side++) {
		const struct ctl_sig_end *end = &said[side]->ends[0];
		const struct ctl_sig_handle handle = handle_of(&end->addr, end->id, request);

		if (said[side]->n_ends > 0 && end->id != 0)
			ctl_sig_session_name(s, session, side, &handle);
	}
}

static void create(struct ctl_sessions *s, const struct ctl_sig_asked *asked,
	const struct ctl_sig *answer, uint64_t now_ns)
{
	const struct ctl_sig both = join(&asked->sig, answer);
	const struct ctl_sig_end *end = &answer->ends[0];
	const struct ctl_sig_handle handle = handle_of(&end->addr, end->id, &asked->sig);
	struct ctl_sig_session *session = answer->n_ends > 0
		? ctl_sig_session_given(s, &handle, both.is_backbone)
		: NULL;

	if (!both.has_ipv4 && !both.has_ipv6)
		return;
	// The node has given the number out again: what it meant before is over, and its end was lost. A copy
	// of an answer is no such case, as its request was taken with the first.
	if (session != NULL)
		ctl_sig_session_end(s, session, true, now_ns);
	session = ctl_sig_session_new(s, &both, &asked->key.by);
	if (session == NULL)
		return;
	session->is_backbone = both.is_backbone;
	name_ends(s, session, &asked->sig, answer);
	ctl_sig_session_claim(s, session, &both, now_ns);
	ctl_sig_session_tell(s, session, &both, now_ns);
}

/* An accepted update: another node, place, device, tunnel. */
static void update(struct ctl_sessions *s, const struct ctl_sig_asked *asked,
	const struct ctl_sig *answer, uint64_t now_ns)
{
	const struct ctl_sig_handle handle = handle_of(
		&asked->key.of, asked->sig.header_id, &asked->sig);
	struct ctl_sig_session *session = ctl_sig_session_find(s, &handle, &asked->key.by);
	const struct ctl_sig both = join(&asked->sig, answer);

	if (session == NULL)
		return;
	// Asked by the side that asked for the session, or by the other one.
	if (session->handles[1].session != NULL && session->handles[1].id == handle.id &&
		dp_addr_cmp(&session->handles[1].addr, &handle.addr) == 0)
		name_ends(s, session, &asked->sig, answer);
	ctl_sig_session_tell(s, session, &both, now_ns);
}

static void delete (
	struct ctl_sessions *s, const struct dp_signalling *message, const struct ctl_sig *sig)
{
	struct ctl_sig_handle handle = handle_of(&message->dst, sig->header_id, sig);
	struct ctl_sig_session *session = ctl_sig_session_find(s, &handle, &message->src);

	if (session != NULL)
		ctl_sig_session_end(
			s, session, sig->is_leg_only && !session->is_backbone, message->time_ns);
	for (uint8_t nsapi = NSAPI_MIN; sig->is_teardown && nsapi <= NSAPI_MAX; nsapi++) {
		handle.nsapi = nsapi;
		session = ctl_sig_session_find(s, &handle, &message->src);
		if (session != NULL)
			ctl_sig_session_end(s, session, false, message->time_ns);
	}
}

static void take_request(
	struct ctl_sessions *s, const struct dp_signalling *message, const struct ctl_sig *sig)
{
	switch (sig->kind) {
	case CTL_SIG_CREATE:
	case CTL_SIG_UPDATE:
		ctl_sig_asked_add(s, message, sig);
		break;
	case CTL_SIG_DELETE:
		delete (s, message, sig);
		break;
	case CTL_SIG_RESTART:
		ctl_sig_sessions_end_of(s, &message->src, sig->proto, message->time_ns);
		ctl_sig_sessions_end_of(s, &message->dst, sig->proto, message->time_ns);
		break;
	default:
		break;
	}
}

static void take_answer(
	struct ctl_sessions *s, const struct dp_signalling *message, const struct ctl_sig *sig)
{
	struct ctl_sig_asked *asked;

	if (sig->kind != CTL_SIG_CREATE && sig->kind != CTL_SIG_UPDATE)
		return;
	asked = ctl_sig_asked_take(s, message, sig);
	if (asked == NULL) {
		s->stats.unasked++;
		return;
	}
	if (!sig->is_accepted)
		s->stats.rejected++;
	else if (sig->kind == CTL_SIG_CREATE)
		create(s, asked, sig, message->time_ns);
	else
		update(s, asked, sig, message->time_ns);
	g_free(asked);
}

/* --- messages ------------------------------------------------------------------------------------ */

/* Who may speak of others: nodes, not subscribers. */
static bool is_believed(const struct ctl_sessions *s, const struct dp_signalling *message)
{
	return (message->encaps & subscriber_encaps) == 0 &&
		!ctl_bindings_is_bound(s->bindings, &message->src) &&
		!ctl_bindings_is_bound(s->bindings, &message->dst);
}

static void take(
	struct ctl_sessions *s, const struct dp_signalling *message, const struct ctl_sig *sig)
{
	s->stats.messages[sig->proto]++;
	if ((s->cfg.protos & 1U << sig->proto) == 0)
		return;
	if (sig->proto == CTL_SIG_RADIUS)
		take_radius(s, message, sig);
	else if (sig->is_answer)
		take_answer(s, message, sig);
	else
		take_request(s, message, sig);
}

void ctl_sessions_take(struct ctl_sessions *s, const struct dp_signalling *message)
{
	struct ctl_sig sig;
	size_t off = 0, len;

	if (!is_believed(s, message)) {
		s->stats.unbelieved++;
		return;
	}
	// GTPv2-C piggybacks one message on another (TS 29.274 5.5.1).
	do {
		if (ctl_sig_read(message->bytes + off, message->len - off, message->sport,
			    message->dport, &sig, &len) < 0) {
			s->stats.unread++;
			return;
		}
		take(s, message, &sig);
		off += len;
	} while (off < message->len && sig.proto == CTL_SIG_GTPV2C);
}

const struct ctl_bindings *ctl_sessions_bindings(const struct ctl_sessions *s)
{
	return s->bindings;
}

struct ctl_sessions_stats ctl_sessions_stats(const struct ctl_sessions *s)
{
	struct ctl_sessions_stats stats = s->stats;

	stats.n_sessions = s->n_sessions;
	stats.n_subscribers = ctl_aliases_count(s->aliases);
	stats.bindings = ctl_bindings_stats(s->bindings);
	return stats;
}
