// SPDX-License-Identifier: BSD-3-Clause
#include "control/outbox_entry.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_same(const struct ctl_outbox_text *a, const struct ctl_outbox_text *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->at, b->at, a->len) == 0);
}

/* What is an entry is the same one after it was written again. */
static void try_entry(const uint8_t *data, size_t size)
{
	struct ctl_outbox_stored entry, again;
	struct ctl_pack pack = {0};

	if (ctl_outbox_entry_unpack(data, size, &entry) < 0)
		return;
	ctl_outbox_entry_pack(&pack, &entry);
	if (ctl_outbox_entry_unpack(pack.data, pack.len, &again) < 0 ||
		again.number != entry.number || again.typenumber != entry.typenumber ||
		again.wall_ns != entry.wall_ns || again.id_ms != entry.id_ms ||
		again.id_n != entry.id_n || !is_same(&again.type, &entry.type) ||
		!is_same(&again.subject, &entry.subject) || !is_same(&again.event, &entry.event))
		abort();
	ctl_pack_fini(&pack);
}

/* What are numbers have one way to be written. */
static void try_numbers(const uint8_t *data, size_t size)
{
	struct ctl_outbox_numbers numbers, again;
	struct ctl_pack first = {0}, second = {0};

	ctl_outbox_numbers_init(&numbers);
	ctl_outbox_numbers_init(&again);
	if (ctl_outbox_numbers_unpack(data, size, &numbers) == 0) {
		ctl_outbox_numbers_pack(&first, &numbers);
		if (ctl_outbox_numbers_unpack(first.data, first.len, &again) < 0)
			abort();
		ctl_outbox_numbers_pack(&second, &again);
		if (first.len != second.len || memcmp(first.data, second.data, first.len) != 0)
			abort();
	}
	ctl_outbox_numbers_fini(&numbers);
	ctl_outbox_numbers_fini(&again);
	ctl_pack_fini(&first);
	ctl_pack_fini(&second);
}

/* Any bytes as an entry of the store, and as the numbers given last. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_entry(data, size);
	try_numbers(data, size);
	return 0;
}
