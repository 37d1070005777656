// SPDX-License-Identifier: BSD-3-Clause
#include "control/sample_packet.h"

#include "dataplane/sampler.h"
#include "dataplane/walk.h"

#include <glib.h>
#include <netinet/in.h>

/* RFC 791 3.1, RFC 8200 3, RFC 9293 3.1, RFC 768. */
enum {
	IPV4_LEN = 20,
	IPV4_SUM = 10,
	IPV4_SRC = 12,
	IPV6_LEN = 40,
	IPV6_SRC = 8,
	TCP_LEN = 20,
	TCP_OFFSET = 12,
	TCP_SUM = 16,
	UDP_LEN = 8,
	UDP_SUM = 6,
};

struct packet {
	uint8_t *ip;
	size_t len; // that is kept
	size_t l4_off, payload_off; // payload_off <= len
	uint8_t proto;
	bool is_v4;
	uint8_t *addr; // the endpoint's in the header
};

/* --- where everything stands ------------------------------------------------------------------ */

static size_t l4_len(const struct dp_ip *ip, const uint8_t *l4, size_t n)
{
	const size_t least = ip->proto == IPPROTO_TCP ? TCP_LEN : UDP_LEN;
	size_t len = least;

	if (n < least)
		return 0;
	if (ip->proto == IPPROTO_TCP)
		len = l4[TCP_OFFSET] >> 2 & 0x3c;
	return len < least ? 0 : len;
}

static bool parse(uint8_t *bytes, size_t len, uint32_t ip_bytes, bool is_up, struct packet *ret)
{
	struct dp_walk w;
	size_t header;

	if (dp_walk(bytes, (uint32_t)len, MAX(ip_bytes, (uint32_t)len), DP_LINK_RAW_IP, &w) !=
			DP_OUTCOME_ACCOUNTED ||
		w.n_ip != 1 || w.ip.is_fragment || !w.ip.has_l4 || w.ip.l4_off > w.ip.cap_bytes ||
		(w.ip.proto != IPPROTO_TCP && w.ip.proto != IPPROTO_UDP))
		return false;
	header = l4_len(&w.ip, bytes + w.ip.l4_off, w.ip.cap_bytes - w.ip.l4_off);
	*ret = (struct packet){.ip = bytes,
		.len = w.ip.cap_bytes,
		.l4_off = w.ip.l4_off,
		.payload_off = MIN(w.ip.l4_off + header, w.ip.cap_bytes),
		.proto = w.ip.proto,
		.is_v4 = bytes[0] >> 4 == 4}; // an address of IPv6 may look like one of IPv4
	ret->addr = ret->is_v4 ? bytes + IPV4_SRC + (is_up ? 0 : 4)
			       : bytes + IPV6_SRC + (is_up ? 0 : 16);
	return header > 0;
}

/* --- checksums -------------------------------------------------------------------------------- */

/* RFC 1071, of n bytes; one that stands alone at the end is a word's first. */
static uint32_t sum_of(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* RFC 1624 3, equation 3: what the sum of the changed bytes was and is. */
static void mend(uint8_t *field, uint32_t was, uint32_t is, bool is_udp)
{
	uint32_t sum = (uint32_t)field[0] << 8 | field[1];

	if (is_udp && sum == 0)
		return; // RFC 768: there is none
	sum = (~sum & 0xffff) + (~was & 0xffff) + is;
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	if (is_udp && sum == 0)
		sum = 0xffff;
	field[0] = (uint8_t)(sum >> 8);
	field[1] = (uint8_t)sum;
}

/* The pseudo header's addresses and all of L4 that is kept, as *bytes has it. */
static uint32_t l4_sum(const struct packet *p, const uint8_t *bytes)
{
	const uint32_t addrs = p->is_v4 ? sum_of(bytes + IPV4_SRC, 8, 0)
					: sum_of(bytes + IPV6_SRC, 32, 0);

	return sum_of(bytes + p->l4_off, p->len - p->l4_off, addrs);
}

/* was: the packet before anything was changed. */
static void mend_all(const struct packet *p, const uint8_t *was)
{
	const size_t at = p->l4_off + (p->proto == IPPROTO_TCP ? TCP_SUM : UDP_SUM);
	const uint32_t before = l4_sum(p, was), after = l4_sum(p, p->ip);

	if (p->is_v4)
		mend(p->ip + IPV4_SUM, sum_of(was, p->l4_off, 0), sum_of(p->ip, p->l4_off, 0),
			false);
	mend(p->ip + at, before, after, p->proto == IPPROTO_UDP);
}

/* --- the endpoint's address ------------------------------------------------------------------- */

/* Wherever `what` stands in the bytes, `with` stands. */
static void replace(
	uint8_t *bytes, size_t n, const uint8_t *what, const uint8_t *with, size_t what_len)
{
	uint8_t *at;

	while ((at = memmem(bytes, n, what, what_len)) != NULL) {
		memcpy(at, with, what_len);
		n -= (size_t)(at + what_len - bytes);
		bytes = at + what_len;
	}
}

static void replace_text(uint8_t *bytes, size_t n, const struct dp_addr *addr)
{
	char text[DP_ADDR_STRLEN], blot[DP_ADDR_STRLEN];
	const size_t len = strlen(dp_addr_format(addr, text));

	memset(blot, 'x', len);
	replace(bytes, n, (const uint8_t *)text, (const uint8_t *)blot, len);
}

/* In network order, in the other one, and as STUN's XOR-MAPPED-ADDRESS has it (RFC 8489 14.2). */
static void replace_v4(uint8_t *bytes, size_t n, const uint8_t *was, const uint8_t *is)
{
	static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42};
	uint8_t turned[2][4], xored[2][4];

	for (size_t i = 0; i < 4; i++) {
		turned[0][i] = was[3 - i];
		turned[1][i] = is[3 - i];
		xored[0][i] = was[i] ^ cookie[i];
		xored[1][i] = is[i] ^ cookie[i];
	}
	replace(bytes, n, was, is, 4);
	replace(bytes, n, turned[0], turned[1], 4);
	replace(bytes, n, xored[0], xored[1], 4);
}

/* Either half tells who it is; one with hardly a bit in it (::1) tells nobody, and stands everywhere. */
static void replace_v6(uint8_t *bytes, size_t n, const uint8_t *was, const uint8_t *is)
{
	enum { HALF = 8, TELLING = 3 };

	for (size_t at = 0; at < 2 * HALF; at += HALF) {
		size_t n_set = 0;

		for (size_t i = 0; i < HALF; i++)
			n_set += was[at + i] != 0;
		if (n_set >= TELLING)
			replace(bytes, n, was + at, is + at, HALF);
	}
}

static void hide_in(const struct packet *p, size_t from, size_t to, const struct dp_addr *was,
	const struct dp_addr *is)
{
	if (from >= to)
		return;
	if (p->is_v4)
		replace_v4(p->ip + from, to - from, was->b + 12, is->b + 12);
	else
		replace_v6(p->ip + from, to - from, was->b, is->b);
	replace_text(p->ip + from, to - from, was);
}

/* In the header; in options and extensions of IP, in those of TCP, in what is kept behind. */
static void hide(struct packet *p, struct ctl_sample_addrs *addrs, const struct dp_addr *endpoint)
{
	const size_t l4_len = p->proto == IPPROTO_TCP ? TCP_LEN : UDP_LEN;
	struct dp_addr was, is;

	if (p->is_v4)
		was = dp_addr_from_v4(p->addr);
	else
		memcpy(was.b, p->addr, sizeof(was.b));
	is = ctl_sample_addrs_get(addrs, endpoint, &was);
	memcpy(p->addr, p->is_v4 ? is.b + 12 : is.b, p->is_v4 ? 4 : sizeof(is.b));
	hide_in(p, p->is_v4 ? IPV4_LEN : IPV6_LEN, p->l4_off, &was, &is);
	hide_in(p, p->l4_off + l4_len, p->len, &was, &is);
}

size_t ctl_sample_packet(struct ctl_sample_keep *keep, struct ctl_sample_addrs *addrs,
	const struct dp_addr *endpoint, bool is_up, uint8_t *ip, size_t len, uint32_t ip_bytes)
{
	uint8_t was[DP_SAMPLE_SNAP_MAX];
	struct packet p;

	if (len > sizeof(was) || !parse(ip, len, ip_bytes, is_up, &p))
		return 0;
	memcpy(was, ip, p.len);
	if (p.len > p.payload_off)
		p.len = p.payload_off +
			ctl_sample_keep(keep, ip + p.payload_off, p.len - p.payload_off, is_up);
	hide(&p, addrs, endpoint);
	mend_all(&p, was);
	return p.len;
}
