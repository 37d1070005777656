// SPDX-License-Identifier: BSD-3-Clause
#include "control/flow_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <glib.h>
#include <string.h>

static struct dp_five_tuple read_name(const char *word)
{
	struct dp_five_tuple t;

	assert_int_equal(ctl_flow_name_read(word, &t, NULL), 0);
	return t;
}

static void a_flow_is_named_from_either_side(void **)
{
	const struct dp_five_tuple t = read_name("tcp:10.0.0.7:50312-203.0.113.9:443");
	const struct dp_five_tuple turned = read_name("tcp:203.0.113.9:443-10.0.0.7:50312");
	const struct dp_five_tuple v6 = read_name("udp:[2001:db8::7]:1-[2001:db8::9]:65535");

	assert_int_equal(t.l4_proto, 6);
	assert_int_equal(t.sport, 50312);
	assert_int_equal(t.dport, 443);
	assert_int_equal(v6.l4_proto, 17);
	assert_int_equal(v6.dport, 65535);
	assert_true(ctl_flow_name_is(&t, &t));
	assert_true(ctl_flow_name_is(&t, &turned));
	assert_false(ctl_flow_name_is(&t, &v6));
}

static void every_part_of_it_counts(void **)
{
	static const char *const others[] = {"udp:10.0.0.7:50312-203.0.113.9:443",
		"tcp:10.0.0.8:50312-203.0.113.9:443", "tcp:10.0.0.7:50313-203.0.113.9:443",
		"tcp:10.0.0.7:50312-203.0.113.8:443", "tcp:10.0.0.7:50312-203.0.113.9:444",
		"tcp:10.0.0.7:443-203.0.113.9:50312"};
	const struct dp_five_tuple t = read_name("tcp:10.0.0.7:50312-203.0.113.9:443");

	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		const struct dp_five_tuple other = read_name(others[i]);

		assert_false(ctl_flow_name_is(&t, &other));
	}
}

static void what_is_no_flow_is_refused_with_a_sentence(void **)
{
	static const char *const words[] = {"", "tcp", "tcp:", "tcp:10.0.0.7:1", "tcp:-",
		"sctp:10.0.0.7:1-10.0.0.8:2", "tcp:10.0.0.7-10.0.0.8", "tcp:10.0.0.7:0-10.0.0.8:2",
		"tcp:10.0.0.7:1-10.0.0.8:65536",
		"tcp:10.0.0.7:1-10.0.0.8:", "tcp:10.0.0.7:1-10.0.0.8:2x",
		"tcp:2001:db8::7:1-2001:db8::9:2", "tcp:[10.0.0.7]:1-10.0.0.8:2",
		"tcp:[2001:db8::7:1-[2001:db8::9]:2", "tcp:[]:1-10.0.0.8:2", "tcp:]:1-10.0.0.8:2",
		"tcp:[:1-10.0.0.8:2", "tcp:10.0.0.7:1-10.0.0.8:2-3"};

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		struct dp_five_tuple t = {.sport = 7};
		struct dp_err err = {0};

		assert_int_equal(ctl_flow_name_read(words[i], &t, &err), -EINVAL);
		assert_int_equal(t.sport, 7);
		assert_non_null(strstr(err.text, "expected a flow such as tcp:10.0.0.7:50312-"));
	}
}

/* Each beginning, from a block of its own, and one that is far too long. */
static void a_word_may_end_anywhere(void **)
{
	static const char word[] =
		"udp:[2001:db8:1:2:3:4:5:6]:50312-[2001:db8:ffff:f:f:f:f:f]:44300";
	char *endless = g_strnfill(5000, '1');

	for (size_t len = 0; len < sizeof(word); len++) {
		char *begin = g_strndup(word, len);
		struct dp_five_tuple t;

		// A port may be cut and still be one.
		assert_int_equal(ctl_flow_name_read(begin, &t, NULL),
			len + 5 > sizeof(word) - 1 ? 0 : -EINVAL);
		g_free(begin);
	}
	memcpy(endless, "tcp:", 4);
	assert_int_equal(ctl_flow_name_read(endless, &(struct dp_five_tuple){0}, NULL), -EINVAL);
	g_free(endless);
}

static void a_line_has_the_same_name(void **)
{
	const struct dp_five_tuple t = read_name("udp:[2001:db8::7]:50312-[2001:db8::9]:443");
	json_t *line = json_pack("{s:s, s:i, s:s, s:i, s:s}", "src", "2001:db8::7", "sport", 50312,
		"dst", "2001:db8::9", "dport", 443, "l4", "udp");
	struct dp_five_tuple of_line;

	assert_true(ctl_flow_name_of_line(line, &of_line));
	assert_true(ctl_flow_name_is(&t, &of_line));
	(void)json_object_set_new(line, "l4", json_string("icmp"));
	assert_false(ctl_flow_name_of_line(line, &of_line));
	json_decref(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_is_named_from_either_side),
		cmocka_unit_test(every_part_of_it_counts),
		cmocka_unit_test(what_is_no_flow_is_refused_with_a_sentence),
		cmocka_unit_test(a_word_may_end_anywhere),
		cmocka_unit_test(a_line_has_the_same_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
