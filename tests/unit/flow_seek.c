// SPDX-License-Identifier: BSD-3-Clause
#include "control/flow_seek.h"

#include "control/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <glib.h>
#include <string.h>

static struct ctl_privacy privacy = {
	.subject = CTL_SUBJECT_MSISDN, .key = "0123456789abcdef0123456789abcdef", .key_len = 32};

/* From 10.0.0.7:50312 to 203.0.113.9:443, or the IPv6 that is alike. */
static struct dp_record note_of(bool is_v6, bool is_turned)
{
	struct dp_record note = {.kind = DP_RECORD_NOTE, .note = {.l4_proto = 6}};
	struct dp_note *n = &note.note;
	const char *client = is_v6 ? "fc00:0:0:1::7" : "10.0.0.7";
	const char *server = is_v6 ? "2001:db8::9" : "203.0.113.9";

	assert_int_equal(dp_addr_parse(is_turned ? server : client, &n->src), 0);
	assert_int_equal(dp_addr_parse(is_turned ? client : server, &n->dst), 0);
	n->sport = is_turned ? 443 : 50312;
	n->dport = is_turned ? 50312 : 443;
	n->server_is_src = is_turned;
	return note;
}

static bool is_found(const char *word, const struct dp_record *note)
{
	struct ctl_namer *namer = ctl_namer_new(&privacy);
	struct dp_endpoint_nets nets;
	struct ctl_flow_seek seek;
	struct dp_err err;
	bool is_it;

	dp_endpoint_nets_default(&nets);
	assert_int_equal(ctl_flow_seek_read(word, &seek, &err), 0);
	is_it = ctl_flow_seek_is(&seek, note, &nets, namer);
	ctl_namer_free(namer);
	return is_it;
}

/* What is shown for the client: by its /64 in IPv6. */
static char *pseudonym_of(const char *text)
{
	struct ctl_namer *namer = ctl_namer_new(&privacy);
	char name[CTL_SUBJECT_MAX];
	struct dp_addr addr;

	assert_int_equal(dp_addr_parse(text, &addr), 0);
	ctl_namer_endpoint(namer, &addr, name);
	ctl_namer_free(namer);
	return g_strdup(name);
}

static void a_flow_is_found_by_addresses_and_by_pseudonym(void **)
{
	g_autofree char *name = pseudonym_of("10.0.0.7"), *name6 = pseudonym_of("fc00:0:0:1::");
	g_autofree char *by_name = g_strdup_printf("tcp:[%s]:50312-203.0.113.9:443", name);
	g_autofree char *by_name6 = g_strdup_printf("tcp:[2001:db8::9]:443-[%s]:50312", name6);
	const struct {
		const char *word;
		bool is_v6, is_it;
	} rows[] = {
		{"tcp:10.0.0.7:50312-203.0.113.9:443", false, true},
		{"tcp:203.0.113.9:443-10.0.0.7:50312", false, true},
		{"udp:10.0.0.7:50312-203.0.113.9:443", false, false},
		{"tcp:10.0.0.7:50313-203.0.113.9:443", false, false},
		{"tcp:10.0.0.8:50312-203.0.113.9:443", false, false},
		{"tcp:10.0.0.7:443-203.0.113.9:50312", false, false},
		{by_name, false, true},
		{by_name6, true, true},
		{by_name6, false, false},
		{"tcp:[endpoint:aaaa]:50312-203.0.113.9:443", false, false},
		{"tcp:[fc00:0:0:1::7]:50312-[2001:db8::9]:443", true, true},
		{"tcp:[fc00:0:0:1::8]:50312-[2001:db8::9]:443", true, false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		for (int is_turned = 0; is_turned < 2; is_turned++) {
			const struct dp_record note = note_of(rows[i].is_v6, is_turned);

			if (is_found(rows[i].word, &note) != rows[i].is_it)
				fail_msg("%s: expected %d", rows[i].word, rows[i].is_it);
		}
	}
}

static void what_is_no_flow_is_refused_and_not_repeated(void **)
{
	static const char *const words[] = {"", "tcp", "tcp:", "icmp:10.0.0.7-203.0.113.9",
		"tcp:10.0.0.7:50312", "tcp:10.0.0.7:50312-", "tcp:10.0.0.7:0-203.0.113.9:443",
		"tcp:10.0.0.7:65536-203.0.113.9:443", "tcp:10.0.0.7-203.0.113.9:443",
		"tcp:10.0.0.7:50312-203.0.113.9:", "tcp:fc00::7:50312-203.0.113.9:443",
		"tcp:[10.0.0.7]:50312-203.0.113.9:443", "tcp:[fc00::7:50312-203.0.113.9:443",
		"tcp:]:50312-203.0.113.9:443", "tcp:[endpoint:]:50312-203.0.113.9:443",
		"tcp:[endpoint:a]:50312-[endpoint:b]:443", "tcp:10.0.0.7:+5-203.0.113.9:443",
		"tcp:10.0.0.7:000050312-203.0.113.9:443"};

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		struct ctl_flow_seek seek;
		struct dp_err err = {0};

		if (ctl_flow_seek_read(words[i], &seek, &err) != -EINVAL)
			fail_msg("'%s' was taken", words[i]);
		assert_true(g_str_has_prefix(err.text, "expected a flow"));
		assert_null(strstr(err.text, "50313"));
	}
}

/* Each from its own heap block, so that a step too far is seen. */
static void a_word_may_end_anywhere(void **)
{
	static const char word[] = "tcp:[endpoint:abcdefgh]:50312-[2001:db8::9]:443";

	for (size_t len = 0; len <= strlen(word); len++) {
		g_autofree char *cut = g_strndup(word, len);
		struct ctl_flow_seek seek;
		struct dp_err err;
		const bool is_whole = len > strlen(word) - 3; // of the port one digit will do

		assert_int_equal(ctl_flow_seek_read(cut, &seek, &err), is_whole ? 0 : -EINVAL);
	}
}

static void long_words_are_refused(void **)
{
	g_autofree char *name = g_strnfill(CTL_SUBJECT_MAX, 'a');
	g_autofree char *word = g_strdup_printf("tcp:[endpoint:%s]:50312-203.0.113.9:443", name);
	g_autofree char *endless = g_strnfill(100000, ':');
	struct ctl_flow_seek seek;
	struct dp_err err;

	assert_int_equal(ctl_flow_seek_read(word, &seek, &err), -EINVAL);
	assert_int_equal(ctl_flow_seek_read(endless, &seek, &err), -EINVAL);
}

static void what_was_asked_for_by_pseudonym_stays_without_an_address(void **)
{
	g_autofree char *name = pseudonym_of("10.0.0.7");
	g_autofree char *word = g_strdup_printf("tcp:[%s]:50312-203.0.113.9:443", name);
	struct dp_record note = note_of(false, false), kept;
	struct ctl_flow_seek seek;
	char text[DP_ADDR_STRLEN];
	struct dp_err err;

	note.endpoint = note.note.src;
	assert_int_equal(ctl_flow_seek_read(word, &seek, &err), 0);
	kept = note;
	ctl_flow_seek_mask(&seek, &note);
	assert_string_equal(dp_addr_format(&note.note.src, text), "0.0.0.0");
	assert_string_equal(dp_addr_format(&note.endpoint, text), "0.0.0.0");
	assert_string_equal(dp_addr_format(&note.note.dst, text), "203.0.113.9");
	assert_int_equal(ctl_flow_seek_read("tcp:10.0.0.7:50312-203.0.113.9:443", &seek, &err), 0);
	note = kept;
	ctl_flow_seek_mask(&seek, &note);
	assert_memory_equal(&note, &kept, sizeof(note));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_is_found_by_addresses_and_by_pseudonym),
		cmocka_unit_test(what_is_no_flow_is_refused_and_not_repeated),
		cmocka_unit_test(a_word_may_end_anywhere),
		cmocka_unit_test(long_words_are_refused),
		cmocka_unit_test(what_was_asked_for_by_pseudonym_stays_without_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
