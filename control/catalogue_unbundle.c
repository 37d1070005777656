// SPDX-License-Identifier: BSD-3-Clause
#include "control/catalogue_bundle.h"
#include "control/catalogue_history.h"
#include "control/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP = 64 * 1024, LINE_MAX_BYTES = 128 };

struct source {
	FILE *in;
	const char *to; // NULL: nothing is written
	uid_t uid;
	gid_t gid;
	GChecksum *sum; // of what was read
	struct ctl_history history;
	struct ctl_bundle_report report;
	uint32_t version; // whose files these are; 0 = none yet
	uint32_t n_files; // of it
	uint64_t left; // bytes that it may still have
	char last[CTL_BUNDLE_NAME_MAX + 1]; // name of its hosts file before
	GString *sums; // as sha256sum(1) prints them
};

static int damaged(struct dp_err *reterr, const char *what)
{
	return dp_fail(reterr, EBADMSG, "its versions of the catalogue are damaged: %s", what);
}

/* A disk that fails is no reason to throw a backup away. */
static int cut_off(const struct source *s, struct dp_err *reterr)
{
	return ferror(s->in) ? dp_fail(reterr, errno, "cannot be read: %m")
			     : damaged(reterr, "they are cut off");
}

static int read_bytes(struct source *s, void *bytes, size_t len, struct dp_err *reterr)
{
	const size_t n = fread(bytes, 1, len, s->in);

	if (n < len)
		return cut_off(s, reterr);
	g_checksum_update(s->sum, bytes, (gssize)len);
	s->report.n_bytes += len;
	return 0;
}

/* Without its newline. Not part of the sum until it is known what it is. */
static int read_line(struct source *s, char line[LINE_MAX_BYTES], struct dp_err *reterr)
{
	size_t len = 0;
	int c;

	while (len + 1 < LINE_MAX_BYTES && (c = getc(s->in)) != '\n') {
		if (c == EOF)
			return cut_off(s, reterr);
		if (c == '\0')
			return damaged(reterr, "a line in them is none");
		line[len++] = (char)c;
	}
	line[len] = '\0';
	return len + 1 < LINE_MAX_BYTES ? 0 : damaged(reterr, "a line in them is too long");
}

static void sum_line(struct source *s, const char *line)
{
	g_checksum_update(s->sum, (const guchar *)line, -1);
	g_checksum_update(s->sum, (const guchar *)"\n", 1);
	s->report.n_bytes += strlen(line) + 1;
}

/* Decimal, as it is written, and what stands behind it. */
static bool take_number(const char **text, uint64_t max, char end, uint64_t *ret_n)
{
	const char *p = *text;
	uint64_t n = 0;

	if (*p == '0' && p[1] != end)
		return false;
	do {
		if (!g_ascii_isdigit(*p))
			return false;
		n = n * 10 + (uint64_t)(*p - '0');
	} while (n <= max && *++p != end);
	if (n > max)
		return false;
	*ret_n = n;
	*text = p + (end != '\0');
	return true;
}

/* --- names ------------------------------------------------------------------------------------- */

/* 000003/FILE: the version of a line in the history. */
static uint32_t version_of(const char *name)
{
	uint32_t version = 0;

	if (strlen(name) < 8 || strspn(name, "0123456789") != 6 || name[6] != '/')
		return 0;
	for (int i = 0; i < 6; i++)
		version = version * 10 + (uint32_t)(name[i] - '0');
	return version;
}

static int end_version(struct source *s, struct dp_err *reterr)
{
	const struct ctl_history_line *line = ctl_history_find(&s->history, s->version);
	char sha256[CTL_SHA256_MAX];

	if (s->version == 0)
		return 0;
	ctl_catalogue_digest_of(s->sums, sha256); // has one file at least
	if (strcmp(sha256, line->sha256) != 0)
		return damaged(reterr, "a copy is not what the history says of it");
	s->report.n_versions++;
	return 0;
}

static int begin_version(
	struct source *s, uint32_t version, const char *name, struct dp_err *reterr)
{
	const struct ctl_history_line *line = ctl_history_find(&s->history, version);
	int r = end_version(s, reterr);

	if (r < 0)
		return r;
	if (version <= s->version || line == NULL ||
		s->report.n_versions == CTL_BUNDLE_VERSIONS_MAX)
		return damaged(reterr, "a version in them is not of the history");
	if (strcmp(name, ctl_history_file_name(line)) != 0)
		return damaged(reterr, "the first file of a version is not its catalogue");
	s->version = version;
	s->n_files = 1;
	s->left = CTL_BUNDLE_VERSION_BYTES_MAX;
	s->last[0] = '\0';
	g_string_truncate(s->sums, 0);
	return 0;
}

/* full: as the bundle has it. */
static int judge_name(struct source *s, const char *full, struct dp_err *reterr)
{
	const uint32_t version = version_of(full);
	const char *name = full + 7;

	if (version == 0)
		return damaged(reterr, "a file in them has no possible name");
	if (version != s->version)
		return begin_version(s, version, name, reterr);
	if (ctl_check_hosts_file(name) != NULL || strcmp(name, s->last) <= 0 ||
		++s->n_files > CTL_BUNDLE_FILES_MAX)
		return damaged(reterr, "a file in them has no possible name");
	(void)g_strlcpy(s->last, name, sizeof(s->last));
	return 0;
}

/* --- files ------------------------------------------------------------------------------------- */

static int own(const struct source *s, int fd, const char *path, struct dp_err *reterr)
{
	return geteuid() != 0 || fchown(fd, s->uid, s->gid) == 0
		? 0
		: dp_fail(reterr, errno, "cannot give '%s' its owner: %m", path);
}

/* A folder of the new one, durable in the one above it later. */
static int make_folder(const struct source *s, const char *path, struct dp_err *reterr)
{
	int fd, r;

	if (mkdir(path, 0700) < 0)
		return errno == EEXIST ? 0 : dp_fail(reterr, errno, "cannot make '%s': %m", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return dp_fail(reterr, errno, "cannot open '%s': %m", path);
	r = own(s, fd, path, reterr);
	(void)close(fd);
	return r;
}

static int make_file(const struct source *s, const char *name, int *ret_fd, struct dp_err *reterr)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	g_autofree char *path = g_build_filename(s->to, name, NULL);
	int r = 0;

	for (char *slash = path + strlen(s->to);
		r == 0 && (slash = strchr(slash + 1, '/')) != NULL;) {
		*slash = '\0';
		r = make_folder(s, path, reterr);
		*slash = '/';
	}
	if (r < 0)
		return r;
	*ret_fd = open(path, flags, 0600);
	if (*ret_fd < 0)
		return dp_fail(reterr, errno, "cannot make '%s': %m", path);
	return own(s, *ret_fd, path, reterr);
}

static int transfer(struct source *s, uint64_t size, int out, GChecksum *sum, GByteArray *kept,
	struct dp_err *reterr)
{
	uint8_t buf[STEP];
	int r = 0;

	while (r == 0 && size > 0) {
		const size_t n = MIN(size, sizeof(buf));

		r = read_bytes(s, buf, n, reterr);
		if (r < 0)
			return r;
		g_checksum_update(sum, buf, (gssize)n);
		if (kept != NULL)
			g_byte_array_append(kept, buf, (guint)n);
		if (out >= 0 && (r = ctl_fd_write(out, buf, n)) < 0)
			return dp_fail(reterr, -r, "cannot write the copy: %m");
		size -= n;
	}
	if (out >= 0 && fsync(out) < 0)
		return dp_fail(reterr, errno, "cannot write the copy: %m");
	return 0;
}

static int pass_file(struct source *s, const char *name, uint64_t size, GChecksum *sum,
	GByteArray *kept, struct dp_err *reterr)
{
	int out = -1, r = s->to == NULL ? 0 : make_file(s, name, &out, reterr);

	if (r == 0)
		r = transfer(s, size, out, sum, kept, reterr);
	if (out >= 0)
		(void)close(out); // is synced, or given up
	return r;
}

static int pass_history(struct source *s, uint64_t size, struct dp_err *reterr)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	int r = size > CTL_HISTORY_BYTES_MAX ? damaged(reterr, "their history is too long")
					     : pass_file(s, "history", size, sum, bytes, reterr);

	if (r < 0)
		return r;
	ctl_history_parse(&s->history, (const char *)bytes->data, bytes->len);
	if (s->history.n_damaged > 0)
		return damaged(reterr, "a line of their history cannot be read");
	s->report.is_there = true;
	s->report.n_lines = s->history.lines->len;
	if (s->report.n_lines > 0)
		s->report.in_force = ctl_history_in_force(&s->history)->version;
	return 0;
}

static int pass_copy(struct source *s, const char *name, uint64_t size, struct dp_err *reterr)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	int r = judge_name(s, name, reterr);

	if (r == 0 && size > s->left)
		r = damaged(reterr, "a version in them is too large");
	if (r == 0)
		r = pass_file(s, name, size, sum, NULL, reterr);
	if (r < 0)
		return r;
	s->left -= size;
	g_string_append_printf(s->sums, "%s  %s\n", g_checksum_get_string(sum), name + 7);
	return 0;
}

static int read_name(struct source *s, uint64_t len, char *ret_name, struct dp_err *reterr)
{
	char newline;
	int r = read_bytes(s, ret_name, (size_t)len, reterr);

	ret_name[len] = '\0';
	if (r == 0)
		r = read_bytes(s, &newline, 1, reterr);
	if (r == 0 && (newline != '\n' || strlen(ret_name) != len))
		r = damaged(reterr, "a file in them has no possible name");
	return r;
}

/* "file SIZE LENGTH" */
static int pass_entry(struct source *s, const char *line, struct dp_err *reterr)
{
	char name[CTL_BUNDLE_NAME_MAX + 1];
	const char *p = line + strlen("file ");
	uint64_t size, len;
	int r;

	if (!g_str_has_prefix(line, "file ") ||
		!take_number(&p, CTL_BUNDLE_VERSION_BYTES_MAX, ' ', &size) ||
		!take_number(&p, CTL_BUNDLE_NAME_MAX, '\0', &len) || len == 0)
		return damaged(reterr, "a line in them is none");
	sum_line(s, line);
	r = read_name(s, len, name, reterr);
	if (r < 0)
		return r;
	if (s->report.is_there)
		return pass_copy(s, name, size, reterr);
	return strcmp(name, "history") == 0 ? pass_history(s, size, reterr)
					    : damaged(reterr, "their history is not the first");
}

/* --- all of it --------------------------------------------------------------------------------- */

static int end_all(struct source *s, const char *line, struct dp_err *reterr)
{
	int r = end_version(s, reterr);

	if (r < 0)
		return r;
	if (strcmp(line + strlen("end "), g_checksum_get_string(s->sum)) != 0)
		return damaged(reterr, "their checksum is wrong");
	s->report.n_bytes += strlen(line) + 1;
	return getc(s->in) == EOF ? 0 : damaged(reterr, "something stands behind their end");
}

static int read_head(struct source *s, struct dp_err *reterr)
{
	char head[sizeof(CTL_BUNDLE_HEAD)] = "";
	int r = read_bytes(s, head, sizeof(head) - 1, reterr);

	if (r == 0 && memcmp(head, CTL_BUNDLE_HEAD, sizeof(head) - 1) != 0)
		r = damaged(reterr, "their head is none");
	return r;
}

static int read_all(struct source *s, struct dp_err *reterr)
{
	char line[LINE_MAX_BYTES];
	bool is_absent = false;
	int r = read_head(s, reterr);

	while (r == 0) {
		r = read_line(s, line, reterr);
		if (r < 0)
			return r;
		if (g_str_has_prefix(line, "end ") && (is_absent || s->report.is_there))
			return end_all(s, line, reterr);
		if (strcmp(line, "absent") == 0 && !is_absent && !s->report.is_there) {
			is_absent = true;
			sum_line(s, line);
		} else if (is_absent) {
			r = damaged(reterr, "a line in them is none");
		} else {
			r = pass_entry(s, line, reterr);
		}
	}
	return r;
}

/* Names of files and folders; the innermost first. */
static int sync_below(const char *path, int depth, struct dp_err *reterr)
{
	enum { DEPTH_MAX = 130 }; // of names that were accepted
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;
	int r = 0;

	if (dir == NULL || depth > DEPTH_MAX)
		return dp_fail(reterr, EIO, "cannot read the new folder '%s'", path);
	while (r == 0 && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *inner = g_build_filename(path, name, NULL);
		struct stat st;

		if (lstat(inner, &st) == 0 && S_ISDIR(st.st_mode))
			r = sync_below(inner, depth + 1, reterr);
	}
	return r == 0 ? ctl_folder_sync(path, reterr) : r;
}

int ctl_bundle_read(FILE *in, const char *to, uid_t uid, gid_t gid,
	struct ctl_bundle_report *ret_report, struct dp_err *reterr)
{
	struct source s = {.in = in, .to = to, .uid = uid, .gid = gid};
	int r = 0;

	s.sum = g_checksum_new(G_CHECKSUM_SHA256);
	s.sums = g_string_new(NULL);
	ctl_history_init(&s.history);
	if (to != NULL)
		r = make_folder(&s, to, reterr);
	if (r == 0)
		r = read_all(&s, reterr);
	if (r == 0 && to != NULL)
		r = sync_below(to, 0, reterr);
	if (r == 0)
		*ret_report = s.report;
	ctl_history_fini(&s.history);
	g_string_free(s.sums, TRUE);
	g_checksum_free(s.sum);
	return r;
}
