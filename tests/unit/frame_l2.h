// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Headers below IP for tests, in the way of tests/unit/frame.h: each is put in front of what is
 * there. The functions return the header's first byte where a test may want to break it. */

#include "tests/unit/frame.h"
#include "tests/unit/walk_check.h"

#include <netinet/in.h>
#include <stdbool.h>

/* The packets inside: UDP with five bytes from a subscriber, whose reading is want_v4, want_v6. */
static inline void l2_udp(struct frame *f)
{
	frame_put(frame_new(f), "hello", 5);
	frame_udp(f, 50000, 53);
}

/* RFC 1071, of the header at p. */
static inline void l2_checksum(uint8_t *p)
{
	uint32_t sum = 0;

	frame_set16(p + 10, 0);
	for (uint32_t i = 0; i < (uint32_t)(p[0] & 0x0f) * 4; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	frame_set16(p + 10, ~((sum & 0xffff) + (sum >> 16)) & 0xffff);
}

static inline uint8_t *l2_ipv4(struct frame *f)
{
	l2_udp(f);
	l2_checksum(frame_ipv4(f, IPPROTO_UDP, "10.0.0.7", "203.0.113.9"));
	return frame_bytes(f);
}

static inline uint8_t *l2_ipv6(struct frame *f)
{
	l2_udp(f);
	return frame_ipv6(f, IPPROTO_UDP, "fd00:1:2:3::5", "2001:db8::9");
}

/* What walk_check_found() is to find of them. */
static inline struct walk_want l2_want(bool is_v6, uint32_t encaps)
{
	return (struct walk_want){.src = is_v6 ? "fd00:1:2:3::5" : "10.0.0.7",
		.dst = is_v6 ? "2001:db8::9" : "203.0.113.9",
		.sport = 50000,
		.dport = 53,
		.proto = IPPROTO_UDP,
		.n_ip = 1,
		.ip_bytes = is_v6 ? 53 : 33,
		.encaps = encaps};
}

static inline void l2_found(struct frame *f, enum dp_link link, bool is_v6, uint32_t encaps)
{
	const struct walk_want want = l2_want(is_v6, encaps);

	walk_check_found(frame_bytes(f), frame_len(f), link, &want);
	walk_check_mutants(frame_bytes(f), frame_len(f), link);
}

static inline void l2_none(
	struct frame *f, enum dp_link link, enum dp_outcome outcome, const char *refusal)
{
	walk_check_none(frame_bytes(f), frame_len(f), link, outcome, refusal);
	walk_check_mutants(frame_bytes(f), frame_len(f), link);
}

/* n bytes behind what is there: padding, a frame check sequence. */
static inline void l2_append(struct frame *f, uint32_t n)
{
	assert(n <= f->off);
	memmove(f->room + f->off - n, f->room + f->off, frame_len(f));
	memset(f->room + FRAME_ROOM - n, 0xee, n);
	f->off -= n;
}

/* IEEE 802.2 SNAP. */
static inline uint8_t *frame_snap(struct frame *f, uint32_t oui, uint16_t type)
{
	const uint8_t h[6] = {
		0xaa, 0xaa, 0x03, (uint8_t)(oui >> 16), (uint8_t)(oui >> 8), (uint8_t)oui};

	frame_type(f, type);
	return frame_put(f, h, sizeof(h));
}

/* RFC 3032 2.1, with a time to live that is no part of a MAC address. */
static inline uint8_t *frame_label(struct frame *f, uint32_t label, bool is_bottom)
{
	uint8_t h[4];

	frame_set32(h, label << 12 | (is_bottom ? 0x100 : 0) | 64);
	return frame_put(f, h, sizeof(h));
}

/* An Ethernet header whose destination begins with two bytes of the test's. */
static inline uint8_t *frame_ethernet_to(
	struct frame *f, uint8_t first, uint8_t second, uint16_t type)
{
	uint8_t *p;

	frame_ethernet(f, type);
	p = frame_bytes(f);
	p[0] = first;
	p[1] = second;
	return p;
}

/* RFC 1661 2. Below 256 as one byte where is_short. */
static inline uint8_t *frame_ppp(struct frame *f, uint16_t protocol, bool is_short)
{
	const uint8_t low = (uint8_t)protocol;

	if (is_short)
		return frame_put(f, &low, 1);
	frame_type(f, protocol);
	return frame_bytes(f);
}

/* RFC 1662 3.1: address and control. */
static inline uint8_t *frame_hdlc(struct frame *f)
{
	return frame_put(f, "\xff\x03", 2);
}

static inline uint8_t *frame_chdlc(struct frame *f, uint8_t address, uint16_t type)
{
	const uint8_t h[2] = {address};

	frame_type(f, type);
	return frame_put(f, h, sizeof(h));
}

/* RFC 2516 4. */
static inline uint8_t *frame_pppoe(struct frame *f, uint8_t code)
{
	uint8_t h[6] = {0x11, code, 0, 42};

	frame_set16(h + 4, frame_len(f));
	return frame_put(f, h, sizeof(h));
}

/* IEEE 802.11: the first two bytes say which fields follow the first 24. */
static inline uint8_t *frame_wlan(struct frame *f, uint8_t first, uint8_t second)
{
	static const uint8_t rest[12] = {0};
	const bool is_qos = (first & 0x80) != 0, has_four = (second & 0x03) == 0x03;
	uint8_t h[24] = {first, second, [4] = 2, [10] = 2, [16] = 2, [22] = 0xf0};

	if (is_qos && (second & 0x80) != 0)
		frame_put(f, rest, 4); // HT Control
	if (is_qos)
		frame_put(f, rest, 2);
	if (has_four)
		frame_put(f, rest, 6);
	return frame_put(f, h, sizeof(h));
}

/* Radiotap with a time stamp or not, and flags. n_more: further words of the presence bitmap. */
static inline uint8_t *frame_radiotap(
	struct frame *f, bool has_time, uint8_t flags, unsigned int n_more)
{
	uint8_t h[128] = {0};
	uint32_t len = 4;

	for (unsigned int n = 0; n <= n_more; n++, len += 4)
		h[len + 3] = n < n_more ? 0x80 : 0;
	h[4] = has_time ? 0x03 : 0x02;
	if (has_time)
		len = (len + 7) / 8 * 8 + 8;
	h[len++] = flags;
	h[len++] = 0x0c; // what a driver adds
	h[2] = (uint8_t)len;
	assert(len <= sizeof(h));
	return frame_put(f, h, len);
}
