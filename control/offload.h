// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The program in the kernel (ebpf/) for the ports of a plan whose way is XDP, or for captures. Control
 * thread. */

#include "control/plan.h"

#include <stddef.h>

struct ctl_offload_sizes {
	uint32_t n_flows, ring_bytes;
	uint32_t n_entries; // of each worker
};

/* What a configuration says of them. */
void ctl_offload_sizes(
	const struct ctl_config *config, uint16_t n_workers, struct ctl_offload_sizes *ret_sizes);

/* Load it and tell the plan's path of it. Where that fails, and the path is live, the plan's XDP ports are
 * refused, so that they stay down with the reason while others work.
 *
 * plan         and what it borrows from the configuration stay until the offload is closed
 * ret_offload  for ebpf_offload_close() when the path is closed; NULL: nothing wants it, or it failed
 *
 * Returns 0; with captures also -errno with a sentence. */
[[nodiscard]] int ctl_offload_open(struct ctl_plan *plan, const struct ctl_config *config,
	struct dp_offload **ret_offload, struct dp_err *reterr);

/* i: as in the configuration. offload NULL: there is none. */
void ctl_offload_taken(const struct ctl_plan *plan, const struct dp_offload *offload, size_t i,
	struct ctl_taken *ret_taken);

/* What is to be known of a port that is up, in a sentence: the n-th, from 0 on. NULL: there are no more. Borrowed. */
const char *ctl_offload_warning(
	const struct ctl_plan *plan, const struct dp_offload *offload, size_t i, size_t n);
