// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A receiver between a source that gives the frames a test has made and queues that the test reads. */

#include "dataplane/thread.h"

#include "dataplane/eal.h"

#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	RIG_FRAMES_MAX = 1024,
	RIG_QUEUE_LEN = 2048,
	RIG_N_MBUFS = 2047,
	RIG_N_WIDE = 31,
	RIG_PRIV_BYTES = RTE_ALIGN_CEIL(sizeof(struct dp_pkt), RTE_MBUF_PRIV_ALIGN),
};

static const uint64_t RIG_TICK_NS = 1000000000;

static struct rte_mempool *rig_frames, *rig_wide;

static inline int rig_start_with(const char *const *devices)
{
	struct dp_err err = {0};

	if (dp_eal_start(&(struct dp_eal_config){.devices = devices, .pool_bytes = 32 << 20},
		    &err) < 0) {
		print_error("%s\n", err.text);
		return -1;
	}
	rig_frames = rte_pktmbuf_pool_create(
		"frames", RIG_N_MBUFS, 0, RIG_PRIV_BYTES, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	rig_wide = rte_pktmbuf_pool_create("wide", RIG_N_WIDE, 0, RIG_PRIV_BYTES,
		DP_WIDE_BYTES + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	return rig_frames != NULL && rig_wide != NULL ? 0 : -1;
}

static inline int rig_start(void **)
{
	return rig_start_with(NULL);
}

static inline int rig_stop(void **)
{
	rte_mempool_free(rig_frames);
	rte_mempool_free(rig_wide);
	dp_eal_stop();
	return 0;
}

struct rig {
	struct dp_source source;
	struct dp_receiver r;
	struct dp_endpoint_nets nets;
	struct dp_ignore ignore;
	_Atomic uint64_t drained;
	struct {
		uint8_t *bytes;
		uint32_t len;
		uint64_t time_ns;
	} frames[RIG_FRAMES_MAX];
	uint32_t n_frames, next, burst;
	bool drains; // the queues are emptied between two bursts
	uint64_t n_freed; // frames of packets that were
	unsigned int n_wide; // free when the test began
};

/* What the ledger says, between two bursts. */
static inline void rig_check(const struct rig *rig)
{
	const struct dp_receiver_counters *c = &rig->r.counters;
	uint64_t sum = dp_counter_get(&c->handed_on) +
		dp_counter_get(&dp_datagrams_counters(rig->r.datagrams)->held);

	for (int i = 0; i < DP_OUTCOME_COUNT; i++)
		sum += dp_counter_get(&c->outcomes[i]);
	assert_int_equal(dp_counter_get(&c->frames), sum);
	assert_int_equal(dp_counter_get(&c->frames), rig->next);
}

static inline void rig_drain(struct rig *rig)
{
	void *element;

	for (uint16_t i = 0; i < rig->r.n_workers; i++) {
		while (rte_ring_sc_dequeue(rig->r.queues[i], &element) == 0) {
			if (dp_is_mark(element))
				continue;
			rig->n_freed += ((struct dp_pkt *)rte_mbuf_to_priv(element))->n_frames;
			rte_pktmbuf_free(element);
		}
	}
}

static inline enum dp_poll rig_source_poll(
	struct dp_source *s, struct rte_mbuf **mbufs, uint16_t max, uint16_t *ret_n)
{
	struct rig *rig = s->self;
	uint16_t n = 0;

	rig_check(rig);
	if (rig->drains)
		rig_drain(rig);
	for (; n < max && n < rig->burst && rig->next < rig->n_frames; n++, rig->next++) {
		const uint32_t i = rig->next, len = rig->frames[i].len;
		struct rte_mbuf *m = rte_pktmbuf_alloc(rig_frames);

		assert_non_null(m);

		struct dp_pkt *p = rte_mbuf_to_priv(m);

		memcpy(rte_pktmbuf_append(m, (uint16_t)len), rig->frames[i].bytes, len);
		p->wire_bytes = len;
		p->time_ns = rig->frames[i].time_ns;
		mbufs[n] = m;
	}
	*ret_n = n;
	return n > 0 ? DP_POLL_MORE : DP_POLL_END;
}

/* queue_len: a power of two, one less fits. */
static inline struct rig *rig_new(
	struct dp_receiver_config cfg, uint16_t n_workers, unsigned int queue_len, uint32_t burst)
{
	static const struct dp_source_ops ops = {.poll = rig_source_poll};
	static unsigned int n_rings; // their names are unique
	const struct dp_datagram_config datagrams = {
		.n_datagrams = 64, .n_buffers = 16, .timeout_ns = 5 * RIG_TICK_NS};
	struct rig *rig = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(*rig), 64));

	assert_non_null(rig);
	*rig = (struct rig){.drained = UINT64_MAX / 2,
		.burst = burst,
		.n_wide = rte_mempool_avail_count(rig_wide)};
	dp_endpoint_nets_default(&rig->nets);
	rig->source = (struct dp_source){
		.ops = &ops, .self = rig, .link = DP_LINK_ETHERNET, .has_time = true};
	cfg.tick_ns = RIG_TICK_NS;
	cfg.nets = &rig->nets;
	cfg.ignore = &rig->ignore;
	cfg.frames = rig_frames;
	cfg.wide = rig_wide;
	rig->r.cfg = cfg;
	rig->r.source = &rig->source;
	rig->r.drained = &rig->drained;
	assert_int_equal(dp_datagrams_new(&datagrams, &rig->nets, &rig->r.datagrams), 0);
	for (; rig->r.n_workers < n_workers; rig->r.n_workers++) {
		char name[RTE_RING_NAMESIZE];

		(void)snprintf(name, sizeof(name), "in_%u", n_rings++);
		rig->r.queues[rig->r.n_workers] = rte_ring_create(
			name, queue_len, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
		assert_non_null(rig->r.queues[rig->r.n_workers]);
	}
	return rig;
}

static inline void rig_free(struct rig *rig)
{
	rig_drain(rig);
	for (uint16_t i = 0; i < rig->r.n_workers; i++)
		rte_ring_free(rig->r.queues[i]);
	assert_int_equal(rte_mempool_avail_count(rig_frames), RIG_N_MBUFS);
	assert_int_equal(rte_mempool_avail_count(rig_wide), rig->n_wide);
	dp_datagrams_free(rig->r.datagrams);
	for (uint32_t i = 0; i < rig->n_frames; i++)
		free(rig->frames[i].bytes);
	free(rig);
}

static inline void rig_put(struct rig *rig, const uint8_t *bytes, uint32_t len, uint64_t ms)
{
	assert_true(rig->n_frames < RIG_FRAMES_MAX);
	rig->frames[rig->n_frames].bytes = malloc(len);
	assert_non_null(rig->frames[rig->n_frames].bytes);
	memcpy(rig->frames[rig->n_frames].bytes, bytes, len);
	rig->frames[rig->n_frames].len = len;
	rig->frames[rig->n_frames++].time_ns = ms * 1000000;
}

static inline void rig_receive(struct rig *rig, const struct dp_receiver_end *end)
{
	struct dp_thread thread = {.receivers = {&rig->r}, .n_receivers = 1, .end = end};

	dp_thread_run(&thread);
}

static inline void rig_run(struct rig *rig)
{
	static const struct dp_receiver_end never;

	rig_receive(rig, &never);
	rig_check(rig);
	assert_int_equal(dp_counter_get(&dp_datagrams_counters(rig->r.datagrams)->held), 0);
}

/* The next packet in worker i's queue, marks passed over; NULL when there is none. The caller frees
 * it. */
static inline struct rte_mbuf *rig_next(struct rig *rig, uint16_t i)
{
	void *element;

	while (rte_ring_sc_dequeue(rig->r.queues[i], &element) == 0) {
		if (!dp_is_mark(element))
			return element;
	}
	return NULL;
}

static inline const struct dp_pkt *rig_pkt(struct rte_mbuf *m)
{
	return rte_mbuf_to_priv(m);
}
