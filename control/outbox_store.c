// SPDX-License-Identifier: BSD-3-Clause
#include "control/outbox.h"

#include "control/log.h"
#include "control/outbox_state.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { SLICE = 1024 }; // entries read at a time: about 1 ms, tests/unit/outbox_store.c measures

void ctl_outbox_put(
	struct ctl_outbox *outbox, struct ctl_batch *batch, const struct ctl_outbox_stored *stored)
{
	ctl_pack_clear(&outbox->pack);
	ctl_outbox_entry_pack(&outbox->pack, stored);
	ctl_batch_put(batch, CTL_TABLE_OUTBOX, stored->number, outbox->pack.data, outbox->pack.len);
}

/* Delivered entries further behind than n_retained are not kept. */
static void cut(struct ctl_outbox *outbox, struct ctl_batch *batch)
{
	struct ctl_outbox_numbers *numbers = &outbox->numbers;
	const uint64_t acked = ctl_outbox_acked(outbox);

	if (acked > outbox->config.n_retained)
		numbers->kept = MAX(numbers->kept, acked - outbox->config.n_retained + 1);
	if (numbers->kept == outbox->cut + 1)
		return;
	outbox->cut = numbers->kept - 1;
	outbox->is_changed = true;
	ctl_batch_cut(batch, CTL_TABLE_OUTBOX, outbox->cut);
}

void ctl_outbox_put_numbers(struct ctl_outbox *outbox, struct ctl_batch *batch, uint64_t wall_ns)
{
	struct ctl_outbox_sealed sealed = {
		.serial = ctl_batch_serial(batch),
		.up_to = ctl_outbox_last(outbox),
		.wall_ns = wall_ns,
	};
	uint64_t before = outbox->committed;

	for (guint i = 0; i < outbox->sealed->len; i++) {
		struct ctl_outbox_sealed *earlier = &g_array_index(
			outbox->sealed, struct ctl_outbox_sealed, i);

		if (earlier->serial == CTL_OUTBOX_UNSEALED)
			earlier->serial = sealed.serial;
		before = earlier->up_to;
	}
	if (sealed.up_to > before)
		g_array_append_val(outbox->sealed, sealed);
	cut(outbox, batch);
	if (!outbox->is_changed)
		return;
	outbox->is_changed = false;
	ctl_pack_clear(&outbox->pack);
	ctl_outbox_numbers_pack(&outbox->pack, &outbox->numbers);
	ctl_batch_put(batch, CTL_TABLE_META, CTL_META_OUTBOX, outbox->pack.data, outbox->pack.len);
}

/* Is it entry `number`, of a type that was given so many? Returns the interned type, NULL when not. */
static const char *check(const struct ctl_outbox *outbox, uint64_t number, const void *value,
	size_t len, struct ctl_outbox_stored *ret_stored)
{
	char name[CTL_OUTBOX_TYPE_MAX + 1];
	const struct ctl_count *count;

	if (ctl_outbox_entry_unpack(value, len, ret_stored) < 0 || ret_stored->number != number)
		return NULL;
	memcpy(name, ret_stored->type.at, ret_stored->type.len);
	name[ret_stored->type.len] = '\0';
	count = ctl_numbering_find(&outbox->numbers.given, name);
	if (count == NULL || ret_stored->typenumber > count->last)
		return NULL;
	return g_intern_string(name); // for ever: of a few dozen known ones
}

static int fail_entry(uint64_t number, struct dp_err *reterr)
{
	return dp_fail(reterr, EBADMSG,
		"entry %" PRIu64 " of the outbox is missing or damaged in the store, "
		"expected what was written: restore a backup, or begin with an empty store",
		number);
}

/* A run of entries, from `next` to `last`, each in its place. */
struct run {
	struct ctl_outbox *outbox;
	uint64_t next, last;
	size_t n_left; // to read
	GHashTable *typenumbers; // interned type -> first typenumber seen; NULL = not asked for
};

static int remember_one(void *ctx, uint64_t key, const void *value, size_t len)
{
	struct run *run = ctx;
	struct ctl_outbox_stored stored;
	const char *type;

	if (run->next > run->last || run->n_left == 0 || !ctl_outbox_has_memory(run->outbox))
		return 1;
	type = key == run->next ? check(run->outbox, key, value, len, &stored) : NULL;
	if (type == NULL)
		return -EBADMSG;
	ctl_outbox_remember(run->outbox, &stored, type);
	run->next++;
	run->n_left--;
	return 0;
}

int ctl_outbox_refill(struct ctl_outbox *outbox, struct dp_err *reterr)
{
	// Not when it runs out: what is sent and not confirmed stays in it, and more has to follow.
	const size_t max = outbox->config.memory_max, low = max > 2 * SLICE ? max - SLICE : max / 2;
	const uint64_t first = ctl_outbox_acked(outbox) + outbox->n_memory + 1;
	struct run run = {outbox, .next = first, .last = outbox->committed, .n_left = SLICE};
	int r;

	if (outbox->config.store == NULL || first > outbox->committed || outbox->n_memory > low ||
		(outbox->n_memory > 0 && outbox->memory_bytes > CTL_OUTBOX_MEMORY_BYTES / 2))
		return 0;
	r = ctl_store_read(
		outbox->config.store, CTL_TABLE_OUTBOX, first, remember_one, &run, reterr);
	if (r == -EBADMSG || (r == 0 && run.next == first))
		return fail_entry(run.next, reterr);
	return r == -EAGAIN ? 0 : r; // the next commit comes after that
}

static void refill(struct ctl_outbox *outbox)
{
	struct dp_err err = {0};
	const bool is_unreadable = ctl_outbox_refill(outbox, &err) < 0;

	if (is_unreadable && !outbox->is_unreadable)
		ctl_log(CTL_LOG_ERR, "outbox_unreadable", CTL_TEXT("cause", err.text),
			CTL_TEXT("consequence", "nothing is published from there on"));
	outbox->is_unreadable = is_unreadable;
}

void ctl_outbox_refill_or_alarm(struct ctl_outbox *outbox)
{
	if (!outbox->is_unreadable)
		refill(outbox);
}

void ctl_outbox_committed(struct ctl_outbox *outbox, uint64_t serial)
{
	const size_t n_before = ctl_outbox_n_ready(outbox);
	guint n = 0;

	while (n < outbox->sealed->len) {
		const struct ctl_outbox_sealed *sealed = &g_array_index(
			outbox->sealed, struct ctl_outbox_sealed, n);

		if (sealed->serial > serial)
			break;
		outbox->committed = sealed->up_to;
		n++;
	}
	if (n > 0)
		g_array_remove_range(outbox->sealed, 0, n);
	refill(outbox);
	if (ctl_outbox_n_ready(outbox) > n_before)
		ctl_outbox_tell_ready(outbox);
}

static int read_numbers(void *ctx, uint64_t, const void *value, size_t len)
{
	return ctl_outbox_numbers_unpack(value, len, ctx);
}

static int note_key(void *ctx, uint64_t key, const void *, size_t)
{
	*(uint64_t *)ctx = key;
	return 1;
}

/* What the numbers speak of is there. */
static int check_table(const struct ctl_outbox *outbox, bool is_empty, struct dp_err *reterr)
{
	const uint64_t last = ctl_outbox_last(outbox);
	uint64_t key = 0;
	int r;

	if (!is_empty && ctl_outbox_n_waiting(outbox) == 0)
		return 0;
	r = ctl_store_read(outbox->config.store, CTL_TABLE_OUTBOX, is_empty ? 0 : last, note_key,
		&key, reterr);
	if (r < 0)
		return r;
	if (is_empty && key > 0)
		return dp_fail(reterr, EBADMSG,
			"the store has triggers but not the numbers given last, "
			"expected both: restore a backup, or begin with an empty store");
	return is_empty || key == last ? 0 : fail_entry(last, reterr);
}

int ctl_outbox_restore(struct ctl_outbox *outbox, struct dp_err *reterr)
{
	struct ctl_outbox_numbers read;
	int r;

	assert(outbox->config.store != NULL && !outbox->has_mark && outbox->batch->len == 0);
	ctl_outbox_numbers_init(&read);
	r = ctl_store_get(
		outbox->config.store, CTL_TABLE_META, CTL_META_OUTBOX, read_numbers, &read, reterr);
	if (r == 0) {
		const struct ctl_outbox_numbers unused = outbox->numbers;

		outbox->numbers = read;
		read = unused;
	}
	ctl_outbox_numbers_fini(&read);
	if (r == -EBADMSG)
		return dp_fail(reterr, EBADMSG,
			"the numbers given last cannot be read in the store, expected what was "
			"written: restore a backup, or begin with an empty store");
	if (r < 0 && r != -ENOENT)
		return r;
	outbox->is_changed = r == -ENOENT; // the writer's name is durable with the first seal
	outbox->committed = ctl_outbox_last(outbox);
	outbox->cut = outbox->numbers.kept - 1;
	outbox->stats.n_max = ctl_outbox_n_waiting(outbox);
	r = check_table(outbox, r == -ENOENT, reterr);
	if (r == 0)
		r = ctl_outbox_refill(outbox, reterr);
	if (r == 0 && outbox->config.file != NULL)
		r = ctl_trigger_file_cut(
			outbox->config.file, outbox->numbers.lines.all.last, reterr);
	outbox->has_mark = r == 0;
	return r;
}

uint64_t ctl_outbox_oldest_kept(const struct ctl_outbox *outbox)
{
	const uint64_t kept = outbox->config.store != NULL ? outbox->numbers.kept
							   : ctl_outbox_acked(outbox) + 1;

	return kept + outbox->numbers.given.all.shift;
}

struct wanted {
	struct ctl_outbox *outbox;
	uint64_t id_ms, id_n;
};

static int note_id(void *ctx, uint64_t key, const void *value, size_t len)
{
	struct wanted *wanted = ctx;
	struct ctl_outbox_stored stored;

	if (check(wanted->outbox, key, value, len, &stored) == NULL)
		return -EBADMSG;
	wanted->id_ms = stored.id_ms;
	wanted->id_n = stored.id_n;
	ctl_outbox_say_id(wanted->outbox, key, &wanted->id_ms, &wanted->id_n);
	return 0;
}

int ctl_outbox_id(struct ctl_outbox *outbox, uint64_t sequence, uint64_t *ret_ms, uint64_t *ret_n,
	struct dp_err *reterr)
{
	const uint64_t number = sequence - outbox->numbers.given.all.shift;
	const uint64_t i = number - ctl_outbox_acked(outbox) - 1;
	struct wanted wanted = {.outbox = outbox};
	int r;

	assert(number > ctl_outbox_acked(outbox));
	if (number > outbox->committed)
		return dp_fail(reterr, ENOENT, "trigger %" PRIu64 " is not in the store", sequence);
	if (i < outbox->n_memory) {
		*ret_ms = ctl_outbox_slot_at(outbox, i)->entry.id_ms;
		*ret_n = ctl_outbox_slot_at(outbox, i)->entry.id_n;
		return 0;
	}
	r = ctl_store_get(outbox->config.store, CTL_TABLE_OUTBOX, number, note_id, &wanted, reterr);
	if (r == -EBADMSG || r == -ENOENT)
		return fail_entry(number, reterr);
	if (r < 0)
		return r;
	*ret_ms = wanted.id_ms;
	*ret_n = wanted.id_n;
	return 0;
}

static int note_type(void *ctx, uint64_t key, const void *value, size_t len)
{
	struct run *run = ctx;
	struct ctl_outbox_stored stored;
	const char *type;

	if (run->next > run->last)
		return 1;
	type = key == run->next ? check(run->outbox, key, value, len, &stored) : NULL;
	if (type == NULL)
		return -EBADMSG;
	if (!g_hash_table_contains(run->typenumbers, type))
		g_hash_table_insert(run->typenumbers, (gpointer)type,
			g_memdup2(&stored.typenumber, sizeof(stored.typenumber)));
	run->next++;
	return 0;
}

/* Entries behind `number` are not delivered: the counts of their types go back, too. */
static int take_back(struct ctl_outbox *outbox, uint64_t number, struct dp_err *reterr)
{
	g_autoptr(GHashTable)
		typenumbers = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
	struct run run = {outbox, .next = number + 1, .last = ctl_outbox_acked(outbox),
		.typenumbers = typenumbers};
	GHashTableIter iter;
	gpointer type, first;
	int r;

	r = ctl_store_read(
		outbox->config.store, CTL_TABLE_OUTBOX, number + 1, note_type, &run, reterr);
	if (r == -EBADMSG || (r == 0 && run.next <= run.last))
		return fail_entry(run.next, reterr);
	if (r < 0)
		return r;
	g_hash_table_iter_init(&iter, typenumbers);
	while (g_hash_table_iter_next(&iter, &type, &first))
		ctl_numbering_type(&outbox->numbers.given, type)->acked = *(uint64_t *)first - 1;
	outbox->numbers.given.all.acked = number;
	return 0;
}

int ctl_outbox_rewind(struct ctl_outbox *outbox, uint64_t sequence, struct dp_err *reterr)
{
	const struct ctl_count *all = &outbox->numbers.given.all;
	const uint64_t kept = ctl_outbox_oldest_kept(outbox), acked = all->acked + all->shift;
	int r;

	if (sequence == acked)
		return 0;
	if (sequence > acked)
		return dp_fail(reterr, EINVAL,
			"trigger %" PRIu64 " was not delivered yet, expected one up to %" PRIu64,
			sequence, acked);
	if (sequence + 1 < kept && kept > acked)
		return dp_fail(reterr, ENOENT,
			"trigger %" PRIu64 " is not kept any more, and none that was delivered is",
			sequence + 1);
	if (sequence + 1 < kept)
		return dp_fail(reterr, ENOENT,
			"trigger %" PRIu64 " is not kept any more, expected one from %" PRIu64
			" to %" PRIu64,
			sequence + 1, kept, acked);
	r = take_back(outbox, sequence - all->shift, reterr);
	if (r < 0)
		return r;
	ctl_outbox_forget(outbox);
	outbox->is_changed = true;
	r = ctl_outbox_refill(outbox, reterr);
	ctl_outbox_tell_ready(outbox);
	return r;
}
