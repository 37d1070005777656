// SPDX-License-Identifier: BSD-3-Clause
#include "control/store_check.h"

#include "control/log.h"
#include "control/store_peek.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PAGES_PER_LOOK = 4096 }; // how often the clock is read
#define PROGRESS_NS (5ULL * 1000 * 1000 * 1000)

struct check {
	const char *file;
	struct ctl_pages pages;
	struct ctl_peek peek;
	uint8_t *seen; // a bit a page of the file, owned
	struct ctl_store_checked counts;
	uint64_t last_txn; // of the records of free pages
	uint64_t told_ns; // when progress was told last
};

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for this clock
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

static void tell_progress(struct check *check)
{
	const uint64_t now = now_ns();

	if (now - check->told_ns < PROGRESS_NS)
		return;
	check->told_ns = now;
	ctl_log(CTL_LOG_INFO, "store_checking", CTL_TEXT("file", check->file),
		CTL_COUNT("percent", check->counts.n_used * 100 / check->counts.n_pages));
}

/* A page has one use. What lies behind the end of the file can be free only, and was never written;
 * there is no bit for it. */
static int see(struct check *check, uint64_t page, struct dp_err *reterr)
{
	if (page >= check->pages.n_pages)
		return 0;
	if ((check->seen[page / 8] & 1 << page % 8) != 0)
		return dp_fail(reterr, EBADMSG, "page %" PRIu64 ": it is used twice", page);
	check->seen[page / 8] |= (uint8_t)(1 << page % 8);
	return 0;
}

static int on_used(void *ctx, uint64_t first, uint64_t n, struct dp_err *reterr)
{
	struct check *check = ctx;
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < n; i++)
		r = see(check, first + i, reterr);
	check->counts.n_used += n;
	if (check->counts.n_used % PAGES_PER_LOOK < n)
		tell_progress(check);
	return r;
}

/* Free pages: by the transaction that freed them, a count and so many numbers, falling. The value
 * may be longer: LMDB reserves room. */
static int on_free(void *ctx, const void *key, size_t, const void *value, size_t len, bool is_tree,
	struct dp_err *reterr)
{
	struct check *check = ctx;
	uint64_t txn, n, page, before = check->pages.newest.last_page + 1;
	const uint8_t *numbers = value;
	int r = 0;

	memcpy(&txn, key, sizeof(txn)); // ctl_pages_walk() has seen its length
	if (is_tree || len < sizeof(n))
		return dp_fail(reterr, EBADMSG, "a record of free pages is none");
	memcpy(&n, numbers, sizeof(n));
	if (txn > check->pages.newest.txn || n > len / sizeof(n) - 1)
		return dp_fail(reterr, EBADMSG, "a record of free pages is wrong");
	for (uint64_t i = 1; r == 0 && i <= n; i++, before = page) {
		memcpy(&page, numbers + i * sizeof(page), sizeof(page));
		if (page < 2 || page >= before)
			return dp_fail(reterr, EBADMSG, "a free page has no possible number");
		r = see(check, page, reterr);
	}
	check->counts.n_free += n;
	return r;
}

/* The head that was written before the newest one is whole, too: nothing of it is used again before
 * the next commit. So if it knows more, the number of the other is wrong. */
static int check_order(struct check *check, struct dp_err *reterr)
{
	struct ctl_peek older = {.pages = &check->pages, .meta = &check->pages.older};
	const struct ctl_store_state *now = &check->peek.state, *then = &older.state;
	int r = 0;

	if (ctl_peek_open(&older, NULL) < 0)
		return 0; // an empty one, the first of the file
	if (then->generation > now->generation ||
		(then->generation == now->generation && then->serial > now->serial))
		r = dp_fail(reterr, EBADMSG, "its two heads are in the wrong order");
	ctl_peek_close(&older);
	return r;
}

static int check_tables(struct check *check, struct dp_err *reterr)
{
	int r = 0;

	if (check->peek.has_others)
		return dp_fail(reterr, EBADMSG, "it has a table that there is not");
	for (size_t i = 0; r == 0 && i < CTL_TABLE_COUNT; i++) {
		if (i != CTL_TABLE_META) // ctl_peek_open() has read it
			r = ctl_peek_read(&check->peek, (enum ctl_table)i, NULL, NULL,
				&check->counts.n_records, reterr);
	}
	return r;
}

static int check_all(struct check *check, const char *node, uint64_t tick_ns, struct dp_err *reterr)
{
	const struct ctl_pages_visitor free_pages = {on_used, on_free, check};
	struct ctl_peek *peek = &check->peek;
	int r;

	*peek = (struct ctl_peek){.pages = &check->pages,
		.meta = &check->pages.newest,
		.on_pages = on_used,
		.ctx = check};
	r = ctl_peek_open(peek, reterr);
	if (r == 0)
		r = ctl_store_format_suits(&peek->format, check->file, node, tick_ns, reterr);
	if (r == 0)
		r = ctl_pages_walk(
			&check->pages, peek->meta, &peek->meta->free, &free_pages, reterr);
	if (r == 0)
		r = check_tables(check, reterr);
	if (r == 0)
		r = check_order(check, reterr);
	ctl_peek_close(peek);
	return r;
}

static int check_fd(
	int fd, struct check *check, const char *node, uint64_t tick_ns, struct dp_err *reterr)
{
	struct ctl_store_checked *counts = &check->counts;
	int r = ctl_pages_open(fd, &check->pages, reterr);

	if (r < 0)
		return r;
	// All of it is read, here and by the restart after it: in the order of the disk if it can be.
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
	counts->n_pages = check->pages.newest.last_page + 1;
	counts->n_used = 2;
	check->seen = g_malloc0(check->pages.n_pages / 8 + 1);
	r = check_all(check, node, tick_ns, reterr);
	g_free(check->seen);
	counts->n_lost = counts->n_pages - counts->n_used - counts->n_free;
	return r;
}

int ctl_store_check(const char *file, const char *node, uint64_t tick_ns,
	struct ctl_store_checked *ret_checked, struct dp_err *reterr)
{
	const int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct check check = {.file = file, .told_ns = now_ns()};
	struct dp_err found = {""};
	int r;

	if (fd < 0)
		return dp_fail(reterr, errno, "cannot open '%s': %m", file);
	r = check_fd(fd, &check, node, tick_ns, &found);
	(void)close(fd); // was only read
	if (r == 0 && ret_checked != NULL)
		*ret_checked = check.counts;
	if (r == -EBADMSG || r == -EIO)
		return dp_fail(reterr, EBADMSG, "'%s' is damaged: %s", file, found.text);
	return r < 0 ? dp_fail(reterr, -r, "%s", found.text) : 0;
}
