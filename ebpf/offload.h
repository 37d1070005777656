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
};

/* Load what the ports need; none is touched before it is opened. Returns 0, or -errno with a sentence: which
 * capability is missing, what the kernel is too old for, what the verifier said. */
[[nodiscard]] int ebpf_offload_open(const struct ebpf_offload_config *cfg,
	struct dp_offload **ret_offload, struct dp_err *reterr);

/* Where a port's program is, i as in the configuration; NULL: it is not there (yet, or any more). Borrowed until
 * the offload is stopped. Control's thread. */
const struct ebpf_attached *ebpf_offload_attached(const struct dp_offload *offload, size_t i);

/* Whoever has it has stopped. NULL is allowed. */
void ebpf_offload_close(struct dp_offload *offload);
