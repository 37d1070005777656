// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How the TCP connections of each subscriber fared, for the report of a replay.
 *
 * Records are credited as usage is: to a person when both their ends lie in one binding, else to the
 * endpoint, of which there are as many as the configuration allows. What is kept is of this process:
 * not in the store, and in the memory of no daemon. Control thread only. */

#include "control/config.h"
#include "control/quality.h"
#include "dataplane/record.h"

#include <jansson.h>
#include <stddef.h>

struct ctl_qualities;
struct ctl_whose;

/* config is borrowed; it stays in force. */
struct ctl_qualities *ctl_qualities_new(const struct ctl_config *config, struct ctl_whose *whose);
void ctl_qualities_free(struct ctl_qualities *q);

/* Records of one tick; those of another kind are skipped. */
void ctl_qualities_add(struct ctl_qualities *q, const struct dp_record *records, size_t n);

/* row() for each of whom something was counted, sorted by subscriber, who is named as in the report's usage;
 * both are borrowed. */
void ctl_qualities_each(const struct ctl_qualities *q,
	void (*row)(void *ctx, const char *subscriber, const struct ctl_quality *sum), void *ctx);

/* [{"subscriber":…,"segments":[up,down],…}] of the same. Owned by the caller. */
json_t *ctl_qualities_json(const struct ctl_qualities *q);
