// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Programs on a network interface.
 *
 * By BPF links: what this process attached ends with the process, however that ends, or, where links are pinned
 * (ebpf/pins.h), goes on until the next one takes its place. (But for what hosts send where the kernel is older than
 * 6.6, see ebpf/attach_egress.h: the next start removes that.) Takes
 * CAP_BPF and CAP_NET_ADMIN. Changes nothing of the interface but that it is promiscuous where it is a TAP, and
 * what the kernel does by itself where a program is (a veth's other end loses TSO, generic mode ends LRO).
 * Control's thread, but for ebpf_attached_is_up(). */

#include "dataplane/err.h"
#include "ebpf/kept.h"
#include "ebpf/pins.h"

#include <stdbool.h>
#include <stddef.h>

enum ebpf_mode {
	EBPF_MODE_AUTO, // native, or generic where that does not go
	EBPF_MODE_NATIVE, // in the driver, before the kernel makes a packet of the frame
	EBPF_MODE_GENERIC, // behind the driver: any interface, slower, sees what the driver made of frames
};

struct ebpf_attach_config {
	const char *interface; // borrowed for the call
	enum ebpf_mode mode;
	bool is_tap; // frames for others are wanted, too: the interface is promiscuous while it lasts
	int ingress_fd; // the XDP program; borrowed for the call
	int egress_fd; // the tc program for what the host sends, likewise; 0: none
	bool is_egress_filter; // not by TCX, as on kernels before 6.6
	// Where links may be pinned from before; borrowed for the call; NULL: nowhere.
	struct ebpf_pins *pins;
	struct ebpf_kept_port
		*port; // links are pinned, and this says how; borrowed; NULL: they are not
	bool was_flag_ours; // who was before us made it promiscuous
};

struct ebpf_attached; // owns what keeps the programs there

/* Attach. Returns 0, or -errno with a sentence that says what would help: no such interface in this network
 * namespace (-ENODEV), another program is there (-EBUSY), the driver does not take it, or tags are taken out
 * of frames before a program sees them (-EOPNOTSUPP), its MTU is too big (-ERANGE), the host uses what is to be a TAP
 * (-EADDRINUSE). */
[[nodiscard]] int ebpf_attach(const struct ebpf_attach_config *cfg,
	struct ebpf_attached **ret_attached, struct dp_err *reterr);

/* Whether the links were there: no frame has passed without a program. */
bool ebpf_attached_is_adopted(const struct ebpf_attached *attached);

/* When it returns, no frame runs through the programs any more, unless their links are pinned: then they go on. NULL is
 * allowed. */
void ebpf_detach(struct ebpf_attached *attached);

/* Wait for CPUs that are in a program that was replaced or detached. */
void ebpf_wait_for_programs(void);

/* "xdp native" or "xdp generic". */
const char *ebpf_attached_path(const struct ebpf_attached *attached);

/* Why that: a phrase. Lives as long as it is attached. */
const char *ebpf_attached_why(const struct ebpf_attached *attached);

/* How it sees what the host sends: "tcx" or "clsact"; NULL: not at all. */
const char *ebpf_attached_egress(const struct ebpf_attached *attached);

/* What was found that makes it receive less than there is, or count it wrongly: sentences, i from 0. NULL:
 * no more. */
const char *ebpf_attached_warning(const struct ebpf_attached *attached, size_t i);

/* Whether the interface is there, up, and has a carrier. Any thread. */
bool ebpf_attached_is_up(const struct ebpf_attached *attached);
