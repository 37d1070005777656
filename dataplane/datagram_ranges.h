// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Which bytes of one datagram have come, and whether its fragments agree about that. Pure. */

#include "dataplane/datagram.h"

enum { DP_DATAGRAM_LENGTH_MAX = 65535 }; // RFC 791 3.1, Total Length; RFC 8200 3, Payload Length

/* One fragment's payload, as a piece of its datagram's. */
struct dp_piece {
	uint32_t begin; // at most 65528: an offset field of 13 bits
	uint32_t end; // behind it
	uint64_t fingerprint; // of its captured bytes, its length and its More Fragments
	bool has_more;
	bool is_sound; // as dp_piece_is_sound()
};

enum { DP_TOTAL_UNKNOWN = UINT32_MAX };

struct dp_ranges {
	uint64_t fingerprint[DP_DATAGRAM_FRAGMENTS_MAX];
	uint16_t begin[DP_DATAGRAM_FRAGMENTS_MAX], end[DP_DATAGRAM_FRAGMENTS_MAX];
	uint32_t n;
	uint32_t covered; // bytes
	uint32_t highest; // end of the last byte that came
	uint32_t total; // where the datagram ends, once its last fragment came
};

void dp_ranges_init(struct dp_ranges *ranges);

/* Whether a datagram can have such a fragment: it has bytes; they end within the largest datagram;
 * and where more follows, on a boundary of 8 (RFC 791 3.2, RFC 8200 4.5). */
bool dp_piece_is_sound(uint32_t begin, uint32_t end, bool has_more);

enum dp_range {
	DP_RANGE_NEW,
	DP_RANGE_REPEATED, // the same bytes came at the same place
	DP_RANGE_CONTRADICTED, // not sound, overlaps another one, or disagrees where the datagram ends
	DP_RANGE_FULL, // no room to remember it
};

/* Remember a piece; one that contradicts too, so that its repetition is known as one. covered and
 * total mean something only while every piece was NEW. */
enum dp_range dp_ranges_add(struct dp_ranges *ranges, const struct dp_piece *piece);

/* Whether the same bytes came at the same place. */
bool dp_ranges_has(const struct dp_ranges *ranges, const struct dp_piece *piece);

static inline bool dp_ranges_are_whole(const struct dp_ranges *ranges)
{
	return ranges->covered == ranges->total; // they do not overlap
}
