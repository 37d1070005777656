// SPDX-License-Identifier: BSD-3-Clause
/* What ports did not deliver, tick by tick: shares and gaps. */
#include "control/watch_sources.h"

#include "control/log.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)
enum { N_PORTS = 2, BEGIN = 1000 };

struct rig {
	struct ctl_port ports[N_PORTS];
	struct ctl_config config;
	struct ctl_gaps *gaps;
	struct ctl_source_watch *watch;
	struct dp_port_stats stats[N_PORTS];
	struct dp_path_stats path;
	uint64_t now; // s
	char *log;
	size_t log_len;
	FILE *out;
};

static int setup(void **state)
{
	struct rig *rig = g_new0(struct rig, 1);

	rig->ports[0].name = (char *)"up";
	rig->ports[1].name = (char *)"down";
	rig->config = (struct ctl_config){.ports = rig->ports, .n_ports = N_PORTS};
	rig->gaps = ctl_gaps_new();
	rig->watch = ctl_source_watch_new(&rig->config, rig->gaps);
	rig->now = BEGIN;
	rig->out = open_memstream(&rig->log, &rig->log_len);
	ctl_log_redirect(rig->out, NULL);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	ctl_log_redirect(NULL, NULL);
	(void)fclose(rig->out);
	free(rig->log);
	ctl_source_watch_free(rig->watch);
	ctl_gaps_free(rig->gaps);
	g_free(rig);
	return 0;
}

/* A second in which a port receives frames and loses others. */
static void traffic(struct rig *rig, int port, uint64_t frames, uint64_t lost)
{
	rig->stats[port].frames += frames;
	rig->stats[port].lost += lost;
	rig->path.frames += frames;
	rig->path.lost += lost;
}

static double tick(struct rig *rig)
{
	rig->now++;
	return ctl_source_watch_tick(
		rig->watch, (rig->now - 1) * SECOND, rig->now * SECOND, &rig->path, rig->stats);
}

static void assert_share(double share, double expected)
{
	if (share < expected - 1e-9 || share > expected + 1e-9)
		fail_msg("%f instead of %f", share, expected);
}

static void quiet(struct rig *rig, int seconds)
{
	for (int i = 0; i < seconds; i++) {
		traffic(rig, 0, 100, 0);
		assert_share(tick(rig), 0);
	}
}

static void assert_gap(
	const struct rig *rig, size_t i, uint64_t from, uint64_t to, const char *cause)
{
	const struct ctl_gap *gap = ctl_gaps_at(rig->gaps, i);

	assert_string_equal(gap->cause, cause);
	assert_int_equal(gap->from_ns / 1000, from * SECOND / 1000); // but for a nanosecond
	assert_int_equal(gap->to_ns, to * SECOND);
}

static unsigned n_said(struct rig *rig, const char *words)
{
	unsigned n = 0;

	ctl_log_flush();
	(void)fflush(rig->out);
	for (const char *p = rig->log; (p = strstr(p, words)) != NULL; p++)
		n++;
	return n;
}

static void nothing_is_said_while_nothing_is_lost(void **state)
{
	struct rig *rig = *state;

	quiet(rig, 100);
	assert_share(tick(rig), 0); // nothing came at all
	assert_int_equal(ctl_gaps_count(rig->gaps), 0);
	assert_int_equal(n_said(rig, "source_gap"), 0);
}

static void losses_near_each_other_are_one_gap_of_their_port(void **state)
{
	struct rig *rig = *state;

	quiet(rig, 2);
	traffic(rig, 1, 75, 25);
	assert_share(tick(rig), 0.25);
	assert_gap(rig, 0, BEGIN + 2, BEGIN + 3, "port down lost 25 of 100 frames");
	quiet(rig, 59);
	traffic(rig, 1, 90, 10);
	assert_share(tick(rig), 0.1);
	assert_int_equal(ctl_gaps_count(rig->gaps), 1);
	assert_gap(rig, 0, BEGIN + 2, BEGIN + 63, "port down lost 35 of 200 frames");
	assert_int_equal(n_said(rig, " source_gap "), 1);
	assert_int_equal(n_said(rig, " source_gap_over "), 0);
	quiet(rig, 60);
	assert_int_equal(n_said(rig,
				 "source_gap_over source=\"port down\" cause=\"port down lost "
				 "35 of 200 frames\" seconds=61"),
		1);
	traffic(rig, 1, 1, 1); // another one
	assert_share(tick(rig), 0.5);
	assert_int_equal(ctl_gaps_count(rig->gaps), 2);
	assert_gap(rig, 1, BEGIN + 123, BEGIN + 124, "port down lost 1 of 2 frames");
	assert_gap(rig, 0, BEGIN + 2, BEGIN + 63, "port down lost 35 of 200 frames");
}

static void what_we_drop_before_a_flow_sees_it_is_lost_too(void **state)
{
	struct rig *rig = *state;

	traffic(rig, 0, 100, 0);
	rig->stats[0].outcomes[DP_OUTCOME_QUEUE_FULL] += 10;
	rig->path.outcomes[DP_OUTCOME_QUEUE_FULL] += 10;
	assert_share(tick(rig), 1 - 0.9);
	traffic(rig, 0, 100, 0);
	rig->path.outcomes[DP_OUTCOME_NO_ROOM] += 50;
	assert_share(tick(rig), 0.5);
	traffic(rig, 0, 100, 0);
	rig->path.outcomes[DP_OUTCOME_IGNORED] += 50; // as the operator wants it
	rig->path.outcomes[DP_OUTCOME_DUPLICATE] += 50; // the other one is counted
	assert_share(tick(rig), 0);
	assert_int_equal(ctl_gaps_count(rig->gaps), 2);
	assert_gap(rig, 0, BEGIN, BEGIN + 1, "port up lost 10 of 100 frames");
	assert_gap(rig, 1, BEGIN + 1, BEGIN + 2, "usage table lost 50 of 100 frames");
}

static void a_port_that_is_down_is_a_gap_as_long_as_it_is(void **state)
{
	struct rig *rig = *state;

	strcpy(rig->stats[0].down, "no such device");
	strcpy(rig->stats[1].down, "no such device");
	for (int i = 0; i < 3; i++)
		assert_share(tick(rig), 1);
	rig->stats[1].down[0] = '\0';
	traffic(rig, 1, 80, 20);
	assert_share(tick(rig), 1 - 0.8 * 0.5); // half of what there is, and a fifth of the rest
	assert_int_equal(ctl_gaps_count(rig->gaps), 3);
	assert_gap(rig, 0, BEGIN, BEGIN + 4, "port up down");
	assert_gap(rig, 1, BEGIN, BEGIN + 3, "port down down");
	assert_gap(rig, 2, BEGIN + 3, BEGIN + 4, "port down lost 20 of 100 frames");
	assert_true(ctl_gaps_at(rig->gaps, 0)->from_ns != ctl_gaps_at(rig->gaps, 1)->from_ns);
	assert_int_equal(n_said(rig, "source_gap source=\"port up\" cause=down"), 1);
	assert_int_equal(n_said(rig,
				 "source_gap_over source=\"port down\" cause=\"port down "
				 "down\" seconds=3"),
		1);
}

static void a_link_that_is_down_is_a_gap_as_long_as_it_is(void **state)
{
	struct rig *rig = *state;

	quiet(rig, 2);
	rig->stats[1].is_link_down = true;
	for (int i = 0; i < 3; i++) {
		traffic(rig, 0, 80, 20);
		assert_share(tick(rig), 1 - 0.8 * 0.5); // as of a port that is down
	}
	rig->stats[1].is_link_down = false;
	quiet(rig, 2);
	assert_int_equal(ctl_gaps_count(rig->gaps), 2);
	assert_gap(rig, 0, BEGIN + 2, BEGIN + 5, "port up lost 60 of 300 frames");
	assert_gap(rig, 1, BEGIN + 2, BEGIN + 5, "port down link down");
	assert_int_equal(
		n_said(rig, "source_gap source=\"port down\" cause=\"link down\" since="), 1);
	assert_int_equal(n_said(rig,
				 "source_gap_over source=\"port down\" cause=\"port down "
				 "link down\" seconds=3"),
		1);
	rig->stats[1].is_link_down = true; // another one
	traffic(rig, 0, 100, 0);
	assert_share(tick(rig), 0.5);
	assert_gap(rig, 2, BEGIN + 7, BEGIN + 8, "port down link down");
	ctl_source_watch_end(rig->watch, rig->now * SECOND + SECOND / 2);
	assert_int_equal(ctl_gaps_at(rig->gaps, 2)->to_ns, rig->now * SECOND + SECOND / 2);
	assert_int_equal(n_said(rig, "cause=\"port down link down\" seconds="), 2);
}

static void a_driver_that_does_not_answer_for_a_tick_has_lost_nothing(void **state)
{
	struct rig *rig = *state;
	struct dp_port_stats port;
	struct dp_path_stats path;

	traffic(rig, 0, 90, 10);
	assert_share(tick(rig), 1 - 0.9);
	port = rig->stats[0];
	path = rig->path;
	rig->stats[0].lost = rig->path.lost = 0;
	traffic(rig, 0, 50, 0);
	assert_share(tick(rig), 0);
	rig->stats[0] = port;
	rig->path = path;
	traffic(rig, 0, 90, 10);
	assert_share(tick(rig), 1 - 0.9);
	assert_gap(rig, 0, BEGIN, BEGIN + 3, "port up lost 20 of 200 frames");
}

static void a_stop_ends_what_is_open_and_nothing_begins_behind_it(void **state)
{
	struct rig *rig = *state;

	strcpy(rig->stats[0].down, "no such device");
	traffic(rig, 1, 1, 1);
	(void)tick(rig);
	ctl_source_watch_end(rig->watch, rig->now * SECOND + SECOND / 2);
	assert_int_equal(ctl_gaps_at(rig->gaps, 0)->to_ns, rig->now * SECOND + SECOND / 2);
	assert_int_equal(n_said(rig, "source_gap_over"), 2);
	traffic(rig, 1, 1, 3);
	assert_share(tick(rig), 1 - 0.25 * 0.5); // coverage is told to the end
	assert_int_equal(ctl_gaps_count(rig->gaps), 2);
	assert_int_equal(n_said(rig, "source_gap"), 4);
}

static void a_gap_that_lasts_outlives_those_that_push_it_out(void **state)
{
	struct rig *rig = *state;

	strcpy(rig->stats[0].down, "no such device");
	(void)tick(rig);
	for (int i = 0; i < CTL_GAPS_MAX + 10; i++) {
		traffic(rig, 1, 1, 1);
		(void)tick(rig);
		for (unsigned s = 0; s < CTL_LOSS_QUIET_NS / SECOND; s++)
			(void)tick(rig);
	}
	assert_int_equal(ctl_gaps_count(rig->gaps), CTL_GAPS_MAX);
	for (size_t i = 0; i < CTL_GAPS_MAX; i++) {
		const struct ctl_gap *gap = ctl_gaps_at(rig->gaps, i);

		assert_true(i == 0 || gap->from_ns > ctl_gaps_at(rig->gaps, i - 1)->from_ns);
		if (strcmp(gap->cause, "port up down") == 0 && gap->to_ns == rig->now * SECOND)
			return;
	}
	fail_msg("the port is down, and no gap says so");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_said_while_nothing_is_lost),
		TEST(losses_near_each_other_are_one_gap_of_their_port),
		TEST(what_we_drop_before_a_flow_sees_it_is_lost_too),
		TEST(a_port_that_is_down_is_a_gap_as_long_as_it_is),
		TEST(a_link_that_is_down_is_a_gap_as_long_as_it_is),
		TEST(a_driver_that_does_not_answer_for_a_tick_has_lost_nothing),
		TEST(a_stop_ends_what_is_open_and_nothing_begins_behind_it),
		TEST(a_gap_that_lasts_outlives_those_that_push_it_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
