// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/capture.h"
#include "tests/unit/frame.h"
#include "tests/unit/receiver_rig.h"

#include <netinet/in.h>

/* Frames that a driver gives as chains of mbufs: net_pcap's own, from a capture. */

enum { HEADERS_LEN = 14 + 20 + 8, MAGIC_US = 0xa1b2c3d4 };

static const uint32_t lengths[] = {
	100, 2048, 2049, 9000, 9216 + 18, DP_WIDE_BYTES, DP_WIDE_BYTES + 1, 20000, 60000};

enum { N_LENGTHS = sizeof(lengths) / sizeof(*lengths) };

static struct capture capture;
static struct dp_source *port;

static uint8_t payload_at(uint32_t i)
{
	return (uint8_t)(i * 31 + (i >> 8));
}

/* A UDP packet of 10.0.0.7 in a frame of len bytes. */
static void put_frame(uint32_t len)
{
	static uint8_t bytes[65536];
	struct frame f;

	frame_udp(frame_new(&f), 50000, 443);
	frame_set16(frame_bytes(&f) + 4, len - 34);
	frame_ipv4(&f, IPPROTO_UDP, "10.0.0.7", "203.0.113.9");
	frame_set16(frame_bytes(&f) + 2, len - 14);
	frame_ethernet(&f, 0x0800);
	memcpy(bytes, frame_bytes(&f), HEADERS_LEN);
	for (uint32_t i = HEADERS_LEN; i < len; i++)
		bytes[i] = payload_at(i);
	capture_pcap_record(&capture, 1, 0, len, bytes, len);
}

static int start(void **)
{
	static char device[128];
	const char *const devices[] = {device, NULL};
	struct dp_err err = {0};
	uint16_t n;

	capture_pcap(&capture, MAGIC_US, 1);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < N_LENGTHS; i++)
			put_frame(lengths[i]);
	}
	if (capture_file(&capture) == NULL)
		return -1;
	(void)snprintf(device, sizeof(device), "net_pcap0,rx_pcap=%s", capture.path);
	if (rig_start_with(devices) < 0)
		return -1;
	if (dp_source_port_open(&(struct dp_port_config){.device = "net_pcap0", .n_workers = 1},
		    rig_frames, &port, &n, &err) < 0) {
		print_error("%s\n", err.text);
		return -1;
	}
	return 0;
}

static int stop(void **state)
{
	dp_source_close(port);
	capture_close(&capture);
	return rig_stop(state);
}

/* So many frames of the port at a time: one round of lengths. */
static enum dp_poll poll_round(
	struct dp_source *, struct rte_mbuf **mbufs, uint16_t, uint16_t *ret_n)
{
	*ret_n = 0;
	while (*ret_n < N_LENGTHS) {
		uint16_t n;

		(void)port->ops->poll(port, mbufs + *ret_n, (uint16_t)(N_LENGTHS - *ret_n), &n);
		if (n == 0) // the end of the capture: the test will say what is missing
			break;
		*ret_n = (uint16_t)(*ret_n + n);
	}
	return DP_POLL_MORE;
}

/* One round through a receiver. n_bytes[i] of frame i's packet arrive. */
static void run_round(struct dp_receiver_counters *ret_counters, uint32_t n_bytes[N_LENGTHS])
{
	static const struct dp_source_ops ops = {.poll = poll_round};
	static const struct dp_receiver_end at_once = {.at_tick = UINT64_MAX / 2};
	struct rig *rig = rig_new((struct dp_receiver_config){0}, 1, 64, 32);

	rig->source.ops = &ops;
	rig->source.has_time = false;
	rig_receive(rig, &at_once);
	for (size_t i = 0; i < N_LENGTHS; i++) {
		struct rte_mbuf *m = rig_next(rig, 0);

		assert_non_null(m);

		const struct dp_pkt *p = rig_pkt(m);
		const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);

		assert_int_equal(m->nb_segs, 1);
		assert_int_equal(p->wire_bytes, lengths[i]);
		assert_int_equal(p->ip_bytes, lengths[i] - 14);
		assert_int_equal(p->payload_bytes, lengths[i] - HEADERS_LEN);
		n_bytes[i] = p->l3_off + p->l3_len;
		assert_in_range(n_bytes[i], HEADERS_LEN, m->data_len);
		for (uint32_t k = HEADERS_LEN; k < n_bytes[i]; k++)
			assert_int_equal(frame[k], payload_at(k));
		rte_pktmbuf_free(m);
	}
	*ret_counters = rig->r.counters;
	rig_free(rig);
}

static void a_frame_of_several_mbufs_is_one_as_far_as_it_fits(void **)
{
	struct dp_receiver_counters counters;
	uint32_t n_bytes[N_LENGTHS];

	run_round(&counters, n_bytes);
	for (size_t i = 0; i < N_LENGTHS; i++)
		assert_int_equal(n_bytes[i],
			lengths[i] < DP_WIDE_BYTES ? lengths[i] : (uint32_t)DP_WIDE_BYTES);
	assert_int_equal(dp_counter_get(&counters.crowded), 0);
	assert_int_equal(dp_counter_get(&counters.handed_on), N_LENGTHS);
}

static void without_room_it_is_cut_and_counted_in_full(void **)
{
	struct dp_receiver_counters counters;
	struct rte_mbuf *all[RIG_N_WIDE];
	uint32_t n_bytes[N_LENGTHS];

	assert_int_equal(rte_pktmbuf_alloc_bulk(rig_wide, all, RIG_N_WIDE), 0);
	run_round(&counters, n_bytes);
	for (size_t i = 0; i < N_LENGTHS; i++)
		assert_int_equal(n_bytes[i], lengths[i] < 2048 ? lengths[i] : 2048);
	assert_int_equal(dp_counter_get(&counters.crowded), N_LENGTHS - 2);
	assert_int_equal(dp_counter_get(&counters.handed_on), N_LENGTHS);
	rte_pktmbuf_free_bulk(all, RIG_N_WIDE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_of_several_mbufs_is_one_as_far_as_it_fits),
		cmocka_unit_test(without_room_it_is_cut_and_counted_in_full),
	};

	return cmocka_run_group_tests_name("receiver_jumbo", tests, start, stop);
}
