// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* One port's program in the kernel: loaded, run on frames of a replay; what it hands up taken, its flows
 * decided, its ledger read. What it does with frames stands in dataplane/offload.h, which ebpf/offload.h makes
 * of one of these for each port; slots are read there, too (ebpf/slots.h).
 *
 * Takes CAP_BPF and CAP_NET_ADMIN and nothing else. Control's thread where nothing else is said. */

#include "dataplane/capture.h"
#include "dataplane/err.h"
#include "dataplane/ignore.h"
#include "ebpf/abi.h"
#include "ebpf/samples.h"

enum {
	EBPF_REPLAY_MIN = 14, // net/bpf/test_run.c: ETH_HLEN
	EBPF_REPLAY_MAX = 65536, // a packet of the kernel's has MAX_SKB_FRAGS, 17, pages
};

struct ebpf_program; // owns what it has in the kernel

struct ebpf_program_config {
	bool is_tap; // frames are copies and end here; else they go on to the host
	bool is_replay; // frames come from ebpf_program_replay(), not from an interface
	const struct dp_ignore *ignore; // borrowed for the call; NULL: nothing is ignored
	uint32_t ring_bytes; // for frames on their way up; rounded up to a power of two of pages
	// Flows, slots and networks are this one's, which was opened with the same of all that follows.
	// Borrowed for the call. NULL: it has its own.
	const struct ebpf_program *sharer;
	const struct dp_endpoint_nets *nets; // borrowed for the call
	uint64_t tick_ns;
	uint16_t n_workers; // at least 1
	uint32_t n_entries; // of each worker; a power of two
	uint32_t n_flows; // when there are more, some that were idle long are forgotten
	// Where what is read of its samples is noted (ebpf/samples.h). Borrowed until it is closed. NULL: nowhere.
	struct ebpf_kept_port *port;
	bool keeps; // what waits goes to slots (struct ebpf_verdict)
};

/* Load. Returns 0, or -errno with a sentence: which capability is missing, what the kernel is too old
 * for, what the verifier said. */
[[nodiscard]] int ebpf_program_open(const struct ebpf_program_config *cfg,
	struct ebpf_program **ret_program, struct dp_err *reterr);

void ebpf_program_close(struct ebpf_program *program);

/* How many CPUs may be, each with slots of its own; or -errno. */
int ebpf_program_cpus(void);

/* The XDP program, to be attached. Borrowed. */
int ebpf_program_fd(const struct ebpf_program *program);

/* The tc program for what the host sends, likewise. 0: none, on a TAP and in a replay. */
int ebpf_program_egress_fd(const struct ebpf_program *program);

/* Of event time from CLOCK_MONOTONIC (dataplane/receiver.h), in a replay 0. Before it is attached. */
void ebpf_program_set_offset(struct ebpf_program *program, uint64_t offset_ns);

/* Run the program on a frame of a capture, by the kernel's test-run facility: no interface is touched.
 * The program was opened for a replay. One thread.
 *
 * ret_action  XDP_PASS or XDP_DROP (linux/bpf.h)
 *
 * Returns 0, or -errno with a sentence; -EMSGSIZE: it has less than EBPF_REPLAY_MIN bytes, in which there is
 * no IP packet, or more than EBPF_REPLAY_MAX, and the facility does not take it. */
[[nodiscard]] int ebpf_program_replay(struct ebpf_program *program,
	const struct dp_capture_record *frame, uint32_t *ret_action, struct dp_err *reterr);

/* Frames that were handed up. Borrowed. */
struct ebpf_samples *ebpf_program_samples(struct ebpf_program *program);

enum ebpf_ask { EBPF_ASK_DECIDE, EBPF_ASK_LOOK, EBPF_ASK_END, EBPF_ASK_COUNT };

/* As dp_offload_ops' decide, look and end. The program has its own flows. Any thread.
 *
 * verdict    its counts are written, with 0 when it fails
 *
 * Returns 0, -ENOENT: there is no such flow, or another -errno. */
int ebpf_program_ask(struct ebpf_program *program, enum ebpf_ask ask, struct ebpf_verdict *verdict);

/* Maps, to be mapped. Borrowed. */
struct ebpf_slot_maps {
	int slots_fd, told_fd, lists_fd, listed_fd;
	uint32_t
		n_rows; // of slots: each possible CPU has its own; and what verdicts move, where it keeps
};
void ebpf_program_slot_maps(const struct ebpf_program *program, struct ebpf_slot_maps *ret_maps);

int ebpf_program_flows_fd(const struct ebpf_program *program);
int ebpf_program_samples_fd(const struct ebpf_program *program);

/* All CPUs' ledgers, summed up. Any thread. */
[[nodiscard]] int ebpf_program_ledger(
	const struct ebpf_program *program, struct ebpf_ledger *ret_ledger, struct dp_err *reterr);

/* What the walk found in the frame that `cpu` received last. For tests. */
[[nodiscard]] int ebpf_program_found(struct ebpf_program *program, unsigned int cpu,
	struct ebpf_found *ret_found, struct dp_err *reterr);

/* A flow as it stands there, by its key. Returns 0, -ENOENT when there is none; with a sentence. For
 * tests. */
[[nodiscard]] int ebpf_program_flow(struct ebpf_program *program, const struct ebpf_flow_key *key,
	struct ebpf_flow *ret_flow, struct dp_err *reterr);
