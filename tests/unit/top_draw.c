// SPDX-License-Identifier: BSD-3-Clause

/* What is drawn is in top/NAME.txt, as a terminal of that size would show it, each line between bars.
 * After a change that is meant: unit_top_draw --write, and look at the difference. */

#include "control/top_draw.h"

#include "control/top_alarms.h"
#include "control/top_json.h"
#include "tests/unit/top_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_writing;
static struct ctl_top_model *model;

static int set_up(void **)
{
	model = ctl_top_model_new();
	return 0;
}

static int tear_down(void **)
{
	ctl_top_model_free(model);
	return 0;
}

/* Two seconds of the busy node, thirty times. */
static const struct ctl_top_view *busy_view(void)
{
	for (int ms = 0; ms <= 60000; ms += 2000)
		ctl_top_model_take(model, top_busy_sample(ms));
	return ctl_top_model_view(model);
}

static char *drawn(const struct ctl_top_screen *s)
{
	GString *text = g_string_new(NULL);

	for (int row = 0; row < s->n_rows; row++) {
		g_autofree char *line = ctl_top_screen_line(s, row);

		g_string_append_printf(
			text, "|%s%*s|\n", line, s->n_cols - (int)g_utf8_strlen(line, -1), "");
	}
	return g_string_free(text, FALSE);
}

static void looks_as_in(const char *name, const struct ctl_top_screen *s)
{
	g_autofree char *path = g_strdup_printf(
		"%s/tests/unit/top/%s.txt", getenv("WIRECUE_TOP"), name);
	g_autofree char *got = drawn(s);
	g_autofree char *expected = NULL;

	if (is_writing)
		assert_true(g_file_set_contents(path, got, -1, NULL));
	assert_true(g_file_get_contents(path, &expected, NULL, NULL));
	if (strcmp(got, expected) != 0)
		print_message("%s:\n%s", name, got);
	assert_string_equal(got, expected);
}

static void looks_like(const char *name, int n_rows, int n_cols, bool is_utf8,
	const struct ctl_top_view *view, struct ctl_top_ui *ui)
{
	struct ctl_top_screen s;

	ctl_top_screen_init(&s, n_rows, n_cols, is_utf8);
	ctl_top_draw(&s, view, ui);
	looks_as_in(name, &s);
	ctl_top_screen_fini(&s);
}

static void the_overview_fits_each_screen(void **)
{
	const struct ctl_top_view *view = busy_view();
	struct ctl_top_ui ui = {.interval_s = 2};

	looks_like("80x24", 24, 80, true, view, &ui);
	looks_like("120x40", 40, 120, true, view, &ui);
	looks_like("40x10", 10, 40, true, view, &ui);
	looks_like("80x24-ascii", 24, 80, false, view, &ui);
}

static void each_pane_has_its_table(void **)
{
	static const char *const names[CTL_TOP_PANE_COUNT] = {
		"overview", "trouble", "apps", "ports", "workers", "triggers"};
	const struct ctl_top_view *view = busy_view();

	for (int pane = CTL_TOP_PANE_TROUBLE; pane < CTL_TOP_PANE_COUNT; pane++) {
		struct ctl_top_ui ui = {.interval_s = 0.5, .pane = (enum ctl_top_pane)pane};
		g_autofree char *name = g_strdup_printf("%s-80x24", names[pane]);

		looks_like(name, 24, 80, true, view, &ui);
	}
}

static void before_an_answer_and_without_one_it_says_so(void **)
{
	struct ctl_top_ui ui = {.interval_s = 2};

	looks_like("nothing-80x24", 24, 80, true, ctl_top_model_view(model), &ui);
	ui.away = "no wirecue answers on '/run/wirecue/control.sock' (\x1b[31mrefused)";
	ui.away_s = 75;
	looks_like("away-80x24", 24, 80, true, busy_view(), &ui);
	ui.is_help = true;
	looks_like("help-80x24", 24, 80, true, ctl_top_model_view(model), &ui);
}

/* All that the screen has, its lines joined by blanks. */
static char *words_of(const struct ctl_top_screen *s)
{
	GString *words = g_string_new(NULL);

	for (int row = 0; row < s->n_rows; row++) {
		g_autofree char *line = ctl_top_screen_line(s, row);

		g_string_append_printf(words, " %s", g_strstrip(line));
	}
	return g_string_free(words, FALSE);
}

static void what_is_wrong_stands_there_to_its_last_word(void **)
{
	static const char away[] =
		"no wirecue answers on '/run/wirecue/control.sock' (Connection refused): start it with "
		"'wirecue run', or name its socket with --socket";
	static const char cause[] =
		"Connection refused by 203.0.113.9:6379, which is what getaddrinfo had for "
		"redis.example.com at the last of 1200 attempts";
	struct ctl_top_sample *sample = top_busy_sample(0);
	struct ctl_top_ui ui = {.interval_s = 2, .pane = CTL_TOP_PANE_TROUBLE};
	struct ctl_top_screen s;
	g_autofree char *asked = NULL, *unanswered = NULL;

	(void)g_strlcpy(sample->redis.last_error, cause, sizeof(sample->redis.last_error));
	ctl_top_model_take(model, sample);
	ctl_top_screen_init(&s, 24, 80, true);
	ctl_top_draw(&s, ctl_top_model_view(model), &ui);
	asked = words_of(&s);
	assert_non_null(strstr(asked, cause));
	ctl_top_screen_fini(&s);
	ui.away = away;
	ctl_top_screen_init(&s, 24, 80, true);
	ctl_top_draw(&s, ctl_top_model_view(model), &ui);
	unanswered = words_of(&s);
	assert_non_null(strstr(unanswered, away));
	ctl_top_screen_fini(&s);
	ui.is_help = true;
	ctl_top_screen_init(&s, 24, 80, true);
	ctl_top_draw(&s, ctl_top_model_view(model), &ui);
	g_free(unanswered);
	unanswered = words_of(&s);
	assert_null(strstr(unanswered, "…"));
	ctl_top_screen_fini(&s);
}

static void the_first_answer_has_no_rates(void **)
{
	struct ctl_top_ui ui = {.interval_s = 2, .is_paused = true};

	ctl_top_model_take(model, top_busy_sample(0));
	looks_like("first-80x24", 24, 80, true, ctl_top_model_view(model), &ui);
}

/* The style of the first cell of that text, or fails. */
static enum ctl_top_style style_of(const struct ctl_top_screen *s, const char *text)
{
	for (int row = 0; row < s->n_rows; row++) {
		g_autofree char *line = ctl_top_screen_line(s, row);
		const char *at = strstr(line, text);

		if (at != NULL)
			return s->cells[row * s->n_cols + (int)g_utf8_strlen(line, at - line)]
				.style;
	}
	fail_msg("'%s' is not on the screen", text);
	return CTL_TOP_PLAIN;
}

static void loss_is_red_and_what_is_old_is_faint(void **)
{
	const struct ctl_top_view *view = busy_view();
	struct ctl_top_ui ui = {.interval_s = 2};
	struct ctl_top_screen s;

	ctl_top_screen_init(&s, 24, 80, true);
	ctl_top_draw(&s, view, &ui);
	assert_int_equal(style_of(&s, "!! port:tap-a lost"), CTL_TOP_ALARM);
	assert_int_equal(style_of(&s, "1.24k frames/s ("), CTL_TOP_ALARM);
	assert_int_equal(style_of(&s, "unreachable,"), CTL_TOP_ALARM);
	assert_int_equal(style_of(&s, "netflix"), CTL_TOP_PLAIN);
	ctl_top_screen_fini(&s);
	ctl_top_screen_init(&s, 24, 80, true);
	ui.away = "nobody";
	ctl_top_draw(&s, view, &ui);
	assert_int_equal(style_of(&s, "!! no answer"), CTL_TOP_ALARM);
	assert_int_equal(style_of(&s, "netflix"), CTL_TOP_FAINT);
	ctl_top_screen_fini(&s);
}

/* Whatever the size and whatever the texts: nothing beyond the edges (the sanitizers see it), and no
 * cell that a terminal obeys. */
static void no_size_and_no_text_makes_garbage(void **)
{
	const struct ctl_top_view *view = busy_view();

	for (int n_rows = 0; n_rows <= 30; n_rows++) {
		for (int n_cols = 0; n_cols <= 130; n_cols += 1 + n_rows % 3) {
			struct ctl_top_ui ui = {.interval_s = 2,
				.pane = (enum ctl_top_pane)(n_cols % CTL_TOP_PANE_COUNT),
				.is_help = n_rows == 7,
				.scroll = n_cols,
				.away = n_rows % 4 == 1 ? "\x1b[2Jgone" : NULL};
			struct ctl_top_screen s;

			ctl_top_screen_init(&s, n_rows, n_cols, n_cols % 2 == 0);
			ctl_top_draw(&s, view, &ui);
			for (int i = 0; i < n_rows * n_cols; i++) {
				assert_true(s.cells[i].ch >= ' ' && s.cells[i].ch != 0x7f);
				assert_true(s.is_utf8 || s.cells[i].ch < 0x7f);
				assert_true(s.cells[i].style < CTL_TOP_STYLE_COUNT);
			}
			ctl_top_screen_fini(&s);
		}
	}
}

static void keys_change_what_is_shown(void **)
{
	const struct ctl_top_view *view = busy_view();
	struct ctl_top_ui ui = {.interval_s = 2, .n_page = 2};

	ctl_top_ui_press(&ui, view, CTL_TOP_KEY_DOWN);
	assert_int_equal(ui.scroll, 1);
	ctl_top_ui_press(&ui, view, CTL_TOP_KEY_PAGE_DOWN);
	assert_int_equal(ui.scroll, 3); // five apps, two on the screen
	ctl_top_ui_press(&ui, view, CTL_TOP_KEY_PAGE_DOWN);
	assert_int_equal(ui.scroll, 3);
	ctl_top_ui_press(&ui, view, CTL_TOP_KEY_PAGE_UP);
	ctl_top_ui_press(&ui, view, CTL_TOP_KEY_UP);
	ctl_top_ui_press(&ui, view, CTL_TOP_KEY_UP);
	assert_int_equal(ui.scroll, 0);
	ctl_top_ui_press(&ui, view, CTL_TOP_KEY_DOWN);
	ctl_top_ui_press(&ui, view, CTL_TOP_KEY_SORT);
	assert_int_equal(ui.order, CTL_TOP_BY_TOTAL);
	assert_int_equal(ui.scroll, 0);
	ctl_top_ui_press(&ui, view, CTL_TOP_KEY_PANE_BACK);
	assert_int_equal(ui.pane, CTL_TOP_PANE_TRIGGERS);
	ctl_top_ui_press(&ui, view, CTL_TOP_KEY_PANE);
	assert_int_equal(ui.pane, CTL_TOP_PANE_OVERVIEW);
	for (int i = 0; i < 20; i++)
		ctl_top_ui_press(&ui, view, CTL_TOP_KEY_FASTER);
	assert_float_equal(ui.interval_s, CTL_TOP_INTERVAL_MIN_S, 1e-9);
	for (int i = 0; i < 20; i++)
		ctl_top_ui_press(&ui, view, CTL_TOP_KEY_SLOWER);
	assert_float_equal(ui.interval_s, CTL_TOP_INTERVAL_MAX_S, 1e-9);
	ctl_top_ui_press(&ui, view, CTL_TOP_KEY_PAUSE);
	assert_true(ui.is_paused);
}

static void alarms_come_worst_first(void **)
{
	GArray *alarms = ctl_top_alarms(busy_view());

	assert_true(alarms->len >= 4);
	for (guint i = 1; i < alarms->len; i++)
		assert_true(ctl_top_row(ctl_top_alarm, alarms, i - 1)->severity <=
			ctl_top_row(ctl_top_alarm, alarms, i)->severity);
	g_array_free(alarms, TRUE);
}

static void a_loss_that_has_just_ended_stays_on_the_screen(void **)
{
	struct ctl_top_sample *later = top_busy_sample(62000);
	GArray *alarms;

	(void)busy_view();
	for (guint i = 0; i < later->ledger->len; i++) {
		struct ctl_top_frames *row = ctl_top_row(ctl_top_frames, later->ledger, i);

		if (strcmp(row->what, "lost") == 0 || strcmp(row->what, "queue_full") == 0)
			row->count = 0; // less than before: no rate
	}
	ctl_top_model_take(model, later);
	alarms = ctl_top_alarms(ctl_top_model_view(model));
	for (guint i = 0; i < alarms->len; i++) {
		if (strstr(ctl_top_row(ctl_top_alarm, alarms, i)->text,
			    "frames were lost from 18:01:02 to 18:02:00") != NULL)
			break;
		assert_true(i + 1 < alarms->len);
	}
	g_array_free(alarms, TRUE);
}

static bool is_said(const char *part_of_alarm)
{
	GArray *alarms = ctl_top_alarms(ctl_top_model_view(model));
	bool is_found = false;

	for (guint i = 0; i < alarms->len && !is_found; i++)
		is_found = strstr(ctl_top_row(ctl_top_alarm, alarms, i)->text, part_of_alarm) !=
			NULL;
	g_array_free(alarms, TRUE);
	return is_found;
}

/* Then more of it, or a faster one, is no cure. */
static void a_thread_whose_cpu_others_take_is_not_too_slow(void **)
{
	struct ctl_top_sample *later = top_busy_sample(62000);

	(void)busy_view();
	assert_true(is_said("port:tap-a lost: 1.2k frames/s since 18:01:02, the receiver cannot"));
	assert_true(is_said("port:tap-a queue_full: 40 frames/s since 18:01:02, a worker cannot"));
	ctl_top_row(ctl_top_port, later->ports, 0)->disturbed = 200;
	ctl_top_row(ctl_top_worker, later->workers, 1)->disturbed = 20;
	ctl_top_model_take(model, later);
	assert_true(is_said("port:tap-a lost: 1.2k frames/s since 18:01:02, others take its CPU"));
	assert_true(is_said("queue_full: 40 frames/s since 18:01:02, others take a worker's CPU"));
}

/* As of a daemon of another version, which does not know the question. */
static void what_the_daemon_does_not_tell_is_no_health(void **)
{
	static const char rest[] =
		",\"ports\":[],\"workers\":[],\"apps\":[],\"triggers\":[],\"redis\":[],"
		"\"store\":[],\"gaps\":[],\"history\":[],\"staged\":[]";
	GArray *alarms;

	ctl_top_model_take(model, top_busy_sample(0));
	ctl_top_model_take(model, top_sample_at(4711, 62000, rest));
	assert_true(isnan(ctl_top_model_view(model)->lost_ps));
	alarms = ctl_top_alarms(ctl_top_model_view(model));
	assert_non_null(strstr(ctl_top_row(ctl_top_alarm, alarms, alarms->len - 1)->text,
		"not looked at: ledger, quality;"));
	g_array_free(alarms, TRUE);
}

/* As text a line is a record, whatever texts the daemon sent. */
static void text_and_json_say_the_same(void **)
{
	json_t *object = ctl_top_json(busy_view(), 3);
	char *text = NULL;
	size_t len, n_lines = 0, n_records = 0;
	FILE *out = open_memstream(&text, &len);
	const char *key;
	json_t *value;

	assert_non_null(out);
	ctl_top_print(object, out);
	assert_int_equal(fclose(out), 0);
	json_object_foreach(object, key, value)
	{
		n_records += json_is_object(value) ? 1 : json_array_size(value);
	}
	for (size_t i = 0; i < len; i++) {
		assert_true((unsigned char)text[i] >= ' ' || text[i] == '\n');
		n_lines += text[i] == '\n';
	}
	assert_int_equal(n_lines, n_records);
	assert_int_equal(json_array_size(json_object_get(object, "apps")), 3);
	assert_non_null(strstr(text, " throughput wire_bps=1e+09 frames_ps=190000 "));
	assert_non_null(strstr(text, " part=port:tap-a what=lost frames_ps=1204 "));
	assert_non_null(strstr(text, "\\u001B[2J"));
	free(text);
	json_decref(object);
}

static void who_is_away_has_no_figures(void **)
{
	json_t *object = ctl_top_json_away(busy_view(), "nobody", 1772388305000000000);
	g_autofree char *text = json_dumps(object, JSON_COMPACT);

	assert_string_equal(text,
		"{\"time\":\"2026-03-01T18:05:05.000Z\",\"node\":{\"state\":\"away\",\"cause\":"
		"\"nobody\",\"node\":\"lab\",\"version\":\"0.1.0\",\"pid\":4711,\"restarts\":0}}");
	json_decref(object);
}

int main(int argc, char **argv)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(the_overview_fits_each_screen),
		T(each_pane_has_its_table),
		T(before_an_answer_and_without_one_it_says_so),
		T(what_is_wrong_stands_there_to_its_last_word),
		T(the_first_answer_has_no_rates),
		T(loss_is_red_and_what_is_old_is_faint),
		T(no_size_and_no_text_makes_garbage),
		T(keys_change_what_is_shown),
		T(alarms_come_worst_first),
		T(a_loss_that_has_just_ended_stays_on_the_screen),
		T(a_thread_whose_cpu_others_take_is_not_too_slow),
		T(what_the_daemon_does_not_tell_is_no_health),
		T(text_and_json_say_the_same),
		T(who_is_away_has_no_figures),
	};

	is_writing = argc == 2 && strcmp(argv[1], "--write") == 0;
	return cmocka_run_group_tests_name("top_draw", tests, NULL, NULL);
}
