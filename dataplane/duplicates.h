// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Copies of one packet that a mirror delivers: a switch that mirrors both sides of a link, two taps
 * on one path, a tunnel's outside and inside.
 *
 * A packet is known by a keyed fingerprint of its innermost IP packet without what a hop changes
 * (Time to Live or Hop Limit, header checksum, DSCP and ECN), and by its captured bytes up to
 * DP_DUPLICATES_BYTES; VLANs, labels, TEIDs and the port do not matter. A second one within the
 * window is a copy. One worker's thread only: all copies have one endpoint, so one worker. */

#include "dataplane/packet.h"

#include <stdbool.h>
#include <stdint.h>

enum dp_duplicates_mode {
	DP_DUPLICATES_OFF,
	DP_DUPLICATES_WATCH, // look at the packets of one endpoint in DP_DUPLICATES_SAMPLE, count
	DP_DUPLICATES_DROP, // look at every packet; a copy ends as DP_OUTCOME_DUPLICATE
};

enum {
	DP_DUPLICATES_SAMPLE = 64,
	DP_DUPLICATES_BYTES = 256, // of a packet that go into its fingerprint; start value
};

struct dp_duplicates;

/* n_entries: packets remembered, rounded up to a power of two. window_ns: event time. Returns 0 or
 * -ENOMEM. */
[[nodiscard]] int dp_duplicates_new(
	uint32_t n_entries, uint64_t window_ns, struct dp_duplicates **ret_duplicates);
void dp_duplicates_free(struct dp_duplicates *d); // NULL is fine

/* Whether a copy of this packet came within the window before; remembers it in either case.
 *
 * l3     pkt->l3_len captured bytes from the innermost IP header on, borrowed
 *
 * pkt->time_ns does not run backwards. */
bool dp_duplicates_seen(struct dp_duplicates *d, const struct dp_pkt *pkt, const uint8_t *l3);
