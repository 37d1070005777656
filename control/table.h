// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* JSON records as text: a header, then one record a line, columns padded with blanks.
 *
 * Columns are the keys of the first page in their order. A value with blanks, quotes or control
 * characters stands in JSON quotes, an absent one or null is "-", arrays and objects are compact
 * JSON: so a line is split at blanks outside quotes, and nobody's value makes a line of its own. */

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct ctl_table {
	GPtrArray *names; // char *, owned
	GArray *widths; // size_t, in characters
};

/* One value as it stands in a table: owned by the caller, freed with free(); NULL without memory. */
char *ctl_table_cell(const json_t *value);

void ctl_table_init(struct ctl_table *table);
void ctl_table_fini(struct ctl_table *table);

/* Print a page (json_t *, objects); the first one decides on columns and prints the header. */
void ctl_table_print(struct ctl_table *table, const GPtrArray *records, FILE *out);
