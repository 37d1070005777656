// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Profiles by their subject, for millions of them: 8 bytes an entry at most half full, made in one
 * pass without a look at any other profile. Control thread only. */

#include "control/profile.h"

#include <glib.h>

struct ctl_subject_index; // opaque

struct ctl_subject_index *ctl_subject_index_new(void);
void ctl_subject_index_free(struct ctl_subject_index *index);

/* Empty, with room for n entries. */
void ctl_subject_index_clear(struct ctl_subject_index *index, size_t n);

/* by_id: struct ctl_profile by id - 1, NULL where there is none any more. The profile is there and
 * has a subject, which it keeps until it is forgotten or has none, or the index is cleared; of two
 * with the same the last one is found. */
void ctl_subject_index_add(struct ctl_subject_index *index, const GPtrArray *by_id, uint64_t id);

/* The same in three steps, for many of them: what is looked up, which any thread can do; asking the
 * memory for its place; and adding it, without a look at the profile unless another one has that
 * hash. */
uint32_t ctl_subject_index_hash(const char *subject);
void ctl_subject_index_prefetch(const struct ctl_subject_index *index, uint32_t hash);
void ctl_subject_index_add_hash(
	struct ctl_subject_index *index, const GPtrArray *by_id, uint64_t id, uint32_t hash);

/* NULL when nobody has the subject. */
struct ctl_profile *ctl_subject_index_find(
	const struct ctl_subject_index *index, const GPtrArray *by_id, const char *subject);
