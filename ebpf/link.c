// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/link.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

bool ebpf_link_is_generic(int index)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, found);

	return bpf_xdp_query(index, 0, &found) == 0 && found.attach_mode == XDP_ATTACHED_SKB;
}

/* Whether a link that was pinned is what would be made now. */
static bool is_wanted(const struct ebpf_attach_config *cfg, int index, int fd)
{
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);

	if (cfg->port == NULL || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return false;
	// A TCX link has its interface at the same place; headers may not have that.
	if (info.xdp.ifindex != (uint32_t)index)
		return false;
	if (info.type != BPF_LINK_TYPE_XDP || cfg->mode == EBPF_MODE_AUTO)
		return true;
	return ebpf_link_is_generic(index) == (cfg->mode == EBPF_MODE_GENERIC);
}

int ebpf_link_adopt(const struct ebpf_attach_config *cfg, int index, const char *kind, int prog_fd)
{
	int fd;

	if (cfg->pins == NULL)
		return -ENOENT;
	fd = ebpf_pins_get_link(cfg->pins, kind, cfg->interface);
	if (fd < 0)
		return -ENOENT;
	if (prog_fd > 0 && is_wanted(cfg, index, fd) && bpf_link_update(fd, prog_fd, NULL) == 0)
		return fd;
	(void)close(fd);
	ebpf_pins_end_link(cfg->pins, kind, cfg->interface);
	return -ENOENT;
}

int ebpf_link_pin(
	const struct ebpf_attach_config *cfg, const char *kind, int fd, struct dp_err *reterr)
{
	if (cfg->port == NULL || fd < 0)
		return 0;
	return ebpf_pins_add_link(cfg->pins, kind, cfg->interface, fd, reterr);
}
