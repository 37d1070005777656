// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Who said a thing of the catalogue first: hosts, networks, names, protocols, hosts files.
 *
 * The things themselves lie in an array of the caller's, one a claim and in the order of the claims; kept
 * here is where each was said, in some 30 bytes: a catalogue has a million of them. Of one thread at a time. */

#include "control/mistakes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who speaks: an app, in the catalogue or in its hosts file. Borrowed as long as the claims. */
struct ctl_source {
	const char *app;
	const char *path; // as messages print it
	unsigned file; // the same in the mistakes
};

struct ctl_spot {
	uint32_t line, column; // from 1
};

struct ctl_claims;

/* Whether the thing that was claimed as number i is this one. */
typedef bool ctl_claims_same_fn(const void *things, size_t i, const void *thing);

/* kind: what messages call it, static. things and mistakes are borrowed. */
struct ctl_claims *ctl_claims_new(const char *kind, ctl_claims_same_fn *same, const void *things,
	struct ctl_mistakes *mistakes);
void ctl_claims_free(struct ctl_claims *claims);

/* Whether the thing is new: the caller appends it then. Else "'text', expected each host once; app 'x' has
 * it at FILE:1:2" becomes a mistake. hash: of ctl_claims_hash(), equal for the same thing. */
[[nodiscard]] bool ctl_claim(struct ctl_claims *claims, const struct ctl_source *source,
	struct ctl_spot spot, uint32_t hash, const void *thing, const char *text);

uint32_t ctl_claims_hash(const void *bytes, size_t len);
