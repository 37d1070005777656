// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Flows of the model of an offload (tests/unit/offload_model.h): where they begin and end, in words of their own. */

#include "dataplane/flow.h"
#include "dataplane/offload.h"
#include "dataplane/packet.h"

#include <stddef.h>

enum { OFFLOAD_FLOW_BUCKETS = 4096 };

struct offload_flow {
	struct offload_flow *next; // in the bucket
	struct dp_five_tuple tuple; // of its first packet
	bool is_endpoint_src; // of that
	bool is_syn_start, is_decided, is_watched;
	uint32_t syn_seq;
	uint32_t number;
	uint32_t tcp; // enum dp_offload_tcp
	uint64_t last_ns;
	uint32_t n_asked[2]; // handed up without a verdict: without payload, with
	uint16_t worker;
	uint32_t id;
	uint64_t packets[2], bytes[2]; // kept: without a verdict all, with one those since
	uint32_t segments[2]; // without a verdict
	struct dp_flow connection; // as dataplane/tcp.h has it
	struct dp_flow_rest connection_rest;
};

struct offload_flows {
	struct offload_flow *buckets[OFFLOAD_FLOW_BUCKETS];
	struct offload_flow **all; // owned, those that there are, in no order
	size_t n, room;
	uint32_t n_numbers; // given to flows so far
};

void offload_flows_fini(struct offload_flows *t);

/* The flow of a tuple, of either direction, or NULL. */
struct offload_flow *offload_flow_find(struct offload_flows *t, const struct dp_five_tuple *tuple);
/* The packet begins one; there is none of its tuple. */
struct offload_flow *offload_flow_begin(struct offload_flows *t, const struct dp_pkt *p);
/* Another one begins where f was. */
void offload_flow_begin_anew(
	struct offload_flows *t, struct offload_flow *f, const struct dp_pkt *p);
void offload_flow_forget(struct offload_flows *t, struct offload_flow *f);

/* The packet cannot belong to it any more. */
bool offload_flow_is_over(const struct offload_flow *f, const struct dp_pkt *p);
/* 0: sent by the endpoint. One that talks to itself is told apart by ports. */
unsigned int offload_flow_way(const struct offload_flow *f, const struct dp_pkt *p);
/* What the packet, handed up or kept, says of it. */
void offload_flow_follow(struct offload_flow *f, const struct dp_pkt *p);

/* What a packet of it, before it is followed, tells of its connection. */
struct dp_tcp_event offload_flow_tell(struct offload_flow *f, const struct dp_pkt *p);
/* As a verdict does it, see dp_tcp_since(). */
void offload_flow_drop_round_trip(struct offload_flow *f, uint64_t since_ns);

/* Whether a classifier wants to see it. */
bool offload_has_payload(const struct dp_pkt *p);
/* RADIUS, GTP-C, PFCP. */
bool offload_is_signalling(const struct dp_five_tuple *tuple);
