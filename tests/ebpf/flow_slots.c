// SPDX-License-Identifier: BSD-3-Clause

/* What decided flows count on: each packet is drained once, in the tick and for the worker whose it is. */

#include "tests/ebpf/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/ebpf/seam.h"

#include <sched.h>

static struct dp_offload_usage usage[RIG_ENTRIES];

/* A flow of the subscriber's port that counts on an entry of a worker. */
static void begin(uint16_t port, uint16_t worker, uint32_t id)
{
	struct dp_five_tuple t = rig_tuple(IPPROTO_UDP);
	struct dp_offload_counts c;
	struct frame f;

	t.sport = port;
	rig_udp(&f, "10.0.0.7", port, "203.0.113.9", 443, 100);
	rig_send(&f);
	assert_int_equal(rig_take_all(), 1);
	assert_int_equal(rig.offload->ops->decide(
				 rig.offload->self, worker, &t, seam_flow(), id, false, 0, &c),
		0);
}

static void send_of(uint16_t port)
{
	struct frame f;

	rig_udp(&f, "10.0.0.7", port, "203.0.113.9", 443, 100);
	rig_send(&f);
}

static void a_tick_has_what_came_in_it(void **)
{
	begin(50000, 0, 7);
	rig_send_up();
	rig.now_ns = RIG_BEGIN_NS + RIG_S - 1;
	rig_send_up();
	rig.now_ns = RIG_BEGIN_NS + RIG_S;
	rig_send_down();
	(void)rig_drain(0, RIG_BEGIN_NS + RIG_S, usage);
	seam_assert_packets(usage[7].packets, 2, 0);
	assert_int_equal(usage[7].bytes[EBPF_UP], 2 * SEAM_BYTES);
	assert_int_equal(usage[7].last_ns, RIG_BEGIN_NS + RIG_S - 1);
	assert_int_equal(usage[7].active[0], 1 << 0 | 1 << 9);
	(void)rig_drain(0, RIG_BEGIN_NS + RIG_S, usage);
	seam_assert_packets(usage[7].packets, 0, 0);
	(void)rig_drain(0, RIG_BEGIN_NS + 2 * RIG_S, usage);
	seam_assert_packets(usage[7].packets, 0, 1);
	assert_int_equal(usage[7].first_ns, RIG_BEGIN_NS + RIG_S);
	assert_int_equal(usage[7].active[0], 1);
}

/* Ticks of one parity share a place: who drains late gets them together, and not twice. */
static void late_ticks_come_together_and_once(void **)
{
	begin(50000, 0, 7);
	rig_send_up();
	rig.now_ns += 2 * RIG_S;
	rig_send_up();
	(void)rig_drain(0, RIG_BEGIN_NS + RIG_S, usage);
	seam_assert_packets(usage[7].packets, 2, 0);
	assert_int_equal(usage[7].last_ns, RIG_BEGIN_NS + RIG_S - 1);
	assert_int_equal(rig_drain(0, RIG_BEGIN_NS + 3 * RIG_S, usage), 0);
	rig_send_up();
	(void)rig_drain(0, RIG_BEGIN_NS + 3 * RIG_S, usage);
	seam_assert_packets(usage[7].packets, 1, 0);
}

static void many_entries_are_drained_in_parts(void **)
{
	for (uint32_t id = 1; id < RIG_ENTRIES; id++)
		begin((uint16_t)(50000 + id), 0, id);
	for (uint32_t id = 1; id < RIG_ENTRIES; id++)
		for (uint32_t n = 0; n < id; n++)
			send_of((uint16_t)(50000 + id));
	(void)rig_drain(0, RIG_BEGIN_NS + RIG_S, usage);
	for (uint32_t id = 1; id < RIG_ENTRIES; id++)
		seam_assert_packets(usage[id].packets, id, 0);
	rig_check_ledger(RIG_ENTRIES - 1);
}

/* A list has as many places as there are entries. */
static void lists_begin_anew_at_their_end(void **)
{
	enum { TICKS = 3 * RIG_ENTRIES + 5 };

	begin(50000, 0, 7);
	begin(50001, 0, 8);
	for (uint64_t tick = 1; tick <= TICKS; tick++) {
		rig.now_ns = RIG_BEGIN_NS + tick * RIG_S;
		send_of(50000);
		send_of(50001);
		send_of(50000);
		(void)rig_drain(0, rig.now_ns + RIG_S, usage);
		seam_assert_packets(usage[7].packets, 2, 0);
		seam_assert_packets(usage[8].packets, 1, 0);
		assert_int_equal(usage[7].first_ns, rig.now_ns);
		assert_int_equal(usage[8].first_ns, rig.now_ns);
	}
	assert_int_equal(rig_stats().packets, 3 * TICKS);
}

static void workers_have_their_own(void **)
{
	begin(50000, 0, 7);
	begin(50001, 1, 7);
	send_of(50000);
	send_of(50001);
	send_of(50001);
	(void)rig_drain(1, RIG_BEGIN_NS + RIG_S, usage);
	seam_assert_packets(usage[7].packets, 2, 0);
	(void)rig_drain(0, RIG_BEGIN_NS + RIG_S, usage);
	seam_assert_packets(usage[7].packets, 1, 0);
}

static void what_several_cpus_count_is_one_sum(void **)
{
	enum { ROUNDS = 50 };
	unsigned int n_cpus = 0;
	cpu_set_t all, one;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	begin(50000, 0, 7);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
		for (int i = 0; i < ROUNDS; i++)
			rig_send_up();
		n_cpus++;
	}
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	assert_int_equal(rig_drain(0, RIG_BEGIN_NS + RIG_S, usage), n_cpus);
	seam_assert_packets(usage[7].packets, n_cpus * ROUNDS, 0);
	assert_int_equal(rig_stats().ip_bytes, n_cpus * ROUNDS * SEAM_BYTES);
}

int main(void)
{
#define FLOW_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		FLOW_TEST(a_tick_has_what_came_in_it),
		FLOW_TEST(late_ticks_come_together_and_once),
		FLOW_TEST(many_entries_are_drained_in_parts),
		FLOW_TEST(lists_begin_anew_at_their_end),
		FLOW_TEST(workers_have_their_own),
		FLOW_TEST(what_several_cpus_count_is_one_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
