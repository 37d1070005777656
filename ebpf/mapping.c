// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/mapping.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

int ebpf_mapping_open(
	struct ebpf_mapping *m, int fd, uint64_t n, size_t value_bytes, struct dp_err *reterr)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t bytes = (n * value_bytes + page - 1) / page * page;
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	void *begin;

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return dp_fail(reterr, errno, "cannot look at the XDP program's counters: %m");
	if (info.type != BPF_MAP_TYPE_ARRAY || info.max_entries != n ||
		info.value_size != value_bytes)
		return dp_fail(reterr, EPROTO,
			"map '%s' has %u values of %u bytes, expected %llu of %zu", info.name,
			info.max_entries, info.value_size, (unsigned long long)n, value_bytes);
	begin = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (begin == MAP_FAILED)
		return dp_fail(reterr, errno, "cannot map the XDP program's counters: %m");
	*m = (struct ebpf_mapping){.begin = begin, .bytes = bytes};
	return 0;
}

void ebpf_mapping_close(struct ebpf_mapping *m)
{
	if (m->begin != NULL)
		(void)munmap(m->begin, m->bytes);
	*m = (struct ebpf_mapping){0};
}
