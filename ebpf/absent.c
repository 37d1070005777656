// SPDX-License-Identifier: BSD-3-Clause
/* In place of the program's loader, where it is left out (meson_options.txt). */
#include "ebpf/offload.h"

#include <errno.h>

int ebpf_offload_open(
	const struct ebpf_offload_config *, struct dp_offload **, struct dp_err *reterr)
{
	return dp_fail(reterr, ENOTSUP,
		"this wirecue was built without XDP: expected a build with clang, bpftool and libbpf "
		"1.1 (-Dxdp=enabled), or DPDK");
}

void ebpf_offload_close(struct dp_offload *)
{
}

int ebpf_offload_take_over(const struct dp_offload *, ebpf_past_credit_fn *, void *,
	struct ebpf_taken_over *ret_over, struct dp_err *)
{
	*ret_over = (struct ebpf_taken_over){0};
	return 0;
}

void ebpf_offload_credited(const struct dp_offload *, uint64_t)
{
}

void ebpf_offload_committed(const struct dp_offload *, uint64_t)
{
}

/* There is never one. */
const struct ebpf_attached *ebpf_offload_attached(const struct dp_offload *, size_t)
{
	return NULL;
}

const char *ebpf_attached_path(const struct ebpf_attached *)
{
	return "";
}

const char *ebpf_attached_why(const struct ebpf_attached *)
{
	return "";
}

const char *ebpf_attached_egress(const struct ebpf_attached *)
{
	return NULL;
}

const char *ebpf_attached_warning(const struct ebpf_attached *, size_t)
{
	return NULL;
}
