// SPDX-License-Identifier: BSD-3-Clause
#include "control/outbox.h"

#include "control/log.h"
#include "control/numbering.h"
#include "control/outbox_state.h"
#include "control/utc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { RING_MIN = 256 }; // slots at start; doubled when needed

static void free_trigger(gpointer trigger)
{
	ctl_trigger_free(trigger);
}

struct ctl_outbox *ctl_outbox_new(const struct ctl_outbox_config *config)
{
	struct ctl_outbox *outbox = g_new0(struct ctl_outbox, 1);
	g_autofree char *writer = g_uuid_string_random();

	assert(config->queue_max > 0);
	outbox->config = *config;
	if (outbox->config.wall_ns == NULL)
		outbox->config.wall_ns = ctl_utc_now_ns;
	if (outbox->config.memory_max == 0)
		outbox->config.memory_max = CTL_OUTBOX_MEMORY_MAX;
	ctl_outbox_numbers_init(&outbox->numbers);
	(void)g_strlcpy(outbox->numbers.writer, writer, sizeof(outbox->numbers.writer));
	outbox->batch = g_ptr_array_new_with_free_func(free_trigger);
	outbox->sealed = g_array_new(FALSE, FALSE, sizeof(struct ctl_outbox_sealed));
	outbox->n_slots = RING_MIN;
	outbox->ring = g_new0(struct ctl_outbox_slot *, outbox->n_slots);
	return outbox;
}

void ctl_outbox_free(struct ctl_outbox *outbox)
{
	if (outbox == NULL)
		return;
	ctl_outbox_forget(outbox);
	g_free(outbox->ring);
	g_ptr_array_free(outbox->batch, TRUE);
	g_array_free(outbox->sealed, TRUE);
	ctl_outbox_numbers_fini(&outbox->numbers);
	ctl_pack_fini(&outbox->pack);
	g_free(outbox);
}

bool ctl_outbox_has_memory(const struct ctl_outbox *outbox)
{
	if (outbox->config.store == NULL || outbox->n_memory == 0)
		return true;
	return outbox->n_memory < outbox->config.memory_max &&
		outbox->memory_bytes < CTL_OUTBOX_MEMORY_BYTES;
}

static void grow(struct ctl_outbox *outbox)
{
	struct ctl_outbox_slot **ring = g_new0(struct ctl_outbox_slot *, 2 * outbox->n_slots);

	for (size_t i = 0; i < outbox->n_memory; i++)
		ring[i] = ctl_outbox_slot_at(outbox, i);
	g_free(outbox->ring);
	outbox->ring = ring;
	outbox->n_slots *= 2;
	outbox->head = 0;
}

static size_t slot_bytes(const struct ctl_outbox_slot *slot)
{
	return sizeof(*slot) + strlen(slot->entry.subject) + slot->open_len + CTL_NUMBERS_TEXT_MAX +
		1;
}

void ctl_outbox_say_id(
	const struct ctl_outbox *outbox, uint64_t number, uint64_t *id_ms, uint64_t *id_n)
{
	const struct ctl_outbox_moved *moved = &outbox->numbers.moved;

	if (number < moved->from || number > moved->to)
		return;
	*id_ms = moved->id_ms;
	*id_n = moved->id_n + (number - moved->from);
}

/* What the entry is known by outside, as of the shift in force. */
static void say(const struct ctl_outbox *outbox, struct ctl_outbox_slot *slot)
{
	const struct ctl_numbering *given = &outbox->numbers.given;
	const struct ctl_count *type = ctl_numbering_find(given, slot->entry.type);
	struct ctl_outbox_entry *entry = &slot->entry;
	char *event = slot->texts + strlen(entry->subject) + 1;

	entry->sequence = slot->number + given->all.shift;
	entry->typesequence = slot->typenumber + type->shift;
	ctl_outbox_say_id(outbox, slot->number, &entry->id_ms, &entry->id_n);
	ctl_numbers_text(event + slot->open_len, entry->sequence, entry->typesequence);
}

void ctl_outbox_remember(
	struct ctl_outbox *outbox, const struct ctl_outbox_stored *stored, const char *type)
{
	const size_t subject_size = stored->subject.len + 1;
	const size_t open_len = stored->event.len - 1; // the numbers close it
	struct ctl_outbox_slot *slot = g_malloc(
		sizeof(*slot) + subject_size + open_len + CTL_NUMBERS_TEXT_MAX);

	*slot = (struct ctl_outbox_slot){
		.entry = {.id_ms = stored->id_ms,
			.id_n = stored->id_n,
			.type = type,
			.subject = slot->texts,
			.event = slot->texts + subject_size,
			.event_len = open_len + CTL_NUMBERS_TEXT_LEN},
		.number = stored->number,
		.typenumber = stored->typenumber,
		.wall_ns = stored->wall_ns,
		.open_len = open_len,
	};
	memcpy(slot->texts, stored->subject.at, stored->subject.len);
	slot->texts[stored->subject.len] = '\0';
	memcpy(slot->texts + subject_size, stored->event.at, open_len);
	say(outbox, slot);

	if (outbox->n_memory == outbox->n_slots)
		grow(outbox);
	outbox->ring[(outbox->head + outbox->n_memory) & (outbox->n_slots - 1)] = slot;
	outbox->n_memory++;
	outbox->memory_bytes += slot_bytes(slot);
}

static void forget_oldest(struct ctl_outbox *outbox)
{
	struct ctl_outbox_slot *slot = ctl_outbox_slot_at(outbox, 0);

	outbox->memory_bytes -= slot_bytes(slot);
	outbox->head = (outbox->head + 1) & (outbox->n_slots - 1);
	outbox->n_memory--;
	g_free(slot);
}

void ctl_outbox_forget(struct ctl_outbox *outbox)
{
	while (outbox->n_memory > 0)
		forget_oldest(outbox);
}

void ctl_outbox_tell_ready(struct ctl_outbox *outbox)
{
	if (ctl_outbox_n_ready(outbox) > 0 && outbox->ready_fn != NULL)
		outbox->ready_fn(outbox->ready_ctx);
}

static void set_full(struct ctl_outbox *outbox, bool is_full)
{
	if (outbox->stats.is_full == is_full)
		return;
	outbox->stats.is_full = is_full;
	if (is_full)
		ctl_log(CTL_LOG_ERR, "outbox_full",
			CTL_COUNT("waiting", ctl_outbox_n_waiting(outbox)),
			CTL_TEXT("consequence", "refusing new triggers until Redis takes some"));
	else
		ctl_log(CTL_LOG_NOTICE, "outbox_accepting",
			CTL_COUNT("waiting", ctl_outbox_n_waiting(outbox)),
			CTL_COUNT("refused", outbox->stats.n_refused));
}

/* max(last id, wall clock)-n: strictly growing even when the clock is set back. */
static void next_id(struct ctl_outbox_numbers *numbers, uint64_t wall_ns)
{
	const uint64_t wall_ms = wall_ns / 1000000;

	if (wall_ms > numbers->last_ms) {
		numbers->last_ms = wall_ms;
		numbers->last_n = 0;
	} else {
		numbers->last_n++;
	}
}

static void enter(struct ctl_outbox *outbox, struct ctl_batch *batch,
	const struct ctl_trigger *trigger, const char *text, uint64_t wall_ns)
{
	struct ctl_outbox_numbers *numbers = &outbox->numbers;
	const bool is_remembered = outbox->n_memory == ctl_outbox_n_waiting(outbox) &&
		ctl_outbox_has_memory(outbox);
	const char *type = g_intern_string(trigger->type);
	struct ctl_outbox_stored stored = {
		.wall_ns = wall_ns,
		.type = {type, strlen(type)},
		.subject = {trigger->subject, strlen(trigger->subject)},
		.event = {text, strlen(text)},
	};

	ctl_numbering_next(&numbers->given, type, &stored.number, &stored.typenumber);
	next_id(numbers, wall_ns);
	stored.id_ms = numbers->last_ms;
	stored.id_n = numbers->last_n;
	if (is_remembered)
		ctl_outbox_remember(outbox, &stored, type);
	if (batch != NULL)
		ctl_outbox_put(outbox, batch, &stored);
	outbox->stats.n_entered++;
	outbox->stats.n_max = MAX(outbox->stats.n_max, ctl_outbox_n_waiting(outbox));
}

void ctl_outbox_push(void *ctx, struct ctl_trigger *given)
{
	struct ctl_outbox *outbox = ctx;

	g_ptr_array_add(outbox->batch, given);
}

/* g_ptr_array_sort is stable: what is equal here keeps the engine's order. */
static gint compare(gconstpointer left, gconstpointer right)
{
	const struct ctl_trigger *a = *(struct ctl_trigger *const *)left;
	const struct ctl_trigger *b = *(struct ctl_trigger *const *)right;
	int r;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	r = strcmp(a->subject, b->subject);
	if (r == 0)
		r = strcmp(a->rule, b->rule);
	return r;
}

/* A line of the file, whether there is one or not: so the count of lines is that of triggers. */
static void add_line(struct ctl_outbox *outbox, const struct ctl_trigger *trigger, const char *text)
{
	uint64_t sequence, typesequence;

	ctl_numbering_next(&outbox->numbers.lines, trigger->type, &sequence, &typesequence);
	outbox->is_changed = true;
	if (outbox->config.file != NULL)
		ctl_trigger_file_write(outbox->config.file, text, sequence, typesequence);
}

/* What could be read again: a store that takes it must give it back. */
static bool is_usable(
	const struct ctl_outbox *outbox, const struct ctl_trigger *trigger, const char *text)
{
	const struct ctl_numbering *lines = &outbox->numbers.lines;

	if (text == NULL || strlen(text) > CTL_OUTBOX_EVENT_MAX || *trigger->type == '\0')
		return false;
	return g_hash_table_size(lines->types) < CTL_OUTBOX_TYPES_MAX ||
		ctl_numbering_find(lines, trigger->type) != NULL;
}

static void seal_trigger(struct ctl_outbox *outbox, struct ctl_batch *batch,
	const struct ctl_trigger *trigger, uint64_t wall_ns)
{
	char *text = ctl_trigger_text(trigger, outbox->config.is_replay ? 0 : wall_ns);

	if (!is_usable(outbox, trigger, text)) {
		outbox->stats.n_refused++;
		ctl_log(CTL_LOG_ERR, "trigger_unusable", CTL_TEXT("type", trigger->type),
			CTL_TEXT("consequence", "refused"));
		free(text);
		return;
	}
	add_line(outbox, trigger, text);
	if (outbox->config.is_published) {
		if (ctl_outbox_n_waiting(outbox) < outbox->config.queue_max) {
			enter(outbox, batch, trigger, text, wall_ns);
		} else {
			outbox->stats.n_refused++;
			set_full(outbox, true);
		}
	}
	free(text);
}

void ctl_outbox_seal(struct ctl_outbox *outbox, struct ctl_batch *batch)
{
	const uint64_t n_before = outbox->stats.n_entered;
	const uint64_t wall_ns = outbox->config.wall_ns();

	assert((batch != NULL) == (outbox->config.store != NULL));
	assert(batch == NULL || outbox->has_mark); // it was restored
	g_ptr_array_sort(outbox->batch, compare);
	for (guint i = 0; i < outbox->batch->len; i++)
		seal_trigger(outbox, batch, g_ptr_array_index(outbox->batch, i), wall_ns);
	// Before the commit: so after a crash the file is never behind the store.
	if (outbox->batch->len > 0 && outbox->config.file != NULL)
		ctl_trigger_file_flush(outbox->config.file);
	g_ptr_array_set_size(outbox->batch, 0);
	if (batch != NULL) {
		ctl_outbox_put_numbers(outbox, batch, wall_ns);
		return;
	}
	outbox->committed = ctl_outbox_last(outbox);
	if (outbox->stats.n_entered != n_before)
		ctl_outbox_tell_ready(outbox);
}

/* Ids behind both what we gave and the stream has, unless what waits has such already. */
static void follow_id(struct ctl_outbox *outbox, uint64_t id_ms, uint64_t id_n)
{
	struct ctl_outbox_numbers *numbers = &outbox->numbers;
	const struct ctl_outbox_entry *oldest = outbox->n_memory > 0
		? &ctl_outbox_slot_at(outbox, 0)->entry
		: NULL;
	const size_t n_waiting = ctl_outbox_n_waiting(outbox);

	if (oldest != NULL &&
		(oldest->id_ms > id_ms || (oldest->id_ms == id_ms && oldest->id_n > id_n)))
		return;
	if (id_ms > numbers->last_ms || (id_ms == numbers->last_ms && id_n > numbers->last_n)) {
		numbers->last_ms = id_ms;
		numbers->last_n = id_n;
	}
	if (numbers->last_n > UINT64_MAX / 2) { // whoever gave that; ours must not run over
		numbers->last_ms++;
		numbers->last_n = 0;
	}
	if (n_waiting == 0)
		return;
	numbers->moved = (struct ctl_outbox_moved){
		.from = ctl_outbox_acked(outbox) + 1,
		.to = ctl_outbox_last(outbox),
		.id_ms = numbers->last_ms,
		.id_n = numbers->last_n + 1,
	};
	numbers->last_n += n_waiting;
}

/* Everything that waits, and all that comes, is said as what follows mark. */
static void follow(struct ctl_outbox *outbox, const struct ctl_outbox_mark *mark)
{
	struct ctl_numbering *given = &outbox->numbers.given;

	assert(mark->n_types <= CTL_OUTBOX_TYPES_MAX);
	follow_id(outbox, mark->id_ms, mark->id_n);
	ctl_numbering_shift(given);
	given->all.shift += mark->sequence;
	for (size_t i = 0; i < mark->n_types; i++) {
		const struct ctl_outbox_type_mark *type = &mark->types[i];

		if (*type->type != '\0' && strlen(type->type) <= CTL_OUTBOX_TYPE_MAX) // never ours
			ctl_numbering_type(given, type->type)->shift += type->typesequence;
	}
	for (size_t i = 0; i < outbox->n_memory; i++)
		say(outbox, ctl_outbox_slot_at(outbox, i));
}

void ctl_outbox_resume(struct ctl_outbox *outbox, const struct ctl_outbox_mark *mark)
{
	assert(!outbox->has_mark && outbox->config.store == NULL);
	follow(outbox, mark);
	outbox->has_mark = true;
	ctl_outbox_tell_ready(outbox);
}

void ctl_outbox_renumber(struct ctl_outbox *outbox, const struct ctl_outbox_mark *mark)
{
	const struct ctl_outbox_sealed held = {
		.serial = CTL_OUTBOX_UNSEALED,
		.up_to = outbox->committed,
		.wall_ns = ctl_outbox_oldest_wall(outbox),
	};

	assert(outbox->has_mark);
	follow(outbox, mark);
	if (outbox->config.store == NULL) {
		ctl_outbox_tell_ready(outbox);
		return;
	}
	// Under the new numbers nothing is durable yet: a crash now would bring the old ones back.
	for (guint i = 0; i < outbox->sealed->len; i++)
		g_array_index(outbox->sealed, struct ctl_outbox_sealed, i).serial =
			CTL_OUTBOX_UNSEALED;
	if (outbox->committed > ctl_outbox_acked(outbox))
		g_array_prepend_val(outbox->sealed, held);
	outbox->committed = ctl_outbox_acked(outbox);
	outbox->numbers.is_fresh = false;
	outbox->numbers.kept = MAX(outbox->numbers.kept, ctl_outbox_acked(outbox) + 1);
	outbox->is_changed = true;
}

bool ctl_outbox_has_mark(const struct ctl_outbox *outbox)
{
	return outbox->has_mark;
}

bool ctl_outbox_is_fresh(const struct ctl_outbox *outbox)
{
	return outbox->config.store != NULL && outbox->numbers.is_fresh;
}

bool ctl_outbox_has_news(const struct ctl_outbox *outbox)
{
	return outbox->config.store != NULL && outbox->is_changed;
}

const char *ctl_outbox_writer(const struct ctl_outbox *outbox)
{
	return outbox->numbers.writer;
}

void ctl_outbox_on_ready(struct ctl_outbox *outbox, void (*fn)(void *ctx), void *ctx)
{
	outbox->ready_fn = fn;
	outbox->ready_ctx = ctx;
}

size_t ctl_outbox_n_ready(const struct ctl_outbox *outbox)
{
	if (!outbox->has_mark)
		return 0;
	return (size_t)MIN(outbox->n_memory, outbox->committed - ctl_outbox_acked(outbox));
}

const struct ctl_outbox_entry *ctl_outbox_peek(const struct ctl_outbox *outbox, size_t i)
{
	assert(i < ctl_outbox_n_ready(outbox));
	return &ctl_outbox_slot_at(outbox, i)->entry;
}

void ctl_outbox_ack(struct ctl_outbox *outbox, size_t n)
{
	assert(n <= ctl_outbox_n_ready(outbox));
	for (size_t i = 0; i < n; i++) {
		const struct ctl_outbox_slot *slot = ctl_outbox_slot_at(outbox, 0);

		ctl_numbering_ack(
			&outbox->numbers.given, slot->entry.type, slot->number, slot->typenumber);
		forget_oldest(outbox);
	}
	if (n == 0)
		return;
	outbox->stats.n_acked += n;
	outbox->numbers.is_fresh = false;
	outbox->is_changed = true;
	if (ctl_outbox_n_waiting(outbox) <= outbox->config.queue_max / 4 * 3)
		set_full(outbox, false);
	ctl_outbox_refill_or_alarm(outbox);
}

uint64_t ctl_outbox_oldest_wall(const struct ctl_outbox *outbox)
{
	if (ctl_outbox_n_waiting(outbox) == 0)
		return 0;
	if (outbox->n_memory > 0)
		return ctl_outbox_slot_at(outbox, 0)->wall_ns;
	// Only in batches on their way to the store.
	for (guint i = 0; i < outbox->sealed->len; i++) {
		const struct ctl_outbox_sealed *sealed = &g_array_index(
			outbox->sealed, struct ctl_outbox_sealed, i);

		if (sealed->up_to > ctl_outbox_acked(outbox))
			return sealed->wall_ns;
	}
	return 0;
}

struct ctl_outbox_stats ctl_outbox_stats(const struct ctl_outbox *outbox)
{
	const struct ctl_count *all = &outbox->numbers.given.all;
	struct ctl_outbox_stats stats = outbox->stats;

	stats.acked_sequence = all->acked + all->shift;
	stats.last_sequence = all->last + all->shift;
	stats.n_waiting = ctl_outbox_n_waiting(outbox);
	stats.n_in_store = stats.n_waiting - outbox->n_memory;
	stats.n_uncommitted = (size_t)(all->last - outbox->committed);
	stats.oldest_wall_ns = ctl_outbox_oldest_wall(outbox);
	return stats;
}
