// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* All hosts of a catalogue, and the lines of a hosts file.
 *
 * A hosts file is a text for lists that are too long for YAML: one host a line, behind white space an
 * optional tag, behind `#` (at the start of a line or behind white space) a comment. Empty lines are fine, and
 * so are lines that end with CR LF, a last one that does not end, and UTF-8's byte order mark. Pure: the
 * text lies in memory. Of one thread at a time. */

#include "classifier/catalogue.h"
#include "control/apps_claims.h"

#include <glib.h>

enum {
	CTL_HOSTS_MAX = 4 * 1024 * 1024, // of a catalogue: a mistake behind them costs no memory
	CTL_HOSTS_LINE_MAX = 1024, // bytes: a host has 253, the rest is comment
	CTL_HOSTS_TAGS_MAX = UINT16_MAX, // different ones: records carry 16 bits, 0 is none
};

struct ctl_hosts {
	GArray *defs; // struct cls_host_def; tag: 1 + the index in tags, not yet its id
	GPtrArray *tags; // char *, borrowed like the hosts, each once
	GHashTable *tag_numbers; // tag -> 1 + index
	struct ctl_claims *claims;
	struct ctl_mistakes *mistakes; // borrowed
	size_t n_max; // CTL_HOSTS_MAX; tests set less
	bool is_full, has_too_many_tags; // was reported
};

struct ctl_hosts *ctl_hosts_new(struct ctl_mistakes *mistakes);
void ctl_hosts_free(struct ctl_hosts *hosts);

/* Nothing more is added: forget where each was said, which is half of the memory. */
void ctl_hosts_settle(struct ctl_hosts *hosts);

/* The number of a tag that was checked; 0, and a mistake the first time, when there are too many. */
uint16_t ctl_hosts_tag(struct ctl_hosts *hosts, const struct ctl_source *source,
	struct ctl_spot spot, const char *tag);

/* A host that was checked; a mistake when somebody has it already. */
void ctl_hosts_add(struct ctl_hosts *hosts, const struct ctl_source *source, struct ctl_spot spot,
	const char *host, uint16_t tag);

/* Every line of a hosts file. text: len bytes and one more that may be written; it is cut into words where it
 * lies and belongs to the hosts from then on (borrowed as long as they are used). */
void ctl_hosts_read(
	struct ctl_hosts *hosts, const struct ctl_source *source, char *text, size_t len);
