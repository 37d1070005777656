// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What a packet for the classifier carries behind its TCP or UDP header. Pure; any thread. Input is
 * hostile, any length. */

#include "dataplane/stage.h"

struct cls_segment {
	const uint8_t *payload; // borrowed, of item->l3
	uint32_t len; // bytes of it captured; UDP: at most what its header says
	uint16_t sport, dport; // of this packet, host order
	uint8_t l4_proto; // IPPROTO_TCP or IPPROTO_UDP
	uint32_t seq; // TCP: sequence number of payload[0]; a SYN's is behind its own (RFC 7413)
};

/* Returns false when there is no whole TCP or UDP header (RFC 791, RFC 8200 and what dp_is_ipv6_ext()
 * knows; RFC 768, RFC 9293 3.1): *ret is left alone. So with item->l3 NULL, and in a fragment. */
bool cls_segment_of(const struct dp_stage_item *item, struct cls_segment *ret);
