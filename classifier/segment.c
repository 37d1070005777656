// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/segment.h"

#include "dataplane/walk.h"

#include <netinet/in.h>

enum {
	IPV4_LEN = 20, // without options
	IPV6_LEN = 40,
	IPV6_EXT_LEN = 8, // the least one
	TCP_LEN = 20, // without options
	TCP_SYN = 0x02,
	UDP_LEN = 8,
};

/* What is left of the packet, and what it is. */
struct rest {
	const uint8_t *p;
	uint32_t len;
	uint8_t proto;
};

static uint32_t be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static bool skip(struct rest *r, uint32_t len)
{
	if (r->len < len)
		return false;
	r->p += len;
	r->len -= len;
	return true;
}

/* RFC 791 3.1. */
static bool skip_ipv4(struct rest *r)
{
	const uint32_t header_len = (uint32_t)(r->p[0] & 0x0f) * 4;

	if (r->len < IPV4_LEN || header_len < IPV4_LEN || (be16(r->p + 6) & 0x3fff) != 0)
		return false; // More Fragments, or an offset
	r->proto = r->p[9];
	return skip(r, header_len);
}

/* RFC 8200 4. The header at r is of the kind r->proto. */
static bool skip_ipv6_ext(struct rest *r)
{
	uint32_t len;

	if (r->len < IPV6_EXT_LEN)
		return false;
	switch (r->proto) {
	case IPPROTO_FRAGMENT:
		if ((be16(r->p + 2) & 0xfff9) != 0) // of more than one: RFC 6946
			return false;
		len = IPV6_EXT_LEN;
		break;
	case IPPROTO_AH:
		len = ((uint32_t)r->p[1] + 2) * 4; // RFC 4302 2.2
		break;
	default:
		len = ((uint32_t)r->p[1] + 1) * 8;
	}
	r->proto = r->p[0];
	return skip(r, len);
}

static bool skip_ipv6(struct rest *r)
{
	if (r->len < IPV6_LEN)
		return false;
	r->proto = r->p[6];
	(void)skip(r, IPV6_LEN);
	for (unsigned int n = 0; dp_is_ipv6_ext(r->proto); n++) {
		if (n == DP_WALK_EXT_HEADERS_MAX || !skip_ipv6_ext(r))
			return false;
	}
	return true;
}

static bool tcp(struct rest r, const struct dp_stage_item *item, struct cls_segment *ret)
{
	if (r.len < TCP_LEN)
		return false;

	const uint8_t *header = r.p;
	const uint32_t header_len = (uint32_t)(header[12] >> 4) * 4; // Data Offset

	if (header_len < TCP_LEN || !skip(&r, header_len))
		return false;
	*ret = (struct cls_segment){.payload = r.p,
		.len = r.len,
		.sport = (uint16_t)be16(header),
		.dport = (uint16_t)be16(header + 2),
		.l4_proto = IPPROTO_TCP,
		.seq = item->tcp_seq + ((header[13] & TCP_SYN) != 0)};
	return true;
}

static bool udp(struct rest r, struct cls_segment *ret)
{
	if (r.len < UDP_LEN)
		return false;

	const uint8_t *header = r.p;
	const uint32_t bytes = be16(header + 4); // 0: a jumbogram's, RFC 2675 4

	if (bytes != 0 && bytes < UDP_LEN)
		return false;
	(void)skip(&r, UDP_LEN);
	*ret = (struct cls_segment){.payload = r.p,
		.len = bytes != 0 && bytes - UDP_LEN < r.len ? bytes - UDP_LEN : r.len,
		.sport = (uint16_t)be16(header),
		.dport = (uint16_t)be16(header + 2),
		.l4_proto = IPPROTO_UDP};
	return true;
}

bool cls_segment_of(const struct dp_stage_item *item, struct cls_segment *ret)
{
	struct rest r = {.p = item->l3, .len = item->l3 != NULL ? item->l3_len : 0};

	if (r.len == 0 || !(r.p[0] >> 4 == 6 ? skip_ipv6(&r) : r.p[0] >> 4 == 4 && skip_ipv4(&r)))
		return false;
	switch (r.proto) {
	case IPPROTO_TCP:
		return tcp(r, item, ret);
	case IPPROTO_UDP:
		return udp(r, ret);
	default:
		return false;
	}
}
