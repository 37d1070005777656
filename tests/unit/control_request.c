// SPDX-License-Identifier: BSD-3-Clause
#include "control/request.h"

#include "control/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

/* Says what it was given. */
static void run_echo(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	const char *arg = ctl_args_text(args, "arg");

	(void)ctl_reply_add(reply, json_pack("{ss ss?}", "ctx", (const char *)ctx, "arg", arg));
}

/* Numbers up to 99999, in pages. */
static void run_many(void *, const json_t *args, struct ctl_reply *reply)
{
	const char *after = ctl_args_text(args, "after");
	char cursor[16];

	for (int i = after != NULL ? atoi(after) : 0; i < 100000; i++) {
		if (ctl_reply_add(reply, json_pack("{si}", "number", i)))
			continue;
		(void)snprintf(cursor, sizeof(cursor), "%d", i);
		ctl_reply_next(reply, cursor);
		return;
	}
}

static void run_chosen(void *, const json_t *args, struct ctl_reply *reply)
{
	(void)ctl_reply_add(reply,
		json_pack("{ss? ss?}", "colour", ctl_args_text(args, "colour"), "hidden",
			ctl_args_text(args, "hidden")));
}

static void run_large(void *, const json_t *, struct ctl_reply *reply)
{
	g_autofree char *text = g_strnfill(2 * CTL_REPLY_PAGE, 'x');

	assert_true(ctl_reply_add(reply, json_pack("{ss}", "text", text)));
	assert_false(ctl_reply_add(reply, json_pack("{ss}", "text", "small")));
	ctl_reply_next(reply, "rest");
}

static void run_failing(void *, const json_t *, struct ctl_reply *reply)
{
	(void)ctl_reply_add(reply, json_pack("{si}", "half", 1));
	ctl_reply_fail(reply, false, "no \"%s\" here", "data");
}

static void run_deed(void *, const json_t *, struct ctl_reply *reply)
{
	(void)ctl_reply_add(
		reply, json_pack("{sI}", "who", (json_int_t)ctl_reply_asker(reply)->uid));
}

/* Asked a third time it has an answer; to "fail" it fails, to "never" it has none. */
static void run_later(void *, const json_t *args, struct ctl_reply *reply)
{
	const uint64_t n_asked = ++*ctl_reply_memo(reply);
	const char *arg = ctl_args_text(args, "arg");

	(void)ctl_reply_add(reply, json_pack("{sI}", "asked", (json_int_t)n_asked));
	if (n_asked < 3 || g_strcmp0(arg, "never") == 0)
		ctl_reply_wait(reply);
	if (g_strcmp0(arg, "fail") == 0)
		ctl_reply_fail(reply, false, "it failed");
}

static void run_empty(void *, const json_t *args, struct ctl_reply *reply)
{
	if (ctl_args_text(args, "arg") != NULL)
		ctl_reply_fail(reply, false, "it failed");
}

static const struct ctl_show_option chosen[] = {{"colour", "WORD"}, {"hidden", NULL}, {NULL}};

static const struct ctl_show table[] = {
	{"echo", "[WORD]", "What it was given", run_echo},
	{"many", "", "Numbers", run_many},
	{"chosen", "[WORD]", "With options", run_chosen, .options = chosen},
	{"large", "", "One large record", run_large},
	{"failing", "", "Nothing", run_failing},
	{"later", "[WORD]", "Not at once", run_later, .none = "nothing later"},
	{"empty", "[WORD]", "No record", run_empty, .none = "there is none"},
	{"echo", "", "Who did it", run_deed, .acts = true},
	{"deed", "", "Who did it", run_deed, .acts = true},
	{.name = NULL},
};

static const struct ctl_asker asker = {.uid = 0, .may_act = true};
static const struct ctl_asker reader = {.uid = 1001, .may_act = false};

/* The answer to a request of its own heap block. */
static char *ask_as(const struct ctl_asker *who, const char *line, size_t len)
{
	char *copy = g_memdup2(line, len > 0 ? len : 1);
	struct ctl_request *request = ctl_request_new(who, copy, len);
	size_t answer_len;
	char *answer;

	g_free(copy);
	answer = ctl_request_answer(request, table, (void *)"context", &answer_len);
	ctl_request_free(request);
	assert_non_null(answer);
	assert_int_equal(strlen(answer), answer_len);
	assert_int_equal(answer[answer_len - 1], '\n');
	return answer;
}

static char *ask(const char *line, size_t len)
{
	return ask_as(&asker, line, len);
}

static void expect(const char *line, const char *answer)
{
	g_autofree char *got = ask(line, strlen(line));

	assert_string_equal(got, answer);
}

static void a_question_gets_records_and_an_end(void **)
{
	expect("{\"cmd\":\"show\",\"what\":\"echo\"}",
		"{\"ctx\":\"context\",\"arg\":null}\n{\"end\":true}\n");
	expect("{\"cmd\":\"show\",\"what\":\"echo\",\"args\":{\"arg\":\"word\"}}",
		"{\"ctx\":\"context\",\"arg\":\"word\"}\n{\"end\":true}\n");
	expect("{\"cmd\":\"show\",\"what\":\"echo\",\"args\":{\"arg\":17}}",
		"{\"ctx\":\"context\",\"arg\":null}\n{\"end\":true}\n");
}

static void an_empty_answer_says_what_is_not_there(void **)
{
	expect("{\"cmd\":\"show\",\"what\":\"empty\"}",
		"{\"end\":true,\"none\":\"there is none\"}\n");
	expect("{\"cmd\":\"show\",\"what\":\"empty\",\"args\":{\"after\":\"7\"}}",
		"{\"end\":true}\n"); // of the pages before it somebody had records
	expect("{\"cmd\":\"show\",\"what\":\"empty\",\"args\":{\"arg\":\"word\"}}",
		"{\"error\":\"it failed\"}\n");
}

static void a_deed_is_asked_for_as_one_and_knows_who_asked(void **)
{
	expect("{\"cmd\":\"do\",\"what\":\"deed\"}", "{\"who\":0}\n{\"end\":true}\n");
	expect("{\"cmd\":\"do\",\"what\":\"echo\"}", "{\"who\":0}\n{\"end\":true}\n");
	expect("{\"cmd\":\"show\",\"what\":\"deed\"}",
		"{\"error\":\"nothing of that name can be shown; `wirecue show` lists what "
		"can\",\"usage\":true}\n");
	expect("{\"cmd\":\"do\",\"what\":\"many\"}",
		"{\"error\":\"nothing of that name can be done\",\"usage\":true}\n");
}

static void who_may_only_look_changes_nothing(void **)
{
	static const char deed[] = "{\"cmd\":\"do\",\"what\":\"deed\"}";
	static const char look[] = "{\"cmd\":\"show\",\"what\":\"echo\"}";
	g_autofree char *refused = ask_as(&reader, deed, strlen(deed));
	g_autofree char *shown = ask_as(&reader, look, strlen(look));

	assert_string_equal(refused,
		"{\"error\":\"only root and the daemon's own user may change something\"}\n");
	assert_string_equal(shown, "{\"ctx\":\"context\",\"arg\":null}\n{\"end\":true}\n");
}

static void the_list_names_what_can_be_shown(void **)
{
	g_autofree char *got = ask("{\"cmd\":\"list\"}", 14);

	assert_true(g_str_has_prefix(
		got, "{\"name\":\"echo\",\"args\":\"[WORD]\",\"help\":\"What it was given\"}\n"));
	assert_true(g_str_has_suffix(got, "\n{\"end\":true}\n"));
	assert_null(strstr(got, "deed"));
}

static void a_wrong_question_gets_one_sentence(void **)
{
	static const char *const wrong[] = {
		"",
		"{",
		"[]",
		"17",
		"null",
		"\"show\"",
		"{}",
		"{\"cmd\":17}",
		"{\"cmd\":\"stop\"}",
		"{\"cmd\":\"show\"}",
		"{\"cmd\":\"show\",\"what\":17}",
		"{\"cmd\":\"show\",\"what\":\"nothing\"}",
		"{\"cmd\":\"show\",\"what\":\"echo\",\"args\":[]}",
		"{\"cmd\":\"show\",\"what\":\"many\",\"args\":{\"arg\":\"w\"}}",
		"{\"cmd\":\"show\",\"cmd\":\"show\",\"what\":\"echo\"}",
		"{\"cmd\":\"show\",\"what\":\"echo\"} {}",
		"{\"cmd\":\"show\",\"what\":\"echo\\u0000\"}",
		"{\"cmd\":\"show\",\"what\":\"\xff\"}",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autofree char *got = ask(wrong[i], strlen(wrong[i]));
		json_t *answer = json_loads(got, JSON_REJECT_DUPLICATES, NULL);

		assert_non_null(json_string_value(json_object_get(answer, "error")));
		assert_true(json_is_true(json_object_get(answer, "usage")));
		json_decref(answer);
	}
}

static void options_are_those_of_what_is_shown(void **)
{
	g_autofree char *list = ask("{\"cmd\":\"list\"}", 14);

	expect("{\"cmd\":\"show\",\"what\":\"chosen\",\"args\":{\"colour\":\"red\"}}",
		"{\"colour\":\"red\",\"hidden\":null}\n{\"end\":true}\n");
	expect("{\"cmd\":\"show\",\"what\":\"chosen\",\"args\":{\"hidden\":\"1\",\"after\":\"2\"}}",
		"{\"colour\":null,\"hidden\":\"1\"}\n{\"end\":true}\n");
	expect("{\"cmd\":\"show\",\"what\":\"chosen\",\"args\":{\"colour\":17}}",
		"{\"error\":\"chosen: expected a text behind --colour\",\"usage\":true}\n");
	expect("{\"cmd\":\"show\",\"what\":\"chosen\",\"args\":{\"+99900000001\":\"x\"}}",
		"{\"error\":\"chosen: it has no such option; `wirecue show` lists which there "
		"are\",\"usage\":true}\n");
	expect("{\"cmd\":\"show\",\"what\":\"echo\",\"args\":{\"colour\":\"red\"}}",
		"{\"error\":\"echo: it has no such option; `wirecue show` lists which there "
		"are\",\"usage\":true}\n");
	assert_non_null(strstr(list,
		"{\"name\":\"chosen\",\"args\":\"[WORD] [--colour WORD]\",\"help\":\"With options\"}"));
}

static void what_was_asked_is_not_repeated_in_the_sentence(void **)
{
	g_autofree char *got = ask("{\"cmd\":\"show\",\"what\":\"+99900000001\"}", 36);

	assert_null(strstr(got, "999"));
}

static void every_truncation_is_answered(void **)
{
	static const char whole[] = "{\"cmd\":\"show\",\"what\":\"echo\",\"args\":{\"arg\":\"w\"}}";

	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		g_autofree char *got = ask(whole, len);

		assert_true(g_str_has_prefix(got, "{\"error\":"));
	}
}

static void a_deep_question_is_refused(void **)
{
	g_autofree char *deep = g_strnfill(CTL_REQUEST_MAX, '[');
	g_autofree char *got = ask(deep, CTL_REQUEST_MAX);

	assert_true(g_str_has_prefix(got, "{\"error\":"));
}

static void pages_are_bounded_and_lead_through_everything(void **)
{
	g_autofree char *request = g_strdup("{\"cmd\":\"show\",\"what\":\"many\"}");
	unsigned n_pages = 0;
	int expected = 0;

	while (request != NULL) {
		g_autofree char *got = ask(request, strlen(request));
		g_auto(GStrv) lines = g_strsplit(got, "\n", 0);
		const guint n_lines = g_strv_length(lines) - 1; // the last is empty
		json_t *last = json_loads(lines[n_lines - 1], 0, NULL);
		const char *next = json_string_value(json_object_get(last, "next"));

		assert_true(strlen(got) <= CTL_REPLY_PAGE + 64);
		assert_true(json_is_true(json_object_get(last, "end")));
		for (guint i = 0; i + 1 < n_lines; i++, expected++) {
			g_autofree char *record = g_strdup_printf("{\"number\":%d}", expected);

			assert_string_equal(lines[i], record);
		}
		g_free(request);
		request = next == NULL
			? NULL
			: g_strdup_printf(
				  "{\"cmd\":\"show\",\"what\":\"many\",\"args\":{\"after\":\"%s\"}}",
				  next);
		json_decref(last);
		n_pages++;
	}
	assert_int_equal(expected, 100000);
	assert_true(n_pages > 3);
}

static void a_record_larger_than_a_page_is_a_page_of_its_own(void **)
{
	g_autofree char *got = ask("{\"cmd\":\"show\",\"what\":\"large\"}", 29);

	assert_true(strlen(got) > 2 * CTL_REPLY_PAGE);
	assert_null(strstr(got, "small"));
	assert_true(g_str_has_suffix(got, "\n{\"end\":true,\"next\":\"rest\"}\n"));
}

static void a_failure_drops_what_was_half_answered(void **)
{
	expect("{\"cmd\":\"show\",\"what\":\"failing\"}", "{\"error\":\"no \\\"data\\\" here\"}\n");
}

static void who_waits_is_asked_again_and_knows_it(void **)
{
	static const char line[] = "{\"cmd\":\"show\",\"what\":\"later\"}";
	struct ctl_request *request = ctl_request_new(&asker, line, sizeof(line) - 1);
	struct ctl_request *other = ctl_request_new(&asker, line, sizeof(line) - 1);
	g_autofree char *got = NULL;
	size_t len = 17;

	assert_null(ctl_request_answer(request, table, NULL, &len));
	assert_null(ctl_request_answer(request, table, NULL, &len));
	assert_null(ctl_request_answer(other, table, NULL, &len)); // has its own number
	assert_int_equal(len, 17);
	got = ctl_request_answer(request, table, NULL, &len);
	assert_string_equal(got, "{\"asked\":3}\n{\"end\":true}\n");
	assert_int_equal(len, strlen(got));
	ctl_request_free(other);
	ctl_request_free(request);
}

static void a_failure_ends_the_wait(void **)
{
	expect("{\"cmd\":\"show\",\"what\":\"later\",\"args\":{\"arg\":\"fail\"}}",
		"{\"error\":\"it failed\"}\n");
}

static void who_waits_for_too_long_gets_a_sentence(void **)
{
	static const char line[] =
		"{\"cmd\":\"show\",\"what\":\"later\",\"args\":{\"arg\":\"never\"}}";
	struct ctl_request *request = ctl_request_new(&asker, line, sizeof(line) - 1);
	g_autofree char *got = NULL;
	size_t len;

	for (int i = 0; i < 100; i++)
		assert_null(ctl_request_answer(request, table, NULL, &len));
	got = ctl_request_give_up(request, &len);
	assert_string_equal(got,
		"{\"error\":\"no answer within 60 s: the daemon works, but what was asked for is not "
		"ready; try again\"}\n");
	assert_int_equal(len, strlen(got));
	ctl_request_free(request);
}

/* The text form of records given as JSON lines. */
static void expect_table(const char *records, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(records, "\n", 0);
	GPtrArray *array = g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);
	struct ctl_table columns;
	char *printed = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&printed, &size);

	for (guint i = 0; lines[i] != NULL; i++)
		g_ptr_array_add(array, json_loads(lines[i], 0, NULL));
	ctl_table_init(&columns);
	ctl_table_print(&columns, array, out);
	ctl_table_fini(&columns);
	(void)fclose(out);
	assert_string_equal(printed, text);
	free(printed);
	g_ptr_array_free(array, TRUE);
}

static void records_become_padded_columns_with_a_header(void **)
{
	expect_table("{\"app\":\"netflix\",\"flows\":3}\n{\"app\":\"web\",\"flows\":1200}",
		"app      flows\nnetflix  3\nweb      1200\n");
	expect_table("{\"a\":1}\n{\"b\":2}", "a  b\n1  -\n-  2\n");
	expect_table("{\"v\":null,\"w\":0.1,\"x\":true,\"y\":[1,{\"k\":\"v w\"}]}",
		"v  w    x     y\n-  0.1  true  [1,{\"k\":\"v w\"}]\n");
	expect_table("{\"name\":\"M\xc3\xbcnchen\",\"n\":1}\n{\"name\":\"Ulm\",\"n\":2}",
		"name     n\nM\xc3\xbcnchen  1\nUlm      2\n");
}

static void no_value_makes_a_line_or_a_colour_of_its_own(void **)
{
	expect_table("{\"v\":\"two words\",\"w\":\"\"}", "v            w\n\"two words\"  \"\"\n");
	expect_table("{\"v\":\"a\\nb\"}", "v\n\"a\\nb\"\n");
	expect_table("{\"v\":\"\\u001b[31m\"}", "v\n\"\\u001B[31m\"\n");
	expect_table("{\"v\":\"x\\u009b31m\"}", "v\n\"x\\u009B31m\"\n"); // C1 CSI
	expect_table("{\"v\":\"say \\\"no\\\"\"}", "v\n\"say \\\"no\\\"\"\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_gets_records_and_an_end),
		cmocka_unit_test(an_empty_answer_says_what_is_not_there),
		cmocka_unit_test(a_deed_is_asked_for_as_one_and_knows_who_asked),
		cmocka_unit_test(who_may_only_look_changes_nothing),
		cmocka_unit_test(the_list_names_what_can_be_shown),
		cmocka_unit_test(a_wrong_question_gets_one_sentence),
		cmocka_unit_test(options_are_those_of_what_is_shown),
		cmocka_unit_test(what_was_asked_is_not_repeated_in_the_sentence),
		cmocka_unit_test(every_truncation_is_answered),
		cmocka_unit_test(a_deep_question_is_refused),
		cmocka_unit_test(pages_are_bounded_and_lead_through_everything),
		cmocka_unit_test(a_record_larger_than_a_page_is_a_page_of_its_own),
		cmocka_unit_test(a_failure_drops_what_was_half_answered),
		cmocka_unit_test(who_waits_is_asked_again_and_knows_it),
		cmocka_unit_test(a_failure_ends_the_wait),
		cmocka_unit_test(who_waits_for_too_long_gets_a_sentence),
		cmocka_unit_test(records_become_padded_columns_with_a_header),
		cmocka_unit_test(no_value_makes_a_line_or_a_colour_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
