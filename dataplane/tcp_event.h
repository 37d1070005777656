// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What a packet of a TCP connection tells (dataplane/tcp.h), on its way to who counts that. */

#include <stdbool.h>
#include <stdint.h>

enum dp_tcp_what { // set, in dp_tcp_event.what
	DP_TCP_RETRANSMITTED = 1 << 0, // data that passed here before
	DP_TCP_OUT_OF_ORDER = 1 << 1, // data that fills a hole, sooner than a retransmission could
	DP_TCP_ZERO_WINDOW = 1 << 2, // its sender can take no more
	DP_TCP_RESET = 1 << 3,
	DP_TCP_HANDSHAKE_FAILED = 1 << 4, // refused, or never answered
	DP_TCP_RTT_HANDSHAKE = 1 << 5, // rtt_us is of SYN to SYN-ACK, or of SYN-ACK to ACK
	DP_TCP_RTT_DATA = 1 << 6, // of data to its acknowledgement
};

/* What one packet, or the end of a flow, told (dataplane/tcp.h). */
struct dp_tcp_event {
	uint8_t what; // enum dp_tcp_what; 0: nothing happened
	uint8_t n_segments; // 1: it carries data of the stream
	// Valid where something happened:
	bool is_up; // the packet was sent by the endpoint
	bool is_rtt_of_endpoint; // the round trip from here to the endpoint and back; else the network's side
	uint32_t rtt_us;
};
