// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Reading bytes of a packet from front to end, bounds first. What does not reach is remembered: read a whole
 * header, then ask once whether all of it was there. Any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cls_quic_reader {
	const uint8_t *p, *end; // borrowed from the packet
	bool is_short; // something was asked for that is not there; all numbers since are 0
};

static inline struct cls_quic_reader cls_quic_reader_of(const uint8_t *bytes, size_t len)
{
	return (struct cls_quic_reader){.p = bytes, .end = bytes + len};
}

static inline size_t cls_quic_left(const struct cls_quic_reader *r)
{
	return (size_t)(r->end - r->p);
}

/* The next n bytes; NULL: there are fewer, and the reader is at its end. */
static inline const uint8_t *cls_quic_bytes(struct cls_quic_reader *r, uint64_t n)
{
	const uint8_t *p = r->p;

	if (cls_quic_left(r) < n) {
		r->is_short = true;
		r->p = r->end;
		return NULL;
	}
	r->p += n;
	return p;
}

/* A number of n bytes, at most 8, in network order. */
static inline uint64_t cls_quic_be(struct cls_quic_reader *r, size_t n)
{
	const uint8_t *p = cls_quic_bytes(r, n);
	uint64_t v = 0;

	for (size_t i = 0; p != NULL && i < n; i++)
		v = v << 8 | p[i];
	return v;
}

/* The same with the lowest byte first. */
static inline uint64_t cls_quic_le(struct cls_quic_reader *r, size_t n)
{
	const uint8_t *p = cls_quic_bytes(r, n);
	uint64_t v = 0;

	for (size_t i = n; p != NULL && i > 0; i--)
		v = v << 8 | p[i - 1];
	return v;
}

/* RFC 9000 16: the first two bits say how many bytes. */
static inline uint64_t cls_quic_varint(struct cls_quic_reader *r)
{
	const unsigned code = r->p < r->end ? *r->p >> 6 : 0, n_bits = 8U << code;

	return cls_quic_be(r, n_bits / 8) & (UINT64_MAX >> (66 - n_bits));
}

/* On to the first byte that is not 0: most of what a client sends first is padding. */
static inline void cls_quic_skip_zeros(struct cls_quic_reader *r)
{
	uint64_t word = 0;

	while (cls_quic_left(r) >= sizeof(word)) {
		memcpy(&word, r->p, sizeof(word));
		if (word != 0)
			break;
		r->p += sizeof(word);
	}
	while (r->p < r->end && *r->p == 0)
		r->p++;
}
