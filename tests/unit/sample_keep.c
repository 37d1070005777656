// SPDX-License-Identifier: BSD-3-Clause
#include "control/sample_keep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* One packet of a flow, from a heap block of its own. Returns what is kept, as text, owned. */
static char *kept_of(struct ctl_sample_keep *k, const void *payload, size_t n, bool is_up)
{
	uint8_t *bytes = malloc(n);
	char *text = calloc(1, n + 1);
	size_t len;

	assert_non_null(bytes);
	assert_non_null(text);
	memcpy(bytes, payload, n);
	len = ctl_sample_keep(k, bytes, n, is_up);
	assert_true(len <= n);
	memcpy(text, bytes, len);
	free(bytes);
	return text;
}

static void is_kept(const char *payload, bool is_up, const char *expected)
{
	struct ctl_sample_keep k = {0};
	char *text = kept_of(&k, payload, strlen(payload), is_up);

	assert_string_equal(text, expected);
	free(text);
}

static void of_a_request_the_host_is_kept_and_who_asks_for_what_is_not(void **)
{
	is_kept("GET /users/anna?msisdn=49912345678 HTTP/1.1\r\nHost: films.example\r\n"
		"Cookie: id=7\r\n\r\nbody",
		true, "GET /xxxxx/xxxx?xxxxxx=xxxxxxxxxxx HTTP/1.1\r\nHost: films.example\r\nx");
	is_kept("POST /a HTTP/1.1\r\nX-MSISDN: 49912345678\r\nhOsT:  [2001:db8::1]:8080\r\n\r\n",
		true,
		"POST /x HTTP/1.1\r\nx-xxxxxx: xxxxxxxxxxx\r\nhOsT:  [2001:db8::1]:8080\r\n\r");
	is_kept("GET / HTTP/1.1\nHost: a.example", true, "GET / HTTP/1.1\nHost: a.example");
	is_kept("GET /secret HTTP/1.0\r\nCookie: id=7\r\n\r\n", true, "GET /xxxxxx HTTP/1.0\r\n");
	is_kept("GET /secret HTTP/1.1secret\r\nHost: a.example\r\n", true,
		"GET /xxxxxx HTTP/1.1xxxxxx\r\nHost: a.example\r\n");
	is_kept("GET /a\xc3\xa4 HTTP/1.1\r\nHost: a.example\r\n", true,
		"GET /xxx HTTP/1.1\r\nHost: a.example\r\n");
	is_kept("CONNECT anna.example:443 HTTP/1.1\r\nHost: proxy.example\r\n", true,
		"CONNECT xxxx.xxxxxxx:xxx HTTP/1.1\r\nHost: proxy.example\r\n");
	// What is no name may be anything.
	is_kept("GET / HTTP/1.1\r\nHost: anna@home.example\r\n", true, "GET / HTTP/1.1\r\n");
	is_kept("GET / HTTP/1.1\r\nHost: password=1\r\n", true, "GET / HTTP/1.1\r\n");
	is_kept("GET /cut/off/by/the/snap", true, "GET /xxx/xxx/xx/xxx/xxxx");
	// Without a target it is none.
	is_kept("GET HTTP/1.1\r\nHost: a.example\r\n", true, "");
	is_kept("GET  HTTP/1.1\r\nHost: a.example\r\n\r\n", true,
		"GET  HTTP/1.1\r\nHost: a.example\r\n\r");
}

static void a_request_to_the_subscriber_is_text_like_any_other(void **)
{
	is_kept("GET / HTTP/1.1\r\nHost: 10.20.0.11\r\n\r\n", false, "");
	is_kept("HTTP/1.1 200 OK\r\nServer: a\r\n\r\nsecret", false, "");
}

static void of_text_nothing_is_kept(void **)
{
	static const char *const texts[] = {"220 mail.example ESMTP\r\n", "USER anna\r\n",
		"PASS GET / HTTP\r\n", "PASS hunter2\r\n", "AUTH PLAIN AGFubmEAaHVudGVyMg==\r\n",
		"{\"user\":\"anna\"}", "<stream:stream to='x'>", "a", "\r\n", "\x1b[A",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "NICK anna\r\nUSER anna", "RETR 1\r\n",
		"INVITE sip:anna@a.example SIP/2.0\r\n", "Gr\xc3\xbcn, Gr\xc3\xbcn",
		"\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82\xd0"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		is_kept(texts[i], false, "");
		is_kept(texts[i], true, "");
	}
}

static void behind_text_nothing_of_the_flow_is_kept(void **)
{
	static const char *const first[] = {
		"USER anna and a bit more\r\n", "POST /a HTTP/1.1\r\nHost: a.example\r\n\r\n"};
	static const uint8_t file[] = {0x89, 'P', 'N', 'G', 0, 1, 2, 3, 4, 0xff, 0xfe};

	for (size_t i = 0; i < 2; i++) {
		struct ctl_sample_keep k = {0};
		char *text = kept_of(&k, first[i], strlen(first[i]), true);

		free(text);
		for (int is_up = 0; is_up < 2; is_up++) {
			text = kept_of(&k, file, sizeof(file), is_up);
			assert_string_equal(text, "");
			free(text);
		}
	}
}

static void a_few_bytes_of_text_say_nothing_of_the_rest(void **)
{
	static const uint8_t file[] = {0x89, 'P', 'N', 'G', 0, 1, 2, 3, 4, 0xff, 0xfe};
	struct ctl_sample_keep k = {0};
	uint8_t bytes[sizeof(file)];
	char *text = kept_of(&k, "ping", 4, true);

	assert_string_equal(text, "");
	free(text);
	memcpy(bytes, file, sizeof(file));
	assert_int_equal(ctl_sample_keep(&k, bytes, sizeof(bytes), true), sizeof(file));
	assert_memory_equal(bytes, file, sizeof(file));
}

static void other_bytes_are_kept_up_to_the_text_in_them(void **)
{
	uint8_t bytes[200], before[200];
	struct ctl_sample_keep k = {0};

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 37 | 0x80);
	memcpy(bytes + 100, "a session of anna and no one else", 33);
	memcpy(bytes + 20, "a magic word", 12); // which names a protocol, and nobody
	memcpy(before, bytes, sizeof(bytes));
	assert_int_equal(ctl_sample_keep(&k, bytes, sizeof(bytes), true), 100);
	assert_memory_equal(bytes, before, sizeof(bytes));
	assert_int_equal(ctl_sample_keep(&k, bytes, 123, true), 123);
	assert_int_equal(ctl_sample_keep(&k, bytes, 124, true), 100);
}

static const uint8_t hello[] = {22, 3, 1, 0, 60, 1, 0, 0, 56, 3, 3, 'w', 'w', 'w', '.', 'a', '-',
	'l', 'o', 'n', 'g', '-', 'n', 'a', 'm', 'e', '-', 'o', 'f', '-', 'a', '-', 's', 'e', 'r',
	'v', 'e', 'r', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e'};

static void a_hello_is_kept_and_the_certificate_of_a_client_is_not(void **)
{
	static const uint8_t certificate[] = {22, 3, 3, 1, 0, 11, 0, 0, 252, 'A', 'n', 'n', 'a'};
	static const uint8_t finished[] = {20, 3, 3, 0, 1, 1, 22, 3, 3, 0, 40, 0x93};
	struct ctl_sample_keep k = {0};
	uint8_t bytes[64];

	memcpy(bytes, hello, sizeof(hello));
	assert_int_equal(ctl_sample_keep(&k, bytes, sizeof(hello), true), sizeof(hello));
	assert_memory_equal(bytes, hello, sizeof(hello));
	// The rest of a long hello, a certificate of the server.
	memcpy(bytes, "a name in the second segment of it", 34);
	assert_int_equal(ctl_sample_keep(&k, bytes, 34, true), 34);
	memcpy(bytes, certificate, sizeof(certificate));
	assert_int_equal(
		ctl_sample_keep(&k, bytes, sizeof(certificate), false), sizeof(certificate));
	assert_int_equal(ctl_sample_keep(&k, bytes, sizeof(certificate), true), 0);
	memcpy(bytes, "the rest of Anna's certificate", 30);
	assert_int_equal(ctl_sample_keep(&k, bytes, 30, true), 0);
	memcpy(bytes, finished, sizeof(finished));
	assert_int_equal(ctl_sample_keep(&k, bytes, sizeof(finished), false), sizeof(finished));
}

static void so_it_is_with_datagrams(void **)
{
	uint8_t bytes[] = {22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 1, 0, 0, 48, 0, 0, 'a'};
	struct ctl_sample_keep k = {0};

	assert_int_equal(ctl_sample_keep(&k, bytes, sizeof(bytes), true), sizeof(bytes));
	bytes[13] = 11;
	assert_int_equal(ctl_sample_keep(&k, bytes, sizeof(bytes), false), sizeof(bytes));
	assert_int_equal(ctl_sample_keep(&k, bytes, sizeof(bytes), true), 0);
}

/* However it is cut, what may not be kept is not. */
static void no_truncation_keeps_what_the_whole_does_not(void **)
{
	static const char request[] =
		"POST /SECRET/a?SECRET HTTP/1.1\r\nX-A: SECRET\r\nHost: b.example\r\n"
		"Cookie: SECRET\r\n\r\nSECRET";
	static const char login[] = "USER SECRET\r\nPASS SECRET\r\nPOST /SECRET HTTP/1.1\r\n";
	static const char *const all[] = {request, login};

	for (size_t i = 0; i < 2; i++) {
		for (size_t n = 1; n <= strlen(all[i]); n++) {
			for (int is_up = 0; is_up < 2; is_up++) {
				struct ctl_sample_keep k = {0};
				char *text = kept_of(&k, all[i], n, is_up);

				for (char *at = text; (at = strchr(at, 'S')) != NULL; at++)
					assert_true(at == text + 2 && i == 0); // of POST
				assert_null(strstr(text, "SEC"));
				free(text);
			}
		}
	}
	for (size_t n = 1; n <= sizeof(hello); n++) {
		struct ctl_sample_keep k = {0};

		free(kept_of(&k, hello, n, true));
	}
}

static void protocols_of_people_and_of_signalling_are_not_kept(void **)
{
	assert_true(ctl_sample_keeps_proto("Unknown"));
	assert_true(ctl_sample_keeps_proto("TLS"));
	assert_true(ctl_sample_keeps_proto("QUIC"));
	assert_true(ctl_sample_keeps_proto("HTTP"));
	assert_true(ctl_sample_keeps_proto(NULL));
	assert_false(ctl_sample_keeps_proto("DNS"));
	assert_false(ctl_sample_keeps_proto("SIP"));
	assert_false(ctl_sample_keeps_proto("Radius"));
	assert_false(ctl_sample_keeps_proto("SMTP"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_request_the_host_is_kept_and_who_asks_for_what_is_not),
		cmocka_unit_test(a_request_to_the_subscriber_is_text_like_any_other),
		cmocka_unit_test(of_text_nothing_is_kept),
		cmocka_unit_test(behind_text_nothing_of_the_flow_is_kept),
		cmocka_unit_test(a_few_bytes_of_text_say_nothing_of_the_rest),
		cmocka_unit_test(other_bytes_are_kept_up_to_the_text_in_them),
		cmocka_unit_test(a_hello_is_kept_and_the_certificate_of_a_client_is_not),
		cmocka_unit_test(so_it_is_with_datagrams),
		cmocka_unit_test(no_truncation_keeps_what_the_whole_does_not),
		cmocka_unit_test(protocols_of_people_and_of_signalling_are_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
