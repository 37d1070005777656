// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A flow as a word of a command line: "tcp:10.0.0.7:50312-203.0.113.9:443", IPv6 addresses in brackets. Pure. */

#include "dataplane/addr.h"
#include "dataplane/err.h"
#include "dataplane/stage.h"

#include <jansson.h>
#include <stdbool.h>

/* Returns 0, or -EINVAL with the sentence "'word', expected ..." (ret_tuple untouched). */
[[nodiscard]] int ctl_flow_name_read(
	const char *word, struct dp_five_tuple *ret_tuple, struct dp_err *reterr);

/* Whether both are the same flow, whichever side each names first. */
bool ctl_flow_name_is(const struct dp_five_tuple *a, const struct dp_five_tuple *b);

/* The tuple of a line of `replay --flows`; false: it has none that is TCP or UDP. */
bool ctl_flow_name_of_line(const json_t *flow, struct dp_five_tuple *ret_tuple);
