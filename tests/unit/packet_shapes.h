// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The shapes of frames that tests/unit/packet.c holds the parser against: how each is built and what
 * is to be said of it. */

#include "dataplane/packet.h"
#include "tests/unit/frame.h"

#include <netinet/in.h>

static const char V4[2][16] = {"10.0.0.7", "203.0.113.9"};
static const char V6[2][32] = {"fd00:1:2:3::5", "2001:db8::9"};
static const char OUTER[2][16] = {"192.0.2.1", "198.51.100.1"};

/* What stands inside every frame here: UDP with five bytes, from side `from` to the other one. */
static void put_udp(struct frame *f, int from)
{
	frame_put(frame_new(f), "hello", 5);
	frame_udp(f, from == 0 ? 50000 : 53, from == 0 ? 53 : 50000);
}

static void put_ipv4(struct frame *f, int from)
{
	put_udp(f, from);
	frame_ipv4(f, IPPROTO_UDP, V4[from], V4[!from]);
}

static void plain(struct frame *f, int from)
{
	put_ipv4(f, from);
	frame_ethernet(f, 0x0800);
}

static void padded(struct frame *f, int from)
{
	static const uint8_t padding[13] = {0xee};
	struct frame inner;

	put_ipv4(&inner, from);
	frame_put(frame_new(f), padding, sizeof(padding));
	frame_put(f, frame_bytes(&inner), frame_len(&inner));
	frame_ethernet(f, 0x0800);
}

static void tagged(struct frame *f, int from)
{
	put_ipv4(f, from);
	frame_tag(f, 0x0800, 7);
	frame_ethernet(f, 0x8100);
}

static void double_tagged(struct frame *f, int from)
{
	put_ipv4(f, from);
	frame_tag(f, 0x0800, 7);
	frame_tag(f, 0x8100, 8);
	frame_ethernet(f, 0x88a8);
}

static void four_tags(struct frame *f, int from)
{
	put_ipv4(f, from);
	frame_tag(f, 0x0800, 1);
	frame_tag(f, 0x8100, 2);
	frame_tag(f, 0x9100, 3);
	frame_tag(f, 0x9200, 4);
	frame_ethernet(f, 0x8100);
}

static void five_tags(struct frame *f, int from)
{
	put_ipv4(f, from);
	frame_tag(f, 0x0800, 1);
	for (uint16_t i = 2; i < 6; i++)
		frame_tag(f, 0x8100, i);
	frame_ethernet(f, 0x8100);
}

static void options(struct frame *f, int from)
{
	put_udp(f, from);
	frame_ipv4_with(f, IPPROTO_UDP, V4[from], V4[!from], 0, 10);
	frame_ethernet(f, 0x0800);
}

static void first_fragment(struct frame *f, int from)
{
	put_udp(f, from);
	frame_ipv4_with(f, IPPROTO_UDP, V4[from], V4[!from], 0x2000, 0);
	frame_ethernet(f, 0x0800);
}

static void later_fragment(struct frame *f, int from)
{
	put_udp(f, from);
	frame_ipv4_with(f, IPPROTO_UDP, V4[from], V4[!from], 0x0010, 0);
	frame_ethernet(f, 0x0800);
}

static void offloaded_ipv4(struct frame *f, int from)
{
	put_udp(f, from);
	frame_set16(frame_ipv4(f, IPPROTO_UDP, V4[from], V4[!from]) + 2, 0);
	frame_ethernet(f, 0x0800);
}

static void tcp(struct frame *f, int from)
{
	frame_put(frame_new(f), "hello", 5);
	frame_tcp(f, from == 0 ? 50000 : 53, from == 0 ? 53 : 50000, DP_TCP_SYN | DP_TCP_ACK,
		0x01020304);
	frame_ipv4(f, IPPROTO_TCP, V4[from], V4[!from]);
	frame_ethernet(f, 0x0800);
}

static void icmp(struct frame *f, int from)
{
	static const uint8_t echo[8] = {8};

	frame_put(frame_new(f), echo, sizeof(echo));
	frame_ipv4(f, IPPROTO_ICMP, V4[from], V4[!from]);
	frame_ethernet(f, 0x0800);
}

static void put_ipv6(struct frame *f, int from)
{
	put_udp(f, from);
	frame_ipv6(f, IPPROTO_UDP, V6[from], V6[!from]);
}

static void plain_ipv6(struct frame *f, int from)
{
	put_ipv6(f, from);
	frame_ethernet(f, 0x86dd);
}

static void extensions(struct frame *f, int from)
{
	put_udp(f, from);
	frame_ipv6_ext(f, IPPROTO_UDP, 1);
	frame_ipv6_ext(f, IPPROTO_DSTOPTS, 0);
	frame_ipv6(f, IPPROTO_HOPOPTS, V6[from], V6[!from]);
	frame_ethernet(f, 0x86dd);
}

static void first_fragment_ipv6(struct frame *f, int from)
{
	put_udp(f, from);
	frame_set16(frame_ipv6_ext(f, IPPROTO_UDP, 0) + 2, 1); // more fragments
	frame_ipv6(f, IPPROTO_FRAGMENT, V6[from], V6[!from]);
	frame_ethernet(f, 0x86dd);
}

static void later_fragment_ipv6(struct frame *f, int from)
{
	put_udp(f, from);
	frame_set16(frame_ipv6_ext(f, IPPROTO_UDP, 0) + 2, 0x0100);
	frame_ipv6(f, IPPROTO_FRAGMENT, V6[from], V6[!from]);
	frame_ethernet(f, 0x86dd);
}

static void atomic_fragment(struct frame *f, int from)
{
	put_udp(f, from);
	frame_ipv6_ext(f, IPPROTO_UDP, 0);
	frame_ipv6(f, IPPROTO_FRAGMENT, V6[from], V6[!from]);
	frame_ethernet(f, 0x86dd);
}

static void authenticated(struct frame *f, int from)
{
	put_udp(f, from);
	frame_ah(f, IPPROTO_UDP);
	frame_ipv6(f, IPPROTO_AH, V6[from], V6[!from]);
	frame_ethernet(f, 0x86dd);
}

static void eight_extensions(struct frame *f, int from)
{
	put_udp(f, from);
	frame_ipv6_ext(f, IPPROTO_UDP, 0);
	for (int i = 0; i < 7; i++)
		frame_ipv6_ext(f, IPPROTO_DSTOPTS, 0);
	frame_ipv6(f, IPPROTO_DSTOPTS, V6[from], V6[!from]);
	frame_ethernet(f, 0x86dd);
}

static void nine_extensions(struct frame *f, int from)
{
	put_udp(f, from);
	frame_ipv6_ext(f, IPPROTO_UDP, 0);
	for (int i = 0; i < 8; i++)
		frame_ipv6_ext(f, IPPROTO_DSTOPTS, 0);
	frame_ipv6(f, IPPROTO_DSTOPTS, V6[from], V6[!from]);
	frame_ethernet(f, 0x86dd);
}

/* A tunnel around what is there, between the same two gateways in the packet's direction. */
static void put_tunnel(struct frame *f, int from, unsigned int n_ext)
{
	frame_gtpu(f, 0x0a0b0c0d, n_ext);
	frame_udp(f, 2152, 2152);
	frame_ipv4(f, IPPROTO_UDP, OUTER[from], OUTER[!from]);
}

static void tunnel(struct frame *f, int from)
{
	put_ipv4(f, from);
	put_tunnel(f, from, 0);
	frame_ethernet(f, 0x0800);
}

static void tunnel_with_extensions(struct frame *f, int from)
{
	put_ipv6(f, from);
	put_tunnel(f, from, 2);
	frame_tag(f, 0x0800, 9);
	frame_ethernet(f, 0x8100);
}

static void nested_tunnel(struct frame *f, int from)
{
	put_ipv4(f, from);
	put_tunnel(f, from, 0);
	put_tunnel(f, from, 1);
	put_tunnel(f, from, 0);
	frame_ethernet(f, 0x0800);
}

static void cooked(struct frame *f, int from)
{
	put_ipv4(f, from);
	frame_sll(f, 0x0800);
}

static void cooked2(struct frame *f, int from)
{
	put_ipv6(f, from);
	frame_tag(f, 0x86dd, 5);
	frame_sll2(f, 0x8100);
}

#define ENCAP(name) (UINT32_C(1) << DP_ENCAP_##name)

static const struct shape {
	void (*build)(struct frame *f, int from);
	enum dp_link link;
	uint32_t l3_off, ip_bytes, payload_bytes;
	uint8_t proto, flags; // besides UP
	bool is_v6;
	uint32_t encaps; // set of enum dp_encap
} shapes[] = {
	{plain, DP_LINK_ETHERNET, 14, 33, 5, 17, DP_PKT_HAS_PORTS, false},
	{padded, DP_LINK_ETHERNET, 14, 33, 5, 17, DP_PKT_HAS_PORTS, false},
	{tagged, DP_LINK_ETHERNET, 18, 33, 5, 17, DP_PKT_HAS_PORTS, false, ENCAP(VLAN)},
	{double_tagged, DP_LINK_ETHERNET, 22, 33, 5, 17, DP_PKT_HAS_PORTS, false, ENCAP(VLAN)},
	{four_tags, DP_LINK_ETHERNET, 30, 33, 5, 17, DP_PKT_HAS_PORTS, false, ENCAP(VLAN)},
	{options, DP_LINK_ETHERNET, 14, 73, 5, 17, DP_PKT_HAS_PORTS, false},
	{first_fragment, DP_LINK_ETHERNET, 14, 33, 5, 17, DP_PKT_HAS_PORTS | DP_PKT_FRAGMENT,
		false},
	{later_fragment, DP_LINK_ETHERNET, 14, 33, 13, 17, DP_PKT_FRAGMENT, false},
	{offloaded_ipv4, DP_LINK_ETHERNET, 14, 33, 5, 17, DP_PKT_HAS_PORTS, false},
	{tcp, DP_LINK_ETHERNET, 14, 45, 5, 6, DP_PKT_HAS_PORTS, false},
	{icmp, DP_LINK_ETHERNET, 14, 28, 8, 1, 0, false},
	{put_ipv4, DP_LINK_RAW_IP, 0, 33, 5, 17, DP_PKT_HAS_PORTS, false},
	{plain_ipv6, DP_LINK_ETHERNET, 14, 53, 5, 17, DP_PKT_HAS_PORTS, true},
	{extensions, DP_LINK_ETHERNET, 14, 77, 5, 17, DP_PKT_HAS_PORTS, true},
	{first_fragment_ipv6, DP_LINK_ETHERNET, 14, 61, 5, 17, DP_PKT_HAS_PORTS | DP_PKT_FRAGMENT,
		true},
	{later_fragment_ipv6, DP_LINK_ETHERNET, 14, 61, 13, 17, DP_PKT_FRAGMENT, true},
	{atomic_fragment, DP_LINK_ETHERNET, 14, 61, 5, 17, DP_PKT_HAS_PORTS, true},
	{authenticated, DP_LINK_ETHERNET, 14, 77, 5, 17, DP_PKT_HAS_PORTS, true},
	{eight_extensions, DP_LINK_ETHERNET, 14, 117, 5, 17, DP_PKT_HAS_PORTS, true},
	{put_ipv6, DP_LINK_RAW_IP, 0, 53, 5, 17, DP_PKT_HAS_PORTS, true},
	{tunnel, DP_LINK_ETHERNET, 50, 33, 5, 17, DP_PKT_HAS_PORTS, false, ENCAP(GTPU)},
	{tunnel_with_extensions, DP_LINK_ETHERNET, 66, 53, 5, 17, DP_PKT_HAS_PORTS, true,
		ENCAP(VLAN) | ENCAP(GTPU)},
	{nested_tunnel, DP_LINK_ETHERNET, 130, 33, 5, 17, DP_PKT_HAS_PORTS, false, ENCAP(GTPU)},
	{cooked, DP_LINK_SLL, 16, 33, 5, 17, DP_PKT_HAS_PORTS, false},
	{cooked2, DP_LINK_SLL2, 24, 53, 5, 17, DP_PKT_HAS_PORTS, true, ENCAP(VLAN)},
};
