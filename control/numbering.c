// SPDX-License-Identifier: BSD-3-Clause
#include "control/numbering.h"

#include "control/trigger.h"
#include "control/utc.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void ctl_numbering_init(struct ctl_numbering *numbering)
{
	*numbering = (struct ctl_numbering){
		.types = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free)};
}

void ctl_numbering_fini(struct ctl_numbering *numbering)
{
	if (numbering->types != NULL)
		g_hash_table_destroy(numbering->types);
	numbering->types = NULL;
}

struct ctl_count *ctl_numbering_find(const struct ctl_numbering *numbering, const char *type)
{
	return g_hash_table_lookup(numbering->types, type);
}

struct ctl_count *ctl_numbering_type(struct ctl_numbering *numbering, const char *type)
{
	struct ctl_count *count = ctl_numbering_find(numbering, type);

	if (count == NULL) {
		count = g_new0(struct ctl_count, 1);
		g_hash_table_insert(numbering->types, g_strdup(type), count);
	}
	return count;
}

void ctl_numbering_next(struct ctl_numbering *numbering, const char *type, uint64_t *ret_number,
	uint64_t *ret_typenumber)
{
	*ret_number = ++numbering->all.last;
	*ret_typenumber = ++ctl_numbering_type(numbering, type)->last;
}

void ctl_numbering_ack(
	struct ctl_numbering *numbering, const char *type, uint64_t number, uint64_t typenumber)
{
	numbering->all.acked = number;
	ctl_numbering_type(numbering, type)->acked = typenumber;
}

static gboolean shift_type(gpointer, gpointer value, gpointer)
{
	struct ctl_count *count = value;

	count->shift = -count->acked;
	return count->last == 0;
}

void ctl_numbering_shift(struct ctl_numbering *numbering)
{
	numbering->all.shift = -numbering->all.acked;
	(void)g_hash_table_foreach_remove(numbering->types, shift_type, NULL);
}

char *ctl_trigger_text(const struct ctl_trigger *trigger, uint64_t recorded_ns)
{
	json_t *time = json_object_get(trigger->event, "time");
	char recorded[CTL_UTC_MAX];
	int r;

	if (!json_is_string(time))
		return NULL;
	if (recorded_ns == 0) {
		r = json_object_set(trigger->event, "recordedtime", time);
	} else {
		ctl_utc_format(recorded_ns, recorded);
		r = json_object_set_new(trigger->event, "recordedtime", json_string(recorded));
	}
	if (r != 0)
		return NULL;
	return json_dumps(trigger->event, JSON_COMPACT | JSON_REAL_PRECISION(15)); // 80.1, not …99
}

void ctl_numbers_text(char ret_text[CTL_NUMBERS_TEXT_MAX], uint64_t sequence, uint64_t typesequence)
{
	const int len = snprintf(ret_text, CTL_NUMBERS_TEXT_MAX,
		",\"sequence\":\"%020" PRIu64 "\",\"typesequence\":\"%020" PRIu64 "\"}", sequence,
		typesequence);

	assert(len == CTL_NUMBERS_TEXT_LEN);
	(void)len;
}
