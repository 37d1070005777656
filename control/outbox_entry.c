// SPDX-License-Identifier: BSD-3-Clause
#include "control/outbox_entry.h"

#include <errno.h>
#include <string.h>

enum part { // of an entry
	PART_NUMBERS = 1,
	PART_TYPE,
	PART_SUBJECT,
	PART_EVENT,
	PART_COUNT,
};

static void pack_text(struct ctl_pack *pack, enum part kind, const struct ctl_outbox_text *text)
{
	ctl_pack_u64(pack, kind);
	ctl_pack_bytes(pack, text->at, text->len);
}

void ctl_outbox_entry_pack(struct ctl_pack *pack, const struct ctl_outbox_stored *entry)
{
	const size_t part = ctl_pack_open(pack, PART_NUMBERS);

	ctl_pack_u64(pack, entry->number);
	ctl_pack_u64(pack, entry->typenumber);
	ctl_pack_u64(pack, entry->wall_ns);
	ctl_pack_u64(pack, entry->id_ms);
	ctl_pack_u64(pack, entry->id_n);
	ctl_pack_close(pack, part);
	pack_text(pack, PART_TYPE, &entry->type);
	pack_text(pack, PART_SUBJECT, &entry->subject);
	pack_text(pack, PART_EVENT, &entry->event);
}

static bool unpack_numbers(struct ctl_unpack *in, struct ctl_outbox_stored *entry)
{
	entry->number = ctl_unpack_max(in, CTL_OUTBOX_NUMBER_MAX);
	entry->typenumber = ctl_unpack_max(in, entry->number);
	entry->wall_ns = ctl_unpack_u64(in);
	entry->id_ms = ctl_unpack_u64(in);
	entry->id_n = ctl_unpack_u64(in);
	return !in->is_bad && in->at == in->end && entry->typenumber > 0;
}

static bool unpack_text(
	const struct ctl_unpack *in, size_t min, size_t max, struct ctl_outbox_text *text)
{
	*text = (struct ctl_outbox_text){(const char *)in->at, (size_t)(in->end - in->at)};
	return text->len >= min && text->len <= max && memchr(text->at, '\0', text->len) == NULL;
}

static bool unpack_part(uint64_t kind, struct ctl_unpack *in, struct ctl_outbox_stored *entry)
{
	switch (kind) {
	case PART_NUMBERS:
		return unpack_numbers(in, entry);
	case PART_TYPE:
		return unpack_text(in, 1, CTL_OUTBOX_TYPE_MAX, &entry->type);
	case PART_SUBJECT:
		return unpack_text(in, 0, CTL_OUTBOX_SUBJECT_MAX, &entry->subject);
	case PART_EVENT:
		return unpack_text(in, 2, CTL_OUTBOX_EVENT_MAX, &entry->event) &&
			entry->event.at[0] == '{' && entry->event.at[entry->event.len - 1] == '}';
	default:
		return true;
	}
}

int ctl_outbox_entry_unpack(const void *data, size_t len, struct ctl_outbox_stored *ret_entry)
{
	struct ctl_unpack in = ctl_unpack_of(data, len), part;
	struct ctl_outbox_stored entry = {0};
	bool has[PART_COUNT] = {false};

	while (ctl_unpack_has_more(&in)) {
		const uint64_t kind = ctl_unpack_part(&in, &part);

		if (in.is_bad || !unpack_part(kind, &part, &entry))
			return -EBADMSG;
		if (kind >= PART_COUNT)
			continue;
		if (has[kind])
			return -EBADMSG; // which one counts?
		has[kind] = true;
	}
	if (in.is_bad || !has[PART_NUMBERS] || !has[PART_TYPE] || !has[PART_SUBJECT] ||
		!has[PART_EVENT])
		return -EBADMSG;
	*ret_entry = entry;
	return 0;
}
