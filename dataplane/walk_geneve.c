// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk_step.h"

enum {
	HEADER_LEN = 8,
	IS_CONTROL = 0x80, // the flag O
};

static enum dp_step inside(struct dp_walk *w, uint16_t type)
{
	switch (type) {
	case DP_ETHERTYPE_TEB:
		return DP_STEP_ETHERNET;
	case DP_ETHERTYPE_IPV4:
		return DP_STEP_IPV4;
	case DP_ETHERTYPE_IPV6:
		return DP_STEP_IPV6;
	case DP_ETHERTYPE_MPLS:
	case DP_ETHERTYPE_MPLS_MULTICAST:
		w->ethertype = type;
		return DP_STEP_MPLS;
	default:
		return dp_refuse(w, DP_ENCAP_GENEVE, DP_REFUSAL_NOT_IP);
	}
}

/* RFC 8926 3.4. Options, critical ones too, are for the tunnel's ends. */
enum dp_step dp_step_geneve(struct dp_walk *w)
{
	if (!dp_has(w, HEADER_LEN))
		return dp_refuse(w, DP_ENCAP_GENEVE, DP_REFUSAL_TRUNCATED);

	const uint8_t *p = dp_at(w);
	const uint32_t len = HEADER_LEN + (uint32_t)(p[0] & 0x3f) * 4;

	if (p[0] >> 6 != 0) // version
		return dp_refuse(w, DP_ENCAP_GENEVE, DP_REFUSAL_UNSUPPORTED);
	if ((p[1] & IS_CONTROL) != 0)
		return dp_refuse(w, DP_ENCAP_GENEVE, DP_REFUSAL_NOT_USER_DATA);
	if (!dp_has(w, len))
		return dp_refuse(w, DP_ENCAP_GENEVE, DP_REFUSAL_TRUNCATED);
	w->off += len;
	dp_open(w, DP_ENCAP_GENEVE);
	return inside(w, dp_be16(p + 2));
}
