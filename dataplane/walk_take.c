// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk_step.h"

#include <netinet/in.h>

/* Tunnels known by a port number only: other traffic may use it, so what lies inside must be sound
 * to the last byte. */
static const uint32_t GUESSED = UINT32_C(1) << DP_ENCAP_GTPU | UINT32_C(1) << DP_ENCAP_VXLAN |
	UINT32_C(1) << DP_ENCAP_GENEVE | UINT32_C(1) << DP_ENCAP_TEREDO |
	UINT32_C(1) << DP_ENCAP_L2TP;

static enum dp_refusal refusal_of(enum dp_outcome r)
{
	switch (r) {
	case DP_OUTCOME_TRUNCATED:
		return DP_REFUSAL_TRUNCATED;
	case DP_OUTCOME_MALFORMED:
		return DP_REFUSAL_MALFORMED;
	default:
		return DP_REFUSAL_NOT_IP;
	}
}

enum dp_outcome dp_step_outcome_of(enum dp_refusal reason)
{
	switch (reason) {
	case DP_REFUSAL_TRUNCATED:
		return DP_OUTCOME_TRUNCATED;
	case DP_REFUSAL_MALFORMED:
		return DP_OUTCOME_MALFORMED;
	case DP_REFUSAL_UNSUPPORTED:
		return DP_OUTCOME_UNSUPPORTED;
	case DP_REFUSAL_TOO_DEEP:
		return DP_OUTCOME_TOO_DEEP;
	default:
		return DP_OUTCOME_NOT_IP;
	}
}

static enum dp_step not_opened(struct dp_walk *w, enum dp_outcome why)
{
	if (w->pending != 0)
		return dp_refuse(w, w->encap, refusal_of(why));
	return dp_give_up(w, why);
}

static_assert(DP_ENCAP_6IN4 == DP_ENCAP_IPIP + 1 && DP_ENCAP_4IN6 == DP_ENCAP_IPIP + 2 &&
		DP_ENCAP_6IN6 == DP_ENCAP_IPIP + 3,
	"one sum for the four");

/* IP packets directly in one another are encapsulations without a header of their own. */
static void open_ip_in_ip(struct dp_walk *w, bool is_ipv6)
{
	if (w->n_ip == 0 || w->pending != 0)
		return;

	const bool is_in_ipv6 = *dp_frame_at(w, w->ip.off) >> 4 == 6;

	dp_open(w, (enum dp_encap)(DP_ENCAP_IPIP + 2 * is_in_ipv6 + is_ipv6));
}

static enum dp_step step_ip(struct dp_walk *w, bool is_ipv6)
{
	enum dp_outcome r;

	open_ip_in_ip(w, is_ipv6);
	if (w->n_ip == DP_WALK_IP_MAX)
		return dp_refuse(w, w->encap, DP_REFUSAL_TOO_DEEP);

	const bool must_fit = (w->pending & GUESSED) != 0;

	r = is_ipv6 ? dp_step_ipv6(w, must_fit) : dp_step_ipv4(w, must_fit);
	if (r != DP_OUTCOME_ACCOUNTED)
		return not_opened(w, r);
	w->n_ip++;
	w->n_vlans_ip = w->vlans.n;
	w->encaps |= w->pending;
	w->pending = 0;
	return DP_STEP_L4;
}

static enum dp_step step_any_ip(struct dp_walk *w)
{
	if (!dp_has(w, 1))
		return not_opened(w, DP_OUTCOME_TRUNCATED);
	switch (*dp_at(w) >> 4) {
	case 4:
		return step_ip(w, false);
	case 6:
		return step_ip(w, true);
	default: // a tunnel that does not name what it carries may carry anything
		return not_opened(w, w->pending != 0 ? DP_OUTCOME_NOT_IP : DP_OUTCOME_MALFORMED);
	}
}

/* What the innermost packet carries may be a tunnel. */
static enum dp_step step_l4(struct dp_walk *w)
{
	if (w->ip.proto == IPPROTO_TCP || w->ip.is_fragment || !w->ip.has_l4)
		return DP_STEP_END;
	switch (w->ip.proto) {
	case IPPROTO_UDP:
		return dp_has(w, DP_UDP_LEN) ? dp_step_udp(w) : DP_STEP_END;
	case IPPROTO_IPIP:
		return DP_STEP_IPV4;
	case IPPROTO_IPV6:
		return DP_STEP_IPV6;
	case IPPROTO_GRE:
		return dp_step_gre(w);
	default:
		return DP_STEP_END;
	}
}

enum dp_step dp_step_take(struct dp_walk *w, enum dp_step step)
{
	switch (step) {
	case DP_STEP_ETHERNET:
		return dp_step_ethernet(w);
	case DP_STEP_ETHERTYPE:
		return dp_step_ethertype(w);
	case DP_STEP_LLC:
		return dp_step_llc(w);
	case DP_STEP_MPLS:
		return dp_step_mpls(w);
	case DP_STEP_PPPOE:
		return dp_step_pppoe(w);
	case DP_STEP_PPP:
		return dp_step_ppp(w);
	case DP_STEP_IP:
		return step_any_ip(w);
	case DP_STEP_IPV4:
		return step_ip(w, false);
	case DP_STEP_IPV6:
		return step_ip(w, true);
	case DP_STEP_L4:
		return step_l4(w);
	case DP_STEP_END:
		break;
	}
	return DP_STEP_END;
}

enum dp_outcome dp_step_end(struct dp_walk *w, enum dp_step step)
{
	if (step != DP_STEP_END)
		(void)(w->pending != 0 ? dp_refuse(w, w->encap, DP_REFUSAL_TOO_DEEP)
				       : dp_give_up(w, DP_OUTCOME_TOO_DEEP));
	if (w->n_ip > 0) {
		w->vlans.n = w->n_vlans_ip; // what was not opened has no tags
		return DP_OUTCOME_ACCOUNTED;
	}
	return w->refused == DP_REFUSED_NONE ? w->outcome : dp_step_outcome_of(w->reason);
}

enum dp_step dp_step_begin(
	struct dp_walk *w, uint32_t cap_len, uint32_t wire_len, enum dp_link link)
{
	// What is valid under a condition only (ip, vlans, ethertype, encap, reason) stays as it is:
	// to clear it costs as much as many a walk.
	w->off = 0;
	w->end = cap_len;
	w->wire_end = wire_len;
	w->encaps = 0;
	w->pending = 0;
	w->vlans.n = 0;
	w->n_vlans_ip = 0;
	w->n_ip = 0;
	w->n_steps = 0;
	w->refused = DP_REFUSED_NONE;
	w->outcome = DP_OUTCOME_NOT_IP;
	return dp_step_link(w, link);
}
