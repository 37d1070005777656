// SPDX-License-Identifier: BSD-3-Clause
#include "control/outbox.h"

#include "control/log.h"
#include "control/numbering.h"
#include "control/utc.h"

#include <assert.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

enum { RING_MIN = 256 }; // slots at start; doubled when needed

/* An entry and what it owns. */
struct slot {
	struct ctl_outbox_entry entry;
	uint64_t wall_ns; // when it was entered
	char *event; // without its numbers until the mark is known
	char *subject;
};

struct ctl_outbox {
	struct ctl_outbox_config config;
	struct ctl_numbering numbering;
	uint64_t last_ms, last_n; // last entry id given
	bool has_mark;
	char *writer; // owned
	GPtrArray *batch; // struct ctl_trigger *, owned: the open tick
	struct slot **ring; // n_slots (a power of two), oldest at head
	size_t n_slots, head;
	void (*ready_fn)(void *ctx);
	void *ready_ctx;
	struct ctl_outbox_stats stats;
};

static struct slot *slot_at(const struct ctl_outbox *outbox, size_t i)
{
	return outbox->ring[(outbox->head + i) & (outbox->n_slots - 1)];
}

static void slot_free(struct slot *slot)
{
	free(slot->event);
	g_free(slot->subject);
	g_free(slot);
}

static void free_trigger(gpointer trigger)
{
	ctl_trigger_free(trigger);
}

struct ctl_outbox *ctl_outbox_new(const struct ctl_outbox_config *config)
{
	struct ctl_outbox *outbox = g_new0(struct ctl_outbox, 1);

	assert(config->queue_max > 0);
	outbox->config = *config;
	if (outbox->config.wall_ns == NULL)
		outbox->config.wall_ns = ctl_utc_now_ns;
	ctl_numbering_init(&outbox->numbering);
	outbox->batch = g_ptr_array_new_with_free_func(free_trigger);
	outbox->writer = g_uuid_string_random();
	outbox->n_slots = RING_MIN;
	outbox->ring = g_new0(struct slot *, outbox->n_slots);
	return outbox;
}

void ctl_outbox_free(struct ctl_outbox *outbox)
{
	if (outbox == NULL)
		return;
	for (size_t i = 0; i < outbox->stats.n_waiting; i++)
		slot_free(slot_at(outbox, i));
	g_free(outbox->writer);
	g_free(outbox->ring);
	g_ptr_array_free(outbox->batch, TRUE);
	ctl_numbering_fini(&outbox->numbering);
	g_free(outbox);
}

static void grow(struct ctl_outbox *outbox)
{
	struct slot **ring = g_new0(struct slot *, 2 * outbox->n_slots);

	for (size_t i = 0; i < outbox->stats.n_waiting; i++)
		ring[i] = slot_at(outbox, i);
	g_free(outbox->ring);
	outbox->ring = ring;
	outbox->n_slots *= 2;
	outbox->head = 0;
}

/* Give the entry what it keeps for ever: id, numbers, final text. */
static void number(struct ctl_outbox *outbox, struct slot *slot)
{
	const uint64_t wall_ms = slot->wall_ns / 1000000;
	struct ctl_outbox_entry *entry = &slot->entry;
	char close[CTL_NUMBERS_TEXT_MAX];
	size_t open_len, close_len;

	// max(last id, wall clock)-n: strictly growing even when the clock is set back.
	if (wall_ms > outbox->last_ms) {
		outbox->last_ms = wall_ms;
		outbox->last_n = 0;
	} else {
		outbox->last_n++;
	}
	entry->id_ms = outbox->last_ms;
	entry->id_n = outbox->last_n;
	ctl_numbering_next(&outbox->numbering, entry->type, &entry->sequence, &entry->typesequence);

	close_len = ctl_numbers_text(close, entry->sequence, entry->typesequence);
	open_len = strlen(slot->event);
	slot->event = g_realloc(slot->event, open_len + close_len + 1);
	memcpy(slot->event + open_len, close, close_len + 1);
	entry->event = slot->event;
	entry->event_len = open_len + close_len;
}

static void set_full(struct ctl_outbox *outbox, bool is_full)
{
	if (outbox->stats.is_full == is_full)
		return;
	outbox->stats.is_full = is_full;
	if (is_full)
		ctl_log(CTL_LOG_ERR, "outbox_full", CTL_COUNT("waiting", outbox->stats.n_waiting),
			CTL_TEXT("consequence", "refusing new triggers until Redis takes some"));
	else
		ctl_log(CTL_LOG_NOTICE, "outbox_accepting",
			CTL_COUNT("waiting", outbox->stats.n_waiting),
			CTL_COUNT("refused", outbox->stats.n_refused));
}

static void enter(struct ctl_outbox *outbox, const struct ctl_trigger *trigger, uint64_t wall_ns)
{
	char *event = ctl_trigger_text(trigger, outbox->config.is_replay ? 0 : wall_ns);
	struct slot *slot;

	if (event == NULL) {
		outbox->stats.n_refused++;
		ctl_log(CTL_LOG_ERR, "trigger_unusable", CTL_TEXT("type", trigger->type),
			CTL_TEXT("consequence", "refused"));
		return;
	}
	slot = g_new0(struct slot, 1);
	slot->wall_ns = wall_ns;
	slot->event = event;
	slot->subject = g_strdup(trigger->subject);
	slot->entry.type = g_intern_string(trigger->type);
	slot->entry.subject = slot->subject;
	if (outbox->has_mark)
		number(outbox, slot);

	if (outbox->stats.n_waiting == outbox->n_slots)
		grow(outbox);
	outbox->ring[(outbox->head + outbox->stats.n_waiting) & (outbox->n_slots - 1)] = slot;
	outbox->stats.n_entered++;
	outbox->stats.n_waiting++;
	if (outbox->stats.n_waiting > outbox->stats.n_max)
		outbox->stats.n_max = outbox->stats.n_waiting;
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

void ctl_outbox_seal(struct ctl_outbox *outbox, struct ctl_batch *)
{
	const uint64_t n_before = outbox->stats.n_entered;
	const uint64_t wall_ns = outbox->config.wall_ns();

	if (outbox->batch->len == 0)
		return;
	g_ptr_array_sort(outbox->batch, compare);
	for (guint i = 0; i < outbox->batch->len; i++) {
		const struct ctl_trigger *trigger = g_ptr_array_index(outbox->batch, i);

		if (outbox->config.file != NULL)
			ctl_trigger_file_write(outbox->config.file, trigger, wall_ns);
		if (!outbox->config.is_published)
			continue;
		if (outbox->stats.n_waiting < outbox->config.queue_max) {
			enter(outbox, trigger, wall_ns);
		} else {
			outbox->stats.n_refused++;
			set_full(outbox, true);
		}
	}
	g_ptr_array_set_size(outbox->batch, 0);
	if (outbox->stats.n_entered != n_before && outbox->has_mark && outbox->ready_fn != NULL)
		outbox->ready_fn(outbox->ready_ctx);
}

void ctl_outbox_resume(struct ctl_outbox *outbox, const struct ctl_outbox_mark *mark)
{
	assert(!outbox->has_mark);
	outbox->last_ms = mark->id_ms;
	outbox->last_n = mark->id_n;
	outbox->numbering.sequence = mark->sequence;
	outbox->stats.acked_sequence = mark->sequence;
	for (size_t i = 0; i < mark->n_types; i++)
		ctl_numbering_set_type(
			&outbox->numbering, mark->types[i].type, mark->types[i].typesequence);
	outbox->has_mark = true;
	for (size_t i = 0; i < outbox->stats.n_waiting; i++)
		number(outbox, slot_at(outbox, i));
	if (outbox->stats.n_waiting > 0 && outbox->ready_fn != NULL)
		outbox->ready_fn(outbox->ready_ctx);
}

bool ctl_outbox_has_mark(const struct ctl_outbox *outbox)
{
	return outbox->has_mark;
}

const char *ctl_outbox_writer(const struct ctl_outbox *outbox)
{
	return outbox->writer;
}

void ctl_outbox_on_ready(struct ctl_outbox *outbox, void (*fn)(void *ctx), void *ctx)
{
	outbox->ready_fn = fn;
	outbox->ready_ctx = ctx;
}

size_t ctl_outbox_n_ready(const struct ctl_outbox *outbox)
{
	return outbox->has_mark ? outbox->stats.n_waiting : 0;
}

const struct ctl_outbox_entry *ctl_outbox_peek(const struct ctl_outbox *outbox, size_t i)
{
	assert(i < ctl_outbox_n_ready(outbox));
	return &slot_at(outbox, i)->entry;
}

void ctl_outbox_ack(struct ctl_outbox *outbox, size_t n)
{
	assert(n <= ctl_outbox_n_ready(outbox));
	for (size_t i = 0; i < n; i++) {
		outbox->stats.acked_sequence = slot_at(outbox, 0)->entry.sequence;
		slot_free(slot_at(outbox, 0));
		outbox->head = (outbox->head + 1) & (outbox->n_slots - 1);
		outbox->stats.n_waiting--;
	}
	outbox->stats.n_acked += n;
	if (outbox->stats.n_waiting <= outbox->config.queue_max / 4 * 3)
		set_full(outbox, false);
}

struct ctl_outbox_stats ctl_outbox_stats(const struct ctl_outbox *outbox)
{
	struct ctl_outbox_stats stats = outbox->stats;

	stats.oldest_wall_ns = stats.n_waiting > 0 ? slot_at(outbox, 0)->wall_ns : 0;
	return stats;
}
