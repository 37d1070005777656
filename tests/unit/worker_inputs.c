// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/worker_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>

enum { CLIENT = 1 };

static struct rig_packet at(uint64_t ms, bool is_down)
{
	return (struct rig_packet){.ms = ms,
		.client = CLIENT,
		.sport = 50000,
		.server_port = RIG_AT_FIRST,
		.l4_proto = IPPROTO_UDP,
		.is_down = is_down,
		.ip_bytes = 100};
}

/* Two taps of one link: what goes up arrives on one, what goes down on the other, and the second is
 * a little behind. */
static void a_slot_counts_once_when_one_input_lags_behind_the_other(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 2, 1);

	for (unsigned int i = 0; i < 20; i++) {
		rig_send(r, 0, at(5100, false));
		rig_send(r, 1, at(5099, true));
	}
	rig_finish(r);
	assert_int_equal(rig_sum(r, DP_RECORD_USAGE, UINT32_MAX, CLIENT).active_ms, 100);
	assert_int_equal(rig_sum(r, DP_RECORD_USAGE, UINT32_MAX, CLIENT).packets[1], 20);
	rig_free(r);
}

static void a_flow_that_an_older_packet_reaches_ends_no_earlier(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 2, 1);

	rig_send(r, 0, at(5001, false));
	rig_send(r, 1, at(4999, true)); // both of the ticks an input had open when it started
	rig_finish(r);

	const struct dp_record *end = rig_note(r, DP_NOTE_END, 0);

	assert_non_null(end);
	assert_int_equal(end->note.last_ns, 5001 * 1000000ULL);
	assert_int_equal(end->note.packets[0] + end->note.packets[1], 2);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slot_counts_once_when_one_input_lags_behind_the_other),
		cmocka_unit_test(a_flow_that_an_older_packet_reaches_ends_no_earlier),
	};

	return cmocka_run_group_tests_name("worker_inputs", tests, rig_start, rig_stop);
}
