// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/tls_name.h"

#include "tests/unit/hello_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

#define NAME "www.video.example"

enum { MORE = CLS_NAME_MORE, FOUND = CLS_NAME_FOUND, NONE = CLS_NAME_NONE };
enum form { STREAM, MESSAGE, DATAGRAM };

static struct rig hello, other, records;

/* What a reader says of a copy of just that size, so that a sanitizer sees what is read behind it. */
static enum cls_name_step look(
	enum form form, const uint8_t *bytes, size_t len, bool is_last, struct cls_name *name)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	enum cls_name_step step;

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, bytes, len);
	memset(name, 0x77, sizeof(*name)); // as it stays
	if (form == STREAM)
		step = cls_tls_name(copy, len, is_last, name);
	else if (form == MESSAGE)
		step = cls_hello_name(copy, len, is_last, name);
	else
		step = cls_dtls_name(copy, len, name);
	free(copy);
	if (step != CLS_NAME_FOUND)
		assert_int_equal(name->host[0], 0x77);
	return step;
}

/* host NULL: there is none to be found. */
static void check(enum form form, const struct rig *r, size_t len, const char *host, bool has_ech)
{
	struct cls_name name;

	assert_int_equal(look(form, r->bytes, len, true, &name), host != NULL ? FOUND : NONE);
	if (host == NULL)
		return;
	assert_string_equal(name.host, host);
	assert_int_equal(name.has_ech, has_ech);
}

/* The same of a message, of it in one record and in many. */
static void check_hello(const struct rig *r, const char *host, bool has_ech)
{
	struct cls_name name;

	check(MESSAGE, r, r->len, host, has_ech);
	for (size_t step = 1; step < 400; step += step < 8 ? 1 : 97) {
		rig_records(&records, r, step);
		check(STREAM, &records, records.len, host, has_ech);
		assert_int_equal(look(STREAM, records.bytes, records.len, false, &name),
			host != NULL ? FOUND : NONE);
	}
}

static void a_hello_has_a_name_as_soon_as_it_is_whole(void **)
{
	struct cls_name name;

	rig_browser(&hello, NAME);
	for (size_t len = 0; len < hello.len; len++)
		assert_int_equal(look(MESSAGE, hello.bytes, len, false, &name), MORE);
	check_hello(&hello, NAME, false);
	rig_put(&hello, "what else comes", 15);
	assert_int_equal(look(MESSAGE, hello.bytes, hello.len, false, &name), FOUND);
}

static void a_hello_may_go_over_records_of_any_size(void **)
{
	struct cls_name name;

	rig_browser(&hello, NAME);
	for (size_t step = 1; step <= hello.len; step++) {
		rig_records(&records, &hello, step);
		for (size_t len = 0; len < records.len; len++)
			assert_int_equal(look(STREAM, records.bytes, len, false, &name), MORE);
		check(STREAM, &records, records.len, NAME, false);
		rig_put(&records, "\x15 no record", 10); // behind it
		assert_int_equal(look(STREAM, records.bytes, records.len, false, &name), FOUND);
		assert_string_equal(name.host, NAME);
	}
}

/* What was not seen may hold a name no more once all of one is there. */
static void of_a_part_counts_what_is_there(void **)
{
	rig_browser(&hello, NAME);
	for (size_t len = 0; len <= hello.len; len++)
		check(MESSAGE, &hello, len, len < hello.name_end ? NULL : NAME, false);
	rig_records(&records, &hello, hello.len);
	for (size_t len = 0; len <= records.len; len++)
		check(STREAM, &records, len, len < 5 + hello.name_end ? NULL : NAME, false);
	rig_records(&records, &hello, 1);
	for (size_t len = 0; len <= records.len; len++)
		check(STREAM, &records, len, len < 6 * hello.name_end ? NULL : NAME, false);
}

static void what_cannot_begin_a_hello_is_none_at_once(void **)
{
	struct cls_name name;

	rig_browser(&hello, NAME);
	for (size_t step = 1; step < 600; step += 45) {
		rig_records(&records, &hello, step);

		const struct {
			size_t at; // of the message
			uint8_t byte;
		} wrong[] = {{0, 2}, {0, 0}, {4, 2}, {4, 0x7f}, {38, 33}};

		for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
			const size_t at = wrong[i].at + 5 * (1 + wrong[i].at / step);
			const uint8_t before = records.bytes[at];

			records.bytes[at] = wrong[i].byte;
			assert_int_equal(look(STREAM, records.bytes, at, false, &name), MORE);
			assert_int_equal(look(STREAM, records.bytes, at + 1, false, &name), NONE);
			check(STREAM, &records, records.len, NULL, false);
			records.bytes[at] = before;
		}
		check(STREAM, &records, records.len, NAME, false);
	}
	assert_int_equal(look(STREAM, (const uint8_t *)"\x16\x02", 2, false, &name), NONE);
	assert_int_equal(look(STREAM, (const uint8_t *)"GET / HTTP", 1, false, &name), NONE);
	// SSLv2 around a hello of 3.0 (RFC 5246 E.2)
	assert_int_equal(
		look(STREAM, (const uint8_t *)"\x80\x2e\x01\x03\x01", 5, false, &name), NONE);
	// more than a record holds, and nothing
	assert_int_equal(
		look(STREAM, (const uint8_t *)"\x16\x03\x01\x40\x01", 5, false, &name), NONE);
	assert_int_equal(
		look(STREAM, (const uint8_t *)"\x16\x03\x01\x40\x00", 5, false, &name), MORE);
	assert_int_equal(look(STREAM, (const uint8_t *)"\x16\x03\x01\0\0", 5, false, &name), NONE);
}

static void another_record_before_or_within_is_none(void **)
{
	static const uint8_t alert[] = {21, 3, 3, 0, 2, 1, 0}, change[] = {20, 3, 3, 0, 1, 1},
			     empty[] = {22, 3, 3, 0, 0};
	const struct {
		const uint8_t *bytes;
		size_t len;
	} odd[] = {{alert, sizeof(alert)}, {change, sizeof(change)}, {empty, sizeof(empty)}};
	struct cls_name name;

	rig_browser(&hello, NAME);
	rig_records(&records, &hello, 100);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		for (size_t at = 0; at <= records.len; at += 105) {
			other = (struct rig){0};
			rig_put(&other, records.bytes, at);
			rig_put(&other, odd[i].bytes, odd[i].len);
			rig_put(&other, records.bytes + at, records.len - at);
			check(STREAM, &other, other.len, NULL, false);
			assert_int_equal(look(STREAM, other.bytes, at + 5, false, &name), NONE);
		}
		rig_put(&records, odd[i].bytes, odd[i].len); // behind it is no matter
		check(STREAM, &records, records.len, NAME, false);
		records.len -= odd[i].len;
	}
}

static void the_first_host_name_counts(void **)
{
	size_t at, list;

	rig_hello(&hello, 0x0303, -1);
	rig_number(&hello, RIG_SERVER_NAME, 2);
	at = rig_open(&hello, 2);
	list = rig_open(&hello, 2);
	rig_name(&hello, 7, "of.another.kind.example", 23);
	rig_name(&hello, 9, "", 0);
	rig_name(&hello, 0, "first.example", 13);
	rig_name(&hello, 0, "second.example", 14);
	rig_close(&hello, list, 2);
	rig_close(&hello, at, 2);
	rig_server_name(&hello, "third.example");
	rig_hello_end(&hello);
	check_hello(&hello, "first.example", false);
}

static void a_name_is_as_on_the_wire(void **)
{
	char longest[3 * DP_HOST_MAX], tail[DP_HOST_MAX];

	rig_browser(&hello, "WWW.Video.EXAMPLE");
	check_hello(&hello, "WWW.Video.EXAMPLE", false);
	rig_browser(&hello, "\x01\n\xc3\xa9%.example.");
	check_hello(&hello, "\x01\n\xc3\xa9%.example.", false);
	rig_browser(&hello, "");
	check_hello(&hello, NULL, false);
	for (size_t i = 0; i < sizeof(longest) - 1; i++)
		longest[i] = (char)('a' + i % 26);
	longest[sizeof(longest) - 1] = '\0';
	memcpy(tail, longest + sizeof(longest) - sizeof(tail), sizeof(tail));
	rig_browser(&hello, longest);
	check_hello(&hello, tail, false);
	for (size_t at = 0; at < 9; at++) {
		char with_nul[] = "a.example";

		with_nul[at] = '\0';
		rig_hello(&hello, 0x0303, -1);
		rig_server_name_n(&hello, with_nul, 9);
		rig_hello_end(&hello);
		check_hello(&hello, NULL, false);
	}
}

static void an_encrypted_hello_makes_it_the_outer_name(void **)
{
	rig_hello(&hello, 0x0303, -1);
	rig_ech(&hello, 0);
	rig_server_name(&hello, "outer.example");
	rig_hello_end(&hello);
	check_hello(&hello, "outer.example", true);
	rig_hello(&hello, 0x0303, -1);
	rig_server_name(&hello, "outer.example");
	rig_ech(&hello, 0);
	rig_hello_end(&hello);
	check_hello(&hello, "outer.example", true);
	rig_hello(&hello, 0x0303, -1);
	rig_ech(&hello, 0);
	rig_hello_end(&hello);
	check_hello(&hello, "", true);
	rig_hello(&hello, 0x0303, -1);
	rig_ech(&hello, 0);
	rig_ech(&hello, 1); // what says it once stays
	rig_hello_end(&hello);
	check_hello(&hello, "", true);
	rig_hello(&hello, 0x0303, -1);
	rig_ech(&hello, 1);
	rig_server_name(&hello, "inner.example");
	rig_hello_end(&hello);
	check_hello(&hello, "inner.example", false);
	rig_hello(&hello, 0x0303, -1);
	rig_extension(&hello, RIG_ECH, NULL, 0);
	rig_hello_end(&hello);
	check_hello(&hello, NULL, false);
	rig_hello(&hello, 0x0303, -1);
	rig_extension(&hello, RIG_ESNI, "\x13\x01", 2);
	rig_hello_end(&hello);
	check_hello(&hello, "", true);
}

/* Its beginning was seen, and with its first byte what it is. */
static void an_encrypted_hello_counts_though_it_is_cut(void **)
{
	rig_hello(&hello, 0x0303, -1);
	rig_server_name(&hello, "outer.example");
	rig_ech(&hello, 0);
	rig_hello_end(&hello);
	for (size_t len = hello.name_end; len <= hello.len; len++)
		check(MESSAGE, &hello, len, "outer.example", len > hello.name_end + 4);
}

static void of_a_hello_longer_than_is_looked_at_the_beginning_counts(void **)
{
	enum { LOOKED_AT = 16384, PADDING = 21 };
	static const uint8_t padding[20000];
	struct cls_name name;

	rig_hello(&hello, 0x0303, -1);
	rig_server_name(&hello, NAME);
	rig_extension(&hello, PADDING, padding, sizeof(padding));
	rig_hello_end(&hello);
	assert_int_equal(look(MESSAGE, hello.bytes, LOOKED_AT, false, &name), MORE);
	check(MESSAGE, &hello, LOOKED_AT, NAME, false);
	for (size_t step = 1; step <= LOOKED_AT; step += step < 4 ? 1 : 4095) {
		rig_records(&records, &hello, step);
		check(STREAM, &records, LOOKED_AT, NAME, false);
		assert_int_equal(look(STREAM, records.bytes, LOOKED_AT, false, &name), MORE);
		assert_int_equal(look(STREAM, records.bytes, records.len, false, &name), FOUND);
		assert_string_equal(name.host, NAME);
	}
	rig_hello(&hello, 0x0303, -1);
	rig_extension(&hello, PADDING, padding, sizeof(padding));
	rig_server_name(&hello, NAME);
	rig_hello_end(&hello);
	rig_records(&records, &hello, LOOKED_AT);
	check(STREAM, &records, LOOKED_AT, NULL, false);
	check(STREAM, &records, records.len, NULL, false);
	assert_int_equal(look(STREAM, records.bytes, LOOKED_AT, false, &name), MORE);
	check(MESSAGE, &hello, hello.len, NAME, false);
}

/* name_end: of the name; its length stands before it, then that of the list, then of the extension. */
static void what_stands_before_a_contradiction_counts(void **)
{
	const size_t n = strlen(NAME);
	const struct {
		size_t before_end; // where the length stands
		size_t value;
		const char *host;
	} lengths[] = {
		{n + 2, n + 1, NULL}, // of the name, longer than its list
		{n + 2, n - 1, "www.video.exampl"}, {n + 2, 0, NULL},
		{n + 5, n + 4, NAME}, // of the list, longer than its extension
		{n + 5, n + 2, NULL}, // shorter than the name
		{n + 5, 0, NULL}, {n + 7, n + 4, NULL}, // of the extension, shorter than the name
		{n + 7, 1, NULL}, {n + 7, 0, NULL}, {n + 7, 0xffff, NAME}, // all of what follows
	};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		rig_browser(&hello, NAME);
		rig_number_at(&hello, hello.name_end - lengths[i].before_end, lengths[i].value, 2);
		check_hello(&hello, lengths[i].host, false);
	}
	rig_browser(&hello, NAME);
	rig_number_at(&hello, hello.extensions_at - 2, 0xffff, 2);
	check_hello(&hello, NAME, false);
	rig_number_at(&hello, hello.extensions_at - 2, hello.name_end - hello.extensions_at, 2);
	check_hello(&hello, NAME, false);
	rig_number_at(&hello, hello.extensions_at - 2, hello.name_end - hello.extensions_at - 1, 2);
	check_hello(&hello, NULL, false);
	rig_browser(&hello, NAME);
	rig_number_at(&hello, 1, hello.name_end - 5, 3); // of the message
	check_hello(&hello, NULL, false);
	rig_number_at(&hello, 1, hello.name_end - 4, 3);
	check_hello(&hello, NAME, false);
}

static void a_hello_without_a_name_is_none(void **)
{
	rig_hello(&hello, 0x0303, -1);
	rig_hello_end(&hello);
	check_hello(&hello, NULL, false);
	hello.len -= 2; // SSL 3.0: no extensions
	rig_number_at(&hello, 1, hello.len - 4, 3);
	check_hello(&hello, NULL, false);
	rig_number_at(&hello, 1, 0, 3);
	check_hello(&hello, NULL, false);
	rig_hello(&hello, 0x0303, -1);
	rig_extension(&hello, RIG_SERVER_NAME, NULL, 0); // as a server answers
	rig_hello_end(&hello);
	check_hello(&hello, NULL, false);
}

static void a_dtls_hello_stands_in_one_datagram(void **)
{
	static const size_t versions[] = {0xfeff, 0xfefd, 0xfefd};
	static const int cookies[] = {0, 20, 255};

	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 0; k < 3; k++) {
			rig_hello(&hello, versions[i], cookies[k]);
			rig_extension(&hello, RIG_GREASE, "x", 1);
			rig_server_name(&hello, NAME);
			if (i == 2) // 1.3 says so in an extension
				rig_extension(&hello, 43, "\x02\xfe\xfc", 3);
			rig_hello_end(&hello);
			rig_datagram(&records, &hello, 0xfeff);
			check(DATAGRAM, &records, records.len, NAME, false);
			for (size_t len = 0; len < records.len; len++)
				check(DATAGRAM, &records, len, NULL, false);
			rig_put(&records, "\x16\xfe\xfd", 3); // another record follows
			check(DATAGRAM, &records, records.len, NAME, false);
		}
	}
	rig_hello(&hello, 0xfefd, 0);
	rig_ech(&hello, 0);
	rig_hello_end(&hello);
	rig_datagram(&records, &hello, 0xfefd);
	check(DATAGRAM, &records, records.len, "", true);
}

/* Its lengths agree with what is left of it, but for those of its fields. */
static void of_a_short_dtls_hello_counts_what_is_there(void **)
{
	rig_hello(&hello, 0xfefd, 3);
	rig_server_name(&hello, NAME);
	rig_extension(&hello, 21, "x", 1);
	rig_hello_end(&hello);
	for (size_t len = 12; len <= hello.len; len++) {
		other = hello;
		other.len = len;
		rig_number_at(&other, 1, len - 12, 3);
		rig_number_at(&other, 9, len - 12, 3);
		rig_datagram(&records, &other, 0xfefd);
		check(DATAGRAM, &records, records.len, len < hello.name_end ? NULL : NAME, false);
		rig_put(&records, hello.bytes + len, hello.len - len); // is not of it
		check(DATAGRAM, &records, records.len, len < hello.name_end ? NULL : NAME, false);
	}
}

static void what_is_no_whole_dtls_hello_is_none(void **)
{
	enum { HEADER = 13 };
	const struct {
		size_t at;
		uint8_t byte;
	} wrong[] = {
		{0, 23}, // application data
		{1, 3}, // TLS
		{4, 1}, // epoch 1: encrypted
		{HEADER, 3}, // HelloVerifyRequest
		{HEADER + 3, 0xff}, // longer than the record
		{HEADER + 8, 1}, // does not begin at 0
		{HEADER + 9, 1}, // a fragment's length
		{HEADER + 11, 0},
		{HEADER + 12, 3}, // version
		{11, 0xff}, // record's length
		{11, 0},
	};

	rig_hello(&hello, 0xfefd, 20);
	rig_extension(&hello, 21, other.bytes, 200);
	rig_server_name(&hello, NAME);
	rig_hello_end(&hello);
	rig_datagram(&records, &hello, 0xfefd);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const uint8_t before = records.bytes[wrong[i].at];

		assert_int_not_equal(before, wrong[i].byte);
		records.bytes[wrong[i].at] = wrong[i].byte;
		check(DATAGRAM, &records, records.len, NULL, false);
		records.bytes[wrong[i].at] = before;
	}
	check(DATAGRAM, &records, records.len, NAME, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hello_has_a_name_as_soon_as_it_is_whole),
		cmocka_unit_test(a_hello_may_go_over_records_of_any_size),
		cmocka_unit_test(of_a_part_counts_what_is_there),
		cmocka_unit_test(what_cannot_begin_a_hello_is_none_at_once),
		cmocka_unit_test(another_record_before_or_within_is_none),
		cmocka_unit_test(the_first_host_name_counts),
		cmocka_unit_test(a_name_is_as_on_the_wire),
		cmocka_unit_test(an_encrypted_hello_makes_it_the_outer_name),
		cmocka_unit_test(an_encrypted_hello_counts_though_it_is_cut),
		cmocka_unit_test(of_a_hello_longer_than_is_looked_at_the_beginning_counts),
		cmocka_unit_test(what_stands_before_a_contradiction_counts),
		cmocka_unit_test(a_hello_without_a_name_is_none),
		cmocka_unit_test(a_dtls_hello_stands_in_one_datagram),
		cmocka_unit_test(of_a_short_dtls_hello_counts_what_is_there),
		cmocka_unit_test(what_is_no_whole_dtls_hello_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
