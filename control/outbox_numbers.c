// SPDX-License-Identifier: BSD-3-Clause
#include "control/outbox_entry.h"

#include <errno.h>
#include <string.h>

enum part { // of CTL_META_OUTBOX
	PART_ALL = 1,
	PART_TYPE,
	PART_STATE,
	PART_MOVED,
	PART_WRITER,
	PART_LINES,
	PART_LINES_TYPE,
	PART_COUNT,
};

void ctl_outbox_numbers_init(struct ctl_outbox_numbers *numbers)
{
	*numbers = (struct ctl_outbox_numbers){.kept = 1, .is_fresh = true};
	ctl_numbering_init(&numbers->given);
	ctl_numbering_init(&numbers->lines);
}

void ctl_outbox_numbers_fini(struct ctl_outbox_numbers *numbers)
{
	ctl_numbering_fini(&numbers->given);
	ctl_numbering_fini(&numbers->lines);
}

static void pack_count(
	struct ctl_pack *pack, enum part kind, const char *name, const struct ctl_count *count)
{
	const size_t part = ctl_pack_open(pack, kind);

	if (name != NULL)
		ctl_pack_text(pack, name);
	ctl_pack_u64(pack, count->last);
	ctl_pack_u64(pack, count->acked);
	ctl_pack_u64(pack, count->shift);
	ctl_pack_close(pack, part);
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(a, b);
}

/* Types by name, so that the same state is the same bytes. */
static void pack_numbering(
	struct ctl_pack *pack, enum part all, enum part type, const struct ctl_numbering *numbering)
{
	GList *names = g_list_sort(g_hash_table_get_keys(numbering->types), compare_names);

	pack_count(pack, all, NULL, &numbering->all);
	for (const GList *name = names; name != NULL; name = name->next)
		pack_count(
			pack, type, name->data, g_hash_table_lookup(numbering->types, name->data));
	g_list_free(names);
}

void ctl_outbox_numbers_pack(struct ctl_pack *pack, const struct ctl_outbox_numbers *numbers)
{
	size_t part;

	pack_numbering(pack, PART_ALL, PART_TYPE, &numbers->given);
	part = ctl_pack_open(pack, PART_STATE);
	ctl_pack_u64(pack, numbers->last_ms);
	ctl_pack_u64(pack, numbers->last_n);
	ctl_pack_u64(pack, numbers->kept);
	ctl_pack_u64(pack, numbers->is_fresh);
	ctl_pack_close(pack, part);
	part = ctl_pack_open(pack, PART_MOVED);
	ctl_pack_u64(pack, numbers->moved.from);
	ctl_pack_u64(pack, numbers->moved.to);
	ctl_pack_u64(pack, numbers->moved.id_ms);
	ctl_pack_u64(pack, numbers->moved.id_n);
	ctl_pack_close(pack, part);
	ctl_pack_u64(pack, PART_WRITER);
	ctl_pack_text(pack, numbers->writer);
	pack_numbering(pack, PART_LINES, PART_LINES_TYPE, &numbers->lines);
}

static void unpack_count(struct ctl_unpack *in, struct ctl_count *count)
{
	count->last = ctl_unpack_max(in, CTL_OUTBOX_NUMBER_MAX);
	count->acked = ctl_unpack_max(in, count->last);
	count->shift = ctl_unpack_u64(in);
}

/* A type comes once. */
static void unpack_type(struct ctl_unpack *in, struct ctl_numbering *numbering)
{
	g_autofree char *name = ctl_unpack_text(in, CTL_OUTBOX_TYPE_MAX);

	if (name == NULL || *name == '\0' || ctl_numbering_find(numbering, name) != NULL ||
		g_hash_table_size(numbering->types) == 2 * CTL_OUTBOX_TYPES_MAX)
		in->is_bad = true;
	else
		unpack_count(in, ctl_numbering_type(numbering, name));
}

static void unpack_state(struct ctl_unpack *in, struct ctl_outbox_numbers *numbers)
{
	numbers->last_ms = ctl_unpack_u64(in);
	numbers->last_n = ctl_unpack_u64(in);
	numbers->kept = ctl_unpack_max(in, CTL_OUTBOX_NUMBER_MAX + 1);
	numbers->is_fresh = ctl_unpack_bool(in);
}

static void unpack_moved(struct ctl_unpack *in, struct ctl_outbox_moved *moved)
{
	moved->to = CTL_OUTBOX_NUMBER_MAX;
	moved->from = ctl_unpack_max(in, CTL_OUTBOX_NUMBER_MAX);
	moved->to = ctl_unpack_max(in, CTL_OUTBOX_NUMBER_MAX);
	moved->id_ms = ctl_unpack_u64(in);
	moved->id_n = ctl_unpack_u64(in);
	// The ids of all of them must be numbers.
	if (moved->from > moved->to || moved->id_n > UINT64_MAX - (moved->to - moved->from))
		in->is_bad = true;
}

static void unpack_writer(struct ctl_unpack *in, struct ctl_outbox_numbers *numbers)
{
	const size_t len = (size_t)(in->end - in->at);

	if (len == 0 || len > CTL_OUTBOX_WRITER_MAX || memchr(in->at, '\0', len) != NULL) {
		in->is_bad = true;
		return;
	}
	memcpy(numbers->writer, in->at, len);
	numbers->writer[len] = '\0';
	in->at = in->end;
}

static bool unpack_part(uint64_t kind, struct ctl_unpack *in, struct ctl_outbox_numbers *numbers)
{
	switch (kind) {
	case PART_ALL:
		unpack_count(in, &numbers->given.all);
		break;
	case PART_TYPE:
		unpack_type(in, &numbers->given);
		break;
	case PART_STATE:
		unpack_state(in, numbers);
		break;
	case PART_MOVED:
		unpack_moved(in, &numbers->moved);
		break;
	case PART_WRITER:
		unpack_writer(in, numbers);
		break;
	case PART_LINES:
		unpack_count(in, &numbers->lines.all);
		break;
	case PART_LINES_TYPE:
		unpack_type(in, &numbers->lines);
		break;
	default:
		return true;
	}
	return !in->is_bad && in->at == in->end;
}

/* Each number was given to one type. No overflow: 2^10 types at most, of 2^53 each. */
static bool is_sum(const struct ctl_numbering *numbering)
{
	uint64_t last = 0, acked = 0;
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, numbering->types);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const struct ctl_count *count = value;

		last += count->last;
		acked += count->acked;
	}
	return last == numbering->all.last && acked == numbering->all.acked;
}

int ctl_outbox_numbers_unpack(const void *data, size_t len, struct ctl_outbox_numbers *ret_numbers)
{
	struct ctl_unpack in = ctl_unpack_of(data, len), part;
	bool has[PART_COUNT] = {false};

	while (ctl_unpack_has_more(&in)) {
		const uint64_t kind = ctl_unpack_part(&in, &part);

		if (in.is_bad || !unpack_part(kind, &part, ret_numbers))
			return -EBADMSG;
		if (kind >= PART_COUNT)
			continue;
		if (has[kind] && kind != PART_TYPE && kind != PART_LINES_TYPE)
			return -EBADMSG;
		has[kind] = true;
	}
	if (in.is_bad || !has[PART_ALL] || !has[PART_STATE] || !has[PART_MOVED] ||
		!has[PART_WRITER] || !has[PART_LINES])
		return -EBADMSG;
	if (!is_sum(&ret_numbers->given) || !is_sum(&ret_numbers->lines) ||
		ret_numbers->kept == 0 || ret_numbers->kept > ret_numbers->given.all.acked + 1 ||
		ret_numbers->moved.to > ret_numbers->given.all.last)
		return -EBADMSG;
	return 0;
}
