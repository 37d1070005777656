// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Bytes, packets and flows per app over all endpoints, from usage and move records. Control thread. */

#include "classifier/catalogue.h"
#include "dataplane/record.h"

#include <jansson.h>
#include <stddef.h>

struct ctl_totals;

struct ctl_totals *ctl_totals_new(void);
void ctl_totals_free(struct ctl_totals *t);

/* Records of one tick; those of another kind are skipped. */
void ctl_totals_add(struct ctl_totals *t, const struct dp_record *records, size_t n);

/* [{"app":…,"category":…,"bytes":…,"packets":…,"flows":…,"up_bytes":…,
 * "down_bytes":…}], most bytes first; apps that stand at
 * zero are left out. Owned by the caller. */
json_t *ctl_totals_json(const struct ctl_totals *t, const struct cls_catalogue *catalogue);
