// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Fragments into dp_datagrams_open(), as a receiver gives them: each from a heap block of its own
 * length, and after each one the ledger is held against what went in. */

#include "dataplane/datagram.h"
#include "tests/unit/frame.h"

#include <netinet/in.h>
#include <stdlib.h>

enum {
	RIG_S = 1000, // ms
	RIG_TIMEOUT = 5 * RIG_S,
	RIG_PACKET_MAX = 70000,
	RIG_OUT_MAX = 256,
};

/* What was handed on. */
struct rig_out {
	struct dp_pkt pkt;
	bool is_whole; // for the classifier
	uint32_t n_bytes; // of l3
	uint8_t l3[DP_DATAGRAM_HEADER_MAX + DP_DATAGRAM_BYTES];
};

struct rig {
	struct dp_datagrams *d;
	struct dp_endpoint_nets nets;
	uint64_t now_ms;
	struct rig_out *out; // RIG_OUT_MAX of them, the first n_out filled
	uint32_t n_out;
	uint64_t n_added, n_frames, n_packets, ip_bytes, n_duplicates;
};

static inline uint64_t rig_count(const dp_counter *c)
{
	return dp_counter_get(c);
}

static inline const struct dp_datagram_counters *rig_counters(const struct rig *r)
{
	return dp_datagrams_counters(r->d);
}

static inline void rig_init(struct rig *r, struct dp_datagram_config config)
{
	*r = (struct rig){.now_ms = 100 * RIG_S};
	dp_endpoint_nets_default(&r->nets);
	config.n_datagrams = config.n_datagrams > 0 ? config.n_datagrams : 64;
	config.n_buffers = config.n_buffers > 0 ? config.n_buffers : 16;
	config.timeout_ns = UINT64_C(1000000) * RIG_TIMEOUT;
	r->out = calloc(RIG_OUT_MAX, sizeof(*r->out));
	assert_non_null(r->out);
	assert_int_equal(dp_datagrams_new(&config, &r->nets, &r->d), 0);
}

static inline void rig_fini(struct rig *r)
{
	dp_datagrams_free(r->d);
	free(r->out);
}

static inline void rig_take(struct rig *r, const struct dp_pkt *p, const uint8_t *l3)
{
	r->n_frames += p->n_frames;
	r->n_packets += p->n_packets;
	r->ip_bytes += p->ip_bytes;
	if (r->n_out == RIG_OUT_MAX)
		r->n_out = 0;

	struct rig_out *o = &r->out[r->n_out++];

	o->pkt = *p;
	o->is_whole = (p->flags & DP_PKT_FRAGMENT) == 0;
	o->n_bytes = l3 != NULL ? p->l3_len : 0;
	assert_in_range(o->n_bytes, 0, sizeof(o->l3));
	if (l3 != NULL)
		memcpy(o->l3, l3, o->n_bytes);
}

static inline void rig_check(const struct rig *r)
{
	assert_int_equal(
		r->n_added, r->n_frames + r->n_duplicates + rig_count(&rig_counters(r)->held));
}

static inline void rig_expire(struct rig *r, uint64_t now_ns)
{
	struct dp_pkt p;

	while (dp_datagrams_next(r->d, now_ns, &p)) {
		assert_int_equal(p.l3_len, 0);
		assert_true((p.flags & DP_PKT_FRAGMENT) != 0);
		assert_true(p.n_frames > 0 && p.n_packets > 0);
		rig_take(r, &p, NULL);
		rig_check(r);
	}
}

static inline void rig_advance(struct rig *r, uint64_t ms)
{
	r->now_ms += ms;
	rig_expire(r, r->now_ms * 1000000);
}

static inline void rig_end(struct rig *r)
{
	rig_expire(r, UINT64_MAX);
	assert_int_equal(rig_count(&rig_counters(r)->held), 0);
	assert_int_equal(r->n_added, r->n_frames + r->n_duplicates);
}

/* A frame: cap_len bytes of a fragment of wire_len, from its IP header on. */
static inline enum dp_datagram rig_cut(
	struct rig *r, const uint8_t *bytes, uint32_t cap_len, uint32_t wire_len)
{
	uint8_t *block = malloc(cap_len);
	struct dp_datagram_whole whole;
	struct dp_pkt p = {.time_ns = r->now_ms * 1000000};
	struct dp_walk w;
	enum dp_datagram result;

	assert_non_null(block);
	memcpy(block, bytes, cap_len);
	assert_int_equal(
		dp_walk(block, cap_len, wire_len, DP_LINK_RAW_IP, &w), DP_OUTCOME_ACCOUNTED);
	assert_true(w.ip.is_fragment);
	dp_packet_of(&w, &r->nets, wire_len, &p);
	rig_expire(r, p.time_ns);
	result = dp_datagrams_open(r->d, &w, &p, &whole);
	r->n_added++;
	if (result == DP_DATAGRAM_REPEATED)
		r->n_duplicates += p.n_frames;
	if (result == DP_DATAGRAM_CREDIT)
		rig_take(r, &p, p.l3_len > 0 ? block + p.l3_off : NULL);
	if (result == DP_DATAGRAM_WHOLE) {
		assert_true(p.l3_off + p.l3_len <= whole.cap_len);
		rig_take(r, &p, whole.packet + p.l3_off);
	}
	rig_check(r);
	free(block);
	return result;
}

static inline enum dp_datagram rig_send(struct rig *r, const uint8_t *bytes, uint32_t len)
{
	return rig_cut(r, bytes, len, len);
}

/* --- packets and their fragments ------------------------------------------------------------- */

struct packet {
	uint8_t bytes[RIG_PACKET_MAX];
	uint32_t len;
	uint32_t header_len; // what every fragment repeats
	uint32_t next_off; // IPv6: of the Next Header byte that names what follows the header
	uint32_t id;
};

static inline uint32_t packet_payload(const struct packet *p)
{
	return p->len - p->header_len;
}

static inline void packet_of(struct packet *p, const uint8_t *bytes, uint32_t len, uint32_t id)
{
	const bool is_ipv6 = bytes[0] >> 4 == 6;

	*p = (struct packet){.len = len,
		.header_len = is_ipv6 ? 40 : (bytes[0] & 0x0fU) * 4,
		.next_off = is_ipv6 ? 6 : 0,
		.id = id};
	assert_in_range(len, p->header_len, RIG_PACKET_MAX);
	memcpy(p->bytes, bytes, len);
	if (!is_ipv6)
		frame_set16(p->bytes + 4, id);
}

/* Bytes that are nowhere the same. */
static inline void put_pattern(struct frame *f, uint32_t n, uint32_t seed)
{
	uint8_t bytes[FRAME_ROOM];

	for (uint32_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)((i + seed) * 31 + (i >> 6));
	frame_put(frame_new(f), bytes, n);
}

/* One fragment of p: payload from begin to end, as it is in p, 8 bytes longer with IPv6. Returns its
 * length. */
static inline uint32_t packet_fragment(
	const struct packet *p, uint32_t begin, uint32_t end, bool has_more, uint8_t *ret_bytes)
{
	const bool is_ipv6 = p->bytes[0] >> 4 == 6;
	uint8_t *at = ret_bytes + p->header_len;

	memcpy(ret_bytes, p->bytes, p->header_len);
	if (is_ipv6) {
		const uint8_t next = ret_bytes[p->next_off];

		ret_bytes[p->next_off] = IPPROTO_FRAGMENT;
		memset(at, 0, 8);
		at[0] = next;
		frame_set16(at + 2, begin | has_more);
		frame_set32(at + 4, p->id);
		at += 8;
		frame_set16(ret_bytes + 4, p->header_len - 40 + 8 + end - begin);
	} else {
		frame_set16(ret_bytes + 2, p->header_len + end - begin);
		frame_set16(ret_bytes + 6, begin / 8 | (has_more ? 0x2000U : 0));
	}
	memcpy(at, p->bytes + p->header_len + begin, end - begin);
	return (uint32_t)(at - ret_bytes) + end - begin;
}

/* Send the fragment from begin to end; the last one ends where p ends. */
static inline enum dp_datagram rig_piece(
	struct rig *r, const struct packet *p, uint32_t begin, uint32_t end)
{
	static uint8_t bytes[RIG_PACKET_MAX];
	const uint32_t len = packet_fragment(p, begin, end, end < packet_payload(p), bytes);

	return rig_send(r, bytes, len);
}

static const char RIG_CLIENT[] = "10.0.0.7", RIG_SERVER[] = "203.0.113.9";
static const char RIG_CLIENT6[] = "fd00:1:2:3::5", RIG_SERVER6[] = "2001:db8::9";
static const char RIG_GATEWAY[2][16] = {"192.0.2.1", "198.51.100.1"};

/* UDP with n bytes from the client's port 50000 to the server's 443. */
static inline void packet_udp(struct packet *p, bool is_ipv6, uint32_t n, uint32_t id)
{
	struct frame f;

	put_pattern(&f, n, id);
	frame_udp(&f, 50000, 443);
	if (is_ipv6)
		frame_ipv6(&f, IPPROTO_UDP, RIG_CLIENT6, RIG_SERVER6);
	else
		frame_ipv4(&f, IPPROTO_UDP, RIG_CLIENT, RIG_SERVER);
	packet_of(p, frame_bytes(&f), frame_len(&f), id);
}

/* Those bytes of an IP packet in a GTP-U tunnel between the gateways. */
static inline void packet_tunnel(
	struct packet *p, const uint8_t *inner, uint32_t inner_len, uint32_t id)
{
	struct frame f;

	frame_put(frame_new(&f), inner, inner_len);
	frame_gtpu(&f, 0x0a0b0c0d, 0);
	frame_udp(&f, 2152, 2152);
	frame_ipv4(&f, IPPROTO_UDP, RIG_GATEWAY[0], RIG_GATEWAY[1]);
	packet_of(p, frame_bytes(&f), frame_len(&f), id);
}
