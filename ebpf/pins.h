// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The folder in a BPF file system where what outlives us is pinned:
 *
 *   NUMBER/     a generation: the maps of one process's programs. The highest number's is the last one
 *   making/     one that was never finished, and counts for nothing
 *   xdp-IFACE   the link that keeps a program on an interface
 *   tcx-IFACE   the same for what the host sends by it
 *
 * (With ':' in the place of each '.', which file names there must not have.) One process at a time has it, by flock.
 * Control's thread. */

#include "dataplane/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ebpf_pins;

/* Open the folder, and lock it. is_made: it is made where it is missing, but not the folder that it is in. Returns 0,
 * or -errno with a sentence: -ENOENT it is missing, -EINVAL it is in no BPF file system, -EBUSY another process has it,
 * -EACCES. */
[[nodiscard]] int ebpf_pins_open(
	const char *path, bool is_made, struct ebpf_pins **ret_pins, struct dp_err *reterr);
void ebpf_pins_close(struct ebpf_pins *pins); // pins stay. NULL is fine

/* Numbers of the generations, ascending. Returns how many, at most max: those. */
size_t ebpf_pins_generations(const struct ebpf_pins *pins, uint32_t *ret_numbers, size_t max);

/* Begin a generation, pin maps in it, and then make it one. Returns 0, or -errno with a sentence. */
[[nodiscard]] int ebpf_pins_begin(struct ebpf_pins *pins, struct dp_err *reterr);
[[nodiscard]] int ebpf_pins_add(
	struct ebpf_pins *pins, const char *name, int fd, struct dp_err *reterr);
[[nodiscard]] int ebpf_pins_finish(struct ebpf_pins *pins, struct dp_err *reterr);

/* A map of a generation: its fd, the caller's, or -errno. */
int ebpf_pins_get(const struct ebpf_pins *pins, uint32_t number, const char *name);

void ebpf_pins_remove(struct ebpf_pins *pins, uint32_t number);

/* Links; kind: "xdp" or "tcx". Pin one; returns 0, or -errno with a sentence. Its fd, the caller's, or -errno. End and
 * unpin it; none is fine. */
[[nodiscard]] int ebpf_pins_add_link(const struct ebpf_pins *pins, const char *kind,
	const char *interface, int fd, struct dp_err *reterr);
int ebpf_pins_get_link(const struct ebpf_pins *pins, const char *kind, const char *interface);
void ebpf_pins_end_link(struct ebpf_pins *pins, const char *kind, const char *interface);

/* End and unpin both of an interface. */
void ebpf_pins_end(struct ebpf_pins *pins, const char *interface);

/* End and unpin each link that is not of one of these interfaces. */
void ebpf_pins_end_others(
	struct ebpf_pins *pins, const char *const *interfaces, size_t n_interfaces);
