// SPDX-License-Identifier: BSD-3-Clause

/* What the kernel hands up and what it keeps; verdicts; and that each packet counts in one place. */

#include "tests/ebpf/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/ebpf/seam.h"

static void a_verdict_ends_what_goes_up_and_packets_count_on_its_entry(void **)
{
	struct dp_offload_usage usage[RIG_ENTRIES];
	struct dp_offload_counts before;

	rig_send_down();
	rig_send_up();
	assert_int_equal(rig_take_all(), 2);
	assert_int_equal(rig.up.last.handed, DP_HANDED_ASKS);
	assert_int_not_equal(rig.up.last.head.flow, 0);
	assert_int_equal(seam_decide(IPPROTO_UDP, seam_flow(), 7, false, &before), 0);
	seam_assert_counts(&before, 0, 0);
	assert_int_equal(before.last_ns, RIG_BEGIN_NS);
	rig_send_up();
	rig.now_ns += 250000000;
	rig_send_down();
	rig_send_down();
	assert_int_equal(rig_take_all(), 0);
	assert_int_equal(rig_drain(1, RIG_BEGIN_NS + RIG_S, usage), 0); // another worker's
	assert_in_range(rig_drain(0, RIG_BEGIN_NS + RIG_S, usage), 1, 2); // on whichever CPU
	seam_assert_packets(usage[7].packets, 1, 2);
	assert_int_equal(usage[7].bytes[EBPF_DOWN], 2 * SEAM_BYTES);
	assert_int_equal(usage[7].first_ns, RIG_BEGIN_NS);
	assert_int_equal(usage[7].last_ns, RIG_BEGIN_NS + 250000000);
	assert_int_equal(usage[7].active[0], 1 << 0 | 1 << 2);
	assert_int_equal(rig_drain(0, RIG_BEGIN_NS + 9 * RIG_S, usage), 0);
	assert_int_equal(seam_look(IPPROTO_UDP, 0, &before), 0);
	seam_assert_counts(&before, 1, 2);
	rig_check_ledger(2);
}

int main(void)
{
#define FLOW_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		FLOW_TEST(a_verdict_ends_what_goes_up_and_packets_count_on_its_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
