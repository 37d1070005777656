// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What two rounds of answers make when they are held against each other: rates and rows to show. The
 * model (control/top_model.h) writes it; screen, text and JSON read it.
 *
 * Rates are per second of the daemon's clock. NAN: not known, because there is no earlier answer of
 * the same process, or a counter fell. Bits and bytes of ports are of whole frames, those of apps
 * and of up and down are of innermost IP packets. */

#include "control/top_sample.h"

enum {
	CTL_TOP_HISTORY_MAX = 120, // points: start value, four minutes at two seconds
	CTL_TOP_LATELY_S = 300, // how far back triggers are told apart from those before
};

struct ctl_top_port_row {
	struct ctl_top_port now;
	double frames_ps, wire_bps, up_pps, down_pps, lost_ps;
	double load; // of its thread: 1 is all its time
	double taken_ps; // how often the kernel gave its CPU to somebody else meanwhile
};

struct ctl_top_worker_row {
	struct ctl_top_worker now;
	double packets_ps, bps, flows_ps, evicted_ps, postponed_ps;
	double load, taken_ps; // as of a port
	bool is_swapping; // another worker has taken a later catalogue, or it judges flows anew
};

struct ctl_top_app_row {
	struct ctl_top_app now;
	double bps, up_bps, down_bps, packets_ps, flows_ps;
	double share, share_total; // of all bytes: lately, since the start
};

struct ctl_top_decision_row {
	struct ctl_top_decision now;
	uint64_t lately; // of the last ctl_top_view.lately_s
};

/* Frames lost in one place. */
struct ctl_top_loss {
	char part[CTL_TOP_NAME_MAX], what[48]; // "port:tap", "lost"
	uint64_t total; // since the daemon's start
	double ps;
	uint64_t since_ns,
		last_ns; // wall clock: it grows since, with breaks of less than a minute; 0: not while looked
};

struct ctl_top_outcome_row {
	struct ctl_top_frames now; // of the part "total"
	double ps;
};

struct ctl_top_point {
	double up_bps, down_bps, wire_bps, frames_ps, lost_ps;
};

enum ctl_top_state {
	CTL_TOP_NOTHING, // no answer so far
	CTL_TOP_FIRST, // one answer of this process: no rates yet
	CTL_TOP_RATES,
};

struct ctl_top_view {
	enum ctl_top_state state;
	const struct ctl_top_sample
		*now; // borrowed until the next one is taken; NULL in CTL_TOP_NOTHING
	double seconds; // between the two answers
	uint32_t n_restarts; // of the daemon, while looked
	uint64_t restarted_ns; // wall clock of the first answer of the new process; 0: none
	double wire_bps, frames_ps, up_pps, down_pps; // of ports: now
	double up_bps, down_bps; // of apps: as far as ticks are complete
	double stalled_s; // since when no tick was completed, as far as it is too long; else 0
	double unknown_share, undecided_share, unknown_share_total;
	double lost_ps, lost_share; // of what came in
	uint64_t lost_total, lost_since_ns, lost_last_ns;
	int64_t ledger_off; // frames that it does not add up by
	double busiest; // largest of_mean of workers
	uint32_t n_swapping; // workers
	uint64_t to_resolve;
	double lately_s; // how far back `lately` reaches: at most CTL_TOP_LATELY_S
	GArray *ports, *workers, *apps, *losses, *outcomes, *triggers; // of rows above
	struct ctl_top_point history[CTL_TOP_HISTORY_MAX]; // oldest first
	uint32_t n_history;
};
