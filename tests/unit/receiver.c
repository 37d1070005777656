// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/receiver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/frame_tunnel.h"
#include "tests/unit/receiver_rig.h"

#include <netinet/in.h>
#include <pthread.h>

/* --- frames ---------------------------------------------------------------------------------- */

/* n bytes of UDP from client 10.0.0.c. */
static void put_udp(struct frame *f, uint8_t c, uint32_t n)
{
	char client[16];
	uint8_t bytes[FRAME_ROOM];

	for (uint32_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 31 + c);
	frame_put(frame_new(f), bytes, n);
	frame_udp(f, 50000, 443);
	(void)snprintf(client, sizeof(client), "10.0.0.%u", c);
	frame_ipv4(f, IPPROTO_UDP, client, "203.0.113.9");
}

static void put_tunnel(struct frame *f)
{
	frame_gtpu(f, 1, 0);
	frame_udp(f, 2152, 2152);
	frame_ipv4(f, IPPROTO_UDP, "192.0.2.1", "198.51.100.1");
}

/* The IPv4 packet in f as one frame, or in fragments of `step` bytes, each with VLAN tag `vlan`. */
static void put_frames(
	struct rig *rig, struct frame *f, uint32_t step, uint16_t id, uint16_t vlan, uint64_t ms)
{
	const uint8_t *packet = frame_bytes(f);
	const uint32_t n = frame_len(f) - 20;

	for (uint32_t begin = 0; begin < n; begin += step) {
		const uint32_t end = n - begin > step ? begin + step : n;
		struct frame piece;
		uint8_t *header;

		frame_put(frame_new(&piece), packet + 20 + begin, end - begin);
		header = frame_put(&piece, packet, 20);
		frame_set16(header + 2, 20 + end - begin);
		frame_set16(header + 4, id);
		frame_set16(header + 6, begin / 8 | (end < n ? 0x2000U : 0));
		frame_tag(&piece, 0x0800, vlan);
		frame_ethernet(&piece, 0x8100);
		rig_put(rig, frame_bytes(&piece), frame_len(&piece), ms);
	}
}

static void put_whole(struct rig *rig, uint8_t client, uint64_t ms)
{
	struct frame f;

	put_udp(&f, client, 100);
	put_frames(rig, &f, 2000, 0, 7, ms);
}

/* Every kind of frame: packets, plain datagrams and tunnels in fragments, complete and not, and what
 * is no packet, interleaved. */
static void put_mixture(struct rig *rig)
{
	static const uint8_t no_ip[20] = {[12] = 0x08, [13] = 0x06};
	struct frame f;

	for (uint32_t i = 0; i < 60; i++) {
		const uint64_t ms = 1000 + 97 * i;
		const uint32_t n = rig->n_frames;

		put_udp(&f, (uint8_t)(1 + i % 7), 300 + 40 * i);
		if (i % 3 == 0)
			put_tunnel(&f);
		put_frames(rig, &f, i % 4 == 0 && i < 40 ? 2000 : 504, (uint16_t)i, 7, ms);
		if (i % 5 == 0 && rig->n_frames - n > 1)
			free(rig->frames[--rig->n_frames].bytes); // its end is lost
		if (i % 5 == 1 && rig->n_frames - n > 1) { // its beginning
			free(rig->frames[n].bytes);
			rig->frames[n] = rig->frames[--rig->n_frames];
		}
		if (i % 6 == 0)
			rig_put(rig, no_ip, sizeof(no_ip), ms);
	}
}

/* --- ends ------------------------------------------------------------------------------------ */

static enum dp_poll poll_port(
	struct dp_source *s, struct rte_mbuf **mbufs, uint16_t max, uint16_t *ret_n)
{
	(void)rig_source_poll(s, mbufs, max, ret_n);
	return DP_POLL_MORE;
}

static void a_receiver_that_was_late_ends_at_the_same_tick_as_others(void **)
{
	static const struct dp_source_ops ops = {.poll = poll_port};
	struct rig *rig = rig_new((struct dp_receiver_config){0}, 1, 64, 1);
	struct dp_receiver *r = &rig->r;
	void *packet = NULL, *mark = NULL;

	rig->source.ops = &ops;
	rig->source.has_time = false;
	r->offset_ns = dp_event_offset_ns(0);
	put_whole(rig, 7, 0);
	put_whole(rig, 7, 0);

	// Control has named a tick that is over when the thread runs again.
	const uint64_t at_tick = dp_event_now_ns(r->offset_ns) / RIG_TICK_NS - 5;
	const struct dp_receiver_end end = {.at_tick = at_tick};

	rig_receive(rig, &end);
	assert_int_equal(rte_ring_sc_dequeue(r->queues[0], &packet), 0);
	assert_false(dp_is_mark(packet));
	assert_int_equal(rig_pkt(packet)->time_ns / RIG_TICK_NS, at_tick);
	assert_int_equal(rte_ring_sc_dequeue(r->queues[0], &mark), 0);
	assert_true(dp_is_mark(mark));
	assert_int_equal(dp_mark_tick(mark), at_tick);
	assert_true(rte_ring_empty(r->queues[0]));
	rte_pktmbuf_free(packet);
	rig_free(rig);
}

/* --- the ledger ------------------------------------------------------------------------------ */

static void every_frame_has_one_outcome_while_fragments_wait(void **)
{
	struct rig *rig = rig_new((struct dp_receiver_config){.waits = true}, 2, RIG_QUEUE_LEN, 7);
	const struct dp_receiver_counters *c = &rig->r.counters;
	uint64_t n_frames = 0, n_packets = 0, ip_bytes = 0, n_tunnels = 0, n_carried = 0;
	struct rte_mbuf *m;

	put_mixture(rig); // the source looks at the ledger before each burst
	rig_run(rig);
	for (uint16_t i = 0; i < 2; i++) {
		while ((m = rig_next(rig, i)) != NULL) {
			const struct dp_pkt *p = rig_pkt(m);

			n_frames += p->n_frames;
			n_packets += p->n_packets;
			ip_bytes += p->ip_bytes;
			n_tunnels += (p->encaps >> DP_ENCAP_GTPU & 1) * p->n_packets;
			n_carried += p->tuple.sport == 2152 ? p->n_packets : 0;
			rte_pktmbuf_free(m);
		}
	}
	assert_true(n_tunnels > 10 && n_carried > 3);
	assert_int_equal(n_frames, dp_counter_get(&c->handed_on));
	assert_int_equal(n_packets, dp_counter_get(&c->packets));
	assert_int_equal(n_packets, dp_counter_get(&c->encaps.opened[DP_ENCAP_VLAN]));
	assert_int_equal(n_tunnels, dp_counter_get(&c->encaps.opened[DP_ENCAP_GTPU]));
	assert_int_equal(ip_bytes, dp_counter_get(&c->ip_bytes));
	assert_int_equal(dp_counter_get(&c->outcomes[DP_OUTCOME_NOT_IP]), 10);
	assert_int_equal(n_frames + 10, rig->n_frames);
	rig_free(rig);
}

/* All that a worker gets, as text. */
static char *told(uint32_t burst)
{
	struct rig *rig = rig_new(
		(struct dp_receiver_config){.waits = true}, 2, RIG_QUEUE_LEN, burst);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	void *element;

	assert_non_null(out);
	put_mixture(rig);
	rig_run(rig);
	for (uint16_t i = 0; i < 2; i++) {
		while (rte_ring_sc_dequeue(rig->r.queues[i], &element) == 0) {
			if (dp_is_mark(element)) {
				fprintf(out, "mark %llu\n",
					(unsigned long long)dp_mark_tick(element));
				continue;
			}

			struct rte_mbuf *m = element;
			const struct dp_pkt *p = rig_pkt(m);
			const uint8_t *l3 = rte_pktmbuf_mtod(m, const uint8_t *) + p->l3_off;

			fprintf(out, "%llu %u.%u %u/%u frames %u packets %u bytes %u/%u flags %x:",
				(unsigned long long)p->time_ns, p->tuple.src.b[12],
				p->tuple.src.b[15], p->tuple.sport, p->tuple.dport, p->n_frames,
				p->n_packets, p->ip_bytes, p->payload_bytes, p->flags);
			for (uint32_t k = 0; k < p->l3_len; k++)
				fprintf(out, "%02x", l3[k]);
			fprintf(out, "\n");
			rte_pktmbuf_free(m);
		}
	}
	(void)fclose(out);
	rig_free(rig);
	return text;
}

static void where_bursts_begin_does_not_matter(void **)
{
	static const uint32_t bursts[] = {2, 3, 7, 32};
	char *expected = told(1);

	for (size_t i = 0; i < sizeof(bursts) / sizeof(*bursts); i++) {
		char *text = told(bursts[i]);

		assert_string_equal(text, expected);
		free(text);
	}
	free(expected);
}

static void a_full_queue_counts_all_frames_of_a_packet(void **)
{
	struct rig *rig = rig_new((struct dp_receiver_config){0}, 1, 8, 32);
	const struct dp_receiver_counters *c = &rig->r.counters;
	struct frame f;

	for (uint32_t i = 0; i < 10; i++) { // ten packets of two frames each, seven fit
		put_udp(&f, 7, 900);
		put_tunnel(&f);
		put_frames(rig, &f, 504, (uint16_t)i, 7, 1000);
	}
	rig->drains = true;
	rig_run(rig);
	rig_drain(rig);
	assert_int_equal(dp_counter_get(&c->outcomes[DP_OUTCOME_QUEUE_FULL]), 6);
	assert_int_equal(dp_counter_get(&c->handed_on), 14);
	assert_int_equal(rig->n_freed, 14);
	rig_free(rig);
}

/* --- time ------------------------------------------------------------------------------------ */

static void what_waited_is_credited_with_the_first_packet_of_a_tick(void **)
{
	struct rig *rig = rig_new((struct dp_receiver_config){.waits = true}, 1, RIG_QUEUE_LEN, 32);
	void *elements[16];
	unsigned int n;
	struct frame f;

	put_udp(&f, 7, 900);
	put_tunnel(&f);
	put_frames(rig, &f, 304, 1, 7, 1200);
	free(rig->frames[--rig->n_frames].bytes);
	put_whole(rig, 7, 6100); // not yet
	put_whole(rig, 7, 6300); // nor now: only a tick or a fragment looks
	put_whole(rig, 7, 8100);
	rig_run(rig);
	n = rte_ring_sc_dequeue_burst(rig->r.queues[0], elements, 16, NULL);
	assert_int_equal(n, 7); // mark, two packets, mark, credit, packet, mark
	assert_int_equal(dp_mark_tick(elements[3]), 7);
	assert_int_equal(rig_pkt(elements[4])->time_ns, UINT64_C(8100000000));
	assert_int_equal(rig_pkt(elements[4])->n_packets, 3);
	assert_int_equal(rig_pkt(elements[4])->l3_len, 0);
	assert_int_equal(rig_pkt(elements[4])->tuple.dport, 2152);
	assert_int_equal(rig_pkt(elements[5])->n_packets, 1);
	for (unsigned int i = 0; i < n; i++) {
		if (!dp_is_mark(elements[i]))
			rte_pktmbuf_free(elements[i]);
	}
	rig_free(rig);
}

/* --- what is ignored ------------------------------------------------------------------------- */

static uint64_t n_ignored(const char *prefix, int vlan, uint64_t *ret_n_packets)
{
	struct rig *rig = rig_new((struct dp_receiver_config){.waits = true}, 1, RIG_QUEUE_LEN, 32);
	const struct dp_receiver_counters *c = &rig->r.counters;
	uint64_t n;
	struct frame f;

	if (prefix != NULL)
		assert_int_equal(
			dp_prefix_parse(prefix, &rig->ignore.nets[rig->ignore.n_nets++]), 0);
	if (vlan >= 0)
		dp_ignore_vlan(&rig->ignore, (uint16_t)vlan);
	put_whole(rig, 7, 1000);
	put_udp(&f, 7, 900); // two fragments
	put_frames(rig, &f, 504, 1, 7, 1000);
	put_tunnel(&f); // two, and the inner packet's addresses
	put_frames(rig, &f, 504, 2, 8, 1000);
	put_udp(&f, 7, 1400); // the end of one: two of three, to the gateways
	put_tunnel(&f);
	put_frames(rig, &f, 504, 3, 8, 1000);
	free(rig->frames[rig->n_frames - 3].bytes);
	rig->frames[rig->n_frames - 3] = rig->frames[rig->n_frames - 1];
	rig->n_frames--;
	rig_run(rig);
	n = dp_counter_get(&c->outcomes[DP_OUTCOME_IGNORED]);
	assert_int_equal(n + dp_counter_get(&c->handed_on), 7);
	*ret_n_packets = dp_counter_get(&c->packets);
	assert_int_equal(dp_counter_get(&c->encaps.opened[DP_ENCAP_VLAN]), *ret_n_packets);
	rig_free(rig);
	return n;
}

static void fragments_are_ignored_by_what_they_belong_to(void **)
{
	uint64_t n_packets;

	assert_int_equal(n_ignored(NULL, -1, &n_packets), 0);
	assert_int_equal(n_packets, 6);
	assert_int_equal(n_ignored("10.0.0.0/8", -1, &n_packets), 5);
	assert_int_equal(n_packets, 2);
	assert_int_equal(n_ignored("198.51.100.0/24", -1, &n_packets), 2); // the tunnel that is not
	assert_int_equal(n_packets, 4);
	assert_int_equal(n_ignored(NULL, 7, &n_packets), 3);
	assert_int_equal(n_ignored(NULL, 8, &n_packets), 4);
	assert_int_equal(n_packets, 3);
}

/* Tags inside of a tunnel are the frame's as well, in one piece or in several. */
static void a_tag_inside_of_a_rebuilt_datagram_is_asked_about(void **)
{
	static const uint32_t steps[] = {2000, 504};

	for (uint16_t vlan = 8; vlan <= 9; vlan++) {
		for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
			struct rig *rig = rig_new(
				(struct dp_receiver_config){.waits = true}, 1, RIG_QUEUE_LEN, 32);
			const struct dp_receiver_counters *c = &rig->r.counters;
			struct frame f;

			put_udp(&f, 7, 900);
			frame_tag(&f, 0x0800, 9);
			frame_ethernet(&f, 0x8100);
			frame_vxlan(&f, 5);
			frame_udp(&f, 50000, 4789);
			frame_ipv4(&f, IPPROTO_UDP, "192.0.2.1", "198.51.100.1");
			put_frames(rig, &f, steps[i], 1, 7, 1000);
			dp_ignore_vlan(&rig->ignore, vlan);
			rig_run(rig);
			assert_int_equal(dp_counter_get(&c->outcomes[DP_OUTCOME_IGNORED]),
				vlan == 9 ? i + 1 : 0);
			assert_int_equal(dp_counter_get(&c->packets), vlan != 9);
			rig_free(rig);
		}
	}
}

/* --- room ------------------------------------------------------------------------------------ */

/* Datagrams that do not fit their last frame's mbuf. */
static void put_wide(struct rig *rig, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct frame f;

		put_udp(&f, 7, 3000);
		put_frames(rig, &f, 1480, (uint16_t)i, 7, 1000);
	}
}

static void without_room_a_datagram_is_credited_and_not_classified(void **)
{
	struct rig *rig = rig_new((struct dp_receiver_config){0}, 1, RIG_QUEUE_LEN, 32);
	const struct dp_receiver_counters *c = &rig->r.counters;
	uint64_t n_whole = 0, n_packets = 0;
	struct rte_mbuf *m;

	put_wide(rig, RIG_N_WIDE + 5);
	rig_run(rig);
	while ((m = rig_next(rig, 0)) != NULL) {
		const bool is_whole = (rig_pkt(m)->flags & DP_PKT_FRAGMENT) == 0;

		assert_int_equal(rig_pkt(m)->tuple.dport, 443);
		n_packets += rig_pkt(m)->n_packets;
		n_whole += is_whole;
		if (is_whole)
			assert_int_equal(rig_pkt(m)->l3_len, 3028);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(n_whole, RIG_N_WIDE);
	assert_int_equal(dp_counter_get(&c->crowded), 5);
	assert_int_equal(n_packets, 3 * (RIG_N_WIDE + 5));
	rig_free(rig);
}

static void *consume(void *arg)
{
	struct rig *rig = arg;
	uint64_t n_whole = 0;

	for (;;) {
		// is_done is read first: what it says is in the queue then.
		const bool is_done = atomic_load(&rig->r.is_done);
		struct rte_mbuf *m = rig_next(rig, 0);

		if (m == NULL && is_done)
			break;
		if (m == NULL) {
			(void)sched_yield();
			continue;
		}
		n_whole += (rig_pkt(m)->flags & DP_PKT_FRAGMENT) == 0;
		rte_pktmbuf_free(m);
	}
	return (void *)(uintptr_t)n_whole;
}

static void a_replay_waits_for_room(void **)
{
	struct rig *rig = rig_new((struct dp_receiver_config){.waits = true}, 1, 128, 32);
	void *n_whole = NULL;
	pthread_t thread;

	put_wide(rig, 8 * RIG_N_WIDE);
	assert_int_equal(pthread_create(&thread, NULL, consume, rig), 0);
	rig_run(rig);
	assert_int_equal(pthread_join(thread, &n_whole), 0);
	assert_int_equal((uintptr_t)n_whole, 8 * RIG_N_WIDE);
	assert_int_equal(dp_counter_get(&rig->r.counters.crowded), 0);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_receiver_that_was_late_ends_at_the_same_tick_as_others),
		cmocka_unit_test(every_frame_has_one_outcome_while_fragments_wait),
		cmocka_unit_test(where_bursts_begin_does_not_matter),
		cmocka_unit_test(a_full_queue_counts_all_frames_of_a_packet),
		cmocka_unit_test(what_waited_is_credited_with_the_first_packet_of_a_tick),
		cmocka_unit_test(fragments_are_ignored_by_what_they_belong_to),
		cmocka_unit_test(a_tag_inside_of_a_rebuilt_datagram_is_asked_about),
		cmocka_unit_test(without_room_a_datagram_is_credited_and_not_classified),
		cmocka_unit_test(a_replay_waits_for_room),
	};

	return cmocka_run_group_tests_name("receiver", tests, rig_start, rig_stop);
}
