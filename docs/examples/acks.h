// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Entries that are dealt with, but for saying so: acknowledged together, since each would cost a round trip. */

#include "connection.h"
#include "offer.h"

struct acks {
	const char *stream, *group; // borrowed
	char **words; // of the command: XACK, stream, group, entries; owned
	size_t n_words;
};

static void acks_add_word(struct acks *acks, const char *word)
{
	acks->words = must(reallocarray(acks->words, acks->n_words + 1, sizeof(*acks->words)));
	acks->words[acks->n_words++] = must(strdup(word));
}

/* Returns true, for who has nothing else to do. */
static bool acks_add(struct acks *acks, const char *entry_id)
{
	if (acks->n_words == 0) {
		acks_add_word(acks, "XACK");
		acks_add_word(acks, acks->stream);
		acks_add_word(acks, acks->group);
	}
	acks_add_word(acks, entry_id);
	return true;
}

static void acks_clear(struct acks *acks)
{
	while (acks->n_words > 0)
		free(acks->words[--acks->n_words]);
}

static bool acks_send(struct acks *acks, struct connection *at)
{
	bool r = true;

	if (acks->n_words > 0)
		r = done(taken(at,
			redisCommandArgv(
				at->redis, (int)acks->n_words, (const char **)acks->words, NULL)));
	acks_clear(acks);
	return r;
}
