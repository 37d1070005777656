// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* One flow among notes, by the word that `show flows` has for it: "tcp:10.0.0.7:50312-203.0.113.9:443", either side
 * first, IPv6 addresses in brackets; instead of a subscriber's address may stand what is shown for it,
 * "tcp:[endpoint:k3ja…]:50312-203.0.113.9:443". Pure. */

#include "control/subject.h"
#include "dataplane/record.h"

#include <stdbool.h>

struct ctl_flow_end {
	bool is_named; // by its address, in addr; else by pseudonym
	struct dp_addr addr;
	char pseudonym[CTL_SUBJECT_MAX]; // "endpoint:…"
	uint16_t port; // host order
};

struct ctl_flow_seek {
	uint8_t l4_proto; // TCP or UDP
	struct ctl_flow_end ends[2];
};

/* Any bytes. Returns 0, or -EINVAL with a sentence (ret_seek untouched), which does not repeat the word: it may have an
 * address. */
[[nodiscard]] int ctl_flow_seek_read(
	const char *word, struct ctl_flow_seek *ret_seek, struct dp_err *reterr);

/* Is it that flow? namer: of the pseudonyms that were meant. */
bool ctl_flow_seek_is(const struct ctl_flow_seek *seek, const struct dp_record *note,
	const struct dp_endpoint_nets *nets, struct ctl_namer *namer);

/* Take the addresses away that were asked for by pseudonym: "any" of their family stands there. What is asked for by
 * its address is known to who asks. */
void ctl_flow_seek_mask(const struct ctl_flow_seek *seek, struct dp_record *note);
