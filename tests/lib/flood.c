// SPDX-License-Identifier: BSD-3-Clause
#include "tests/lib/flood.h"

#include "tests/lib/flood_shape.h"

#include <netinet/in.h>

enum { SMALL_PAYLOAD = 18, FLIPS_MAX = 8 };

#define FLOOD_NAME(id, name, help) [FLOOD_##id] = #name,
const char *const flood_names[FLOOD_COUNT] = {FLOODS(FLOOD_NAME)};
#define FLOOD_HELP(id, name, help) [FLOOD_##id] = help,
const char *const flood_help[FLOOD_COUNT] = {FLOODS(FLOOD_HELP)};

#define FLOOD_MAKER(id, name, help) [FLOOD_##id] = flood_##name,
static void (*const makers[FLOOD_COUNT])(struct flood *f) = {FLOODS(FLOOD_MAKER)};

/* --- headers ---------------------------------------------------------------------------------- */

void flood_ethernet(struct wire_pile *p)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
	uint8_t *h = wire_push(p, 14);

	memcpy(h, macs, sizeof(macs));
	wire_16(h + 12, p->ethertype);
}

void flood_ipv4(struct wire_pile *p, const struct flood_ip *ip)
{
	const size_t len = 20 + wire_len(p);
	uint8_t *h = wire_push(p, 20);

	h[0] = 0x45;
	wire_16(h + 2, (uint32_t)len);
	wire_16(h + 4, ip->id);
	wire_16(h + 6, ip->fragment);
	h[8] = 64;
	h[9] = ip->proto != 0 ? ip->proto : p->proto;
	wire_32(h + 12, ip->src);
	wire_32(h + 16, ip->dst);
	wire_16(h + 10, wire_checksum(h, 20));
	p->ethertype = 0x0800;
	p->proto = IPPROTO_IPIP;
}

void flood_ipv6(struct wire_pile *p, const struct flood_ip *ip)
{
	const size_t len = wire_len(p);
	uint8_t *h = wire_push(p, 40);

	h[0] = 0x60;
	wire_16(h + 4, (uint32_t)len);
	h[6] = ip->proto != 0 ? ip->proto : p->proto;
	h[7] = 64;
	wire_16(h + 8, 0xfd00);
	wire_32(h + 12, ip->src); // a /64 each
	wire_32(h + 20, ip->src);
	wire_32(h + 24, 0x20010db8);
	wire_32(h + 36, ip->dst);
	p->ethertype = 0x86dd;
	p->proto = IPPROTO_IPV6;
}

void flood_udp(struct wire_pile *p, uint16_t sport, uint16_t dport)
{
	const size_t len = 8 + wire_len(p);
	uint8_t *h = wire_push(p, 8);

	wire_16(h, sport);
	wire_16(h + 2, dport);
	wire_16(h + 4, (uint32_t)len);
	p->proto = IPPROTO_UDP;
}

void flood_gtpu(struct wire_pile *p, uint32_t teid)
{
	const size_t len = wire_len(p);
	uint8_t *h = wire_push(p, 8);

	h[0] = 0x30;
	h[1] = 0xff;
	wire_16(h + 2, (uint32_t)len);
	wire_32(h + 4, teid);
	flood_udp(p, 2152, 2152);
}

uint32_t flood_inside(struct flood *f)
{
	return 0x0a000000 | (wire_random(&f->random) & 0xffffff);
}

uint32_t flood_outside(struct flood *f)
{
	return 0xcb007100 | (wire_random(&f->random) & 0xff);
}

void flood_packet_4(struct flood *f)
{
	const struct flood_ip ip = {.src = flood_inside(f), .dst = flood_outside(f)};

	(void)wire_push(&f->pile, SMALL_PAYLOAD);
	flood_udp(&f->pile, (uint16_t)wire_random(&f->random), 9);
	flood_ipv4(&f->pile, &ip);
}

void flood_packet(struct flood *f)
{
	const struct flood_ip ip = {.src = flood_inside(f), .dst = flood_outside(f)};

	if (wire_below(&f->random, 2) == 0) {
		flood_packet_4(f);
		return;
	}
	(void)wire_push(&f->pile, SMALL_PAYLOAD);
	flood_udp(&f->pile, (uint16_t)wire_random(&f->random), 9);
	flood_ipv6(&f->pile, &ip);
}

/* --- tables that fill up ---------------------------------------------------------------------- */

/* Who asks: somebody outside one address of all inside, or one inside everybody. */
static struct flood_ip scan(struct flood *f)
{
	if (wire_below(&f->random, 2) == 0)
		return (struct flood_ip){.src = flood_outside(f), .dst = flood_inside(f)};
	return (struct flood_ip){
		.src = 0x0aff0001, .dst = 0xc6120000 | (wire_random(&f->random) & 0x1ffff)};
}

void flood_syn_scan(struct flood *f)
{
	const struct flood_ip ip = scan(f);
	uint8_t *h = wire_push(&f->pile, 20);

	wire_16(h, wire_random(&f->random) | 1024);
	wire_16(h + 2, wire_random(&f->random));
	wire_32(h + 4, wire_random(&f->random));
	h[12] = 0x50;
	h[13] = 0x02; // SYN
	wire_16(h + 14, 1024);
	f->pile.proto = IPPROTO_TCP;
	flood_ipv4(&f->pile, &ip);
	flood_ethernet(&f->pile);
}

void flood_udp_scan(struct flood *f)
{
	const struct flood_ip ip = scan(f);

	(void)wire_push(&f->pile, wire_below(&f->random, 64));
	flood_udp(&f->pile, (uint16_t)wire_random(&f->random), (uint16_t)wire_random(&f->random));
	flood_ipv4(&f->pile, &ip);
	flood_ethernet(&f->pile);
}

void flood_endpoints(struct flood *f)
{
	flood_packet(f);
	flood_ethernet(&f->pile);
}

/* --- whatever it is --------------------------------------------------------------------------- */

static void random_bytes(struct flood *f, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)wire_random(&f->random);
}

void flood_noise(struct flood *f)
{
	static const uint16_t known[] = {0x0800, 0x86dd, 0x8100, 0x88a8, 0x8847, 0x8864};
	const size_t n = 1 + wire_below(&f->random, 1514);

	random_bytes(f, wire_push(&f->pile, n), n);
	if (n > 14 && wire_below(&f->random, 2) == 0)
		wire_16(f->pile.begin + 12, known[wire_below(&f->random, 6)]);
	if (n > 14 && f->pile.begin[12] == 0x08) // past the first look
		f->pile.begin[14] = 0x45 + (uint8_t)wire_below(&f->random, 11);
}

/* One of the shapes that are not made of others. */
static void make_other(struct flood *f)
{
	makers[wire_below(&f->random, FLOOD_CUT)](f);
}

void flood_cut(struct flood *f)
{
	make_other(f);

	const size_t len = wire_len(&f->pile), kept = 1 + wire_below(&f->random, (uint32_t)len);

	memmove(f->pile.begin + len - kept, f->pile.begin, kept);
	f->pile.begin += len - kept;
}

void flood_damaged(struct flood *f)
{
	make_other(f);
	// What decides stands in front: most of the damage goes there.
	for (uint32_t n = 1 + wire_below(&f->random, FLIPS_MAX); n > 0; n--) {
		const uint32_t len = (uint32_t)wire_len(&f->pile);
		const uint32_t reach = wire_below(&f->random, 4) != 0 && len > 80 ? 80 : len;

		f->pile.begin[wire_below(&f->random, reach)] = (uint8_t)wire_random(&f->random);
	}
}

void flood_init(struct flood *f, uint64_t seed)
{
	memset(f, 0, sizeof(*f));
	wire_random_init(&f->random, seed);
}

void flood_next(struct flood *f, enum flood_shape shape, struct flood_frame *ret_frame)
{
	wire_clear(&f->pile);
	makers[shape](f);
	f->n[shape]++;

	const uint32_t len = (uint32_t)wire_len(&f->pile);

	*ret_frame = (struct flood_frame){f->pile.begin, len, len};
	if (shape == FLOOD_CUT && wire_below(&f->random, 2) == 0) // by the capture, not on the wire
		ret_frame->wire_len += wire_below(&f->random, FLOOD_FRAME_MAX - len + 1);
}
