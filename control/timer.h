// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Timers in event time: a binary heap, so that nothing ever scans all profiles.
 *
 * Order is total and deterministic: time, then profile, then rule, then key. A timer is never
 * moved: when it is due, its owner looks whether it still holds and arms it again. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct ctl_profile;

struct ctl_timer {
	uint64_t at_ns;
	uint64_t profile_id;
	struct ctl_profile *profile; // borrowed
	uint32_t rule_idx;
	uint32_t key; // the detector's own
};

struct ctl_timers {
	GArray *heap; // of struct ctl_timer
};

void ctl_timers_init(struct ctl_timers *timers);
void ctl_timers_fini(struct ctl_timers *timers);
void ctl_timers_clear(struct ctl_timers *timers);
void ctl_timers_push(struct ctl_timers *timers, const struct ctl_timer *timer);

/* Take the first timer that is due strictly before t_ns: a packet at t_ns itself may still come.
 * Returns false when there is none. */
bool ctl_timers_pop(struct ctl_timers *timers, uint64_t t_ns, struct ctl_timer *ret_timer);
