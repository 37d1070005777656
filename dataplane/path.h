// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The packet path as control sees it: open, start, take records, stop.
 *
 * Packet headers stop here: control never touches an mbuf. All functions are control's thread
 * unless stated; the EAL is started before (dataplane/eal.h). */

#include "dataplane/addr.h"
#include "dataplane/duplicates.h"
#include "dataplane/encap.h"
#include "dataplane/err.h"
#include "dataplane/ignore.h"
#include "dataplane/offload.h"
#include "dataplane/outcome.h"
#include "dataplane/record.h"
#include "dataplane/sampler.h"
#include "dataplane/signalling_ring.h"
#include "dataplane/spread.h"
#include "dataplane/stage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dp_path_port {
	const char *device; // as given to the EAL, "net_tap0,iface=x" too
	uint16_t mtu; // 0: the largest whose frames fit one mbuf
	const struct dp_ignore *ignore; // borrowed until the path is closed; NULL: nothing
	enum dp_spread spread;
	bool is_offloaded; // what comes up of it by the configuration's offload, instead of a DPDK device
	bool has_thread; // receives on a thread of its own, even for one worker
	// Why it stays down without being tried, borrowed for dp_path_open(); NULL: it is tried.
	const char *refused;
};

struct dp_path_config {
	uint16_t n_workers; // 1 to 64
	uint64_t tick_ns;
	struct dp_endpoint_nets nets;
	uint64_t n_flows; // over all workers
	enum dp_notes notes;
	bool is_exact; // capture frames in exact-size heap blocks
	const char *const *captures; // replay these files; NULL: live
	size_t n_captures;
	const struct dp_ignore *captures_ignore; // borrowed as a port's; NULL: nothing
	const struct dp_path_port *ports; // live
	size_t n_ports;
	enum dp_duplicates_mode duplicates;
	uint64_t duplicate_window_ns;
	struct dp_sampler_config samples; // of each worker
	uint32_t
		signalling_bytes; // of each worker's ring for copies of signalling; 0: none are made
	uint64_t not_before_ns; // live event time begins here, or at the clock when that is later
	const struct dp_offload
		*offload; // borrowed until the path is closed; captures go through it; NULL: none
	struct dp_stage *stages; // n_workers, given
	uint32_t n_frames_kept; // mbufs that drivers keep for good, as net_pcap's infinite_rx does
	uint16_t frame_room; // bytes of a frame that one mbuf holds; 0: DPDK's 2048
};

struct dp_datagram_stats {
	uint64_t fragments, rebuilt, overlapped, expired, evicted, crowded, repeated;
	uint64_t held; // frames that wait for their datagram now
};

struct dp_encap_stats {
	uint64_t opened[DP_ENCAP_COUNT];
	uint64_t refused[DP_ENCAP_COUNT][DP_REFUSAL_COUNT];
};

/* What a thread did with its time (dataplane/stretch.h). */
struct dp_time_stats {
	uint64_t busy_ns; // with something to do
	uint64_t longest_ns; // between two looks at its input
	uint64_t n_long; // longer than DP_LONG_NS
	uint64_t n_disturbed; // long, but the kernel had taken the CPU
};

struct dp_port_stats {
	char name[64]; // the device as configured
	char down[512]; // why it could not be opened; "" when it was
	uint16_t n_queues; // 1, or as many as workers: its device spreads
	struct dp_time_stats time; // of its own thread; 0 where a worker's receives
	bool is_link_down; // of one that was opened, as its driver tells
	uint64_t received, lost;
	uint64_t frames, wire_bytes; // handed to us, or kept by the offload
	bool is_offloaded;
	struct dp_offload_stats offload; // its part in these numbers
	uint64_t outcomes[DP_OUTCOME_COUNT]; // decided on the port: not those of workers
	uint64_t handed_on; // frames for workers; frames = handed_on + held + sum of outcomes
	uint64_t packets, up_packets, ip_bytes; // innermost, handed on or lost by a full queue
	struct dp_datagram_stats datagrams;
	uint64_t position, size; // of a file
};

struct dp_path_stats {
	uint64_t frames, wire_bytes;
	uint64_t outcomes[DP_OUTCOME_COUNT];
	uint64_t ip_bytes; // innermost, of frames that had an IP packet
	uint64_t accounted_bytes; // the part credited to endpoints
	struct dp_encap_stats encaps;
	struct dp_datagram_stats datagrams;
	uint64_t copies_looked, copies_seen; // packets looked at for copies; of them copies
	uint64_t copies_forgotten; // packets remembered too short: voids byte-identical replay
	// TCP flows that said something and ended; of them up only, down only.
	uint64_t tcp_ended, tcp_one_way[2];
	uint64_t flows, flows_evicted, classified_packets;
	uint64_t hellos,
		hellos_ech; // flows whose TLS hello was read; of them with an encrypted one inside
	uint64_t postponed, notes_dropped, names_refused, quality_refused, verdicts_cut,
		hints_forgotten;
	uint64_t signalling, signalling_dropped; // copies for control; of them without room
	uint64_t lost; // before us, as sources report it
	// Of ip_bytes, kept by an offload on flows without a verdict, and those of them that got one. The rest stands on
	// such flows still, or went with those that were given up.
	uint64_t undecided_bytes, taken_bytes;
	uint64_t n_handed_lost; // the offload's way up was full
	uint64_t position, size; // progress over capture files, bytes
	uint64_t worker_busy_ns; // over all workers: time in rounds that found something to do
};

struct dp_worker_stats {
	uint64_t outcomes[DP_OUTCOME_COUNT]; // frames
	uint64_t packets, ip_bytes; // innermost, accounted
	uint64_t flows, flows_evicted, classified_packets, verdicts_cut;
	uint64_t hellos, hellos_ech, hints_forgotten;
	uint64_t names_refused, quality_refused, postponed;
	// Of swaps of the catalogue. The walk behind one is over in a worker that has taken it
	// (dp_path_grace_is_over) and has nothing left to resolve.
	uint64_t catalogues, to_resolve, resolved_again, resolve_refused;
	struct dp_time_stats time; // receiving included where its thread does
};

enum { DP_LONG_NS = 1 << 16 };

struct dp_path;

/* Bytes of packet pools a path of this shape needs: for dp_eal_config.pool_bytes. */
size_t dp_path_pool_bytes(const struct dp_path_config *config);

/* Threads besides main, in the order of lcores: those of ports that have one, then a worker's each. A
 * worker's thread also receives what no other does: everything, where it is the only one, and its queue
 * of a device that spreads. */
unsigned int dp_path_lcores(const struct dp_path_config *config);
/* Whether a port (of captures: port 0) receives on a thread of its own. With DP_SPREAD_AUTO the device may
 * turn out to spread: that thread then has nothing to do. */
bool dp_path_port_has_thread(const struct dp_path_config *config, size_t port);

/* Returns 0, or -errno with a sentence. config->stages are taken in either case. A port that cannot
 * be opened stays down (dp_path_ports says why) while others work; with none left it is an error. */
[[nodiscard]] int dp_path_open(
	const struct dp_path_config *config, struct dp_path **ret_path, struct dp_err *reterr);
[[nodiscard]] int dp_path_start(struct dp_path *path, struct dp_err *reterr);

/* Samples of unknown flows, of a path that was opened with them. One thread, any: it takes those of worker i and gives
 * each back (dataplane/sampler.h), until the path is closed. NULL: there is none now. */
struct dp_sample *dp_path_sample_take(struct dp_path *path, uint16_t worker);
void dp_path_sample_give_back(struct dp_path *path, uint16_t worker, struct dp_sample *sample);

/* Of all workers together; those of a path without samples are 0. Any thread. */
struct dp_sample_stats {
	uint64_t chosen, known, handed_over, no_slot, barred; // as of struct dp_sampler_counters
};
void dp_path_sample_stats(const struct dp_path *path, struct dp_sample_stats *ret_stats);

/* From now on one flow in so many; 0: none. Any thread. */
void dp_path_sample_rate(struct dp_path *path, uint32_t one_in);

/* At most max records of worker i. */
uint32_t dp_path_take(
	struct dp_path *path, uint16_t worker, struct dp_record *records, uint32_t max);

/* A copy of signalling from worker i: ret_message holds DP_SIGNALLING_ROOM bytes. All of those of a tick are
 * there once the record of its end has been taken. Returns false when there is none. */
[[nodiscard]] bool dp_path_take_signalling(
	struct dp_path *path, uint16_t worker, struct dp_signalling *ret_message);

/* Have each worker post a note of each of its flows that live, in slices between packets, and then
 * DP_RECORD_TOLD. While the rings are half full that waits. One at a time: another request takes the
 * place of one under way, of which no end is told any more. Returns its number, from 1 on. */
uint64_t dp_path_tell(struct dp_path *path);

/* Control has processed everything of ticks <= tick, n_ticks of them: the reader may go on. */
void dp_path_drained(struct dp_path *path, uint64_t tick, uint64_t n_ticks);

/* The captures have ended, and control has processed every tick of them. */
bool dp_path_is_drained(const struct dp_path *path);
/* Why a capture broke off, or NULL. */
const char *dp_path_broken(const struct dp_path *path);

/* A moment to wait out before freeing what workers may still read through an old pointer. */
struct dp_path_grace {
	uint64_t rounds[64];
};
void dp_path_grace_begin(const struct dp_path *path, struct dp_path_grace *ret_grace);
bool dp_path_grace_is_over(const struct dp_path *path, const struct dp_path_grace *grace);

/* Any thread. */
void dp_path_stats(const struct dp_path *path, struct dp_path_stats *ret_stats);
void dp_path_worker_stats(
	const struct dp_path *path, uint16_t worker, struct dp_worker_stats *ret_stats);
size_t dp_path_ports(const struct dp_path *path, struct dp_port_stats *ret_ports, size_t max);

/* Live event time, the clock that receivers stamp with. Any thread. */
uint64_t dp_path_now_ns(const struct dp_path *path);

/* Let receivers end behind what they have: close `tick`, which is later than any so far. What was
 * received until then comes out as records; the caller polls until that tick is complete. */
void dp_path_finish(struct dp_path *path, uint64_t tick);

/* Stop all threads and free everything. NULL is fine. */
void dp_path_close(struct dp_path *path);
