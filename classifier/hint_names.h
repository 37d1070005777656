// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Names of hints, each stored once and counted: a popular host has its name in thousands of hints.
 *
 * A name lies in cells of 32 bytes that are chained, one to five of them, so that no room is lost between
 * names however they come and go. Sized at start. One thread. */

#include "dataplane/record.h"

enum { CLS_HINT_NAME_NONE = 0 };

struct cls_hint_cell;

struct cls_hint_names {
	struct cls_hint_cell *cells; // owned; [0] is not used
	uint32_t *buckets; // owned
	uint32_t n_cells, bucket_mask;
	uint32_t n_free; // of n_cells
	uint32_t n_touched; // cells ever used; the pages beyond cost nothing yet
	uint32_t free_list; // of those
};

/* n_cells >= 1. Returns 0 or -ENOMEM. */
[[nodiscard]] int cls_hint_names_init(struct cls_hint_names *t, uint32_t n_cells);
void cls_hint_names_fini(struct cls_hint_names *t);
size_t cls_hint_names_bytes(uint32_t n_cells);

/* A reference to host (NUL-terminated, shorter than DP_HOST_MAX); CLS_HINT_NAME_NONE: no room. */
uint32_t cls_hint_name_get(struct cls_hint_names *t, const char *host);
/* Give one back. */
void cls_hint_name_put(struct cls_hint_names *t, uint32_t name);
/* Copy it, with its NUL. */
void cls_hint_name_read(const struct cls_hint_names *t, uint32_t name, char ret_host[DP_HOST_MAX]);
