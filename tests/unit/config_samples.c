// SPDX-License-Identifier: BSD-3-Clause
#include "control/config_read.h"
#include "control/detector.h"
#include "dataplane/sampler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

static const struct ctl_detector *const none[] = {NULL};

static void keep(void *ctx, const char *text)
{
	(void)g_strlcpy(ctx, text, 512);
}

/* What is wrong with these options; "" when nothing is. */
static const char *said_of(const char *options)
{
	static char said[512];
	g_autofree char *text = g_strdup_printf(
		"privacy: {subject: plain}\nsamples: {%s}\n", options);

	said[0] = '\0';
	(void)ctl_config_check_text(text, strlen(text), none, keep, said);
	return said;
}

static void they_are_off_and_small_by_default(void **)
{
	struct ctl_samples_options o = {0};

	ctl_options_init(ctl_samples_options, &o);
	assert_null(o.path);
	assert_int_equal(o.one_in, 100);
	assert_int_equal(o.n_packets, 8);
	assert_int_equal(o.snap_bytes, 256);
	assert_int_equal(o.file_bytes, 16000000);
	assert_int_equal(o.total_bytes, 256000000);
	assert_int_equal(o.age_ns, 24 * 3600 * 1000000000ULL);
	ctl_options_fini(ctl_samples_options, &o);
}

static void what_is_asked_for_is_bounded(void **)
{
	static const char *const right[] = {"", "path: /x, one_in: 0", "one_in: 1G", "packets: 1",
		"packets: 32", "snap: 64B", "snap: 2048B", "file_size: 100kB, total: 100kB",
		"age: 1min", "age: 30d"};
	static const char *const wrong[][2] = {{"path: ''", "not empty"}, {"one_in: 2G", "at most"},
		{"packets: 0", "1 to 32"}, {"packets: 33", "1 to 32"},
		{"snap: 63B", "64B to 2048B"}, {"snap: 2049B", "64B to 2048B"},
		{"snap: 256", "unit"}, {"file_size: 99kB", "100kB"}, {"age: 59s", "1min"},
		{"age: 31d", "30d"}, {"total: 15MB", "not below file_size"},
		{"file_size: 1GB", "not below file_size"}, {"file: 1", "file"}};

	for (size_t i = 0; i < G_N_ELEMENTS(right); i++)
		assert_string_equal(said_of(right[i]), "");
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		const char *said = said_of(wrong[i][0]);

		print_message("%s\n", said);
		assert_true(g_str_has_prefix(said, "wirecue.yaml:2:"));
		assert_non_null(strstr(said, wrong[i][1]));
	}
	// The table's bounds are the sampler's.
	assert_int_equal(DP_SAMPLE_PACKETS_MAX, 32);
	assert_int_equal(DP_SAMPLE_SNAP_MAX, 2048);
}

static void the_smallest_file_has_room_for_the_largest_flow(void **)
{
	assert_true(24 + DP_SAMPLE_PACKETS_MAX * (16 + DP_SAMPLE_SNAP_MAX) <= 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_off_and_small_by_default),
		cmocka_unit_test(what_is_asked_for_is_bounded),
		cmocka_unit_test(the_smallest_file_has_room_for_the_largest_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
