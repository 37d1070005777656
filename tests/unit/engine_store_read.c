// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/engine_rig.h"

#include <errno.h>

/* Values of a store, copied. */
struct value {
	uint64_t key;
	GBytes *bytes;
};

static int keep(void *ctx, uint64_t key, const void *data, size_t len)
{
	const struct value value = {.key = key, .bytes = g_bytes_new(data, len)};

	g_array_append_val((GArray *)ctx, value);
	return 0;
}

static void value_clear(gpointer value)
{
	g_bytes_unref(((struct value *)value)->bytes);
}

static GArray *values_of(struct engine_rig *rig, enum ctl_table table)
{
	GArray *values = g_array_new(FALSE, FALSE, sizeof(struct value));
	struct dp_err err;

	g_array_set_clear_func(values, value_clear);
	assert_int_equal(ctl_store_read(rig->store, table, 0, keep, values, &err), 0);
	return values;
}

/* As a value of the table, into a new engine that gives so many ids. */
static int read_value(struct fixture *f, struct engine_rig *rig, enum ctl_table table, uint64_t key,
	const uint8_t *data, size_t len)
{
	uint64_t as_of_ns[RIG_PERSONS] = {0};
	struct ctl_reading reading = {.as_of_ns = as_of_ns};
	g_autofree char *naming = NULL;
	struct dp_err err = {0};
	int r;

	fixture_restart(f);
	g_ptr_array_set_size(f->engine->by_id, RIG_PERSONS);
	if (table == CTL_TABLE_META)
		r = ctl_engine_read_meta(f->engine, data, len, &naming, &err);
	else if (table == CTL_TABLE_PROFILES)
		r = ctl_engine_read_image(f->engine, key, data, len, rig->seal, &reading, &err);
	else
		r = ctl_engine_read_ids(f->engine, data, len, &reading, &err);
	if (r == 0 && table == CTL_TABLE_JOURNAL)
		r = ctl_engine_read_tick(f->engine, key, data, len, rig->seal, &reading, &err);
	assert_true(r == 0 || (r == -EBADMSG && err.text[0] != '\0'));
	ctl_idset_fini(&reading.changed);
	return r;
}

/* The first value says all there is of its profiles. */
static int read_whole(
	struct fixture *f, struct engine_rig *rig, enum ctl_table table, const GArray *values)
{
	const struct value *value = &g_array_index(
		values, struct value, table == CTL_TABLE_META ? CTL_META_ENGINE : 0);
	size_t size;
	const uint8_t *data = g_bytes_get_data(value->bytes, &size);

	return read_value(f, rig, table, value->key, data, size);
}

/* Each truncation, from a block of its own, and each byte changed. */
static void hurt(
	struct fixture *f, struct engine_rig *rig, enum ctl_table table, const struct value *value)
{
	size_t size;
	const uint8_t *data = g_bytes_get_data(value->bytes, &size);

	for (size_t len = 0; len < size; len++) {
		g_autofree uint8_t *cut = g_memdup2(data, len);
		g_autofree uint8_t *wrong = g_memdup2(data, size);

		wrong[len] ^= (uint8_t)(1U << len % 8);
		(void)read_value(f, rig, table, value->key, cut, len);
		(void)read_value(f, rig, table, value->key, wrong, size);
	}
}

static void a_damaged_value_ends_in_a_sentence(void **)
{
	static const enum ctl_table tables[] = {
		CTL_TABLE_META, CTL_TABLE_JOURNAL, CTL_TABLE_PROFILES};
	g_autofree char *facts = rig_facts(0, "1GB");
	struct traffic t = {.seed = 9, .now_ns = at("2026-01-20T00:00:00Z")};
	struct fixture f;
	struct fixture *const one[] = {&f};
	struct engine_rig rig;

	engine_rig_open(&rig);
	fixture_open(&f, RIG_RULES, facts);
	for (int i = 0; i < 12; i++)
		(void)engine_rig_save(&rig, f.engine, traffic_play(&t, one, 1), 0, false);
	for (size_t i = 0; i < G_N_ELEMENTS(tables); i++) {
		g_autoptr(GArray) values = values_of(&rig, tables[i]);

		assert_int_not_equal(values->len, 0);
		assert_int_equal(read_whole(&f, &rig, tables[i], values), 0);
		for (guint v = 0; v < values->len; v++) {
			const struct value *value = &g_array_index(values, struct value, v);

			if (tables[i] != CTL_TABLE_META || value->key == CTL_META_ENGINE)
				hurt(&f, &rig, tables[i], value);
		}
	}
	fixture_close(&f);
	engine_rig_close(&rig);
}

/* What is whole, but does not fit together. */
static void a_store_that_contradicts_itself_is_refused(void **)
{
	static const struct {
		enum ctl_table table;
		uint64_t key;
		uint8_t value[8];
		size_t len;
		const char *error;
	} rows[] = {
		{CTL_TABLE_PROFILES, 3, {0}, 0, "the store has a profile 3, expected at most 2"},
		{CTL_TABLE_JOURNAL, UINT64_MAX, {1, 1, 3}, 3,
			"the journal names a profile 3, expected 1 to 2"},
		{CTL_TABLE_JOURNAL, UINT64_MAX, {2, 1, 0}, 3,
			"the journal names a profile 0, expected 1 to 2"},
		{CTL_TABLE_META, CTL_META_ENGINE, {9, 0}, 2,
			"the store's state of the node cannot be read, expected sums and counts"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *facts = rig_facts(0, "1GB");
		struct dp_err err = {0};
		struct engine_rig rig;
		struct fixture f;
		uint64_t watermark_ns;

		engine_rig_open(&rig);
		fixture_open(&f, RIG_RULES, facts);
		assert_int_equal(
			ctl_engine_restore(f.engine, rig.store, rig.seal, 2, &watermark_ns, &err),
			0);
		assert_int_equal(watermark_ns, 0); // an empty one is fine
		(void)rig_touch(&rig, &f, at("2026-01-20T00:00:00Z"), 2, RIG_UNLIMITED);
		engine_rig_put(&rig, rows[i].table, rows[i].key, rows[i].value, rows[i].len);
		fixture_restart(&f);
		assert_int_equal(
			ctl_engine_restore(f.engine, rig.store, rig.seal, 2, &watermark_ns, &err),
			-EBADMSG);
		assert_string_equal(err.text, rows[i].error);
		fixture_close(&f);
		engine_rig_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_damaged_value_ends_in_a_sentence),
		cmocka_unit_test(a_store_that_contradicts_itself_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
