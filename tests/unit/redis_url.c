// SPDX-License-Identifier: BSD-3-Clause
#include "control/redis_url.h"

#include <errno.h>
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void a_url_says_where_redis_is(void **)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
		uint32_t db;
	} rows[] = {
		{"redis://127.0.0.1:6379", "127.0.0.1", 6379, 0},
		{"redis://redis.example:1/15", "redis.example", 1, 15},
		{"redis://redis-1.example/2", "redis-1.example", 6379, 2},
		{"redis://[2001:db8::7]:7000/", "2001:db8::7", 7000, 0},
		{"redis://localhost", "localhost", 6379, 0},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct ctl_redis_url url;
		struct dp_err err = {""};

		if (ctl_redis_url_parse(rows[i].text, &url, &err) < 0)
			fail_msg("'%s': %s", rows[i].text, err.text);
		assert_false(url.is_unix);
		assert_string_equal(url.host, rows[i].host);
		assert_int_equal(url.port, rows[i].port);
		assert_int_equal(url.db, rows[i].db);
		assert_null(ctl_redis_url_check(rows[i].text));
	}
}

static void a_unix_url_is_a_path(void **)
{
	struct ctl_redis_url url;

	assert_int_equal(ctl_redis_url_parse("unix:///run/redis/redis.sock", &url, NULL), 0);
	assert_true(url.is_unix);
	assert_string_equal(url.path, "/run/redis/redis.sock");
}

static void what_is_no_url_is_refused_and_not_repeated(void **)
{
	static const char *const rows[] = {"", "redis", "redis://", "redis://:6379",
		"redis://h:", "redis://h:0", "redis://h:65536", "redis://h:1x", "redis://h:1/x",
		"redis://h:1/65536", "redis://h:1/1/2", "redis://[::1", "redis://[]:1",
		"redis://::1:6379", "redis://h h", "http://h:1", "rediss://", "unix://", "unix:///",
		"unix://run/x", "redis://user:secret@h:1", "unix://user:secret@/run/x",
		"REDIS://h:1"};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct ctl_redis_url url = {.port = 1};
		struct dp_err err = {""};

		if (ctl_redis_url_parse(rows[i], &url, &err) != -EINVAL)
			fail_msg("'%s' is taken", rows[i]);
		assert_int_equal(url.port, 1); // untouched
		assert_true(g_str_has_prefix(err.text, "expected "));
		assert_null(strstr(err.text, "secret"));
		assert_string_equal(ctl_redis_url_check(rows[i]), err.text);
	}
}

/* Where the library cannot, that is a mistake of the configuration, with the way out. */
static void tls_is_taken_where_the_library_has_it(void **)
{
	struct ctl_redis_url url;
	struct dp_err err = {""};
	const int r = ctl_redis_url_parse("rediss://redis.example:6380/2", &url, &err);

	if (!CTL_REDIS_HAS_TLS) {
		assert_int_equal(r, -EINVAL);
		assert_non_null(strstr(err.text, "stunnel"));
		return;
	}
	assert_int_equal(r, 0);
	assert_true(url.is_tls);
	assert_string_equal(url.host, "redis.example");
	assert_int_equal(url.port, 6380);
	assert_int_equal(url.db, 2);
}

static void a_socket_path_fits_its_address(void **)
{
	g_autofree char *fill = g_strnfill(106, 'x');
	g_autofree char *fits = g_strconcat("unix:///", fill, NULL);
	g_autofree char *too_long = g_strconcat(fits, "x", NULL);

	assert_null(ctl_redis_url_check(fits));
	assert_string_equal(
		ctl_redis_url_check(too_long), "expected a socket path of at most 107 bytes");
}

static void every_truncation_is_read_inside_its_bounds(void **)
{
	static const char *const texts[] = {
		"redis://[2001:db8::7]:7000/15", "redis://u:p@h:1/1", "unix:///run/x"};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		for (size_t len = 0; len <= strlen(texts[i]); len++) {
			char *text = g_strndup(texts[i], len);
			struct ctl_redis_url url;

			(void)ctl_redis_url_parse(text, &url, NULL);
			g_free(text);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_says_where_redis_is),
		cmocka_unit_test(a_unix_url_is_a_path),
		cmocka_unit_test(what_is_no_url_is_refused_and_not_repeated),
		cmocka_unit_test(tls_is_taken_where_the_library_has_it),
		cmocka_unit_test(a_socket_path_fits_its_address),
		cmocka_unit_test(every_truncation_is_read_inside_its_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
