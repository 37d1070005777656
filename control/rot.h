// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The rot alarm: an app's names have been changed, and nobody has told the catalogue.
 *
 * Ended flows in, findings out. An app has rotted when, over the last 24 event-hours, or 12 that mostly have the
 * greater half of a day,
 *
 *   - the bytes that were its by a name are under `share` of what the same hours of earlier days had
 *     (median of up to fourteen, or the same weekday's when that was less),
 *   - and on the server networks (/24, /48) that it used before, flows without an app, or with one by
 *     weak evidence alone, show names that were not there before, or none, and have at least `taken` of
 *     what is missing,
 *   - and these came as the others went: of each of the last days, as far as it had more,
 *   - and that is not the traffic of the whole node falling: what is expected falls with it, and hours
 *     that a gap overlaps, or in which the node had next to nothing, do not count on either side,
 *   - and enough endpoints used it before, and as many are seen on its networks without an app.
 *
 * On a weekday that is not known yet nothing is said of an app while many are low, for then it is the weekday.
 * An app that goes to other networks, one that dies, and a new service without a rule each lack one of
 * these, and so do the last two together when they are not of one day. A finding is said once; it is over
 * when the names have come back to twice `share` of what they were, or when a catalogue comes into force
 * that changes the app's names or knows those that took over.
 *
 * Memory is bounded whatever comes, some 45 MB at most and 2 MB for a few hundred apps
 * (control/rot_state.h has the limits). What is found depends on the flows and not on their order within a
 * tick. No clock: event time only. Control thread only. */

#include "classifier/catalogue.h"
#include "control/domain.h"
#include "control/gaps.h"
#include "control/rot_options.h"
#include "dataplane/record.h"

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum ctl_rot_over {
	CTL_ROT_CURRENT, // not over
	CTL_ROT_RECOVERED, // its names are back
	CTL_ROT_KNOWN, // the catalogue has the names that took over
	CTL_ROT_CHANGED, // the catalogue has another app under that name, or none
};

/* For the log. Borrowed for the call. */
struct ctl_rot_finding {
	const char *app, *category;
	uint64_t since_ns; // the begin of the hour in which it began, as far as can be told
	uint64_t said_ns, over_ns; // event time; over_ns 0 while it is current
	uint8_t over; // enum ctl_rot_over
	uint64_t before_bytes; // expected in 24 hours
	uint64_t now_bytes; // the app's by name in the last 24 hours
	uint64_t unknown_bytes; // by how much those without an app have grown on its networks
	// What took over, most bytes first, and where: texts, NULL-terminated.
	char *const *names;
	char *const *networks;
};

/* A finding was made, or is over. */
typedef void ctl_rot_said_fn(void *ctx, const struct ctl_rot_finding *finding);

struct ctl_rot;

/* options: copied. gaps: borrowed for its life; NULL: none. domains: given, also when it fails. */
struct ctl_rot *ctl_rot_new(const struct ctl_rot_options *options, uint64_t tick_ns,
	struct ctl_domains *domains, const struct ctl_gaps *gaps, ctl_rot_said_fn *said, void *ctx);
void ctl_rot_free(struct ctl_rot *rot); // NULL is fine

/* Before the first tick, and with each catalogue that comes into force; borrowed until the next call.
 * What it changed begins anew. */
void ctl_rot_catalogue(struct ctl_rot *rot, const struct cls_catalogue *catalogue);
void ctl_rot_set_options(struct ctl_rot *rot, const struct ctl_rot_options *options);

/* A note of any kind; those of flows that ended count. Copied. */
void ctl_rot_note(struct ctl_rot *rot, const struct dp_record *note);

/* All notes of ticks before end_ns were given. */
void ctl_rot_tick(struct ctl_rot *rot, uint64_t end_ns);

/* Number of the hour that is the oldest open one: another one when what it remembers is worth being kept. */
uint64_t ctl_rot_hours(const struct ctl_rot *rot);

/* Findings that are current. */
size_t ctl_rot_n_current(const struct ctl_rot *rot);

/* A flat row each, current ones first, the latest first; the last field, `draft`, is entries of a
 * catalogue (control/unknown_draft.h) for what took over. Owned by the caller. */
json_t *ctl_rot_json(const struct ctl_rot *rot);

/* How much it remembers. */
struct ctl_rot_status {
	bool is_learning; // fewer than three days are known
	uint64_t since_ns; // begin of what it remembers, 0: nothing was seen
	size_t n_apps, n_networks;
};
struct ctl_rot_status ctl_rot_status(const struct ctl_rot *rot);

/* What ctl_rot_said_fn does in the daemon. */
void ctl_rot_log(void *, const struct ctl_rot_finding *finding);
