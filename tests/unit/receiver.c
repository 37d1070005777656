// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/receiver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/eal.h"

#include <rte_mbuf.h>
#include <rte_ring.h>

enum { TICK_NS = 100000000, N_MBUFS = 255, QUEUE_LEN = 64 };

static struct rte_mempool *pool;

static int start(void **)
{
	struct dp_err err = {0};

	if (dp_eal_start(&(struct dp_eal_config){.pool_bytes = 1 << 20}, &err) < 0) {
		print_error("%s\n", err.text);
		return -1;
	}
	pool = rte_pktmbuf_pool_create("frames", N_MBUFS, 0,
		RTE_ALIGN_CEIL(sizeof(struct dp_pkt), RTE_MBUF_PRIV_ALIGN), 256, SOCKET_ID_ANY);
	return pool != NULL ? 0 : -1;
}

static int stop(void **)
{
	rte_mempool_free(pool);
	dp_eal_stop();
	return 0;
}

/* A port: one UDP packet of 10.0.0.7 a poll. */
static enum dp_poll poll_port(
	struct dp_source *, struct rte_mbuf **mbufs, uint16_t, uint16_t *ret_n)
{
	static const uint8_t frame[42] = {[12] = 0x08, // RFC 894
		[14] = 0x45, // RFC 791
		[17] = 28,
		[22] = 64,
		[23] = 17,
		[26] = 10,
		[29] = 7,
		[30] = 203,
		[32] = 113,
		[33] = 9,
		[39] = 8}; // RFC 768
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct dp_pkt *p = rte_mbuf_to_priv(m);

	memcpy(rte_pktmbuf_append(m, sizeof(frame)), frame, sizeof(frame));
	p->wire_bytes = sizeof(frame);
	mbufs[0] = m;
	*ret_n = 1;
	return DP_POLL_MORE;
}

static void a_receiver_that_was_late_ends_at_the_same_tick_as_others(void **)
{
	static const struct dp_source_ops ops = {.poll = poll_port};
	struct dp_source source = {.ops = &ops, .link = DP_LINK_ETHERNET};
	struct dp_endpoint_nets nets;
	_Atomic uint64_t drained = 0;
	struct dp_receiver r = {.cfg = {.tick_ns = TICK_NS, .nets = &nets},
		.source = &source,
		.n_workers = 1,
		.offset_ns = dp_event_offset_ns(0),
		.drained = &drained};
	// Control has named a tick that is over when the thread runs again.
	const uint64_t at_tick = dp_event_now_ns(r.offset_ns) / TICK_NS - 5;
	const struct dp_receiver_end end = {.at_tick = at_tick};
	void *packet = NULL, *mark = NULL;

	dp_endpoint_nets_default(&nets);
	r.queues[0] = rte_ring_create(
		"in", QUEUE_LEN, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	assert_non_null(r.queues[0]);
	dp_receiver_run(&r, &end);
	assert_int_equal(rte_ring_sc_dequeue(r.queues[0], &packet), 0);
	assert_false(dp_is_mark(packet));
	assert_int_equal(((struct dp_pkt *)rte_mbuf_to_priv(packet))->time_ns / TICK_NS, at_tick);
	assert_int_equal(rte_ring_sc_dequeue(r.queues[0], &mark), 0);
	assert_true(dp_is_mark(mark));
	assert_int_equal(dp_mark_tick(mark), at_tick);
	assert_true(rte_ring_empty(r.queues[0]));
	rte_pktmbuf_free(packet);
	rte_ring_free(r.queues[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_receiver_that_was_late_ends_at_the_same_tick_as_others),
	};

	return cmocka_run_group_tests_name("receiver", tests, start, stop);
}
