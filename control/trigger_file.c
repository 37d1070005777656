// SPDX-License-Identifier: BSD-3-Clause
#include "control/trigger_file.h"

#include "control/numbering.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 65536 };

struct ctl_trigger_file {
	FILE *out;
	char *path;
	int errnum; // first failure
};

int ctl_trigger_file_open(
	const char *path, bool keep, struct ctl_trigger_file **ret_file, struct dp_err *reterr)
{
	const int fd = open(path, (keep ? O_RDWR : O_WRONLY | O_TRUNC) | O_CREAT | O_CLOEXEC, 0666);
	FILE *out = fd < 0 ? NULL : fdopen(fd, keep ? "r+" : "w");
	struct ctl_trigger_file *file;

	if (out == NULL) {
		const int errnum = errno;

		if (fd >= 0)
			(void)close(fd); // nothing was written
		return dp_fail(reterr, errnum,
			"cannot write triggers to '%s': %m, expected a path where a file can be made",
			path);
	}
	file = g_new0(struct ctl_trigger_file, 1);
	file->out = out;
	file->path = g_strdup(path);
	*ret_file = file;
	return 0;
}

/* What the n-th line is found by: where it ends, and its last bytes. */
struct search {
	uint64_t n_lines; // seen
	off_t end; // behind the last of them
	char tail[CTL_NUMBERS_TEXT_LEN]; // the bytes before where we are, oldest first
};

static void remember(struct search *search, const char *bytes, size_t len)
{
	if (len > sizeof(search->tail)) {
		bytes += len - sizeof(search->tail);
		len = sizeof(search->tail);
	}
	memmove(search->tail, search->tail + len, sizeof(search->tail) - len);
	memcpy(search->tail + sizeof(search->tail) - len, bytes, len);
}

/* Up to n lines. Returns 0, or -errno when reading fails. */
static int find_line(int fd, uint64_t n, struct search *search)
{
	g_autofree char *chunk = g_malloc(CHUNK);
	off_t at = 0;
	ssize_t len = 0;

	while (search->n_lines < n) {
		const char *from = chunk, *line_end;

		len = pread(fd, chunk, CHUNK, at);
		if (len < 0)
			return -errno;
		if (len == 0)
			return 0;
		while (search->n_lines < n) {
			line_end = memchr(from, '\n', (size_t)(chunk + len - from));
			if (line_end == NULL)
				break;
			search->n_lines++;
			remember(search, from, (size_t)(line_end - from));
			from = line_end + 1;
			search->end = at + (from - chunk);
		}
		if (search->n_lines < n)
			remember(search, from, (size_t)(chunk + len - from));
		at += len;
	}
	return 0;
}

int ctl_trigger_file_cut(struct ctl_trigger_file *file, uint64_t n, struct dp_err *reterr)
{
	const int fd = fileno(file->out);
	char numbers[CTL_NUMBERS_TEXT_MAX];
	struct search search = {0};
	const int r = find_line(fd, n, &search);

	if (r < 0)
		return dp_fail(reterr, -r, "cannot read the triggers in '%s': %m", file->path);
	if (search.n_lines < n)
		return dp_fail(reterr, ENODATA,
			"'%s' has %" PRIu64 " lines, expected at least the %" PRIu64
			" that the store has seen: the file that it was made with, or an empty store",
			file->path, search.n_lines, n);
	ctl_numbers_text(numbers, n, 0);
	// Up to the number itself: typesequence is another one.
	if (n > 0 && memcmp(search.tail, numbers, strlen(",\"sequence\":\"") + 20) != 0)
		return dp_fail(reterr, EBADMSG,
			"line %" PRIu64 " of '%s' is not trigger number %" PRIu64
			", expected the file that the store was made with",
			n, file->path, n);
	if (ftruncate(fd, search.end) != 0 || fseeko(file->out, search.end, SEEK_SET) != 0)
		return dp_fail(reterr, errno, "cannot cut '%s' behind line %" PRIu64 ": %m",
			file->path, n);
	return 0;
}

void ctl_trigger_file_write(
	struct ctl_trigger_file *file, const char *text, uint64_t sequence, uint64_t typesequence)
{
	char numbers[CTL_NUMBERS_TEXT_MAX];

	ctl_numbers_text(numbers, sequence, typesequence);
	if (fprintf(file->out, "%.*s%s\n", (int)strlen(text) - 1, text, numbers) < 0 &&
		file->errnum == 0)
		file->errnum = errno;
}

void ctl_trigger_file_flush(struct ctl_trigger_file *file)
{
	if (fflush(file->out) != 0 && file->errnum == 0)
		file->errnum = errno;
}

int ctl_trigger_file_close(struct ctl_trigger_file *file, struct dp_err *reterr)
{
	int r = 0;

	if (file == NULL)
		return 0;
	if (fclose(file->out) != 0 && file->errnum == 0)
		file->errnum = errno;
	if (file->errnum != 0)
		r = dp_fail(reterr, file->errnum, "cannot write triggers to '%s': %m", file->path);
	g_free(file->path);
	g_free(file);
	return r;
}
