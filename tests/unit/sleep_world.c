// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/sleep_world.h"

#include "control/cycle.h"
#include "control/profile_sleep.h"

/* Ids, as text. */
static char *asleep(const struct world *w)
{
	GString *ids = g_string_new(NULL);

	for (uint64_t id = 1; id <= ctl_engine_n_ids(w->f.engine); id++) {
		const struct ctl_profile *p = ctl_engine_peek(w->f.engine, id);

		if (p != NULL && ctl_profile_is_asleep(p))
			g_string_append_printf(ids, "%" G_GUINT64_FORMAT " ", id);
	}
	return g_string_free(ids, FALSE);
}

void assert_asleep(const struct world *w, const char *expected)
{
	g_autofree char *ids = asleep(w);

	assert_string_equal(ids, expected);
}

void world_use(struct world *w, const char *endpoint, const char *app, uint64_t n_bytes)
{
	const struct use given = {
		"2026-01-20T00:00:00Z", app, .endpoint = endpoint, .bytes = n_bytes};
	struct dp_record record = fixture_record(&w->f, &given);

	record.usage.first_ns = record.usage.last_ns = w->now_ns;
	w->now_ns += CTL_SECOND_NS;
	ctl_engine_tick(w->f.engine, w->now_ns, &record, 1, 0);
}

void world_save(struct world *w, bool everything)
{
	(void)engine_rig_save(&w->rig, w->f.engine, w->now_ns, RIG_UNLIMITED, everything);
}

void world_restart(struct world *w, const char *rules, const char *facts)
{
	fixture_configure(&w->f, rules, facts);
	(void)engine_rig_restart(&w->rig, &w->f);
}

/* Some have watched something, which is over, and nothing is left in the journal. Then a restart. */
void world_open(struct world *w, const char *facts)
{
	*w = (struct world){.now_ns = at("2026-01-20T00:00:00Z")};
	engine_rig_open(&w->rig);
	fixture_open(&w->f, RIG_RULES, facts);
	w->now_ns += CTL_SECOND_NS;
	(void)rig_touch(&w->rig, &w->f, w->now_ns, N_SEEN, RIG_UNLIMITED);
	world_use(w, STRANGER, "film", 1000);
	w->now_ns += 3600 * CTL_SECOND_NS;
	ctl_engine_advance(w->f.engine, w->now_ns);
	for (uint64_t id = 1; id <= N_SEEN; id++)
		ctl_engine_set_published(w->f.engine, id);
	world_save(w, true);
	world_restart(w, RIG_RULES, facts);
	assert_asleep(w, ASLEEP_ALL);
}

void world_close(struct world *w)
{
	fixture_close(&w->f);
	engine_rig_close(&w->rig);
}

long sum_bytes(json_t *given)
{
	long n_bytes = 0;
	json_t *line;
	size_t i;

	json_array_foreach(given, i, line)
		n_bytes += json_integer_value(json_object_get(line, "down_bytes"));
	return n_bytes;
}

/* -1: nothing is known. */
long bytes_of(const struct world *w, const char *identifier)
{
	bool is_told;
	json_t *show = ctl_engine_identifier_json(w->f.engine, identifier, &is_told);
	const long n_bytes = show == NULL ? -1 : sum_bytes(json_object_get(show, "usage"));

	json_decref(show);
	return n_bytes;
}

long bytes_of_all(const struct world *w)
{
	json_t *usage = ctl_engine_usage_json(w->f.engine);
	const long n_bytes = sum_bytes(usage);

	json_decref(usage);
	return n_bytes;
}

/* What the store says of the profile by now. */
void assert_kept(struct world *w, const char *facts, const char *identifier, long n_bytes)
{
	world_save(w, false);
	world_restart(w, RIG_RULES, facts);
	assert_int_equal(bytes_of(w, identifier), n_bytes);
}
