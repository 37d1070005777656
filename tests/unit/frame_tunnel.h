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

/* 3GPP TS 29.281 5.1: flags 0x02 sequence number, 0x01 N-PDU number. */
static inline uint8_t *frame_gtpu_numbered(struct frame *f, uint32_t teid, uint8_t flags)
{
	uint8_t h[12] = {(uint8_t)(0x30 | flags), 255, [8] = 1, 2, 3, 0x85}; // 0x85 means nothing

	frame_set16(h + 2, frame_len(f) + 4);
	frame_set32(h + 4, teid);
	return frame_put(f, h, sizeof(h));
}
