// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The gap-free counters that each stream of triggers has: one over all, one per type.
 *
 * A stream is what one reader sees: a Redis stream, a triggers file. Counting is from 1 and never
 * jumps; what is said outside is the count plus a shift (modulo 2^64), so that a stream can continue
 * behind numbers that others gave. Control thread only. */

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

struct ctl_count {
	uint64_t last; // given; 0 = none
	uint64_t acked; // of these, delivered
	uint64_t shift;
};

struct ctl_numbering {
	struct ctl_count all;
	GHashTable *types; // name, owned -> struct ctl_count *, owned
};

void ctl_numbering_init(struct ctl_numbering *numbering);
void ctl_numbering_fini(struct ctl_numbering *numbering);

/* The count of a type; made when it is not there. */
struct ctl_count *ctl_numbering_type(struct ctl_numbering *numbering, const char *type);

/* The same; NULL when it is not there. */
struct ctl_count *ctl_numbering_find(const struct ctl_numbering *numbering, const char *type);

/* Give the next numbers, without shift. */
void ctl_numbering_next(struct ctl_numbering *numbering, const char *type, uint64_t *ret_number,
	uint64_t *ret_typenumber);

/* These were delivered; in order. */
void ctl_numbering_ack(
	struct ctl_numbering *numbering, const char *type, uint64_t number, uint64_t typenumber);

/* Shift so that the first one that is not delivered is said as 1, over all and for each type. Types
 * that nothing was given to are forgotten: another's, from an earlier stream. */
void ctl_numbering_shift(struct ctl_numbering *numbering);

/* The text of a CloudEvent is made once, in two steps: what does not depend on the stream, when
 * the trigger is entered (ctl_trigger_text), and the numbers when they are known (ctl_numbers_text),
 * which take the place of its closing brace.
 *
 * ctl_trigger_text returns the compact JSON text of trigger's event with recordedtime; owned by the
 * caller, freed with free(). recorded_ns 0 = the event's own `time` (replay). NULL when memory is
 * out or the event is not an object with a `time`. */
struct ctl_trigger;
char *ctl_trigger_text(const struct ctl_trigger *trigger, uint64_t recorded_ns);

enum {
	CTL_NUMBERS_TEXT_LEN = 73, // always
	CTL_NUMBERS_TEXT_MAX, // NUL included
};

/* Write `,"sequence":"…","typesequence":"…"}`. 20 digits each, so that text order is number order
 * (CloudEvents extension `sequence`). */
void ctl_numbers_text(
	char ret_text[CTL_NUMBERS_TEXT_MAX], uint64_t sequence, uint64_t typesequence);
