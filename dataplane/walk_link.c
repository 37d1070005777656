// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk_step.h"

enum {
	LLC_LEN = 3,
	SNAP_LEN = 8,
	SNAP_SAPS = 0xaaaa,
	SNAP_CONTROL = 0x03,
	OUI_RFC1042 = 0x000000,
	OUI_802_1H = 0x0000f8, // bridge tunnel
};

/* What follows an Ethernet header and its tags. IEEE 802.3 3.2.6: a type, or the length of an LLC
 * frame, behind which padding may stand; a length beyond the frame limits nothing. */
static enum dp_step type_or_length(struct dp_walk *w)
{
	if (w->ethertype > DP_ETHERTYPE_LENGTH_MAX)
		return DP_STEP_ETHERTYPE;
	(void)dp_limit(w, w->ethertype);
	return DP_STEP_LLC;
}

/* Step over tags. */
static enum dp_step skip_tags(struct dp_walk *w)
{
	DP_UNROLLED
	for (unsigned int n = 0; dp_is_tag(w->ethertype); n++) {
		if (n == DP_WALK_TAGS_MAX)
			return dp_refuse(w, DP_ENCAP_VLAN, DP_REFUSAL_TOO_DEEP);
		if (!dp_has(w, DP_TAG_LEN))
			return dp_refuse(w, DP_ENCAP_VLAN, DP_REFUSAL_TRUNCATED);
		const uint32_t n_vlans = w->vlans.n;

		if (n_vlans < DP_WALK_VLANS_MAX) {
			w->vlans.id[dp_below(n_vlans, DP_WALK_VLANS_MAX)] = dp_be16(dp_at(w)) &
				DP_TAG_VLAN;
			w->vlans.n = (uint8_t)(n_vlans + 1);
		}
		w->ethertype = dp_be16(dp_at(w) + 2);
		w->off += DP_TAG_LEN;
		dp_open(w, DP_ENCAP_VLAN);
	}
	return type_or_length(w);
}

enum dp_step dp_step_ethertype(struct dp_walk *w)
{
	if (dp_is_tag(w->ethertype))
		return skip_tags(w);
	switch (w->ethertype) {
	case DP_ETHERTYPE_IPV4:
		return DP_STEP_IPV4;
	case DP_ETHERTYPE_IPV6:
		return DP_STEP_IPV6;
	case DP_ETHERTYPE_MPLS:
	case DP_ETHERTYPE_MPLS_MULTICAST:
		return DP_STEP_MPLS;
	case DP_ETHERTYPE_PPPOE_DISCOVERY:
		return dp_refuse(w, DP_ENCAP_PPPOE, DP_REFUSAL_NOT_USER_DATA);
	case DP_ETHERTYPE_PPPOE_SESSION:
		return DP_STEP_PPPOE;
	default:
		if (w->pending != 0)
			return dp_refuse(w, w->encap, DP_REFUSAL_NOT_IP);
		return dp_give_up(w, DP_OUTCOME_NOT_IP);
	}
}

/* IEEE 802.2 3.2; RFC 1042. */
enum dp_step dp_step_llc(struct dp_walk *w)
{
	if (!dp_has(w, LLC_LEN))
		return dp_refuse(w, DP_ENCAP_LLC, DP_REFUSAL_TRUNCATED);
	if (dp_be16(dp_at(w)) != SNAP_SAPS || dp_at(w)[2] != SNAP_CONTROL)
		return dp_refuse(w, DP_ENCAP_LLC, DP_REFUSAL_NOT_IP);
	if (!dp_has(w, SNAP_LEN))
		return dp_refuse(w, DP_ENCAP_LLC, DP_REFUSAL_TRUNCATED);

	const uint32_t oui = dp_be32(dp_at(w) + 2) & 0xffffff;

	if (oui != OUI_RFC1042 && oui != OUI_802_1H)
		return dp_refuse(w, DP_ENCAP_LLC, DP_REFUSAL_NOT_IP);
	w->ethertype = dp_be16(dp_at(w) + 6);
	w->off += SNAP_LEN;
	dp_open(w, DP_ENCAP_LLC);
	return DP_STEP_ETHERTYPE;
}

/* A header of `len` bytes with the type at type_off. */
static enum dp_step typed(struct dp_walk *w, uint32_t len, uint32_t type_off)
{
	if (!dp_has(w, len)) {
		if (w->pending != 0)
			return dp_refuse(w, w->encap, DP_REFUSAL_TRUNCATED);
		return dp_give_up(w, DP_OUTCOME_TRUNCATED);
	}
	w->ethertype = dp_be16(dp_frame_at(w, w->off + type_off));
	w->off += len;
	return DP_STEP_ETHERTYPE;
}

/* IEEE 802.3 3.1.1. */
enum dp_step dp_step_ethernet(struct dp_walk *w)
{
	const enum dp_step step = typed(w, DP_ETHERNET_LEN, DP_ETHERNET_TYPE_OFF);

	return step == DP_STEP_ETHERTYPE ? type_or_length(w) : step;
}

/* pcap-linktype(7): LINKTYPE_LINUX_SLL and _SLL2. What the type says depends on the ARPHRD_ type,
 * linux/if_arp.h. */
static enum dp_step cooked(
	struct dp_walk *w, uint32_t len, uint32_t type_off, uint32_t hardware_off)
{
	enum { FRAD = 770, RADIOTAP = 803, NETLINK = 824, LLC = 4 };
	const uint32_t off = w->off;
	const enum dp_step step = typed(w, len, type_off);

	if (step != DP_STEP_ETHERTYPE)
		return step;
	switch (dp_be16(dp_frame_at(w, off + hardware_off))) {
	case FRAD:
		return dp_give_up(w, DP_OUTCOME_UNSUPPORTED);
	case RADIOTAP:
		return dp_step_radiotap(w);
	case NETLINK: // the type is a netlink family
		return dp_give_up(w, DP_OUTCOME_NOT_IP);
	default:
		return w->ethertype == LLC ? DP_STEP_LLC : DP_STEP_ETHERTYPE;
	}
}

/* PPP, or Cisco HDLC (RFC 1547 4.3.1), whose address byte no PPP frame begins with: RFC 1661 2
 * reserves the protocol numbers that would read the same. */
static enum dp_step serial(struct dp_walk *w)
{
	enum { UNICAST = 0x0f, BROADCAST = 0x8f };

	if (dp_has(w, 1) && (*dp_at(w) == UNICAST || *dp_at(w) == BROADCAST))
		return typed(w, 4, 2);
	return DP_STEP_PPP;
}

/* LINKTYPE_NULL and _LOOP: the address family, in the byte order of a machine nobody knows. */
static enum dp_step loopback(struct dp_walk *w)
{
	if (!dp_has(w, 4))
		return dp_give_up(w, DP_OUTCOME_TRUNCATED);

	const uint32_t big = dp_be32(dp_at(w));

	w->off += 4;
	switch (big > 0xffff ? __builtin_bswap32(big) : big) {
	case 2:
		return DP_STEP_IPV4;
	case 10: // Linux
	case 23: // Windows
	case 24: // NetBSD, OpenBSD
	case 28: // FreeBSD
	case 30: // Darwin
		return DP_STEP_IPV6;
	default:
		return dp_give_up(w, DP_OUTCOME_NOT_IP);
	}
}

enum dp_step dp_step_link(struct dp_walk *w, enum dp_link link)
{
	switch (link) {
	case DP_LINK_ETHERNET:
		return DP_STEP_ETHERNET;
	case DP_LINK_RAW_IP:
		return DP_STEP_IP;
	case DP_LINK_SLL:
		return cooked(w, 16, 14, 2);
	case DP_LINK_SLL2:
		return cooked(w, 20, 0, 8);
	case DP_LINK_PPP:
	case DP_LINK_PPP_HDLC:
		return serial(w);
	case DP_LINK_PPPOE:
		return DP_STEP_PPPOE;
	case DP_LINK_NULL:
		return loopback(w);
	case DP_LINK_CHDLC:
		return typed(w, 4, 2);
	case DP_LINK_WLAN:
		return dp_step_wlan(w, false);
	case DP_LINK_RADIOTAP:
		return dp_step_radiotap(w);
	case DP_LINK_COUNT:
		break;
	}
	return dp_give_up(w, DP_OUTCOME_UNSUPPORTED);
}
