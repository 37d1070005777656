// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Well-behaved subscribers: frames of flows that begin, go both ways and end, for tests that need to
 * know what was sent and for measurements that need much of it.
 *
 * The same configuration gives the same frames. One thread; nothing is allocated after the start, and
 * a frame is written where the caller wants it. Layer 4 checksums are 0. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	TRAFFIC_FRAME_MAX = 2048, // room that a frame may need
	TRAFFIC_SUBSCRIBERS_MAX = 1 << 22, // 100.64.0.0/10
	TRAFFIC_FLOWS_MAX = 1 << 14, // of one subscriber at a time
	TRAFFIC_BEGINNING = 8, // packets of a flow within which it is known what it is
};

struct traffic_config {
	uint64_t seed;
	uint32_t first_subscriber; // the others follow; together below TRAFFIC_SUBSCRIBERS_MAX
	uint32_t n_subscribers;
	uint32_t n_flows; // of each subscriber at a time
	uint32_t n_flow_packets; // of data, on average; 0: flows do not end
	unsigned int ipv6_percent; // of subscribers
	bool is_begun; // long before: no handshakes, no names, data of TCP and QUIC from the first packet on
	bool has_acks_only; // TCP: no data; QUIC has IMIX's larger frames
	bool is_vlan; // uplink and downlink on VLANs of their own
	bool is_gtpu; // uplink and downlink with TEIDs of their own, between two IPv4 addresses
	const uint8_t *quic; // payload of a client's first QUIC packet, copied; NULL: no such flows
	size_t quic_len;
	FILE *truth; // borrowed; NULL: nobody asks
};

struct traffic;

/* Subscribers and flows within the limits above and not 0. NULL: no memory. */
struct traffic *traffic_new(const struct traffic_config *config);
void traffic_free(struct traffic *t); // NULL is fine

/* The next packet, of the flow whose turn it is: each has one in n_subscribers * n_flows. Writes at
 * most TRAFFIC_FRAME_MAX bytes and returns how many. */
size_t traffic_next(struct traffic *t, uint8_t *frame);

/* Every flow that ended was written to truth as a line of JSON: the sender of its first packet,
 * packets and bytes of IP in both directions. This writes those that did not. */
void traffic_write_rest(struct traffic *t);
