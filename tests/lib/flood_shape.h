// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Between the files of tests/lib/flood.h: headers that are put in front of what a pile has, and the
 * shapes. A shape leaves a whole frame, Ethernet header included, of at most FLOOD_FRAME_MAX. */

#include "tests/lib/flood.h"

#include <stdbool.h>

enum { FLOOD_IP_MAX = 1480 }; // bytes of an IP packet that leave room for what is in front

struct flood_ip {
	uint32_t src, dst; // IPv6: the last 32 bits
	uint16_t id;
	uint16_t fragment; // flags and offset as IPv4 has them; IPv6: not used
	uint8_t proto;
};

void flood_ethernet(struct wire_pile *p);
/* proto 0: that of what the pile has. */
void flood_ipv4(struct wire_pile *p, const struct flood_ip *ip);
void flood_ipv6(struct wire_pile *p, const struct flood_ip *ip);
void flood_udp(struct wire_pile *p, uint16_t sport, uint16_t dport);
void flood_gtpu(struct wire_pile *p, uint32_t teid);

/* An address of the subscribers' side, 10.0.0.0/8, and one that is not, 203.0.113.0/24. */
uint32_t flood_inside(struct flood *f);
uint32_t flood_outside(struct flood *f);

/* A small sound packet of UDP, IPv4 or IPv6, to put something around. */
void flood_packet(struct flood *f);
void flood_packet_4(struct flood *f);

#define FLOOD_DECLARE(id, name, help) void flood_##name(struct flood *f);
FLOODS(FLOOD_DECLARE)
#undef FLOOD_DECLARE
