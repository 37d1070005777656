// SPDX-License-Identifier: BSD-3-Clause

/* Packets, verdicts and ends of one flow at once, from two threads, and a way up that is mostly full: each packet
 * counts in one place. */

#include "tests/ebpf/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/ebpf/seam.h"

#include <pthread.h>
#include <stdatomic.h>

enum { FLOWS = 10000, ENTRY = 7 };

static atomic_bool is_enough;
static uint64_t n_sent;

static void *send_on(void *)
{
	while (!atomic_load(&is_enough)) {
		rig_send_up();
		n_sent++;
	}
	return NULL;
}

struct told {
	uint64_t up, waited; // packets: handed up; told of flows that had no verdict
};

/* Until packets are kept since nothing more goes up. */
static void wait_until_full(void)
{
	const uint64_t n_lost = rig_stats().lost;

	while (rig_stats().lost < n_lost + 2)
		;
}

/* Until packets count on the entry. */
static void wait_until_counted(void)
{
	const uint64_t n = rig_stats().packets;

	while (rig_stats().packets < n + 2)
		;
}

/* One flow from its first frame to its end, while packets of it come. */
static void live(struct told *told)
{
	struct dp_offload_counts c;
	uint64_t no_room;

	wait_until_full();
	assert_true(rig_take());
	told->up++;
	wait_until_full(); // the frame's place is taken again, and so the next packets wait
	no_room = rig_stats().outcomes[DP_OUTCOME_NO_ROOM];
	assert_int_equal(seam_decide(IPPROTO_UDP, seam_flow(), ENTRY, false, &c), 0);
	told->waited += c.packets[EBPF_UP];
	wait_until_counted();
	assert_int_equal(rig_stats().outcomes[DP_OUTCOME_NO_ROOM], no_room);
	assert_int_equal(seam_end(IPPROTO_UDP, seam_flow(), &c), 0);
	assert_int_equal(c.tcp, DP_OFFLOAD_DECIDED);
	told->up += (uint64_t)rig_take_all();
}

static int setup_small(void **)
{
	rig_defaults();
	rig.cfg.ring_bytes = 4096;
	rig_open();
	return 0;
}

static void each_packet_counts_once_whoever_was_faster(void **)
{
	struct dp_offload_usage usage[RIG_ENTRIES];
	struct dp_offload_counts c;
	struct told told = {0};
	pthread_t sender;

	assert_int_equal(pthread_create(&sender, NULL, send_on, NULL), 0);
	for (int i = 0; i < FLOWS; i++)
		live(&told);
	atomic_store(&is_enough, true);
	assert_int_equal(pthread_join(sender, NULL), 0);
	told.up += (uint64_t)rig_take_all();
	if (seam_end(IPPROTO_UDP, 0, &c) == 0)
		told.waited += c.packets[EBPF_UP];
	(void)rig_drain(0, RIG_BEGIN_NS + RIG_S, usage);
	// A packet that found a flow which was forgotten right then counts nowhere else.
	assert_int_equal(told.up + told.waited + usage[ENTRY].packets[EBPF_UP] +
			rig_stats().outcomes[DP_OUTCOME_NO_ROOM],
		n_sent);
	assert_in_range(rig_stats().outcomes[DP_OUTCOME_NO_ROOM], 0, FLOWS);
	assert_int_equal(rig_stats().undecided_bytes, rig_stats().taken_bytes);
	rig_check_ledger(told.up);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			each_packet_counts_once_whoever_was_faster, setup_small, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
