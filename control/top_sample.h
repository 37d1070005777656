// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the daemon said of itself in one round of questions (`wirecue top`): its records, taken apart.
 *
 * Pure: no socket, no clock. Records are of a peer that may lie: what is missing or of another kind
 * is 0 or "", texts are cut, rows beyond the limits are counted and left out. Texts are valid UTF-8
 * and nothing else: whoever draws them goes through control/top_text.h. One thread. */

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	CTL_TOP_NAME_MAX = 96, // bytes of a name, NUL included
	CTL_TOP_CAUSE_MAX = 160,
	CTL_TOP_ROWS_MAX = 4096, // rows of an answer that are kept
};

/* What is asked, in this order: the clock right before what is divided by it. Apps are counted when a
 * tick is complete, so the event time up to which they are is asked before and after. */
enum ctl_top_what {
	CTL_TOP_NODE,
	CTL_TOP_PORTS,
	CTL_TOP_WORKERS,
	CTL_TOP_LEDGER,
	CTL_TOP_BEFORE_APPS,
	CTL_TOP_APPS,
	CTL_TOP_AFTER_APPS,
	CTL_TOP_TRIGGERS,
	CTL_TOP_REDIS,
	CTL_TOP_STORE,
	CTL_TOP_GAPS,
	CTL_TOP_QUALITY,
	CTL_TOP_HISTORY,
	CTL_TOP_STAGED,
	CTL_TOP_WHAT_COUNT,
};

extern const char *const ctl_top_whats[CTL_TOP_WHAT_COUNT]; // as the daemon calls it: "node", …

struct ctl_top_node {
	char name[CTL_TOP_NAME_MAX], version[32];
	char started[32]; // with pid: which process
	uint64_t pid, uptime_us;
	uint64_t now_ns, watermark_ns; // since the epoch; 0: not known
	uint64_t tick_ms;
};

struct ctl_top_port {
	char name[CTL_TOP_NAME_MAX], state[16], cause[CTL_TOP_CAUSE_MAX];
	uint64_t frames, bytes, up_packets, down_packets, lost, busy_ms, disturbed, queues;
};

struct ctl_top_worker {
	uint64_t number;
	uint64_t packets, ip_bytes, flows, flows_evicted, postponed, busy_ms, disturbed, longest_us;
	uint64_t catalogues, to_resolve;
	double of_mean;
};

/* A row of the ledger whose unit is frames. */
struct ctl_top_frames {
	char part[CTL_TOP_NAME_MAX], what[48];
	int64_t count;
};

struct ctl_top_app {
	char name[CTL_TOP_NAME_MAX], category[48];
	int64_t bytes, packets, up_bytes, down_bytes; // a verdict takes from undecided
	uint64_t flows;
};

struct ctl_top_decision {
	char state[16], name[CTL_TOP_NAME_MAX], reason[48];
	uint64_t count;
};

struct ctl_top_redis {
	char state[32], since[32], last_error[CTL_TOP_CAUSE_MAX];
	uint64_t waiting, in_flight, published, refused, lost_by_redis;
	bool is_full;
};

struct ctl_top_store {
	char state[16], since[32], cause[CTL_TOP_CAUSE_MAX];
	uint64_t used_bytes, size_max, waiting, failed, unreadable;
	double commit_ms;
};

struct ctl_top_gap {
	char from[32], to[32], cause[CTL_TOP_CAUSE_MAX];
	double seconds;
};

/* Of the last minute of event time. */
struct ctl_top_quality {
	char side[16]; // "endpoints", "network"
	uint64_t segments, retransmitted, resets, handshakes_failed;
	double data_rtt_us, handshake_rtt_us; // NAN: none
};

struct ctl_top_catalogue {
	uint64_t version, staged; // in force, waiting for a commit; 0: none is known of
	char time[32], who[64], why[CTL_TOP_CAUSE_MAX]; // of that in force
};

/* Owned by whoever made it. Arrays are of the structs above, in the daemon's order. */
struct ctl_top_sample {
	struct ctl_top_node node;
	uint64_t counted_ns
		[2]; // event time up to which apps were counted, before they were asked for and after
	GArray *ports, *workers, *ledger, *apps, *triggers, *gaps, *quality;
	struct ctl_top_redis redis;
	struct ctl_top_store store;
	struct ctl_top_catalogue catalogue;
	bool was_told[CTL_TOP_WHAT_COUNT]; // that question was answered
	uint64_t n_left_out; // rows beyond the limits
};

struct ctl_top_sample *ctl_top_sample_new(void);
void ctl_top_sample_free(struct ctl_top_sample *sample); // NULL is fine

/* One record of the answer to `what`; borrowed. */
void ctl_top_sample_add(
	struct ctl_top_sample *sample, enum ctl_top_what what, const json_t *record);

/* A tick was completed while apps were asked for, so nobody knows how much of it they have: forget
 * them, and ask once more (from CTL_TOP_APPS). False, and nothing done: they are as counted_ns says. */
bool ctl_top_sample_retry(struct ctl_top_sample *sample);

/* ns since the epoch of "2026-03-01T18:00:00.123Z"; 0 when it is none. */
uint64_t ctl_top_time(const char *text);

/* Row i of an array of the sample. */
#define ctl_top_row(type, array, i) (&g_array_index((array), struct type, (i)))
