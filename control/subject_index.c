// SPDX-License-Identifier: BSD-3-Clause
#include "control/subject_index.h"

#include <assert.h>
#include <string.h>

enum { SLOTS_FIRST = 1024 };

/* The hash beside the id spares the look at a profile that is another one's. */
struct slot {
	uint32_t hash;
	uint32_t id; // 0 = free
};

struct ctl_subject_index {
	struct slot *slots; // open addressing, n_slots is a power of two
	size_t n_slots, n_entries;
};

static void make_slots(struct ctl_subject_index *index, size_t n)
{
	index->n_slots = SLOTS_FIRST;
	while (index->n_slots < 2 * n)
		index->n_slots *= 2;
	index->slots = g_new0(struct slot, index->n_slots);
	index->n_entries = 0;
}

struct ctl_subject_index *ctl_subject_index_new(void)
{
	struct ctl_subject_index *index = g_new0(struct ctl_subject_index, 1);

	make_slots(index, 0);
	return index;
}

void ctl_subject_index_free(struct ctl_subject_index *index)
{
	if (index == NULL)
		return;
	g_free(index->slots);
	g_free(index);
}

void ctl_subject_index_clear(struct ctl_subject_index *index, size_t n)
{
	g_free(index->slots);
	make_slots(index, n);
}

static const char *subject_of(const GPtrArray *by_id, uint32_t id)
{
	const struct ctl_profile *profile = by_id->pdata[id - 1];

	return profile == NULL ? NULL : profile->subject;
}

/* Its slot, or the free one where it belongs. One is free. subject NULL: that of the profile. */
static struct slot *slot_of(const struct ctl_subject_index *index, const GPtrArray *by_id,
	uint32_t hash, const char *subject, uint32_t id)
{
	const size_t mask = index->n_slots - 1;

	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct slot *slot = &index->slots[i];

		if (slot->id == 0)
			return slot;
		if (slot->hash != hash)
			continue;
		if (subject == NULL)
			subject = subject_of(by_id, id);
		if (g_strcmp0(subject_of(by_id, slot->id), subject) == 0)
			return slot;
	}
}

/* Entries of those who have no subject any more are left behind. */
static void grow(struct ctl_subject_index *index, const GPtrArray *by_id)
{
	const struct ctl_subject_index old = *index;

	make_slots(index, 2 * old.n_entries);
	for (size_t i = 0; i < old.n_slots; i++) {
		size_t to = old.slots[i].hash;

		if (old.slots[i].id == 0 || subject_of(by_id, old.slots[i].id) == NULL)
			continue;
		while (index->slots[to & (index->n_slots - 1)].id != 0)
			to++;
		index->slots[to & (index->n_slots - 1)] = old.slots[i];
		index->n_entries++;
	}
	g_free(old.slots);
}

uint32_t ctl_subject_index_hash(const char *subject)
{
	return g_str_hash(subject);
}

void ctl_subject_index_prefetch(const struct ctl_subject_index *index, uint32_t hash)
{
	__builtin_prefetch(&index->slots[hash & (index->n_slots - 1)], 1);
}

void ctl_subject_index_add_hash(
	struct ctl_subject_index *index, const GPtrArray *by_id, uint64_t id, uint32_t hash)
{
	struct slot *slot;

	assert(id > 0 && id <= UINT32_MAX);
	if (2 * (index->n_entries + 1) > index->n_slots)
		grow(index, by_id);
	slot = slot_of(index, by_id, hash, NULL, (uint32_t)id);
	index->n_entries += slot->id == 0;
	*slot = (struct slot){hash, (uint32_t)id};
}

void ctl_subject_index_add(struct ctl_subject_index *index, const GPtrArray *by_id, uint64_t id)
{
	ctl_subject_index_add_hash(
		index, by_id, id, ctl_subject_index_hash(subject_of(by_id, (uint32_t)id)));
}

struct ctl_profile *ctl_subject_index_find(
	const struct ctl_subject_index *index, const GPtrArray *by_id, const char *subject)
{
	const struct slot *slot = slot_of(
		index, by_id, ctl_subject_index_hash(subject), subject, 0);

	return slot->id == 0 ? NULL : by_id->pdata[slot->id - 1];
}
