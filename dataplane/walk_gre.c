// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk_step.h"

enum {
	BASE_LEN = 4, // flags and version, protocol type
	FIELD_LEN = 4, // each optional field

	// RFC 2890 2, RFC 1701, RFC 2637 4.1
	CHECKSUM = 0x8000,
	ROUTING = 0x4000,
	KEY = 0x2000,
	SEQUENCE = 0x1000,
	ACKNOWLEDGED = 0x0080,
	VERSION = 0x0007,
};

/* Protocol types that carry IP behind a header of their own. */
enum {
	TYPE_WCCP = 0x883e, // draft-mclaggan-wccp-v2rev1
	TYPE_CISCO_METADATA = 0x8909,
};

static uint32_t fields_len(uint16_t flags, uint16_t fields)
{
	return (uint32_t)__builtin_popcount(flags & fields) * FIELD_LEN;
}

static enum dp_step inside(struct dp_walk *w, uint16_t type, bool has_sequence)
{
	switch (type) {
	case DP_ETHERTYPE_IPV4:
		return DP_STEP_IPV4;
	case DP_ETHERTYPE_IPV6:
		return DP_STEP_IPV6;
	case DP_ETHERTYPE_MPLS: // RFC 4023 4
	case DP_ETHERTYPE_MPLS_MULTICAST:
		w->ethertype = type;
		return DP_STEP_MPLS;
	case DP_ETHERTYPE_TEB: // NVGRE as well, RFC 7637 3.2: the key is its network
		return DP_STEP_ETHERNET;
	case DP_ETHERTYPE_PPP:
		return DP_STEP_PPP;
	case DP_ETHERTYPE_ERSPAN:
	case DP_ETHERTYPE_ERSPAN3:
		return dp_step_erspan(w, type, has_sequence);
	case 0: // a keepalive of Cisco's
		return dp_refuse(w, DP_ENCAP_GRE, DP_REFUSAL_NOT_USER_DATA);
	case TYPE_WCCP:
	case TYPE_CISCO_METADATA:
		return dp_refuse(w, DP_ENCAP_GRE, DP_REFUSAL_UNSUPPORTED);
	default:
		return dp_refuse(w, DP_ENCAP_GRE, DP_REFUSAL_NOT_IP);
	}
}

/* RFC 2784 2.1 with RFC 2890. */
static enum dp_step version0(struct dp_walk *w, uint16_t flags, uint16_t type)
{
	const uint32_t len = BASE_LEN + fields_len(flags, CHECKSUM | KEY | SEQUENCE);

	// RFC 1701: a list of routes of any length; out of use since RFC 2784
	if ((flags & ROUTING) != 0)
		return dp_refuse(w, DP_ENCAP_GRE, DP_REFUSAL_UNSUPPORTED);
	if (!dp_has(w, len))
		return dp_refuse(w, DP_ENCAP_GRE, DP_REFUSAL_TRUNCATED);
	w->off += len;
	dp_open(w, DP_ENCAP_GRE);
	return inside(w, type, (flags & SEQUENCE) != 0);
}

/* RFC 2637 4.1, of PPTP: the key is payload length and call id, and always there. */
static enum dp_step version1(struct dp_walk *w, uint16_t flags, uint16_t type)
{
	const uint32_t len = BASE_LEN + FIELD_LEN + fields_len(flags, SEQUENCE | ACKNOWLEDGED);

	if (type != DP_ETHERTYPE_PPP)
		return dp_refuse(w, DP_ENCAP_GRE, DP_REFUSAL_UNSUPPORTED);
	if ((flags & (CHECKSUM | ROUTING | KEY)) != KEY)
		return dp_refuse(w, DP_ENCAP_GRE, DP_REFUSAL_MALFORMED);
	if (!dp_has(w, len))
		return dp_refuse(w, DP_ENCAP_GRE, DP_REFUSAL_TRUNCATED);

	const uint32_t payload_len = dp_be16(dp_at(w) + BASE_LEN);

	// Without a sequence number it is an acknowledgement and nothing else.
	if ((flags & SEQUENCE) == 0 || payload_len == 0)
		return dp_refuse(w, DP_ENCAP_GRE, DP_REFUSAL_NOT_USER_DATA);
	w->off += len;
	if (!dp_limit(w, payload_len))
		return dp_refuse(w, DP_ENCAP_GRE, DP_REFUSAL_MALFORMED);
	dp_open(w, DP_ENCAP_GRE);
	return DP_STEP_PPP;
}

enum dp_step dp_step_gre(struct dp_walk *w)
{
	if (!dp_has(w, BASE_LEN))
		return dp_refuse(w, DP_ENCAP_GRE, DP_REFUSAL_TRUNCATED);

	const uint16_t flags = dp_be16(dp_at(w)), type = dp_be16(dp_at(w) + 2);

	switch (flags & VERSION) {
	case 0:
		return version0(w, flags, type);
	case 1:
		return version1(w, flags, type);
	default:
		return dp_refuse(w, DP_ENCAP_GRE, DP_REFUSAL_UNSUPPORTED);
	}
}
