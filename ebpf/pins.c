// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>

enum { PATH_BYTES = 512 };

static const char MAKING[] = "making";

struct ebpf_pins {
	char path[256];
	int fd; // of the folder, locked
};

/* --- the folder ------------------------------------------------------------------------------ */

/* Of the folder, or where it would be made. */
static int check_fs(const struct ebpf_pins *p, struct dp_err *reterr)
{
	char above[sizeof(p->path)];
	struct statfs fs;
	int r = statfs(p->path, &fs);

	(void)snprintf(above, sizeof(above), "%s", p->path);
	if (r < 0 && errno == ENOENT)
		r = statfs(dirname(above), &fs);
	if (r < 0)
		return dp_fail(reterr, errno, "cannot look at xdp.pins '%s': %m", p->path);
	if ((uint32_t)fs.f_type == BPF_FS_MAGIC)
		return 0;
	return dp_fail(reterr, EINVAL,
		"xdp.pins '%s' is in no BPF file system, where alone counters outlive the process: 'mount -t bpf "
		"bpf /sys/fs/bpf', and a folder in there",
		p->path);
}

static int open_folder(struct ebpf_pins *p, bool is_made, struct dp_err *reterr)
{
	const int r = check_fs(p, reterr);

	if (r < 0)
		return r;
	if (is_made && mkdir(p->path, 0700) < 0 && errno != EEXIST)
		return dp_fail(reterr, errno, "cannot make the folder xdp.pins '%s': %m", p->path);
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->fd < 0)
		return dp_fail(reterr, errno, "cannot open the folder xdp.pins '%s': %m", p->path);
	if (flock(p->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return dp_fail(reterr, errno, "cannot lock the folder xdp.pins '%s': %m", p->path);
	return dp_fail(reterr, EBUSY,
		"another process has what is pinned in '%s': each wirecue of a host needs its own xdp.pins",
		p->path);
}

int ebpf_pins_open(
	const char *path, bool is_made, struct ebpf_pins **ret_pins, struct dp_err *reterr)
{
	struct ebpf_pins *p = calloc(1, sizeof(*p));
	int r;

	if (p == NULL)
		return dp_fail(reterr, ENOMEM, "cannot open '%s': %m", path);
	p->fd = -1;
	r = snprintf(p->path, sizeof(p->path), "%s", path) < (int)sizeof(p->path)
		? open_folder(p, is_made, reterr)
		: dp_fail(reterr, ENAMETOOLONG, "xdp.pins '%.40s...' is too long", path);
	if (r < 0) {
		ebpf_pins_close(p);
		return r;
	}
	*ret_pins = p;
	return 0;
}

void ebpf_pins_close(struct ebpf_pins *p)
{
	if (p == NULL)
		return;
	if (p->fd >= 0)
		(void)close(p->fd);
	free(p);
}

/* Its entries, one after the other. */
static DIR *list(const struct ebpf_pins *p, const char *name)
{
	const int fd = openat(p->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir == NULL && fd >= 0)
		(void)close(fd);
	return dir;
}

static const char *next(DIR *dir)
{
	const struct dirent *e;

	do {
		e = dir == NULL ? NULL : readdir(dir);
	} while (e != NULL && e->d_name[0] == '.');
	return e == NULL ? NULL : e->d_name;
}

static void end_list(DIR *dir)
{
	if (dir != NULL)
		(void)closedir(dir);
}

/* --- generations ----------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

size_t ebpf_pins_generations(const struct ebpf_pins *p, uint32_t *ret_numbers, size_t max)
{
	DIR *dir = list(p, ".");
	const char *name;
	size_t n = 0;

	while (n < max && (name = next(dir)) != NULL) {
		char *end;
		const unsigned long number = strtoul(name, &end, 10);

		if (*end == '\0' && number > 0 && number < UINT32_MAX)
			ret_numbers[n++] = (uint32_t)number;
	}
	end_list(dir);
	qsort(ret_numbers, n, sizeof(*ret_numbers), by_number);
	return n;
}

/* A folder and what is in it. */
static void remove_folder(const struct ebpf_pins *p, const char *folder)
{
	char path[512];
	const char *name;
	DIR *dir = list(p, folder);

	while ((name = next(dir)) != NULL) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
		(void)unlinkat(p->fd, path, 0);
	}
	end_list(dir);
	(void)unlinkat(p->fd, folder, AT_REMOVEDIR);
}

int ebpf_pins_begin(struct ebpf_pins *p, struct dp_err *reterr)
{
	remove_folder(p, MAKING);
	if (mkdirat(p->fd, MAKING, 0700) == 0)
		return 0;
	return dp_fail(reterr, errno, "cannot make '%s/%s': %m", p->path, MAKING);
}

static int pin(int fd, const char *path, struct dp_err *reterr)
{
	if (bpf_obj_pin(fd, path) == 0)
		return 0;
	return dp_fail(reterr, errno, "cannot pin '%s': %m", path);
}

int ebpf_pins_add(struct ebpf_pins *p, const char *name, int fd, struct dp_err *reterr)
{
	char path[PATH_BYTES];

	(void)snprintf(path, sizeof(path), "%s/%s/%s", p->path, MAKING, name);
	return pin(fd, path, reterr);
}

int ebpf_pins_finish(struct ebpf_pins *p, struct dp_err *reterr)
{
	uint32_t numbers[64], last = 0;
	const size_t n = ebpf_pins_generations(p, numbers, 64);
	char name[16];

	if (n > 0)
		last = numbers[n - 1];
	(void)snprintf(name, sizeof(name), "%u", last + 1);
	if (renameat(p->fd, MAKING, p->fd, name) < 0)
		return dp_fail(reterr, errno, "cannot make '%s/%s': %m", p->path, name);
	return 0;
}

int ebpf_pins_get(const struct ebpf_pins *p, uint32_t number, const char *name)
{
	char path[PATH_BYTES];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%u/%s", p->path, number, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

void ebpf_pins_remove(struct ebpf_pins *p, uint32_t number)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "%u", number);
	remove_folder(p, name);
}

/* --- links ----------------------------------------------------------------------------------- */

static const char *const kinds[] = {"xdp", "tcx"};

static void link_name(const char *kind, const char *interface, char ret_name[64])
{
	(void)snprintf(ret_name, 64, "%s-%.32s", kind, interface);
	for (char *c = ret_name; *c != '\0'; c++)
		*c = *c == '.' ? ':' : *c;
}

static bool is_link(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(name, kinds[i], 3) == 0 && name[3] == '-')
			return true;
	return false;
}

static bool is_of(const char *name, const char *const *interfaces, size_t n_interfaces)
{
	char expected[64];

	for (size_t i = 0; i < n_interfaces; i++)
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			link_name(kinds[k], interfaces[i], expected);
			if (strcmp(name, expected) == 0)
				return true;
		}
	return false;
}

/* By its name in the folder. */
static int get_link(const struct ebpf_pins *p, const char *name)
{
	char path[PATH_BYTES];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", p->path, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

static void end_link(struct ebpf_pins *p, const char *name)
{
	const int fd = get_link(p, name);

	if (fd >= 0) {
		(void)bpf_link_detach(fd);
		(void)close(fd);
	}
	(void)unlinkat(p->fd, name, 0);
}

int ebpf_pins_add_link(const struct ebpf_pins *p, const char *kind, const char *interface, int fd,
	struct dp_err *reterr)
{
	char name[64], path[PATH_BYTES];

	link_name(kind, interface, name);
	(void)snprintf(path, sizeof(path), "%s/%s", p->path, name);
	return pin(fd, path, reterr);
}

int ebpf_pins_get_link(const struct ebpf_pins *p, const char *kind, const char *interface)
{
	char name[64];

	link_name(kind, interface, name);
	return get_link(p, name);
}

void ebpf_pins_end_link(struct ebpf_pins *p, const char *kind, const char *interface)
{
	char name[64];

	link_name(kind, interface, name);
	end_link(p, name);
}

void ebpf_pins_end(struct ebpf_pins *p, const char *interface)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		ebpf_pins_end_link(p, kinds[i], interface);
}

void ebpf_pins_end_others(struct ebpf_pins *p, const char *const *interfaces, size_t n_interfaces)
{
	DIR *dir = list(p, ".");
	const char *name;

	while ((name = next(dir)) != NULL)
		if (is_link(name) && !is_of(name, interfaces, n_interfaces))
			end_link(p, name);
	end_list(dir);
}
