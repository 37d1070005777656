// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What a hostile or broken network does to frames, by a seed: the same seed, the same mutant. */

#include "tests/mutants/frames.h"

struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *rng);
/* 0 to n - 1. */
uint32_t rng_below(struct rng *rng, uint32_t n);

/* Change the frames in some places: bits and bytes, lengths, order, time; fragments' fields; frames
 * put together. others: frames to borrow from. Times never run backwards. */
void mutate(struct rng *rng, struct frames *frames, const struct frames *others);
