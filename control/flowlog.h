// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Flows of a replay: notes in, one line a flow out.
 *
 * Notes of one 5-tuple are one flow unless a new SYN started the later one. Keeps every flow in
 * memory, unless nobody wants the lines: then some, and sums of the others. Control thread only. */

#include "classifier/catalogue.h"
#include "dataplane/record.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

struct ctl_flowlog;

struct ctl_flowlog *ctl_flowlog_new(void);
void ctl_flowlog_free(struct ctl_flowlog *log);

/* No lines will be written: keep n_flows apart, those that ended last, and sum up the others by app,
 * so that a scan does not eat the memory. One of these that goes on counts as another flow. Before
 * the first note. */
void ctl_flowlog_keep(struct ctl_flowlog *log, size_t n_flows);

/* A note of any kind; copied. */
void ctl_flowlog_add(struct ctl_flowlog *log, const struct dp_record *note);

/* All notes of ticks <= tick were added: what is summed up does not depend on how workers take
 * turns. (Only where more than 2 n_flows end within a few ticks.) */
void ctl_flowlog_tick(struct ctl_flowlog *log, uint64_t tick);

/* Sort by (first_ns, 5-tuple) and merge. Once, before what follows. */
void ctl_flowlog_seal(struct ctl_flowlog *log);
size_t ctl_flowlog_count(const struct ctl_flowlog *log);
/* Flows of these that were only summed up. */
size_t ctl_flowlog_summed(const struct ctl_flowlog *log);

/* One JSON object a line (docs/design.md section 6). Returns 0 or -errno. */
[[nodiscard]] int ctl_flowlog_write(const struct ctl_flowlog *log,
	const struct cls_catalogue *catalogue, uint8_t ipv6_prefix_len, FILE *out);

enum { CTL_L4_NAME_MAX = 16 };

/* "tcp", "udp" ..., else "ip-47": borrowed, or in buf. */
const char *ctl_l4_name(uint8_t proto, char buf[static CTL_L4_NAME_MAX]);

/* The line of one flow by itself, of an END or LIVING note: an object as above, owned by the caller. */
json_t *ctl_flowlog_line(const struct dp_record *note, const struct cls_catalogue *catalogue,
	uint8_t ipv6_prefix_len);

/* [{"app":…,"flows":…,"packets":…,"bytes":…}], most bytes first; owned by the caller. */
json_t *ctl_flowlog_apps_json(const struct ctl_flowlog *log, const struct cls_catalogue *catalogue);
