// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Copies of signalling on their way to control: one worker writes, control reads.
 *
 * A message is the payload of one UDP datagram with what is known of it. All of it or nothing goes into the
 * ring. Messages of a worker come in the order of their time. */

#include "dataplane/addr.h"

#include <stddef.h>
#include <stdint.h>

enum {
	// Of a payload. Longer ones are cut; the longest that captures show have 2 KB.
	DP_SIGNALLING_MAX = 8192,
	DP_SIGNALLING_RING_MIN = 2 * DP_SIGNALLING_MAX,
};

/* Addresses and ports are those of the packet that carries it, ports in host order. */
struct dp_signalling {
	uint64_t time_ns; // event time
	struct dp_addr src, dst;
	uint16_t sport, dport;
	uint16_t len; // of bytes[]
	bool is_cut; // it was longer
	uint8_t pad;
	uint32_t encaps; // set of enum dp_encap around the packet
	uint32_t pad2;
	uint8_t bytes[]; // room for DP_SIGNALLING_MAX where one is taken
};
static_assert(offsetof(struct dp_signalling, bytes) == 56, "a multiple of 8, no hidden padding");

enum { DP_SIGNALLING_ROOM = offsetof(struct dp_signalling, bytes) + DP_SIGNALLING_MAX };

struct dp_signalling_ring;

/* n_bytes: a power of two, DP_SIGNALLING_RING_MIN at least. waits: a post to a full ring waits for control
 * (replay) instead of failing (live). Returns NULL when memory runs out. */
struct dp_signalling_ring *dp_signalling_ring_new(uint32_t n_bytes, bool waits);
void dp_signalling_ring_free(struct dp_signalling_ring *ring); // NULL is fine

/* Owning worker only. Copies message->len bytes, at most DP_SIGNALLING_MAX, from payload instead of
 * message->bytes. Returns false when the ring is full and does not wait. */
[[nodiscard]] bool dp_signalling_ring_post(struct dp_signalling_ring *ring,
	const struct dp_signalling *message, const uint8_t *payload);

/* Control only. ret_message: DP_SIGNALLING_ROOM bytes. Returns false when there is none. */
[[nodiscard]] bool dp_signalling_ring_take(
	struct dp_signalling_ring *ring, struct dp_signalling *ret_message);

/* From now on a full ring fails even if it was made to wait. */
void dp_signalling_ring_abandon(struct dp_signalling_ring *ring);
