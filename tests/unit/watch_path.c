// SPDX-License-Identifier: BSD-3-Clause
/* The alarms of the packet path over sequences of counters, a look every ten seconds. */
#include "control/watch_path.h"

#include "control/log.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct rig {
	struct ctl_path_watch *watch;
	struct dp_path_stats stats;
	char *log;
	size_t log_len;
	FILE *out;
};

static struct rig *rig_of(void **state, enum dp_duplicates_mode mode)
{
	struct rig *rig = *state;

	ctl_path_watch_free(rig->watch);
	rig->watch = ctl_path_watch_new(mode, 2);
	return rig;
}

static int setup(void **state)
{
	struct rig *rig = g_new0(struct rig, 1);

	rig->out = open_memstream(&rig->log, &rig->log_len);
	ctl_log_redirect(rig->out, NULL);
	*state = rig;
	(void)rig_of(state, DP_DUPLICATES_WATCH);
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	ctl_log_redirect(NULL, NULL);
	(void)fclose(rig->out);
	free(rig->log);
	ctl_path_watch_free(rig->watch);
	g_free(rig);
	return 0;
}

static void look(struct rig *rig)
{
	ctl_path_watch_look(rig->watch, &rig->stats, &rig->stats);
}

/* Nothing more happens for so many looks. */
static void rest(struct rig *rig, int n)
{
	while (n-- > 0)
		look(rig);
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

static bool is_on(const struct rig *rig, enum ctl_path_alarm alarm)
{
	return ctl_path_watch_is_on(rig->watch, alarm);
}

static void assert_silent(struct rig *rig)
{
	(void)fflush(rig->out);
	assert_int_equal(rig->log_len, 0);
}

static void flows(struct rig *rig, uint64_t ended, uint64_t up, uint64_t down)
{
	rig->stats.tcp_ended += ended;
	rig->stats.tcp_one_way[0] += up;
	rig->stats.tcp_one_way[1] += down;
	look(rig);
}

static void flows_of_one_direction_are_told_once_and_with_their_direction(void **state)
{
	struct rig *rig = *state;

	flows(rig, 99, 99, 0); // too few
	assert_silent(rig);
	rest(rig, CTL_PATH_LOOKS);
	flows(rig, 100, 30, 20); // half is not more than half
	assert_silent(rig);
	rest(rig, CTL_PATH_LOOKS);
	flows(rig, 100, 11, 40);
	assert_true(is_on(rig, CTL_PATH_ONE_WAY));
	assert_int_equal(n_said(rig, "one_way direction=down percent=51 flows=100"), 1);
	for (int i = 0; i < 20; i++)
		flows(rig, 50, 13, 2); // 30 %: neither here nor there
	assert_true(is_on(rig, CTL_PATH_ONE_WAY));
	for (int i = 0; i < CTL_PATH_LOOKS; i++)
		flows(rig, 50, 5, 2);
	assert_false(is_on(rig, CTL_PATH_ONE_WAY));
	assert_int_equal(n_said(rig, "path_alarm_over alarm=one_way"), 1);
	for (int i = 0; i < 20; i++)
		flows(rig, 50, 20, 4); // 48 %: not again
	assert_int_equal(n_said(rig, "\n"), 2);
	flows(rig, 1000, 1000, 0);
	assert_int_equal(n_said(rig, "one_way direction=up"), 1);
}

static void a_night_without_flows_ends_no_alarm(void **state)
{
	struct rig *rig = *state;

	flows(rig, 100, 100, 0);
	rest(rig, 1000);
	assert_true(is_on(rig, CTL_PATH_ONE_WAY));
	assert_int_equal(n_said(rig, "\n"), 1);
}

static void packets(struct rig *rig, uint64_t looked, uint64_t seen)
{
	rig->stats.copies_looked += looked;
	rig->stats.copies_seen += seen;
	look(rig);
}

static void copies_are_told_with_what_to_do(void **state)
{
	struct rig *rig = *state;

	packets(rig, 999, 500);
	rest(rig, CTL_PATH_LOOKS);
	packets(rig, 1000, 50);
	assert_silent(rig);
	rest(rig, CTL_PATH_LOOKS);
	packets(rig, 1000, 51);
	assert_int_equal(n_said(rig, "mirror_copies duplicates=watch percent=5 "), 1);
	assert_int_equal(n_said(rig, "remedy=\"workers.duplicates: drop"), 1);
	for (int i = 0; i < 20; i++)
		packets(rig, 1000, i % 2 == 0 ? 20 : 60); // 4 %
	assert_true(is_on(rig, CTL_PATH_COPIES));
	assert_int_equal(n_said(rig, "\n"), 1);
	for (int i = 0; i < CTL_PATH_LOOKS; i++)
		packets(rig, 1000, 19);
	assert_int_equal(n_said(rig, "path_alarm_over alarm=mirror_copies"), 1);

	rig = rig_of(state, DP_DUPLICATES_DROP);
	packets(rig, 1000, 500);
	assert_int_equal(n_said(rig, "mirror_copies duplicates=drop"), 1);
	assert_int_equal(n_said(rig, "remedy=\"mirror one side of each link\""), 1);
}

static void datagrams_without_room_are_told_until_a_minute_without(void **state)
{
	struct rig *rig = *state;

	rig->stats.datagrams.expired = rig->stats.datagrams.overlapped = 1000; // not for room
	look(rig);
	assert_silent(rig);
	rig->stats.datagrams.crowded++;
	look(rig);
	assert_int_equal(n_said(rig, "fragments_crowded evicted=0 crowded=1"), 1);
	for (int i = 0; i < 20; i++) {
		rig->stats.datagrams.evicted += i % CTL_PATH_LOOKS == 0;
		look(rig);
	}
	assert_int_equal(n_said(rig, "\n"), 1);
	rest(rig, CTL_PATH_LOOKS);
	assert_false(is_on(rig, CTL_PATH_FRAGMENTS));
	assert_int_equal(n_said(rig, "path_alarm_over alarm=fragments_crowded"), 1);
}

static void tunnels(struct rig *rig, enum dp_encap encap, uint64_t opened, uint64_t n_refused,
	enum dp_refusal reason)
{
	rig->stats.encaps.opened[encap] += opened;
	rig->stats.encaps.refused[encap][reason] += n_refused;
	look(rig);
}

static void a_tunnel_that_is_not_opened_is_named(void **state)
{
	struct rig *rig = *state;
	const enum ctl_path_alarm alarm = CTL_PATH_TUNNEL + DP_ENCAP_GRE;

	// What is the tunnel's own, what was cut, and what is no IP is no fault of anybody here.
	tunnels(rig, DP_ENCAP_GRE, 0, 1000, DP_REFUSAL_NOT_USER_DATA);
	tunnels(rig, DP_ENCAP_GRE, 0, 1000, DP_REFUSAL_TRUNCATED);
	tunnels(rig, DP_ENCAP_GRE, 0, 1000, DP_REFUSAL_NOT_IP);
	rest(rig, CTL_PATH_LOOKS);
	tunnels(rig, DP_ENCAP_GRE, 0, 99, DP_REFUSAL_UNSUPPORTED);
	rest(rig, CTL_PATH_LOOKS);
	tunnels(rig, DP_ENCAP_GRE, 900, 100, DP_REFUSAL_UNSUPPORTED);
	assert_silent(rig);
	tunnels(rig, DP_ENCAP_GRE, 0, 60, DP_REFUSAL_TOO_DEEP);
	assert_true(is_on(rig, alarm));
	assert_int_equal(n_said(rig,
				 "tunnel_refused encapsulation=gre reason=unsupported percent=15 "
				 "frames=160"),
		1);
	for (int e = 0; e < DP_ENCAP_COUNT; e++)
		assert_int_equal(is_on(rig, CTL_PATH_TUNNEL + e), e == DP_ENCAP_GRE);
	for (int i = 0; i < 20; i++)
		tunnels(rig, DP_ENCAP_GRE, 930, 70, DP_REFUSAL_MALFORMED);
	assert_true(is_on(rig, alarm));
	for (int i = 0; i < CTL_PATH_LOOKS; i++)
		tunnels(rig, DP_ENCAP_GRE, 950, 50, DP_REFUSAL_MALFORMED);
	assert_int_equal(n_said(rig, "path_alarm_over alarm=tunnel_refused encapsulation=gre"), 1);
	tunnels(rig, DP_ENCAP_VXLAN, 0, 100, DP_REFUSAL_MALFORMED);
	assert_int_equal(n_said(rig, "encapsulation=vxlan reason=malformed percent=100"), 1);
	rest(rig, CTL_PATH_LOOKS); // no more of it comes
	assert_false(is_on(rig, CTL_PATH_TUNNEL + DP_ENCAP_VXLAN));
}

static void received(struct rig *rig, uint64_t frames, uint64_t accounted)
{
	rig->stats.frames += frames;
	rig->stats.outcomes[DP_OUTCOME_ACCOUNTED] += accounted;
	look(rig);
}

static void a_ledger_that_does_not_add_up_is_believed_at_the_third_look(void **state)
{
	struct rig *rig = *state;

	received(rig, 1000, 990); // ten are under way
	assert_silent(rig);
	received(rig, 1000, 1011); // one too many
	received(rig, 1000, 1000);
	assert_silent(rig);
	received(rig, 1001, 1000); // it was a moment
	received(rig, 0, 1);
	received(rig, 1000, 1000);
	assert_silent(rig);
	received(rig, 1000, 1000);
	assert_true(is_on(rig, CTL_PATH_LEDGER));
	assert_int_equal(n_said(rig,
				 " error ledger_off cause=\"more frames have an outcome than were "
				 "received\" frames=1"),
		1);
	received(rig, 1, 0);
	assert_int_equal(n_said(rig, "path_alarm_over alarm=ledger_off"), 1);
}

static void frames_that_never_end_are_found_when_no_queue_can_hold_them(void **state)
{
	struct rig *rig = *state;
	int n = 0;

	for (; !is_on(rig, CTL_PATH_LEDGER) && n < 1000; n++)
		received(rig, 1000, 900); // a hundred are lost from sight each time
	assert_in_range(n, 100, 300);
	assert_int_equal(n_said(rig, "more frames are on their way than the queues hold"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(flows_of_one_direction_are_told_once_and_with_their_direction),
		TEST(a_night_without_flows_ends_no_alarm),
		TEST(copies_are_told_with_what_to_do),
		TEST(datagrams_without_room_are_told_until_a_minute_without),
		TEST(a_tunnel_that_is_not_opened_is_named),
		TEST(a_ledger_that_does_not_add_up_is_believed_at_the_third_look),
		TEST(frames_that_never_end_are_found_when_no_queue_can_hold_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
