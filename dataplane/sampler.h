// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* First packets of some flows that nobody can name, for people to look at.
 *
 * One sampler per worker, only where samples are wanted. The worker chooses one undecided flow in so many by a
 * keyed hash, so that nobody can aim at it, and copies what the classifier is shown of it, cut, into a slot. A
 * flow that becomes known gives its slot back; that of one which stays unknown goes to the thread that writes
 * samples, which gives it back itself. Packets of decided flows never come here.
 *
 * All memory is had at the start. A flow that finds no free slot goes without, which is counted: nothing waits,
 * nothing grows, and who is slow behind the ring costs samples, never packets.
 *
 * The worker calls all but what is marked; the writer is one other thread. */

#include "dataplane/outcome.h"
#include "dataplane/stage.h"

#include <stdalign.h>
#include <stdatomic.h>

enum {
	DP_SAMPLE_PACKETS_MAX = 32,
	DP_SAMPLE_SNAP_MAX = 2048, // bytes of a packet
	DP_SAMPLER_SLOTS_MAX = 4096,
	DP_SAMPLER_SLOTS_MIN = 64,
	DP_SAMPLER_BYTES = 8 << 20, // of slots, as long as that is more than DP_SAMPLER_SLOTS_MIN
};

struct dp_sampler_config {
	uint32_t one_in; // flows of which one is chosen; 0: none, until dp_sampler_set_rate()
	uint16_t n_packets; // of a flow, 1 to DP_SAMPLE_PACKETS_MAX; 0: there is no sampler at all
	uint16_t snap_bytes; // of a packet, from its IP header on, 1 to DP_SAMPLE_SNAP_MAX
};

struct dp_sample_packet {
	uint64_t time_ns;
	uint32_t ip_bytes; // the IP packet's length, of which `len` bytes are kept
	uint16_t len;
	bool is_from_dst; // sent by tuple.dst
};

/* A flow. Written by the worker until it hands it over, by the writer until that gives it back. */
struct dp_sample {
	struct dp_five_tuple tuple;
	struct dp_addr endpoint; // IPv6: the prefix
	bool server_is_src; // the side that is not the endpoint is tuple.src
	uint16_t ndpi_master, ndpi_app; // the library's word, for cls_proto_name()
	uint16_t n_packets;
	uint16_t snap_bytes; // of the sampler
	struct dp_sample_packet packets[DP_SAMPLE_PACKETS_MAX];
	uint8_t bytes[]; // snap_bytes a packet
};

static inline uint8_t *dp_sample_bytes(struct dp_sample *sample, unsigned int packet)
{
	return sample->bytes + (size_t)packet * sample->snap_bytes;
}

/* The worker counts. Of chosen flows those that were not handed over became known, or are still open. */
struct dp_sampler_counters {
	alignas(64) dp_counter chosen; // that took a slot
	dp_counter known; // of them known by now: nothing is kept
	dp_counter handed_over; // of them unknown for good
	dp_counter no_slot; // chosen, but all slots were taken
	dp_counter barred; // chosen, but of a kind that is never kept
};

/* Who the flow is; all borrowed for the call. */
struct dp_sampler_flow {
	const struct dp_five_tuple *tuple;
	const struct dp_addr *endpoint;
	uint64_t first_ns;
	bool server_is_src;
	bool is_ambiguous; // nobody knows which side is the subscriber's
};

struct dp_sampler;

/* n_flows: of the worker's table. Returns 0 or -ENOMEM. */
[[nodiscard]] int dp_sampler_new(
	const struct dp_sampler_config *config, uint32_t n_flows, struct dp_sampler **ret_sampler);
void dp_sampler_free(struct dp_sampler *s); // NULL is fine

/* Touch all of it, so that nothing is left to be had later. */
void dp_sampler_make_resident(struct dp_sampler *s);

/* From now on one flow in so many; 0: none. Any thread. */
void dp_sampler_set_rate(struct dp_sampler *s, uint32_t one_in);

/* Whether nothing more is wanted of the flow, of which the classifier was shown a packet. */
bool dp_sampler_is_done(const struct dp_sampler *s, uint32_t flow);

/* A packet of an undecided flow; with the first one the flow is chosen or not. l3_len bytes from its IP header on,
 * of ip_bytes. */
void dp_sampler_add(struct dp_sampler *s, uint32_t flow, const struct dp_sampler_flow *of,
	const struct dp_stage_item *item, uint32_t ip_bytes);

/* The flow is known: nothing of it is kept. */
void dp_sampler_drop(struct dp_sampler *s, uint32_t flow);

/* The flow is unknown for good: what there is goes to the writer. */
void dp_sampler_hand_over(
	struct dp_sampler *s, uint32_t flow, uint16_t ndpi_master, uint16_t ndpi_app);

/* The flow is over, its index free for another. What was not handed over is dropped. */
void dp_sampler_forget(struct dp_sampler *s, uint32_t flow);

/* Writer only: the next one that was handed over, its own until it gives it back; NULL: none. */
struct dp_sample *dp_sampler_take(struct dp_sampler *s);
void dp_sampler_give_back(struct dp_sampler *s, struct dp_sample *sample);

const struct dp_sampler_counters *dp_sampler_counters(const struct dp_sampler *s);

/* Whether flows of these ports are never kept: what they carry is who somebody is (signalling, accounting, names of
 * devices), what somebody looked up, or what people write to each other and log in with. Pure. */
bool dp_sampler_is_barred(const struct dp_five_tuple *tuple);
