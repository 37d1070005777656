// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Links that outlive us: what keeps a program on an interface, pinned (ebpf/pins.h). kind: "xdp" or "tcx". For attach.c
 * alone. */

#include "ebpf/attach.h"

/* The link that was pinned, with the new program in the old one's place: no frame passes in between. index: the
 * interface's. Returns its fd, or -ENOENT: there is none any more. */
int ebpf_link_adopt(const struct ebpf_attach_config *cfg, int index, const char *kind, int prog_fd);

/* Pin a link that was made, where cfg says so. Returns 0, or -errno with a sentence. */
[[nodiscard]] int ebpf_link_pin(
	const struct ebpf_attach_config *cfg, const char *kind, int fd, struct dp_err *reterr);

/* Whether the program that is on the interface now runs behind its driver. */
bool ebpf_link_is_generic(int index);
