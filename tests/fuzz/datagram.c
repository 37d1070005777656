// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/datagram.h"

#include <netinet/in.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Byte 0 sizes the tables, then records follow. One of a fragment has six bytes: */
enum {
	HAS_MORE = 1 << 0,
	IPV6 = 1 << 1,
	TUNNEL = 1 << 2, // of the first template, else of a plain datagram
	IS_CUT = 1 << 3, // half of it was not captured
	IS_OVERLONG = 1 << 4, // it claims more than it has
	ID = 3 << 5,
	RAW = 1 << 7, // no fragment, but the IP packet whose length follows in two bytes
	RECORD_LEN = 6, // these flags, offset and length in bytes (16 bits each), time in 64 ms
	TEMPLATE_LEN = 65536 + 65536,
	DATAGRAM_LEN = 1012, // payload of a tunnel's
};

/* Payloads, of which fragments are parts: UDP; and GTP-U around a packet, or around one of the two
 * fragments of one. */
static uint8_t templates[4][TEMPLATE_LEN];

static void check(bool is_true)
{
	if (!is_true)
		abort();
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put_ipv4(uint8_t *p, uint32_t len, uint32_t id, uint32_t frag, uint8_t net)
{
	const uint8_t header[20] = {0x45, [8] = 64, 17, [12] = net, 0, 0, 7, net, 0, 0, 9};

	memcpy(p, header, sizeof(header));
	put16(p + 2, len);
	put16(p + 4, id);
	put16(p + 6, frag);
}

static void make_templates(void)
{
	for (int i = 0; i < 4; i++) {
		uint8_t *p = templates[i];

		for (uint32_t k = 0; k < TEMPLATE_LEN; k++)
			p[k] = (uint8_t)(k * 31 + (k >> 8));
		put16(p, i == 0 ? 50000 : 2152);
		put16(p + 2, i == 0 ? 443 : 2152);
		put16(p + 4, DATAGRAM_LEN);
		if (i == 0)
			continue;
		put16(p + 8, 0x30ff); // 3GPP TS 29.281 5.1: a T-PDU
		put16(p + 10, DATAGRAM_LEN - 16);
		put_ipv4(p + 16, DATAGRAM_LEN - 16, 9, i == 1 ? 0 : i == 2 ? 0x2000 : 122, 10);
	}
}

struct run {
	struct dp_datagrams *d;
	struct dp_endpoint_nets nets;
	uint64_t now_ns, n_added, n_out, n_duplicates;
};

static void take(struct run *r, const struct dp_pkt *p)
{
	check(p->n_frames > 0 && p->n_packets > 0 && p->n_packets <= p->n_frames);
	check(p->time_ns <= r->now_ns);
	check((p->flags & DP_PKT_HAS_PORTS) != 0 || (p->tuple.sport == 0 && p->tuple.dport == 0));
	r->n_out += p->n_frames;
}

static void check_ledger(const struct run *r)
{
	const struct dp_datagram_counters *c = dp_datagrams_counters(r->d);

	check(r->n_added == r->n_out + r->n_duplicates + dp_counter_get(&c->held));
}

static void expire(struct run *r, uint64_t now_ns)
{
	struct dp_pkt p;

	while (dp_datagrams_next(r->d, now_ns, &p)) {
		check(p.l3_len == 0 && (p.flags & DP_PKT_FRAGMENT) != 0);
		take(r, &p);
		check_ledger(r);
	}
}

/* The rebuilt packet, in a block of its own, is sound. */
static void check_whole(const struct dp_datagram_whole *whole, const struct dp_pkt *p)
{
	uint8_t *block = malloc(whole->cap_len);
	struct dp_walk w;

	check(block != NULL && whole->cap_len <= whole->wire_len);
	check((p->flags & DP_PKT_FRAGMENT) == 0);
	check(p->l3_off <= whole->cap_len && p->l3_len <= whole->cap_len - p->l3_off);
	memcpy(block, whole->packet, whole->cap_len);
	check(dp_walk(block, whole->cap_len, whole->wire_len, DP_LINK_RAW_IP, &w) ==
		DP_OUTCOME_ACCOUNTED);
	check(w.n_ip > 1 || !w.ip.is_fragment);
	free(block);
}

/* cap_len bytes of a packet of wire_len. */
static void add(struct run *r, const uint8_t *bytes, uint32_t cap_len, uint32_t wire_len)
{
	uint8_t *block = malloc(cap_len > 0 ? cap_len : 1);
	struct dp_pkt p = {.time_ns = r->now_ns};
	struct dp_datagram_whole whole;
	enum dp_datagram result;
	struct dp_walk w;

	check(block != NULL);
	if (cap_len > 0)
		memcpy(block, bytes, cap_len);
	if (dp_walk(block, cap_len, wire_len, DP_LINK_RAW_IP, &w) != DP_OUTCOME_ACCOUNTED ||
		!w.ip.is_fragment) {
		free(block);
		return;
	}
	dp_packet_of(&w, &r->nets, wire_len, &p);
	expire(r, r->now_ns);
	result = dp_datagrams_open(r->d, &w, &p, &whole);
	r->n_added++;
	if (result == DP_DATAGRAM_REPEATED)
		r->n_duplicates += p.n_frames;
	if (result == DP_DATAGRAM_CREDIT || result == DP_DATAGRAM_WHOLE)
		take(r, &p);
	if (result == DP_DATAGRAM_CREDIT)
		check((p.flags & DP_PKT_FRAGMENT) != 0 && p.l3_off + p.l3_len <= cap_len);
	if (result == DP_DATAGRAM_WHOLE)
		check_whole(&whole, &p);
	check_ledger(r);
	free(block);
}

static void add_fragment(struct run *r, const uint8_t *record)
{
	static uint8_t bytes[48 + 65536];
	const uint8_t flags = record[0], id = (flags & ID) >> 5;
	const uint32_t begin = (uint32_t)(record[1] << 8 | record[2]) & 0xfff8;
	uint32_t len = (uint32_t)(record[3] << 8 | record[4]), header_len = 20;

	len = len < 65400 ? len : 65400;
	if ((flags & IPV6) != 0) {
		const uint8_t header[48] = {0x60, [6] = IPPROTO_FRAGMENT,
			64, [8] = 0xfd, [23] = 7, [24] = 0x20, 0x01, 0x0d,
			0xb8, [39] = 9, [40] = IPPROTO_UDP};

		header_len = sizeof(header);
		memcpy(bytes, header, sizeof(header));
		put16(bytes + 4, 8 + len + ((flags & IS_OVERLONG) != 0));
		put16(bytes + 42, begin | (flags & HAS_MORE));
		bytes[47] = id;
	} else {
		put_ipv4(bytes, header_len + len + ((flags & IS_OVERLONG) != 0), id,
			begin / 8 | ((flags & HAS_MORE) != 0 ? 0x2000U : 0), 192);
	}
	memcpy(bytes + header_len, templates[(flags & TUNNEL) != 0 ? 1 + id % 3 : 0] + begin, len);
	r->now_ns += (uint64_t)record[5] * 64000000;
	len += header_len;
	add(r, bytes, (flags & IS_CUT) != 0 ? len / 2 : len, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dp_datagram_config config = {.timeout_ns = 5000000000};
	struct run r = {.now_ns = 1};

	if (size == 0 || size > 65536)
		return -1;
	if (templates[1][0] == 0)
		make_templates();
	config.n_datagrams = UINT32_C(1) << (data[0] & 3);
	config.n_buffers = 1 + (data[0] >> 2 & 3);
	config.drops_repeated = (data[0] & 0x10) != 0;
	dp_endpoint_nets_default(&r.nets);
	check(dp_datagrams_new(&config, &r.nets, &r.d) == 0);
	for (size_t at = 1; size - at >= RECORD_LEN;) {
		if ((data[at] & RAW) == 0) {
			add_fragment(&r, data + at);
			at += RECORD_LEN;
			continue;
		}

		const size_t left = size - at - 3;
		const size_t claimed = (size_t)data[at + 1] << 8 | data[at + 2];
		const uint32_t len = (uint32_t)(claimed < left ? claimed : left);

		add(&r, data + at + 3, len, len);
		at += 3 + len;
	}
	expire(&r, UINT64_MAX);
	check(r.n_added == r.n_out + r.n_duplicates);
	dp_datagrams_free(r.d);
	return 0;
}
