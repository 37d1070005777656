// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/samples.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

struct ebpf_samples {
	uint64_t *consumed; // a page: the kernel may write over what lies before
	const uint8_t
		*produced; // a page with how far it has written, then the data, twice in a row
	size_t page_bytes, data_bytes;
	uint64_t pos; // we have read up to there
	uint64_t marked; // and marked up to here
	struct ebpf_kept_port *port; // or NULL
};

/* --- open and close -------------------------------------------------------------------------- */

static uint64_t load(const void *word)
{
	return __atomic_load_n((const uint64_t *)word, __ATOMIC_ACQUIRE);
}

static int map_ring(struct ebpf_samples *s, int fd)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	void *p;

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	s->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	s->data_bytes = info.max_entries;
	p = mmap(NULL, s->page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	s->consumed = p;
	p = mmap(NULL, s->page_bytes + 2 * s->data_bytes, PROT_READ, MAP_SHARED, fd,
		(off_t)s->page_bytes);
	if (p == MAP_FAILED)
		return -errno;
	s->produced = p;
	return 0;
}

int ebpf_samples_open(int fd, struct ebpf_kept_port *port, uint64_t from_ns,
	struct ebpf_samples **ret_samples, struct dp_err *reterr)
{
	struct ebpf_samples *s = calloc(1, sizeof(*s));
	int r = s == NULL ? -ENOMEM : map_ring(s, fd);

	if (r < 0) {
		ebpf_samples_close(s);
		return dp_fail(reterr, -r, "cannot map the XDP program's samples: %m");
	}
	s->port = port;
	if (port != NULL) {
		ebpf_samples_release(s, from_ns);
		port->end = port->first; // what was read beyond is read again
	}
	s->pos = load(s->consumed);
	s->marked = s->pos;
	*ret_samples = s;
	return 0;
}

void ebpf_samples_close(struct ebpf_samples *s)
{
	if (s == NULL)
		return;
	if (s->consumed != NULL)
		(void)munmap(s->consumed, s->page_bytes);
	if (s->produced != NULL)
		(void)munmap((void *)s->produced, s->page_bytes + 2 * s->data_bytes);
	free(s);
}

/* --- reading --------------------------------------------------------------------------------- */

static void give_back(struct ebpf_samples *s, uint64_t pos)
{
	__atomic_store_n(s->consumed, pos, __ATOMIC_RELEASE);
}

static bool has_room(const struct ebpf_kept_port *port)
{
	return port == NULL || port->end - port->first < EBPF_MARKS;
}

/* Each record has a head: its length with two flags, and a word of the kernel's; and is padded to eight bytes. */
bool ebpf_samples_take(struct ebpf_samples *s,
	void (*got)(void *ctx, const struct ebpf_sample *sample, const uint8_t *frame), void *ctx)
{
	bool has_got = false;

	while (!has_got && has_room(s->port) && s->pos != load(s->produced)) {
		const uint8_t *record = s->produced + s->page_bytes +
			(s->pos & (s->data_bytes - 1));
		const uint32_t head = __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);
		const uint32_t len = head &
			~(uint32_t)(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		const struct ebpf_sample *sample = (const void *)(record + BPF_RINGBUF_HDR_SZ);

		if ((head & BPF_RINGBUF_BUSY_BIT) != 0)
			break;
		has_got = (head & BPF_RINGBUF_DISCARD_BIT) == 0 && len >= sizeof(*sample) &&
			sample->cap_len <= len - sizeof(*sample);
		if (has_got)
			got(ctx, sample, (const uint8_t *)(sample + 1));
		s->pos += (len + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
		if (s->port == NULL)
			give_back(s, s->pos);
	}
	return has_got;
}

void ebpf_samples_mark(struct ebpf_samples *s, uint64_t end_ns)
{
	struct ebpf_kept_port *port = s->port;

	if (port == NULL || !has_room(port) || s->pos == s->marked)
		return;
	s->marked = s->pos;
	port->marks[port->end % EBPF_MARKS] = (struct ebpf_mark){.end_ns = end_ns, .pos = s->pos};
	__atomic_store_n(&port->end, port->end + 1, __ATOMIC_RELEASE);
}

void ebpf_samples_release(struct ebpf_samples *s, uint64_t end_ns)
{
	struct ebpf_kept_port *port = s->port;

	while (port != NULL && port->first != port->end) {
		const struct ebpf_mark *m = &port->marks[port->first % EBPF_MARKS];

		if (m->end_ns > end_ns)
			break;
		// In this order: with the mark gone nobody who comes after us would know.
		give_back(s, m->pos);
		__atomic_store_n(&port->first, port->first + 1, __ATOMIC_RELEASE);
	}
}

bool ebpf_samples_is_over(const struct ebpf_samples *s)
{
	return s->pos == load(s->produced) && s->pos == load(s->consumed);
}
