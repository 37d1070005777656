// SPDX-License-Identifier: BSD-3-Clause
#include "control/cap_said.h"

#include "control/image_fields.h"

#include <glib.h>

void ctl_cap_said_fini(void *list)
{
	g_free(((struct ctl_cap_said_list *)list)->said);
}

struct ctl_cap_said *ctl_cap_said_find(const struct ctl_cap_said_list *list, const char *bucket)
{
	for (size_t i = 0; list != NULL && i < list->n_said; i++)
		if (list->said[i].bucket == bucket)
			return &list->said[i];
	return NULL;
}

struct ctl_cap_said *ctl_cap_said_of(struct ctl_cap_said_list *list, const char *bucket)
{
	struct ctl_cap_said *said = ctl_cap_said_find(list, bucket);

	if (said != NULL)
		return said;
	list->said = g_renew(struct ctl_cap_said, list->said, list->n_said + 1);
	list->said[list->n_said] = (struct ctl_cap_said){.bucket = bucket};
	return &list->said[list->n_said++];
}

enum { IS_NUDGED = 1, IS_JUDGED = 2, HAS_STEP = 4, FLAGS_MAX = 7 };

/* Without cap_bytes and next_bytes, which are reckoned anew. */
void ctl_cap_said_save(const void *p, struct ctl_pack *pack)
{
	const struct ctl_cap_said_list *list = p;

	ctl_pack_u64(pack, list->n_said);
	for (size_t i = 0; i < list->n_said; i++) {
		const struct ctl_cap_said *s = &list->said[i];
		const bool has_step = s->step > 0;

		ctl_pack_text(pack, s->bucket);
		ctl_pack_u64(pack,
			(s->is_nudged ? IS_NUDGED : 0U) | (s->is_judged ? IS_JUDGED : 0U) |
				(has_step ? HAS_STEP : 0U));
		ctl_pack_seconds(pack, s->cycle_start_ns);
		ctl_pack_u64(pack, s->reached_ns);
		if (has_step)
			ctl_pack_f64(pack, s->step);
	}
}

static struct ctl_cap_said said_load(struct ctl_unpack *unpack)
{
	struct ctl_cap_said s = {.bucket = ctl_unpack_id(unpack)};
	const uint64_t flags = ctl_unpack_max(unpack, FLAGS_MAX);

	s.is_nudged = (flags & IS_NUDGED) != 0;
	s.is_judged = (flags & IS_JUDGED) != 0;
	s.cycle_start_ns = ctl_unpack_seconds(unpack);
	s.reached_ns = ctl_unpack_u64(unpack);
	if ((flags & HAS_STEP) != 0) {
		s.step = ctl_unpack_f64(unpack);
		if (!(s.step > 0))
			ctl_unpack_spoil(unpack);
	}
	return s;
}

bool ctl_cap_said_load(void *p, struct ctl_unpack *unpack)
{
	enum { SAID_BYTES_MIN = 5 };
	struct ctl_cap_said_list *list = p;

	list->n_said = ctl_unpack_count(unpack, SAID_BYTES_MIN);
	list->said = g_new0(struct ctl_cap_said, list->n_said);
	for (size_t i = 0; i < list->n_said; i++)
		list->said[i] = said_load(unpack);
	return !unpack->is_bad;
}
