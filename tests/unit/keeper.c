// SPDX-License-Identifier: BSD-3-Clause

/* What the keeper refuses to go on with. */

#include "control/keeper.h"
#include "control/dict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

static void say(void *, const char *text)
{
	fail_msg("%s", text);
}

/* Another process has the store, and gives the first app this name; NULL = it writes nothing. */
static void put_app(const struct ctl_config *config, const char *app)
{
	const struct ctl_store_config sc = {
		.path = config->store.path,
		.node = config->node,
		.tick_ns = config->tick_ns,
		.size_max = config->store.size_max,
		.backlog_max = 1,
		.backlog_bytes_max = 1 << 20,
	};
	struct ctl_batch *batch = ctl_batch_new(1, 1);
	struct ctl_store *store;
	struct dp_err err;

	if (ctl_store_open(&sc, &store, &err) < 0)
		fail_msg("%s", err.text);
	if (app != NULL) {
		ctl_batch_put(batch, CTL_TABLE_APPS, DP_APP_FIRST, app, strlen(app));
		ctl_store_give(store, batch);
	} else {
		ctl_batch_free(batch);
	}
	ctl_store_close(store);
}

static int restore(struct ctl_config *config, struct dp_err *reterr)
{
	struct ctl_keeper *keeper;
	struct ctl_outbox *outbox;
	struct ctl_engine *engine;
	int r;

	r = ctl_keeper_open(config, &keeper, reterr);
	if (r < 0)
		return r;
	outbox = ctl_outbox_new(
		&(struct ctl_outbox_config){.queue_max = 10, .store = ctl_keeper_store(keeper)});
	assert_int_equal(ctl_engine_new(config, ctl_outbox_push, outbox, &engine, reterr), 0);
	r = ctl_keeper_restore(keeper, engine, outbox, reterr);
	ctl_engine_free(engine);
	ctl_outbox_free(outbox);
	ctl_keeper_close(keeper);
	return r;
}

struct rig {
	char *dir;
	struct ctl_config *config;
};

static int setup(void **state)
{
	struct rig *rig = g_new0(struct rig, 1);
	g_autofree char *dir = g_dir_make_tmp("wirecue-keeper-XXXXXX", NULL);
	g_autofree char *store = g_build_filename(dir, "store", NULL);
	g_autofree char *path = g_build_filename(dir, "wirecue.yaml", NULL);
	const struct ctl_config_overrides overrides = {
		.store = store, .number_names = ctl_keeper_number_names};

	assert_true(
		g_file_set_contents(path, "node: edge1\nprivacy: {subject: plain}\n", -1, NULL));
	assert_int_equal(ctl_config_load(path, &overrides, say, NULL, &rig->config), 0);
	rig->dir = g_steal_pointer(&dir);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	g_autofree char *command = g_strdup_printf("rm -r '%s'", rig->dir);

	ctl_config_free(rig->config);
	assert_int_equal(system(command), 0);
	g_free(rig->dir);
	g_free(rig);
	return 0;
}

/* Names are read before the store is locked: the process that wrote it may have been at work. */
static void a_store_that_names_apps_otherwise_is_refused(void **state)
{
	struct rig *rig = *state;
	struct dp_err err = {0};

	if (restore(rig->config, &err) < 0)
		fail_msg("%s", err.text);
	put_app(rig->config, ctl_dict_name(ctl_dict_apps(), DP_APP_FIRST));
	if (restore(rig->config, &err) < 0)
		fail_msg("%s", err.text);
	put_app(rig->config, "another");
	assert_int_equal(restore(rig->config, &err), -ESTALE);
	assert_non_null(strstr(err.text, "start again"));
}

/* The store is made, and the process killed before its key is. */
static void a_store_without_anything_in_it_needs_no_key(void **state)
{
	struct rig *rig = *state;
	struct dp_err err = {0};

	put_app(rig->config, NULL);
	if (restore(rig->config, &err) < 0)
		fail_msg("%s", err.text);
}

/* What is in a store cannot be read under a key that is made anew. */
static void a_store_with_anything_in_it_needs_its_key(void **state)
{
	struct rig *rig = *state;
	struct ctl_keeper *keeper;
	struct dp_err err = {0};

	put_app(rig->config, "any");
	assert_true(ctl_keeper_open(rig->config, &keeper, &err) < 0);
}

#define KEEPER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		KEEPER_TEST(a_store_that_names_apps_otherwise_is_refused),
		KEEPER_TEST(a_store_without_anything_in_it_needs_no_key),
		KEEPER_TEST(a_store_with_anything_in_it_needs_its_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
