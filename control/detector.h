// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A detector: one file, one vtable, one line in ctl_detectors.
 *
 * A detector looks at one profile at a time, for one rule; all it remembers is its state in that
 * profile. What it finds it reports as a candidate; gates, control group, envelope and delivery
 * are not its business. It has no clock: all times are event time. Control thread only. */

#include "control/candidate.h"
#include "control/config.h"
#include "control/option.h"
#include "control/pack.h"
#include "control/profile.h"

#include <jansson.h>

struct ctl_engine;
struct ctl_timers;

/* One look: borrowed for the call. */
struct ctl_look {
	struct ctl_engine *engine;
	const struct ctl_rule *rule;
	uint32_t rule_idx;
	const char *rule_id; // interned
	struct ctl_profile *profile;
	/* NULL: those of the engine. Else others look at other profiles meanwhile: timers go here, and
	 * nothing of the engine is altered. */
	struct ctl_timers *timers_apart;
};

enum ctl_feature_kind {
	CTL_FEATURE_SESSION, // an app is in use
	CTL_FEATURE_COMPETITOR, // interest in rivals, 0..100
};

/* What a detector says of a profile. */
struct ctl_feature {
	enum ctl_feature_kind kind;
	uint32_t app; // SESSION
	uint32_t score; // COMPETITOR
	uint64_t as_of_ns; // newest packet that it rests on
	uint64_t until_ns; // from here on it is another one, though nothing happens; 0 = it is not
};
typedef void ctl_feature_fn(void *ctx, const struct ctl_feature *feature);

struct ctl_detector {
	const char *name; // `detect:` in a rule
	const char *help;
	const struct ctl_option *params; // table over the params struct
	size_t params_size;
	/* What a table cannot say (values that exclude each other). Returns NULL or one static
	 * sentence "expected ..." for the rule as a whole. */
	const char *(*check)(const struct ctl_rule *rule, const struct cls_catalogue *catalogue);

	size_t state_size; // per profile and rule; zeroed before its first use
	void (*state_fini)(void *state); // what the state owns; NULL = nothing
	/* The state as bytes, for the store: what matters after a restart, in a format that is the
	 * detector's own. Any thread that has the profile. */
	void (*save)(const void *state, struct ctl_pack *pack);
	/* Into zeroed memory. False when it is not what save() writes; state_fini() must cope. On
	 * any thread; on_reload() follows before the first record. */
	bool (*load)(void *state, struct ctl_unpack *unpack);

	/* Does the rule look at records of the app? Asked once per app and configuration; NULL = at
	 * none. */
	bool (*wants_app)(
		const struct ctl_rule *rule, const struct cls_catalogue *catalogue, uint32_t app);
	/* A usage or move record of such an app. Its bytes are in the profile already. */
	void (*on_usage)(const struct ctl_look *look, const struct dp_record *record);
	/* The bytes of the bucket's running cycle changed; t_ns is the last packet counted. */
	void (*on_charge)(
		const struct ctl_look *look, struct ctl_bucket_use *bucket, uint64_t t_ns);
	/* The timer that was armed for at_ns is due; later packets may have overtaken it. */
	void (*on_timer)(const struct ctl_look *look, uint64_t at_ns, uint32_t key);
	/* The configuration changed, or the state was loaded: arm the timers of the state anew, and
	 * drop from it what the rule does not look at any more. On any thread, the profile's zone is
	 * not set yet. */
	void (*on_reload)(const struct ctl_look *look);
	/* May on_reload() wait until somebody looks at the profile, for a state that save() wrote so?
	 * It then arms no timer for it and alters nothing that is saved, whatever the rule says. Any
	 * thread. NULL: only without on_reload(). */
	bool (*rests)(struct ctl_unpack *saved);
	/* What a reader of the profile may ask of the state at now_ns, one call each; NULL =
	 * nothing. */
	void (*features)(
		const struct ctl_look *look, uint64_t now_ns, ctl_feature_fn *fn, void *ctx);
	/* Add what is worth showing of the state to ret_array. */
	void (*describe)(const struct ctl_look *look, json_t *ret_array);
};

extern const struct ctl_detector ctl_det_app_session;
extern const struct ctl_detector ctl_det_competitor;
extern const struct ctl_detector ctl_det_near_cap;

extern const struct ctl_detector *const ctl_detectors[]; // NULL-terminated

/* By name, len bytes without a NUL; NULL when it is none of ours. */
const struct ctl_detector *ctl_detector_find(const void *name, size_t len);

/* What the engine offers to a detector. */

/* To alter it: it is marked, and made when it is new. */
void *ctl_look_state(const struct ctl_look *look);
/* NULL: there is none yet. */
const void *ctl_look_peek(const struct ctl_look *look);
/* To alter only what save() leaves out; NULL: there is none yet. */
void *ctl_look_unsaved(const struct ctl_look *look);
const struct ctl_config *ctl_look_config(const struct ctl_look *look);

/* Have on_timer called with key once event time has passed at_ns. */
void ctl_look_arm(const struct ctl_look *look, uint64_t at_ns, uint32_t key);

/* The sums as they were before the record at work, to open a coverage window with it. */
struct ctl_sums ctl_look_opening(const struct ctl_look *look);

/* Share of frames lost since then, 0..1. */
double ctl_look_loss(const struct ctl_look *look, const struct ctl_sums *since);

/* First instant the engine ever saw: what lies before was not observed. */
uint64_t ctl_look_born(const struct ctl_look *look);

/* Decide about a candidate: `when`, gates, control group; publish it or count why not. Borrowed. */
void ctl_look_report(const struct ctl_look *look, const struct ctl_candidate *candidate);

/* Count something that could not even become a candidate. */
void ctl_look_withhold(const struct ctl_look *look, const char *reason);
