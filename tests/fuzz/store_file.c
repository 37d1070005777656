// SPDX-License-Identifier: BSD-3-Clause
#include "control/store_peek.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int look(void *ctx, uint64_t, const void *value, size_t len)
{
	const uint8_t *bytes = value;
	uint64_t *sum = ctx;

	for (size_t i = 0; i < len; i++) // all of it can be read
		*sum += bytes[i];
	return 0;
}

static int look_at_entry(void *ctx, const void *key, size_t key_len, const void *value, size_t len,
	bool is_tree, struct dp_err *)
{
	(void)look(ctx, 0, key, key_len);
	if (is_tree && len == CTL_PAGES_TREE_LEN)
		*(uint64_t *)ctx += ctl_pages_tree_of(value).root;
	return look(ctx, 0, value, len);
}

/* Both heads, all trees of both. */
static void walk(const struct ctl_pages *pages, const struct ctl_pages_meta *meta, uint64_t *sum)
{
	const struct ctl_pages_visitor visitor = {NULL, look_at_entry, sum};
	struct ctl_peek peek = {.pages = pages, .meta = meta};
	struct dp_err err;

	(void)ctl_pages_walk(pages, meta, &meta->free, &visitor, &err);
	(void)ctl_pages_walk(pages, meta, &meta->main, &visitor, &err);
	if (ctl_peek_open(&peek, &err) < 0)
		return;
	for (size_t i = 0; i < CTL_TABLE_COUNT; i++) {
		(void)ctl_pages_walk(pages, meta, &peek.tables[i], &visitor, &err);
		(void)ctl_peek_read(&peek, (enum ctl_table)i, look, sum, sum, &err);
	}
	ctl_peek_close(&peek);
}

/* Any file ends in a result or in a sentence. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int fd = memfd_create("store", MFD_CLOEXEC);
	struct ctl_pages pages;
	struct dp_err err;
	uint64_t sum = 0;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (ctl_pages_open(fd, &pages, &err) == 0) {
		walk(&pages, &pages.newest, &sum);
		walk(&pages, &pages.older, &sum);
	}
	(void)close(fd);
	return 0;
}
