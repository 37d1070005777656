// SPDX-License-Identifier: BSD-3-Clause

/* What the kernel hands up and what it keeps; verdicts; and that each packet counts in one place. */

#include "tests/ebpf/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/budget.h"
#include "dataplane/packet.h"

#include <errno.h>
#include <netinet/in.h>

static int decide(uint32_t flow, uint32_t id, bool is_watched, struct dp_offload_counts *ret)
{
	const struct dp_five_tuple t = rig_tuple(IPPROTO_UDP);

	return rig.offload->ops->decide(rig.offload->self, 0, &t, flow, id, is_watched, ret);
}

static struct dp_offload_counts look_now(void)
{
	const struct dp_five_tuple t = rig_tuple(IPPROTO_UDP);
	struct dp_offload_counts c;

	assert_int_equal(rig.offload->ops->look(rig.offload->self, &t, 0, &c), 0);
	return c;
}

/* Of packets of 128 bytes. */
static void assert_counts(
	const uint64_t packets[2], const uint64_t bytes[2], uint64_t n_up, uint64_t n_down)
{
	assert_int_equal(packets[EBPF_UP], n_up);
	assert_int_equal(packets[EBPF_DOWN], n_down);
	assert_int_equal(bytes[EBPF_UP], 128 * n_up);
	assert_int_equal(bytes[EBPF_DOWN], 128 * n_down);
}

static void a_verdict_ends_what_goes_up_and_packets_count_on_its_entry(void **)
{
	struct dp_offload_usage usage[RIG_ENTRIES];
	struct dp_offload_counts before;

	rig_send_down();
	rig_send_up();
	assert_int_equal(rig_take_all(), 2);
	assert_int_equal(rig.up.last.handed, DP_HANDED_ASKS);
	assert_int_not_equal(rig.up.last.head.flow, 0);
	assert_int_equal(decide(rig.up.last.head.flow, 7, false, &before), 0);
	assert_counts(before.packets, before.bytes, 0, 0);
	assert_int_equal(before.last_ns, RIG_BEGIN_NS);
	rig_send_up();
	rig.now_ns += 250000000;
	rig_send_down();
	rig_send_down();
	assert_int_equal(rig_take_all(), 0);
	assert_int_equal(rig_drain(1, RIG_BEGIN_NS + RIG_S, usage), 0); // another worker's
	assert_in_range(rig_drain(0, RIG_BEGIN_NS + RIG_S, usage), 1, 2); // on whichever CPU
	assert_counts(usage[7].packets, usage[7].bytes, 1, 2);
	assert_int_equal(usage[7].first_ns, RIG_BEGIN_NS);
	assert_int_equal(usage[7].last_ns, RIG_BEGIN_NS + 250000000);
	assert_int_equal(usage[7].active[0], 1 << 0 | 1 << 2);
	assert_int_equal(rig_drain(0, RIG_BEGIN_NS + 9 * RIG_S, usage), 0);
	before = look_now();
	assert_counts(before.packets, before.bytes, 1, 2);
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
