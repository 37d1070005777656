// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/source_rig.h"

#include <errno.h>
#include <rte_mbuf.h>
#include <stdlib.h>

static void a_frame_has_its_time_and_both_lengths(void **)
{
	static const struct {
		uint32_t magic, fraction;
	} rows[] = {{0xa1b2c3d4, 5}, {0xa1b23c4d, 5000}};

	for (unsigned int i = 0; i < 4; i++) {
		source_clear(NULL);
		source_a.is_big_endian = i >= 2;
		capture_pcap(&source_a, rows[i % 2].magic, 1);
		capture_pcap_record(&source_a, 7, rows[i % 2].fraction, 1500, "frame", 5);

		const struct source_reading r = source_read_one(&source_a);

		assert_int_equal(r.end, DP_POLL_END);
		assert_int_equal(r.n, 1);
		assert_int_equal(r.time_ns[0], 7ULL * SOURCE_S + 5000);
		assert_int_equal(r.wire_bytes[0], 1500);
		assert_int_equal(r.cap_len[0], 5);
		assert_int_equal(r.first_byte[0], 'f');
	}
}

static void a_record_that_claims_less_than_it_holds_counts_what_it_holds(void **)
{
	capture_pcap(&source_a, 0xa1b2c3d4, 1);
	capture_pcap_record(&source_a, 1, 0, 3, "frame", 5);
	assert_int_equal(source_read_one(&source_a).wire_bytes[0], 5);
}

static void link_types_with_ip_are_read_and_others_refused_by_name(void **)
{
	static const struct {
		uint32_t link_type; // as in the file, pcap-linktype(7)
		enum dp_link link;
	} rows[] = {{1, DP_LINK_ETHERNET}, {101, DP_LINK_RAW_IP}, {228, DP_LINK_RAW_IP},
		{229, DP_LINK_RAW_IP}, {12, DP_LINK_RAW_IP}, {14, DP_LINK_RAW_IP},
		{113, DP_LINK_SLL}, {276, DP_LINK_SLL2}, {9, DP_LINK_PPP}, {50, DP_LINK_PPP_HDLC},
		{51, DP_LINK_PPPOE}, {104, DP_LINK_CHDLC}, {0, DP_LINK_NULL}, {108, DP_LINK_NULL},
		{105, DP_LINK_WLAN}, {127, DP_LINK_RADIOTAP}};
	struct dp_source *s;
	struct dp_err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		source_clear(NULL);
		capture_pcap(&source_a, 0xa1b2c3d4, rows[i].link_type);
		capture_pcap_record(&source_a, 1, 0, 5, "frame", 5);
		assert_int_equal(source_read_one(&source_a).link[0], rows[i].link);
		source_clear(NULL);
		capture_section(&source_a);
		(void)capture_interface(&source_a, (uint16_t)rows[i].link_type, 65535, 9);
		capture_packet(&source_a, 0, SOURCE_S, 5, "frame", 5);
		assert_int_equal(source_read_one(&source_a).link[0], rows[i].link);
	}
	source_clear(NULL);
	capture_pcap(&source_a, 0xa1b2c3d4, 189);

	const char *const path = capture_file(&source_a);

	assert_int_equal(
		dp_source_file_open(&path, 1, source_pool, false, &s, &err), -EPROTONOSUPPORT);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, "USB_LINUX"));
	capture_close(&source_a);
}

static void what_is_no_capture_is_refused_with_a_sentence(void **)
{
	static const char *const paths[] = {"/nowhere/x.pcap", "/", "/dev/null", "/proc/self/comm"};
	static const int errors[] = {-ENOENT, -EISDIR, -EINVAL, -EINVAL};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct dp_source *s = NULL;
		struct dp_err err = {0};

		assert_int_equal(
			dp_source_file_open(&paths[i], 1, source_pool, false, &s, &err), errors[i]);
		assert_null(s);
		assert_non_null(strstr(err.text, paths[i]));
	}
}

static void files_are_merged_by_time_and_time_never_runs_backwards(void **)
{
	static const uint64_t want_ns[] = {1ULL * SOURCE_S, 2ULL * SOURCE_S, 3ULL * SOURCE_S,
		3ULL * SOURCE_S, 4ULL * SOURCE_S};
	const char *paths[2];

	capture_pcap(&source_a, 0xa1b2c3d4, 1);
	capture_pcap_record(&source_a, 1, 0, 1, "A", 1);
	capture_pcap_record(&source_a, 3, 0, 1, "B", 1);
	capture_pcap_record(&source_a, 2, 500000, 1, "C", 1); // earlier than the one before
	capture_pcap(&source_b, 0xa1b23c4d, 101); // another link type
	capture_pcap_record(&source_b, 2, 0, 1, "d", 1);
	capture_pcap_record(&source_b, 4, 0, 1, "e", 1);
	paths[0] = capture_file(&source_a);
	paths[1] = capture_file(&source_b);

	struct dp_source *s = source_open(paths, 2, false);
	const struct source_reading r = source_read_all(s);

	assert_int_equal(r.end, DP_POLL_END);
	assert_int_equal(r.n, 5);
	assert_memory_equal(r.first_byte, "AdBCe", 5);
	assert_memory_equal(r.time_ns, want_ns, sizeof(want_ns));
	for (unsigned int i = 0; i < r.n; i++)
		assert_int_equal(
			r.link[i], r.first_byte[i] >= 'a' ? DP_LINK_RAW_IP : DP_LINK_ETHERNET);
	dp_source_close(s);
	capture_close(&source_a);
	capture_close(&source_b);
}

static void a_capture_cut_in_a_record_is_read_up_to_there(void **)
{
	size_t begins[3];

	capture_pcap(&source_a, 0xa1b2c3d4, 1);
	for (int i = 0; i < 3; i++) {
		begins[i] = source_a.len;
		capture_pcap_record(&source_a, (uint32_t)i, 0, 20, "twenty bytes of data", 20);
	}
	for (size_t len = begins[0]; len <= begins[2] + 36; len++) {
		const unsigned int n = (unsigned int)((len - begins[0]) / 36);
		const bool is_whole = (len - begins[0]) % 36 == 0;
		char sentence[32];

		source_a.len = len;

		const char *const path = capture_file(&source_a);
		struct dp_source *s = source_open(&path, 1, false);
		const struct source_reading r = source_read_all(s);

		assert_int_equal(r.n, n);
		assert_int_equal(r.end, is_whole ? DP_POLL_END : DP_POLL_BROKEN);
		(void)snprintf(sentence, sizeof(sentence), "after frame %u:", n);
		if (!is_whole)
			assert_non_null(strstr(s->err.text, sentence));
		dp_source_close(s);
		capture_close(&source_a);
	}
}

static void pcapng_interfaces_may_differ_in_snap_length(void **)
{
	capture_section(&source_a);
	(void)capture_interface(&source_a, 1, 262144, 9);
	(void)capture_interface(&source_a, 1, 96, 9);
	capture_packet(&source_a, 0, 1ULL * SOURCE_S, 1000, "first", 5);
	capture_packet(&source_a, 1, 2ULL * SOURCE_S, 1000, "second", 6);

	const struct source_reading r = source_read_one(&source_a);

	assert_int_equal(r.end, DP_POLL_END);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.cap_len[1], 6);
	assert_int_equal(r.time_ns[1], 2ULL * SOURCE_S);
}

static void a_time_beyond_all_years_is_the_last_one_there_is(void **)
{
	capture_section(&source_a);
	(void)capture_interface(&source_a, 1, 0, 0); // whole seconds
	capture_packet(&source_a, 0, 1, 5, "frame", 5);
	capture_packet(&source_a, 0, INT64_MAX / SOURCE_S + 1, 5, "frame", 5);
	capture_packet(&source_a, 0, INT64_MAX, 5, "frame", 5);
	capture_packet(&source_a, 0, UINT64_MAX, 5, "frame", 5); // -1 s for who counts signed

	const struct source_reading r = source_read_one(&source_a);

	assert_int_equal(r.n, 4);
	assert_int_equal(r.time_ns[0], SOURCE_S);
	for (unsigned int i = 1; i < r.n; i++)
		assert_int_equal(r.time_ns[i], INT64_MAX);
}

static void a_frame_larger_than_an_mbuf_arrives_whole(void **)
{
	static const uint32_t sizes[] = {0, 1, RTE_MBUF_DEFAULT_DATAROOM,
		RTE_MBUF_DEFAULT_DATAROOM + 1, 9000, UINT16_MAX, UINT16_MAX + 1, 100000};
	static uint8_t bytes[100000] = {42};

	for (int is_exact = 0; is_exact < 2; is_exact++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			source_clear(NULL);
			capture_pcap(&source_a, 0xa1b2c3d4, 1);
			capture_pcap_record(&source_a, 1, 0, sizes[i], bytes, sizes[i]);

			const char *const path = capture_file(&source_a);
			struct dp_source *s = source_open(&path, 1, is_exact != 0);
			const struct source_reading r = source_read_all(s);

			assert_int_equal(r.n, 1);
			assert_int_equal(r.wire_bytes[0], sizes[i]);
			assert_int_equal(
				r.cap_len[0], sizes[i] < UINT16_MAX ? sizes[i] : UINT16_MAX);
			assert_int_equal(r.first_byte[0], sizes[i] > 0 ? 42 : 0);
			dp_source_close(s);
			capture_close(&source_a);
		}
	}
}

static void an_empty_pool_makes_the_reader_wait_and_costs_no_frame(void **)
{
	struct rte_mbuf *held[SOURCE_MBUFS], *more[SOURCE_BURST];
	unsigned int n_held = 0;
	uint16_t n;

	capture_pcap(&source_a, 0xa1b2c3d4, 1);
	for (uint32_t i = 0; i < SOURCE_MBUFS + 10; i++)
		capture_pcap_record(&source_a, i, 0, 5, "frame", 5);

	const char *const path = capture_file(&source_a);
	struct dp_source *s = source_open(&path, 1, false);

	while (n_held < SOURCE_MBUFS) {
		const uint16_t max = (uint16_t)(SOURCE_MBUFS - n_held < SOURCE_BURST
				? SOURCE_MBUFS - n_held
				: SOURCE_BURST);

		assert_int_equal(s->ops->poll(s, held + n_held, max, &n), DP_POLL_MORE);
		n_held += n;
	}
	assert_int_equal(s->ops->poll(s, more, SOURCE_BURST, &n), DP_POLL_MORE);
	assert_int_equal(n, 0);
	rte_pktmbuf_free_bulk(held, SOURCE_MBUFS);

	const struct source_reading r = source_read_all(s);

	assert_int_equal(r.n, 10);
	assert_int_equal(r.time_ns[0], (uint64_t)SOURCE_MBUFS * SOURCE_S);
	dp_source_close(s);
	capture_close(&source_a);
}

static void the_statistics_end_at_the_size_of_the_file(void **)
{
	struct dp_source_stats st;

	capture_pcap(&source_a, 0xa1b2c3d4, 1);
	capture_pcap_record(&source_a, 1, 0, 5, "frame", 5);

	const char *const path = capture_file(&source_a);
	struct dp_source *s = source_open(&path, 1, false);

	s->ops->stats(s, &st);
	assert_int_equal(st.size, source_a.len);
	assert_int_equal(st.received, 0);
	(void)source_read_all(s);
	source_pool_is_full(NULL); // no frame is kept back at the end
	s->ops->stats(s, &st);
	assert_int_equal(st.received, 1);
	assert_int_equal(st.lost, 0);
	assert_true(st.position > 0 && st.position <= st.size);
	dp_source_close(s);
	capture_close(&source_a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_frame_has_its_time_and_both_lengths),
		TEST(a_record_that_claims_less_than_it_holds_counts_what_it_holds),
		TEST(link_types_with_ip_are_read_and_others_refused_by_name),
		TEST(what_is_no_capture_is_refused_with_a_sentence),
		TEST(files_are_merged_by_time_and_time_never_runs_backwards),
		TEST(a_capture_cut_in_a_record_is_read_up_to_there),
		TEST(pcapng_interfaces_may_differ_in_snap_length),
		TEST(a_time_beyond_all_years_is_the_last_one_there_is),
		TEST(a_frame_larger_than_an_mbuf_arrives_whole),
		TEST(an_empty_pool_makes_the_reader_wait_and_costs_no_frame),
		TEST(the_statistics_end_at_the_size_of_the_file),
	};

	return cmocka_run_group_tests(tests, source_start, source_stop);
}
