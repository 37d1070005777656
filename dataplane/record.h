// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What a worker tells control: fixed-size records on one single-producer ring per worker.
 *
 * All numbers are deltas of counters that only grow; a full ring postpones a usage record to a
 * later one and loses nothing. Both capture paths write the same records. Written by the owning
 * worker, read by control after the ring's release/acquire. */

#include "dataplane/addr.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum dp_record_kind {
	DP_RECORD_USAGE, // endpoint x app x tag x evidence: what was counted in a tick
	DP_RECORD_MOVE, // endpoint: bytes reported as undecided before, now of app
	DP_RECORD_QUALITY, // endpoint: how its TCP connections fare
	DP_RECORD_NOTE, // one flow: verdict, end, or that it lives
	DP_RECORD_TOLD, // the worker has told of each flow that lived
	DP_RECORD_TICK_END, // the worker has posted everything of ticks <= `tick`
	DP_RECORD_KIND_COUNT,
};

/* How the app of a flow was known, strongest first: the order is the order of resolution. */
enum dp_evidence {
	DP_EVIDENCE_NONE, // undecided, or nothing known
	DP_EVIDENCE_SNI, // TLS or DTLS server name
	DP_EVIDENCE_QUIC, // server name inside a QUIC Initial
	DP_EVIDENCE_HTTP, // Host header
	DP_EVIDENCE_CERT, // certificate names
	DP_EVIDENCE_DNS, // the subscriber's own look-up of that address
	DP_EVIDENCE_PAYLOAD, // the library recognised the protocol itself
	DP_EVIDENCE_ADDRESS, // weak: network of the server
	DP_EVIDENCE_PORT, // weak: port number
	DP_EVIDENCE_COUNT,
};

/* Apps of every process: a dictionary gives the others their numbers, from DP_APP_FIRST on. */
enum {
	DP_APP_UNDECIDED = 0, // the classifier has not decided yet
	DP_APP_UNKNOWN = 1, // it has, and no app of the catalogue fits
	DP_APP_FIRST = 2,
};

enum { DP_TAG_NONE = 0 }; // tags likewise: 0, then the catalogue's

enum {
	DP_HOST_MAX = 128, // bytes of a name in a note, NUL included; longer ones keep their tail
	DP_ALIAS_MAX = 64, // likewise of another name of the server, which keeps whole labels
};

struct dp_usage {
	uint64_t bytes[2]; // innermost IP packet lengths; [0] up (sent by the endpoint), [1] down
	uint64_t packets[2];
	uint64_t first_ns; // event time of the first and last packet counted here
	uint64_t last_ns;
	uint32_t n_new_flows;
	uint32_t active_ms; // part of the tick with traffic, in units of 100 ms slots
};

/* Of the TCP connections of an endpoint in a tick. What is sent: [0] by the endpoint, [1] to it. Round
 * trips: [0] from here to the endpoint and back, [1] on the network's side. */
struct dp_quality {
	uint64_t first_ns; // event time of the first and last packet counted here
	uint64_t last_ns;
	uint64_t segments[2]; // with data
	uint32_t retransmitted[2]; // of them with data that had passed before
	uint32_t out_of_order[2]; // of them late, sooner than a retransmission could be
	uint32_t zero_windows[2];
	uint32_t resets[2];
	uint32_t handshakes_failed; // refused or never answered
	uint32_t n_handshake_rtt[2], n_data_rtt[2]; // round trips measured
	uint64_t handshake_rtt_us[2], data_rtt_us[2]; // their sums
};

/* All but the times. */
static inline void dp_quality_add(struct dp_quality *sum, const struct dp_quality *q)
{
	for (int i = 0; i < 2; i++) {
		sum->segments[i] += q->segments[i];
		sum->retransmitted[i] += q->retransmitted[i];
		sum->out_of_order[i] += q->out_of_order[i];
		sum->zero_windows[i] += q->zero_windows[i];
		sum->resets[i] += q->resets[i];
		sum->n_handshake_rtt[i] += q->n_handshake_rtt[i];
		sum->n_data_rtt[i] += q->n_data_rtt[i];
		sum->handshake_rtt_us[i] += q->handshake_rtt_us[i];
		sum->data_rtt_us[i] += q->data_rtt_us[i];
	}
	sum->handshakes_failed += q->handshakes_failed;
}

enum dp_note_why {
	DP_NOTE_VERDICT, // the classifier has decided (or changed its mind); counts so far
	DP_NOTE_END, // the flow ended: counts are of its whole life
	DP_NOTE_LIVING, // it lives, and control has asked (dp_path_tell): counts so far
};

/* Which of them a worker posts by itself. */
enum dp_notes {
	DP_NOTES_NONE, // but of flows that live, when asked for
	DP_NOTES_ENDS, // where the ring is roomy: live, a note is no reason to postpone usage
	DP_NOTES_ALL, // verdicts and ends
};

struct dp_note {
	struct dp_addr src; // sender of the first packet; of a SYN-ACK its receiver
	struct dp_addr dst;
	uint64_t packets[2]; // [0] src to dst
	uint64_t bytes[2];
	uint64_t first_ns;
	uint64_t last_ns;
	uint64_t risk_bits;
	uint16_t sport; // host order, 0 where the protocol has none
	uint16_t dport;
	uint16_t
		ndpi_master; // the library's own verdict, only for printing through cls_proto_name()
	uint16_t ndpi_app;
	uint8_t l4_proto; // IANA protocol number
	uint8_t why; // enum dp_note_why
	bool is_syn_start; // a new SYN opened this flow
	bool has_ech;
	uint8_t effort; // packets of it that the classifier's library looked at, 255: that or more
	uint8_t basis; // the classifier's own: how the rest of it came about (classifier/resolve.h)
	bool server_is_src; // the side that is not the endpoint is src
	bool was_told; // of an end while a telling is under way: it has gone past this flow, which was in
		// it, or is too young for it
	char host
		[DP_HOST_MAX]; // lower case, NUL-terminated, "" when not known; hostile bytes are '?'
	char alias[DP_ALIAS_MAX]; // likewise: the server by a look-up or a certificate
};

/* A full ring may swallow an end; then the next one covers it. */
struct dp_tick_end {
	uint64_t n_ticks; // that the worker has closed so far, this one included
};

/* Flows that ended before their turn in a telling came have posted a note of their end ahead of this, with
 * was_told false: so each flow that lived when it began is told of once. */
struct dp_told {
	uint64_t request; // what dp_path_tell() returned
};

struct dp_record {
	uint64_t tick; // floor(event time / tick length) this record belongs to
	struct dp_addr endpoint;
	uint32_t app;
	uint16_t tag;
	uint8_t kind; // enum dp_record_kind
	uint8_t evidence; // enum dp_evidence
	bool is_ambiguous; // the endpoint was chosen by the tie rule
	uint8_t worker; // who posted it
	uint8_t pad[6];
	union {
		struct dp_usage usage; // DP_RECORD_USAGE and DP_RECORD_MOVE
		struct dp_quality quality;
		struct dp_note note;
		struct dp_tick_end end;
		struct dp_told told;
	};
};
static_assert(sizeof(struct dp_record) == 336, "ring element: a multiple of 4, no hidden padding");

/* How many bytes of a record say something: all that copies of it need. */
static inline size_t dp_record_size(const struct dp_record *record)
{
	const size_t head = offsetof(struct dp_record, usage);

	switch (record->kind) {
	case DP_RECORD_USAGE:
	case DP_RECORD_MOVE:
		return head + sizeof(record->usage);
	case DP_RECORD_QUALITY:
		return head + sizeof(record->quality);
	case DP_RECORD_TICK_END:
		return head + sizeof(record->end);
	case DP_RECORD_TOLD:
		return head + sizeof(record->told);
	default:
		return sizeof(*record);
	}
}

static inline void dp_record_copy(struct dp_record *to, const struct dp_record *from)
{
	memcpy(to, from, dp_record_size(from));
}
