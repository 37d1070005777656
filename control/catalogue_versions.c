// SPDX-License-Identifier: BSD-3-Clause
#include "control/catalogue_versions.h"

#include "control/folder.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ctl_versions {
	char *folder; // owned; NULL: there is none
	struct dp_err no_folder; // then why
	bool is_kept;
	pthread_mutex_t lock; // of what follows
	struct ctl_history history;
	uint32_t in_force; // 0: has no copy
	uint32_t last; // number that was given, as far as history and copies know
	char configured[CTL_SHA256_MAX]; // digest of the configured file when it was last taken
	char staged[CTL_SHA256_MAX]; // "" = nothing
	char *staged_file; // owned: whose copy it is
	char *staging_file; // likewise, between begin and end
	char staging[CTL_SHA256_MAX];
};

static char *version_folder(const char *folder, uint32_t version)
{
	return g_strdup_printf("%s/%06u", folder, version);
}

void ctl_versions_choose_again(
	struct ctl_versions *v, const char *configured_path, struct ctl_versions_choice *ret_choice)
{
	const struct ctl_history_line *line = ctl_history_find(&v->history, v->in_force);

	ctl_choice_configured(ret_choice, configured_path);
	if (line != NULL && strcmp(v->configured, ret_choice->configured) == 0)
		ctl_choice_take(ret_choice, v->folder, line);
}

static void remove_below(const char *folder, const char *name)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);

	ctl_folder_remove(path);
}

static const char *temporary(void)
{
	const char *folder = getenv("TMPDIR");

	return folder != NULL && *folder == '/' ? folder : "/tmp";
}

static int open_folder(struct ctl_versions *v, const char *store_path, struct dp_err *reterr)
{
	if (store_path == NULL) {
		v->folder = g_build_filename(temporary(), "wirecue-catalogues-XXXXXX", NULL);
		if (g_mkdtemp(v->folder) == NULL) {
			(void)dp_fail(&v->no_folder, errno,
				"cannot make a folder for versions of the catalogue in '%s': %m",
				temporary());
			g_clear_pointer(&v->folder, g_free);
		}
		return 0;
	}
	v->is_kept = true;
	v->folder = ctl_versions_folder(store_path);
	return ctl_folder_make(v->folder, reterr);
}

/* Numbers of the copies there are. */
static GArray *copies(const char *folder)
{
	GArray *numbers = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	GDir *dir = g_dir_open(folder, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		uint32_t number;

		if (strlen(name) != 6 || strspn(name, "0123456789") != 6)
			continue;
		number = (uint32_t)strtoul(name, NULL, 10);
		g_array_append_val(numbers, number);
	}
	if (dir != NULL)
		g_dir_close(dir);
	return numbers;
}

/* No number may mean two things. */
static uint32_t last_number(const struct ctl_versions *v)
{
	GArray *numbers = copies(v->folder);
	uint32_t last = 0;

	for (guint i = 0; i < numbers->len; i++)
		last = MAX(last, g_array_index(numbers, uint32_t, i));
	g_array_free(numbers, TRUE);
	for (guint i = 0; i < v->history.lines->len; i++) {
		const struct ctl_history_line *line = v->history.lines->pdata[i];

		last = MAX(last, line->version);
	}
	return last;
}

static void set_aside(const char *folder)
{
	g_autofree char *path = g_build_filename(folder, "history", NULL);
	g_autofree char *damaged = g_strconcat(path, ".damaged", NULL);

	ctl_folder_remove(damaged);
	(void)rename(path, damaged);
}

int ctl_versions_open(
	const char *store_path, struct ctl_versions **ret_versions, struct dp_err *reterr)
{
	static const char *const leftovers[] = {
		"staged", "staging", "history.new", "history.old", NULL};
	struct ctl_versions *v = g_new0(struct ctl_versions, 1);
	const struct ctl_history_line *line;
	struct dp_err damage; // was told when it was chosen
	int r;

	(void)pthread_mutex_init(&v->lock, NULL); // cannot fail with these arguments
	ctl_history_init(&v->history);
	r = open_folder(v, store_path, reterr);
	if (r < 0) {
		ctl_versions_close(v);
		return r;
	}
	*ret_versions = v;
	if (v->folder == NULL)
		return 0;
	for (size_t i = 0; leftovers[i] != NULL; i++)
		remove_below(v->folder, leftovers[i]);
	if (ctl_history_read(&v->history, v->folder, &damage) < 0)
		set_aside(v->folder); // what cannot be read would not be replaced either
	line = ctl_history_in_force(&v->history);
	if (line != NULL)
		(void)g_strlcpy(v->configured, line->configured, sizeof(v->configured));
	v->last = last_number(v);
	return 0;
}

void ctl_versions_close(struct ctl_versions *v)
{
	if (v == NULL)
		return;
	if (!v->is_kept && v->folder != NULL)
		ctl_folder_remove(v->folder);
	ctl_history_fini(&v->history);
	(void)pthread_mutex_destroy(&v->lock);
	g_free(v->staged_file);
	g_free(v->staging_file);
	g_free(v->folder);
	g_free(v);
}

bool ctl_versions_are_kept(const struct ctl_versions *v)
{
	return v->is_kept;
}

uint32_t ctl_versions_in_force(struct ctl_versions *v)
{
	uint32_t version;

	(void)pthread_mutex_lock(&v->lock);
	version = v->in_force;
	(void)pthread_mutex_unlock(&v->lock);
	return version;
}

bool ctl_versions_is_in_force(struct ctl_versions *v, const char *sha256)
{
	const struct ctl_history_line *line;
	bool is_same;

	(void)pthread_mutex_lock(&v->lock);
	line = ctl_history_find(&v->history, v->in_force);
	is_same = strcmp(line != NULL ? line->sha256 : v->configured, sha256) == 0;
	(void)pthread_mutex_unlock(&v->lock);
	return is_same;
}

uint32_t ctl_versions_before(struct ctl_versions *v)
{
	uint32_t version;

	(void)pthread_mutex_lock(&v->lock);
	version = ctl_history_before(&v->history, v->in_force);
	(void)pthread_mutex_unlock(&v->lock);
	return version;
}

uint32_t ctl_versions_next(struct ctl_versions *v)
{
	uint32_t next;

	(void)pthread_mutex_lock(&v->lock);
	next = v->last + 1;
	(void)pthread_mutex_unlock(&v->lock);
	return next;
}

void ctl_versions_each(struct ctl_versions *v, size_t from,
	bool (*fn)(void *ctx, size_t i, json_t *given), void *ctx)
{
	bool is_going = true;

	(void)pthread_mutex_lock(&v->lock);
	for (size_t i = from; i < v->history.lines->len && is_going; i++) {
		const size_t n = v->history.lines->len;
		const struct ctl_history_line *line = v->history.lines->pdata[n - 1 - i];

		is_going = fn(
			ctx, i, ctl_history_row(line, i == 0 && line->version == v->in_force));
	}
	(void)pthread_mutex_unlock(&v->lock);
}

/* Never what is in force, nor what was before. Folders that the history knows nothing of count as
 * well, and go as they grow old. */
static void prune(struct ctl_versions *v)
{
	GArray *numbers = copies(v->folder);
	const uint32_t before = ctl_versions_before(v), in_force = ctl_versions_in_force(v);

	for (guint i = 0; i < numbers->len; i++) {
		const uint32_t number = g_array_index(numbers, uint32_t, i);
		g_autofree char *path = version_folder(v->folder, number);
		guint n_newer = 0;

		for (guint k = 0; k < numbers->len; k++)
			n_newer += g_array_index(numbers, uint32_t, k) > number;
		if (n_newer >= CTL_VERSIONS_KEPT && number != in_force && number != before)
			ctl_folder_remove(path);
	}
	g_array_free(numbers, TRUE);
}

/* Write the line; what it says is in force then. */
static int add_line(
	struct ctl_versions *v, const struct ctl_history_line *line, struct dp_err *reterr)
{
	int r;

	(void)pthread_mutex_lock(&v->lock);
	ctl_history_add(&v->history, line);
	(void)pthread_mutex_unlock(&v->lock);
	// Nobody else changes it, and who only reads it does not mind.
	r = ctl_history_write(&v->history, v->folder, reterr);
	(void)pthread_mutex_lock(&v->lock);
	if (r < 0) {
		ctl_history_drop(&v->history);
	} else {
		v->last = MAX(v->last, line->version);
		v->history.n_damaged = 0;
		v->history.is_end_damaged = false;
		v->in_force = line->version;
	}
	(void)pthread_mutex_unlock(&v->lock);
	if (r == 0)
		prune(v);
	return r;
}

/* Make the finished copy at `from` a version, and write its line. */
static int add_version(struct ctl_versions *v, const char *from, struct ctl_history_line *line,
	struct dp_err *reterr)
{
	g_autofree char *source = g_build_filename(v->folder, from, NULL);
	g_autofree char *target = NULL;
	int r;

	line->version = ctl_versions_next(v);
	if (line->version > CTL_HISTORY_VERSION_MAX)
		return dp_fail(reterr, EOVERFLOW, "there are no more numbers for versions");
	target = version_folder(v->folder, line->version);
	if (rename(source, target) < 0)
		return dp_fail(reterr, errno, "cannot rename '%s' to '%s': %m", source, target);
	r = ctl_folder_sync(v->folder, reterr);
	if (r == 0)
		r = add_line(v, line, reterr);
	// To be tried again; what cannot be moved keeps its number.
	if (r < 0 && rename(target, source) < 0)
		v->last = line->version;
	return r;
}

static int copy_configured(struct ctl_versions *v, const struct ctl_versions_choice *choice,
	const char *path, struct dp_err *reterr)
{
	g_autofree char *staging = g_build_filename(v->folder, "staging", NULL);
	char sha256[CTL_SHA256_MAX];
	bool is_source;
	int r;

	ctl_folder_remove(staging);
	r = ctl_catalogue_copy(path, staging, sha256, &is_source, reterr);
	if (r == 0 && strcmp(sha256, choice->configured) != 0)
		return dp_fail(reterr, EAGAIN,
			"'%s' has changed while it was read: reload (SIGHUP)", path);
	return r;
}

static bool has_copy(const struct ctl_versions *v, const struct ctl_history_line *line)
{
	g_autofree char *path = ctl_choice_copy(v->folder, line);
	struct dp_err why; // a new copy is made

	return ctl_choice_look(path, line, &why) == 0;
}

static int take_configured(struct ctl_versions *v, const struct ctl_versions_choice *choice,
	const char *path, struct dp_err *reterr)
{
	const struct ctl_history_line *last = ctl_history_in_force(&v->history);
	g_autofree char *file = g_canonicalize_filename(path, NULL);
	struct ctl_history_line line = {
		.what = choice->what, .file = file, .why = (char *)choice->damage.text};
	int r;

	if (v->folder == NULL)
		return dp_fail(reterr, ENOENT, "%s", v->no_folder.text);
	(void)g_strlcpy(line.sha256, choice->configured, sizeof(line.sha256));
	(void)g_strlcpy(line.configured, choice->configured, sizeof(line.configured));
	// The file has become what is in force: what was committed was then put in its place.
	if (last != NULL && strcmp(last->sha256, choice->configured) == 0 && has_copy(v, last)) {
		line.version = last->version;
		line.file = last->file; // whose copy it is
		return add_line(v, &line, reterr);
	}
	r = copy_configured(v, choice, path, reterr);
	if (r == 0)
		r = add_version(v, "staging", &line, reterr);
	remove_below(v->folder, "staging");
	return r;
}

int ctl_versions_take(struct ctl_versions *v, const struct ctl_versions_choice *choice,
	const char *configured_path, struct dp_err *reterr)
{
	int r = 0;

	if (choice->version == 0)
		r = take_configured(v, choice, configured_path, reterr);
	(void)pthread_mutex_lock(&v->lock);
	if (choice->version != 0 || r < 0)
		v->in_force = choice->version;
	(void)g_strlcpy(v->configured, choice->configured, sizeof(v->configured));
	(void)pthread_mutex_unlock(&v->lock);
	return r;
}

int ctl_versions_stage_begin(struct ctl_versions *v, const char *path, char **ret_copy,
	bool *ret_is_source, struct dp_err *reterr)
{
	g_autofree char *staging = NULL;
	g_autofree char *name = g_path_get_basename(path);
	int r;

	*ret_is_source = false;
	if (v->folder == NULL)
		return dp_fail(reterr, ENOENT, "%s", v->no_folder.text);
	staging = g_build_filename(v->folder, "staging", NULL);
	ctl_folder_remove(staging);
	r = ctl_catalogue_copy(path, staging, v->staging, ret_is_source, reterr);
	if (r < 0) {
		ctl_folder_remove(staging);
		return r;
	}
	g_free(v->staging_file);
	v->staging_file = g_strdup(path);
	*ret_copy = g_build_filename(staging, name, NULL);
	return 0;
}

int ctl_versions_stage_end(struct ctl_versions *v, bool is_good, struct dp_err *reterr)
{
	g_autofree char *staging = g_build_filename(v->folder, "staging", NULL);
	g_autofree char *staged = g_build_filename(v->folder, "staged", NULL);
	int r = 0;

	if (is_good) {
		(void)pthread_mutex_lock(&v->lock);
		v->staged[0] = '\0'; // until the new one has its place
		(void)pthread_mutex_unlock(&v->lock);
		ctl_folder_remove(staged);
		if (rename(staging, staged) < 0)
			r = dp_fail(
				reterr, errno, "cannot rename '%s' to '%s': %m", staging, staged);
	}
	if (!is_good || r < 0) {
		ctl_folder_remove(staging);
		return r;
	}
	(void)pthread_mutex_lock(&v->lock);
	(void)g_strlcpy(v->staged, v->staging, sizeof(v->staged));
	g_free(v->staged_file);
	v->staged_file = g_steal_pointer(&v->staging_file);
	(void)pthread_mutex_unlock(&v->lock);
	return 0;
}

bool ctl_versions_staged(struct ctl_versions *v, char ret_sha256[CTL_SHA256_MAX], char **ret_file)
{
	bool is_one;

	(void)pthread_mutex_lock(&v->lock);
	is_one = v->staged[0] != '\0';
	(void)g_strlcpy(ret_sha256, v->staged, CTL_SHA256_MAX);
	if (is_one && ret_file != NULL)
		*ret_file = g_strdup(v->staged_file);
	(void)pthread_mutex_unlock(&v->lock);
	return is_one;
}

int ctl_versions_commit(struct ctl_versions *v, const char *who, const char *why,
	uint32_t *ret_version, struct dp_err *reterr)
{
	struct ctl_history_line line = {.what = CTL_HISTORY_COMMITTED,
		.who = (char *)who,
		.why = (char *)why,
		.file = v->staged_file};
	int r;

	if (v->staged[0] == '\0')
		return dp_fail(reterr, ENOENT, "nothing is staged");
	(void)g_strlcpy(line.sha256, v->staged, sizeof(line.sha256));
	(void)g_strlcpy(line.configured, v->configured, sizeof(line.configured));
	r = add_version(v, "staged", &line, reterr);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&v->lock);
	v->staged[0] = '\0';
	(void)pthread_mutex_unlock(&v->lock);
	*ret_version = line.version;
	return 0;
}

int ctl_versions_find(struct ctl_versions *v, uint32_t version, char **ret_copy,
	char ret_sha256[CTL_SHA256_MAX], struct dp_err *reterr)
{
	const struct ctl_history_line *line = ctl_history_find(&v->history, version);
	g_autofree char *folder = version_folder(v->folder, version);
	g_autofree char *copy = NULL;
	int r;

	if (line == NULL)
		return dp_fail(reterr, ENOENT, "the history has no version %u", version);
	if (access(folder, F_OK) < 0)
		return dp_fail(reterr, ENOENT,
			"version %u has no copy any more (the last %d have one)", version,
			CTL_VERSIONS_KEPT);
	copy = ctl_choice_copy(v->folder, line);
	r = ctl_choice_look(copy, line, reterr);
	if (r < 0)
		return r;
	(void)g_strlcpy(ret_sha256, line->sha256, CTL_SHA256_MAX);
	*ret_copy = g_steal_pointer(&copy);
	return 0;
}

char *ctl_versions_copy(struct ctl_versions *v, uint32_t version)
{
	const struct ctl_history_line *line;
	char *copy;

	(void)pthread_mutex_lock(&v->lock);
	line = ctl_history_find(&v->history, version);
	copy = line != NULL ? ctl_choice_copy(v->folder, line) : NULL;
	(void)pthread_mutex_unlock(&v->lock);
	return copy;
}

int ctl_versions_roll_back(struct ctl_versions *v, uint32_t version, const char *who,
	const char *why, struct dp_err *reterr)
{
	const struct ctl_history_line *of = ctl_history_find(&v->history, version);
	struct ctl_history_line line = {.version = version,
		.what = CTL_HISTORY_ROLLED_BACK,
		.who = (char *)who,
		.why = (char *)why};

	if (of == NULL)
		return dp_fail(reterr, ENOENT, "the history has no version %u", version);
	line.file = of->file;
	(void)g_strlcpy(line.sha256, of->sha256, sizeof(line.sha256));
	(void)g_strlcpy(line.configured, v->configured, sizeof(line.configured));
	return add_line(v, &line, reterr);
}
