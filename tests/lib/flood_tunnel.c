// SPDX-License-Identifier: BSD-3-Clause
/* Tags, labels, options, extension headers and tunnels, more of them than anybody stacks. */
#include "tests/lib/flood_shape.h"

#include <netinet/in.h>

enum {
	VLANS_MAX = 40,
	LABELS_MAX = 300,
	EXTENSIONS_MAX = 60,
	ENCAP_BYTES_MAX = 80, // of one more encapsulation
	ETHERTYPE_TEB = 0x6558,
	IPPROTO_OF_ETHERNET = 143, // RFC 8986
};

static void random_push(struct flood *f, size_t n)
{
	uint8_t *p = wire_push(&f->pile, n);

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)wire_random(&f->random);
}

static struct flood_ip tunnel_ends(struct flood *f)
{
	return (struct flood_ip){.src = flood_inside(f), .dst = flood_outside(f)};
}

static void around(struct flood *f)
{
	const struct flood_ip ip = tunnel_ends(f);

	if (wire_below(&f->random, 4) == 0)
		flood_ipv6(&f->pile, &ip);
	else
		flood_ipv4(&f->pile, &ip);
}

static void push_vlan(struct flood *f)
{
	static const uint16_t tpids[] = {0x8100, 0x88a8, 0x9100};
	uint8_t *h = wire_push(&f->pile, 4);

	wire_16(h, wire_random(&f->random));
	wire_16(h + 2, f->pile.ethertype);
	f->pile.ethertype = tpids[wire_below(&f->random, 3)];
}

void flood_vlans(struct flood *f)
{
	flood_packet(f);
	for (uint32_t n = 1 + wire_below(&f->random, VLANS_MAX); n > 0; n--)
		push_vlan(f);
	flood_ethernet(&f->pile);
}

static void push_label(struct flood *f, bool is_bottom)
{
	uint8_t *h = wire_push(&f->pile, 4);

	wire_32(h, wire_random(&f->random));
	h[2] = (uint8_t)((h[2] & 0xfe) | (is_bottom ? 1 : 0)); // RFC 3032 2.1
	f->pile.ethertype = 0x8847;
}

void flood_labels(struct flood *f)
{
	flood_packet(f);
	for (uint32_t n = 1 + wire_below(&f->random, LABELS_MAX); n > 0; n--)
		push_label(f, false);
	flood_ethernet(&f->pile);
}

void flood_extensions(struct flood *f)
{
	static const uint8_t kinds[] = {
		IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_AH, IPPROTO_MH, 140};
	const struct flood_ip ip = tunnel_ends(f);

	(void)wire_push(&f->pile, 16);
	flood_udp(&f->pile, 5060, 9);
	for (uint32_t n = 1 + wire_below(&f->random, EXTENSIONS_MAX); n > 0; n--) {
		const uint32_t units = wire_below(&f->random, 3);
		uint8_t *h = wire_push(&f->pile, 8 + 8 * units);

		h[0] = f->pile.proto;
		h[1] = (uint8_t)units;
		if (wire_below(&f->random, 32) == 0)
			h[1] = (uint8_t)wire_random(&f->random); // longer than the packet
		f->pile.proto = kinds[wire_below(&f->random, sizeof(kinds))];
	}
	flood_ipv6(&f->pile, &ip);
	flood_ethernet(&f->pile);
}

void flood_options(struct flood *f)
{
	const uint32_t n = 1 + wire_below(&f->random, 10); // words
	const struct flood_ip ip = tunnel_ends(f);

	(void)wire_push(&f->pile, 16);
	flood_udp(&f->pile, 5060, 9);
	random_push(f, 4 * (wire_below(&f->random, 8) == 0 ? 0 : n)); // or none where IHL says so
	f->pile.proto = IPPROTO_UDP;
	flood_ipv4(&f->pile, &ip);
	f->pile.begin[0] = (uint8_t)(0x45 + n);
	flood_ethernet(&f->pile);
}

void flood_ip_in_ip(struct flood *f)
{
	flood_packet(f);
	for (uint32_t n = 1 + wire_below(&f->random, 40);
		n > 0 && wire_len(&f->pile) < FLOOD_IP_MAX - 40; n--)
		around(f);
	flood_ethernet(&f->pile);
}

void flood_gtpu_in_gtpu(struct flood *f)
{
	flood_packet(f);
	for (uint32_t n = 1 + wire_below(&f->random, 30);
		n > 0 && wire_len(&f->pile) < FLOOD_IP_MAX - 56; n--) {
		flood_gtpu(&f->pile, wire_random(&f->random));
		around(f);
	}
	flood_ethernet(&f->pile);
}

/* 3GPP TS 29.281 5.2: a length in words of four bytes, and the next one's type at the end. */
void flood_gtpu_extensions(struct flood *f)
{
	const uint8_t type = (uint8_t)(wire_below(&f->random, 2) == 0 ? 0x85
								      : wire_random(&f->random));
	const uint32_t n = wire_below(&f->random, 200), wrong = wire_below(&f->random, n + 1);
	const struct flood_ip ip = tunnel_ends(f);
	uint8_t *h;

	flood_packet_4(f);
	for (uint32_t i = 0; i < n; i++) {
		h = wire_push(&f->pile, 4);
		h[0] = i == wrong ? (uint8_t)(wire_below(&f->random, 2) * 255) : 1;
		h[3] = i == 0 && wire_below(&f->random, 2) == 0 ? 0 : type;
	}
	const size_t len = 4 + wire_len(&f->pile);

	h = wire_push(&f->pile, 12);
	h[0] = 0x34;
	h[1] = 0xff;
	wire_16(h + 2, (uint32_t)len);
	h[11] = n == 0 ? 0 : type;
	flood_udp(&f->pile, 2152, 2152);
	flood_ipv4(&f->pile, &ip);
	flood_ethernet(&f->pile);
}

/* --- one encapsulation each, around what the pile has ------------------------------------------- */

static void push_inner_ethernet(struct flood *f)
{
	flood_ethernet(&f->pile);
	f->pile.ethertype = ETHERTYPE_TEB;
	f->pile.proto = IPPROTO_OF_ETHERNET;
}

/* RFC 2784, 2890 and 2637, with the fields that the flags ask for. */
static void push_gre(struct flood *f, uint16_t flags)
{
	const size_t n = ((flags & 0x8000) != 0) + ((flags & 0x2000) != 0) +
		((flags & 0x1000) != 0);
	uint8_t *h = wire_push(&f->pile, 4 + 4 * n);

	wire_16(h, flags);
	wire_16(h + 2, f->pile.ethertype);
	f->pile.proto = IPPROTO_GRE;
	around(f);
}

static void push_vxlan(struct flood *f)
{
	uint8_t *h;

	push_inner_ethernet(f);
	h = wire_push(&f->pile, 8);
	h[0] = 0x08;
	wire_32(h + 4, wire_random(&f->random) << 8);
	flood_udp(&f->pile, 50000, 4789);
	around(f);
}

static void push_geneve(struct flood *f, uint32_t words, uint8_t claimed)
{
	uint8_t *h = wire_push(&f->pile, 8 + 4 * words);

	h[0] = claimed & 0x3f;
	wire_16(h + 2, f->pile.ethertype);
	if (words > 0)
		h[8 + 3] = (uint8_t)((words - 1) & 0x1f);
	flood_udp(&f->pile, 50000, 6081);
	around(f);
}

/* RFC 2661 3.1, with PPP (RFC 1661) inside. */
static void push_l2tp(struct flood *f)
{
	uint8_t *h = wire_push(&f->pile, 6 + 4);

	wire_16(h, 0x0002);
	wire_32(h + 2, wire_random(&f->random));
	wire_16(h + 6, 0xff03);
	wire_16(h + 8, f->pile.ethertype == 0x86dd ? 0x0057 : 0x0021);
	flood_udp(&f->pile, 1701, 1701);
	around(f);
}

/* RFC 4448: a pseudowire, with its control word. */
static void push_pseudowire(struct flood *f)
{
	push_inner_ethernet(f);
	(void)wire_push(&f->pile, 4);
	push_label(f, true);
	f->pile.proto = IPPROTO_MPLS;
}

/* RFC 2516. */
static void push_pppoe(struct flood *f)
{
	const size_t len = 2 + wire_len(&f->pile);
	uint8_t *h = wire_push(&f->pile, 8);

	h[0] = 0x11;
	wire_16(h + 2, wire_random(&f->random));
	wire_16(h + 4, (uint32_t)len);
	wire_16(h + 6, f->pile.ethertype == 0x86dd ? 0x0057 : 0x0021);
	f->pile.ethertype = 0x8864;
}

/* RFC 4380: IPv6 straight in UDP. */
static void push_teredo(struct flood *f)
{
	flood_udp(&f->pile, 3544, 50000);
	around(f);
}

/* ERSPAN II and III: a mirrored frame in GRE. */
static void push_erspan(struct flood *f)
{
	const bool is_3 = wire_below(&f->random, 2) == 0;
	uint8_t *h;

	push_inner_ethernet(f);
	h = wire_push(&f->pile, is_3 ? 12 : 8);
	h[0] = is_3 ? 0x20 : 0x10;
	f->pile.ethertype = is_3 ? 0x22eb : 0x88be;
	push_gre(f, 0x1000);
}

void flood_geneve_options(struct flood *f)
{
	const uint32_t words = wire_below(&f->random, 64);

	flood_packet(f);
	push_inner_ethernet(f);
	push_geneve(f, words,
		(uint8_t)(wire_below(&f->random, 2) == 0 ? words : wire_random(&f->random)));
	flood_ethernet(&f->pile);
}

void flood_gre_flags(struct flood *f)
{
	flood_packet(f);
	push_gre(f, (uint16_t)wire_random(&f->random));
	flood_ethernet(&f->pile);
}

static void push_any(struct flood *f)
{
	switch (wire_below(&f->random, 11)) {
	case 0:
		push_vlan(f);
		break;
	case 1:
		push_pseudowire(f);
		break;
	case 2:
		push_pppoe(f);
		break;
	case 3:
		push_vxlan(f);
		break;
	case 4:
		push_geneve(f, 0, 0);
		break;
	case 5:
		push_l2tp(f);
		break;
	case 6:
		push_gre(f, 0x2000);
		break;
	case 7:
		push_erspan(f);
		break;
	case 8:
		flood_gtpu(&f->pile, 1);
		around(f);
		break;
	case 9:
		push_teredo(f);
		break;
	default:
		around(f);
		break;
	}
}

void flood_nested(struct flood *f)
{
	flood_packet(f);
	for (uint32_t n = 1 + wire_below(&f->random, 30);
		n > 0 && wire_len(&f->pile) < FLOOD_IP_MAX - ENCAP_BYTES_MAX; n--)
		push_any(f);
	flood_ethernet(&f->pile);
}
