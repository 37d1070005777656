// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/sampler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/hash.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

enum { N_FLOWS = 200000 };

static const struct dp_addr endpoint = {.b = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 7}};

static struct dp_sampler *sampler(uint32_t one_in, uint16_t n_packets, uint16_t snap_bytes)
{
	const struct dp_sampler_config config = {
		.one_in = one_in, .n_packets = n_packets, .snap_bytes = snap_bytes};
	struct dp_sampler *s;

	assert_int_equal(dp_sampler_new(&config, N_FLOWS, &s), 0);
	dp_sampler_make_resident(s);
	return s;
}

/* Flow i of 10.0.0.7 to 203.0.113.9:4433. */
static struct dp_five_tuple tuple_of(uint32_t i)
{
	struct dp_five_tuple t = {.src = endpoint, .l4_proto = IPPROTO_UDP, .dport = 4433};

	assert_int_equal(dp_addr_parse("203.0.113.9", &t.dst), 0);
	t.src.b[13] = (uint8_t)(i / 40000);
	t.sport = (uint16_t)(20000 + i % 40000); // none that is barred
	return t;
}

static void add_of(struct dp_sampler *s, uint32_t flow, const struct dp_five_tuple *t,
	const uint8_t *bytes, uint32_t len, bool is_from_dst)
{
	const struct dp_sampler_flow of = {.tuple = t, .endpoint = &endpoint, .first_ns = 5};
	const struct dp_stage_item item = {
		.l3 = bytes, .l3_len = len, .time_ns = 1000 + len, .is_from_dst = is_from_dst};

	dp_sampler_add(s, flow, &of, &item, len + 1);
}

/* A packet of len bytes, each of that value, from a heap block of its own. */
static void add(struct dp_sampler *s, uint32_t flow, uint8_t value, uint32_t len)
{
	const struct dp_five_tuple t = tuple_of(flow);
	uint8_t *bytes = malloc(len > 0 ? len : 1);

	assert_non_null(bytes);
	memset(bytes, value, len);
	add_of(s, flow, &t, bytes, len, value % 2 != 0);
	free(bytes);
}

static uint64_t count_of(const dp_counter *c)
{
	return dp_counter_get(c);
}

static void a_sample_has_the_first_packets_each_cut(void **)
{
	static const uint16_t packets[] = {1, 8, DP_SAMPLE_PACKETS_MAX};
	static const uint16_t snaps[] = {1, 64, 256, DP_SAMPLE_SNAP_MAX};

	for (size_t i = 0; i < 3 * 4; i++) {
		const uint16_t n = packets[i / 4], snap = snaps[i % 4];
		struct dp_sampler *s = sampler(1, n, snap);
		struct dp_sample *sample;

		for (uint8_t k = 0; k < 40; k++)
			add(s, 1, k, (uint32_t)snap - 1 + k);
		assert_null(dp_sampler_take(s));
		dp_sampler_hand_over(s, 1, 91, 5);
		sample = dp_sampler_take(s);
		assert_non_null(sample);
		assert_int_equal(sample->n_packets, n);
		assert_int_equal(sample->ndpi_master, 91);
		assert_int_equal(sample->ndpi_app, 5);
		assert_memory_equal(&sample->endpoint, &endpoint, sizeof(endpoint));
		for (uint16_t k = 0; k < n; k++) {
			const struct dp_sample_packet *p = &sample->packets[k];

			assert_int_equal(p->len, k == 0 ? snap - 1 : snap);
			assert_int_equal(p->ip_bytes, snap + k);
			assert_int_equal(p->time_ns, 1000 + snap - 1 + k);
			assert_int_equal(p->is_from_dst, k % 2);
			for (uint16_t b = 0; b < p->len; b++)
				assert_int_equal(dp_sample_bytes(sample, k)[b], k);
		}
		dp_sampler_give_back(s, sample);
		assert_null(dp_sampler_take(s));
		dp_sampler_free(s);
	}
}

static void of_a_flow_that_becomes_known_nothing_is_left(void **)
{
	struct dp_sampler *s = sampler(1, 8, 256);
	const struct dp_sampler_counters *c = dp_sampler_counters(s);

	add(s, 1, 1, 100);
	dp_sampler_drop(s, 1);
	assert_true(dp_sampler_is_done(s, 1));
	add(s, 1, 2, 100);
	dp_sampler_hand_over(s, 1, 0, 0);
	dp_sampler_forget(s, 1);
	assert_null(dp_sampler_take(s));
	add(s, 2, 1, 100);
	dp_sampler_forget(s, 2); // nobody ever judged it
	assert_null(dp_sampler_take(s));
	assert_int_equal(count_of(&c->chosen), 2);
	assert_int_equal(count_of(&c->known), 2);
	assert_int_equal(count_of(&c->handed_over), 0);
	dp_sampler_free(s);
}

static void an_index_that_is_free_again_is_asked_anew(void **)
{
	struct dp_sampler *s = sampler(1, 8, 256);
	struct dp_sample *sample;

	add(s, 1, 1, 100);
	dp_sampler_hand_over(s, 1, 0, 0);
	assert_true(dp_sampler_is_done(s, 1));
	dp_sampler_forget(s, 1);
	assert_false(dp_sampler_is_done(s, 1));
	add(s, 1, 2, 50);
	dp_sampler_hand_over(s, 1, 0, 0);
	sample = dp_sampler_take(s);
	assert_int_equal(sample->packets[0].len, 100);
	sample = dp_sampler_take(s);
	assert_int_equal(sample->packets[0].len, 50);
	dp_sampler_free(s);
}

static void without_a_free_slot_a_flow_goes_without_and_is_counted(void **)
{
	struct dp_sampler *s = sampler(1, 8, 256);
	const struct dp_sampler_counters *c = dp_sampler_counters(s);
	uint32_t n_slots = 0;

	for (uint32_t i = 1; i <= DP_SAMPLER_SLOTS_MAX + 100; i++)
		add(s, i, 1, 100);
	n_slots = (uint32_t)count_of(&c->chosen);
	assert_true(n_slots >= DP_SAMPLER_SLOTS_MIN && n_slots <= DP_SAMPLER_SLOTS_MAX);
	assert_int_equal(count_of(&c->no_slot), DP_SAMPLER_SLOTS_MAX + 100 - n_slots);
	assert_true(dp_sampler_is_done(s, n_slots + 1)); // it is not asked again
	dp_sampler_drop(s, 7);
	add(s, 100000, 1, 100);
	assert_int_equal(count_of(&c->chosen), n_slots + 1);
	for (uint32_t i = 1; i <= n_slots; i++)
		dp_sampler_hand_over(s, i, 0, 0);
	dp_sampler_hand_over(s, 100000, 0, 0);
	assert_int_equal(count_of(&c->handed_over), n_slots);
	add(s, 100001, 1, 100);
	assert_true(dp_sampler_is_done(s, 100001)); // the writer has them all
	dp_sampler_give_back(s, dp_sampler_take(s));
	add(s, 100002, 1, 100);
	assert_false(dp_sampler_is_done(s, 100002));
	dp_sampler_free(s);
}

static void memory_is_bounded_whatever_is_asked_for(void **)
{
	struct dp_sampler *small = sampler(1, 1, 1);
	struct dp_sampler *large = sampler(1, DP_SAMPLE_PACKETS_MAX, DP_SAMPLE_SNAP_MAX);

	for (uint32_t i = 1; i <= 2 * DP_SAMPLER_SLOTS_MAX; i++) {
		add(small, i, 1, 100);
		add(large, i, 1, 100);
	}
	assert_in_range(count_of(&dp_sampler_counters(small)->chosen), DP_SAMPLER_SLOTS_MIN,
		DP_SAMPLER_SLOTS_MAX);
	assert_in_range(count_of(&dp_sampler_counters(large)->chosen), DP_SAMPLER_SLOTS_MIN,
		DP_SAMPLER_BYTES / (DP_SAMPLE_PACKETS_MAX * DP_SAMPLE_SNAP_MAX));
	dp_sampler_free(small);
	dp_sampler_free(large);
}

/* Which of the flows 1 to n are chosen; slots come back at once. */
static uint32_t chosen(struct dp_sampler *s, uint32_t n, uint8_t *ret_which)
{
	const uint64_t before = count_of(&dp_sampler_counters(s)->chosen);

	for (uint32_t i = 1; i <= n; i++) {
		add(s, i, 1, 40);
		ret_which[i] = !dp_sampler_is_done(s, i);
		dp_sampler_forget(s, i);
	}
	return (uint32_t)(count_of(&dp_sampler_counters(s)->chosen) - before);
}

static void one_flow_in_so_many_is_chosen_and_the_key_says_which(void **)
{
	static uint8_t first[N_FLOWS + 1], second[N_FLOWS + 1];
	struct dp_sampler *s = sampler(100, 8, 256);

	assert_in_range(chosen(s, N_FLOWS, first), 1700, 2300); // of 2000; some 7 sigma
	assert_in_range(chosen(s, N_FLOWS, second), 1700, 2300);
	assert_memory_equal(first, second, sizeof(first));
	dp_hash_key_init();
	(void)chosen(s, N_FLOWS, second);
	assert_memory_not_equal(first, second, sizeof(first));
	dp_sampler_set_rate(s, 0);
	assert_int_equal(chosen(s, N_FLOWS, second), 0);
	dp_sampler_set_rate(s, 1);
	assert_int_equal(chosen(s, 1000, second), 1000);
	dp_sampler_set_rate(s, UINT32_MAX);
	assert_in_range(chosen(s, 1000, second), 0, 1);
	dp_sampler_free(s);
}

static void what_says_who_somebody_is_or_what_was_looked_up_is_never_chosen(void **)
{
	static const uint16_t ports[] = {20, 21, 23, 25, 53, 67, 68, 110, 137, 143, 389, 465, 514,
		546, 587, 853, 989, 993, 995, 1645, 1646, 1812, 1813, 2123, 2152, 3386, 3799, 3868,
		5060, 5061, 5222, 5353, 5355, 8805};
	static const uint16_t kept[] = {22, 80, 443, 1024, 4433, 8080, 50000};
	struct dp_sampler *s = sampler(1, 8, 256);

	for (size_t i = 0; i < sizeof(ports) / sizeof(*ports) + sizeof(kept) / sizeof(*kept); i++) {
		const bool is_kept = i >= sizeof(ports) / sizeof(*ports);
		const uint16_t port = is_kept ? kept[i - sizeof(ports) / sizeof(*ports)] : ports[i];

		for (int side = 0; side < 4; side++) { // as source and destination, TCP and UDP
			struct dp_five_tuple t = tuple_of(50000);
			const uint8_t bytes[] = {0x45};

			t.l4_proto = side < 2 ? IPPROTO_TCP : IPPROTO_UDP;
			*(side % 2 == 0 ? &t.sport : &t.dport) = port;
			assert_int_equal(dp_sampler_is_barred(&t), !is_kept);
			add_of(s, 1, &t, bytes, sizeof(bytes), false);
			assert_int_equal(dp_sampler_is_done(s, 1), !is_kept);
			dp_sampler_forget(s, 1);
		}
	}
	assert_int_equal(
		count_of(&dp_sampler_counters(s)->barred), 4 * sizeof(ports) / sizeof(*ports));
	dp_sampler_free(s);
}

static void only_tcp_and_udp_are_kept_and_only_where_the_subscriber_is_known(void **)
{
	static const uint8_t protos[] = {IPPROTO_ICMP, IPPROTO_IGMP, IPPROTO_GRE, IPPROTO_ESP,
		IPPROTO_ICMPV6, IPPROTO_SCTP, 253};
	struct dp_sampler *s = sampler(1, 8, 256);
	struct dp_five_tuple t = tuple_of(1);
	const struct dp_sampler_flow of = {
		.tuple = &t, .endpoint = &endpoint, .is_ambiguous = true};
	const uint8_t bytes[] = {0x45};
	const struct dp_stage_item item = {.l3 = bytes, .l3_len = sizeof(bytes)};

	for (size_t i = 0; i < sizeof(protos); i++) {
		t.l4_proto = protos[i];
		assert_true(dp_sampler_is_barred(&t));
	}
	t.l4_proto = IPPROTO_UDP;
	assert_false(dp_sampler_is_barred(&t));
	dp_sampler_add(s, 1, &of, &item, 1);
	assert_true(dp_sampler_is_done(s, 1));
	dp_sampler_free(s);
}

/* --- two threads -------------------------------------------------------------------------------- */

enum { HANDED = 100000 };

static void *write_samples(void *arg)
{
	struct dp_sampler *s = arg;

	for (uint32_t n = 0; n < HANDED;) {
		struct dp_sample *sample = dp_sampler_take(s);

		if (sample == NULL) {
			(void)sched_yield();
			continue;
		}
		assert_int_equal(sample->n_packets, 2);
		for (uint16_t k = 0; k < 2; k++) {
			assert_int_equal(sample->packets[k].len, 60);
			assert_int_equal(dp_sample_bytes(sample, k)[0], (uint8_t)(n + k));
			assert_int_equal(dp_sample_bytes(sample, k)[59], (uint8_t)(n + k));
		}
		dp_sampler_give_back(s, sample);
		n++;
	}
	return NULL;
}

static void the_writer_gets_each_whole_and_in_order(void **)
{
	struct dp_sampler *s = sampler(1, 2, 60);
	const struct dp_sampler_counters *c = dp_sampler_counters(s);
	pthread_t writer;

	assert_int_equal(pthread_create(&writer, NULL, write_samples, s), 0);
	for (uint32_t n = 0; n < HANDED;) {
		const uint32_t flow = 1 + n % 1000;

		add(s, flow, (uint8_t)n, 60);
		if (dp_sampler_is_done(s, flow)) { // the writer has all slots
			(void)sched_yield();
			dp_sampler_forget(s, flow);
			continue;
		}
		add(s, flow, (uint8_t)(n + 1), 60);
		dp_sampler_hand_over(s, flow, 0, 0);
		dp_sampler_forget(s, flow);
		n++;
	}
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_int_equal(count_of(&c->chosen), HANDED);
	assert_int_equal(count_of(&c->handed_over), HANDED);
	dp_sampler_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sample_has_the_first_packets_each_cut),
		cmocka_unit_test(of_a_flow_that_becomes_known_nothing_is_left),
		cmocka_unit_test(an_index_that_is_free_again_is_asked_anew),
		cmocka_unit_test(without_a_free_slot_a_flow_goes_without_and_is_counted),
		cmocka_unit_test(memory_is_bounded_whatever_is_asked_for),
		cmocka_unit_test(one_flow_in_so_many_is_chosen_and_the_key_says_which),
		cmocka_unit_test(what_says_who_somebody_is_or_what_was_looked_up_is_never_chosen),
		cmocka_unit_test(only_tcp_and_udp_are_kept_and_only_where_the_subscriber_is_known),
		cmocka_unit_test(the_writer_gets_each_whole_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
