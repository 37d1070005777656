// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The folder of samples: captures of raw IP packets (control/pcap_file.h), the newest being written.
 *
 * unknown-20261123T201502Z-0000.pcap, by when it was begun. A file ends when it has its size, or a 24th of the age,
 * at most an hour; the oldest go when all would have more than their total, and each when it is as old as they may
 * become, those of earlier processes as well. What has another name, or is no ordinary file, is left alone. The
 * folder must be its owner's alone, and so are files. Whatever time it is the caller says. One thread; waits for
 * the disk. */

#include "dataplane/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctl_sample_bounds {
	uint64_t file_bytes, total_bytes; // of one, of all: file_bytes <= total_bytes
	uint64_t age_ns;
};

struct ctl_sample_files;

/* path: the folder, made when it is missing. Nothing is opened yet. */
struct ctl_sample_files *ctl_sample_files_new(const char *path);
void ctl_sample_files_free(struct ctl_sample_files *f); // NULL is fine

void ctl_sample_files_set_bounds(
	struct ctl_sample_files *f, const struct ctl_sample_bounds *bounds);

/* A file is open that has room for `room` bytes more; one that would be larger than file_bytes alone is too large,
 * -EFBIG. *ret_is_new: nothing is in it yet. Returns 0, or -errno with a sentence, -ENOSPC as long as less than a
 * 20th of the disk is free: others need that. Then nothing is open, and the next call tries again. */
[[nodiscard]] int ctl_sample_files_ready(struct ctl_sample_files *f, uint64_t now_ns, size_t room,
	bool *ret_is_new, struct dp_err *reterr);

/* Behind ctl_sample_files_ready(): all of it or nothing. Returns 0, or -errno with a sentence, and nothing is open. */
[[nodiscard]] int ctl_sample_files_write(
	struct ctl_sample_files *f, const void *bytes, size_t len, struct dp_err *reterr);

/* The next one begins another file. */
void ctl_sample_files_end(struct ctl_sample_files *f);

/* What is too old goes, and what is too much. Returns 0, or -errno with a sentence. */
[[nodiscard]] int ctl_sample_files_tend(
	struct ctl_sample_files *f, uint64_t now_ns, struct dp_err *reterr);

/* When last looked, and what was written since. */
struct ctl_sample_files_state {
	uint64_t n_files, bytes;
	uint64_t oldest_ns; // when it was begun; 0 without files
};
struct ctl_sample_files_state ctl_sample_files_state(const struct ctl_sample_files *f);
