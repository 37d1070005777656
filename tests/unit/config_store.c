// SPDX-License-Identifier: BSD-3-Clause
#include "control/config.h"

#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	char *folder, *yaml;
	char said[512]; // the mistake told last
	int n_said;
};

static int setup(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);

	f->folder = g_dir_make_tmp("config_store.XXXXXX", NULL);
	f->yaml = g_build_filename(f->folder, "wirecue.yaml", NULL);
	*state = f;
	return unsetenv("WIRECUE_STORE");
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)g_unlink(f->yaml);
	(void)g_rmdir(f->folder);
	g_free(f->folder);
	g_free(f->yaml);
	g_free(f);
	return unsetenv("WIRECUE_STORE");
}

static void mistake(void *ctx, const char *text)
{
	struct fixture *f = ctx;

	(void)g_strlcpy(f->said, text, sizeof(f->said));
	f->n_said++;
}

static int load(struct fixture *f, const char *yaml, const char *folder,
	struct ctl_store_options *ret_store)
{
	if (yaml != NULL)
		assert_true(g_file_set_contents(f->yaml, yaml, -1, NULL));
	return ctl_config_load_store(yaml == NULL ? NULL : f->yaml, folder, mistake, f, ret_store);
}

static void without_anything_it_is_the_default(void **state)
{
	struct ctl_store_options store;

	assert_int_equal(load(*state, NULL, NULL, &store), 0);
	assert_string_equal(store.path, "/var/lib/wirecue");
	assert_string_equal(store.key_file, "/var/lib/wirecue/identity.key");
	ctl_store_options_fini(&store);
}

static void mistakes_elsewhere_do_not_matter(void **state)
{
	struct fixture *f = *state;
	g_autofree char *path = g_build_filename(f->folder, "here", NULL);
	struct ctl_store_options store;

	assert_int_equal(load(f,
				 "node: Not_One\ntock: 1s\ntold: {files: [absent.yaml]}\n"
				 "store: {path: here, key_file: /keys/one}\n",
				 NULL, &store),
		0);
	assert_int_equal(f->n_said, 0);
	assert_string_equal(store.path, path);
	assert_string_equal(store.key_file, "/keys/one");
	ctl_store_options_fini(&store);
}

static void file_then_environment_then_flag(void **state)
{
	struct ctl_store_options store;

	assert_int_equal(setenv("WIRECUE_STORE", "/from/environment", 1), 0);
	assert_int_equal(load(*state, "store: {path: /from/file}\n", NULL, &store), 0);
	assert_string_equal(store.path, "/from/environment");
	assert_string_equal(store.key_file, "/from/environment/identity.key");
	ctl_store_options_fini(&store);
	assert_int_equal(load(*state, "store: {path: /from/file}\n", "/from/flag", &store), 0);
	assert_string_equal(store.path, "/from/flag");
	ctl_store_options_fini(&store);
}

static void its_own_mistakes_are_told_with_their_place(void **state)
{
	struct fixture *f = *state;
	struct ctl_store_options store;

	assert_int_equal(load(f, "node: a\nstore: {path: x, size: many}\n", NULL, &store), -EINVAL);
	assert_int_equal(f->n_said, 1);
	assert_non_null(strstr(f->said, "wirecue.yaml:2:"));
	assert_non_null(strstr(f->said, "'many'"));
}

static void a_file_that_is_missing_or_no_yaml_is_told(void **state)
{
	struct fixture *f = *state;
	struct ctl_store_options store;

	assert_int_equal(ctl_config_load_store(f->yaml, NULL, mistake, f, &store), -ENOENT);
	assert_int_equal(f->n_said, 1);
	assert_int_equal(load(f, "store: {path: [", NULL, &store), -EINVAL);
	assert_int_equal(f->n_said, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			without_anything_it_is_the_default, setup, teardown),
		cmocka_unit_test_setup_teardown(mistakes_elsewhere_do_not_matter, setup, teardown),
		cmocka_unit_test_setup_teardown(file_then_environment_then_flag, setup, teardown),
		cmocka_unit_test_setup_teardown(
			its_own_mistakes_are_told_with_their_place, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_file_that_is_missing_or_no_yaml_is_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
