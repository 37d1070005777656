// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Tables of a store read without LMDB (store_pages.h): to find out whether it may be opened, and
 * for the few names that are wanted before. */

#include "control/store_format.h"
#include "control/store_pages.h"
#include "control/store_record.h"

struct ctl_peek {
	const struct ctl_pages *pages;
	const struct ctl_pages_meta *meta; // of pages: newest or older
	/* As in struct ctl_pages_visitor; NULL: not wanted. */
	int (*on_pages)(void *ctx, uint64_t first, uint64_t n, struct dp_err *reterr);
	void *ctx;
	/* Filled by ctl_peek_open(). */
	struct ctl_pages_tree tables[CTL_TABLE_COUNT];
	bool has_table[CTL_TABLE_COUNT];
	bool has_others; // tables that this version does not know
	struct ctl_store_format format; // owned
	struct ctl_store_state state;
};

/* Find the tables, and what the store says of itself. The caller has filled pages, meta, on_pages,
 * ctx; all else is zero. Returns 0, -EBADMSG or -EIO with a sentence. Of a newer version only
 * format.version is known then. */
[[nodiscard]] int ctl_peek_open(struct ctl_peek *peek, struct dp_err *reterr);
void ctl_peek_close(struct ctl_peek *peek);

/* All values of a table, cut or not; every record is checked. fn NULL: only that. *n_records grows
 * by the records. Returns 0, what fn returned, -EBADMSG or -EIO with a sentence. */
[[nodiscard]] int ctl_peek_read(const struct ctl_peek *peek, enum ctl_table table,
	ctl_record_fn *fn, void *ctx, uint64_t *n_records, struct dp_err *reterr);
