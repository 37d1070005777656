// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Which flows somebody asks for: --endpoint, --app, --host, --evidence of `wirecue show flows`. */

#include "classifier/catalogue.h"
#include "control/subject.h"
#include "dataplane/err.h"
#include "dataplane/record.h"

#include <jansson.h>
#include <stdbool.h>

/* All zero lets every flow through. */
struct ctl_flow_filter {
	bool has_endpoint, has_network, has_pseudonym, has_app, has_evidence, has_server;
	bool is_outside; // the endpoint or network lies beside endpoints.networks
	struct dp_addr endpoint; // as records have it: one subscriber is named
	struct dp_prefix network; // several are
	char pseudonym[CTL_SUBJECT_MAX]; // "endpoint:…", instead of an address
	uint32_t app;
	uint8_t evidence; // enum dp_evidence
	struct dp_addr server; // of --host ADDRESS
	char host[DP_HOST_MAX]; // lower case; "": any
};

/* What its options say (args, from a peer that may lie). app: a name of the catalogue, or of one that it has
 * replaced. Returns 0, or -EINVAL with a sentence that says what would be right; an endpoint is not
 * repeated in it. */
[[nodiscard]] int ctl_flow_filter_read(const json_t *args, const struct dp_endpoint_nets *nets,
	const struct cls_catalogue *catalogue, struct ctl_flow_filter *ret_filter,
	struct dp_err *reterr);

/* note: END or LIVING. namer: of the pseudonyms that were meant. */
bool ctl_flow_filter_fits(const struct ctl_flow_filter *filter, const struct dp_record *note,
	struct ctl_namer *namer);
