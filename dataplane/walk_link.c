// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk_step.h"

static bool is_tag(uint16_t ethertype)
{
	return ethertype == 0x8100 || ethertype == 0x88a8 || ethertype == 0x9100 ||
		ethertype == 0x9200;
}

/* Step over tags. IEEE 802.1Q 9.6: two bytes TCI, two bytes type. */
static enum dp_step skip_tags(struct dp_walk *w)
{
	for (unsigned int n = 0; is_tag(w->ethertype); n++) {
		if (n == DP_WALK_TAGS_MAX)
			return dp_refuse(w, DP_ENCAP_VLAN, DP_REFUSAL_TOO_DEEP);
		if (!dp_has(w, 4))
			return dp_refuse(w, DP_ENCAP_VLAN, DP_REFUSAL_TRUNCATED);
		if (w->n_vlans < DP_WALK_VLANS_MAX)
			w->vlans[w->n_vlans++] = dp_be16(dp_at(w)) & 0x0fff;
		w->ethertype = dp_be16(dp_at(w) + 2);
		w->off += 4;
		dp_open(w, DP_ENCAP_VLAN);
	}
	return DP_STEP_ETHERTYPE;
}

enum dp_step dp_step_ethertype(struct dp_walk *w)
{
	if (is_tag(w->ethertype))
		return skip_tags(w);
	switch (w->ethertype) {
	case DP_ETHERTYPE_IPV4:
		return DP_STEP_IPV4;
	case DP_ETHERTYPE_IPV6:
		return DP_STEP_IPV6;
	case DP_ETHERTYPE_MPLS:
	case DP_ETHERTYPE_MPLS_MULTICAST:
		return DP_STEP_MPLS;
	case DP_ETHERTYPE_PPPOE_SESSION:
		return DP_STEP_PPPOE;
	default:
		if (w->pending != 0)
			return dp_refuse(w, w->encap, DP_REFUSAL_NOT_IP);
		return dp_give_up(w, DP_OUTCOME_NOT_IP);
	}
}

/* A header of `len` bytes with the type at type_off. */
static enum dp_step typed(struct dp_walk *w, uint32_t len, uint32_t type_off)
{
	if (!dp_has(w, len)) {
		if (w->pending != 0)
			return dp_refuse(w, w->encap, DP_REFUSAL_TRUNCATED);
		return dp_give_up(w, DP_OUTCOME_TRUNCATED);
	}
	w->ethertype = dp_be16(dp_at(w) + type_off);
	w->off += len;
	return DP_STEP_ETHERTYPE;
}

/* IEEE 802.3 3.1.1. */
enum dp_step dp_step_ethernet(struct dp_walk *w)
{
	return typed(w, 14, 12);
}

enum dp_step dp_step_link(struct dp_walk *w, enum dp_link link)
{
	switch (link) {
	case DP_LINK_ETHERNET:
		return DP_STEP_ETHERNET;
	case DP_LINK_RAW_IP:
		return DP_STEP_IP;
	case DP_LINK_SLL: // pcap-linktype(7): LINKTYPE_LINUX_SLL
		return typed(w, 16, 14);
	case DP_LINK_SLL2: // LINKTYPE_LINUX_SLL2
		return typed(w, 20, 0);
	default:
		return dp_give_up(w, DP_OUTCOME_UNSUPPORTED);
	}
}
