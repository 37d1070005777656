// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/signalling.h"
#include "dataplane/walk_step.h"
#include "dataplane/worker_state.h"

#include <netinet/in.h>

enum { IPV6_HEADERS_MAX = 8 };

/* Bytes of the IPv6 header and its extensions; 0 where UDP does not follow. A whole packet, or the first
 * bytes of one: a header that is not there ends it. */
static uint32_t ipv6_header(const uint8_t *l3, uint32_t l3_len)
{
	uint32_t off = 40;
	uint8_t next = l3_len >= off ? l3[6] : IPPROTO_NONE;

	for (int i = 0; i < IPV6_HEADERS_MAX && next != IPPROTO_UDP; i++) {
		const uint8_t here = next;

		if (l3_len < off + 8)
			return 0;
		if (here != IPPROTO_HOPOPTS && here != IPPROTO_ROUTING && here != IPPROTO_DSTOPTS &&
			here != IPPROTO_FRAGMENT)
			return 0;
		next = l3[off];
		// RFC 8200 4.5: of a fragment header the second byte is reserved
		off += here == IPPROTO_FRAGMENT ? 8 : 8 + 8U * l3[off + 1];
	}
	return next == IPPROTO_UDP ? off : 0;
}

/* The payload of the UDP datagram at l3. Returns false where it cannot be told. */
static bool find_payload(const uint8_t *l3, uint32_t l3_len, uint32_t *ret_off, uint32_t *ret_len)
{
	const uint32_t l4 = l3_len == 0 ? 0
		: l3[0] >> 4 == 4	? (l3[0] & 15U) * 4
					: ipv6_header(l3, l3_len);
	uint32_t udp_len;

	if (l4 == 0 || l3_len < l4 + 8)
		return false;
	udp_len = dp_be16(l3 + l4 + 4);
	*ret_off = l4 + 8;
	*ret_len = udp_len >= 8 ? udp_len - 8 : 0;
	return udp_len >= 8;
}

void dp_worker_signalling(struct dp_worker *w, const struct rte_mbuf *m, const struct dp_pkt *p)
{
	const uint8_t *l3 = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->l3_off);
	uint32_t off, len, n;
	struct dp_signalling message = {
		.time_ns = p->time_ns,
		.src = p->tuple.src,
		.dst = p->tuple.dst,
		.sport = p->tuple.sport,
		.dport = p->tuple.dport,
		.encaps = p->encaps,
	};

	if (!find_payload(l3, p->l3_len, &off, &len))
		return;
	n = p->l3_len - off;
	if (n > len)
		n = len;
	if (n > DP_SIGNALLING_MAX)
		n = DP_SIGNALLING_MAX;
	message.len = (uint16_t)n;
	message.is_cut = n < len;
	if (dp_signalling_ring_post(w->signalling, &message, l3 + off))
		dp_count(&w->counters.signalling, 1);
	else
		dp_count(&w->counters.signalling_dropped, 1);
}
