// SPDX-License-Identifier: BSD-3-Clause
#include "control/catalogue_files.h"

#include "control/apps_files.h"
#include "control/folder.h"
#include "control/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP = 64 * 1024 };

/* One pass over the files. */
struct pass {
	const char *path; // of the catalogue
	int nofollow; // O_NOFOLLOW or 0
	const char *to; // NULL: nothing is written
	GString *sums; // as sha256sum(1) prints them
	bool is_source; // what failed last is the original
};

static int source_fails(struct pass *p, int code, const char *name, struct dp_err *reterr)
{
	p->is_source = true;
	if (code == -ELOOP && p->nofollow != 0)
		return dp_fail(reterr, ELOOP, "'%s' is a symbolic link", name);
	return dp_fail(reterr, -code, "'%s' cannot be read: %m", name);
}

/* Returns a descriptor of the catalogue's own file. */
static int open_catalogue(struct pass *p, struct dp_err *reterr)
{
	const int fd = open(p->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | p->nofollow);
	struct stat st;

	if (fd < 0)
		return source_fails(p, -errno, p->path, reterr);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	(void)close(fd); // was only looked at
	p->is_source = true;
	return dp_fail(reterr, EINVAL, "'%s' is no ordinary file", p->path);
}

/* Likewise of one of its hosts files; links within the folder are fine. */
static int open_hosts(struct pass *p, const char *name, struct dp_err *reterr)
{
	const int fd = ctl_apps_file_open(p->path, name, reterr);

	p->is_source = p->is_source || fd < 0;
	return fd;
}

/* The copy of one file: *ret_fd stays -1 where none is made. */
static int open_target(const struct pass *p, const char *name, int *ret_fd, struct dp_err *reterr)
{
	g_autofree char *path = NULL, *folder = NULL;

	if (p->to == NULL)
		return 0;
	path = g_build_filename(p->to, name, NULL);
	folder = g_path_get_dirname(path);
	if (g_mkdir_with_parents(folder, 0700) < 0)
		return dp_fail(reterr, errno, "cannot make '%s': %m", folder);
	*ret_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return *ret_fd >= 0 ? 0 : dp_fail(reterr, errno, "cannot make '%s': %m", path);
}

/* max: what nobody would read is not copied either; less by what was read. */
static int transfer(struct pass *p, const char *name, int in, int out, size_t *max, GChecksum *sum,
	GByteArray *bytes, struct dp_err *reterr)
{
	uint8_t buf[STEP];
	ssize_t n;
	int r;

	while ((n = read(in, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return source_fails(p, -errno, name, reterr);
		if ((size_t)n > *max)
			return source_fails(p, -EFBIG, name, reterr);
		*max -= (size_t)n;
		g_checksum_update(sum, buf, n);
		if (bytes != NULL)
			g_byte_array_append(bytes, buf, (guint)n);
		r = out >= 0 ? ctl_fd_write(out, buf, (size_t)n) : 0;
		if (r < 0)
			return dp_fail(reterr, -r, "cannot write the copy of '%s': %m", name);
	}
	if (out >= 0 && fsync(out) < 0)
		return dp_fail(reterr, errno, "cannot write the copy of '%s': %m", name);
	return 0;
}

/* in: closed here. bytes: what the file holds is added to it; NULL: nobody needs it. */
static int pass_file(struct pass *p, const char *name, int in, size_t *max, GByteArray *bytes,
	struct dp_err *reterr)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	int out = -1, r;

	if (in < 0)
		return in;
	r = open_target(p, name, &out, reterr);
	if (r == 0)
		r = transfer(p, name, in, out, max, sum, bytes, reterr);
	if (out >= 0)
		(void)close(out); // is synced, or given up
	(void)close(in); // was only read
	if (r == 0)
		g_string_append_printf(p->sums, "%s  %s\n", g_checksum_get_string(sum), name);
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted; nothing of a file that is no catalogue. */
static GPtrArray *hosts_files_of(const char *path, const GByteArray *bytes)
{
	static const char key[] = "hosts_file";
	GPtrArray *files = NULL;
	struct ctl_mistakes *mistakes;
	struct ctl_yaml *doc;

	if (memmem(bytes->data, bytes->len, key, sizeof(key) - 1) == NULL)
		return g_ptr_array_new_with_free_func(g_free);
	mistakes = ctl_mistakes_new();
	if (ctl_yaml_parse(path, (const char *)bytes->data, bytes->len, false, mistakes, &doc) ==
		0) {
		files = ctl_apps_files(doc);
		ctl_yaml_free(doc);
	}
	ctl_mistakes_free(mistakes);
	if (files == NULL)
		files = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_sort(files, by_name);
	return files;
}

static int pass_all(struct pass *p, struct dp_err *reterr)
{
	g_autofree char *name = g_path_get_basename(p->path);
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	g_autoptr(GPtrArray) files = NULL;
	size_t max = CTL_YAML_BYTES_MAX, hosts_max = CTL_HOSTS_BYTES_MAX;
	int r = pass_file(p, name, open_catalogue(p, reterr), &max, bytes, reterr);

	if (r < 0)
		return r;
	files = hosts_files_of(p->path, bytes);
	for (guint i = 0; i < files->len && r == 0; i++) {
		const char *file = files->pdata[i];

		if (strcmp(file, name) != 0) // names itself: whoever reads it says so
			r = pass_file(
				p, file, open_hosts(p, file, reterr), &hosts_max, NULL, reterr);
	}
	return r;
}

/* Folders of the copy, from the innermost outwards. */
static int sync_all(const struct pass *p, struct dp_err *reterr)
{
	g_auto(GStrv) lines = g_strsplit(p->sums->str, "\n", -1);
	int r = ctl_folder_sync(p->to, reterr);

	for (char **line = lines; **line != '\0' && r == 0; line++) {
		g_autofree char *inner = g_path_get_dirname(*line + CTL_SHA256_MAX + 1);

		while (strcmp(inner, ".") != 0 && r == 0) {
			g_autofree char *path = g_build_filename(p->to, inner, NULL);
			char *outer = g_path_get_dirname(inner);

			r = ctl_folder_sync(path, reterr);
			g_free(inner);
			inner = outer;
		}
	}
	return r;
}

/* A copy of ours lies in a folder of ours. */
static int look_at_folder(struct pass *p, struct dp_err *reterr)
{
	g_autofree char *folder = g_path_get_dirname(p->path);
	const int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC | p->nofollow);

	if (fd < 0)
		return source_fails(p, -errno, folder, reterr);
	(void)close(fd); // was only looked at
	return 0;
}

void ctl_catalogue_digest_of(const GString *sums, char ret_sha256[CTL_SHA256_MAX])
{
	const char *end = strchr(sums->str, '\n');

	if (end[1] == '\0') {
		(void)g_strlcpy(ret_sha256, sums->str, CTL_SHA256_MAX);
	} else {
		g_autofree char *all = g_compute_checksum_for_string(
			G_CHECKSUM_SHA256, sums->str, (gssize)sums->len);

		(void)g_strlcpy(ret_sha256, all, CTL_SHA256_MAX);
	}
}

static int pass(struct pass *p, char ret_sha256[CTL_SHA256_MAX], struct dp_err *reterr)
{
	int r = look_at_folder(p, reterr);

	if (r < 0)
		return r;
	p->sums = g_string_new(NULL);
	r = pass_all(p, reterr);
	if (r == 0 && p->to != NULL)
		r = sync_all(p, reterr);
	if (r == 0)
		ctl_catalogue_digest_of(p->sums, ret_sha256);
	g_string_free(p->sums, TRUE);
	return r;
}

int ctl_catalogue_digest(
	const char *path, bool is_kept, char ret_sha256[CTL_SHA256_MAX], struct dp_err *reterr)
{
	struct pass p = {.path = path, .nofollow = is_kept ? O_NOFOLLOW : 0};

	return pass(&p, ret_sha256, reterr);
}

int ctl_catalogue_copy(const char *path, const char *to, char ret_sha256[CTL_SHA256_MAX],
	bool *ret_is_source, struct dp_err *reterr)
{
	struct pass p = {.path = path, .to = to};
	int r = 0;

	if (mkdir(to, 0700) < 0)
		r = dp_fail(reterr, errno, "cannot make '%s': %m", to);
	if (r == 0)
		r = pass(&p, ret_sha256, reterr);
	*ret_is_source = p.is_source;
	return r;
}
