// SPDX-License-Identifier: BSD-3-Clause
#include "control/numbering.h"

#include "control/trigger.h"
#include "control/utc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ctl_numbering_init(struct ctl_numbering *numbering)
{
	numbering->sequence = 0;
	numbering->types = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
}

void ctl_numbering_fini(struct ctl_numbering *numbering)
{
	if (numbering->types != NULL)
		g_hash_table_destroy(numbering->types);
	numbering->types = NULL;
}

static uint64_t *last_of(struct ctl_numbering *numbering, const char *type)
{
	// Types are a few dozen names of detectors: interned for ever, compared by address.
	const char *key = g_intern_string(type);
	uint64_t *last = g_hash_table_lookup(numbering->types, key);

	if (last == NULL) {
		last = g_new0(uint64_t, 1);
		g_hash_table_insert(numbering->types, (gpointer)key, last);
	}
	return last;
}

void ctl_numbering_set_type(struct ctl_numbering *numbering, const char *type, uint64_t last)
{
	*last_of(numbering, type) = last;
}

void ctl_numbering_next(struct ctl_numbering *numbering, const char *type, uint64_t *ret_sequence,
	uint64_t *ret_typesequence)
{
	*ret_sequence = ++numbering->sequence;
	*ret_typesequence = ++*last_of(numbering, type);
}

char *ctl_trigger_text(const struct ctl_trigger *trigger, uint64_t recorded_ns)
{
	json_t *time = json_object_get(trigger->event, "time");
	char recorded[CTL_UTC_MAX];
	char *text;
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
	text = json_dumps(trigger->event, JSON_COMPACT | JSON_REAL_PRECISION(15)); // 80.1, not …99
	if (text != NULL)
		text[strlen(text) - 1] = '\0'; // the brace: it has members
	return text;
}

size_t ctl_numbers_text(
	char ret_text[CTL_NUMBERS_TEXT_MAX], uint64_t sequence, uint64_t typesequence)
{
	return (size_t)snprintf(ret_text, CTL_NUMBERS_TEXT_MAX,
		",\"sequence\":\"%020" PRIu64 "\",\"typesequence\":\"%020" PRIu64 "\"}", sequence,
		typesequence);
}
