// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A set of profile ids, one bit each: which have changed since something looked at them last.
 * Visited in order of id. One owner. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero = empty. */
struct ctl_idset {
	uint64_t *words; // owned
	size_t n_words;
	uint64_t n_ids; // how many are in it
};

void ctl_idset_fini(struct ctl_idset *set);
void ctl_idset_add(struct ctl_idset *set, uint64_t id);
void ctl_idset_remove(struct ctl_idset *set, uint64_t id);
bool ctl_idset_has(const struct ctl_idset *set, uint64_t id);

/* The lowest id >= from that is in it; UINT64_MAX when there is none. */
uint64_t ctl_idset_next(const struct ctl_idset *set, uint64_t from);
