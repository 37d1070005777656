// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/keep.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

static int make(const char *name, uint64_t n, size_t value_bytes, struct ebpf_mapping *m,
	int *ret_fd, struct dp_err *reterr)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	const int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(uint32_t),
		(uint32_t)value_bytes, (uint32_t)n, &opts);

	if (fd < 0)
		return dp_fail(reterr, errno,
			"cannot make the map '%s' for what is to outlive the process: %m", name);
	*ret_fd = fd;
	return ebpf_mapping_open(m, fd, n, value_bytes, reterr);
}

static int make_all(struct ebpf_keep *k, const struct ebpf_kept *sizes, struct dp_err *reterr)
{
	const uint64_t n_keys = (uint64_t)sizes->n_workers * sizes->n_entries;
	int r = make("wirecue_kept", 1, sizeof(*k->kept), &k->maps.kept, &k->maps.kept_fd, reterr);

	if (r == 0)
		r = make("wirecue_counted", ebpf_kept_slots(sizes), sizeof(*k->counted),
			&k->maps.counted, &k->maps.counted_fd, reterr);
	if (r == 0)
		r = make("wirecue_keys", n_keys, sizeof(*k->keys), &k->maps.keys, &k->maps.keys_fd,
			reterr);
	if (r == 0)
		r = make("wirecue_logs", (uint64_t)sizes->n_workers * sizes->n_log,
			sizeof(*k->logs), &k->maps.logs, &k->maps.logs_fd, reterr);
	return r;
}

int ebpf_keep_open(struct ebpf_keep *k, uint32_t n_rows, uint16_t n_workers, uint32_t n_entries,
	struct dp_err *reterr)
{
	const struct ebpf_kept sizes = {.format = EBPF_KEPT_FORMAT,
		.n_rows = n_rows,
		.n_workers = n_workers,
		.n_entries = n_entries,
		.n_log = n_entries * EBPF_DRAINED_PER_ENTRY};
	int r;

	memset(k, 0, sizeof(*k));
	k->maps.kept_fd = k->maps.counted_fd = k->maps.keys_fd = k->maps.logs_fd = -1;
	if (n_workers > EBPF_KEPT_WORKERS)
		return dp_fail(reterr, E2BIG, "xdp.persist is for at most %d workers, not %u",
			EBPF_KEPT_WORKERS, n_workers);
	r = make_all(k, &sizes, reterr);
	if (r < 0)
		return r;
	k->kept = k->maps.kept.begin;
	k->counted = k->maps.counted.begin;
	k->keys = k->maps.keys.begin;
	k->logs = k->maps.logs.begin;
	*k->kept = sizes;
	return 0;
}

int ebpf_keep_pin(const struct ebpf_keep *k, struct ebpf_pins *pins, struct dp_err *reterr)
{
	int r = ebpf_pins_add(pins, EBPF_PIN_KEPT, k->maps.kept_fd, reterr);

	if (r == 0)
		r = ebpf_pins_add(pins, EBPF_PIN_COUNTED, k->maps.counted_fd, reterr);
	if (r == 0)
		r = ebpf_pins_add(pins, EBPF_PIN_KEYS, k->maps.keys_fd, reterr);
	if (r == 0)
		r = ebpf_pins_add(pins, EBPF_PIN_LOGS, k->maps.logs_fd, reterr);
	return r;
}

static void close_map(struct ebpf_mapping *m, int *fd)
{
	ebpf_mapping_close(m);
	if (*fd > 0)
		(void)close(*fd);
	*fd = -1;
}

void ebpf_keep_close(struct ebpf_keep *k)
{
	close_map(&k->maps.kept, &k->maps.kept_fd);
	close_map(&k->maps.counted, &k->maps.counted_fd);
	close_map(&k->maps.keys, &k->maps.keys_fd);
	close_map(&k->maps.logs, &k->maps.logs_fd);
}
