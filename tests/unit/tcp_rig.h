// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A connection as a worker keeps it, and packets of it one by one. */

#include "dataplane/tcp.h"

#include <netinet/in.h>

enum { UP = 0, DOWN = 1 }; // the endpoint is the flow's src

struct conn {
	struct dp_flow flow;
	struct dp_flow_rest rest;
	uint64_t now_ns;
	struct dp_tcp_event event; // of the last packet; all 0 when there was none
};

static inline void conn_begin(struct conn *c)
{
	// Inside of a period, so that no round trip is due unless a test waits for the next one.
	*c = (struct conn){.now_ns = 1000ULL << 30,
		.flow = {.l4_proto = IPPROTO_TCP, .flags = DP_FLOW_ENDPOINT_IS_SRC}};
	c->flow.last_ns = c->rest.first_ns = c->now_ns;
}

static inline void wait_us(struct conn *c, uint64_t us)
{
	c->now_ns += us * 1000;
}

/* To the beginning of the next period. */
static inline void wait_period(struct conn *c)
{
	c->now_ns = ((c->now_ns >> 30) + 1) << 30;
}

/* Returns what happened, a set of enum dp_tcp_what. */
static inline unsigned int conn_take(struct conn *c, unsigned int dir, const struct dp_pkt *p)
{
	struct dp_flow *f = &c->flow;

	c->event = (struct dp_tcp_event){0};
	if (f->packets_low[0] + f->packets_low[1] == 0 &&
		(p->tcp_flags & (DP_TCP_SYN | DP_TCP_ACK)) == DP_TCP_SYN)
		f->flags |= DP_FLOW_SYN_START;
	dp_tcp_track(f, &c->rest, p, dir == DOWN, &c->event);
	if ((p->tcp_flags & (DP_TCP_SYN | DP_TCP_RST | DP_TCP_ACK)) == DP_TCP_ACK)
		f->flags |= DP_FLOW_TALKED;
	dp_flow_count(f, dir, 1, p->payload_bytes + 40);
	f->last_ns = p->time_ns;
	return c->event.what;
}

static inline unsigned int conn_send(struct conn *c, unsigned int dir, uint8_t flags, uint32_t seq,
	uint32_t ack, uint32_t n_bytes, uint16_t window)
{
	const struct dp_pkt p = {.tcp_flags = flags,
		.time_ns = c->now_ns,
		.n_frames = 1,
		.n_packets = 1,
		.payload_bytes = n_bytes,
		.tcp_seq = seq,
		.tcp_ack = ack,
		.tcp_window = window};

	return conn_take(c, dir, &p);
}

/* Data, or an acknowledgement when n_bytes is 0. */
static inline unsigned int data(
	struct conn *c, unsigned int dir, uint32_t seq, uint32_t ack, uint32_t n_bytes)
{
	return conn_send(c, dir, DP_TCP_ACK, seq, ack, n_bytes, 1000);
}

/* Both directions are known: up stands at seq, down at ack. No round trip is due. */
static inline void conn_middle(struct conn *c, uint32_t seq, uint32_t ack)
{
	conn_begin(c);
	(void)data(c, UP, seq, ack, 0);
	(void)data(c, DOWN, ack, seq, 0);
}
