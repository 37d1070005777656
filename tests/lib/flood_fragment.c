// SPDX-License-Identifier: BSD-3-Clause
/* Fragments (RFC 791 3.2, RFC 8200 4.5), none of them as they should be. */
#include "tests/lib/flood_shape.h"

#include <netinet/in.h>

enum {
	MORE = 0x2000,
	OFFSET_MAX = 0x1fff, // in units of 8 bytes
	PIECE = 640, // bytes of a fragment, where nothing else is asked for
	ENDLESS = 16, // datagrams at a time
	TINY = 80, // fragments of one datagram
	WHOLE_PARTS = 4,
	OVERLAP_IDS = 1024,
};

/* A fragment of len bytes; the first has a header of UDP. */
static void fragment(struct flood *f, const struct flood_ip *ip, size_t len)
{
	uint8_t *p = wire_push(&f->pile, len);

	if ((ip->fragment & OFFSET_MAX) == 0 && len >= 8) {
		wire_16(p, 5060);
		wire_16(p + 2, 9);
		wire_16(p + 4, 1400);
	}
	f->pile.proto = IPPROTO_UDP;
	flood_ipv4(&f->pile, ip);
	flood_ethernet(&f->pile);
}

static struct flood_ip anybody(struct flood *f, uint16_t field)
{
	return (struct flood_ip){.src = flood_inside(f),
		.dst = flood_outside(f),
		.id = (uint16_t)wire_random(&f->random),
		.fragment = field};
}

/* One of few, so that fragments meet. */
static struct flood_ip somebody(uint64_t i, uint16_t id, uint32_t field)
{
	return (struct flood_ip){.src = 0x0afe0000 | ((uint32_t)i & 0xffff),
		.dst = 0xcb007101,
		.id = id,
		.fragment = (uint16_t)field};
}

static uint16_t random_offset(struct flood *f)
{
	return (uint16_t)(1 + wire_below(&f->random, OFFSET_MAX - PIECE / 8));
}

void flood_fragment_first(struct flood *f)
{
	const struct flood_ip ip = anybody(f, MORE);

	fragment(f, &ip, PIECE);
}

void flood_fragment_middle(struct flood *f)
{
	const struct flood_ip ip = anybody(f, MORE | random_offset(f));

	fragment(f, &ip, PIECE);
}

void flood_fragment_last(struct flood *f)
{
	const struct flood_ip ip = anybody(f, random_offset(f));

	fragment(f, &ip, 1 + wire_below(&f->random, PIECE));
}

void flood_fragment_endless(struct flood *f)
{
	const uint64_t n = f->n[FLOOD_FRAGMENT_ENDLESS], at = n / ENDLESS;
	const uint32_t per_datagram = OFFSET_MAX - 1; // then the next identification
	const struct flood_ip ip = somebody(
		n % ENDLESS, (uint16_t)(at / per_datagram), MORE | (at % per_datagram));

	fragment(f, &ip, 8);
}

void flood_fragment_tiny(struct flood *f)
{
	const uint64_t n = f->n[FLOOD_FRAGMENT_TINY], i = n % TINY;
	const struct flood_ip ip = somebody(
		n / TINY, (uint16_t)(n / TINY >> 16), (uint32_t)i | (i + 1 < TINY ? MORE : 0));

	fragment(f, &ip, 8);
}

void flood_fragment_overlap(struct flood *f)
{
	const uint32_t i = wire_below(&f->random, OVERLAP_IDS);
	const struct flood_ip ip = somebody(i, (uint16_t)i, wire_below(&f->random, 100) | MORE);

	fragment(f, &ip, 8 * (1 + wire_below(&f->random, PIECE / 8)));
}

void flood_fragment_same_id(struct flood *f)
{
	const uint32_t more = wire_below(&f->random, 8) != 0 ? MORE : 0;
	const struct flood_ip ip = somebody(0, 7, random_offset(f) | more);

	fragment(f, &ip, PIECE);
}

void flood_fragment_whole(struct flood *f)
{
	static const uint8_t orders[4][WHOLE_PARTS] = {
		{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}};
	const uint64_t n = f->n[FLOOD_FRAGMENT_WHOLE], datagram = n / WHOLE_PARTS;
	const uint32_t part = orders[datagram % 4][n % WHOLE_PARTS];
	const struct flood_ip ip = somebody(datagram, (uint16_t)(datagram >> 16),
		part * PIECE / 8 | (part + 1 < WHOLE_PARTS ? MORE : 0));

	fragment(f, &ip, PIECE);
}

void flood_fragment_long(struct flood *f)
{
	const struct flood_ip ip = anybody(f,
		(uint16_t)((OFFSET_MAX - wire_below(&f->random, 8)) |
			(wire_random(&f->random) & MORE)));

	fragment(f, &ip, PIECE);
}

/* The Fragment header of IPv6: its offset stands three bits to the left. */
static void push_fragment6(struct wire_pile *p, uint32_t offset, bool has_more, uint32_t id)
{
	uint8_t *h = wire_push(p, 8);

	h[0] = p->proto;
	wire_16(h + 2, offset << 3 | (has_more ? 1 : 0));
	wire_32(h + 4, id);
	p->proto = IPPROTO_FRAGMENT;
}

void flood_fragment_ipv6(struct flood *f)
{
	const uint32_t kind = wire_below(&f->random, 5);
	const bool is_of_few = kind == 3;
	const struct flood_ip ip = {
		.src = is_of_few ? 0x0afe0001 : flood_inside(f), .dst = flood_outside(f)};
	const uint32_t offset = kind == 0 || kind == 4 ? 0 : random_offset(f);

	(void)wire_push(&f->pile, 8 * wire_below(&f->random, PIECE / 8));
	flood_udp(&f->pile, 5060, 9);
	// 0 first, 1 middle, 2 last, 3 any of a few datagrams, 4 atomic (RFC 6946).
	push_fragment6(
		&f->pile, offset, kind < 2 || kind == 3, is_of_few ? 7 : wire_random(&f->random));
	if (wire_below(&f->random, 8) == 0) // twice: a fragment of a fragment
		push_fragment6(&f->pile, 0, false, wire_random(&f->random));
	flood_ipv6(&f->pile, &ip);
	flood_ethernet(&f->pile);
}

void flood_fragment_tunnel(struct flood *f)
{
	const uint32_t inner = wire_below(&f->random, 3), outer = wire_below(&f->random, 3);
	struct flood_ip ip = anybody(f, 0);

	// 0 no fragment, 1 a first one, 2 one of the middle.
	ip.fragment = inner == 0 ? 0 : inner == 1 ? MORE : MORE | random_offset(f);
	(void)wire_push(&f->pile, 8 * (1 + wire_below(&f->random, PIECE / 8)));
	flood_udp(&f->pile, 5060, 9);
	flood_ipv4(&f->pile, &ip);
	flood_gtpu(&f->pile, wire_random(&f->random));
	ip = somebody(wire_below(&f->random, 256), (uint16_t)wire_random(&f->random),
		outer == 0	     ? 0
			: outer == 1 ? MORE
				     : MORE | random_offset(f));
	flood_ipv4(&f->pile, &ip);
	flood_ethernet(&f->pile);
}
