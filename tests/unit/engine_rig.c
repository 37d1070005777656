// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/engine_rig.h"

#include "control/cycle.h"
#include "control/pack.h"
#include "control/profile_image.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FLUSH_NS UINT64_C(30000000000)

void engine_rig_open(struct engine_rig *rig)
{
	struct dp_err err = {0};

	*rig = (struct engine_rig){.folder = g_dir_make_tmp("wirecue-store-XXXXXX", NULL)};
	assert_non_null(rig->folder);

	g_autofree char *path = g_build_filename(rig->folder, "store", NULL);
	g_autofree char *key = g_build_filename(rig->folder, "identity.key", NULL);
	const struct ctl_store_config config = {
		.path = path,
		.node = "edge1",
		.tick_ns = UINT64_C(1000000000),
		.size_max = UINT64_C(1) << 30,
		.backlog_max = 4,
		.backlog_bytes_max = UINT64_C(1) << 28,
	};

	if (ctl_seal_open_key(key, true, &rig->seal, &err) < 0 ||
		ctl_store_open(&config, &rig->store, &err) < 0)
		fail_msg("%s", err.text);
}

/* The folder and one level of folders in it. */
static void remove_all(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	for (name = g_dir_read_name(dir); name != NULL; name = g_dir_read_name(dir)) {
		g_autofree char *entry = g_build_filename(path, name, NULL);

		if (g_file_test(entry, G_FILE_TEST_IS_DIR))
			remove_all(entry);
		else
			assert_int_equal(g_unlink(entry), 0);
	}
	g_dir_close(dir);
	assert_int_equal(g_rmdir(path), 0);
}

void engine_rig_close(struct engine_rig *rig)
{
	ctl_store_close(rig->store);
	ctl_seal_free(rig->seal);
	remove_all(rig->folder);
	g_free(rig->folder);
}

static void give(struct engine_rig *rig, struct ctl_batch *given)
{
	ctl_store_give(rig->store, given);
	assert_true(ctl_store_flush(rig->store, FLUSH_NS));
}

size_t engine_rig_save(struct engine_rig *rig, struct ctl_engine *engine, uint64_t end_ns,
	uint64_t budget_ns, bool everything)
{
	struct ctl_batch *batch = ctl_batch_new(++rig->serial, end_ns);
	size_t n_images = 0;

	ctl_engine_journal(engine, end_ns, rig->seal, batch);
	ctl_engine_sweep(engine, end_ns, budget_ns, everything, rig->seal, batch);
	for (size_t i = 0; i < ctl_batch_n_ops(batch); i++) {
		const struct ctl_op op = ctl_batch_op(batch, i);

		n_images += op.table == CTL_TABLE_PROFILES && op.kind == CTL_OP_PUT;
	}
	give(rig, batch);
	return n_images;
}

uint64_t engine_rig_restart(struct engine_rig *rig, struct fixture *f)
{
	struct dp_err err = {0};
	uint64_t watermark_ns = 0;

	fixture_restart(f);
	if (ctl_engine_restore(f->engine, rig->store, rig->seal, 2, &watermark_ns, &err) < 0)
		fail_msg("%s", err.text);
	return watermark_ns;
}

/* What a restart without sleep would do. */
struct awake {
	struct engine_rig *rig;
	struct ctl_engine *engine;
	struct ctl_reading reading;
	char *naming;
	struct dp_err err;
};

static int on_meta(void *ctx, uint64_t, const void *value, size_t len)
{
	struct awake *a = ctx;

	return ctl_engine_read_meta(a->engine, value, len, &a->naming, &a->err);
}

static int on_ids(void *ctx, uint64_t, const void *value, size_t len)
{
	struct awake *a = ctx;

	return ctl_engine_read_ids(a->engine, value, len, &a->reading, &a->err);
}

static int on_image(void *ctx, uint64_t id, const void *value, size_t len)
{
	struct awake *a = ctx;

	ctl_idset_add(&a->reading.changed, id);
	return ctl_engine_read_image(a->engine, id, value, len, a->rig->seal, &a->reading, &a->err);
}

static int on_tick(void *ctx, uint64_t end_ns, const void *value, size_t len)
{
	struct awake *a = ctx;

	return ctl_engine_read_tick(
		a->engine, end_ns, value, len, a->rig->seal, &a->reading, &a->err);
}

static void read_table(struct awake *a, enum ctl_table table, ctl_store_fn *fn)
{
	if (ctl_store_read(a->rig->store, table, 0, fn, a, &a->err) < 0)
		fail_msg("%s", a->err.text);
}

uint64_t engine_rig_restart_awake(struct engine_rig *rig, struct fixture *f)
{
	struct awake a = {.rig = rig};

	fixture_restart(f);
	a.engine = f->engine;
	assert_int_equal(
		ctl_store_get(rig->store, CTL_TABLE_META, CTL_META_ENGINE, on_meta, &a, &a.err), 0);
	g_ptr_array_set_size(a.engine->by_id, (gint)a.engine->n_profiles);
	a.reading.as_of_ns = g_new0(uint64_t, a.engine->n_profiles + 1);
	read_table(&a, CTL_TABLE_JOURNAL, on_ids);
	read_table(&a, CTL_TABLE_PROFILES, on_image);
	read_table(&a, CTL_TABLE_JOURNAL, on_tick);
	for (uint64_t id = 1; id <= a.engine->n_profiles; id++) {
		const struct ctl_profile *p = ctl_engine_peek(a.engine, id);

		assert_true(p == NULL || p->sleep == NULL);
	}
	if (ctl_engine_read_end(a.engine, &a.reading, &a.err) < 0)
		fail_msg("%s", a.err.text);
	ctl_engine_bind(
		a.engine, 1, g_strcmp0(a.naming, a.engine->naming) != 0 ? CTL_BIND_RENAMED : 0);
	ctl_idset_fini(&a.reading.changed);
	g_free(a.reading.as_of_ns);
	g_free(a.naming);
	return f->engine->now_ns;
}

static int count(void *ctx, uint64_t, const void *, size_t)
{
	++*(size_t *)ctx;
	return 0;
}

size_t engine_rig_count(struct engine_rig *rig, enum ctl_table table)
{
	struct dp_err err;
	size_t n = 0;

	assert_int_equal(ctl_store_read(rig->store, table, 0, count, &n, &err), 0);
	return n;
}

void engine_rig_put(
	struct engine_rig *rig, enum ctl_table table, uint64_t key, const void *value, size_t len)
{
	struct ctl_batch *batch = ctl_batch_new(++rig->serial, 0);

	ctl_batch_put(batch, table, key, value, len);
	give(rig, batch);
}

static void add_json(GString *text, const char *what, json_t *given)
{
	char *line = json_dumps(given, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);

	assert_non_null(line);
	g_string_append_printf(text, "%s %s\n", what, line);
	free(line);
	json_decref(given);
}

/* The image but for the identity, which is sealed anew each time. */
static void add_image(
	GString *text, const struct engine_rig *rig, const struct ctl_profile *profile)
{
	const struct ctl_identity *id = profile->identity;
	struct ctl_pack pack = {0};
	struct ctl_unpack in;

	ctl_profile_pack_image(profile, 0, rig->seal, &pack);
	g_string_append_printf(text, "%" G_GUINT64_FORMAT " %d %s %s %s %s", profile->id,
		profile->who, id == NULL || id->account == NULL ? "" : id->account,
		id == NULL || id->imsi == NULL ? "" : id->imsi,
		id == NULL || id->msisdn == NULL ? "" : id->msisdn,
		profile->subject == NULL ? "" : profile->subject);
	in = ctl_unpack_of(pack.data, pack.len);
	while (ctl_unpack_has_more(&in)) {
		struct ctl_unpack part;
		const uint64_t kind = ctl_unpack_part(&in, &part);
		const size_t len = kind == CTL_PART_WHO ? 0 : (size_t)(part.end - part.at);
		g_autofree char *base64 = g_base64_encode(part.at, len);

		g_string_append_printf(text, " %" G_GUINT64_FORMAT ":%s", kind, base64);
	}
	g_string_append_c(text, '\n');
	ctl_pack_fini(&pack);
}

char *engine_text(const struct engine_rig *rig, const struct ctl_engine *engine)
{
	GString *text = g_string_new(NULL);

	add_json(text, "usage", ctl_engine_usage_json(engine));
	add_json(text, "triggers", ctl_engine_triggers_json(engine));
	add_json(text, "suppressed", ctl_engine_suppressed_json(engine));
	g_string_append_printf(text,
		"now %" G_GUINT64_FORMAT " born %" G_GUINT64_FORMAT " seen %" G_GUINT64_FORMAT
		" unbound %" G_GUINT64_FORMAT " lost %a ids %" G_GUINT64_FORMAT
		" untold %u other %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n",
		engine->now_ns, engine->born_ns, engine->sums.n_seen, engine->sums.n_unbound,
		engine->sums.n_lost, engine->n_profiles, engine->untold->len,
		engine->other_bytes[0], engine->other_bytes[1]);
	for (uint64_t id = 1; id <= engine->n_profiles; id++) {
		const struct ctl_profile *profile = ctl_engine_profile(engine, id);

		if (profile == NULL)
			continue;
		add_image(text, rig, profile);
		if (profile->subject != NULL)
			add_json(
				text, "show", ctl_engine_subscriber_json(engine, profile->subject));
	}
	return g_string_free(text, FALSE);
}

char *rig_facts(int n_left_out, const char *cap)
{
	GString *facts = g_string_new("plans:\n  - {id: xl, cap: unlimited}\nsubscribers:\n");

	for (int i = 1 + n_left_out; i <= RIG_PERSONS; i++)
		g_string_append_printf(facts,
			"  - {msisdn: \"+999000001%02d\", imsi: \"0010100000001%02d\", addresses: "
			"[10.20.1.%d], account: A-%d, zone: Europe/Berlin,\n"
			"     plan: {id: s, buckets: [{id: data, cap: %s, anchor_day: %d}]},\n"
			"     line: {kind: consumer}, consent: [{purpose: marketing, status: "
			"granted, version: 1}, {purpose: retention, status: granted, version: "
			"1}]}\n",
			i, i, i, i, cap, 1 + i % 28);
	return g_string_free(facts, FALSE);
}

uint32_t traffic_draw(struct traffic *t, uint32_t n)
{
	t->seed = t->seed * 1103515245 + 12345;
	return (t->seed >> 8) % n;
}

static struct dp_record any_record(struct traffic *t, const struct fixture *f)
{
	static const char *const apps[] = {"film", "series", "chat", "tunnel", "casino", "own-tv",
		"rival", "other-rival", "unknown", "undecided"};
	g_autofree char *endpoint = g_strdup_printf(
		"10.20.1.%u", 1 + traffic_draw(t, RIG_PERSONS + 10));
	struct use use = {
		.from = "2026-01-20T00:00:00Z",
		.app = apps[traffic_draw(t, G_N_ELEMENTS(apps))],
		.endpoint = endpoint,
		.up_bytes = traffic_draw(t, 300000),
		.bytes = traffic_draw(t, 30000000),
		.n_flows = 1 + traffic_draw(t, 4),
	};
	struct dp_record r;

	use.is_move = traffic_draw(t, 5) == 0 && strcmp(use.app, "undecided") != 0;
	r = fixture_record(f, &use);
	r.usage.first_ns = t->now_ns + traffic_draw(t, 900) * UINT64_C(1000000);
	r.usage.last_ns = r.usage.first_ns;
	r.tick = r.usage.last_ns / CTL_SECOND_NS;
	return r;
}

static int by_endpoint(const void *pa, const void *pb)
{
	const struct dp_record *a = pa, *b = pb;

	return dp_addr_cmp(&a->endpoint, &b->endpoint);
}

uint64_t traffic_play(struct traffic *t, struct fixture *const *fixtures, size_t n_fixtures)
{
	struct dp_record records[8];
	const size_t n_records = traffic_draw(t, G_N_ELEMENTS(records));
	const double loss = traffic_draw(t, 4) == 0 ? 0.01 : 0;
	uint64_t end_ns;

	t->now_ns += (1 + traffic_draw(t, 200)) * CTL_SECOND_NS;
	if (traffic_draw(t, 60) == 0)
		t->now_ns += traffic_draw(t, 20) * CTL_DAY_NS;
	end_ns = t->now_ns + CTL_SECOND_NS;
	for (size_t i = 0; i < n_records; i++)
		records[i] = any_record(t, fixtures[0]);
	qsort(records, n_records, sizeof(records[0]), by_endpoint);
	for (size_t i = 0; i < n_fixtures; i++)
		ctl_engine_tick(fixtures[i]->engine, end_ns, records, n_records, loss);
	return end_ns;
}

size_t rig_touch(struct engine_rig *rig, struct fixture *f, uint64_t end_ns, int n_persons,
	uint64_t budget_ns)
{
	struct dp_record records[RIG_PERSONS];

	for (int i = 0; i < n_persons; i++) {
		g_autofree char *endpoint = g_strdup_printf("10.20.1.%d", i + 1);
		const struct use use = {
			"2026-01-20T00:00:00Z", "film", .endpoint = endpoint, .bytes = 1000};

		records[i] = fixture_record(f, &use);
		records[i].usage.first_ns = end_ns - CTL_SECOND_NS;
		records[i].usage.last_ns = records[i].usage.first_ns;
	}
	ctl_engine_tick(f->engine, end_ns, records, (size_t)n_persons, 0);
	return engine_rig_save(rig, f->engine, end_ns, budget_ns, false);
}
