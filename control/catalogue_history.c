// SPDX-License-Identifier: BSD-3-Clause
#include "control/catalogue_history.h"

#include "control/folder.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "history"

const char *const ctl_history_what_names[] = {"started", "file", "committed", "rolled back", NULL};
static_assert(G_N_ELEMENTS(ctl_history_what_names) == CTL_HISTORY_WHAT_COUNT + 1);

static void line_free(void *data)
{
	struct ctl_history_line *line = data;

	g_free(line->who);
	g_free(line->why);
	g_free(line->file);
	g_free(line);
}

void ctl_history_init(struct ctl_history *history)
{
	*history = (struct ctl_history){.lines = g_ptr_array_new_with_free_func(line_free)};
}

void ctl_history_fini(struct ctl_history *history)
{
	g_clear_pointer(&history->lines, g_ptr_array_unref);
}

static struct ctl_history_line *line_copy(const struct ctl_history_line *line)
{
	struct ctl_history_line *copy = g_memdup2(line, sizeof(*line));

	copy->who = g_strdup(line->who != NULL ? line->who : "");
	copy->why = g_strdup(line->why != NULL ? line->why : "");
	copy->file = g_strdup(line->file);
	return copy;
}

static bool is_sha256(const char *text)
{
	return strlen(text) == CTL_SHA256_MAX - 1 &&
		strspn(text, "0123456789abcdef") == CTL_SHA256_MAX - 1;
}

const char *ctl_history_file_name(const struct ctl_history_line *line)
{
	const char *slash = strrchr(line->file, '/');

	return slash == NULL ? line->file : slash + 1;
}

/* The copy is looked for under it. */
static bool is_file_name(const char *name)
{
	return *name != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool read_what(const char *text, enum ctl_history_what *ret_what)
{
	for (int i = 0; i < CTL_HISTORY_WHAT_COUNT; i++) {
		if (strcmp(text, ctl_history_what_names[i]) == 0) {
			*ret_what = (enum ctl_history_what)i;
			return true;
		}
	}
	return false;
}

/* Copies what it points to, or returns NULL. */
static struct ctl_history_line *line_of(const json_t *object)
{
	const char *time, *what, *who, *why, *file, *sha256, *configured;
	struct ctl_history_line line = {0};
	json_int_t version;

	if (json_unpack((json_t *)(uintptr_t)object, "{sI ss ss ss ss ss ss ss}", "version",
		    &version, "time", &time, "what", &what, "who", &who, "why", &why, "file", &file,
		    "sha256", &sha256, "configured", &configured) < 0)
		return NULL;
	line.who = (char *)(uintptr_t)who;
	line.why = (char *)(uintptr_t)why;
	line.file = (char *)(uintptr_t)file;
	if (version < 1 || version > CTL_HISTORY_VERSION_MAX || !read_what(what, &line.what) ||
		!is_sha256(sha256) || (*configured != '\0' && !is_sha256(configured)) ||
		!is_file_name(ctl_history_file_name(&line)) || strlen(time) >= sizeof(line.time))
		return NULL;
	line.version = (uint32_t)version;
	(void)g_strlcpy(line.time, time, sizeof(line.time));
	(void)g_strlcpy(line.sha256, sha256, sizeof(line.sha256));
	(void)g_strlcpy(line.configured, configured, sizeof(line.configured));
	return line_copy(&line);
}

static void keep(struct ctl_history *history, struct ctl_history_line *given)
{
	g_ptr_array_add(history->lines, given);
	if (history->lines->len > CTL_HISTORY_LINES_MAX)
		(void)g_ptr_array_remove_index(history->lines, 0);
}

void ctl_history_parse(struct ctl_history *history, const char *text, size_t len)
{
	const char *const text_end = text + len;

	while (text < text_end) {
		const char *end = memchr(text, '\n', (size_t)(text_end - text));
		// Without a newline it was cut off, even where it can be read.
		json_t *object = end == NULL
			? NULL
			: json_loadb(text, (size_t)(end - text), JSON_REJECT_DUPLICATES, NULL);
		struct ctl_history_line *line = object == NULL ? NULL : line_of(object);

		json_decref(object);
		if (line != NULL)
			keep(history, line);
		else
			history->n_damaged++;
		history->is_end_damaged = line == NULL;
		text = end == NULL ? text_end : end + 1;
	}
}

static int read_fd(struct ctl_history *history, int fd, const char *folder, struct dp_err *reterr)
{
	struct stat st;
	g_autofree char *text = NULL;
	size_t len = 0;
	ssize_t n = 1;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > CTL_HISTORY_BYTES_MAX)
		return dp_fail(reterr, EINVAL,
			"'%s/" NAME "': expected an ordinary file of at most %d MiB", folder,
			CTL_HISTORY_BYTES_MAX >> 20);
	text = g_malloc((size_t)st.st_size + 1);
	while (len < (size_t)st.st_size && n > 0) {
		n = read(fd, text + len, (size_t)st.st_size - len);
		if (n < 0 && errno != EINTR)
			return dp_fail(reterr, errno, "cannot read '%s/" NAME "': %m", folder);
		len += n > 0 ? (size_t)n : 0;
		n = n < 0 ? 1 : n;
	}
	ctl_history_parse(history, text, len);
	return 0;
}

int ctl_history_read(struct ctl_history *history, const char *folder, struct dp_err *reterr)
{
	const int dir = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int fd, r;

	if (dir < 0 && errno == ENOENT)
		return 0;
	if (dir < 0)
		return dp_fail(reterr, errno, "cannot open '%s': %m", folder);
	fd = openat(dir, NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	r = fd < 0 ? -errno : 0;
	(void)close(dir); // was only looked at
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return dp_fail(reterr, -r, "cannot open '%s/" NAME "': %s", folder,
			r == -ELOOP ? "it is a symbolic link" : g_strerror(-r));
	r = read_fd(history, fd, folder, reterr);
	(void)close(fd); // was only read
	return r;
}

static bool add_text(GString *text, const struct ctl_history_line *line)
{
	json_t *object = json_pack("{sI ss ss ss ss ss ss ss}", "version",
		(json_int_t)line->version, "time", line->time, "what",
		ctl_history_what_names[line->what], "who", line->who, "why", line->why, "file",
		line->file, "sha256", line->sha256, "configured", line->configured);
	char *one = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);

	if (one != NULL)
		g_string_append_printf(text, "%s\n", one);
	free(one);
	json_decref(object);
	return one != NULL;
}

bool ctl_history_format(const struct ctl_history *history, GString *ret_text)
{
	bool is_fine = true;

	for (guint i = 0; i < history->lines->len && is_fine; i++)
		is_fine = add_text(ret_text, history->lines->pdata[i]);
	return is_fine;
}

static int write_file(const char *path, const GString *text, struct dp_err *reterr)
{
	const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
	const int fd = open(path, flags, 0600);
	int r;

	if (fd < 0)
		return dp_fail(reterr, errno, "cannot make '%s': %m", path);
	r = ctl_fd_write(fd, text->str, text->len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0)
		return 0;
	r = dp_fail(reterr, -r, "cannot write '%s': %m", path);
	(void)unlink(path); // half of it is no use
	return r;
}

int ctl_history_write(const struct ctl_history *history, const char *folder, struct dp_err *reterr)
{
	g_autofree char *path = g_build_filename(folder, NAME, NULL);
	g_autofree char *new = g_strconcat(path, ".new", NULL);
	g_autofree char *old = g_strconcat(path, ".old", NULL);
	g_autofree char *damaged = g_strconcat(path, ".damaged", NULL);
	g_autoptr(GString) text = g_string_new(NULL);
	bool is_linked, is_first;
	int r;

	if (!ctl_history_format(history, text))
		return dp_fail(
			reterr, EILSEQ, "the history cannot be written: a text in it is not UTF-8");
	r = write_file(new, text, reterr);
	if (r < 0)
		return r;
	if (history->n_damaged > 0 && (unlink(damaged) == 0 || errno == ENOENT))
		(void)link(path, damaged); // for whoever wants to know; not worth a failure
	(void)unlink(old); // of a write that was cut short
	is_linked = link(path, old) == 0;
	is_first = !is_linked && errno == ENOENT;
	if (rename(new, path) < 0)
		r = dp_fail(reterr, errno, "cannot replace '%s': %m", path);
	if (r == 0)
		r = ctl_folder_sync(folder, reterr);
	// A rename that may not be durable is taken back, so that disk and process agree.
	if (r < 0 && is_linked)
		(void)rename(old, path);
	else if (r < 0 && is_first)
		(void)unlink(path);
	(void)unlink(old);
	return r;
}

void ctl_history_add(struct ctl_history *history, const struct ctl_history_line *line)
{
	struct ctl_history_line *own = line_copy(line);

	ctl_utc_format(ctl_utc_now_ns(), own->time);
	keep(history, own);
}

void ctl_history_drop(struct ctl_history *history)
{
	(void)g_ptr_array_remove_index(history->lines, history->lines->len - 1);
}

const struct ctl_history_line *ctl_history_in_force(const struct ctl_history *history)
{
	const guint n = history->lines->len;

	return n == 0 || history->is_end_damaged ? NULL : history->lines->pdata[n - 1];
}

const struct ctl_history_line *ctl_history_find(const struct ctl_history *history, uint32_t version)
{
	for (guint i = history->lines->len; i > 0; i--) {
		const struct ctl_history_line *line = history->lines->pdata[i - 1];

		if (line->version == version)
			return line;
	}
	return NULL;
}

uint32_t ctl_history_before(const struct ctl_history *history, uint32_t version)
{
	const struct ctl_history_line *line;
	guint i = history->lines->len;

	// The line that made it, the oldest that the history still has.
	for (guint at = i; at > 0; at--) {
		line = history->lines->pdata[at - 1];
		if (line->version == version)
			i = at - 1;
	}
	for (; i > 0; i--) {
		line = history->lines->pdata[i - 1];
		if (line->version != version)
			return line->version;
	}
	return 0;
}

static const char *or_null(const char *text)
{
	return *text != '\0' ? text : NULL;
}

json_t *ctl_history_row(const struct ctl_history_line *line, bool is_in_force)
{
	char sha256[CTL_SHA256_SHOWN + 1];

	(void)g_strlcpy(sha256, line->sha256, sizeof(sha256));
	return json_pack("{sI sb ss ss ss? ss ss ss?}", "version", (json_int_t)line->version,
		"in_force", is_in_force, "time", line->time, "what",
		ctl_history_what_names[line->what], "who", or_null(line->who), "sha256", sha256,
		"file", line->file, "why", or_null(line->why));
}
