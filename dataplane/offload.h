// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What stands in front of sources and counts packets of decided flows by itself: the program in the kernel
 * (ebpf/). The seam between it and the packet path, which knows nothing of how it does that.
 *
 * It knows flows, by innermost 5-tuples. Each frame that it receives it either *hands up*, whole, and then it
 * has counted nothing of it: the path treats it as any other frame. Or it *keeps* it: then it has counted it,
 * and nobody else sees it. So each frame counts in one place, and no two have to agree.
 *
 *   handed up   packets of a flow that has no verdict, as many as the classifier may want to see
 *               (dataplane/budget.h); TCP's SYN, FIN and RST of any flow; payload of watched flows and
 *               signalling; fragments
 *   kept        frames without a packet of ours, with their outcome; packets of decided flows, on the usage
 *               entry that the verdict named; packets for which the way up had no room, and more packets of a
 *               flow without a verdict than anybody wants, both on their flow
 *
 * TCP connections are followed in there (dataplane/tcp.h, the same code), from a flow's first packet on: what a packet
 * told comes up with it, or counts where it is kept. As long as the worker has no verdict it follows what it sees by
 * itself, since the classifier's state stands in the way of some of it.
 *
 * All times are event time. A flow ends in here by the same rules as in a worker: what follows is a new flow, and
 * asks for a verdict again. */

#include "dataplane/addr.h"
#include "dataplane/capture.h"
#include "dataplane/encap.h"
#include "dataplane/err.h"
#include "dataplane/outcome.h"
#include "dataplane/record.h"
#include "dataplane/stage.h"
#include "dataplane/tcp_event.h"

#include <stdbool.h>
#include <stdint.h>

/* How a frame came up: dp_pkt.handed. */
enum dp_handed {
	// There is no flow of it in there: a fragment, or it comes from where nothing is kept.
	DP_HANDED_PLAIN = 0,
	DP_HANDED_ASKS = 1 << 0, // its flow in there has no verdict
	// Its flow is decided there: the packet matters for what it says.
	DP_HANDED_FOLLOWS = 1 << 1,
	DP_HANDED_ENDED = 1 << 2, // with ASKS: it ended a flow of its tuple in there
	DP_HANDED_MERGED = 1 << 3, // of a host that sends: several packets in one frame (GSO)
};

enum dp_offload_tcp { // seen of the flow in packets handed up or kept
	DP_OFFLOAD_FIN_UP = 1 << 0, // sent by the endpoint
	DP_OFFLOAD_FIN_DOWN = 1 << 1,
	DP_OFFLOAD_RST = 1 << 2,
	DP_OFFLOAD_TALKED = 1 << 3, // as DP_FLOW_TALKED
	DP_OFFLOAD_DECIDED = 1 << 4, // not of TCP: the counts stand on an entry, too
	DP_OFFLOAD_MOVED = 1 << 5, // nor this: they went to the entry that was named
};

/* Packets of a flow that were kept: of one without a verdict those that stand on it and count nowhere yet, of a
 * decided one those since the verdict. */
struct dp_offload_counts {
	uint64_t packets[2], bytes[2]; // [0] sent by the endpoint, [1] to it; bytes of IP packets
	uint32_t segments[2]; // of TCP with data, of those without a verdict
	uint64_t last_ns; // of its last packet, handed up or kept
	uint64_t tcp; // set of enum dp_offload_tcp
};

/* What came up with a packet that is not plain: stands at the beginning of its mbuf's headroom. */
struct dp_offload_head {
	uint32_t flow; // which of the flows that its tuple had, not 0
	uint32_t n_packets; // valid with DP_HANDED_MERGED: in the frame, each with its headers
	struct dp_offload_counts ended; // valid with DP_HANDED_ENDED: of the one that ended
	struct dp_tcp_event event; // what the packet told of its connection
};
static_assert(sizeof(struct dp_offload_head) == 72, "fits in a headroom of 128");

/* What was kept for a usage entry since it was asked for last. */
struct dp_offload_usage {
	uint32_t id; // of the worker's usage table
	uint32_t pad;
	uint64_t packets[2], bytes[2];
	uint64_t first_ns, last_ns;
	// A bit for each 100 ms since the beginning of the tick with traffic, the first 128.
	uint64_t active[2];
	struct dp_quality quality; // of TCP, with the same times
};

/* A frame handed up. */
struct dp_offload_frame {
	uint64_t time_ns;
	const uint8_t *data;
	uint32_t cap_len, wire_len;
	enum dp_link link;
	uint8_t handed; // enum dp_handed
	struct dp_offload_head head; // valid unless DP_HANDED_PLAIN
};

/* What was kept of a port, from its opening on; growing. */
struct dp_offload_stats {
	uint64_t received; // frames, handed up or kept
	bool is_link_down; // now; false where nobody tells, and in a replay
	uint64_t frames, wire_bytes; // kept
	uint64_t outcomes[DP_OUTCOME_COUNT]; // of those
	uint64_t packets, up_packets, ip_bytes; // innermost, of those that are DP_OUTCOME_ACCOUNTED
	uint64_t
		lost; // the way up had no room for: packets are kept, fragments are DP_OUTCOME_QUEUE_FULL
	uint64_t undecided_bytes; // kept on flows without a verdict
	uint64_t
		taken_bytes; // of those, told by decide, end and DP_HANDED_ENDED, or gone to an entry
	struct {
		uint64_t opened[DP_ENCAP_COUNT], refused[DP_ENCAP_COUNT][DP_REFUSAL_COUNT];
	} encaps; // of frames kept
};

struct dp_usage_key;

struct dp_offload_ops {
	/* Workers' threads, for flows of their own. 0, or -ENOENT: there is no such flow in there, and the
	 * counts are 0. Other errors cannot be helped and are like that.
	 *
	 * flow: dp_offload_head.flow. What the tuple is used for in there may be another flow already, whose
	 * first packet, which says so, still waits on its way up: it is none of theirs. 0: whichever is
	 * there; for decide one that is decided.
	 *
	 * decide  the flow has a verdict: from here on what is kept of it counts on entry `id` of the worker,
	 *         below dp_offload.n_entries. is_watched: payload goes on being handed up. since_ns: when the
	 *         classifier's state went, as struct dp_worker_told's. ret_before: what stood on the flow. Of one
	 *         that is decided the entry changes, and ret_before is 0
	 * look    what was kept of it so far
	 * end     forget it; as look. id: the entry for what waits where it outlives us; 0: none
	 *
	 * What waited is told, or, where what is kept outlives us, moved to the entry (DP_OFFLOAD_MOVED). */
	int (*decide)(void *self, uint16_t worker, const struct dp_five_tuple *tuple, uint32_t flow,
		uint32_t id, bool is_watched, uint64_t since_ns,
		struct dp_offload_counts *ret_before);
	int (*look)(void *self, const struct dp_five_tuple *tuple, uint32_t flow,
		struct dp_offload_counts *ret_counts);
	int (*end)(void *self, uint16_t worker, const struct dp_five_tuple *tuple, uint32_t flow,
		uint32_t id, struct dp_offload_counts *ret_counts);

	/* That worker's thread, before decide or end name the entry: for whom it counts. NULL: nobody asks. */
	void (*name)(void *self, uint16_t worker, uint32_t id, const struct dp_usage_key *key);

	/* That worker's thread: what was kept for its entries, all that began before end_ns, of at most max
	 * entries (an entry may come twice, in parts). Returns how many; fewer than max: that is all. */
	uint32_t (*drain)(void *self, uint16_t worker, uint64_t end_ns,
		struct dp_offload_usage *ret_usages, uint32_t max);

	/* Frames begin to come: live, the port's interface is taken. offset_ns: of event time (dataplane/receiver.h), 0
	 * in a replay. Control's thread, each port once. Returns 0, or -errno with a sentence. */
	int (*open_port)(void *self, uint16_t port, uint64_t offset_ns, struct dp_err *reterr);
	/* No frames come any more, by any port; what was kept and handed up is there to be taken, or, where it
	 * outlives us, is left to who comes after us. end_ns: of the last tick, in which all that was taken counts.
	 * Control's thread; once more is fine. */
	void (*stop)(void *self, uint64_t end_ns);

	/* Run a frame of a capture through port 0. Reader's thread. 0, or -EMSGSIZE: it takes no frame of that
	 * length, which is handed up so to say; or another -errno with a sentence. */
	int (*run)(void *self, const struct dp_capture_record *frame, struct dp_err *reterr);

	/* Hand the port's next frame to got(), in order; it borrows the frame for the call. Receiver's thread.
	 * Returns 1, 0: there is none now, or -errno. */
	int (*take)(void *self, uint16_t port,
		void (*got)(void *ctx, const struct dp_offload_frame *frame), void *ctx);

	/* What was taken of the port so far, without the frame that got() has just been given, counts in ticks
	 * that end until end_ns. Receiver's thread. */
	void (*mark)(void *self, uint16_t port, uint64_t end_ns);

	/* Any thread, but not while stop is called. */
	void (*stats)(void *self, uint16_t port, struct dp_offload_stats *ret_stats);
};

/* Owned by whoever opened it, and there until the path is closed. */
struct dp_offload {
	const struct dp_offload_ops *ops;
	void *self;
	uint32_t n_entries; // of each worker: entries from here on count in user space alone
};
