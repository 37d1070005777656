// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/http_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MORE = CLS_NAME_MORE, FOUND = CLS_NAME_FOUND, NONE = CLS_NAME_NONE };

/* What is said of a copy of just that size, so that a sanitizer sees what is read behind it. */
static enum cls_name_step look_n(const char *bytes, size_t len, struct cls_name *name)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	enum cls_name_step step;

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, bytes, len);
	memset(name, 0x77, sizeof(*name)); // as it stays
	step = cls_http_name(copy, len, name);
	free(copy);
	if (step != CLS_NAME_FOUND)
		assert_int_equal(name->host[0], 0x77);
	else
		assert_false(name->has_ech);
	return step;
}

/* More is asked for until n_decisive bytes are there; then it is decided, whatever follows. */
static void check_n(const char *request, size_t n_decisive, const char *host)
{
	struct cls_name name;

	for (size_t len = 0; len <= strlen(request); len++) {
		const enum cls_name_step step = look_n(request, len, &name);

		if (len < n_decisive)
			assert_int_equal(step, MORE);
		else
			assert_int_equal(step, host != NULL ? FOUND : NONE);
		if (step == CLS_NAME_FOUND)
			assert_string_equal(name.host, host);
	}
}

/* `decisive` ends where it is decided: the first byte behind that is the one that does it. */
static void check(const char *decisive, const char *more, const char *host)
{
	char request[8192];
	const int n = snprintf(request, sizeof(request), "%s%s", decisive, more);

	assert_in_range(n, 1, sizeof(request) - 1);
	check_n(request, strlen(decisive), host);
}

static void the_host_field_is_read_wherever_the_stream_is_cut(void **)
{
	check("GET / HTTP/1.1\r\nHost: www.video.example\r\n\r", "\n", "www.video.example");
	check("GET / HTTP/1.1\r\nHost: www.video.example\r\nA", "ccept: */*\r\n\r\n",
		"www.video.example");
	check("POST /a?b=http://c.example HTTP/1.0\r\nAccept: text/plain\r\nX-Host: no.example\r\n"
	      "Hostess: no.example\r\nHos: t.example\r\nhost: a.example\r\n\r",
		"\n", "a.example");
	check("\r\n\r\nHEAD * HTTP/1.1\r\nHOST:a.example\r\n\r", "\n", "a.example");
	check("GET / HTTP/1.1\nHost: a.example\n\n", "", "a.example");
	check("GET / HTTP/1.1\nhOsT: \t  a.example \t \nX", ": y\n\n", "a.example"); // RFC 9112 2.2
	check("GET / HTTP/1.1\r\nHost: first.example\r\nH", "ost: second.example\r\n\r\n",
		"first.example");
	check("GET / HTTP/1.1\r\nno field\r\n: no name\r\nHost: a.example\r\n\r", "\n",
		"a.example");
	check("GET x HTTP/1.9\r\nHost: a.example\r\n\r", "\n", "a.example");
}

static void a_request_without_a_host_is_none(void **)
{
	check("GET / HTTP/1.0\r\n\r\n", "Host: body.example\r\n\r\n", NULL);
	check("GET / HTTP/1.0\r\nAccept: x\r\n\n", "", NULL);
	check("GET / HTTP/1.1\r\nHost:\r\n\r", "\n", NULL);
	check("GET / HTTP/1.1\r\nHost: \t \r\n\r", "\n", NULL);
	check("GET / HTTP/1.1\r\nHost : a.example\r\n\r\n", "", NULL); // RFC 9112 5.1
	check("GET / HTTP/1.1\r\nHost\r\n\r\n", "", NULL);
}

static void a_field_that_goes_on_in_the_next_line_is_refused(void **)
{
	check("GET / HTTP/1.1\r\nHost: a.example\r\n ", "b.example\r\n\r\n", NULL);
	check("GET / HTTP/1.1\r\nHost:\r\n\t", "a.example\r\n\r\n", NULL);
	check("GET / HTTP/1.1\r\nA: b\r\n ", "Host: a.example\r\nHost: b.example\r\n\r\n", NULL);
	check("GET / HTTP/1.1\r\n ", "Host: a.example\r\n\r\n", NULL);
}

static void an_absolute_target_has_the_host(void **)
{
	const char *more = "Host: other.example\r\n\r\n";

	check("GET http://a.example/b HTTP/1.1\r\n", more, "a.example");
	check("GET http://a.example HTTP/1.1\r\n", more, "a.example");
	check("GET HTTPS://A.example:8443?b HTTP/1.1\r\n", more, "A.example");
	check("GET ws+x.y-z://a.example#b HTTP/1.1\r\n", more, "a.example");
	check("GET http://who:secret@a.example:80/@b.example HTTP/1.1\r\n", more, "a.example");
	check("GET http://[2001:db8::1]:80/ HTTP/1.1\r\n", more, "[2001:db8::1]");
	check("GET http:///b HTTP/1.1\r\n", more, NULL);
	check("GET http:// HTTP/1.1\r\n", more, NULL);
	check("GET http://a.example:b/ HTTP/1.1\r\n", more, NULL);
	check("GET http:/b.example HTTP/1.1\r\nHost: a.example\r\n\r", "\n", "a.example");
	check("GET ://b.example HTTP/1.1\r\nHost: a.example\r\n\r", "\n", "a.example");
	check("GET b.example:80 HTTP/1.1\r\nHost: a.example\r\n\r", "\n", "a.example");
}

static void the_target_of_connect_is_the_host(void **)
{
	const char *more = "Host: other.example\r\n\r\n";

	check("CONNECT a.example:443 HTTP/1.1\r\n", more, "a.example");
	check("CONNECT [2001:db8::1]:443 HTTP/1.1\r\n", more, "[2001:db8::1]");
	check("CONNECT 198.51.100.7:443 HTTP/1.0\r\n", more, "198.51.100.7");
	check("CONNECT / HTTP/1.1\r\n", more, NULL);
	check("CONNECT :443 HTTP/1.1\r\n", more, NULL);
	check("connect b.example:443 HTTP/1.1\r\nHost: a.example\r\n\r", "\n",
		"a.example"); // another
	check("CONNECTS b.example:443 HTTP/1.1\r\nHost: a.example\r\n\r", "\n", "a.example");
}

static void ports_are_left_out_and_brackets_stay(void **)
{
	static const char *const hosts[][2] = {
		{"a.example:8080", "a.example"},
		{"a.example:", "a.example"},
		{"192.0.2.1:80", "192.0.2.1"},
		{"[2001:db8::1]", "[2001:db8::1]"},
		{"[2001:db8::1]:80", "[2001:db8::1]"},
		{"[::ffff:192.0.2.1]:", "[::ffff:192.0.2.1]"},
		{"[fe80::1%25eth0]:80", "[fe80::1%25eth0]"}, // RFC 6874
		{"A-_.~!$&'()*+,;=9.%c3%A4.Example.", "A-_.~!$&'()*+,;=9.%c3%A4.Example."},
		{"a.example:80:80", NULL},
		{"a.example:8o", NULL},
		{"2001:db8::1", NULL},
		{"[2001:db8::1", NULL},
		{"[2001:db8::1]a", NULL},
		{"[2001:db8::1]80", NULL},
		{"[2001:db8/]", NULL},
		{"a.exampl%65", "a.exampl%65"},
		{"[::1/:80", NULL},
		{"[::1/", NULL},
		{"[]", NULL},
		{"[", NULL},
		{"]", NULL},
		{":80", NULL},
		{"a b.example", NULL},
		{"a\tb.example", NULL},
		{"a/b.example", NULL},
		{"who@a.example", NULL},
		{"a%2.example", NULL},
		{"a%g0.example", NULL},
		{"a%0g.example", NULL},
		{"a.example%", NULL},
		{"a.example%2", NULL},
		{"a\x01.example", NULL},
		{"a\x7f.example", NULL},
		{"\xc3\xa4.example", NULL},
		{"a.example\r", NULL},
		{"\"a.example\"", NULL},
		{"a<b.example", NULL},
	};
	char request[256];

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		(void)snprintf(
			request, sizeof(request), "GET / HTTP/1.1\r\nHost: %s\r\n\r", hosts[i][0]);
		check(request, "\n", hosts[i][1]);
	}
}

/* So that a stream of short lines costs no more than any other. */
static void a_host_behind_more_fields_than_servers_take_is_none(void **)
{
	char lines[512] = "GET / HTTP/1.1\r\n";

	for (int i = 0; i < 127; i++)
		strcat(lines, "a\n");

	const size_t n = strlen(lines);

	strcpy(lines + n, "Host: a.example\r\n\r");
	check(lines, "\n", "a.example");
	strcpy(lines + n, "a\nH");
	check(lines, "ost: a.example\r\n\r\n", NULL);
}

static void a_nul_is_in_no_host(void **)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: a.exa\0ple\r\n\r\n";
	static const char before[] = "GET / HTTP/1.1\r\nA: \0\r\nHost: a.example\r\n\r\n";
	struct cls_name name;

	assert_int_equal(look_n(request, sizeof(request) - 1, &name), NONE);
	assert_int_equal(look_n(before, sizeof(before) - 1, &name), FOUND);
	assert_int_equal(look_n("GE\0 / HTTP/1.1\r\n", 3, &name), NONE);
	assert_int_equal(look_n("GET /\0 HTTP/1.1\r\n", 6, &name), NONE);
}

static void a_long_name_keeps_its_tail(void **)
{
	char host[1000], request[1100];

	for (size_t i = 0; i < sizeof(host) - 1; i++)
		host[i] = (char)('a' + i % 26);
	host[sizeof(host) - 1] = '\0';
	(void)snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: %s:80\r\n\r", host);
	check(request, "\n", host + sizeof(host) - DP_HOST_MAX);
}

static void what_is_no_request_is_none_at_its_first_wrong_byte(void **)
{
	static const char *const begins[] = {
		"\x16", // TLS
		"\r\r",
		"\r\n\r\n ",
		" ",
		"\n",
		"GET\r",
		"GET\t",
		"G@",
		"GET  ", // two blanks
		"GET /\t",
		"GET /\r", // HTTP/0.9
		"GET /\x7f",
		"GET /  ",
		"GET / h",
		"GET / HTTP/2",
		"PRI * HTTP/2", // RFC 9113 3.4
		"OPTIONS rtsp://a.example/b R",
		"SSH-2.0-OpenSSH_9.2\r",
		"GET / HTTP/1.x",
		"GET / HTTP/1.1 ",
		"GET / HTTP/1.1\rH",
		"GET / HTTP/1.11",
	};

	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		check(begins[i], " HTTP/1.1\r\nHost: a.example\r\n\r\n", NULL);
}

static void any_token_of_32_bytes_is_a_method(void **)
{
	check("!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\nHost: a.example\r\n\r", "\n", "a.example");
	check("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345 / HTTP/1.1\r\nHost: a.example\r\n\r", "\n",
		"a.example");
	check("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456", " / HTTP/1.1\r\nHost: a.example\r\n\r\n", NULL);
}

/* Every byte in the place of every other of a request: what was decided stays so. */
static void one_byte_more_changes_no_decision(void **)
{
	static const char request[] =
		"GET http://a@b.example:8/ HTTP/1.1\r\nHost: c.example:9\r\n\r\n";
	static const char plain[] = "GET / HTTP/1.1\r\nA: b\r\nHost: [c::1]:9\r\n\r\n";
	static const char *const both[] = {request, plain};
	struct cls_name before, after;

	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < 256 * strlen(both[i]); k++) {
			char copy[sizeof(request)];
			enum cls_name_step decided = CLS_NAME_MORE;

			(void)snprintf(copy, sizeof(copy), "%s", both[i]);
			copy[k / 256] = (char)(k % 256);
			for (size_t len = 0; len <= strlen(both[i]); len++) {
				const enum cls_name_step step = look_n(copy, len, &after);

				if (decided != CLS_NAME_MORE)
					assert_int_equal(step, decided);
				if (decided == CLS_NAME_FOUND)
					assert_string_equal(after.host, before.host);
				decided = step;
				before = after;
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_host_field_is_read_wherever_the_stream_is_cut),
		cmocka_unit_test(a_request_without_a_host_is_none),
		cmocka_unit_test(a_field_that_goes_on_in_the_next_line_is_refused),
		cmocka_unit_test(an_absolute_target_has_the_host),
		cmocka_unit_test(the_target_of_connect_is_the_host),
		cmocka_unit_test(ports_are_left_out_and_brackets_stay),
		cmocka_unit_test(a_host_behind_more_fields_than_servers_take_is_none),
		cmocka_unit_test(a_nul_is_in_no_host),
		cmocka_unit_test(a_long_name_keeps_its_tail),
		cmocka_unit_test(what_is_no_request_is_none_at_its_first_wrong_byte),
		cmocka_unit_test(any_token_of_32_bytes_is_a_method),
		cmocka_unit_test(one_byte_more_changes_no_decision),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
