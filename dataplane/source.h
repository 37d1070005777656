// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A capture path: where frames come from. One vtable, so that everything above is shared.
 *
 * Opened and closed by control; polled by one receiver's thread. */

#include "dataplane/err.h"
#include "dataplane/offload.h"
#include "dataplane/packet.h"
#include "dataplane/spread.h"

#include <stdint.h>

struct rte_mbuf;
struct rte_mempool;

struct dp_source_stats {
	uint64_t received; // frames handed up, or offered by the NIC
	uint64_t lost; // frames the source says it had to drop
	uint64_t position; // bytes read of a file, else 0
	uint64_t size; // of the file, 0 when unknown
	bool is_link_down; // now; false where the driver does not tell
};

enum dp_poll {
	DP_POLL_MORE, // *ret_n frames, possibly none
	DP_POLL_AGAIN, // likewise, and there was something to do: ask again at once
	DP_POLL_END, // nothing will come any more
	DP_POLL_BROKEN, // the capture breaks off; the sentence is in dp_source.err
};

struct dp_source {
	const struct dp_source_ops *ops;
	void *self;
	enum dp_link link;
	bool has_time; // frames carry their own event time; else the receiver stamps bursts
	// Event time that a source with time has come to, where its frames do not tell: nothing older comes. 0: they
	// do. Written by poll.
	uint64_t time_ns;
	struct dp_err err; // written by the receiver before it reports DP_POLL_BROKEN
};

struct dp_source_ops {
	/* At most max frames into mbufs, given. In each mbuf's private area (struct dp_pkt) time_ns,
	 * when the source has time, wire_bytes and handed are set. Receiver thread. */
	enum dp_poll (*poll)(
		struct dp_source *s, struct rte_mbuf **mbufs, uint16_t max, uint16_t *ret_n);
	/* Any thread. */
	void (*stats)(const struct dp_source *s, struct dp_source_stats *ret_stats);
	/* What never came up here (dataplane/offload.h). Any thread. NULL: nothing. */
	void (*kept)(const struct dp_source *s, struct dp_offload_stats *ret_stats);
	/* Control, after the receiver stopped. */
	void (*close)(struct dp_source *s);
};

// Bytes that an mbuf of captures needs room for, besides its headroom: shorter frames are copied there,
// of longer ones it has the capture's own bytes. Small mbufs are close together, which saves 13 ns of a
// frame on 4 KB pages (tests/bench/reader.c with --room 256 and without).
enum { DP_SOURCE_FILE_ROOM = 128 };

/* Capture files, merged by time. All are opened before the first is read.
 *
 * pool        borrowed; its private area holds a struct dp_pkt, its mbufs have a headroom
 * is_exact    each frame lives in a heap block of exactly its captured length, so that a memory
 *             checker sees a read behind it
 *
 * A plain pcap file is read as long as it was when it was opened, and its frames are parts of it: they may
 * be read until the source is closed, and given back later. To change it meanwhile is to change frames;
 * one that is cut short breaks off there.
 *
 * Returns 0, or -errno with a sentence: a file that cannot be read, is no capture, or has a link
 * type that enum dp_link does not have. The interfaces of a pcapng file may be of several. One thread of
 * the process opens and closes. */
[[nodiscard]] int dp_source_file_open(const char *const *paths, size_t n_paths,
	struct rte_mempool *pool, bool is_exact, struct dp_source **ret_source,
	struct dp_err *reterr);

enum { DP_PORT_DESCRIPTORS = 4096 }; // start value; the driver adjusts it to what it has

/* A DPDK port: any device the EAL was started with. */
struct dp_port_config {
	const char *device; // as named there: "0000:3b:00.0", "net_af_packet0,iface=eth1"
	uint16_t mtu; // 0: the largest whose frames fit one mbuf; else longer ones come as chains
	enum dp_spread spread;
	uint16_t n_workers; // one queue for each where the device spreads
};

/* Open all receive queues of a port.
 *
 * pool          borrowed; its private area holds a struct dp_pkt
 * ret_sources   room for config->n_workers. One per queue: as many where the device spreads, else one.
 *               Each is polled by one thread and closed by itself; the last one closes the port. The
 *               first one's stats are the port's, the others' are 0
 *
 * Promiscuous; no frame is ever sent. Frames are what was on the wire: with their VLAN tags, not merged,
 * without their check sequence. Returns 0, or -errno with a sentence: no such port, an mtu that its
 * driver cannot take, too few queues, queues that nobody would read, or a step of its set-up refused. */
[[nodiscard]] int dp_source_port_open(const struct dp_port_config *config, struct rte_mempool *pool,
	struct dp_source **ret_sources, uint16_t *ret_n, struct dp_err *reterr);

struct dp_offload_source {
	const struct dp_offload *offload; // borrowed until the source is closed
	uint16_t port;
	struct rte_mempool *pool, *wide; // borrowed: frames that fit in one of pool's, and others
	struct dp_source *captures; // given: replayed through the offload; NULL: live
	uint64_t
		tick_ns; // a replay stands still before the first frame of each tick; live, the offload is told of it
	uint64_t offset_ns; // of live event time
};

/* Frames that an offload hands up. A replay's are those of captures, each run through it; where a tick ends it
 * returns nothing and says the time, and when it is polled again the next tick's frames may come.
 *
 * Returns 0, or -errno with a sentence; config->captures is taken in either case. */
[[nodiscard]] int dp_source_offload_open(const struct dp_offload_source *config,
	struct dp_source **ret_source, struct dp_err *reterr);

void dp_source_close(struct dp_source *s); // NULL is fine
