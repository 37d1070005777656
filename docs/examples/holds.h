// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Entries that wait for another try: nothing later of their subjects is acted on before them. */

#include "offer.h"

struct held {
	char *subject; // owned
	char entry_id[48];
};

struct holds {
	struct held *held; // owned
	size_t n_held;
};

/* Does an earlier one of its subject wait? */
static bool holds_precede(const struct holds *holds, const struct offer *offer)
{
	for (size_t i = 0; i < holds->n_held; i++)
		if (strcmp(holds->held[i].subject, offer->subject) == 0 &&
			is_before(holds->held[i].entry_id, offer->entry_id))
			return true;
	return false;
}

static void holds_forget_at(struct holds *holds, size_t i)
{
	free(holds->held[i].subject);
	holds->held[i] = holds->held[--holds->n_held];
}

static void holds_forget(struct holds *holds, const char *entry_id)
{
	for (size_t i = 0; i < holds->n_held; i++)
		if (strcmp(holds->held[i].entry_id, entry_id) == 0) {
			holds_forget_at(holds, i);
			return;
		}
}

/* It stays pending; nothing later of this subject overtakes it. */
static bool holds_add(struct holds *holds, const struct offer *offer)
{
	struct held *held;

	holds_forget(holds, offer->entry_id);
	holds->held = must(reallocarray(holds->held, holds->n_held + 1, sizeof(*holds->held)));
	held = &holds->held[holds->n_held++];
	held->subject = must(strdup(offer->subject));
	snprintf(held->entry_id, sizeof(held->entry_id), "%s", offer->entry_id);
	return true;
}

static void holds_clear(struct holds *holds)
{
	while (holds->n_held > 0)
		holds_forget_at(holds, holds->n_held - 1);
}
