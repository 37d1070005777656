// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk_step.h"

enum {
	INDICATION_LEN = 2,
	AUTHENTICATION = 0x0001,
	AUTHENTICATION_LEN = 13, // and a client id and a value of their own lengths
	ORIGIN = 0x0000,
	ORIGIN_LEN = 8,
	CLIENTS = 0x20010000,
};

/* RFC 4380 5.1.1: a header that begins with `kind`, of len bytes. */
static bool is_at(const struct dp_walk *w, uint16_t kind)
{
	return dp_has(w, INDICATION_LEN) && dp_be16(dp_at(w)) == kind;
}

/* RFC 4380 2.6: 2001::/32; and link-local, before a client has such an address. */
static bool is_client(const uint8_t addr[16])
{
	return dp_be32(addr) == CLIENTS || (addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80);
}

/* One end of a Teredo packet is a client. The port may be anybody's, and an IPv6 header has no
 * checksum: much of what QUIC sends would pass for one. */
static bool is_for_client(const struct dp_walk *w)
{
	return is_client(dp_at(w) + 8) || is_client(dp_at(w) + 24);
}

/* RFC 4380 5.1.1: an authentication header, then an origin indication, each of them or none; an IPv6
 * packet, maybe an empty one (a bubble); RFC 6081 trailers, behind the packet's end. */
enum dp_step dp_step_teredo(struct dp_walk *w)
{
	if (is_at(w, AUTHENTICATION)) {
		if (!dp_has(w, AUTHENTICATION_LEN))
			return dp_refuse(w, DP_ENCAP_TEREDO, DP_REFUSAL_TRUNCATED);

		const uint32_t len = AUTHENTICATION_LEN + dp_at(w)[2] + dp_at(w)[3];

		if (!dp_has(w, len))
			return dp_refuse(w, DP_ENCAP_TEREDO, DP_REFUSAL_TRUNCATED);
		w->off += len;
	}
	if (is_at(w, ORIGIN)) {
		if (!dp_has(w, ORIGIN_LEN))
			return dp_refuse(w, DP_ENCAP_TEREDO, DP_REFUSAL_TRUNCATED);
		w->off += ORIGIN_LEN;
	}
	if (dp_has(w, DP_IPV6_LEN) && !is_for_client(w))
		return dp_refuse(w, DP_ENCAP_TEREDO, DP_REFUSAL_NOT_IP);
	dp_open(w, DP_ENCAP_TEREDO);
	return DP_STEP_IPV6;
}
