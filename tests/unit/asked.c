// SPDX-License-Identifier: BSD-3-Clause
#include "control/asked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <glib.h>
#include <stdlib.h>

static void a_host_is_read_in_whatever_form_it_comes(void **)
{
	static const struct {
		const char *word, *text, *how;
	} rows[] = {
		{"www.netflix.com", "www.netflix.com", ""},
		{"WWW.NetFlix.com", "www.netflix.com", "in lower case"},
		{"www.netflix.com.", "www.netflix.com", "without the final dot"},
		{"www.netflix.com:443", "www.netflix.com", "without its port"},
		{"https://www.netflix.com", "www.netflix.com", "the host of a URL"},
		{"https://WWW.netflix.com.:8443/watch?v=1#t", "www.netflix.com",
			"the host of a URL, without its port, without the final dot, in lower case"},
		{"https://me:secret@www.netflix.com/", "www.netflix.com", "the host of a URL"},
		{"https://me@example.org@www.netflix.com/", "www.netflix.com", "the host of a URL"},
		{"www.netflix.com/watch", "www.netflix.com", "the host of a URL"},
		{"*.netflix.com", "netflix.com", "a wildcard as the name below it"},
		{"b\xc3\xbc"
		 "cher.example",
			"xn--bcher-kva.example", "in its xn-- form"}, // RFC 3492 3.1
		{"B\xc3\x9c"
		 "CHER.example",
			"xn--bcher-kva.example", "in its xn-- form"},
		{"_dns.resolver.arpa", "_dns.resolver.arpa", ""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct ctl_asked asked;

		assert_int_equal(ctl_asked_read(rows[i].word, &asked, NULL), 0);
		assert_int_equal(asked.kind, CTL_ASKED_NAME);
		assert_string_equal(asked.text, rows[i].text);
		assert_string_equal(asked.how, rows[i].how);
	}
}

static void the_word_stays_as_it_was_written_but_for_secrets(void **)
{
	static const char *const rows[][3] = {
		{"WWW.NetFlix.com", "'WWW.NetFlix.com'", "in lower case"},
		{"https://me:secret@www.netflix.com/", "'https://***@www.netflix.com/'",
			"the host of a URL"},
		{"2001:DB8:0::7", "'2001:DB8:0::7'", "in its usual form"},
		{"[2001:db8::7]", "'[2001:db8::7]'", "in its usual form"},
		{"UDP:443", "'UDP:443'", "in its usual form"},
		{"udp:443", "'udp:443'", ""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct ctl_asked asked;

		assert_int_equal(ctl_asked_read(rows[i][0], &asked, NULL), 0);
		assert_string_equal(asked.word, rows[i][1]);
		assert_string_equal(asked.how, rows[i][2]);
	}
}

static void an_address_is_no_name(void **)
{
	static const char *const rows[][2] = {{"203.0.113.9", "203.0.113.9"},
		{"203.0.113.9:443", "203.0.113.9"}, {"https://203.0.113.9/", "203.0.113.9"},
		{"2001:DB8:0::7", "2001:db8::7"}, {"[2001:db8::7]", "2001:db8::7"},
		{"[2001:db8::7]:443", "2001:db8::7"}, {"http://[2001:db8::7]:80/a", "2001:db8::7"}};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct ctl_asked asked;
		struct dp_addr addr;

		assert_int_equal(ctl_asked_read(rows[i][0], &asked, NULL), 0);
		assert_int_equal(asked.kind, CTL_ASKED_ADDRESS);
		assert_string_equal(asked.text, rows[i][1]);
		assert_int_equal(dp_addr_parse(rows[i][1], &addr), 0);
		assert_memory_equal(&asked.addr, &addr, sizeof(addr));
	}
}

static void a_port_has_its_protocol(void **)
{
	struct ctl_asked asked;

	assert_int_equal(ctl_asked_read("udp:51820", &asked, NULL), 0);
	assert_int_equal(asked.kind, CTL_ASKED_PORT);
	assert_int_equal(asked.l4_proto, 17);
	assert_int_equal(asked.port, 51820);
	assert_int_equal(ctl_asked_read("TCP:65535", &asked, NULL), 0);
	assert_int_equal(asked.l4_proto, 6);
	assert_string_equal(asked.text, "tcp:65535");
}

static void what_is_neither_is_refused_with_a_sentence(void **)
{
	static const char *const words[] = {"", ".", "..", "netflix", "1.2.3", "203.0.113.999",
		"203.0.113.0/24", "2001:db8::/32", "www..example", "-a.example", "a-.example",
		"a b.example", "a\tb.example", "a\"b.example", ".netflix.com", "*.com",
		"**.a.example", "www.example:0", "www.example:65536", "www.example:http",
		"www.example:", "tcp:0", "udp:65536", "udp:", "udp:x", "udp:443-445", "https://",
		"https:///path", "1http://www.example", "[2001:db8::7", "[2001:db8::7]x",
		"[www.example]:", "me@a.example", "a\xff.example", "\xc3\xbc", "fe80::1%eth0",
		"a.example..", "xn--\xc3\xbc.\xff"};

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		struct ctl_asked asked = {.port = 7};
		struct dp_err err = {0};

		assert_int_equal(ctl_asked_read(words[i], &asked, &err), -EINVAL);
		assert_int_equal(asked.port, 7);
		assert_non_null(
			strstr(err.text, "expected a host such as www.netflix.com, an address"));
	}
}

static void a_name_is_as_long_as_names_may_be_and_no_longer(void **)
{
	struct ctl_asked asked;
	char word[CTL_ASKED_WORD_MAX + 8];
	size_t n = 0;

	while (n < 253 - 8) { // labels of one letter
		word[n++] = 'a';
		word[n++] = '.';
	}
	(void)strcpy(word + n, "example");
	assert_true(strlen(word) <= 253);
	assert_int_equal(ctl_asked_read(word, &asked, NULL), 0);
	assert_string_equal(asked.text, word);
	memset(word, 'a', 63);
	(void)strcpy(word + 63, ".example");
	assert_int_equal(ctl_asked_read(word, &asked, NULL), 0);
	memset(word, 'a', 64);
	(void)strcpy(word + 64, ".example");
	assert_int_equal(ctl_asked_read(word, &asked, NULL), -EINVAL);
	memset(word, 'a', CTL_ASKED_WORD_MAX + 1);
	word[CTL_ASKED_WORD_MAX + 1] = '\0';
	assert_int_equal(ctl_asked_read(word, &asked, NULL), -EINVAL);
}

/* Each beginning of a word, from a block of its own: what is read past it is seen. */
static void a_word_may_end_anywhere(void **)
{
	static const char *const words[] = {("https://me:x@WWW.b\xc3\xbc"
					     "cher.example.:443/p?q#f"),
		"http://[2001:db8::7]:443/", "*.netflix.com.", "udp:51820", "203.0.113.9:443"};

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		for (size_t len = 0; len <= strlen(words[i]); len++) {
			char *word = g_strndup(words[i], len);
			struct ctl_asked asked, again;

			if (ctl_asked_read(word, &asked, NULL) == 0) {
				// What came out is read as itself.
				assert_int_equal(ctl_asked_read(asked.text, &again, NULL), 0);
				assert_string_equal(again.text, asked.text);
				assert_string_equal(again.how, "");
			}
			g_free(word);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_is_read_in_whatever_form_it_comes),
		cmocka_unit_test(the_word_stays_as_it_was_written_but_for_secrets),
		cmocka_unit_test(an_address_is_no_name),
		cmocka_unit_test(a_port_has_its_protocol),
		cmocka_unit_test(what_is_neither_is_refused_with_a_sentence),
		cmocka_unit_test(a_name_is_as_long_as_names_may_be_and_no_longer),
		cmocka_unit_test(a_word_may_end_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
