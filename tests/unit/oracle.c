// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/oracle.h"

#include "classifier/ndpi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static struct cls_oracle *oracle;

static int setup(void **)
{
	oracle = cls_oracle_new();
	return oracle == NULL;
}

static int teardown(void **)
{
	cls_oracle_free(oracle);
	return 0;
}

static void the_librarys_table_is_asked_as_the_classifier_asks_it(void **)
{
	static const struct {
		const char *name, *proto, *found; // found NULL: not asked
		bool is_alike;
	} rows[] = {
		{"www.netflix.com", "NetFlix", "netflix.com", false},
		{"netflix.com", "NetFlix", "netflix.com", false},
		{"a.b.c.nflxvideo.net", "NetFlix", "nflxvideo.net", false},
		{"xnetflix.com", "NetFlix", NULL, true},
		{"my-netflix.com", "NetFlix", NULL, true},
		{"www.films.example", "Unknown", "www.films.example", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct cls_oracle_word word = cls_oracle_name(oracle, rows[i].name);

		assert_string_equal(cls_ndpi_name(word.proto), rows[i].proto);
		assert_int_equal(word.is_alike, rows[i].is_alike);
		if (rows[i].found != NULL)
			assert_string_equal(word.found, rows[i].found);
	}
}

/* A flow keeps 127 bytes: of a longer name what the library is asked is its end. */
static void a_name_may_be_of_any_length(void **)
{
	static const char end[] = ".netflix.com";

	for (size_t n = 1; n < 300; n++) {
		char *name = malloc(n + sizeof(end)); // exact: a read past it is seen

		assert_non_null(name);
		memset(name, 'a', n);
		memcpy(name + n, end, sizeof(end));
		assert_string_equal(cls_ndpi_name(cls_oracle_name(oracle, name).proto), "NetFlix");
		free(name);
	}
	assert_int_equal(cls_oracle_name(oracle, "").proto, 0);
}

static uint16_t network_of(const char *text)
{
	struct dp_addr addr;

	assert_int_equal(dp_addr_parse(text, &addr), 0);
	return cls_oracle_addr(oracle, &addr);
}

static void networks_and_ports_of_the_library_are_known(void **)
{
	assert_string_equal(cls_ndpi_name(network_of("149.154.167.51")), "Telegram");
	assert_int_equal(network_of("203.0.113.9"), 0);
	assert_int_equal(network_of("2001:db8::7"), 0);
	assert_string_equal(cls_ndpi_name(cls_oracle_port(oracle, 17, 51820)), "WireGuard");
	assert_string_equal(cls_ndpi_name(cls_oracle_port(oracle, 17, 53)), "DNS");
	assert_string_equal(cls_ndpi_name(cls_oracle_port(oracle, 6, 22)), "SSH");
	assert_int_equal(cls_oracle_port(oracle, 6, 51820), 0);
	for (uint32_t port = 0; port <= UINT16_MAX; port++) {
		assert_non_null(cls_ndpi_name(cls_oracle_port(oracle, 6, (uint16_t)port)));
		assert_non_null(cls_ndpi_name(cls_oracle_port(oracle, 17, (uint16_t)port)));
	}
	assert_int_equal(cls_oracle_port(oracle, 17, UINT16_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_librarys_table_is_asked_as_the_classifier_asks_it),
		cmocka_unit_test(a_name_may_be_of_any_length),
		cmocka_unit_test(networks_and_ports_of_the_library_are_known),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
