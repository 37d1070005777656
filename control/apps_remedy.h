// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Which rule would have made a flow another app: what to add to the catalogue, or what to move in it. Says what
 * the classifier's order allows (classifier/resolve.h): a name's rule is a host longer than the one that
 * won; without a name only a place is left, which is weak, unless the library recognised the flow. Pure. */

#include "classifier/catalogue.h"
#include "control/domain.h"

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

enum ctl_remedy_kind {
	CTL_REMEDY_NONE, // no rule can: why says so
	CTL_REMEDY_ADD, // `key: [value]` to the app
	CTL_REMEDY_MOVE, // the same, and away from who has it
};

struct ctl_remedy {
	enum ctl_remedy_kind kind;
	const char *key; // "hosts", "nets", "ports", "ndpi"
	char value[CTL_DOMAIN_MAX];
	bool is_weak; // no trigger rests on it, and anything stronger goes before it
	char why[256]; // one sentence
};

/* flow: a line of `replay --flows`, of an app that is not the right one. records: what ctl_explain() says of its
 * name. Both borrowed. */
void ctl_remedy_of(const json_t *flow, const GPtrArray *records,
	const struct cls_catalogue *catalogue, const struct ctl_domains *domains,
	struct ctl_remedy *ret_remedy);
