// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What has no app, by what an engineer could make a rule of.
 *
 * Flows in, in any number; rows out, those with most bytes first:
 *
 *   HOST      a name was seen: by the domain that somebody registered
 *   SERVER    none was: by the server's address and port; by its network (/24, /48) where more than three
 *             addresses of it were met on a port
 *   PROTOCOL  neither tells them apart: by what the library calls it. Servers that are many and small, each
 *             less than a thousandth of it all, and flows between subscribers
 *
 * Memory is bounded whatever comes (some 40 MB at most): of domains and of networks with a port
 * CTL_UNKNOWN_KEPT are kept, those with most bytes. Nothing that has more than that part of all bytes is
 * ever let go (Misra and Gries, 1982), and what is let go is summed up, so rows, others and the sum agree to
 * the byte. Rows depend on what was added in which order and on nothing else.
 *
 * Of subscribers it keeps how many there were. Of a name below its domain it shows what three endpoints or
 * more have shown (one person may have two): a label that only one has may say who he is. Pure; one thread. */

#include "control/domain.h"
#include "dataplane/addr.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CTL_UNKNOWN_KEPT = 2048, // start value
	CTL_UNKNOWN_EXAMPLES = 3,
};

/* One flow, or several that are alike. Texts are borrowed for the call. */
struct ctl_unknown_fact {
	const char *host; // as it was seen, "" when it was not
	const char *proto; // the library's word: "TLS", "Unknown"
	const char *app; // what it counts for, by weak evidence alone; NULL: nothing
	const char *l4; // "tcp"
	struct dp_addr endpoint;
	struct dp_addr server;
	bool has_server; // false: the other side may be a subscriber, too, whose address is not shown
	uint16_t port; // the server's
	uint64_t bytes, flows;
};

enum ctl_unknown_kind { CTL_UNKNOWN_HOST, CTL_UNKNOWN_SERVER, CTL_UNKNOWN_PROTOCOL };

struct ctl_unknown_row {
	uint64_t bytes, flows, subscribers;
	uint64_t weak_bytes; // of these, that count for an app by weak evidence alone
	// HOST: the domain, or a name below it that has nine tenths of its bytes, of three endpoints or more,
	// and is no mere part of it (www, cdn, a machine's number). SERVER: address, or network with its length. PROTOCOL: the library's.
	char *what;
	char *domain; // HOST: the domain, whose all numbers are; else NULL
	const char *l4; // all but HOST; of the aggregation
	uint16_t port; // SERVER
	uint8_t kind; // enum ctl_unknown_kind
	bool is_shared; // HOST: nobody's own, a public suffix or a single label
	const char *proto; // what the library calls most of it; of the aggregation
	const char *app; // for what most of weak_bytes counts, NULL: none do; of the aggregation
	const char *category; // what a draft calls it; NULL: a guess
	char *examples[CTL_UNKNOWN_EXAMPLES +
		1]; // names or addresses with most bytes, NULL-terminated
};

struct ctl_unknown_sum {
	uint64_t bytes, flows, subscribers, weak_bytes;
};

struct ctl_unknown;

/* domains: borrowed for its life. n_kept: CTL_UNKNOWN_KEPT, or another number > 0 in tests. */
struct ctl_unknown *ctl_unknown_new(const struct ctl_domains *domains, size_t n_kept);
void ctl_unknown_free(struct ctl_unknown *unknown);

/* Names are shown though only one endpoint has them: for captures of one's own. What looks like an address or a
 * long number stays '*'. Before the first fact. */
void ctl_unknown_show_names(struct ctl_unknown *unknown);

void ctl_unknown_add(struct ctl_unknown *unknown, const struct ctl_unknown_fact *fact);

/* The n_rows first rows (struct ctl_unknown_row, owned by the array), what all other rows and those that were
 * let go have together, and the sum of it all. More may be added afterwards; rows last no longer than
 * `unknown`. */
GPtrArray *ctl_unknown_report(const struct ctl_unknown *unknown, size_t n_rows,
	struct ctl_unknown_sum *ret_others, struct ctl_unknown_sum *ret_all);
