// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What datagrams being rebuilt consist of, shared by the files that make it up and by nobody else:
 *
 *   datagram.c         what becomes of a fragment
 *   datagram_open.c    what a whole datagram holds
 *   datagram_table.c   entries and buffers: who is found, who has to go
 *   datagram_bytes.c   a datagram's bytes, its header, and fingerprints of them
 *   datagram_ranges.c  which bytes have come
 *
 * Entries and buffers are numbered from 1; 0 is none. */

#include "dataplane/datagram.h"
#include "dataplane/datagram_ranges.h"

/* Without padding: compared and hashed as bytes. */
struct dp_datagram_key {
	struct dp_addr src, dst;
	uint32_t id;
	uint8_t proto; // 0 for IPv6, whose fragments need not agree (RFC 8200 4.5)
	uint8_t is_ipv6;
	uint8_t zero[2];
};
static_assert(sizeof(struct dp_datagram_key) == 40);

enum dp_datagram_kind { DP_DATAGRAM_UNKNOWN, DP_DATAGRAM_PLAIN, DP_DATAGRAM_TUNNEL };

/* What some fragments come to. */
struct dp_datagram_sum {
	uint32_t n_frames, n_packets, ip_bytes, wire_bytes;
};

struct dp_datagram_entry {
	struct dp_datagram_key key;
	uint32_t next; // in the bucket, or in the free list
	uint32_t bucket;
	uint32_t buffer;
	uint8_t kind; // enum dp_datagram_kind
	bool is_whole;
	bool is_given_up; // will not be rebuilt
	uint64_t begin_ns; // of its first fragment seen
	struct dp_pkt carrier; // the flow its fragments belong to, with ports once they are known
	struct dp_datagram_sum waiting; // not credited yet
	struct dp_ranges ranges;
};

struct dp_datagram_buffer {
	uint32_t next_free;
	uint32_t header_len; // without the Fragment header; 0 until the first fragment came
	uint32_t header_next_off; // IPv6: of the Next Header byte that named the Fragment header
	uint32_t
		n_held; // bytes of payload before the first one missing for good: cut off or beyond
	struct dp_walk first; // where the walk of the first fragment ended
	// The header stands at the end of its room, so that the payload follows it.
	uint8_t bytes[DP_DATAGRAM_HEADER_MAX + DP_DATAGRAM_BYTES];
};

/* A list through entries, oldest first; [0] is its head. */
struct dp_datagram_link {
	uint32_t prev, next;
};

struct dp_datagrams {
	struct dp_datagram_config cfg;
	const struct dp_endpoint_nets *nets; // borrowed
	uint64_t now_ns; // of the last packet
	struct dp_datagram_entry *entries;
	struct dp_datagram_link *ages; // all that are used
	struct dp_datagram_link *holders; // those with a buffer
	uint32_t *buckets;
	struct dp_datagram_buffer *buffers;
	uint32_t bucket_mask;
	uint32_t n_entries, n_used;
	uint32_t free_entry, free_buffer;
	uint32_t lent; // buffer of the datagram handed out last
	struct dp_datagram_counters counters;
};

/* datagram_table.c */
struct dp_datagram_entry *dp_datagram_find(
	struct dp_datagrams *d, const struct dp_datagram_key *key);
/* A new entry. There is a free one. */
struct dp_datagram_entry *dp_datagram_begin(
	struct dp_datagrams *d, const struct dp_datagram_key *key, uint64_t now_ns);
/* The same entry for another datagram of the same key. Nothing waits in it. */
void dp_datagram_begin_again(struct dp_datagrams *d, struct dp_datagram_entry *e, uint64_t now_ns);
void dp_datagram_remove(struct dp_datagrams *d, struct dp_datagram_entry *e);
struct dp_datagram_entry *dp_datagram_oldest(const struct dp_datagrams *d); // or NULL
/* A buffer for e; if need be that of the entry that has one for longest, which is given up. */
void dp_datagram_take_buffer(struct dp_datagrams *d, struct dp_datagram_entry *e);
void dp_datagram_put_buffer(struct dp_datagrams *d, struct dp_datagram_entry *e);
/* e's buffer is out of its hands until dp_datagram_put_lent(). */
void dp_datagram_lend_buffer(struct dp_datagrams *d, struct dp_datagram_entry *e);
void dp_datagram_put_lent(struct dp_datagrams *d, uint32_t lent);
/* e will not be rebuilt, for the reason that is counted; the first one counts. */
void dp_datagram_give_up(struct dp_datagrams *d, struct dp_datagram_entry *e, dp_counter *reason);

/* datagram_bytes.c */
struct dp_piece dp_datagram_piece(const struct dp_walk *w);
/* Copy the piece's bytes, and of the first one its header. False when that cannot be kept. */
bool dp_datagram_keep(
	struct dp_datagram_buffer *b, const struct dp_walk *w, const struct dp_piece *piece);
/* Make the datagram's header say that it is one piece. False when it would be too long for that. */
bool dp_datagram_seal(
	struct dp_datagram_buffer *b, uint32_t total, struct dp_datagram_whole *ret_whole);
/* A packet in b of which only the first len bytes were kept, though all were captured: its header says
 * that this is all, or the classifier would not look at it. whole was made of b. */
void dp_datagram_shorten(struct dp_datagram_buffer *b, const struct dp_datagram_whole *whole,
	uint32_t off, uint32_t len);
