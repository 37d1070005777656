// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The program in the kernel: loaded, run on frames of a replay; samples taken, verdicts given, counters read.
 *
 * It keeps flows, and hands up whole the packets of an undecided flow that the classifier wants to see
 * (dataplane/budget.h) and all fragments. A verdict names the slot where the flow counts from then on; what it
 * had counted goes along. So a flow that is decided costs user space nothing: it reads slots.
 *
 * Takes CAP_BPF and CAP_NET_ADMIN and nothing else. Control's thread; several programs may be loaded
 * side by side. */

#include "dataplane/capture.h"
#include "dataplane/err.h"
#include "ebpf/abi.h"

enum {
	EBPF_REPLAY_MIN = 14, // net/bpf/test_run.c: ETH_HLEN
	EBPF_REPLAY_MAX = 65536, // a packet of the kernel's has MAX_SKB_FRAGS, 17, pages
};

struct ebpf_program; // owns what it has in the kernel

struct ebpf_program_config {
	bool is_tap; // frames are copies and end here; else they go on to the host
	bool is_replay; // frames come from ebpf_program_replay(), not from an interface
	const struct dp_endpoint_nets *nets; // borrowed for the call
	uint32_t n_flows; // when there are more, some that were idle long are forgotten
	uint32_t n_slots; // the highest; each takes 32 bytes a CPU
	uint32_t ring_bytes; // for samples that wait; rounded up to a power of two of pages
};

struct ebpf_sample_taker {
	/* frame: sample->cap_len bytes; both borrowed for the call. */
	void (*take)(void *ctx, const struct ebpf_sample *sample, const uint8_t *frame);
};

/* Load. Returns 0, or -errno with a sentence: which capability is missing, what the kernel is too old
 * for, what the verifier said. */
[[nodiscard]] int ebpf_program_open(const struct ebpf_program_config *cfg,
	struct ebpf_program **ret_program, struct dp_err *reterr);

void ebpf_program_close(struct ebpf_program *program);

/* Run the program on a frame of a capture, by the kernel's test-run facility: no interface is touched.
 * The program was opened for a replay.
 *
 * ret_action  XDP_PASS or XDP_DROP (linux/bpf.h)
 *
 * Returns 0, or -errno with a sentence; -EMSGSIZE: it has less than EBPF_REPLAY_MIN bytes, in which there is
 * no IP packet, or more than EBPF_REPLAY_MAX, and the facility does not take it. */
[[nodiscard]] int ebpf_program_replay(struct ebpf_program *program,
	const struct dp_capture_record *frame, uint32_t *ret_action, struct dp_err *reterr);

/* What the walk found in the frame that `cpu` received last. */
[[nodiscard]] int ebpf_program_found(struct ebpf_program *program, unsigned int cpu,
	struct ebpf_found *ret_found, struct dp_err *reterr);

/* All CPUs' ledgers, summed up. */
[[nodiscard]] int ebpf_program_ledger(
	struct ebpf_program *program, struct ebpf_ledger *ret_ledger, struct dp_err *reterr);

/* Take the samples that wait, in order. Returns how many, or -errno with a sentence. */
[[nodiscard]] int ebpf_program_samples(struct ebpf_program *program,
	const struct ebpf_sample_taker *taker, void *ctx, struct dp_err *reterr);

/* Give a verdict. Returns 0, -ENOENT when the flow was forgotten, or another -errno; with a sentence. */
[[nodiscard]] int ebpf_program_decide(
	struct ebpf_program *program, const struct ebpf_verdict *verdict, struct dp_err *reterr);

/* What counts in a slot, 1 to n_slots, of all CPUs. */
[[nodiscard]] int ebpf_program_slot(struct ebpf_program *program, uint32_t slot,
	struct ebpf_slot *ret_slot, struct dp_err *reterr);

/* A flow by the key of its samples. Returns 0, -ENOENT when there is none; with a sentence. */
[[nodiscard]] int ebpf_program_flow(struct ebpf_program *program, const struct ebpf_flow_key *key,
	struct ebpf_flow *ret_flow, struct dp_err *reterr);
