// SPDX-License-Identifier: BSD-3-Clause
#include "tests/mutants/frames.h"

#include "dataplane/capture.h"
#include "dataplane/source.h"

#include <errno.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BURST = 32, SNAPLEN = 262144 };

static void *need(void *memory)
{
	if (memory == NULL) {
		(void)fputs("not ok - there is enough memory\n", stderr);
		exit(1);
	}
	return memory;
}

void frames_add(struct frames *f, const struct frame *frame)
{
	struct frame copy = *frame;
	const uint8_t *data = frame->data; // the frame may stand in what is made larger

	if (f->n == f->room) {
		f->room = 2 * f->room + 16;
		f->v = need(realloc(f->v, f->room * sizeof(*f->v)));
	}
	copy.data = need(malloc(copy.cap_len > 0 ? copy.cap_len : 1));
	if (copy.cap_len > 0)
		memcpy(copy.data, data, copy.cap_len);
	f->v[f->n++] = copy;
}

void frames_copy(struct frames *to, const struct frames *from, size_t first, size_t n)
{
	for (size_t i = first; i < first + n && i < from->n; i++)
		frames_add(to, &from->v[i]);
}

void frames_remove(struct frames *f, size_t i)
{
	free(f->v[i].data);
	f->n--;
	memmove(&f->v[i], &f->v[i + 1], (f->n - i) * sizeof(*f->v));
}

void frames_clear(struct frames *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->v[i].data);
	free(f->v);
	*f = (struct frames){0};
}

static void take(struct frames *f, struct rte_mbuf *m, enum dp_link link)
{
	const struct dp_pkt *p = rte_mbuf_to_priv(m);

	frames_add(f,
		&(struct frame){.data = rte_pktmbuf_mtod(m, uint8_t *),
			.cap_len = m->data_len,
			.wire_len = p->wire_bytes,
			.time_ns = p->time_ns,
			.link = link});
	rte_pktmbuf_free(m);
}

int frames_read(struct frames *f, const char *path, size_t max, struct rte_mempool *pool,
	struct dp_err *reterr)
{
	struct rte_mbuf *mbufs[BURST];
	struct dp_source *s;
	enum dp_poll poll = DP_POLL_MORE;
	const size_t until = f->n + max;
	const int r = dp_source_file_open(&path, 1, pool, true, &s, reterr);

	if (r < 0)
		return r;
	while (poll == DP_POLL_MORE && f->n < until) {
		uint16_t n;

		poll = s->ops->poll(s, mbufs, BURST, &n);
		for (uint16_t i = 0; i < n; i++)
			take(f, mbufs[i], s->link);
	}
	dp_source_close(s);
	return 0; // one that breaks off has the frames before
}

bool frames_have(const struct frames *f, enum dp_link link)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->v[i].link == link)
			return true;
	}
	return false;
}

static void put(int fd, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n > 0) {
		const ssize_t done = write(fd, p, n);

		if (done < 0) {
			fprintf(stderr, "not ok - a mutant can be written: %s\n", strerror(errno));
			exit(1);
		}
		p += done;
		n -= (size_t)done;
	}
}

void frames_write(const struct frames *f, enum dp_link link, int fd)
{
	const uint32_t head[] = {
		0xa1b23c4d, 2 | 4 << 16, 0, 0, SNAPLEN, dp_capture_link_type(link)};

	put(fd, head, sizeof(head));
	for (size_t i = 0; i < f->n; i++) {
		const struct frame *x = &f->v[i];
		const uint32_t record[] = {(uint32_t)(x->time_ns / 1000000000),
			(uint32_t)(x->time_ns % 1000000000), x->cap_len, x->wire_len};

		if (x->link != link)
			continue;
		put(fd, record, sizeof(record));
		put(fd, x->data, x->cap_len);
	}
}
