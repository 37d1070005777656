// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The programs in the kernel as the packet path sees them (dataplane/offload.h): one for each port, with flows
 * and counters that all of them share; or one for a replay, which touches no interface.
 *
 * Control opens and closes it. It takes CAP_BPF and CAP_NET_ADMIN and nothing else. */

#include "dataplane/addr.h"
#include "dataplane/err.h"
#include "dataplane/ignore.h"
#include "dataplane/offload.h"
#include "ebpf/attach.h"
#include "ebpf/past.h"

#include <stddef.h>

struct ebpf_offload_port {
	const char *interface; // borrowed until the offload is closed
	bool is_tap; // frames are copies and end here; else they go on to the host
	enum ebpf_mode mode;
	const struct dp_ignore *ignore; // borrowed for the call; NULL: nothing is ignored
};

struct ebpf_offload_config {
	const struct dp_endpoint_nets *nets; // borrowed for the call
	uint64_t tick_ns;
	uint16_t n_workers; // at least 1
	uint32_t n_entries; // of each worker; a power of two. Each takes 160 bytes and more a CPU
	uint32_t n_flows; // when there are more, some that were idle long are forgotten
	uint32_t
		ring_bytes; // of each port, for frames on their way up; rounded up to a power of two
	bool is_replay; // one port, which is no interface
	const struct dp_ignore *replay_ignore; // borrowed for the call; NULL: nothing is ignored
	const struct ebpf_offload_port *ports; // of the path, in its order; NULL in a replay
	size_t n_ports;
	// What is counted outlives the process (ebpf/kept.h), in this folder of a BPF file system. Where it does not,
	// the folder is looked into for what did, and needs not be there. NULL: there is none. Borrowed for the call. A
	// replay's port is called "replay".
	const char *pins;
	bool keeps;
	uint64_t watermark_ns; // ticks that end until then are on the disk
};

/* Load what the ports need; none is touched before it is opened. Returns 0, or -errno with a sentence: which
 * capability is missing, what the kernel is too old for, what the verifier said. */
[[nodiscard]] int ebpf_offload_open(const struct ebpf_offload_config *cfg,
	struct dp_offload **ret_offload, struct dp_err *reterr);

/* Where a port's program is, i as in the configuration; NULL: it is not there (yet, or any more). Borrowed until
 * the offload is stopped. Control's thread. */
const struct ebpf_attached *ebpf_offload_attached(const struct dp_offload *offload, size_t i);

/* What those before us left. */
struct ebpf_taken_over {
	size_t n_generations; // starts that left something; 0: nobody has
	size_t n_unreadable; // of others, whose counts are lost
	struct dp_err why; // they are
	bool is_crowded; // so many that this start keeps nothing
	bool is_whole; // no frame of any port passed uncounted since the last stop
};

/* Tell of what was counted before us and is in no tick on the disk: once all ports are open, before threads start.
 * Returns 0, or -errno with a sentence. */
[[nodiscard]] int ebpf_offload_take_over(const struct dp_offload *offload, ebpf_past_credit_fn *fn,
	void *ctx, struct ebpf_taken_over *ret_over, struct dp_err *reterr);

/* That stands in the tick that ends then, and is given to the disk next. */
void ebpf_offload_credited(const struct dp_offload *offload, uint64_t end_ns);

/* Ticks that end until then are on the disk. Control's thread. */
void ebpf_offload_committed(const struct dp_offload *offload, uint64_t end_ns);

/* Whoever has it has stopped. NULL is allowed. */
void ebpf_offload_close(struct dp_offload *offload);
