// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/worker_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>

static const struct dp_sampler_config all = {.one_in = 1, .n_packets = 8, .snap_bytes = 64};

static struct rig_packet udp(enum rig_port server_port, uint64_t ms)
{
	return (struct rig_packet){.ms = ms,
		.client = 1,
		.sport = 50000,
		.server_port = (uint16_t)server_port,
		.l4_proto = IPPROTO_UDP,
		.ip_bytes = 100};
}

static struct rig *sampling_rig(uint32_t n_flows)
{
	return rig_new((struct dp_worker_config){.samples = all, .n_flows = n_flows}, 1, 1);
}

static struct dp_sample *take(struct rig *r)
{
	return dp_sampler_take(dp_worker_sampler(r->worker));
}

static void a_flow_that_is_unknown_for_good_is_handed_over_with_the_verdict(void **)
{
	struct rig *r = sampling_rig(0);
	struct rig_packet p = udp(RIG_UNKNOWN_AT_THIRD, 1000);
	struct dp_sample *sample;

	rig_send(r, 0, p);
	p.is_down = true;
	p.ms++;
	rig_send(r, 0, p);
	assert_null(take(r));
	p.is_down = false;
	p.ms++;
	p.ip_bytes = 40;
	rig_send(r, 0, p);
	sample = take(r);
	assert_non_null(sample);
	assert_int_equal(sample->n_packets, 3);
	for (uint16_t i = 0; i < 3; i++) {
		assert_int_equal(sample->packets[i].time_ns, (1000 + i) * 1000000ULL);
		assert_int_equal(sample->packets[i].is_from_dst, i == 1);
		assert_int_equal(sample->packets[i].len, i == 2 ? 40 : 64);
		assert_int_equal(sample->packets[i].ip_bytes, i == 2 ? 40 : 100);
	}
	assert_false(sample->server_is_src);
	assert_int_equal(sample->tuple.sport, 50000);
	assert_int_equal(sample->ndpi_master, 91);
	assert_int_equal(sample->ndpi_app, 5);
	for (p.ms = 1010; p.ms < 1020; p.ms++)
		rig_send(r, 0, p); // decided: none of ours any more
	assert_int_equal(sample->n_packets, 3);
	rig_finish(r);
	assert_null(take(r));
	rig_free(r);
}

static void one_that_nobody_decides_is_handed_over_at_its_end(void **)
{
	struct rig *r = sampling_rig(0);
	struct dp_sample *sample;

	rig_send(r, 0, udp(RIG_UNKNOWN, 1000));
	rig_send(r, 0, udp(RIG_UNKNOWN, 1001));
	assert_null(take(r));
	rig_finish(r);
	sample = take(r);
	assert_non_null(sample);
	assert_int_equal(sample->n_packets, 2);
	rig_free(r);
}

static void one_that_makes_room_for_another_is_handed_over(void **)
{
	struct rig *r = sampling_rig(1);
	struct rig_packet p = udp(RIG_UNKNOWN, 1000);

	rig_send(r, 0, p);
	p.sport++;
	rig_send(r, 0, p);
	assert_int_equal(dp_counter_get(&dp_worker_counters(r->worker)->flows_evicted), 1);

	const struct dp_sample *sample = take(r);

	assert_non_null(sample);
	assert_int_equal(sample->tuple.sport, 50000);
	assert_null(take(r)); // the other one lives, in the same place of the table
	rig_finish(r);
	sample = take(r);
	assert_non_null(sample);
	assert_int_equal(sample->tuple.sport, 50001);
	rig_free(r);
}

static void of_flows_that_become_known_nothing_is_kept(void **)
{
	static const enum rig_port ports[] = {RIG_AT_FIRST, RIG_AT_THIRD, RIG_REFINED, RIG_NEVER,
		RIG_CUT, RIG_CUT_FIRST, RIG_WATCHED, RIG_WATCHED_STATE, RIG_WATCHED_TWICE};
	struct rig *r = sampling_rig(0);
	const struct dp_sampler_counters *c = dp_sampler_counters(dp_worker_sampler(r->worker));

	for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
		for (uint64_t k = 0; k < 5; k++)
			rig_send(r, 0, udp(ports[i], 1000 + k));
	}
	rig_finish(r);
	assert_null(take(r));
	assert_int_equal(dp_counter_get(&c->handed_over), 0);
	// Those that were known with their first packet never took a slot.
	assert_int_equal(dp_counter_get(&c->chosen), 3);
	assert_int_equal(dp_counter_get(&c->known), 3);
	rig_free(r);
}

static void packets_without_payload_are_none(void **)
{
	struct rig *r = sampling_rig(0);
	struct rig_packet p = udp(RIG_UNKNOWN, 1000);

	p.l4_proto = IPPROTO_TCP;
	p.tcp_flags = DP_TCP_SYN;
	p.is_empty = true;
	rig_send(r, 0, p);
	p.is_fragment = true;
	rig_send(r, 0, p);
	rig_finish(r);
	assert_null(take(r));
	rig_free(r);
}

static void without_samples_there_is_no_sampler(void **)
{
	struct rig *r = rig_new((struct dp_worker_config){0}, 1, 1);

	assert_null(dp_worker_sampler(r->worker));
	rig_send(r, 0, udp(RIG_UNKNOWN, 1000));
	rig_finish(r);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_that_is_unknown_for_good_is_handed_over_with_the_verdict),
		cmocka_unit_test(one_that_nobody_decides_is_handed_over_at_its_end),
		cmocka_unit_test(one_that_makes_room_for_another_is_handed_over),
		cmocka_unit_test(of_flows_that_become_known_nothing_is_kept),
		cmocka_unit_test(packets_without_payload_are_none),
		cmocka_unit_test(without_samples_there_is_no_sampler),
	};

	return cmocka_run_group_tests(tests, rig_start, rig_stop);
}
