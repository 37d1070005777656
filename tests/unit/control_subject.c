// SPDX-License-Identifier: BSD-3-Clause
#include "control/subject.h"

#include "tests/unit/engine_fixture.h"

#include <errno.h>

/* "hex" to bytes; returns how many. */
static size_t unhex(const char *hex, uint8_t *ret_bytes, size_t size)
{
	size_t n = 0;

	for (; hex[0] != '\0' && hex[1] != '\0' && n < size; hex += 2)
		ret_bytes[n++] = (uint8_t)(g_ascii_xdigit_value(hex[0]) << 4 |
			g_ascii_xdigit_value(hex[1]));
	return n;
}

/* Rows of docs/subject.md: | `key` | `identifier` | `canonical` | `subject` |; the independent
 * calculation of the same rows is tests/lint/subject.py. */
static void the_documented_vectors_hold(void **)
{
	const char *top = g_getenv("WIRECUE_TOP");
	g_autofree char *path = g_build_filename(top == NULL ? "." : top, "docs/subject.md", NULL);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	int n_vectors = 0;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		fail_msg("cannot read docs/subject.md");
	lines = g_strsplit(text, "\n", 0);
	for (char **line = lines; *line != NULL; line++) {
		g_auto(GStrv) cells = g_strsplit(*line, "`", 0);
		struct ctl_privacy privacy = {.subject = CTL_SUBJECT_MSISDN};
		char canonical[CTL_SUBJECT_MAX], subject[CTL_SUBJECT_MAX];

		if (g_strv_length(cells) != 9 || strlen(cells[7]) != CTL_SUBJECT_LEN)
			continue;
		privacy.key_len = unhex(cells[1], privacy.key, sizeof(privacy.key));
		assert_int_equal(ctl_subject_canonical(&privacy, cells[3], canonical, NULL), 0);
		assert_string_equal(canonical, cells[5]);
		assert_int_equal(ctl_subject_of(&privacy, cells[3], subject, NULL), 0);
		assert_string_equal(subject, cells[7]);
		n_vectors++;
	}
	assert_int_equal(n_vectors, 12);
}

static void an_identifier_has_one_canonical_form(void **)
{
	static const struct {
		int configured;
		const char *identifier, *expected; // NULL: refused
	} rows[] = {
		{CTL_SUBJECT_MSISDN, "msisdn:99900000001", "msisdn:+99900000001"},
		{CTL_SUBJECT_MSISDN, "msisdn:(+999) 1", NULL}, // a sign only at the beginning
		{CTL_SUBJECT_MSISDN, "msisdn:+999 (0) 00-1/2.3", "msisdn:+999000123"},
		{CTL_SUBJECT_MSISDN, "msisdn:+999", NULL},
		{CTL_SUBJECT_MSISDN, "msisdn:+9990", "msisdn:+9990"},
		{CTL_SUBJECT_MSISDN, "msisdn:+999000000000012", "msisdn:+999000000000012"},
		{CTL_SUBJECT_MSISDN, "msisdn:+9990000000000123", NULL},
		{CTL_SUBJECT_MSISDN, "msisdn:+0990000", NULL}, // country codes do not begin with 0
		{CTL_SUBJECT_MSISDN, "msisdn:+999x", NULL},
		{CTL_SUBJECT_MSISDN, "msisdn:", NULL},
		{CTL_SUBJECT_MSISDN, "", NULL},
		{CTL_SUBJECT_MSISDN, "99900000001", "msisdn:+99900000001"},
		{CTL_SUBJECT_IMSI, "001010000000001", "imsi:001010000000001"},
		{CTL_SUBJECT_IMSI, "imsi:0010100000000011", NULL},
		{CTL_SUBJECT_IMSI, "imsi:00101", NULL},
		{CTL_SUBJECT_ACCOUNT, "A-1", "account:A-1"},
		{CTL_SUBJECT_ACCOUNT, "+99900000001", "msisdn:+99900000001"},
		{CTL_SUBJECT_ACCOUNT, "account:A 1", NULL},
		{CTL_SUBJECT_ACCOUNT, "account:A\x01", NULL},
		{CTL_SUBJECT_ACCOUNT, "account:\xff", NULL},
		{CTL_SUBJECT_ACCOUNT, "account:", NULL},
		{CTL_SUBJECT_PLAIN, "A-1", "account:A-1"},
		{CTL_SUBJECT_PLAIN, "192.0.2.1", "ip:192.0.2.1"},
		{CTL_SUBJECT_IMSI, "2001:DB8::0", "ip:2001:db8::"},
		{CTL_SUBJECT_IMSI, "ip:192.0.2", NULL},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct ctl_privacy privacy = {.subject = rows[i].configured, .key_len = 16};
		char canonical[CTL_SUBJECT_MAX] = "untouched";
		struct dp_err err = {""};
		const int r = ctl_subject_canonical(&privacy, rows[i].identifier, canonical, &err);

		if (rows[i].expected != NULL) {
			assert_int_equal(r, 0);
			assert_string_equal(canonical, rows[i].expected);
			continue;
		}
		assert_int_equal(r, -EINVAL);
		assert_string_equal(canonical, "untouched");
		assert_non_null(strstr(err.text, "expected"));
		if (strlen(rows[i].identifier) > 12) // nothing of the identifier is repeated
			assert_null(strstr(err.text, rows[i].identifier + 7));
	}
}

static void an_account_of_any_length_is_read_within_bounds(void **)
{
	const struct ctl_privacy privacy = {.subject = CTL_SUBJECT_ACCOUNT, .key_len = 16};

	for (size_t len = 0; len < 400; len++) {
		char *identifier = g_malloc(len + 1); // its own block, for the sanitizer
		char subject[CTL_SUBJECT_MAX];

		memset(identifier, 'a', len);
		identifier[len] = '\0';
		assert_int_equal(ctl_subject_of(&privacy, identifier, subject, NULL),
			len >= 1 && len <= 100 ? 0 : -EINVAL);
		g_free(identifier);
	}
}

static void a_person_is_named_by_what_was_told(void **)
{
	const struct ctl_person all = {.msisdn = (char *)"+99900000001",
		.imsi = (char *)"001010000000001",
		.account = (char *)"A-1"};
	const struct ctl_person account = {.account = (char *)"A-1"};
	const struct ctl_person nobody = {0};
	struct ctl_privacy privacy = {.subject = CTL_SUBJECT_IMSI, .key_len = 16};
	char subject[CTL_SUBJECT_MAX], expected[CTL_SUBJECT_MAX];

	assert_int_equal(ctl_subject_of_person(&privacy, &all, subject, NULL), 0);
	assert_int_equal(ctl_subject_of(&privacy, "imsi:001010000000001", expected, NULL), 0);
	assert_string_equal(subject, expected);
	assert_int_equal(ctl_subject_of_person(&privacy, &account, subject, NULL), 0);
	assert_int_equal(ctl_subject_of(&privacy, "account:A-1", expected, NULL), 0);
	assert_string_equal(subject, expected);
	assert_int_equal(ctl_subject_of_person(&privacy, &nobody, subject, NULL), -EINVAL);
	privacy.subject = CTL_SUBJECT_PLAIN;
	assert_int_equal(ctl_subject_of_person(&privacy, &all, subject, NULL), 0);
	assert_string_equal(subject, "msisdn:+99900000001");
}

static void a_namer_gives_many_persons_the_names_that_each_has_alone(void **)
{
	static const struct ctl_person persons[] = {
		{.msisdn = (char *)"+99900000001", .imsi = (char *)"001010000000001"},
		{.account = (char *)"A-1"},
		{.msisdn = (char *)"+99900000002", .account = (char *)"A-2"},
		{.account = (char *)"no account"}, // a blank
		{0},
	};

	for (int kind = CTL_SUBJECT_MSISDN; kind <= CTL_SUBJECT_PLAIN; kind++) {
		const struct ctl_privacy privacy = {
			.subject = kind, .key = "0123456789abcdef", .key_len = 16};
		struct ctl_namer *namer = ctl_namer_new(&privacy);

		for (size_t i = 0; i < 2 * G_N_ELEMENTS(persons); i++) {
			const struct ctl_person *person = &persons[i % G_N_ELEMENTS(persons)];
			char alone[CTL_SUBJECT_MAX] = "", named[CTL_SUBJECT_MAX] = "";

			assert_int_equal(ctl_namer_person(namer, person, named, NULL),
				ctl_subject_of_person(&privacy, person, alone, NULL));
			assert_string_equal(named, alone);
		}
		ctl_namer_free(namer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_namer_gives_many_persons_the_names_that_each_has_alone),
		cmocka_unit_test(the_documented_vectors_hold),
		cmocka_unit_test(an_identifier_has_one_canonical_form),
		cmocka_unit_test(an_account_of_any_length_is_read_within_bounds),
		cmocka_unit_test(a_person_is_named_by_what_was_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
