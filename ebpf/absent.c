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
