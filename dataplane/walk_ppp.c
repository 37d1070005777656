// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk_step.h"

enum {
	PPPOE_HEADER_LEN = 6,
	PPPOE_VERSION_TYPE = 0x11, // RFC 2516 4: both 1
	PPPOE_SESSION_DATA = 0,
	ADDRESS_CONTROL = 0xff03, // RFC 1662 3.1, unless negotiated away
};

/* IANA, Point-to-Point Protocol Field Assignments. */
enum {
	PPP_IPV4 = 0x0021,
	PPP_IPV6 = 0x0057,
	PPP_MPLS = 0x0281,
	PPP_MPLS_MULTICAST = 0x0283,
	PPP_CONTROL_FIRST = 0x8000, // RFC 1661 2: NCPs; from 0xc000 LCP, PAP, CHAP and the like
};

/* Protocols that may hold an IP packet whose bytes are not there to be read. */
static bool hides_ip(uint16_t protocol)
{
	switch (protocol) {
	case 0x0003: // ROHC, RFC 3241
	case 0x0005:
	case 0x002d: // Van Jacobson, RFC 1332 4
	case 0x002f:
	case 0x0031: // bridged frames, RFC 3518
	case 0x003d: // multilink, RFC 1990
	case 0x0053: // encrypted, RFC 1968
	case 0x0055:
	case 0x0059: // multiplexed, RFC 3153
	case 0x0061: // header compression, RFC 3544
	case 0x0063:
	case 0x0065:
	case 0x0067:
	case 0x0069:
	case 0x00fb: // compressed, RFC 1962
	case 0x00fd:
	case 0x2063:
	case 0x2065:
	case 0x2067:
	case 0x2069:
		return true;
	default:
		return false;
	}
}

static enum dp_step inside(struct dp_walk *w, uint16_t protocol)
{
	switch (protocol) {
	case PPP_IPV4:
		dp_open(w, DP_ENCAP_PPP);
		return DP_STEP_IPV4;
	case PPP_IPV6:
		dp_open(w, DP_ENCAP_PPP);
		return DP_STEP_IPV6;
	case PPP_MPLS: // RFC 3032 4.3
	case PPP_MPLS_MULTICAST:
		dp_open(w, DP_ENCAP_PPP);
		return DP_STEP_MPLS;
	default:
		break;
	}
	if (hides_ip(protocol))
		return dp_refuse(w, DP_ENCAP_PPP, DP_REFUSAL_UNSUPPORTED);
	if (protocol >= PPP_CONTROL_FIRST)
		return dp_refuse(w, DP_ENCAP_PPP, DP_REFUSAL_NOT_USER_DATA);
	return dp_refuse(w, DP_ENCAP_PPP, DP_REFUSAL_NOT_IP);
}

/* RFC 1661 2. The low bit of a protocol number's last byte is set, that of its first is not; so a
 * first byte that is odd is all there is of it (6.5, Protocol Field Compression). */
enum dp_step dp_step_ppp(struct dp_walk *w)
{
	if (dp_has(w, 2) && dp_be16(dp_at(w)) == ADDRESS_CONTROL)
		w->off += 2;
	// RFC 1661 2: no protocol is 0x00ff, so 0xff alone is the address and its control is missing.
	if (!dp_has(w, 1) || (*dp_at(w) == ADDRESS_CONTROL >> 8 && !dp_has(w, 2)))
		return dp_refuse(w, DP_ENCAP_PPP, DP_REFUSAL_TRUNCATED);

	const uint8_t *p = dp_at(w);
	const uint32_t len = (p[0] & 1) != 0 ? 1 : 2;

	if (!dp_has(w, len))
		return dp_refuse(w, DP_ENCAP_PPP, DP_REFUSAL_TRUNCATED);
	if ((*dp_frame_at(w, w->off + len - 1) & 1) == 0)
		return dp_refuse(w, DP_ENCAP_PPP, DP_REFUSAL_MALFORMED);
	w->off += len;
	return inside(w, len == 1 ? p[0] : dp_be16(p));
}

/* RFC 2516 4. A length beyond the frame limits nothing, as with IP: a mirror may cut frames. */
enum dp_step dp_step_pppoe(struct dp_walk *w)
{
	if (!dp_has(w, PPPOE_HEADER_LEN))
		return dp_refuse(w, DP_ENCAP_PPPOE, DP_REFUSAL_TRUNCATED);

	const uint8_t *p = dp_at(w);

	if (p[0] != PPPOE_VERSION_TYPE)
		return dp_refuse(w, DP_ENCAP_PPPOE, DP_REFUSAL_UNSUPPORTED);
	if (p[1] != PPPOE_SESSION_DATA)
		return dp_refuse(w, DP_ENCAP_PPPOE, DP_REFUSAL_NOT_USER_DATA);
	w->off += PPPOE_HEADER_LEN;
	(void)dp_limit(w, dp_be16(p + 4));
	dp_open(w, DP_ENCAP_PPPOE);
	return DP_STEP_PPP;
}
