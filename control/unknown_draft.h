// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What has no app as entries of a catalogue, ready to edit and to append to the one in use.
 *
 * A name gives an entry with that host; servers and ports say where and not what, so theirs is commented out
 * with the reason. What is appended as it stands is a catalogue without a mistake: no name, host or
 * protocol that the one in use or the draft itself has already. */

#include "classifier/catalogue.h"
#include "control/unknown.h"

#include <glib.h>

/* rows: struct ctl_unknown_row, of one report. indent: blanks before the "- " of an entry. */
void ctl_unknown_draft(const GPtrArray *rows, const struct cls_catalogue *catalogue,
	const struct ctl_domains *domains, int indent, GString *out);

/* Likewise under another heading: lines of comment without their '#'. */
void ctl_unknown_draft_under(const char *const *heading, const GPtrArray *rows,
	const struct cls_catalogue *catalogue, const struct ctl_domains *domains, int indent,
	GString *out);

/* How far the entries of a catalogue's file are indented; 2, as ours are, when that cannot be told. */
int ctl_unknown_draft_indent(const char *path);
