// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/attach_egress.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* Of Linux 6.6, which the headers of older ones do not have. */
enum { TCX_EGRESS = 47 };
static const __u32 TCX_BEFORE = 1 << 3; // BPF_F_BEFORE; relative to none: the first of all

enum { OUR_HANDLE = 0x77697265, OUR_PRIORITY = 1 };

static struct bpf_tc_hook hook_of(int index)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = index, .attach_point = BPF_TC_EGRESS);

	return hook;
}

void ebpf_egress_init(struct ebpf_egress *e)
{
	*e = (struct ebpf_egress){.link_fd = -1};
}

static int create_link(int index, int prog_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = TCX_BEFORE);

	return bpf_link_create(prog_fd, index, (enum bpf_attach_type)TCX_EGRESS, &opts);
}

/* The qdisc stays when the filter goes: it costs nothing, and others may have come to use it. */
static int create_filter(int index, int prog_fd)
{
	struct bpf_tc_hook hook = hook_of(index);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd, .handle = OUR_HANDLE,
		.priority = OUR_PRIORITY, .flags = BPF_TC_F_REPLACE);
	const int r = bpf_tc_hook_create(&hook);

	return r < 0 && r != -EEXIST ? r : bpf_tc_attach(&hook, &opts);
}

int ebpf_egress_attach(struct ebpf_egress *e, int index, const char *name, int prog_fd,
	bool is_filter, struct dp_err *reterr)
{
	int r;

	if (!is_filter) {
		e->link_fd = create_link(index, prog_fd);
		if (e->link_fd >= 0)
			return 0;
		if (e->link_fd != -EINVAL) // the kernel knows TCX
			return dp_fail(reterr, -e->link_fd,
				"cannot attach a program to what '%s' sends (tcx): %m", name);
	}
	r = create_filter(index, prog_fd);
	if (r < 0)
		return dp_fail(reterr, -r,
			"cannot attach a program to what '%s' sends (filter %d of its clsact qdisc): %m",
			name, OUR_PRIORITY);
	e->filter_index = index;
	return 0;
}

void ebpf_egress_sweep(int index)
{
	const struct bpf_tc_hook hook = hook_of(index);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = OUR_HANDLE, .priority = OUR_PRIORITY);

	(void)bpf_tc_detach(&hook, &opts);
}

void ebpf_egress_detach(struct ebpf_egress *e)
{
	if (e->link_fd >= 0) {
		(void)bpf_link_detach(e->link_fd); // who else may hold it: a child that was forked
		(void)close(e->link_fd);
	}
	if (e->filter_index != 0)
		ebpf_egress_sweep(e->filter_index);
	ebpf_egress_init(e);
}
