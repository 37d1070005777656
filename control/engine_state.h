// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the parts of the engine share: engine.c (time), account.c (records to profiles), decide.c
 * (candidates to triggers), engine_bind.c (persons to profiles), engine_sleep.c (who is read when),
 * engine_json.c (views), engine_store.c (to disk), engine_read.c and engine_restore.c (and back).
 * Private to them. Control thread only. */

#include "control/detector.h"
#include "control/engine.h"
#include "control/idset.h"
#include "control/pack.h"
#include "control/subject_index.h"
#include "control/timer.h"
#include "control/whose.h"

/* What the configuration says about an app; made when its first record comes. */
struct ctl_app_info {
	bool is_opaque; // VPN or relay: what goes on inside is not seen
	uint32_t n_rules;
	uint32_t rules[]; // indexes of the rules that look at it
};

/* Images are written in rounds (engine_store.c). */
struct ctl_round {
	struct ctl_idset todo; // of the round under way; empty between rounds
	uint64_t began_ns; // event time; of the last round when none is under way, 0 = none yet
	uint64_t slice; // images a tick
	uint64_t next_id; // nothing below it is left to do
	bool is_under_way;
};

/* An app's bytes in a cycle that is over. */
struct ctl_closed_use {
	uint32_t app;
	uint64_t bytes[2]; // up and down
};

/* A cycle that ended before its last bytes were published. */
struct ctl_closed {
	struct ctl_closed *next; // an older one, owned
	struct ctl_cycle cycle;
	size_t n_uses;
	struct ctl_closed_use uses[];
};

/* Profiles whose image could not be read when they were woken. */
struct ctl_unreadable {
	GMutex lock; // several threads wake while all are bound
	uint64_t n;
	struct dp_err why; // of the last one
	struct ctl_idset ids; // to be written whole with the next journal
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
	GPtrArray *by_id; // struct ctl_profile by id - 1, owned; NULL where forgotten
	struct ctl_profile **by_person; // by person id - 1; borrowed, as in the next
	size_t n_persons;
	struct ctl_whose *whose; // owned
	GHashTable *by_met; // struct ctl_person who was met -> struct ctl_profile; both borrowed
	GHashTable *by_endpoint; // struct dp_addr -> struct ctl_profile
	struct ctl_subject_index *by_subject;
	uint64_t other_bytes[2]; // of endpoints beyond the bound of by_endpoint

	// struct ctl_profile of persons told no more, longest ago first; borrowed. Among them may be some who
	// were met since.
	GPtrArray *untold;
	GHashTable *untold_by; // "imsi:…", owned -> of them

	struct ctl_idset changed; // bear marks of change: for the next journal
	struct ctl_idset unwritten; // their images are behind the journal
	struct ctl_idset unpublished; // what is published of them is behind
	bool keeps_unpublished; // somebody reads them, and the next two
	GHashTable *closed; // profile id -> struct ctl_closed, newest first
	GQueue retired; // char *, owned: subjects that are used no more
	struct ctl_unreadable unreadable;
	struct ctl_sums counted; // of the node since the start; n_own and n_opaque stay 0
	GArray *forgotten; // uint64_t ids: for the next journal
	uint64_t journal_ns; // key of the last journal value, 0 = none
	struct ctl_round round;
	struct ctl_pack packed; // what is put into a batch next; its memory is kept

	GTimeZone *default_tz;
	GHashTable *zones; // GTimeZone * -> struct ctl_zone
	GHashTable *apps; // app id -> struct ctl_app_info
	const char **rule_ids; // interned, by rule index
	const struct ctl_detector **detectors; // by rule index
	struct ctl_namer *namer; // of subjects under the configuration in force
	char *naming; // text that is another when subjects are made in another way; owned
	uint64_t naming_id; // digest of it, not 0: the same in the store of each

	GPtrArray *pending; // struct ctl_trigger of this tick
	GHashTable *n_triggers; // type -> uint64_t
	GHashTable *n_suppressed; // rule id -> GHashTable of reason -> uint64_t
};

/* To be called behind whatever may have altered the profile. */
static inline void ctl_engine_note(struct ctl_engine *engine, const struct ctl_profile *profile)
{
	if (profile->marks != 0)
		ctl_idset_add(&engine->changed, profile->id);
	if (profile->is_unpublished && profile->person != NULL)
		ctl_idset_add(&engine->unpublished, profile->id);
}

/* The profile of an id, which may be asleep; NULL as ctl_engine_profile(). */
static inline struct ctl_profile *ctl_engine_peek(const struct ctl_engine *engine, uint64_t id)
{
	return id == 0 || id > engine->by_id->len ? NULL : engine->by_id->pdata[id - 1];
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

/* engine_publish.c */

/* The profile's period is about to end. */
void ctl_engine_close_period(struct ctl_engine *engine, const struct ctl_profile *profile);
/* What closed unpublished, newest first; NULL when nothing did. */
const struct ctl_closed *ctl_engine_closed(const struct ctl_engine *engine, uint64_t id);
/* Nobody has the subject from now on; NULL is fine. Copied. */
void ctl_engine_retire(struct ctl_engine *engine, const char *subject);
void ctl_engine_publish_init(struct ctl_engine *engine);
void ctl_engine_publish_fini(struct ctl_engine *engine);

/* engine_bind.c */

/* What is kept of somebody who is told no more, and is met now; NULL when nothing is. */
struct ctl_profile *ctl_engine_untold(
	const struct ctl_engine *engine, const struct ctl_person *person);

/* A person of the facts in force, or who was met, for whom there was no profile, or an untold one. */
void ctl_engine_tell(
	struct ctl_engine *engine, struct ctl_profile *profile, const struct ctl_person *person);
enum ctl_bind {
	CTL_BIND_RENAMED = 1 << 0, // those that have no subject yet had another one once
	CTL_BIND_RULES_DROPPED = 1 << 1, // profiles may have states of rules that are gone
};
/* All profiles to the persons of the facts in force, under the rules in force; arms all timers.
 * flags: of enum ctl_bind. */
void ctl_engine_bind(struct ctl_engine *engine, unsigned n_threads, unsigned flags);
/* Timers anew, and what a detector drops under the rules in force. Whoever calls notes the profile.
 * timers_apart: as in struct ctl_look. */
void ctl_engine_rearm(
	struct ctl_engine *engine, struct ctl_profile *profile, struct ctl_timers *timers_apart);
/* Whoever was told of last too long ago, some at a time. */
void ctl_engine_forget_untold(struct ctl_engine *engine);

/* engine_sleep.c */

/* To be called before anything of a profile is read or altered but what profile_sleep.h says. */
void ctl_engine_wake(struct ctl_engine *engine, struct ctl_profile *profile);
/* The same without telling, arming and noting; any thread that has the profile. */
void ctl_engine_read_asleep(struct ctl_engine *engine, struct ctl_profile *profile);
/* May one that sleeps sleep on under the rules in force when it is told of person (NULL: told no
 * more)? Any thread. */
bool ctl_engine_sleeps_on(const struct ctl_engine *engine, const struct ctl_profile *profile,
	const struct ctl_person *person, bool are_rules_dropped);
/* Has config not all the rules in force? */
bool ctl_engine_drops_rules(const struct ctl_engine *engine, const struct ctl_config *config);
void ctl_engine_sleep_init(struct ctl_engine *engine);
void ctl_engine_sleep_fini(struct ctl_engine *engine);

/* decide.c */
void ctl_decide_flush(struct ctl_engine *engine);
void ctl_count_up(GHashTable *counts, const char *name);
/* Counts of what was withheld of a rule, by reason. */
GHashTable *ctl_suppressed_of(struct ctl_engine *engine, const char *rule);
