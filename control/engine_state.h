// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the parts of the engine share: engine.c (time), account.c (records to profiles), decide.c
 * (candidates to triggers), engine_json.c (views). Private to them. Control thread only. */

#include "control/detector.h"
#include "control/engine.h"
#include "control/idset.h"
#include "control/timer.h"

/* What the configuration says about an app; made when its first record comes. */
struct ctl_app_info {
	bool is_opaque; // VPN or relay: what goes on inside is not seen
	uint32_t n_rules;
	uint32_t rules[]; // indexes of the rules that look at it
};

struct ctl_engine {
	const struct ctl_config *config; // borrowed
	ctl_trigger_fn *sink;
	void *ctx;

	uint64_t now_ns; // event time everything before which is done
	uint64_t born_ns; // first packet ever seen; 0 = none yet
	double loss; // of the tick at work, 0..1
	struct ctl_sums sums; // the node's members only
	struct ctl_sums opening; // before the record at work, as its profile sees them
	struct ctl_timers timers;

	uint64_t n_profiles; // ids given
	struct ctl_idset changed; // profiles with marks of change
	struct ctl_profile **by_person; // by person id - 1
	size_t n_persons;
	GHashTable *by_endpoint; // struct dp_addr -> struct ctl_profile, owned by the table
	GHashTable *by_subject; // text -> struct ctl_profile, borrowed
	uint64_t other_bytes[2]; // of endpoints beyond the bound of by_endpoint

	GTimeZone *default_tz;
	GHashTable *zones; // GTimeZone * -> struct ctl_zone
	GHashTable *apps; // app id -> struct ctl_app_info
	const char **rule_ids; // interned, by rule index

	GPtrArray *pending; // struct ctl_trigger of this tick
	GHashTable *n_triggers; // type -> uint64_t
	GHashTable *n_suppressed; // rule id -> GHashTable of reason -> uint64_t
};

/* To be called behind whatever may have altered the profile. */
static inline void ctl_engine_note(struct ctl_engine *engine, const struct ctl_profile *profile)
{
	if (profile->marks != 0)
		ctl_idset_add(&engine->changed, profile->id);
}

/* engine.c */
struct ctl_zone *ctl_engine_zone(struct ctl_engine *engine, GTimeZone *tz);
struct ctl_look ctl_engine_look(
	struct ctl_engine *engine, struct ctl_profile *profile, uint32_t rule_idx);

/* account.c */

/* Whose record it is: *ret_profile, NULL beyond the bound of endpoints. False: it is nobody's and
 * changes nothing. */
bool ctl_account_resolve(struct ctl_engine *engine, const struct dp_record *record,
	struct ctl_profile **ret_profile);
void ctl_account_record(
	struct ctl_engine *engine, struct ctl_profile *profile, const struct dp_record *record);
/* The running sums as the profile sees them. */
struct ctl_sums ctl_account_sums(
	const struct ctl_engine *engine, const struct ctl_profile *profile);
void ctl_account_tell(
	struct ctl_engine *engine, struct ctl_profile *profile, const struct ctl_person *person);

/* decide.c */
void ctl_decide_flush(struct ctl_engine *engine);
void ctl_count_up(GHashTable *counts, const char *name);
