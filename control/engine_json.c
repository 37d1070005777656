// SPDX-License-Identifier: BSD-3-Clause
#include "control/dict.h"
#include "control/engine_state.h"
#include "control/event.h"
#include "control/gates.h"
#include "control/subject.h"

#include <stdlib.h>
#include <string.h>

static gint row_cmp(gconstpointer pa, gconstpointer pb)
{
	const struct ctl_usage_row *a = pa;
	const struct ctl_usage_row *b = pb;
	const int r = strcmp(a->subscriber, b->subscriber);

	return r != 0 ? r : strcmp(a->app, b->app);
}

/* Rows and the names in them. */
struct rows {
	GArray *rows; // struct ctl_usage_row
	GStringChunk *names;
};

static struct rows rows_new(void)
{
	enum { CHUNK_BYTES = 65536 }; // start value

	return (struct rows){.rows = g_array_new(FALSE, FALSE, sizeof(struct ctl_usage_row)),
		.names = g_string_chunk_new(CHUNK_BYTES)};
}

static void rows_free(struct rows *r)
{
	g_array_free(r->rows, TRUE);
	g_string_chunk_free(r->names);
}

static void add_row(
	struct rows *r, const char *subscriber, const char *app, const uint64_t bytes[2])
{
	const struct ctl_usage_row row = {
		.subscriber = subscriber, .app = app, .bytes = {bytes[0], bytes[1]}};

	g_array_append_val(r->rows, row);
}

static void add_profile(const struct ctl_engine *engine, struct ctl_profile *profile,
	const char *subscriber, struct rows *r)
{
	const char *name = NULL;

	ctl_engine_wake((struct ctl_engine *)engine, profile); // it says what it said
	for (uint32_t i = 0; i < profile->n_slots; i++) {
		const struct ctl_app_use *use = &profile->apps[i];

		if (use->app == UINT32_MAX || (use->bytes[0] == 0 && use->bytes[1] == 0))
			continue;
		if (name == NULL)
			name = g_string_chunk_insert(r->names, subscriber);
		add_row(r, name, ctl_dict_app_name(engine->config->catalogue, use->app),
			use->bytes);
	}
}

static void add_all(const struct ctl_engine *engine, struct rows *r)
{
	GHashTableIter iter;
	gpointer value;

	for (size_t i = 0; i < engine->n_persons; i++)
		if (engine->by_person[i] != NULL)
			add_profile(engine, engine->by_person[i], engine->by_person[i]->subject, r);
	g_hash_table_iter_init(&iter, engine->by_met);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct ctl_profile *profile = value;

		add_profile(engine, profile, profile->subject, r);
	}
	g_hash_table_iter_init(&iter, engine->by_endpoint);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct ctl_profile *profile = value;
		char who[CTL_SUBJECT_MAX];

		ctl_namer_endpoint(engine->namer, &profile->endpoint, who);
		add_profile(engine, profile, who, r);
	}
	if (engine->other_bytes[0] > 0 || engine->other_bytes[1] > 0)
		add_row(r, "endpoint:other",
			ctl_dict_app_name(engine->config->catalogue, DP_APP_UNDECIDED),
			engine->other_bytes);
}

static void tell(struct rows *r, void (*row)(void *ctx, const struct ctl_usage_row *row), void *ctx)
{
	g_array_sort(r->rows, row_cmp);
	for (guint i = 0; i < r->rows->len; i++)
		row(ctx, &g_array_index(r->rows, struct ctl_usage_row, i));
}

void ctl_engine_usage(const struct ctl_engine *engine,
	void (*row)(void *ctx, const struct ctl_usage_row *row), void *ctx)
{
	struct rows r = rows_new();

	add_all(engine, &r);
	tell(&r, row, ctx);
	rows_free(&r);
}

static void append_row(void *array, const struct ctl_usage_row *row)
{
	(void)json_array_append_new(array,
		json_pack("{s:s, s:s, s:I, s:I}", "subscriber", row->subscriber, "app", row->app,
			"up_bytes", (json_int_t)row->bytes[0], "down_bytes",
			(json_int_t)row->bytes[1]));
}

json_t *ctl_engine_usage_json(const struct ctl_engine *engine)
{
	json_t *array = json_array();

	ctl_engine_usage(engine, append_row, array);
	return array;
}

static json_t *profile_usage_json(const struct ctl_engine *engine, struct ctl_profile *profile)
{
	struct rows r = rows_new();
	json_t *array = json_array();

	add_profile(engine, profile, profile->subject, &r);
	tell(&r, append_row, array);
	rows_free(&r);
	return array;
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
	json_t *usage;

	if (profile == NULL)
		return NULL;
	usage = profile_usage_json(engine, profile); // wakes it for the others
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "subject", profile->subject, "as_of",
		ctl_time_json(engine->now_ns), "usage", usage, "buckets", buckets_json(profile),
		"holds", holds_json(engine, profile), "rules", rules_json(engine, profile));
}

json_t *ctl_engine_identifier_json(
	const struct ctl_engine *engine, const char *identifier, bool *ret_is_told)
{
	char canonical[CTL_SUBJECT_MAX];
	const struct ctl_person *person = NULL;
	const struct ctl_profile *profile;

	if (ctl_subject_canonical(&engine->config->privacy, identifier, canonical, NULL) == 0)
		person = ctl_whose_find(engine->whose, canonical);
	*ret_is_told = person != NULL;
	if (person == NULL)
		return NULL;
	profile = ctl_is_met(person) ? g_hash_table_lookup(engine->by_met, person)
				     : engine->by_person[person->id - 1];
	return profile == NULL ? NULL : ctl_engine_subscriber_json(engine, profile->subject);
}
