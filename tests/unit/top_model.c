// SPDX-License-Identifier: BSD-3-Clause
#include "control/top_model.h"

#include "control/top_order.h"
#include "tests/unit/top_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PORT(frames, bytes, up, down) \
	",\"ports\":[{\"port\":\"p\",\"state\":\"up\",\"frames\":" #frames ",\"bytes\":" #bytes \
	",\"up_packets\":" #up ",\"down_packets\":" #down "}]"
#define APP(name, bytes, flows) \
	"{\"app\":\"" name "\",\"bytes\":" #bytes ",\"flows\":" #flows ",\"up_bytes\":0," \
	"\"down_bytes\":" #bytes "}"
#define LEDGER(received, lost) \
	",\"ledger\":[{\"part\":\"total\",\"what\":\"received\",\"count\":" #received \
	",\"unit\":\"frames\"},{\"part\":\"total\",\"what\":\"lost\",\"count\":" #lost \
	",\"unit\":\"frames\"},{\"part\":\"port:p\",\"what\":\"lost\",\"count\":" #lost \
	",\"unit\":\"frames\"}]"
#define TRIGGER(count) \
	",\"triggers\":[{\"state\":\"decided\",\"name\":\"t\",\"reason\":\"\",\"count\":" #count \
	"}]"

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

static const struct ctl_top_view *take(int pid, int uptime_ms, const char *rest)
{
	ctl_top_model_take(model, top_sample_at(pid, uptime_ms, rest));
	return ctl_top_model_view(model);
}

static const struct ctl_top_app_row *app(const struct ctl_top_view *view, const char *name)
{
	for (guint i = 0; i < view->apps->len; i++) {
		if (strcmp(ctl_top_row(ctl_top_app_row, view->apps, i)->now.name, name) == 0)
			return ctl_top_row(ctl_top_app_row, view->apps, i);
	}
	fail_msg("no app %s", name);
	return NULL;
}

static void before_the_first_answer_nothing_is_known(void **)
{
	const struct ctl_top_view *view = ctl_top_model_view(model);

	assert_int_equal(view->state, CTL_TOP_NOTHING);
	assert_null(view->now);
	assert_true(isnan(view->wire_bps) && isnan(view->lost_ps));
}

static void one_answer_makes_no_rate(void **)
{
	const struct ctl_top_view *view = take(1, 5000, PORT(10, 1000, 5, 5) LEDGER(10, 3));

	assert_int_equal(view->state, CTL_TOP_FIRST);
	assert_true(isnan(view->frames_ps) && isnan(view->lost_ps) && isnan(view->up_bps));
	assert_int_equal(view->lost_total, 3);
	assert_int_equal(view->lost_since_ns, 0);
}

static void rates_are_by_the_daemons_clock(void **)
{
	const struct ctl_top_view *view;

	(void)take(1, 5000, PORT(100, 10000, 40, 60));
	view = take(1, 7500, PORT(1100, 260000, 540, 560));
	assert_int_equal(view->state, CTL_TOP_RATES);
	assert_float_equal(view->seconds, 2.5, 1e-9);
	assert_float_equal(view->frames_ps, 400, 1e-9);
	assert_float_equal(view->wire_bps, 8 * 100000, 1e-9);
	assert_float_equal(view->up_pps, 200, 1e-9);
	assert_float_equal(view->down_pps, 200, 1e-9);
}

static void the_same_answer_twice_makes_no_rate(void **)
{
	(void)take(1, 5000, PORT(100, 10000, 40, 60));
	assert_true(isnan(take(1, 5000, PORT(100, 10000, 40, 60))->frames_ps));
}

static void another_process_is_said_and_makes_no_negative_rate(void **)
{
	const struct ctl_top_view *view;

	(void)take(1, 60000, PORT(1000, 10000, 0, 0) LEDGER(1000, 50) TRIGGER(9));
	(void)take(1, 62000, PORT(1200, 12000, 0, 0) LEDGER(1200, 60) TRIGGER(10));
	view = take(2, 1000, PORT(10, 100, 0, 0) LEDGER(10, 0) TRIGGER(1));
	assert_int_equal(view->n_restarts, 1);
	assert_true(view->restarted_ns > 0);
	assert_int_equal(view->state, CTL_TOP_FIRST);
	assert_true(isnan(view->frames_ps) && isnan(view->lost_ps));
	assert_int_equal(view->losses->len, 0);
	assert_int_equal(ctl_top_row(ctl_top_decision_row, view->triggers, 0)->lately, 0);
	view = take(2, 3000, PORT(210, 2100, 0, 0) LEDGER(210, 0) TRIGGER(1));
	assert_float_equal(view->frames_ps, 100, 1e-9);
	assert_int_equal(view->n_restarts, 1);
}

static void a_clock_that_goes_back_is_another_process(void **)
{
	(void)take(1, 60000, PORT(1000, 10000, 0, 0));
	assert_int_equal(take(1, 1000, PORT(2000, 20000, 0, 0))->n_restarts, 1);
}

static void a_counter_that_falls_has_no_rate(void **)
{
	(void)take(1, 1000, PORT(1000, 10000, 0, 0));
	assert_true(isnan(take(1, 2000, PORT(900, 20000, 0, 0))->frames_ps));
}

static void apps_are_rated_by_event_time(void **)
{
	const struct ctl_top_view *view;

	(void)take(1, 5000, ",\"apps\":[" APP("a", 1000, 1) "," APP("b", 9000, 1) "]");
	// One tick was completed in these 1.9 s: the clock says 6.9, the watermark 6.
	view = take(1, 6900, ",\"apps\":[" APP("a", 4000, 3) "," APP("b", 10000, 1) "]");
	assert_float_equal(app(view, "a")->bps, 8 * 3000, 1e-9);
	assert_float_equal(app(view, "a")->flows_ps, 2, 1e-9);
	assert_float_equal(app(view, "a")->share, 0.75, 1e-9);
	assert_float_equal(view->down_bps, 8 * 4000, 1e-9);
	assert_float_equal(view->up_bps, 0, 1e-9);
}

static void apps_keep_their_rates_until_the_next_tick(void **)
{
	const struct ctl_top_view *view;

	(void)take(1, 5000, ",\"apps\":[" APP("a", 1000, 1) "]");
	(void)take(1, 6000, ",\"apps\":[" APP("a", 4000, 1) "]");
	view = take(1, 6400, ",\"apps\":[" APP("a", 4000, 1) "]");
	assert_float_equal(app(view, "a")->bps, 8 * 3000, 1e-9);
	view = take(1, 7100, ",\"apps\":[" APP("a", 5000, 1) "]");
	assert_float_equal(app(view, "a")->bps, 8 * 1000, 1e-9);
}

static void apps_of_half_a_tick_are_not_rated(void **)
{
	struct ctl_top_sample *torn;

	(void)take(1, 5000, ",\"apps\":[" APP("a", 1000, 1) "]");
	(void)take(1, 6000, ",\"apps\":[" APP("a", 2000, 1) "]");
	torn = top_sample_at(1, 7000, ",\"apps\":[" APP("a", 999999, 1) "]");
	torn->counted_ns[1] += 1000000000;
	ctl_top_model_take(model, torn);
	assert_float_equal(app(ctl_top_model_view(model), "a")->bps, 8 * 1000, 1e-9);
	assert_float_equal(
		app(take(1, 8000, ",\"apps\":[" APP("a", 6000, 1) "]"), "a")->bps, 8 * 2000, 1e-9);
}

static void undecided_bytes_that_find_their_app_are_not_counted_twice(void **)
{
	const struct ctl_top_view *view;

	(void)take(1, 5000, ",\"apps\":[" APP("undecided", 8000, 4) "," APP("a", 0, 0) "]");
	view = take(1, 6000, ",\"apps\":[" APP("undecided", 1000, 4) "," APP("a", 9000, 0) "]");
	assert_float_equal(view->down_bps, 8 * 2000, 1e-9);
	assert_float_equal(app(view, "undecided")->bps, 0, 1e-9);
	assert_float_equal(view->undecided_share, 0, 1e-9);
}

static void an_app_that_is_new_began_at_zero(void **)
{
	(void)take(1, 5000, ",\"apps\":[" APP("a", 1000, 1) "]");
	assert_float_equal(
		app(take(1, 6000, ",\"apps\":[" APP("a", 1000, 1) "," APP("b", 500, 1) "]"), "b")
			->bps,
		8 * 500, 1e-9);
}

static void no_tick_for_long_is_told(void **)
{
	struct ctl_top_sample *still;

	(void)take(1, 5000, ",\"apps\":[" APP("a", 1000, 1) "]");
	(void)take(1, 6000, ",\"apps\":[" APP("a", 2000, 1) "]");
	still = top_sample_at(1, 12000, ",\"apps\":[" APP("a", 2000, 1) "]");
	still->counted_ns[0] = still->counted_ns[1] -= 6000000000; // still that of 6 s
	ctl_top_model_take(model, still);
	assert_float_equal(ctl_top_model_view(model)->stalled_s, 6, 1e-9);
	assert_true(isnan(app(ctl_top_model_view(model), "a")->bps));
	assert_float_equal(take(1, 13000, ",\"apps\":[" APP("a", 3000, 1) "]")->stalled_s, 0, 1e-9);
}

static void a_loss_is_told_by_place_share_and_since_when(void **)
{
	const struct ctl_top_view *view;
	const struct ctl_top_loss *loss;
	uint64_t began_ns;

	(void)take(1, 0, LEDGER(0, 5));
	view = take(1, 10000, LEDGER(9900, 105));
	began_ns = view->now->node.now_ns;
	loss = ctl_top_row(ctl_top_loss, view->losses, 0);
	assert_string_equal(loss->part, "port:p");
	assert_float_equal(loss->ps, 10, 1e-9);
	assert_int_equal(loss->total, 105);
	assert_float_equal(view->lost_ps, 10, 1e-9);
	assert_float_equal(view->lost_share, 0.01, 1e-9);
	assert_int_equal(view->lost_total, 105);
	view = take(1, 40000, LEDGER(9900, 105)); // a break
	assert_float_equal(view->lost_ps, 0, 1e-9);
	view = take(1, 60000, LEDGER(9900, 106));
	assert_int_equal(view->lost_since_ns, began_ns);
	view = take(1, 130000, LEDGER(9900, 107)); // more than a minute after
	assert_int_equal(view->lost_since_ns, view->now->node.now_ns);
}

static void triggers_of_the_last_minutes_are_told_apart(void **)
{
	const struct ctl_top_view *view = take(1, 5000, TRIGGER(100));

	assert_int_equal(ctl_top_row(ctl_top_decision_row, view->triggers, 0)->lately, 0);
	view = take(1, 65000, TRIGGER(103));
	assert_int_equal(ctl_top_row(ctl_top_decision_row, view->triggers, 0)->lately, 3);
	assert_float_equal(view->lately_s, 60, 1e-9);
	view = take(1, 300000, TRIGGER(104));
	assert_int_equal(ctl_top_row(ctl_top_decision_row, view->triggers, 0)->lately, 4);
	view = take(1, 400000, TRIGGER(104)); // those three are more than five minutes old
	assert_int_equal(ctl_top_row(ctl_top_decision_row, view->triggers, 0)->lately, 1);
	assert_float_equal(view->lately_s, 300, 1e-9);
}

static void a_swap_is_seen_until_the_last_worker_has_it(void **)
{
	const struct ctl_top_view *view = take(1, 1000,
		",\"workers\":[{\"worker\":0,\"catalogues\":2},{\"worker\":1,\"catalogues\":1}]");

	assert_int_equal(view->n_swapping, 1);
	view = take(1, 2000,
		",\"workers\":[{\"worker\":0,\"catalogues\":2,\"to_resolve\":40},"
		"{\"worker\":1,\"catalogues\":2}]");
	assert_int_equal(view->n_swapping, 1);
	assert_int_equal(view->to_resolve, 40);
	view = take(1, 3000,
		",\"workers\":[{\"worker\":0,\"catalogues\":2},{\"worker\":1,\"catalogues\":2}]");
	assert_int_equal(view->n_swapping, 0);
}

static void history_is_bounded_and_has_holes(void **)
{
	const struct ctl_top_view *view = NULL;

	for (int i = 0; i < CTL_TOP_HISTORY_MAX + 5; i++) {
		g_autofree char *rest = g_strdup_printf(
			",\"ports\":[{\"port\":\"p\",\"state\":\"up\",\"frames\":%d}]", i * i);

		view = take(1, 1000 * i, rest);
	}
	ctl_top_model_miss(model);
	assert_int_equal(view->n_history, CTL_TOP_HISTORY_MAX);
	assert_true(isnan(view->history[CTL_TOP_HISTORY_MAX - 1].frames_ps));
	// of i * i it grew by 2 * i - 1
	assert_float_equal(view->history[CTL_TOP_HISTORY_MAX - 2].frames_ps,
		2 * (CTL_TOP_HISTORY_MAX + 4) - 1, 1e-9);
}

static void apps_are_ordered_as_wanted(void **)
{
	static const char *const firsts[] = {"youtube", "netflix", "dns"};
	const struct ctl_top_view *view;

	(void)take(1, 1000,
		",\"apps\":[" APP("netflix", 9000, 1) "," APP("youtube", 10, 1) "," APP(
			"dns", 10, 1) "]");
	view = take(1, 2000,
		",\"apps\":[" APP("netflix", 9100, 1) "," APP("youtube", 510, 1) "," APP(
			"dns", 20, 9) "]");
	for (int i = 0; i < CTL_TOP_BY_COUNT; i++) {
		GPtrArray *order = ctl_top_order_apps(view, (enum ctl_top_order)i);

		assert_string_equal(
			((const struct ctl_top_app_row *)order->pdata[0])->now.name, firsts[i]);
		g_ptr_array_free(order, TRUE);
	}
}

static void rows_beyond_the_limit_are_counted(void **)
{
	GString *rows = g_string_new(",\"triggers\":[");
	const struct ctl_top_view *view;

	for (int i = 0; i < CTL_TOP_ROWS_MAX + 7; i++)
		g_string_append_printf(
			rows, "%s{\"state\":\"withheld\",\"name\":\"%d\"}", i > 0 ? "," : "", i);
	g_string_append(rows, "]");
	view = take(1, 1000, rows->str);
	g_string_free(rows, TRUE);
	assert_int_equal(view->triggers->len, CTL_TOP_ROWS_MAX);
	assert_int_equal(view->now->n_left_out, 7);
}

static void odd_answers_are_zero_and_cut(void **)
{
	g_autofree char *name = g_strnfill(500, 'x');
	g_autofree char *rest = g_strdup_printf(
		",\"ports\":[{\"port\":\"%s\xc3\xa9\",\"state\":7,\"frames\":-3,\"bytes\":\"many\"}]",
		name);
	const struct ctl_top_port *port = ctl_top_row(
		ctl_top_port, take(1, 1000, rest)->now->ports, 0);

	assert_int_equal(strlen(port->name), CTL_TOP_NAME_MAX - 1);
	assert_string_equal(port->state, "");
	assert_int_equal(port->frames, 0);
	assert_int_equal(port->bytes, 0);
	assert_int_equal(ctl_top_time("yesterday"), 0);
	assert_int_equal(ctl_top_time(NULL), 0);
	assert_true(ctl_top_time("2026-03-01T18:00:00.123Z") == 1772388000123000000);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(before_the_first_answer_nothing_is_known),
		T(one_answer_makes_no_rate),
		T(rates_are_by_the_daemons_clock),
		T(the_same_answer_twice_makes_no_rate),
		T(another_process_is_said_and_makes_no_negative_rate),
		T(a_clock_that_goes_back_is_another_process),
		T(a_counter_that_falls_has_no_rate),
		T(apps_are_rated_by_event_time),
		T(apps_keep_their_rates_until_the_next_tick),
		T(apps_of_half_a_tick_are_not_rated),
		T(undecided_bytes_that_find_their_app_are_not_counted_twice),
		T(an_app_that_is_new_began_at_zero),
		T(no_tick_for_long_is_told),
		T(a_loss_is_told_by_place_share_and_since_when),
		T(triggers_of_the_last_minutes_are_told_apart),
		T(a_swap_is_seen_until_the_last_worker_has_it),
		T(history_is_bounded_and_has_holes),
		T(apps_are_ordered_as_wanted),
		T(rows_beyond_the_limit_are_counted),
		T(odd_answers_are_zero_and_cut),
	};

	return cmocka_run_group_tests_name("top_model", tests, NULL, NULL);
}
