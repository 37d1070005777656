// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Flows of captures, one JSON object each, from a replay in a process of its own.
 *
 * What asks about captures runs this very program as `replay --flows` and reads its lines: so it sees
 * what a replay would say, to the byte. The child does not outlive the caller's thread, keeps no store
 * and publishes nothing. Several may run at once, each read in turn. One thread each; before that thread
 * starts others. */

#include "dataplane/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	CTL_FLOW_LINE_MAX = 65536, // bytes of a line with its newline; a flow has some 500
	CTL_FLOW_SAID_MAX = 65536, // bytes of what a silent child said that are kept
};

struct ctl_flow_lines_config {
	const char *config; // -c; NULL: the built-in default
	const char *apps; // --apps; NULL: the configuration's
	const char *n_workers; // --workers; NULL: chosen
	const char *const *captures; // at least one
	size_t n_captures;
	// What it writes to standard error is kept for ctl_flow_lines_said() instead of going to ours.
	bool is_silent;
	const char *program; // NULL: this one
};

struct ctl_flow_lines;

/* Start one; the configuration is borrowed for the call. Returns 0, or -errno with a sentence. That the
 * program cannot be run, or says no to its arguments, is learned at the end. */
[[nodiscard]] int ctl_flow_lines_open(const struct ctl_flow_lines_config *config,
	struct ctl_flow_lines **ret_lines, struct dp_err *reterr);

/* The next flow, in the order of `replay --flows` (docs/design.md section 6). Returns 1 and a new
 * reference, 0 when there is no more, -E2BIG, -EPROTO or -errno with a sentence when it cannot be read. */
[[nodiscard]] int ctl_flow_lines_next(
	struct ctl_flow_lines *lines, json_t **ret_flow, struct dp_err *reterr);

/* Wait for its end; once ctl_flow_lines_next() has returned 0, for it is not read any further. Returns its
 * exit code (enum CTL_EXIT_*) and leaves reterr alone: it has said itself what is wrong. A child that a
 * signal ended, or that broke off in a line, is a failure, with a sentence. */
[[nodiscard]] int ctl_flow_lines_end(struct ctl_flow_lines *lines, struct dp_err *reterr);

/* What a silent child has written to standard error, its beginning; after ctl_flow_lines_end(). Lines, or
 * "". Borrowed until it is freed. */
const char *ctl_flow_lines_said(struct ctl_flow_lines *lines);

/* A child that still runs is killed. NULL allowed. */
void ctl_flow_lines_free(struct ctl_flow_lines *lines);
