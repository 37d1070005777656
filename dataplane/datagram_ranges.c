// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/datagram_ranges.h"

void dp_ranges_init(struct dp_ranges *r)
{
	// What stands behind n is never read.
	r->n = 0;
	r->covered = 0;
	r->highest = 0;
	r->total = DP_TOTAL_UNKNOWN;
}

bool dp_piece_is_sound(uint32_t begin, uint32_t end, bool has_more)
{
	return begin < end && end <= DP_DATAGRAM_LENGTH_MAX && (!has_more || end % 8 == 0);
}

bool dp_ranges_has(const struct dp_ranges *r, const struct dp_piece *p)
{
	for (uint32_t i = 0; i < r->n; i++) {
		if (r->begin[i] == p->begin && r->fingerprint[i] == p->fingerprint)
			return true;
	}
	return false;
}

static bool overlaps(const struct dp_ranges *r, const struct dp_piece *p)
{
	for (uint32_t i = 0; i < r->n; i++) {
		if (p->begin < r->end[i] && r->begin[i] < p->end)
			return true;
	}
	return false;
}

/* Whether the piece disagrees with what came about the datagram's end. */
static bool ends_elsewhere(const struct dp_ranges *r, const struct dp_piece *p)
{
	if (r->total != DP_TOTAL_UNKNOWN)
		return p->end > r->total || !p->has_more;
	return !p->has_more && p->end < r->highest;
}

enum dp_range dp_ranges_add(struct dp_ranges *r, const struct dp_piece *p)
{
	if (dp_ranges_has(r, p))
		return DP_RANGE_REPEATED;

	const bool is_new = p->is_sound && !ends_elsewhere(r, p) && !overlaps(r, p);

	if (r->n == DP_DATAGRAM_FRAGMENTS_MAX)
		return is_new ? DP_RANGE_FULL : DP_RANGE_CONTRADICTED;
	r->begin[r->n] = (uint16_t)p->begin;
	r->end[r->n] = p->end < UINT16_MAX ? (uint16_t)p->end : UINT16_MAX;
	r->fingerprint[r->n++] = p->fingerprint;
	if (!is_new)
		return DP_RANGE_CONTRADICTED;
	r->covered += p->end - p->begin;
	if (p->end > r->highest)
		r->highest = p->end;
	if (!p->has_more)
		r->total = p->end;
	return DP_RANGE_NEW;
}
