// SPDX-License-Identifier: BSD-3-Clause
#include "control/engine_state.h"
#include "control/profile_sleep.h"

/* Most subscribers of a store do nothing in the minutes behind a restart: their images are not read
 * before somebody asks (profile_sleep.h). Here is who may sleep, and how one is woken. */

void ctl_engine_sleep_init(struct ctl_engine *engine)
{
	g_mutex_init(&engine->unreadable.lock);
}

void ctl_engine_sleep_fini(struct ctl_engine *engine)
{
	ctl_idset_fini(&engine->unreadable.ids);
	g_mutex_clear(&engine->unreadable.lock);
}

bool ctl_engine_drops_rules(const struct ctl_engine *engine, const struct ctl_config *config)
{
	const struct ctl_config *old = engine->config;

	for (size_t i = 0; i < old->n_rules; i++) {
		bool is_kept = false;

		for (size_t j = 0; j < config->n_rules && !is_kept; j++)
			is_kept = g_strcmp0(old->rules[i].id, config->rules[j].id) == 0 &&
				old->rules[i].detector == config->rules[j].detector;
		if (!is_kept)
			return true;
	}
	return false;
}

bool ctl_engine_sleeps_on(const struct ctl_engine *engine, const struct ctl_profile *profile,
	const struct ctl_person *person, bool are_rules_dropped)
{
	if (are_rules_dropped &&
		!ctl_profile_keeps_asleep(
			profile, engine->rule_ids, engine->detectors, engine->config->n_rules))
		return false;
	return person == NULL || ctl_profile_is_told_asleep(profile, person);
}

/* It begins anew: better than to end the service of all for one. That its image is replaced in one
 * commit with its first changes keeps the next start from reading these over the old one. */
static void begin_anew(
	struct ctl_engine *engine, const struct ctl_profile *profile, const struct dp_err *err)
{
	g_mutex_lock(&engine->unreadable.lock);
	engine->unreadable.n++;
	engine->unreadable.why = *err;
	ctl_idset_add(&engine->unreadable.ids, profile->id);
	g_mutex_unlock(&engine->unreadable.lock);
}

void ctl_engine_read_asleep(struct ctl_engine *engine, struct ctl_profile *profile)
{
	struct dp_err err;

	if (ctl_profile_wake(profile, &err) < 0)
		begin_anew(engine, profile, &err);
}

void ctl_engine_wake(struct ctl_engine *engine, struct ctl_profile *profile)
{
	if (!ctl_profile_is_asleep(profile))
		return;
	ctl_engine_read_asleep(engine, profile);
	if (profile->person != NULL)
		ctl_profile_tell(profile, profile->person, engine->config->catalogue);
	if (profile->person != NULL || profile->who == CTL_WHO_ENDPOINT)
		ctl_engine_rearm(engine, profile, NULL);
	ctl_engine_note(engine, profile);
}

uint64_t ctl_engine_n_unreadable(const struct ctl_engine *engine, struct dp_err *ret_why)
{
	if (engine->unreadable.n > 0)
		*ret_why = engine->unreadable.why;
	return engine->unreadable.n;
}
