// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/capture.h"
#include "dataplane/source.h"

#include <errno.h>
#include <fcntl.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FRAME_MAX = UINT16_MAX, // what an mbuf segment can describe; behind it nothing is parsed
	RECORD_HEADER_BYTES = 16, // pcap's; only for the progress bar
	RECORDS = 64, // of a file at a time: start value
	SPARE_MBUFS = 32, // taken from the pool at once: a burst
};

struct file {
	struct dp_capture *capture;
	const char *path; // borrowed
	struct dp_capture_record records[RECORDS];
	int n, i; // of records: those there are, and the next one
	uint64_t n_read;
	bool is_done;
};

struct source_file {
	struct dp_source base;
	struct rte_mempool *pool;
	bool is_exact;
	struct file *files;
	size_t n_files;
	struct rte_mbuf *spare[SPARE_MBUFS];
	unsigned int n_spare;
	uint64_t last_ns; // what was delivered last: time never runs backwards
	bool is_broken;
	dp_counter received, position;
	uint64_t size;
};

/* Nothing more of this file. The first sentence of all files stays. */
static void break_off(struct source_file *s, struct file *f, const char *why)
{
	if (s->is_broken)
		return;
	s->is_broken = true;
	(void)dp_fail(&s->base.err, EIO,
		"'%s' breaks off after frame %llu: %s; what was read is reported", f->path,
		(unsigned long long)f->n_read, why);
}

/* The file's next records. One that breaks off is done, and the sentence says where. */
static void read_on(struct source_file *s, struct file *f)
{
	struct dp_err why;
	const int n = f->capture->ops->next(f->capture, f->records, RECORDS, &why);

	f->i = 0;
	f->n = n > 0 ? n : 0;
	f->n_read += (uint64_t)f->n;
	f->is_done = n <= 0;
	if (n < 0)
		break_off(s, f, why.text);
}

static struct file *earliest(struct source_file *s)
{
	struct file *best = NULL;

	for (size_t i = 0; i < s->n_files; i++) {
		struct file *f = &s->files[i];

		if (!f->is_done &&
			(best == NULL || f->records[f->i].time_ns < best->records[best->i].time_ns))
			best = f;
	}
	return best;
}

/* Behind the record of f that was just delivered: whose is the next one? NULL: there is none. */
static struct file *step(struct source_file *s, struct file *f)
{
	if (++f->i == f->n)
		read_on(s, f);
	if (s->n_files > 1)
		return earliest(s);
	return f->is_done ? NULL : f;
}

/* --- mbufs ----------------------------------------------------------------------------------- */

/* NULL: workers still hold them all. */
static struct rte_mbuf *get_mbuf(struct source_file *s)
{
	if (s->n_spare == 0) {
		// All or nothing; the last ones of a pool come one by one.
		if (rte_pktmbuf_alloc_bulk(s->pool, s->spare, SPARE_MBUFS) != 0)
			return rte_pktmbuf_alloc(s->pool);
		s->n_spare = SPARE_MBUFS;
	}
	return s->spare[--s->n_spare];
}

static void free_spare(struct source_file *s)
{
	rte_pktmbuf_free_bulk(s->spare, s->n_spare);
	s->n_spare = 0;
}

static void keep_bytes(void *, void *)
{
	// They are the capture's.
}

static void attach(struct rte_mbuf *m, const uint8_t *data, uint16_t len,
	struct rte_mbuf_ext_shared_info *info)
{
	info->free_cb = keep_bytes;
	info->fcb_opaque = NULL;
	rte_mbuf_ext_refcnt_set(info, 1);
	rte_pktmbuf_attach_extbuf(m, (void *)data, RTE_BAD_IOVA, len, info);
	m->data_off = 0;
	m->data_len = len;
	m->pkt_len = len;
}

/* A frame outside of its mbuf: behind this, or, where it is to end where its block does, in a block of
 * its own. */
struct outside {
	struct rte_mbuf_ext_shared_info info;
	uint8_t *block; // owned, or NULL
	uint8_t bytes[];
};

static void free_outside(void *, void *opaque)
{
	struct outside *o = opaque;

	free(o->block);
	free(o);
}

static int copy_outside(struct rte_mbuf *m, const uint8_t *data, uint16_t len, bool is_exact)
{
	struct outside *o = malloc(sizeof(*o) + (is_exact ? 0 : len));
	uint8_t *bytes;

	if (o == NULL)
		return -ENOMEM;
	o->block = is_exact ? malloc(len > 0 ? len : 1) : NULL;
	bytes = is_exact ? o->block : o->bytes;
	if (bytes == NULL) {
		free(o);
		return -ENOMEM;
	}
	memcpy(bytes, data, len);
	attach(m, bytes, len, &o->info);
	o->info.free_cb = free_outside;
	o->info.fcb_opaque = o;
	return 0;
}

/* Put a frame into m: copied into its own room; as the bytes of the capture, where they last; or copied
 * outside of it, which is for all of them when they are to be exact. Where the bytes last, the shared info
 * stands in m's room, so that giving m back is no matter between threads. */
static int fill(const struct source_file *s, struct rte_mbuf *m, const uint8_t *data, uint16_t len,
	bool lasts)
{
	if (s->is_exact)
		return copy_outside(m, data, len, true);
	if (len <= (lasts ? DP_SOURCE_FILE_ROOM : FRAME_MAX) && len <= rte_pktmbuf_tailroom(m))
		memcpy(rte_pktmbuf_append(m, len), data, len);
	else if (lasts)
		attach(m, data, len, m->buf_addr);
	else
		return copy_outside(m, data, len, false);
	return 0;
}

static struct rte_mbuf *make_frame(
	struct source_file *s, const struct dp_capture_record *record, bool lasts)
{
	const uint32_t cap_len = record->cap_len;
	struct rte_mbuf *m = get_mbuf(s);

	if (m == NULL)
		return NULL;
	if (fill(s, m, record->data, cap_len < FRAME_MAX ? (uint16_t)cap_len : FRAME_MAX, lasts) <
		0) {
		rte_pktmbuf_free(m);
		return NULL;
	}

	struct dp_pkt *p = rte_mbuf_to_priv(m);

	if (record->time_ns > s->last_ns)
		s->last_ns = record->time_ns;
	p->time_ns = s->last_ns;
	p->wire_bytes = record->wire_len;
	p->handed = 0;
	return m;
}

/* --- the source ------------------------------------------------------------------------------ */

static enum dp_poll file_poll(
	struct dp_source *base, struct rte_mbuf **mbufs, uint16_t max, uint16_t *ret_n)
{
	struct source_file *s = (struct source_file *)base;
	struct file *f = earliest(s);
	uint64_t n_bytes = 0;
	uint16_t n = 0;

	while (n < max && f != NULL) {
		const struct dp_capture_record *record = &f->records[f->i];

		// One burst, one link type: the receiver parses bursts.
		if (n > 0 && record->link != base->link)
			break;
		mbufs[n] = make_frame(s, record, f->capture->lasts);
		if (mbufs[n] == NULL)
			break; // later
		base->link = record->link;
		n_bytes += record->cap_len + RECORD_HEADER_BYTES;
		n++;
		f = step(s, f);
	}
	dp_count(&s->received, n);
	dp_count(&s->position, n_bytes);
	*ret_n = n;
	if (n > 0 || f != NULL)
		return DP_POLL_MORE;
	free_spare(s); // whoever asks afterwards finds the pool full
	return s->is_broken ? DP_POLL_BROKEN : DP_POLL_END;
}

static void file_stats(const struct dp_source *base, struct dp_source_stats *ret_stats)
{
	const struct source_file *s = (const struct source_file *)base;

	*ret_stats = (struct dp_source_stats){.received = dp_counter_get(&s->received),
		.position = dp_counter_get(&s->position),
		.size = s->size};
}

static void file_close(struct dp_source *base)
{
	struct source_file *s = (struct source_file *)base;

	free_spare(s);
	for (size_t i = 0; i < s->n_files; i++) {
		struct dp_capture *c = s->files[i].capture;

		if (c != NULL)
			c->ops->close(c);
	}
	free(s->files);
	free(s);
}

static int open_one(struct source_file *s, struct file *f, const char *path, struct dp_err *reterr)
{
	struct stat st;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return dp_fail(
			reterr, errno, "cannot read '%s': %m, expected a readable capture", path);
	if (fstat(fd, &st) != 0) {
		const int e = errno;

		(void)close(fd);
		return dp_fail(reterr, e, "cannot read '%s': %m", path);
	}
	if (S_ISDIR(st.st_mode)) {
		(void)close(fd);
		return dp_fail(reterr, EISDIR,
			"cannot read '%s': a directory, expected a capture file", path);
	}
	f->path = path;
	if (!S_ISREG(st.st_mode))
		return dp_capture_open_any(fd, path, &f->capture, reterr);
	s->size += (uint64_t)st.st_size;
	if (!dp_capture_open_pcap(fd, (uint64_t)st.st_size, &f->capture))
		return dp_capture_open_any(fd, path, &f->capture, reterr);
	(void)close(fd); // the mapping stays
	return 0;
}

int dp_source_file_open(const char *const *paths, size_t n_paths, struct rte_mempool *pool,
	bool is_exact, struct dp_source **ret_source, struct dp_err *reterr)
{
	static const struct dp_source_ops ops = {
		.poll = file_poll, .stats = file_stats, .close = file_close};
	struct source_file *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return dp_fail(reterr, ENOMEM, "cannot read the captures: %m");
	s->base = (struct dp_source){.ops = &ops, .self = s, .has_time = true};
	s->pool = pool;
	s->is_exact = is_exact;
	s->files = calloc(n_paths, sizeof(*s->files));
	if (s->files == NULL) {
		free(s);
		return dp_fail(reterr, ENOMEM, "cannot read the captures: %m");
	}
	s->n_files = n_paths;
	for (size_t i = 0; i < n_paths; i++) {
		r = open_one(s, &s->files[i], paths[i], reterr);
		if (r < 0)
			goto fail;
	}
	for (size_t i = 0; i < n_paths; i++)
		read_on(s, &s->files[i]);
	*ret_source = &s->base;
	return 0;
fail:
	file_close(&s->base);
	return r;
}

void dp_source_close(struct dp_source *s)
{
	if (s != NULL)
		s->ops->close(s);
}
