// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Flows of a replay: notes in, one line a flow out.
 *
 * Notes of one 5-tuple are one flow unless a new SYN started the later one. Control thread only;
 * keeps every flow in memory, so replay only. */

#include "classifier/catalogue.h"
#include "dataplane/record.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

struct ctl_flowlog;

struct ctl_flowlog *ctl_flowlog_new(void);
void ctl_flowlog_free(struct ctl_flowlog *log);

/* A note of any kind; copied. */
void ctl_flowlog_add(struct ctl_flowlog *log, const struct dp_record *note);

/* Sort by (first_ns, 5-tuple) and merge. Once, before what follows. */
void ctl_flowlog_seal(struct ctl_flowlog *log);
size_t ctl_flowlog_count(const struct ctl_flowlog *log);

/* One JSON object a line (docs/design.md section 6). Returns 0 or -errno. */
[[nodiscard]] int ctl_flowlog_write(const struct ctl_flowlog *log,
	const struct cls_catalogue *catalogue, uint8_t ipv6_prefix_len, FILE *out);

/* [{"app":…,"flows":…,"packets":…,"bytes":…}], most bytes first; owned by the caller. */
json_t *ctl_flowlog_apps_json(const struct ctl_flowlog *log, const struct cls_catalogue *catalogue);
