// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Headers of tunnels, put in front of what is there as tests/unit/frame.h does it. */

#include "tests/unit/frame.h"

enum {
	GRE_CHECKSUM = 0x8000,
	GRE_ROUTING = 0x4000,
	GRE_KEY = 0x2000,
	GRE_SEQUENCE = 0x1000,
	GRE_ACK = 0x0080,
	L2TP_CONTROL = 0x8000,
	L2TP_LENGTH = 0x4000,
	L2TP_SEQUENCE = 0x0800,
	L2TP_OFFSET = 0x0200,
};

/* The ethertype of the IP packet in front. */
static inline uint16_t frame_ip_type(struct frame *f)
{
	return frame_bytes(f)[0] >> 4 == 4 ? 0x0800 : 0x86dd;
}

/* RFC 2784, RFC 2890. */
static inline uint8_t *frame_gre(struct frame *f, uint16_t flags, uint16_t type, uint32_t key)
{
	uint8_t word[4] = {0};

	if ((flags & GRE_SEQUENCE) != 0)
		frame_put(f, word, sizeof(word));
	if ((flags & GRE_KEY) != 0) {
		frame_set32(word, key);
		frame_put(f, word, sizeof(word));
	}
	if ((flags & GRE_CHECKSUM) != 0)
		frame_put(f, word, sizeof(word));
	frame_set16(word, flags);
	frame_set16(word + 2, type);
	return frame_put(f, word, sizeof(word));
}

/* RFC 2637 4.1. flags: GRE_SEQUENCE, GRE_ACK. */
static inline uint8_t *frame_pptp(struct frame *f, uint16_t flags, uint16_t call)
{
	const uint32_t payload_len = frame_len(f);
	uint8_t word[4] = {0};

	if ((flags & GRE_ACK) != 0)
		frame_put(f, word, sizeof(word));
	if ((flags & GRE_SEQUENCE) != 0)
		frame_put(f, word, sizeof(word));
	frame_set16(word, payload_len);
	frame_set16(word + 2, call);
	frame_put(f, word, sizeof(word));
	frame_set16(word, (uint32_t)GRE_KEY | flags | 1);
	frame_set16(word + 2, 0x880b);
	return frame_put(f, word, sizeof(word));
}

/* draft-foschiano-erspan-03 4.2: VLAN 0, no class, session. */
static inline uint8_t *frame_erspan2(struct frame *f, uint16_t session)
{
	uint8_t h[8] = {0x10};

	frame_set16(h + 2, session);
	return frame_put(f, h, sizeof(h));
}

/* draft-foschiano-erspan-03 4.3. */
static inline uint8_t *frame_erspan3(
	struct frame *f, uint16_t session, uint8_t frame_type, bool has_subheader)
{
	uint8_t h[20] = {0x20, [10] = (uint8_t)(0x80 | frame_type << 2), [11] = has_subheader};

	frame_set16(h + 2, session);
	return frame_put(f, h, has_subheader ? 20 : 12);
}

/* RFC 7348 5. */
static inline uint8_t *frame_vxlan(struct frame *f, uint32_t vni)
{
	uint8_t h[8] = {0x08};

	frame_set32(h + 4, vni << 8);
	return frame_put(f, h, sizeof(h));
}

/* RFC 8926 3.4. n_words: of options. */
static inline uint8_t *frame_geneve(struct frame *f, uint16_t type, uint32_t vni, uint8_t n_words)
{
	static const uint8_t options[63 * 4] = {0};
	uint8_t h[8] = {n_words};

	assert(n_words < 64);
	frame_put(f, options, n_words * 4U);
	frame_set16(h + 2, type);
	frame_set32(h + 4, vni << 8);
	return frame_put(f, h, sizeof(h));
}

/* RFC 4380 5.1.1. */
static inline uint8_t *frame_teredo_origin(struct frame *f)
{
	static const uint8_t h[8] = {0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	return frame_put(f, h, sizeof(h));
}

static inline uint8_t *frame_teredo_authentication(
	struct frame *f, uint8_t id_len, uint8_t value_len)
{
	uint8_t h[13 + 2 * 255] = {0, 1, id_len, value_len};

	return frame_put(f, h, 13U + id_len + value_len);
}

/* RFC 2661 3.1. n_padding: bytes of offset padding, with L2TP_OFFSET. */
static inline uint8_t *frame_l2tp(
	struct frame *f, uint16_t flags, uint16_t session, uint16_t n_padding)
{
	static const uint8_t padding[64] = {0};
	uint8_t h[4] = {0};

	assert(n_padding <= sizeof(padding));
	if ((flags & L2TP_OFFSET) != 0) {
		frame_put(f, padding, n_padding);
		frame_type(f, n_padding);
	}
	if ((flags & L2TP_SEQUENCE) != 0)
		frame_put(f, h, sizeof(h));
	frame_set16(h, 5);
	frame_set16(h + 2, session);
	frame_put(f, h, sizeof(h));
	if ((flags & L2TP_LENGTH) != 0)
		frame_type(f, (uint16_t)(frame_len(f) + 4));
	frame_type(f, flags | 2);
	return frame_bytes(f);
}

/* 3GPP TS 29.281 5.1: flags 0x02 sequence number, 0x01 N-PDU number. */
static inline uint8_t *frame_gtpu_numbered(struct frame *f, uint32_t teid, uint8_t flags)
{
	uint8_t h[12] = {(uint8_t)(0x30 | flags), 255, [8] = 1, 2, 3, 0x85}; // 0x85 means nothing

	frame_set16(h + 2, frame_len(f) + 4);
	frame_set32(h + 4, teid);
	return frame_put(f, h, sizeof(h));
}
