// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/duplicates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/hash.h"

#include <stdlib.h>
#include <string.h>

enum { LEN = 300, WINDOW = 2000000, N_ENTRIES = 1024 };

static const uint8_t ipv4_changes[] = {1, 8, 10, 11}; // DSCP and ECN, Time to Live, checksum
static const uint8_t ipv6_changes[] = {7}; // Hop Limit; Traffic Class is no byte of its own

static struct dp_duplicates *make(uint32_t n_entries)
{
	struct dp_duplicates *d;

	dp_hash_key_init();
	assert_int_equal(dp_duplicates_new(n_entries, WINDOW, &d), 0);
	return d;
}

/* From a block of its own of exactly that length, so that a memory checker sees a read behind it. */
static bool seen(struct dp_duplicates *d, uint64_t time_ns, const uint8_t *l3, uint32_t l3_len)
{
	const struct dp_pkt pkt = {.time_ns = time_ns, .l3_len = l3_len, .ip_bytes = LEN};
	uint8_t *block = malloc(l3_len > 0 ? l3_len : 1);
	bool r;

	assert_non_null(block);
	memcpy(block, l3, l3_len);
	r = dp_duplicates_seen(d, &pkt, block);
	free(block);
	return r;
}

static void packet(uint8_t l3[LEN], uint8_t version, uint64_t id)
{
	for (unsigned int i = 0; i < LEN; i++)
		l3[i] = (uint8_t)(i * 7 + 1);
	l3[0] = version == 4 ? 0x45 : 0x60;
	memcpy(l3 + 40, &id, sizeof(id));
}

static bool is_changed_by_a_hop(uint8_t version, unsigned int bit)
{
	const uint8_t *changes = version == 4 ? ipv4_changes : ipv6_changes;
	const size_t n = version == 4 ? sizeof(ipv4_changes) : sizeof(ipv6_changes);

	if (version == 6 && bit >= 4 && bit < 12) // bit 0 is the first on the wire, RFC 8200 3
		return true;
	return memchr(changes, (int)(bit / 8), n) != NULL;
}

/* Every bit of the packet: it makes another packet, or a hop may change it, or it is too far behind. */
static void compare_bits(uint8_t version)
{
	for (unsigned int bit = 0; bit < LEN * 8; bit++) {
		struct dp_duplicates *d = make(16);
		uint8_t l3[LEN];

		packet(l3, version, 0);
		assert_false(seen(d, 1, l3, LEN));
		assert_true(seen(d, 1, l3, LEN));
		l3[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		assert_int_equal(seen(d, 1, l3, LEN),
			is_changed_by_a_hop(version, bit) || bit / 8 >= DP_DUPLICATES_BYTES);
		dp_duplicates_free(d);
	}
}

static void an_ipv4_packet_is_known_by_all_that_no_hop_changes(void **)
{
	compare_bits(4);
}

static void an_ipv6_packet_is_known_by_all_that_no_hop_changes(void **)
{
	compare_bits(6);
}

static void blocks_that_change_places_make_another_packet(void **)
{
	struct dp_duplicates *d = make(N_ENTRIES);
	uint8_t l3[LEN], other[LEN];

	packet(l3, 4, 0);
	assert_false(seen(d, 1, l3, LEN));
	for (unsigned int size = 1; size <= 64; size *= 2) {
		memcpy(other, l3, sizeof(other));
		memcpy(other + 64, l3 + 128, size);
		memcpy(other + 128, l3 + 64, size);
		assert_false(seen(d, 1, other, LEN));
	}
	memcpy(other, l3, sizeof(other));
	for (unsigned int i = 64; i < 128; i++) // the sum of all bytes stays
		other[i] = (uint8_t)(l3[i] + (i % 2 == 0 ? 1 : -1));
	assert_false(seen(d, 1, other, LEN));
	dp_duplicates_free(d);
}

static void a_copy_comes_within_the_window(void **)
{
	struct dp_duplicates *d = make(N_ENTRIES);
	uint8_t l3[LEN];

	packet(l3, 4, 0);
	assert_false(seen(d, 10, l3, LEN));
	assert_true(seen(d, 10 + WINDOW, l3, LEN));
	assert_false(seen(d, 10 + WINDOW + 1, l3, LEN)); // a new window begins
	assert_true(seen(d, 10 + 2 * WINDOW + 1, l3, LEN));
	assert_false(seen(d, 10 + 2 * WINDOW + 2, l3, LEN));
	dp_duplicates_free(d);
}

static void what_repeats_itself_without_end_counts_once_a_window(void **)
{
	struct dp_duplicates *d = make(N_ENTRIES);
	uint8_t l3[LEN];
	unsigned int n = 0;

	packet(l3, 4, 0);
	for (uint64_t i = 0; i < 1000; i++)
		n += !seen(d, i * WINDOW / 10, l3, LEN);
	assert_int_equal(n, 91); // every eleventh: ten are within a window
	dp_duplicates_free(d);
}

static void copies_cut_at_one_place_are_known_and_at_two_places_are_not(void **)
{
	uint8_t l3[LEN];

	packet(l3, 4, 0);
	for (uint32_t len = 0; len <= LEN; len++) {
		struct dp_duplicates *d = make(16);
		const bool is_whole = len >= DP_DUPLICATES_BYTES;

		assert_false(seen(d, 1, l3, len));
		assert_int_equal(seen(d, 1, l3, len), len >= 20); // less is no IP header
		assert_int_equal(seen(d, 1, l3, LEN), is_whole);
		dp_duplicates_free(d);
	}
}

static void zeros_behind_a_packet_make_another_packet(void **)
{
	struct dp_duplicates *d = make(N_ENTRIES);
	uint8_t l3[LEN] = {0x45};

	for (uint32_t len = 20; len <= DP_DUPLICATES_BYTES; len++)
		assert_false(seen(d, 1, l3, len));
	dp_duplicates_free(d);
}

static void a_full_memory_forgets_the_oldest_and_counts_it(void **)
{
	struct dp_duplicates *d = make(N_ENTRIES);
	uint8_t l3[LEN];

	for (uint64_t id = 0; id < N_ENTRIES + 100; id++) {
		packet(l3, 4, id);
		assert_false(seen(d, 1, l3, LEN));
	}
	assert_int_equal(dp_duplicates_forgotten(d), 100);
	for (uint64_t id = 100; id < N_ENTRIES + 100; id++) { // all of them, wherever they fell
		packet(l3, 4, id);
		assert_true(seen(d, 1 + WINDOW, l3, LEN));
	}
	packet(l3, 4, 99);
	assert_false(seen(d, 1 + WINDOW, l3, LEN));
	dp_duplicates_free(d);
}

static void what_is_over_is_not_forgotten_early(void **)
{
	struct dp_duplicates *d = make(N_ENTRIES);
	uint8_t l3[LEN];

	for (uint64_t id = 0; id < 10 * N_ENTRIES; id++) {
		packet(l3, 4, id);
		assert_false(seen(d, id * 2 * WINDOW / N_ENTRIES, l3, LEN)); // half full
	}
	assert_int_equal(dp_duplicates_forgotten(d), 0);
	dp_duplicates_free(d);
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223; // Numerical Recipes
	return *state >> 8;
}

/* Against a list that is searched from end to end: packets, copies and pauses of any length, with
 * memory for all of a window. Long enough for every number inside to wrap. */
static void the_answer_is_that_of_a_list_of_all_packets(void **)
{
	enum { N = 200000, N_IDS = 400 };
	struct dp_duplicates *d = make(400);
	static uint64_t counted_ns[N_IDS]; // when each was no copy last
	static bool is_known[N_IDS];
	uint32_t seed = 11;
	uint64_t now_ns = 1;
	uint8_t l3[LEN];
	unsigned int n_copies = 0;

	memset(is_known, 0, sizeof(is_known));
	for (unsigned int i = 0; i < N; i++) {
		const uint32_t id = next_random(&seed) % N_IDS;
		const bool is_copy = is_known[id] && now_ns - counted_ns[id] <= WINDOW;

		packet(l3, id % 2 == 0 ? 4 : 6, id);
		assert_int_equal(seen(d, now_ns, l3, LEN), is_copy);
		n_copies += is_copy;
		if (!is_copy)
			counted_ns[id] = now_ns;
		is_known[id] = true;
		now_ns += next_random(&seed) % 1000 == 0 ? 5 * WINDOW : next_random(&seed) % 8000;
	}
	assert_in_range(n_copies, N / 10, N - N / 10); // both answers were asked for
	assert_int_equal(dp_duplicates_forgotten(d), 0);
	dp_duplicates_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ipv4_packet_is_known_by_all_that_no_hop_changes),
		cmocka_unit_test(an_ipv6_packet_is_known_by_all_that_no_hop_changes),
		cmocka_unit_test(blocks_that_change_places_make_another_packet),
		cmocka_unit_test(a_copy_comes_within_the_window),
		cmocka_unit_test(what_repeats_itself_without_end_counts_once_a_window),
		cmocka_unit_test(copies_cut_at_one_place_are_known_and_at_two_places_are_not),
		cmocka_unit_test(zeros_behind_a_packet_make_another_packet),
		cmocka_unit_test(a_full_memory_forgets_the_oldest_and_counts_it),
		cmocka_unit_test(what_is_over_is_not_forgotten_early),
		cmocka_unit_test(the_answer_is_that_of_a_list_of_all_packets),
	};

	return cmocka_run_group_tests_name("duplicates", tests, NULL, NULL);
}
