// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* One thing that was asked of the catalogue, with what the library's tables have for it and the entries of the
 * catalogue's files that have to do with it. Private to apps_explain.c and apps_case.c. */

#include "control/apps_entries.h"
#include "control/apps_explain.h"
#include "control/near.h"

/* An entry that fits, or is near. */
struct ctl_seen {
	enum ctl_entry_kind kind;
	enum ctl_near near; // of a host
	uint8_t prefix_len; // of a network
	char *text, *app, *category, *tag, *place; // owned; tag NULL: none
};

struct ctl_case {
	const struct ctl_asked *asked; // borrowed
	uint16_t proto; // of the library, 0: none
	struct cls_oracle_word word; // of a name
	char *domain; // of a name, owned: what of it somebody has registered; NULL: nobody has
	GArray *fitting; // struct ctl_seen, owned, in the order of the files
	GArray *near; // struct ctl_seen, owned, the nearest ones; NULL: an own rule fits
};

void ctl_case_init(struct ctl_case *c, const struct ctl_explain *by, const struct ctl_asked *asked);
void ctl_case_fini(struct ctl_case *c);

/* Keep the entry when it has to do with what was asked. */
void ctl_case_look(struct ctl_case *c, const struct ctl_entry *entry);
