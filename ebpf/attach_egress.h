// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A program on what the host sends by an interface: XDP sees only what it receives. By a TCX link (Linux 6.6),
 * which ends with the process; on older kernels by a filter of the clsact qdisc, which does not: it has a handle of
 * ours, by which the next start finds it. It stands in front of others' programs, and sees what they may drop or
 * change: behind them it would see nothing where one of them says that it was the last.
 *
 * For attach.c alone. */

#include "dataplane/err.h"

#include <stdbool.h>

struct ebpf_egress {
	int link_fd; // -1: none
	int filter_index; // of the interface where our filter is; 0: none
};

/* An egress that is on no interface. */
void ebpf_egress_init(struct ebpf_egress *egress);

/* prog_fd: a tc program, borrowed for the call. is_filter: as on an older kernel. Returns 0, or -errno with a
 * sentence. */
[[nodiscard]] int ebpf_egress_attach(struct ebpf_egress *egress, int index, const char *name,
	int prog_fd, bool is_filter, struct dp_err *reterr);

void ebpf_egress_detach(struct ebpf_egress *egress);

/* Remove the filter that a process left on the interface when it was killed; none is fine. */
void ebpf_egress_sweep(int index);
