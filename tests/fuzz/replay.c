// SPDX-License-Identifier: BSD-3-Clause

/* Gives a fuzz target every file of a folder and every truncation of each, without libFuzzer.
 *
 *   replay_NAME FOLDER [--whole]
 *
 * --whole: the files alone, without truncations.
 * Each input is a heap block of exactly its size, so that AddressSanitizer sees a read one byte
 * past the end. Ends with 1 when the folder holds nothing: a test that ran nothing proves nothing. */

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The target may define it; libFuzzer calls it once before the first input. */
[[gnu::weak]] int LLVMFuzzerInitialize(int *argc, char ***argv);

// Every truncation of a file is quadratic in its size: known inputs are meant to be small.
enum { FILE_BYTES_MAX = 16384 };

static void give(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	if (copy == NULL)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size); // 0 or -1: whether libFuzzer keeps the input
	free(copy);
}

/* Returns the number of bytes read into buf, or -1 and a line on stderr. */
static ssize_t read_file(const char *path, uint8_t *buf, size_t size)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL) {
		fprintf(stderr, "cannot open '%s': %m\n", path);
		return -1;
	}
	n = fread(buf, 1, size, f);
	if (ferror(f) != 0) {
		fprintf(stderr, "cannot read '%s': %m\n", path);
		(void)fclose(f);
		return -1;
	}
	if (n == size) {
		fprintf(stderr, "'%s' is larger than %d bytes, please cut it\n", path,
			FILE_BYTES_MAX);
		(void)fclose(f);
		return -1;
	}
	(void)fclose(f); // read only: nothing can be lost
	return (ssize_t)n;
}

/* 1 when the file was given, 0 when it is none, -1 on failure. */
static int replay_file(const char *folder, const char *name, bool is_whole)
{
	static uint8_t data[FILE_BYTES_MAX + 1];
	char path[4096];
	struct stat st;
	ssize_t size;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path)) {
		fprintf(stderr, "'%s/%s' is too long a path\n", folder, name);
		return -1;
	}
	if (stat(path, &st) != 0) {
		fprintf(stderr, "cannot look at '%s': %m\n", path);
		return -1;
	}
	if (!S_ISREG(st.st_mode))
		return 0;
	size = read_file(path, data, sizeof(data));
	if (size < 0)
		return -1;
	for (ssize_t n = size; n >= (is_whole ? size : 0); n--)
		give(data, (size_t)n);
	if (is_whole)
		printf("ok - %s\n", name);
	else
		printf("ok - %s and its %zd truncations\n", name, size);
	return 1;
}

int main(int argc, char **argv)
{
	struct dirent **entry;
	int n_entries, n_files = 0, r = 0;
	const bool is_whole = argc == 3 && strcmp(argv[2], "--whole") == 0;

	if (argc != 2 && !is_whole) {
		fprintf(stderr, "usage: %s FOLDER [--whole]\n", argv[0]);
		return 2;
	}
	if (LLVMFuzzerInitialize != NULL)
		(void)LLVMFuzzerInitialize(&argc, &argv); // libFuzzer ignores the result too
	n_entries = scandir(argv[1], &entry, NULL, alphasort);
	if (n_entries < 0) {
		fprintf(stderr, "cannot list '%s': %m\n", argv[1]);
		return 1;
	}
	for (int i = 0; i < n_entries; i++) {
		int given = r < 0 ? 0 : replay_file(argv[1], entry[i]->d_name, is_whole);

		if (given < 0)
			r = -1;
		else
			n_files += given;
		free(entry[i]);
	}
	free(entry);
	if (r == 0 && n_files == 0)
		fprintf(stderr, "'%s' holds no input\n", argv[1]);
	return r == 0 && n_files > 0 ? 0 : 1;
}
