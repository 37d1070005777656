// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A real worker on real rings with real mbufs, and a stage that follows a script: what a server port
 * says about a flow stands in one table. The stage also holds the worker to its side of the seam. */

#include "dataplane/packet.h"
#include "dataplane/ring.h"
#include "dataplane/worker.h"

#include <rte_ring.h>

enum { RIG_S = 1000000000, RIG_INPUTS_MAX = 2 };

/* What the stage does, by the flow's server port. */
enum rig_port {
	RIG_AT_FIRST = 1000, // app 10 and final with the first packet
	RIG_AT_THIRD, // app 11 with the third packet given, final then
	RIG_REFINED, // app 12 with the first, final with the third, then with another host
	RIG_NEVER, // no verdict before the last word, which is app 13
	RIG_UNKNOWN, // the last word is unknown
	RIG_CUT, // app 15 with the first; the second finds the state taken away: app 16, final
	RIG_CUT_FIRST, // undecided with the first, then the same
	RIG_WATCHED, // app 14 and final with the first packet, all others overheard
	RIG_WATCHED_STATE, // the same; the state is kept until the end
	RIG_WATCHED_TWICE, // the same without state; the first overheard takes one, the second is enough
	RIG_UNKNOWN_AT_THIRD, // unknown with the third packet given, final then
};

/* One packet of the wire; time in ms, endpoint 10.0.0.`client`, server 203.0.113.`server`. */
struct rig_packet {
	uint64_t ms;
	uint32_t client;
	uint16_t sport, server_port;
	uint8_t l4_proto;
	uint8_t tcp_flags;
	uint32_t seq, ack;
	uint16_t window;
	bool is_down;
	bool is_empty; // no payload
	bool is_fragment; // a later one: no ports
	bool is_credit; // fragments that waited: their bytes are gone
	uint16_t id; // two packets with all of this alike are copies
	uint8_t ttl; // but for this
	uint32_t n_frames, n_packets; // 0: 1
	uint32_t ip_bytes;
};

struct rig {
	struct dp_worker *worker;
	struct rte_ring *inputs[RIG_INPUTS_MAX];
	unsigned int n_inputs;
	unsigned int burst; // packets enqueued before the worker is polled
	unsigned int n_waiting;
	uint64_t tick[RIG_INPUTS_MAX]; // open, per input; UINT64_MAX before the first packet
	struct dp_record *records; // owned, all that were taken
	size_t n_records, n_room;
	uint64_t bytes_in;
	unsigned int n_states; // the stage's, alive
	unsigned int n_given; // packets the stage saw
	unsigned int n_overheard; // of flows that it watches
	uint32_t world; // what the stage judges by: apps have 100 times that more. Set by tests
	uint32_t world_in_force; // that a round has taken
	unsigned int n_resolved; // flows judged anew by what is remembered
	struct dp_stage_item last; // packet shown or overheard; what it borrowed is gone
	struct dp_addr last_endpoint; // its endpoint
	unsigned int n_mbufs; // free when it began
};

/* Once a program: EAL and packet pool. */
int rig_start(void **state);
int rig_stop(void **state);

/* config.tick_ns 0: one second. Others 0: large enough. */
struct rig *rig_new(struct dp_worker_config config, unsigned int n_inputs, unsigned int burst);
/* Checks that no packet and no state is left behind. */
void rig_free(struct rig *r);

/* To input i; a mark goes first where the packet opens a tick. Polls when a burst is full. */
void rig_send(struct rig *r, unsigned int i, struct rig_packet packet);
/* Everything up to this tick is complete. */
void rig_mark(struct rig *r, unsigned int i, uint64_t tick);
/* Poll until nothing is left to do, and take the records. */
void rig_run(struct rig *r);
/* One round, no records taken. */
void rig_poll(struct rig *r);
void rig_take(struct rig *r);
/* Ten minutes later: all flows end. */
void rig_finish(struct rig *r);

/* Sum of the records of this kind; app UINT32_MAX and client 0: any. */
struct dp_usage rig_sum(
	const struct rig *r, enum dp_record_kind kind, uint32_t app, uint32_t client);
/* Note i of this kind, in order, or NULL. */
const struct dp_record *rig_note(const struct rig *r, enum dp_note_why why, size_t i);
/* Whether tick has been closed. */
bool rig_has_closed(const struct rig *r, uint64_t tick);
