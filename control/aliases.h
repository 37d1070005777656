// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Who signalling speaks of: one subscriber under several names (IMSI, MSISDN, account).
 *
 * A SIM stands for its subscriber. A number follows whoever used it last: with another SIM it is another
 * subscriber, since it may have been given to somebody else; that a SIM was swapped only the operator's
 * facts can tell. Control thread only. */

#include "control/sig.h"

#include <glib.h>

struct ctl_known {
	uint64_t id; // of the process, never reused
	char imsi[CTL_SIG_DIGITS], msisdn[CTL_SIG_DIGITS]; // "": not told
	uint32_t n_refs; // of sessions and bindings
	char account[]; // likewise "", a text of any length
};

struct ctl_aliases;

/* n_max: subscribers at once; more are refused. */
struct ctl_aliases *ctl_aliases_new(size_t n_max);
void ctl_aliases_free(struct ctl_aliases *aliases); // nobody has a reference any more; NULL is fine

/* The subscriber of a message, with a reference for the caller; learns what it tells anew. NULL when it
 * names nobody, or there is no room. */
struct ctl_known *ctl_aliases_get(struct ctl_aliases *aliases, const struct ctl_sig *sig);

struct ctl_known *ctl_known_ref(struct ctl_known *known);
void ctl_aliases_put(struct ctl_aliases *aliases, struct ctl_known *known); // NULL is fine

size_t ctl_aliases_count(const struct ctl_aliases *aliases);
