// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Hostile frames: each shape asks for more of something than anybody needs. The same seed gives the
 * same frames. One thread; nothing is allocated. */

#include "tests/lib/wire.h"

#define FLOODS(X) \
	X(SYN_SCAN, syn_scan, "a SYN to any address and port, from outside and from inside") \
	X(UDP_SCAN, udp_scan, "a datagram to any address and port") \
	X(ENDPOINTS, endpoints, "one packet from any address of the subscribers' side") \
	X(FRAGMENT_FIRST, fragment_first, "first fragments of datagrams that never go on") \
	X(FRAGMENT_MIDDLE, fragment_middle, "fragments of datagrams that never begin") \
	X(FRAGMENT_LAST, fragment_last, "last fragments of datagrams that never begin") \
	X(FRAGMENT_ENDLESS, fragment_endless, "datagrams that go on and on, in order") \
	X(FRAGMENT_TINY, fragment_tiny, "whole datagrams of 8 bytes a fragment") \
	X(FRAGMENT_OVERLAP, fragment_overlap, "fragments over each other") \
	X(FRAGMENT_SAME_ID, fragment_same_id, "any fragment, one identification for all") \
	X(FRAGMENT_WHOLE, fragment_whole, "whole datagrams, fragments in any order") \
	X(FRAGMENT_LONG, fragment_long, "fragments that end behind 65535") \
	X(FRAGMENT_IPV6, fragment_ipv6, "the same of IPv6, atomic ones too") \
	X(FRAGMENT_TUNNEL, fragment_tunnel, "fragments of tunnels, and in tunnels") \
	X(VLANS, vlans, "1 to 40 VLAN tags") \
	X(LABELS, labels, "MPLS labels without a bottom of the stack") \
	X(EXTENSIONS, extensions, "chains of IPv6 extension headers, overlong ones too") \
	X(OPTIONS, options, "IPv4 options of any kind and length") \
	X(IP_IN_IP, ip_in_ip, "IP in IP in IP") \
	X(GTPU_IN_GTPU, gtpu_in_gtpu, "GTP-U in GTP-U") \
	X(GTPU_EXTENSIONS, gtpu_extensions, \
		"GTP-U extension headers: of length 0, endless, naming themselves") \
	X(GENEVE_OPTIONS, geneve_options, "GENEVE option lengths that do not fit") \
	X(GRE_FLAGS, gre_flags, "any flags and version of GRE") \
	X(NESTED, nested, "any encapsulation in any other, as deep as the frame is long") \
	X(CUT, cut, "frames of the other shapes, cut anywhere") \
	X(DAMAGED, damaged, "frames of the other shapes, bytes of them overwritten") \
	X(NOISE, noise, "random bytes")

#define FLOOD_ENUM(id, name, help) FLOOD_##id,
enum flood_shape { FLOODS(FLOOD_ENUM) FLOOD_COUNT };
#undef FLOOD_ENUM

extern const char *const flood_names[FLOOD_COUNT];
extern const char *const flood_help[FLOOD_COUNT];

/* The caller's memory. */
struct flood {
	struct wire_random random;
	struct wire_pile pile;
	uint64_t n[FLOOD_COUNT]; // frames of each shape so far
};

struct flood_frame {
	const uint8_t *bytes; // borrowed until the next one
	uint32_t cap_len, wire_len; // cap_len <= wire_len, both at most FLOOD_FRAME_MAX
};

enum { FLOOD_FRAME_MAX = 2048 };

void flood_init(struct flood *f, uint64_t seed);
void flood_next(struct flood *f, enum flood_shape shape, struct flood_frame *ret_frame);
