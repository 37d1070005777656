// SPDX-License-Identifier: BSD-3-Clause
#include "control/store_peek.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

static int on_pages(void *ctx, uint64_t first, uint64_t n, struct dp_err *reterr)
{
	const struct ctl_peek *peek = ctx;

	return peek->on_pages == NULL ? 0 : peek->on_pages(peek->ctx, first, n, reterr);
}

static int on_table(void *ctx, const void *key, size_t key_len, const void *value, size_t len,
	bool is_tree, struct dp_err *reterr)
{
	struct ctl_peek *peek = ctx;

	if (!is_tree || len != CTL_PAGES_TREE_LEN)
		return dp_fail(reterr, EBADMSG, "an entry of its table of tables is none");
	for (size_t i = 0; i < CTL_TABLE_COUNT; i++) {
		if (strlen(ctl_table_names[i]) == key_len &&
			memcmp(ctl_table_names[i], key, key_len) == 0) {
			peek->tables[i] = ctl_pages_tree_of(value);
			peek->has_table[i] = true;
			return 0;
		}
	}
	peek->has_others = true;
	return 0;
}

/* --- one table ------------------------------------------------------------------------------- */

struct reader {
	const struct ctl_peek *peek;
	struct ctl_joiner joiner;
	ctl_record_fn *fn;
	void *ctx;
	uint64_t *n_records;
};

static int reader_on_pages(void *ctx, uint64_t first, uint64_t n, struct dp_err *reterr)
{
	const struct reader *reader = ctx;

	return on_pages((void *)reader->peek, first, n, reterr);
}

static int reader_on_entry(void *ctx, const void *key, size_t key_len, const void *value,
	size_t len, bool is_tree, struct dp_err *reterr)
{
	struct reader *reader = ctx;

	if (is_tree)
		return dp_fail(reterr, EBADMSG, "table '%s': a tree instead of a record",
			ctl_table_names[reader->joiner.table]);
	(*reader->n_records)++;
	return ctl_joiner_add(
		&reader->joiner, key, key_len, value, len, reader->fn, reader->ctx, reterr);
}

int ctl_peek_read(const struct ctl_peek *peek, enum ctl_table table, ctl_record_fn *fn, void *ctx,
	uint64_t *n_records, struct dp_err *reterr)
{
	struct reader reader = {.peek = peek,
		.joiner = {.table = table},
		.fn = fn,
		.ctx = ctx,
		.n_records = n_records};
	const struct ctl_pages_visitor visitor = {reader_on_pages, reader_on_entry, &reader};
	const struct ctl_pages_tree *tree = &peek->tables[table];
	int r;

	if (!peek->has_table[table])
		return dp_fail(reterr, EBADMSG, "table '%s' is missing", ctl_table_names[table]);
	if (tree->flags != 0)
		return dp_fail(reterr, EBADMSG, "table '%s' has flags that there are not",
			ctl_table_names[table]);
	r = ctl_pages_walk(peek->pages, peek->meta, tree, &visitor, reterr);
	if (r == 0)
		r = ctl_joiner_end(&reader.joiner, reterr);
	ctl_joiner_fini(&reader.joiner);
	return r;
}

/* --- what it says of itself ------------------------------------------------------------------ */

struct self {
	struct ctl_peek *peek;
	struct dp_err *reterr;
	bool has_format;
};

static int on_self(void *ctx, uint64_t key, const void *value, size_t len)
{
	struct self *self = ctx;
	int r;

	if (key == CTL_META_FORMAT && !self->has_format) {
		r = ctl_store_format_unpack(value, len, &self->peek->format, self->reterr);
		self->has_format = r == 0;
		return r;
	}
	if (key == CTL_META_COMMITTED && ctl_store_state_unpack(value, len, &self->peek->state) < 0)
		return dp_fail(self->reterr, EBADMSG, "what it says is committed is incomplete");
	return 0;
}

int ctl_peek_open(struct ctl_peek *peek, struct dp_err *reterr)
{
	const struct ctl_pages_visitor visitor = {on_pages, on_table, peek};
	struct self self = {.peek = peek, .reterr = reterr};
	uint64_t n_records = 0;
	int r;

	r = ctl_pages_walk(peek->pages, peek->meta, &peek->meta->main, &visitor, reterr);
	if (r == 0)
		r = ctl_peek_read(peek, CTL_TABLE_META, on_self, &self, &n_records, reterr);
	if (r == 0 && !self.has_format)
		r = dp_fail(reterr, EBADMSG, "it does not say what it is");
	if (r < 0)
		ctl_peek_close(peek);
	return r;
}

void ctl_peek_close(struct ctl_peek *peek)
{
	ctl_store_format_fini(&peek->format);
}
