// SPDX-License-Identifier: BSD-3-Clause
#include "control/store_backup.h"

#include "control/catalogue_choice.h"
#include "control/folder.h"
#include "control/store_guard.h"
#include "control/store_pages.h"
#include "control/store_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* LMDB 0.9, mdb.c: a first page is its head of 16 bytes and struct MDB_meta of 136; the rest of it is
 * zero in a compact copy, and never read. */
static const char mark[] = "wirecue: the versions of the catalogue follow";

enum { MARK_OFF = 512, CHUNK = 1 << 20 };

/* What reads or writes in a child, and its answer in shared memory. */
struct job {
	const char *from;
	int fd;
	const char *to, *like;
	struct ctl_backup_catalogues *answer;
};

/* --- writing ----------------------------------------------------------------------------------- */

struct copier {
	MDB_env *env;
	int fd; // the pipe's end; closed by it
	int rc; // of LMDB
};

static void *copy_env(void *ctx)
{
	struct copier *copier = ctx;

	copier->rc = mdb_env_copyfd2(copier->env, copier->fd, MDB_CP_COMPACT);
	(void)close(copier->fd); // tells that this was all
	return NULL;
}

/* The bytes [off, off + n) of a copy get what they have of the mark. */
static void set_mark(uint8_t *bytes, uint64_t off, size_t n)
{
	for (size_t i = 0; i < sizeof(mark); i++) {
		if (MARK_OFF + i >= off && MARK_OFF + i < off + n)
			bytes[MARK_OFF + i - off] = (uint8_t)mark[i];
	}
}

static int pass_on(int from, int to, struct dp_err *reterr)
{
	g_autofree uint8_t *chunk = g_malloc(CHUNK);
	uint64_t off = 0;
	ssize_t n;

	while ((n = read(from, chunk, CHUNK)) != 0) {
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return dp_fail(reterr, errno, "cannot read the copy: %m");
		set_mark(chunk, off, (size_t)n);
		off += (uint64_t)n;
		r = ctl_fd_write(to, chunk, (size_t)n);
		if (r < 0)
			return dp_fail(reterr, -r, "cannot write the copy: %m");
	}
	return 0;
}

static int copy_marked(const struct ctl_store_reader *reader, int fd, struct dp_err *reterr)
{
	struct copier copier = {.env = reader->env};
	pthread_t thread;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return dp_fail(reterr, errno, "cannot make a pipe: %m");
	copier.fd = ends[1];
	r = pthread_create(&thread, NULL, copy_env, &copier);
	if (r != 0) {
		(void)close(ends[0]);
		(void)close(ends[1]);
		return dp_fail(reterr, r, "cannot make a thread: %m");
	}
	r = pass_on(ends[0], fd, reterr);
	(void)close(ends[0]); // ends the thread, should it still write
	(void)pthread_join(thread, NULL);
	if (r == 0 && copier.rc > 0)
		r = dp_fail(
			reterr, copier.rc, "cannot write the copy: %s", mdb_strerror(copier.rc));
	else if (r == 0 && copier.rc < 0)
		r = dp_fail(reterr, EBADMSG, "'%s' is damaged: %s", reader->path,
			mdb_strerror(copier.rc));
	return r;
}

static int write_backup(void *ctx, struct dp_err *reterr)
{
	const struct job *job = ctx;
	g_autofree char *folder = ctl_versions_folder(job->from);
	struct ctl_store_reader *reader;
	int r;

	(void)signal(SIGPIPE, SIG_IGN); // is an error of write(2)
	r = ctl_store_reader_open(job->from, &reader, reterr);
	if (r < 0)
		return r;
	r = copy_marked(reader, job->fd, reterr);
	ctl_store_reader_close(reader);
	return r == 0 ? ctl_bundle_write(folder, job->fd, &job->answer->bundle, reterr) : r;
}

int ctl_store_backup(const char *place, int fd, unsigned longest_s,
	struct ctl_bundle_report *ret_bundle, struct dp_err *reterr)
{
	struct job job = {.from = place, .fd = fd, .answer = ctl_store_share(sizeof(*job.answer))};
	int r;

	if (job.answer == NULL)
		return dp_fail(reterr, ENOMEM, "no memory for a copy: %m");
	r = ctl_store_reader_guard(write_backup, &job, place, longest_s, reterr);
	if (r == 0)
		*ret_bundle = job.answer->bundle;
	ctl_store_unshare(job.answer, sizeof(*job.answer));
	return r;
}

/* --- reading ----------------------------------------------------------------------------------- */

static bool has_at(int fd, uint64_t off, const void *bytes, size_t len)
{
	char found[64];

	return len <= sizeof(found) && pread(fd, found, len, (off_t)off) == (ssize_t)len &&
		memcmp(found, bytes, len) == 0;
}

/* Where the copy ends; a bundle begins there if there is one. *ret_end is the file's without. */
static int find_bundle(
	int fd, const char *file, uint64_t *ret_end, bool *ret_has_bundle, struct dp_err *reterr)
{
	const bool is_marked = has_at(fd, MARK_OFF, mark, sizeof(mark));
	struct ctl_pages pages;
	struct dp_err err;
	struct stat st;
	uint64_t end;
	bool has_bundle;

	if (fstat(fd, &st) < 0)
		return dp_fail(reterr, errno, "cannot look at '%s': %m", file);
	if (ctl_pages_open(fd, &pages, &err) < 0)
		return dp_fail(reterr, EBADMSG, "'%s' is damaged: %s", file, err.text);
	end = (pages.newest.last_page + 1) * pages.page_size;
	has_bundle = has_at(fd, end, CTL_BUNDLE_HEAD, strlen(CTL_BUNDLE_HEAD));
	if (is_marked != has_bundle)
		return dp_fail(reterr, EBADMSG, "'%s' is damaged: %s", file,
			is_marked ? "the versions of the catalogue, which should follow its last "
				    "page, are missing"
				  : "versions of the catalogue follow, but its first page does not "
				    "say so");
	*ret_end = has_bundle ? end : (uint64_t)st.st_size;
	*ret_has_bundle = has_bundle;
	return 0;
}

static int read_bundle(int fd, uint64_t off, const struct job *job, struct dp_err *reterr)
{
	FILE *in = fdopen(dup(fd), "rb");
	struct stat st = {0};
	struct dp_err err;
	int r;

	if (in == NULL || fseeko(in, (off_t)off, SEEK_SET) < 0) {
		r = dp_fail(reterr, errno, "cannot read '%s': %m", job->from);
	} else if (job->like != NULL && stat(job->like, &st) < 0) {
		r = dp_fail(reterr, errno, "cannot look at '%s': %m", job->like);
	} else {
		r = ctl_bundle_read(in, job->to, st.st_uid, st.st_gid, &job->answer->bundle, &err);
		if (r < 0)
			(void)dp_fail(reterr, -r, "'%s': %s", job->from, err.text);
	}
	if (in != NULL)
		(void)fclose(in); // was only read
	return r;
}

static int copy_bytes(int from, uint64_t end, int to, struct dp_err *reterr)
{
	g_autofree char *chunk = g_malloc(CHUNK);
	uint64_t off = 0;

	while (off < end) {
		const ssize_t n = pread(from, chunk, MIN((uint64_t)CHUNK, end - off), (off_t)off);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return dp_fail(
				reterr, n < 0 ? errno : EBADMSG, "cannot read the backup: %m");
		r = ctl_fd_write(to, chunk, (size_t)n);
		if (r < 0)
			return dp_fail(reterr, -r, "cannot write the copy: %m");
		off += (uint64_t)n;
	}
	return 0;
}

/* Of a store that is in use the mark would not be true. */
static int erase_mark(int fd, struct dp_err *reterr)
{
	static const char zero[sizeof(mark)];

	return pwrite(fd, zero, sizeof(zero), MARK_OFF) == sizeof(zero)
		? 0
		: dp_fail(reterr, errno, "cannot write the copy: %m");
}

static int unpack(const struct job *job, int from, struct dp_err *reterr)
{
	bool has_bundle;
	uint64_t end;
	int r = find_bundle(from, job->from, &end, &has_bundle, reterr);

	if (r == 0 && job->fd >= 0)
		r = copy_bytes(from, end, job->fd, reterr);
	if (r < 0 || !has_bundle)
		return r;
	job->answer->has_bundle = true;
	if (job->fd >= 0)
		r = erase_mark(job->fd, reterr);
	return r == 0 ? read_bundle(from, end, job, reterr) : r;
}

static int open_and_unpack(void *ctx, struct dp_err *reterr)
{
	const struct job *job = ctx;
	const int from = open(job->from, O_RDONLY | O_CLOEXEC);
	int r;

	if (from < 0)
		return dp_fail(reterr, errno, "cannot read '%s': %m", job->from);
	r = unpack(job, from, reterr);
	(void)close(from); // was only read
	return r;
}

int ctl_store_unpack(const char *file, int fd, const char *to, const char *like,
	struct ctl_backup_catalogues *ret_catalogues, struct dp_err *reterr)
{
	struct job job = {.from = file,
		.fd = fd,
		.to = to,
		.like = like,
		.answer = ctl_store_share(sizeof(*job.answer))};
	int r;

	if (job.answer == NULL)
		return dp_fail(reterr, ENOMEM, "no memory for a copy: %m");
	r = ctl_store_guard(open_and_unpack, &job, file, 0, reterr);
	if (r == 0)
		*ret_catalogues = *job.answer;
	ctl_store_unshare(job.answer, sizeof(*job.answer));
	return r;
}

int ctl_store_backup_check(
	const char *file, struct ctl_backup_catalogues *ret_catalogues, struct dp_err *reterr)
{
	struct ctl_backup_catalogues answer = {0};
	struct job job = {.from = file, .fd = -1, .answer = &answer};
	int r = open_and_unpack(&job, reterr);

	if (r == 0)
		*ret_catalogues = answer;
	return r;
}
