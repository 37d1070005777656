// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the programs in the kernel count for decided flows, read: slots are mapped, no system call is made. The
 * protocol with the kernel stands at struct ebpf_slot (ebpf/abi.h). */

#include "dataplane/err.h"
#include "dataplane/offload.h"
#include "ebpf/keep.h"
#include "ebpf/program.h"

struct ebpf_slots; // owns its mappings, which outlive the program

/* n_workers, n_entries: as the program was opened with. keep: where what is read is noted, borrowed until it is closed;
 * NULL: nowhere. Returns 0, or -errno with a sentence. */
[[nodiscard]] int ebpf_slots_open(const struct ebpf_program *program, uint16_t n_workers,
	uint32_t n_entries, struct ebpf_keep *keep, struct ebpf_slots **ret_slots,
	struct dp_err *reterr);
void ebpf_slots_close(struct ebpf_slots *slots);

/* As dp_offload_ops.name. */
void ebpf_slots_name(
	struct ebpf_slots *slots, uint16_t worker, uint32_t entry, const struct dp_usage_key *key);

/* As dp_offload_ops.drain. end_ns: also of the tick in which what is read counts. Each worker has a thread of its own. */
uint32_t ebpf_slots_drain(struct ebpf_slots *slots, uint16_t worker, uint64_t end_ns,
	struct dp_offload_usage *ret_usages, uint32_t max);
