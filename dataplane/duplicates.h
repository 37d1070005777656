// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Copies of one packet that a mirror delivers: a switch that mirrors both sides of a link, two taps
 * on one path, a tunnel's outside and inside.
 *
 * A packet is known by a keyed fingerprint of its innermost IP packet without what a hop changes
 * (IPv4: Time to Live, header checksum, DSCP and ECN; IPv6: Hop Limit and Traffic Class), and by its
 * captured bytes up to DP_DUPLICATES_BYTES; VLANs, labels, TEIDs and the port do not matter. One
 * that comes again within the window is a copy; the window begins with the one that was no copy, so
 * that whatever repeats itself without end is still counted once a window. One worker's thread only:
 * all copies have one endpoint, so one worker.
 *
 * What is no copy, although it looks like one: a packet that its sender sends twice. Where the sender
 * numbers its packets (the Identification of IPv4, sequence numbers, time stamps of TCP, packet
 * numbers of QUIC) the bytes differ. Where it does not (a pure acknowledgement or a keep-alive over
 * IPv6, a datagram said twice with Identification 0), only time tells, and a retransmission comes a
 * round trip later at the earliest: so the window has to be shorter than that, and longer than the
 * way between the two places of the mirror, with the queues on it and, live, with what a receiver may
 * be late: it stamps whole bursts.
 * (Measured with 2 ms on 343 public captures, 88,219 frames: 2,501 copies in the five that were taken
 * at several places, 81 in the others, most of them resets with Identification 0 or over IPv6.)
 *
 * What is a copy and not known as one: one that was cut shorter than DP_DUPLICATES_BYTES elsewhere
 * than the other (cut at the same place they are known), or that a device between the two places has
 * changed (address translation, a clamped segment size). It is counted twice, never lost: where
 * there is doubt a packet is no copy. A packet without captured bytes never is one.
 *
 * Two different packets are taken for one with a chance of 2^-63, whoever chose their bytes: a worker
 * with 1 million packets/s and a window of 2 ms loses one in 146 years. */

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

/* n_entries: packets remembered, rounded up to a power of two; so many that the window's fit, or the
 * oldest is forgotten early. window_ns: event time. All memory is had here: 28 bytes a packet. Returns
 * 0 or -ENOMEM. */
[[nodiscard]] int dp_duplicates_new(
	uint32_t n_entries, uint64_t window_ns, struct dp_duplicates **ret_duplicates);
void dp_duplicates_free(struct dp_duplicates *d); // NULL is fine

/* Whether this is a copy of a packet within the window before; remembers it when it is not.
 *
 * l3     pkt->l3_len captured bytes from the innermost IP header on, borrowed
 *
 * pkt->time_ns does not run backwards. */
bool dp_duplicates_seen(struct dp_duplicates *d, const struct dp_pkt *pkt, const uint8_t *l3);

/* Packets that gave their place while the window was open: a copy of one may have been missed, and
 * the result of a replay then depends on how many workers shared the packets. */
uint64_t dp_duplicates_forgotten(const struct dp_duplicates *d);
