// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk_step.h"

#include <netinet/in.h>

enum { SUPER_FRAME_MAX = 8 * 65535 };

/* Segmentation offload leaves the length to the NIC: then it is what the frame has, up to what
 * Linux builds (GSO_MAX_SIZE). */
static uint32_t super_frame(uint32_t wire_left)
{
	return wire_left < SUPER_FRAME_MAX ? wire_left : SUPER_FRAME_MAX;
}

/* RFC 791 3.1. */
enum dp_outcome dp_step_ipv4(struct dp_walk *w, bool must_fit)
{
	if (!dp_has(w, DP_IPV4_LEN))
		return DP_OUTCOME_TRUNCATED;

	struct dp_ip *ip = &w->ip;
	const uint8_t *p = dp_at(w);
	const uint32_t header_len = (uint32_t)(p[0] & 0x0f) * 4;
	const uint16_t frag = dp_be16(p + 6);
	uint32_t bytes = dp_be16(p + 2);

	if (bytes == 0)
		bytes = super_frame(w->wire_end - w->off);
	if (p[0] >> 4 != 4 || header_len < DP_IPV4_LEN || bytes < header_len ||
		(must_fit && bytes > w->wire_end - w->off))
		return DP_OUTCOME_MALFORMED;
	ip->src = dp_addr_from_v4(p + 12);
	ip->dst = dp_addr_from_v4(p + 16);
	ip->off = w->off;
	ip->l4_off = w->off + header_len;
	ip->frag_id = dp_be16(p + 4);
	ip->frag_off = (uint32_t)(frag & DP_IPV4_OFFSET) * 8;
	ip->frag_next_off = 0;
	ip->proto = p[9];
	ip->is_fragment = dp_ipv4_is_fragment(p);
	ip->has_more = (frag & DP_IPV4_MORE) != 0;
	ip->has_l4 = (frag & DP_IPV4_OFFSET) == 0;
	dp_enter(w, bytes);
	return DP_OUTCOME_ACCOUNTED;
}

bool dp_is_ipv6_ext(uint8_t next)
{
	switch (next) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_AH:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
	case 139: // HIP, RFC 7401
	case 140: // Shim6, RFC 5533
		return true;
	default:
		return false;
	}
}

/* RFC 8200 4.5. next_off: of the Next Header byte that named this header. Returns false when it is an
 * atomic fragment (RFC 6946), which is no fragment. */
static bool fragment_header(const uint8_t *p, uint32_t next_off, struct dp_ip *ip)
{
	const uint16_t frag = dp_be16(p + 2);

	ip->has_l4 = (frag & 0xfff8) == 0;
	if ((frag & 0xfff9) == 0)
		return false;
	ip->is_fragment = true;
	ip->has_more = (frag & 1) != 0;
	ip->frag_off = frag & 0xfff8;
	ip->frag_id = dp_be32(p + 4);
	ip->frag_next_off = (uint16_t)(next_off - ip->off);
	return true;
}

/* Walk the extension headers (RFC 8200 4). A chain that is cut, runs past the packet or is longer
 * than the bound leaves the packet without L4, its protocol the header that could not be read. */
static void ipv6_ext(struct dp_walk *w, uint32_t bytes)
{
	struct dp_ip *ip = &w->ip;
	const uint32_t ip_end = ip->off + bytes;
	uint32_t next_off = ip->off + DP_IPV6_NEXT_OFF;

	DP_UNROLLED
	for (unsigned int n = 0; dp_is_ipv6_ext(ip->proto); n++) {
		if (n == DP_WALK_EXT_HEADERS_MAX || ip_end < ip->l4_off ||
			ip_end - ip->l4_off < 8 || !dp_has_at(w, ip->l4_off, 8)) {
			ip->has_l4 = false;
			return;
		}

		const uint8_t *p = dp_frame_at(w, ip->l4_off);
		uint32_t len = ((uint32_t)p[1] + 1) * 8;
		bool is_fragment = false;

		if (ip->proto == IPPROTO_AH)
			len = ((uint32_t)p[1] + 2) * 4; // RFC 4302 2.2
		if (ip->proto == IPPROTO_FRAGMENT) {
			len = 8;
			is_fragment = fragment_header(p, next_off, ip);
		}
		next_off = ip->l4_off;
		ip->proto = p[0];
		ip->l4_off += len;
		if (is_fragment) // the rest is part of something
			return;
	}
}

/* RFC 8200 3. */
enum dp_outcome dp_step_ipv6(struct dp_walk *w, bool must_fit)
{
	if (!dp_has(w, DP_IPV6_LEN))
		return DP_OUTCOME_TRUNCATED;

	struct dp_ip *ip = &w->ip;
	const uint8_t *p = dp_at(w);
	uint32_t bytes = DP_IPV6_LEN + (uint32_t)dp_be16(p + 4);

	if (bytes == DP_IPV6_LEN && p[DP_IPV6_NEXT_OFF] == IPPROTO_TCP)
		bytes = super_frame(w->wire_end - w->off);
	if (p[0] >> 4 != 6 || (must_fit && bytes > w->wire_end - w->off))
		return DP_OUTCOME_MALFORMED;
	memcpy(ip->src.b, p + 8, 16);
	memcpy(ip->dst.b, p + 24, 16);
	ip->off = w->off;
	ip->l4_off = w->off + DP_IPV6_LEN;
	ip->frag_id = 0;
	ip->frag_off = 0;
	ip->frag_next_off = 0;
	ip->proto = p[DP_IPV6_NEXT_OFF];
	ip->is_fragment = false;
	ip->has_more = false;
	ip->has_l4 = true;
	ipv6_ext(w, bytes);
	dp_enter(w, bytes);
	return DP_OUTCOME_ACCOUNTED;
}
