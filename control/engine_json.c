// SPDX-License-Identifier: BSD-3-Clause
#include "control/dict.h"
#include "control/engine_state.h"
#include "control/event.h"
#include "control/gates.h"
#include "control/subject.h"

#include <stdlib.h>
#include <string.h>

/* One line of the usage report. */
struct line {
	char *who; // owned
	const char *app; // borrowed from the catalogue
	uint64_t bytes[2];
};

static void line_clear(gpointer line)
{
	g_free(((struct line *)line)->who);
}

static int line_cmp(gconstpointer pa, gconstpointer pb)
{
	const struct line *a = pa;
	const struct line *b = pb;
	const int r = strcmp(a->who, b->who);

	return r != 0 ? r : strcmp(a->app, b->app);
}

static void add_lines(const struct ctl_engine *engine, struct ctl_profile *profile, const char *who,
	GArray *lines)
{
	ctl_engine_wake((struct ctl_engine *)engine, profile); // it says what it said
	for (uint32_t i = 0; i < profile->n_slots; i++) {
		const struct ctl_app_use *use = &profile->apps[i];
		const bool is_used = use->app != UINT32_MAX &&
			(use->bytes[0] > 0 || use->bytes[1] > 0);

		if (is_used)
			g_array_append_vals(lines,
				&(struct line){.who = g_strdup(who),
					.app = ctl_dict_app_name(
						engine->config->catalogue, use->app),
					.bytes = {use->bytes[0], use->bytes[1]}},
				1);
	}
}

static json_t *line_json(const struct line *line)
{
	return json_pack("{s:s, s:s, s:I, s:I}", "subscriber", line->who, "app", line->app,
		"up_bytes", (json_int_t)line->bytes[0], "down_bytes", (json_int_t)line->bytes[1]);
}

static json_t *lines_json(GArray *lines)
{
	json_t *array = json_array();

	g_array_sort(lines, line_cmp);
	for (guint i = 0; i < lines->len; i++)
		json_array_append_new(array, line_json(&g_array_index(lines, struct line, i)));
	return array;
}

static GArray *lines_new(void)
{
	GArray *lines = g_array_new(FALSE, FALSE, sizeof(struct line));

	g_array_set_clear_func(lines, line_clear);
	return lines;
}

json_t *ctl_engine_usage_json(const struct ctl_engine *engine)
{
	g_autoptr(GArray) lines = lines_new();
	GHashTableIter iter;
	gpointer value;

	for (size_t i = 0; i < engine->n_persons; i++)
		if (engine->by_person[i] != NULL)
			add_lines(
				engine, engine->by_person[i], engine->by_person[i]->subject, lines);
	g_hash_table_iter_init(&iter, engine->by_endpoint);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct ctl_profile *profile = value;
		char who[CTL_SUBJECT_MAX];

		ctl_namer_endpoint(engine->namer, &profile->endpoint, who);
		add_lines(engine, profile, who, lines);
	}
	if (engine->other_bytes[0] > 0 || engine->other_bytes[1] > 0) {
		const struct line other = {
			.who = g_strdup("endpoint:other"),
			.app = ctl_dict_app_name(engine->config->catalogue, DP_APP_UNDECIDED),
			.bytes = {engine->other_bytes[0], engine->other_bytes[1]},
		};

		g_array_append_val(lines, other);
	}
	return lines_json(lines);
}

static int name_cmp(gconstpointer a, gconstpointer b)
{
	return strcmp(a, b);
}

/* {"name":count}, by name. */
static json_t *counts_json(GHashTable *counts)
{
	g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(counts), name_cmp);
	json_t *object = json_object();

	for (const GList *n = names; n != NULL; n = n->next) {
		const uint64_t *count = g_hash_table_lookup(counts, n->data);

		json_object_set_new(object, n->data, json_integer((json_int_t)*count));
	}
	return object;
}

json_t *ctl_engine_triggers_json(const struct ctl_engine *engine)
{
	return counts_json(engine->n_triggers);
}

json_t *ctl_engine_suppressed_json(const struct ctl_engine *engine)
{
	g_autoptr(GList) rules = g_list_sort(g_hash_table_get_keys(engine->n_suppressed), name_cmp);
	json_t *object = json_object();

	for (const GList *r = rules; r != NULL; r = r->next)
		json_object_set_new(object, r->data,
			counts_json(g_hash_table_lookup(engine->n_suppressed, r->data)));
	return object;
}

static json_t *cycles_json(const struct ctl_bucket_use *b)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < b->n_rows; i++) {
		const struct ctl_cycle_row *row = &b->rows[i];

		json_array_append_new(array,
			json_pack("{s:o, s:I, s:I, s:b}", "start", ctl_time_json(row->start_ns),
				"used_bytes", (json_int_t)row->bytes, "cap_bytes",
				(json_int_t)row->cap_bytes, "running", i + 1 == b->n_rows));
	}
	return array;
}

static json_t *buckets_json(const struct ctl_profile *profile)
{
	json_t *array = json_array();

	for (size_t i = 0; i < profile->n_buckets; i++) {
		const struct ctl_bucket_use *b = &profile->buckets[i];

		json_array_append_new(array,
			json_pack("{s:s, s:o, s:o, s:o}", "bucket", b->id, "cycle_start",
				ctl_time_json(b->cycle.start_ns), "cycle_end",
				ctl_time_json(b->cycle.end_ns), "cycles", cycles_json(b)));
	}
	return array;
}

static json_t *holds_json(const struct ctl_engine *engine, const struct ctl_profile *profile)
{
	const struct ctl_person *person = profile->person;
	json_t *array = json_array();

	for (size_t i = 0; person != NULL && i < person->n_holds; i++) {
		const struct ctl_hold *hold = &person->holds[i];
		const uint64_t end_ns = ctl_hold_end(person, hold, profile->zone->tz);

		if (engine->now_ns < hold->since_ns || engine->now_ns >= end_ns)
			continue;
		json_array_append_new(array,
			json_pack("{s:s, s:o, s:o}", "kind", ctl_hold_kind_names[hold->kind],
				"since", ctl_time_json(hold->since_ns), "until",
				ctl_time_json(end_ns == UINT64_MAX ? 0 : end_ns)));
	}
	return array;
}

static json_t *rules_json(const struct ctl_engine *engine, struct ctl_profile *profile)
{
	json_t *object = json_object();

	for (uint32_t i = 0; i < engine->config->n_rules; i++) {
		const struct ctl_look look = ctl_engine_look(
			(struct ctl_engine *)engine, profile, i);
		json_t *array;

		if (ctl_profile_state_find(profile, look.rule->detector, look.rule_id) == NULL)
			continue;
		array = json_array();
		look.rule->detector->describe(&look, array);
		json_object_set_new(object, look.rule->id, array);
	}
	return object;
}

json_t *ctl_engine_subscriber_json(const struct ctl_engine *engine, const char *subject)
{
	struct ctl_profile *profile = ctl_subject_index_find(
		engine->by_subject, engine->by_id, subject);
	g_autoptr(GArray) lines = lines_new();

	if (profile == NULL)
		return NULL;
	add_lines(engine, profile, profile->subject, lines);
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "subject", profile->subject, "as_of",
		ctl_time_json(engine->now_ns), "usage", lines_json(lines), "buckets",
		buckets_json(profile), "holds", holds_json(engine, profile), "rules",
		rules_json(engine, profile));
}

json_t *ctl_engine_identifier_json(
	const struct ctl_engine *engine, const char *identifier, bool *ret_is_told)
{
	char canonical[CTL_SUBJECT_MAX];
	const struct ctl_person *person = NULL;
	const struct ctl_profile *profile;

	if (ctl_subject_canonical(&engine->config->privacy, identifier, canonical, NULL) == 0)
		person = ctl_facts_find(engine->config->facts, canonical);
	*ret_is_told = person != NULL;
	profile = person == NULL ? NULL : engine->by_person[person->id - 1];
	return profile == NULL ? NULL : ctl_engine_subscriber_json(engine, profile->subject);
}
