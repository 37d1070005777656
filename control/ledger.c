// SPDX-License-Identifier: BSD-3-Clause
#include "control/ledger.h"

#include <errno.h>

/* Twice the packets of a queue, since one made of fragments speaks for several frames. Start value. */
enum { QUEUE_FRAMES = 2 * 4096 };

uint64_t ctl_ledger_done(const uint64_t outcomes[DP_OUTCOME_COUNT])
{
	uint64_t n = 0;

	for (int i = 0; i < DP_OUTCOME_COUNT; i++)
		n += outcomes[i];
	return n;
}

uint64_t ctl_ledger_lost(const struct dp_path_stats *s)
{
	return s->lost + s->outcomes[DP_OUTCOME_QUEUE_FULL] + s->outcomes[DP_OUTCOME_NO_ROOM];
}

/* What is handed to workers and not credited. */
static uint64_t dropped_behind_the_walk(const struct dp_path_stats *s)
{
	return s->outcomes[DP_OUTCOME_QUEUE_FULL] + s->outcomes[DP_OUTCOME_NO_ROOM] +
		s->outcomes[DP_OUTCOME_DUPLICATE];
}

int ctl_ledger_check_end(const struct dp_path_stats *s, struct dp_err *reterr)
{
	const uint64_t done = ctl_ledger_done(s->outcomes);
	// What stood on flows that the kernel forgot is nobody's.
	const uint64_t credited = s->accounted_bytes + s->undecided_bytes - s->taken_bytes;

	if (s->frames != done || s->datagrams.held != 0)
		return dp_fail(reterr, EPROTO,
			"the ledger does not add up: %llu frames were read, %llu have an outcome, "
			"%llu wait for the rest of their datagram; this is a fault of wirecue, please "
			"report it",
			(unsigned long long)s->frames, (unsigned long long)done,
			(unsigned long long)s->datagrams.held);
	if (credited > s->ip_bytes || (credited < s->ip_bytes && dropped_behind_the_walk(s) == 0))
		return dp_fail(reterr, EPROTO,
			"the ledger does not add up: packets of %llu bytes were found, %llu bytes are "
			"credited; this is a fault of wirecue, please report it",
			(unsigned long long)s->ip_bytes, (unsigned long long)credited);
	return 0;
}

void ctl_ledger_of(const struct dp_path_stats *before, const struct dp_path_stats *after,
	unsigned int n_queues, struct ctl_ledger *ret_ledger)
{
	const uint64_t done = ctl_ledger_done(before->outcomes);

	*ret_ledger = (struct ctl_ledger){
		.received = after->frames,
		.done = done,
		.held = before->datagrams.held,
		.in_flight = (int64_t)(after->frames - done - before->datagrams.held),
		// What came between the two looks is no mistake either.
		.in_flight_max = (uint64_t)n_queues * QUEUE_FRAMES +
			(after->frames - before->frames),
	};
}

int64_t ctl_ledger_off(const struct ctl_ledger *l)
{
	// A frame that was let go between the two sums is in both of them.
	const int64_t least = -(int64_t)l->held, most = (int64_t)l->in_flight_max;

	if (l->in_flight < least)
		return l->in_flight - least;
	return l->in_flight > most ? l->in_flight - most : 0;
}
