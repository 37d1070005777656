// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The two gap-free counters that each stream of triggers has: one over all, one per type.
 *
 * A stream is what one reader sees: a Redis stream, a triggers file. Control thread only. */

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

struct ctl_numbering {
	uint64_t sequence; // last given; 0 = none
	GHashTable *types; // interned type -> uint64_t * last given of it; private
};

void ctl_numbering_init(struct ctl_numbering *numbering);
void ctl_numbering_fini(struct ctl_numbering *numbering);

/* Continue behind `last` for type; the sequence itself is simply assigned. */
void ctl_numbering_set_type(struct ctl_numbering *numbering, const char *type, uint64_t last);

/* Give the next numbers, both from 1. */
void ctl_numbering_next(struct ctl_numbering *numbering, const char *type, uint64_t *ret_sequence,
	uint64_t *ret_typesequence);

/* The text of a CloudEvent is made once, in two steps: what does not depend on the stream, when
 * the trigger is entered (ctl_trigger_text), and the numbers when they are known (ctl_numbers_text).
 *
 * ctl_trigger_text returns the compact JSON text of trigger's event with recordedtime, without the
 * closing brace; owned by the caller, freed with free(). recorded_ns 0 = the event's own `time`
 * (replay). NULL when memory is out or the event is not an object with a `time`. */
struct ctl_trigger;
char *ctl_trigger_text(const struct ctl_trigger *trigger, uint64_t recorded_ns);

enum { CTL_NUMBERS_TEXT_MAX = 96 }; // bytes of the second part, NUL included

/* Write `,"sequence":"…","typesequence":"…"}` and return its length. 20 digits each, so that text
 * order is number order (CloudEvents extension `sequence`). */
size_t ctl_numbers_text(
	char ret_text[CTL_NUMBERS_TEXT_MAX], uint64_t sequence, uint64_t typesequence);
