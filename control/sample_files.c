// SPDX-License-Identifier: BSD-3-Clause
#include "control/sample_files.h"

#include "control/folder.h"
#include "control/pcap_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum {
	NAME_MAX_BYTES = 40, // unknown-20261123T201502Z-0000.pcap, NUL included, and some more
	SAME_SECOND_MAX = 10000, // files begun in one
	SPANS = 24, // of the age: how long one is written
	DISK_PARTS = 20, // one of them is left free; start value
};
static const uint64_t SECOND_NS = 1000000000, SPAN_MAX_NS = 3600 * 1000000000ULL;

struct ctl_sample_files {
	char *path;
	struct ctl_sample_bounds bounds;
	int folder; // -1: not open
	int fd; // being written, -1: none
	char name[NAME_MAX_BYTES]; // of that one
	uint64_t begun_ns, size;
	struct ctl_sample_files_state state;
};

struct ctl_sample_files *ctl_sample_files_new(const char *path)
{
	struct ctl_sample_files *f = g_new0(struct ctl_sample_files, 1);

	f->path = g_strdup(path);
	f->folder = -1;
	f->fd = -1;
	return f;
}

void ctl_sample_files_end(struct ctl_sample_files *f)
{
	if (f->fd >= 0)
		(void)close(f->fd); // what it says was said by write()
	f->fd = -1;
}

/* After an error: what is there by the next attempt may be something else. */
static void let_go(struct ctl_sample_files *f)
{
	ctl_sample_files_end(f);
	if (f->folder >= 0)
		(void)close(f->folder); // was only read
	f->folder = -1;
}

void ctl_sample_files_free(struct ctl_sample_files *f)
{
	if (f == NULL)
		return;
	let_go(f);
	g_free(f->path);
	g_free(f);
}

void ctl_sample_files_set_bounds(struct ctl_sample_files *f, const struct ctl_sample_bounds *bounds)
{
	f->bounds = *bounds;
}

/* --- the folder ------------------------------------------------------------------------------- */

static int check_folder(const struct ctl_sample_files *f, struct dp_err *reterr)
{
	struct stat st;

	if (fstat(f->folder, &st) < 0)
		return dp_fail(reterr, errno, "cannot look at the folder '%s': %m", f->path);
	if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		return dp_fail(reterr, EPERM,
			"'%s' is open to others, expected a folder that its owner alone may enter (chmod "
			"700), and an owner that is the daemon's user",
			f->path);
	return 0;
}

static int open_folder(struct ctl_sample_files *f, struct dp_err *reterr)
{
	int r;

	if (f->folder >= 0)
		return 0;
	r = ctl_folder_make(f->path, reterr);
	if (r < 0)
		return r;
	f->folder = open(f->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (f->folder < 0)
		return dp_fail(reterr, errno, "cannot open the folder '%s': %m", f->path);
	return check_folder(f, reterr);
}

static int check_disk(const struct ctl_sample_files *f, struct dp_err *reterr)
{
	struct statvfs fs;

	if (fstatvfs(f->folder, &fs) < 0)
		return dp_fail(reterr, errno, "cannot look at the disk of '%s': %m", f->path);
	if (fs.f_bavail < fs.f_blocks / DISK_PARTS)
		return dp_fail(reterr, ENOSPC, "less than %d %% of the disk of '%s' are free",
			100 / DISK_PARTS, f->path);
	return 0;
}

/* --- names ------------------------------------------------------------------------------------ */

static void name_of(uint64_t begun_ns, unsigned int n, char ret_name[NAME_MAX_BYTES])
{
	const time_t s = (time_t)(begun_ns / SECOND_NS);
	char when[24];
	struct tm tm;

	(void)gmtime_r(&s, &tm); // cannot fail before the year 2^31
	(void)strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
	(void)g_snprintf(ret_name, NAME_MAX_BYTES, "unknown-%s-%04u.pcap", when, n);
}

/* When a file of ours was begun; false: it is none. */
static bool is_ours(const char *name, uint64_t *ret_begun_ns)
{
	char again[NAME_MAX_BYTES];
	struct tm tm = {0};
	unsigned int n;
	time_t s;

	if (sscanf(name, "unknown-%4d%2d%2dT%2d%2d%2dZ-%4u", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		    &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) != 7)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	s = timegm(&tm);
	if (s < 0 || (uint64_t)s > INT64_MAX / SECOND_NS)
		return false;
	*ret_begun_ns = (uint64_t)s * SECOND_NS;
	name_of(*ret_begun_ns, n, again);
	return strcmp(name, again) == 0; // nothing but a name that we give
}

/* --- what goes -------------------------------------------------------------------------------- */

struct old {
	uint64_t begun_ns, bytes;
	char name[NAME_MAX_BYTES];
};

static int by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(((const struct old *)a)->name, ((const struct old *)b)->name);
}

static void note_old(const struct ctl_sample_files *f, const char *name, GArray *olds)
{
	struct old old = {0};
	struct stat st;

	if (!is_ours(name, &old.begun_ns) || (f->fd >= 0 && strcmp(name, f->name) == 0) ||
		fstatat(f->folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return;
	old.bytes = (uint64_t)st.st_size;
	(void)g_strlcpy(old.name, name, sizeof(old.name));
	g_array_append_val(olds, old);
}

/* Our files but the one being written, the oldest first; NULL with a sentence. */
static GArray *list_olds(const struct ctl_sample_files *f, struct dp_err *reterr)
{
	const int fd = openat(f->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	GArray *olds;

	if (dir == NULL) {
		(void)dp_fail(reterr, errno, "cannot read the folder '%s': %m", f->path);
		if (fd >= 0)
			(void)close(fd);
		return NULL;
	}
	olds = g_array_new(FALSE, FALSE, sizeof(struct old));
	while ((entry = readdir(dir)) != NULL)
		note_old(f, entry->d_name, olds);
	(void)closedir(dir);
	g_array_sort(olds, by_name);
	return olds;
}

/* One that was begun long after now: the clock was set back, and nobody knows how old it is. */
static bool is_over(const struct ctl_sample_files *f, const struct old *old, uint64_t now_ns)
{
	return old->begun_ns + f->bounds.age_ns <= now_ns ||
		old->begun_ns > now_ns + f->bounds.age_ns;
}

/* Take off what is over, and the oldest until there is room for `more` bytes. */
static int remove_olds(struct ctl_sample_files *f, GArray *olds, uint64_t now_ns, uint64_t more,
	struct dp_err *reterr)
{
	uint64_t bytes = 0, oldest_ns = 0;
	uint64_t n_left = 0, left_bytes = 0;

	for (guint i = 0; i < olds->len; i++)
		bytes += g_array_index(olds, struct old, i).bytes;
	for (guint i = 0; i < olds->len; i++) {
		const struct old *old = &g_array_index(olds, struct old, i);

		if (is_over(f, old, now_ns) || bytes + more > f->bounds.total_bytes) {
			if (unlinkat(f->folder, old->name, 0) < 0 && errno != ENOENT)
				return dp_fail(reterr, errno, "cannot remove '%s/%s': %m", f->path,
					old->name);
			bytes -= old->bytes;
			continue;
		}
		oldest_ns = n_left++ == 0 ? old->begun_ns : oldest_ns;
		left_bytes += old->bytes;
	}
	f->state = (struct ctl_sample_files_state){n_left, left_bytes, oldest_ns};
	return 0;
}

/* Beside the one being written, which may still grow. */
static int make_room(struct ctl_sample_files *f, uint64_t now_ns, struct dp_err *reterr)
{
	g_autoptr(GArray) olds = list_olds(f, reterr);

	return olds == NULL ? -EIO : remove_olds(f, olds, now_ns, f->bounds.file_bytes, reterr);
}

int ctl_sample_files_tend(struct ctl_sample_files *f, uint64_t now_ns, struct dp_err *reterr)
{
	int r = open_folder(f, reterr);

	if (r == 0)
		r = make_room(f, now_ns, reterr);
	if (r < 0)
		let_go(f);
	return r;
}

struct ctl_sample_files_state ctl_sample_files_state(const struct ctl_sample_files *f)
{
	struct ctl_sample_files_state state = f->state;

	if (f->fd < 0)
		return state;
	if (state.n_files++ == 0)
		state.oldest_ns = f->begun_ns;
	state.bytes += f->size;
	return state;
}

/* --- the one being written -------------------------------------------------------------------- */

static uint64_t span_ns(const struct ctl_sample_files *f)
{
	return MIN(f->bounds.age_ns / SPANS, SPAN_MAX_NS);
}

static bool has_ended(const struct ctl_sample_files *f, uint64_t now_ns, size_t room)
{
	return f->size + room > f->bounds.file_bytes || now_ns < f->begun_ns ||
		now_ns - f->begun_ns >= span_ns(f);
}

static int create(struct ctl_sample_files *f, uint64_t now_ns, struct dp_err *reterr)
{
	f->begun_ns = now_ns / SECOND_NS * SECOND_NS; // as the name says
	for (unsigned int n = 0; n < SAME_SECOND_MAX; n++) {
		name_of(now_ns, n, f->name);
		f->fd = openat(f->folder, f->name,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (f->fd >= 0 || errno != EEXIST)
			break;
	}
	return f->fd >= 0 ? 0 : dp_fail(reterr, errno, "cannot make '%s/%s': %m", f->path, f->name);
}

static int begin(struct ctl_sample_files *f, uint64_t now_ns, struct dp_err *reterr)
{
	uint8_t head[CTL_PCAP_HEAD_BYTES];
	int r = make_room(f, now_ns, reterr);

	if (r == 0)
		r = create(f, now_ns, reterr);
	if (r < 0)
		return r;
	ctl_pcap_head(DP_LINK_RAW_IP, head);
	f->size = sizeof(head);
	r = ctl_fd_write(f->fd, head, sizeof(head));
	if (r == 0)
		return 0;
	(void)unlinkat(f->folder, f->name, 0); // an empty one is in nobody's way
	return dp_fail(reterr, -r, "cannot write '%s/%s': %m", f->path, f->name);
}

int ctl_sample_files_ready(struct ctl_sample_files *f, uint64_t now_ns, size_t room,
	bool *ret_is_new, struct dp_err *reterr)
{
	int r;

	if (room + CTL_PCAP_HEAD_BYTES > f->bounds.file_bytes)
		return dp_fail(reterr, EFBIG,
			"%zu bytes of one flow, expected at most %" G_GUINT64_FORMAT, room,
			f->bounds.file_bytes - CTL_PCAP_HEAD_BYTES);
	if (f->fd >= 0 && has_ended(f, now_ns, room)) {
		f->state = ctl_sample_files_state(f);
		ctl_sample_files_end(f);
	}
	r = open_folder(f, reterr);
	if (r == 0)
		r = check_disk(f, reterr);
	if (r == 0 && f->fd < 0)
		r = begin(f, now_ns, reterr);
	if (r < 0) {
		let_go(f);
		return r;
	}
	*ret_is_new = f->size == CTL_PCAP_HEAD_BYTES;
	return 0;
}

int ctl_sample_files_write(
	struct ctl_sample_files *f, const void *bytes, size_t len, struct dp_err *reterr)
{
	const int r = ctl_fd_write(f->fd, bytes, len);

	if (r == 0) {
		f->size += len;
		return 0;
	}
	(void)dp_fail(reterr, -r, "cannot write '%s/%s': %m", f->path, f->name);
	if (f->size == CTL_PCAP_HEAD_BYTES)
		(void)unlinkat(f->folder, f->name, 0); // an empty one is in nobody's way
	else
		(void)!ftruncate(f->fd, (off_t)f->size); // else half a packet stands at its end
	if (f->size != CTL_PCAP_HEAD_BYTES)
		f->state = ctl_sample_files_state(f);
	let_go(f);
	return r;
}
