// SPDX-License-Identifier: BSD-3-Clause
#include "control/catalogue_bundle.h"

#include "control/apps_files.h"
#include "control/catalogue_history.h"
#include "control/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct sink {
	int fd; // -1: nothing is written
	GChecksum *sum;
	uint64_t n_bytes;
};

static int emit(struct sink *sink, const void *bytes, size_t len, struct dp_err *reterr)
{
	const int r = sink->fd < 0 ? 0 : ctl_fd_write(sink->fd, bytes, len);

	if (r < 0)
		return dp_fail(reterr, -r, "cannot write the copy: %m");
	if (sink->sum != NULL)
		g_checksum_update(sink->sum, bytes, (gssize)len);
	sink->n_bytes += len;
	return 0;
}

static int emit_name(struct sink *sink, const char *name, uint64_t size, struct dp_err *reterr)
{
	g_autofree char *head = g_strdup_printf(
		"file %" PRIu64 " %zu\n%s\n", size, strlen(name), name);

	return emit(sink, head, strlen(head), reterr);
}

/* --- one version ------------------------------------------------------------------------------- */

struct version {
	char *folder; // of its copy; owned
	const struct ctl_history_line *line; // borrowed
	GPtrArray *files; // paths below it, the catalogue first; owned
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int take_entry(struct version *version, const FTSENT *entry, struct dp_err *reterr)
{
	const char *name = entry->fts_path + strlen(version->folder) + 1;

	if (entry->fts_info == FTS_D || entry->fts_info == FTS_DP)
		return 0;
	if (entry->fts_info != FTS_F)
		return dp_fail(reterr, EBADMSG, "'%s' is no ordinary file", name);
	if (version->files->len == CTL_BUNDLE_FILES_MAX)
		return dp_fail(reterr, EBADMSG, "it has more than %d files", CTL_BUNDLE_FILES_MAX);
	if (strlen(name) > CTL_BUNDLE_NAME_MAX - 7)
		return dp_fail(reterr, EBADMSG, "a name in it is too long");
	g_ptr_array_add(version->files, g_strdup(name));
	return 0;
}

/* The catalogue's own file leads. */
static int order(struct version *version, struct dp_err *reterr)
{
	const char *own = ctl_history_file_name(version->line);
	guint at;

	g_ptr_array_sort(version->files, by_name);
	if (!g_ptr_array_find_with_equal_func(version->files, own, g_str_equal, &at))
		return dp_fail(reterr, EBADMSG, "its file is missing");
	g_ptr_array_insert(version->files, 0, g_ptr_array_steal_index(version->files, at));
	return 0;
}

static int list_files(struct version *version, struct dp_err *reterr)
{
	char *const paths[] = {version->folder, NULL};
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	FTSENT *entry;
	int r = fts == NULL ? dp_fail(reterr, errno, "cannot be read: %m") : 0;

	while (r == 0 && (entry = fts_read(fts)) != NULL)
		r = take_entry(version, entry, reterr);
	if (fts != NULL)
		(void)fts_close(fts); // was only read
	return r == 0 ? order(version, reterr) : r;
}

static int emit_bytes(
	struct sink *sink, int in, uint64_t size, GChecksum *sum, struct dp_err *reterr)
{
	enum { STEP = 64 * 1024 };
	uint8_t buf[STEP];

	while (size > 0) {
		const ssize_t n = read(in, buf, MIN(sizeof(buf), size));
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return dp_fail(reterr, EAGAIN, "a file changes while it is read");
		g_checksum_update(sum, buf, n);
		r = emit(sink, buf, (size_t)n, reterr);
		if (r < 0)
			return r;
		size -= (uint64_t)n;
	}
	return 0;
}

/* left: bytes that the version may still have. */
static int emit_file(struct sink *sink, const struct version *version, const char *name,
	uint64_t *left, GString *sums, struct dp_err *reterr)
{
	g_autofree char *path = g_build_filename(version->folder, name, NULL);
	g_autofree char *said = g_strdup_printf("%06u/%s", version->line->version, name);
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	const int in = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	int r;

	if (in < 0)
		return dp_fail(reterr, EBADMSG, "'%s' cannot be read: %m", name);
	if (fstat(in, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > *left)
		r = dp_fail(reterr, EBADMSG, "'%s' is no file of a catalogue", name);
	else
		r = emit_name(sink, said, (uint64_t)st.st_size, reterr);
	if (r == 0)
		r = emit_bytes(sink, in, (uint64_t)st.st_size, sum, reterr);
	(void)close(in); // was only read
	if (r < 0)
		return r;
	*left -= (uint64_t)st.st_size;
	g_string_append_printf(sums, "%s  %s\n", g_checksum_get_string(sum), name);
	return 0;
}

static int emit_files(struct sink *sink, const struct version *version, struct dp_err *reterr)
{
	g_autoptr(GString) sums = g_string_new(NULL);
	uint64_t left = CTL_BUNDLE_VERSION_BYTES_MAX;
	char sha256[CTL_SHA256_MAX];
	int r = 0;

	for (guint i = 0; r == 0 && i < version->files->len; i++)
		r = emit_file(sink, version, version->files->pdata[i], &left, sums, reterr);
	if (r < 0)
		return r;
	ctl_catalogue_digest_of(sums, sha256); // the catalogue's own is there
	return strcmp(sha256, version->line->sha256) == 0
		? 0
		: dp_fail(reterr, EBADMSG, "its bytes are not those that were kept");
}

static void leave_out(struct ctl_bundle_report *report, const char *fault)
{
	if (report->n_left_out++ == 0)
		(void)g_strlcpy(report->fault, fault, sizeof(report->fault));
}

static int emit_sound(struct sink *sink, struct version *version, struct ctl_bundle_report *report,
	struct dp_err *reterr)
{
	struct sink nowhere = {.fd = -1};
	struct dp_err err;
	int r = list_files(version, &err);

	if (r == 0)
		r = emit_files(&nowhere, version, &err);
	if (r < 0) {
		g_autofree char *fault = g_strdup_printf(
			"the copy of version %u is damaged: %s", version->line->version, err.text);

		if (access(version->folder, F_OK) == 0) // else removed meanwhile, as old ones are
			leave_out(report, fault);
		return 0;
	}
	r = emit_files(sink, version, reterr);
	if (r == -EBADMSG)
		return dp_fail(reterr, EAGAIN,
			"version %u of the catalogue changes while it is read: try again",
			version->line->version);
	report->n_versions += r == 0;
	return r;
}

/* --- all of them ------------------------------------------------------------------------------- */

static int by_version(const void *a, const void *b)
{
	const struct ctl_history_line *const *x = a, *const *y = b;

	return (*x)->version < (*y)->version ? -1 : (*x)->version > (*y)->version;
}

/* The last line of each version that has a copy; the newest, should there be too many. */
static GPtrArray *lines_with_copy(const struct ctl_history *history, const char *folder)
{
	GPtrArray *lines = g_ptr_array_new();

	for (guint i = 0; i < history->lines->len; i++) {
		struct ctl_history_line *line = history->lines->pdata[i];
		g_autofree char *path = g_strdup_printf("%s/%06u", folder, line->version);

		if (ctl_history_find(history, line->version) == line && access(path, F_OK) == 0)
			g_ptr_array_add(lines, line);
	}
	g_ptr_array_sort(lines, by_version);
	if (lines->len > CTL_BUNDLE_VERSIONS_MAX)
		g_ptr_array_remove_range(lines, 0, lines->len - CTL_BUNDLE_VERSIONS_MAX);
	return lines;
}

static int emit_versions(struct sink *sink, const struct ctl_history *history, const char *folder,
	struct ctl_bundle_report *report, struct dp_err *reterr)
{
	g_autoptr(GPtrArray) lines = lines_with_copy(history, folder);
	int r = 0;

	for (guint i = 0; r == 0 && i < lines->len; i++) {
		struct version version = {.line = lines->pdata[i]};

		version.folder = g_strdup_printf("%s/%06u", folder, version.line->version);
		version.files = g_ptr_array_new_with_free_func(g_free);
		r = emit_sound(sink, &version, report, reterr);
		g_ptr_array_unref(version.files);
		g_free(version.folder);
	}
	return r;
}

static int emit_history(struct sink *sink, const struct ctl_history *history,
	struct ctl_bundle_report *report, struct dp_err *reterr)
{
	g_autoptr(GString) text = g_string_new(NULL);
	int r;

	if (!ctl_history_format(history, text))
		return dp_fail(reterr, EILSEQ, "the history cannot be written: it is not UTF-8");
	r = emit_name(sink, "history", text->len, reterr);
	if (r == 0)
		r = emit(sink, text->str, text->len, reterr);
	report->is_there = true;
	report->n_lines = history->lines->len;
	if (history->lines->len > 0)
		report->in_force = ctl_history_in_force(history)->version;
	for (size_t i = 0; i < history->n_damaged; i++)
		leave_out(report, "a line of the catalogue's history is damaged");
	return r;
}

static int emit_all(struct sink *sink, const char *folder, struct ctl_bundle_report *report,
	struct dp_err *reterr)
{
	struct ctl_history history;
	struct dp_err err;
	int r = emit(sink, CTL_BUNDLE_HEAD, strlen(CTL_BUNDLE_HEAD), reterr);

	if (r < 0)
		return r;
	ctl_history_init(&history);
	r = ctl_history_read(&history, folder, &err);
	if (r == 0 && history.is_end_damaged)
		r = dp_fail(
			&err, EBADMSG, "the last line of the catalogue's history cannot be read");
	if (r < 0) {
		leave_out(report, err.text);
		r = emit(sink, "absent\n", 7, reterr);
	} else {
		r = emit_history(sink, &history, report, reterr);
		if (r == 0)
			r = emit_versions(sink, &history, folder, report, reterr);
	}
	ctl_history_fini(&history);
	return r;
}

int ctl_bundle_write(
	const char *folder, int fd, struct ctl_bundle_report *ret_report, struct dp_err *reterr)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	struct sink sink = {.fd = fd, .sum = sum};
	struct ctl_bundle_report report = {0};
	g_autofree char *end = NULL;
	int r = emit_all(&sink, folder, &report, reterr);

	if (r < 0)
		return r;
	end = g_strdup_printf("end %s\n", g_checksum_get_string(sum));
	sink.sum = NULL; // is closed
	r = emit(&sink, end, strlen(end), reterr);
	report.n_bytes = sink.n_bytes;
	if (r == 0)
		*ret_report = report;
	return r;
}
