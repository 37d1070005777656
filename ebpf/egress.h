// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The program on what a host sends by a port, beside the one on what it receives (ebpf/program.c, which alone uses
 * this): it has that one's constants, flows, slots, ledger and way up. */

#include "dataplane/err.h"

#include <stdint.h>

struct bpf_object;
struct ebpf_egress_program; // owns what it has in the kernel

/* beside: loaded; borrowed for the call. log: for the verifier, log_bytes of it, 0 to begin with; written until it is
 * closed. Returns 0, or -errno: then the caller says why. */
[[nodiscard]] int ebpf_egress_program_open(const struct bpf_object *beside, char *log,
	uint32_t log_bytes, struct ebpf_egress_program **ret_program);

void ebpf_egress_program_close(struct ebpf_egress_program *program);

/* To be attached. Borrowed. */
int ebpf_egress_program_fd(const struct ebpf_egress_program *program);

/* As ebpf_program_set_offset(). */
void ebpf_egress_program_set_offset(struct ebpf_egress_program *program, uint64_t offset_ns);
