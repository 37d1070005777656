// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A file of LMDB, read page by page without LMDB: which trusts what it reads, and ends the process
 * when that is damaged.
 *
 * LMDB 0.9, data version 1, as a 64-bit machine of this byte order writes it (mdb.c, "struct
 * MDB_page", "struct MDB_node", "struct MDB_meta"): pages of one size, the first two say where the
 * trees begin; one tree of free pages, one whose values are the trees of the tables. Nothing is
 * believed: any file ends in a result or in a sentence. Reads with pread(2), so an error of the
 * disk is an error and no signal. Any thread, one at a time. */

#include "dataplane/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctl_pages_tree {
	uint32_t pad; // of the free pages: page size
	uint16_t flags, depth;
	uint64_t n_branch, n_leaf, n_overflow; // pages
	uint64_t n_entries;
	uint64_t root; // page number; all ones = empty
};

enum { CTL_PAGES_TREE_LEN = 48, CTL_PAGES_INTEGER_KEYS = 8 }; // bytes of one; MDB_INTEGERKEY

/* One of the first two pages: what a commit has made. */
struct ctl_pages_meta {
	uint64_t txn, last_page; // last_page: may lie behind the end of the file if it is free
	struct ctl_pages_tree free, main;
};

struct ctl_pages {
	int fd; // borrowed
	uint32_t page_size;
	uint64_t n_pages; // in the file, whole ones
	struct ctl_pages_meta newest, older;
};

/* Both first pages. fd is borrowed as long as ret_pages is used. Returns 0, -EBADMSG when they are
 * damaged, -errno when they cannot be read; with a sentence. */
[[nodiscard]] int ctl_pages_open(int fd, struct ctl_pages *ret_pages, struct dp_err *reterr);

/* tree: CTL_PAGES_TREE_LEN bytes of a value of the main tree. */
struct ctl_pages_tree ctl_pages_tree_of(const void *bytes);

struct ctl_pages_visitor {
	/* Pages [first, first + n) belong to the tree. NULL: not wanted. */
	int (*on_pages)(void *ctx, uint64_t first, uint64_t n, struct dp_err *reterr);
	/* In the order of keys; both borrowed for the call. is_tree: the value is another tree.
	 * Return 0 to go on, > 0 to stop, < 0 to fail. */
	int (*on_entry)(void *ctx, const void *key, size_t key_len, const void *value, size_t len,
		bool is_tree, struct dp_err *reterr);
	void *ctx;
};

/* Every page and entry of a tree. meta: the one the tree is of. Returns 0; what the visitor
 * returned; -EBADMSG with a sentence when a page, the order of keys or a count is wrong; -EIO when
 * it cannot be read. */
[[nodiscard]] int ctl_pages_walk(const struct ctl_pages *pages, const struct ctl_pages_meta *meta,
	const struct ctl_pages_tree *tree, const struct ctl_pages_visitor *visitor,
	struct dp_err *reterr);
