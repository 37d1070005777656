// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Frames for tests, built from the inside out: put the payload, then each header in front of what is
 * there. So every length field is right by construction, and a test that wants a wrong one says so. */

#include <arpa/inet.h>
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { FRAME_ROOM = 4096 };

struct frame {
	uint8_t room[FRAME_ROOM];
	uint32_t off; // of the first byte
};

static inline struct frame *frame_new(struct frame *f)
{
	f->off = FRAME_ROOM;
	return f;
}

static inline uint8_t *frame_bytes(struct frame *f)
{
	return f->room + f->off;
}

static inline uint32_t frame_len(const struct frame *f)
{
	return FRAME_ROOM - f->off;
}

/* n bytes in front; returns where they begin. */
static inline uint8_t *frame_put(struct frame *f, const void *bytes, uint32_t n)
{
	assert(n <= f->off);
	f->off -= n;
	if (n > 0)
		memcpy(frame_bytes(f), bytes, n);
	return frame_bytes(f);
}

static inline void frame_set16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void frame_set32(uint8_t *p, uint32_t v)
{
	frame_set16(p, v >> 16);
	frame_set16(p + 2, v);
}

static inline void frame_udp(struct frame *f, uint16_t sport, uint16_t dport)
{
	uint8_t h[8] = {0}; // RFC 768

	frame_set16(h, sport);
	frame_set16(h + 2, dport);
	frame_set16(h + 4, sizeof(h) + frame_len(f));
	frame_put(f, h, sizeof(h));
}

static inline void frame_tcp(
	struct frame *f, uint16_t sport, uint16_t dport, uint8_t flags, uint32_t seq)
{
	uint8_t h[20] = {[12] = 0x50, [13] = flags, [14] = 0xff, [15] = 0xff}; // RFC 9293 3.1

	frame_set16(h, sport);
	frame_set16(h + 2, dport);
	frame_set32(h + 4, seq);
	frame_put(f, h, sizeof(h));
}

/* frag: RFC 791 3.1, flags and offset as on the wire; n_options: words of no-operation. */
static inline uint8_t *frame_ipv4_with(struct frame *f, uint8_t proto, const char *src,
	const char *dst, uint16_t frag, uint32_t n_options)
{
	uint8_t h[60] = {[0] = (uint8_t)(0x45 + n_options), [8] = 64, [9] = proto};
	const uint32_t len = 20 + 4 * n_options;
	const int is_ok = inet_pton(AF_INET, src, h + 12) == 1 &&
		inet_pton(AF_INET, dst, h + 16) == 1;

	assert(is_ok && n_options <= 10);
	(void)is_ok;
	memset(h + 20, 1, len - 20);
	frame_set16(h + 2, len + frame_len(f));
	frame_set16(h + 6, frag);
	return frame_put(f, h, len);
}

static inline uint8_t *frame_ipv4(struct frame *f, uint8_t proto, const char *src, const char *dst)
{
	return frame_ipv4_with(f, proto, src, dst, 0, 0);
}

static inline uint8_t *frame_ipv6(struct frame *f, uint8_t next, const char *src, const char *dst)
{
	uint8_t h[40] = {[0] = 0x60, [6] = next, [7] = 64}; // RFC 8200 3
	const int is_ok = inet_pton(AF_INET6, src, h + 8) == 1 &&
		inet_pton(AF_INET6, dst, h + 24) == 1;

	assert(is_ok);
	(void)is_ok;
	frame_set16(h + 4, frame_len(f));
	return frame_put(f, h, sizeof(h));
}

/* An IPv6 extension header of 8 * (n_words + 1) bytes in front (RFC 8200 4.3, 4.6; for the fragment
 * header give 0 words and set the offset afterwards). */
static inline uint8_t *frame_ipv6_ext(struct frame *f, uint8_t next, uint8_t n_words)
{
	uint8_t h[64] = {[0] = next, [1] = n_words};

	assert(n_words < 8);
	return frame_put(f, h, 8 * (n_words + 1U));
}

/* RFC 4302 2.2: 12 bytes and the check value, here of 12. */
static inline uint8_t *frame_ah(struct frame *f, uint8_t next)
{
	uint8_t h[24] = {[0] = next, [1] = sizeof(h) / 4 - 2, [12 ... 23] = 0xc5};

	return frame_put(f, h, sizeof(h));
}

/* 3GPP TS 29.281 5.1: a T-PDU. n_ext extension headers of 4 bytes each (5.2.1). */
static inline uint8_t *frame_gtpu(struct frame *f, uint32_t teid, unsigned int n_ext)
{
	uint8_t h[12] = {0x30, 255};

	for (unsigned int i = 0; i < n_ext; i++) {
		// PDU Session Container, 3GPP TS 38.415: the last field is the next header's type
		const uint8_t ext[4] = {1, 0, 9, i == 0 ? 0 : 0x85};

		frame_put(f, ext, sizeof(ext));
	}
	if (n_ext > 0) {
		h[0] |= 0x04;
		h[11] = 0x85;
	}
	frame_set32(h + 4, teid);
	frame_set16(h + 2, frame_len(f) + (n_ext > 0 ? 4 : 0));
	return frame_put(f, h, n_ext > 0 ? 12 : 8);
}

static inline void frame_type(struct frame *f, uint16_t ethertype)
{
	uint8_t h[2];

	frame_set16(h, ethertype);
	frame_put(f, h, sizeof(h));
}

/* An IEEE 802.1Q tag whose TPID is what frame_ethernet() or the tag in front names. */
static inline void frame_tag(struct frame *f, uint16_t ethertype, uint16_t vid)
{
	frame_type(f, ethertype);
	frame_type(f, vid);
}

static inline void frame_ethernet(struct frame *f, uint16_t ethertype)
{
	static const uint8_t macs[12] = {
		2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}; // locally administered

	frame_type(f, ethertype);
	frame_put(f, macs, sizeof(macs));
}

/* LINKTYPE_LINUX_SLL: packet type, ARPHRD, address, protocol. */
static inline void frame_sll(struct frame *f, uint16_t ethertype)
{
	static const uint8_t h[14] = {[3] = 1, [5] = 6};

	frame_type(f, ethertype);
	frame_put(f, h, sizeof(h));
}

/* LINKTYPE_LINUX_SLL2: protocol first. */
static inline void frame_sll2(struct frame *f, uint16_t ethertype)
{
	static const uint8_t h[18] = {[5] = 1, [9] = 1, [11] = 6};

	frame_put(f, h, sizeof(h));
	frame_type(f, ethertype);
}
