// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_files.h"

#include "control/file.h"
#include "control/yaml_options.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Neither "", "." nor "..": then two names are one file only by links. */
static bool is_plain_name(const char *part, size_t len)
{
	return len > 0 && !(len <= 2 && memcmp(part, "..", len) == 0);
}

const char *ctl_check_hosts_file(const char *text)
{
	enum { PATH_BYTES_MAX = 255 };
	const char *part = text;
	bool is_fine = strlen(text) <= PATH_BYTES_MAX;

	for (const char *p = text; *p != '\0'; p++)
		is_fine = is_fine && !g_ascii_iscntrl(*p);
	while (is_fine && part != NULL) {
		const char *const end = strchrnul(part, '/');

		is_fine = is_plain_name(part, (size_t)(end - part));
		part = *end == '/' ? end + 1 : NULL;
	}
	return is_fine ? NULL
		       : "expected a path below the catalogue's folder, without '..', such as "
			 "lists/video.txt";
}

GPtrArray *ctl_apps_files(const struct ctl_yaml *doc)
{
	const struct ctl_yaml_node *const apps = ctl_yaml_get(doc->root, "apps");
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	GPtrArray *files = g_ptr_array_new_with_free_func(g_free);

	if (apps == NULL || apps->kind != CTL_YAML_LIST)
		return files;
	for (CTL_YAML_EACH(app, apps)) {
		const struct ctl_yaml_node *name = ctl_yaml_get(app, "hosts_file");

		if (name != NULL && name->kind == CTL_YAML_SCALAR &&
			ctl_check_hosts_file(name->text) == NULL &&
			g_hash_table_add(seen, (void *)name->text))
			g_ptr_array_add(files, g_strdup(name->text));
	}
	return files;
}

static int open_beneath(const char *folder, const char *name)
{
	// O_NONBLOCK: a FIFO would wait for somebody who writes.
	const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	const int folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	long fd;

	if (folder_fd < 0)
		return -errno;
	fd = syscall(SYS_openat2, folder_fd, name, &how, sizeof(how));
	if (fd < 0)
		fd = -errno;
	(void)close(folder_fd);
	return (int)fd;
}

int ctl_apps_file_open(const char *catalogue, const char *name, struct dp_err *reterr)
{
	g_autofree char *folder = g_path_get_dirname(catalogue);
	const int fd = open_beneath(folder, name);
	char found[CTL_QUOTE_MAX];
	struct stat st;

	if (fd == -EXDEV)
		return dp_fail(reterr, EXDEV,
			"%s leads out of the catalogue's folder, expected links to within '%s' only",
			ctl_quote(name, found), folder);
	if (fd < 0)
		return dp_fail(reterr, -fd,
			"%s cannot be opened (%m), expected a text with a host a line, below '%s'",
			ctl_quote(name, found), folder);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	(void)close(fd);
	return dp_fail(reterr, EINVAL, "%s is no regular file, expected a text with a host a line",
		ctl_quote(name, found));
}

static int too_large(const char *name, struct dp_err *reterr)
{
	char found[CTL_QUOTE_MAX];

	return dp_fail(reterr, EFBIG,
		"%s is too large, expected hosts files of at most %d MiB together",
		ctl_quote(name, found), CTL_HOSTS_BYTES_MAX / 1024 / 1024);
}

static int read_whole(
	int fd, const char *name, size_t max, GByteArray *ret_bytes, struct dp_err *reterr)
{
	char found[CTL_QUOTE_MAX];
	struct stat st;
	int r;

	if (fstat(fd, &st) == 0 && (size_t)st.st_size > max)
		return too_large(name, reterr); // it may grow nevertheless while it is read
	r = ctl_file_read(fd, max, ret_bytes);
	if (r < 0)
		return dp_fail(reterr, -r, "%s cannot be read (%m), expected a readable file",
			ctl_quote(name, found));
	return ret_bytes->len > max ? too_large(name, reterr) : 0;
}

ssize_t ctl_apps_file_read(
	const char *catalogue, const char *name, size_t max, char **ret_text, struct dp_err *reterr)
{
	const int fd = ctl_apps_file_open(catalogue, name, reterr);
	GByteArray *bytes;
	ssize_t len;

	if (fd < 0)
		return fd;
	bytes = g_byte_array_new();
	len = read_whole(fd, name, max, bytes, reterr);
	(void)close(fd); // was only read
	if (len < 0) {
		g_byte_array_unref(bytes);
		return len;
	}
	len = bytes->len;
	g_byte_array_append(bytes, (const guint8 *)"", 1);
	*ret_text = (char *)g_byte_array_free(bytes, FALSE);
	return len;
}
