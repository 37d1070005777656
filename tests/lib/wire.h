// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Writing frames: numbers in network order, a random source that is the same for the same seed, and a
 * frame that is built from its payload outwards, so that each header knows what it carries. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* xorshift64* (Vigna 2016): good enough for traffic, and cheap. */
struct wire_random {
	uint64_t state;
};

static inline void wire_random_init(struct wire_random *r, uint64_t seed)
{
	// splitmix64 of the seed: neighbours give unlike sequences, and the state is never 0.
	uint64_t z = seed + 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	r->state = (z ^ z >> 31) | 1;
}

static inline uint32_t wire_random(struct wire_random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return (uint32_t)(r->state * 0x2545f4914f6cdd1d >> 32);
}

/* 0 to n - 1; n > 0. */
static inline uint32_t wire_below(struct wire_random *r, uint32_t n)
{
	return (uint32_t)((uint64_t)wire_random(r) * n >> 32);
}

static inline void wire_16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void wire_32(uint8_t *p, uint32_t v)
{
	wire_16(p, v >> 16);
	wire_16(p + 2, v);
}

/* RFC 1071, over n bytes, n even. */
static inline uint16_t wire_checksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

enum { WIRE_ROOM = 4096 };

/* A frame in the making: what is there stands at the end of room. */
struct wire_pile {
	uint16_t ethertype; // that the next layer outwards has to name: of what stands at begin
	uint8_t proto; // the same for an IP header
	uint8_t *begin;
	uint8_t room[WIRE_ROOM];
};

static inline size_t wire_len(const struct wire_pile *p)
{
	return (size_t)(p->room + WIRE_ROOM - p->begin);
}

static inline void wire_clear(struct wire_pile *p)
{
	p->begin = p->room + WIRE_ROOM;
}

/* n bytes more in front, zeroed. The caller keeps within the room. */
static inline uint8_t *wire_push(struct wire_pile *p, size_t n)
{
	p->begin -= n;
	return memset(p->begin, 0, n);
}
