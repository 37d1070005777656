// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A flow of a note as one word, as control/flow_name.h reads it: "tcp:10.0.0.7:50312-203.0.113.9:443", the
 * sender of its first packet in front. Subscribers' addresses are pseudonyms in it:
 * "tcp:[endpoint:k3ja…]:50312-203.0.113.9:443". Pure. */

#include "control/subject.h"
#include "dataplane/record.h"

#include <stdbool.h>

enum { CTL_FLOW_WORD_MAX = 2 * CTL_SUBJECT_MAX + 48 };

/* What may be shown; all borrowed. */
struct ctl_flow_word_as {
	const struct dp_endpoint_nets *nets;
	struct ctl_namer *namer;
	bool is_plain; // addresses as they are
	bool is_named; // the endpoint's alone: who asks has named it
};

/* Where both sides may be subscribers (or none is inside of the networks), both are pseudonyms. */
void ctl_flow_word(const struct dp_record *note, const struct ctl_flow_word_as *as,
	char ret_word[CTL_FLOW_WORD_MAX]);

/* Its endpoint alone: "endpoint:k3ja…", or the address. */
void ctl_flow_word_endpoint(const struct dp_record *note, const struct ctl_flow_word_as *as,
	char ret_name[CTL_SUBJECT_MAX]);
