// SPDX-License-Identifier: BSD-3-Clause
#include "control/idset.h"

#include <glib.h>
#include <string.h>

enum { WORD_BITS = 64, WORDS_FIRST = 64 };

void ctl_idset_fini(struct ctl_idset *set)
{
	g_free(set->words);
	*set = (struct ctl_idset){0};
}

static void grow(struct ctl_idset *set, size_t n_words)
{
	const size_t n = MAX(MAX(set->n_words * 2, n_words), (size_t)WORDS_FIRST);

	set->words = g_renew(uint64_t, set->words, n);
	memset(set->words + set->n_words, 0, (n - set->n_words) * sizeof(set->words[0]));
	set->n_words = n;
}

void ctl_idset_add(struct ctl_idset *set, uint64_t id)
{
	const size_t word = (size_t)(id / WORD_BITS);
	const uint64_t bit = UINT64_C(1) << (id % WORD_BITS);

	if (word >= set->n_words)
		grow(set, word + 1);
	set->n_ids += (set->words[word] & bit) == 0;
	set->words[word] |= bit;
}

void ctl_idset_remove(struct ctl_idset *set, uint64_t id)
{
	const size_t word = (size_t)(id / WORD_BITS);
	const uint64_t bit = UINT64_C(1) << (id % WORD_BITS);

	if (word >= set->n_words || (set->words[word] & bit) == 0)
		return;
	set->words[word] &= ~bit;
	set->n_ids--;
}

bool ctl_idset_has(const struct ctl_idset *set, uint64_t id)
{
	const size_t word = (size_t)(id / WORD_BITS);

	return word < set->n_words && (set->words[word] >> (id % WORD_BITS) & 1) != 0;
}

uint64_t ctl_idset_next(const struct ctl_idset *set, uint64_t from)
{
	size_t word = (size_t)(from / WORD_BITS);
	uint64_t rest;

	if (word >= set->n_words)
		return UINT64_MAX;
	rest = set->words[word] & (UINT64_MAX << (from % WORD_BITS));
	while (rest == 0) {
		if (++word == set->n_words)
			return UINT64_MAX;
		rest = set->words[word];
	}
	return (uint64_t)word * WORD_BITS + (uint64_t)__builtin_ctzll(rest);
}
