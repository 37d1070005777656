// SPDX-License-Identifier: BSD-3-Clause
#include "control/store_pages.h"

#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert(sizeof(size_t) == 8, "LMDB writes sizes and page numbers as the machine has them");

enum {
	HEAD_LEN =
		16, // of a page: number 8, pad 2, flags 2, lower 2, upper 2 (or overflow pages 4)
	META_LEN = 136,
	NODE_LEN = 8, // of an entry: size or page number 4, flags 2, key length 2
	DEPTH_MAX = 32, // CURSOR_STACK
	KEY_MAX = 511,
	ENV_FLAGS = 0x4000, // MDB_NOSUBDIR, which LMDB keeps among the flags of the free pages
	PAGE_MIN = 256, // of a page
	PAGE_MAX = 32768,
};

enum { P_BRANCH = 1, P_LEAF = 2, P_OVERFLOW = 4, P_META = 8 }; // flags of a page
enum { F_BIGDATA = 1, F_SUBDATA = 2 }; // and of an entry

#define MAGIC 0xBEEFC0DEU
#define VERSION 1
#define NO_PAGE UINT64_MAX
#define UNWRITTEN_MAX 65536 // pages that a commit may have freed without ever writing them

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static int bad_page(uint64_t number, const char *what, struct dp_err *reterr)
{
	return dp_fail(reterr, EBADMSG, "page %" PRIu64 ": %s", number, what);
}

static int read_at(int fd, void *to, size_t len, uint64_t off, struct dp_err *reterr)
{
	uint8_t *at = to;

	while (len > 0) {
		const ssize_t n = pread(fd, at, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return dp_fail(
				reterr, errno, "cannot be read at byte %" PRIu64 ": %m", off);
		if (n == 0)
			return dp_fail(reterr, EBADMSG, "it ends at byte %" PRIu64, off);
		at += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* --- the first two pages --------------------------------------------------------------------- */

struct ctl_pages_tree ctl_pages_tree_of(const void *bytes)
{
	const uint8_t *p = bytes;

	return (struct ctl_pages_tree){
		.pad = get32(p),
		.flags = get16(p + 4),
		.depth = get16(p + 6),
		.n_branch = get64(p + 8),
		.n_leaf = get64(p + 16),
		.n_overflow = get64(p + 24),
		.n_entries = get64(p + 32),
		.root = get64(p + 40),
	};
}

static int read_meta(
	int fd, uint64_t off, unsigned i, struct ctl_pages_meta *ret_meta, struct dp_err *reterr)
{
	uint8_t bytes[HEAD_LEN + META_LEN];
	const uint8_t *m = bytes + HEAD_LEN;
	int r = read_at(fd, bytes, sizeof(bytes), off, reterr);

	if (r < 0)
		return r;
	if (get64(bytes) != i || get16(bytes + 10) != P_META || get32(m) != MAGIC)
		return bad_page(i, "it is no head of an LMDB file", reterr);
	if (get32(m + 4) != VERSION)
		return dp_fail(reterr, EBADMSG, "page %u: version %u of LMDB's format, not %u", i,
			get32(m + 4), VERSION);
	*ret_meta = (struct ctl_pages_meta){
		.free = ctl_pages_tree_of(m + 24), // behind address and size of the map
		.main = ctl_pages_tree_of(m + 24 + CTL_PAGES_TREE_LEN),
		.last_page = get64(m + 24 + 2 * CTL_PAGES_TREE_LEN),
		.txn = get64(m + 32 + 2 * CTL_PAGES_TREE_LEN),
	};
	return 0;
}

static int check_metas(
	const struct ctl_pages *pages, const struct ctl_pages_meta metas[2], struct dp_err *reterr)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct ctl_pages_meta *m = &metas[i];

		if (m->free.pad != pages->page_size ||
			(m->free.flags & ~ENV_FLAGS) != CTL_PAGES_INTEGER_KEYS ||
			m->main.flags != 0)
			return bad_page(i, "its description of the trees is wrong", reterr);
		if (m->last_page < 1 || m->last_page >= 2 * pages->n_pages + UNWRITTEN_MAX)
			return bad_page(i, "the file is shorter than it says", reterr);
	}
	// Commits write the two by turns, so there is nothing between them; a new file has 0 in both.
	if ((metas[0].txn != 0 || metas[1].txn != 0) &&
		(metas[0].txn % 2 != 0 || metas[1].txn % 2 != 1 ||
			(metas[0].txn + 1 != metas[1].txn && metas[1].txn + 1 != metas[0].txn)))
		return dp_fail(reterr, EBADMSG, "its two heads do not follow each other");
	return 0;
}

int ctl_pages_open(int fd, struct ctl_pages *ret_pages, struct dp_err *reterr)
{
	struct ctl_pages pages = {.fd = fd};
	struct ctl_pages_meta metas[2];
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return dp_fail(reterr, errno, "cannot be looked at: %m");
	r = read_meta(fd, 0, 0, &metas[0], reterr);
	if (r < 0)
		return r;
	pages.page_size = metas[0].free.pad;
	if (pages.page_size < PAGE_MIN || pages.page_size > PAGE_MAX ||
		(pages.page_size & (pages.page_size - 1)) != 0)
		return bad_page(0, "its page size is none", reterr);
	pages.n_pages = (uint64_t)st.st_size / pages.page_size;
	r = read_meta(fd, pages.page_size, 1, &metas[1], reterr);
	if (r == 0)
		r = check_metas(&pages, metas, reterr);
	if (r < 0)
		return r;
	pages.newest = metas[metas[0].txn < metas[1].txn];
	pages.older = metas[metas[0].txn >= metas[1].txn];
	*ret_pages = pages;
	return 0;
}

/* --- trees ----------------------------------------------------------------------------------- */

struct key {
	const uint8_t *data;
	size_t len;
};

struct walk {
	const struct ctl_pages *pages;
	const struct ctl_pages_meta *meta;
	const struct ctl_pages_tree *tree;
	const struct ctl_pages_visitor *visitor;
	struct dp_err *reterr;
	struct ctl_pages_tree counted;
	uint8_t *levels[DEPTH_MAX]; // a page each; owned
	uint16_t *sizes; // of entries, by half their place in the page; for tile()
	uint8_t *big; // a value of several pages; owned
	size_t big_size;
};

struct entry {
	uint16_t flags;
	struct key key;
	uint64_t child; // page number, of a branch
	uint32_t len; // of the value, of a leaf
	const uint8_t *value;
	size_t size; // all of it in the page
};

static int compare(const struct walk *w, struct key a, struct key b)
{
	int r;

	if ((w->tree->flags & CTL_PAGES_INTEGER_KEYS) != 0) {
		const uint64_t na = get64(a.data), nb = get64(b.data);

		return na < nb ? -1 : na > nb;
	}
	r = memcmp(a.data, b.data, MIN(a.len, b.len));
	return r != 0 ? r : a.len < b.len ? -1 : a.len > b.len;
}

static int take_pages(struct walk *w, uint64_t first, uint64_t n)
{
	if (first < 2 || first > w->meta->last_page || n > w->meta->last_page - first + 1)
		return bad_page(first, "there can be no page of this number", w->reterr);
	if (first >= w->pages->n_pages || n > w->pages->n_pages - first)
		return bad_page(first, "the file ends before it", w->reterr);
	if (w->visitor->on_pages == NULL)
		return 0;
	return w->visitor->on_pages(w->visitor->ctx, first, n, w->reterr);
}

static bool get_entry(const struct walk *w, const uint8_t *page, unsigned i, struct entry *ret)
{
	const uint32_t size = w->pages->page_size;
	const size_t at = get16(page + HEAD_LEN + 2 * i);
	const uint16_t flags = get16(page + 10);
	const uint8_t *p = page + at;
	struct entry e;

	if (at < get16(page + 14) || at % 2 != 0 || at > size - NODE_LEN)
		return false;
	e = (struct entry){.flags = get16(p + 4), .key = {p + NODE_LEN, get16(p + 6)}};
	e.len = get32(p);
	e.size = NODE_LEN + e.key.len;
	if (flags == P_BRANCH) {
		e.child = e.len | (uint64_t)e.flags << 32;
	} else {
		const bool is_big = (e.flags & F_BIGDATA) != 0;

		e.value = e.key.data + e.key.len;
		e.size += is_big ? sizeof(uint64_t) : e.len;
	}
	e.size = (e.size + 1) & ~(size_t)1;
	*ret = e;
	return e.key.len <= KEY_MAX && e.size <= size - at;
}

static bool is_key(const struct walk *w, const struct key *key)
{
	const bool is_number = (w->tree->flags & CTL_PAGES_INTEGER_KEYS) != 0;

	return is_number ? key->len == sizeof(uint64_t) : key->len > 0;
}

/* Entries cover what is behind the free space of a page: none over another, nothing between. */
static bool is_tiled(struct walk *w, const uint8_t *page, unsigned n)
{
	const uint32_t size = w->pages->page_size;
	const uint32_t upper = get16(page + 14);
	uint32_t at = upper, n_found = 0;
	struct entry e;

	memset(w->sizes, 0, size / 2 * sizeof(*w->sizes));
	for (unsigned i = 0; i < n; i++) {
		if (!get_entry(w, page, i, &e))
			return false;
		w->sizes[get16(page + HEAD_LEN + 2 * i) / 2] = (uint16_t)e.size;
	}
	for (; at < size && w->sizes[at / 2] != 0; n_found++)
		at += w->sizes[at / 2];
	return at == size && n_found == n;
}

/* In the page: strictly rising, from at least `from` to less than `to` (NULL: no such bound). The
 * first key of a branch is not used: it stands for all that is less. */
static bool is_ordered(struct walk *w, const uint8_t *page, unsigned n, const struct key *from,
	const struct key *to)
{
	const bool is_branch = get16(page + 10) == P_BRANCH;
	struct entry e, before = {0};

	for (unsigned i = is_branch ? 1 : 0; i < n; i++) {
		(void)get_entry(w, page, i, &e); // is_tiled() has seen it
		if (!is_key(w, &e.key))
			return false;
		if (before.key.data != NULL && compare(w, before.key, e.key) >= 0)
			return false;
		if (before.key.data == NULL && from != NULL && compare(w, *from, e.key) > 0)
			return false;
		before = e;
	}
	return to == NULL || before.key.data == NULL || compare(w, before.key, *to) < 0;
}

/* Read a page of a tree and look at all of it but for what it points to. */
static int load(struct walk *w, uint64_t number, unsigned level, const struct key *from,
	const struct key *to, unsigned *ret_n)
{
	const bool is_branch = level + 1u < w->tree->depth;
	const uint32_t size = w->pages->page_size;
	uint8_t *page = w->levels[level];
	unsigned n, lower, upper;
	int r = take_pages(w, number, 1);

	if (r == 0)
		r = read_at(w->pages->fd, page, size, number * size, w->reterr);
	if (r != 0)
		return r;
	lower = get16(page + 12);
	upper = get16(page + 14);
	if (get64(page) != number || get16(page + 10) != (is_branch ? P_BRANCH : P_LEAF))
		return bad_page(number, "it is another than its place wants", w->reterr);
	n = lower < HEAD_LEN ? 0 : (lower - HEAD_LEN) / 2;
	// LMDB takes branches with one child in the tree of free pages only.
	if (lower % 2 != 0 || upper % 2 != 0 || lower > upper || upper > size || n == 0 ||
		(n == 1 && is_branch && (w->tree->flags & CTL_PAGES_INTEGER_KEYS) == 0))
		return bad_page(number, "its head is wrong", w->reterr);
	if (!is_tiled(w, page, n))
		return bad_page(number, "its entries do not fit together", w->reterr);
	if (!is_ordered(w, page, n, from, to))
		return bad_page(number, "its keys are out of order", w->reterr);
	*ret_n = n;
	return 0;
}

/* A value with pages of its own. */
static int load_big(struct walk *w, const struct entry *e)
{
	const uint32_t size = w->pages->page_size;
	const uint64_t first = get64(e->value);
	const size_t want = HEAD_LEN + (size_t)e->len;
	uint8_t head[HEAD_LEN];
	uint64_t n;
	int r = 0;

	if (first >= w->pages->n_pages)
		return bad_page(first, "the file ends before it", w->reterr);
	r = read_at(w->pages->fd, head, sizeof(head), first * size, w->reterr);
	if (r < 0)
		return r;
	n = get32(head + 12);
	// It may have more than it needs: a shorter value takes the pages of the one before.
	if (get64(head) != first || get16(head + 10) != P_OVERFLOW || n < (want + size - 1) / size)
		return bad_page(first, "it is another than its place wants", w->reterr);
	r = take_pages(w, first, n);
	if (r != 0)
		return r;
	w->counted.n_overflow += n;
	if (w->big_size < want) {
		w->big_size = want;
		w->big = g_realloc(w->big, want);
	}
	return read_at(w->pages->fd, w->big, want, first * size, w->reterr);
}

static int visit_leaf(struct walk *w, uint64_t number, unsigned level, unsigned n)
{
	struct entry e;
	int r = 0;

	w->counted.n_leaf++;
	w->counted.n_entries += n;
	for (unsigned i = 0; r == 0 && i < n; i++) {
		(void)get_entry(w, w->levels[level], i, &e); // load() has seen it
		if ((e.flags & ~(F_BIGDATA | F_SUBDATA)) != 0)
			return bad_page(number, "an entry has flags that there are not", w->reterr);
		if ((e.flags & F_BIGDATA) != 0) {
			r = load_big(w, &e);
			if (r != 0)
				return r;
			e.value = w->big + HEAD_LEN;
		}
		r = w->visitor->on_entry(w->visitor->ctx, e.key.data, e.key.len, e.value, e.len,
			(e.flags & F_SUBDATA) != 0, w->reterr);
	}
	return r;
}

/* Recursion ends at the depth of the tree, which is at most DEPTH_MAX. */
static int visit(struct walk *w, uint64_t number, unsigned level, const struct key *from,
	const struct key *to)
{
	struct entry e, next;
	unsigned n = 0;
	int r = load(w, number, level, from, to, &n);

	if (r != 0)
		return r;
	if (level + 1u == w->tree->depth)
		return visit_leaf(w, number, level, n);
	w->counted.n_branch++;
	for (unsigned i = 0; r == 0 && i < n; i++) {
		(void)get_entry(w, w->levels[level], i, &e); // load() has seen them
		if (i + 1 < n)
			(void)get_entry(w, w->levels[level], i + 1, &next);
		r = visit(
			w, e.child, level + 1, i == 0 ? from : &e.key, i + 1 < n ? &next.key : to);
	}
	return r;
}

static int compare_counts(const struct walk *w)
{
	const struct ctl_pages_tree *says = w->tree, *has = &w->counted;

	if (says->n_branch != has->n_branch || says->n_leaf != has->n_leaf ||
		says->n_overflow != has->n_overflow || says->n_entries != has->n_entries)
		return dp_fail(w->reterr, EBADMSG,
			"a tree says it has %" PRIu64 " entries and has %" PRIu64
			", or its counts of pages are wrong",
			says->n_entries, has->n_entries);
	return 0;
}

int ctl_pages_walk(const struct ctl_pages *pages, const struct ctl_pages_meta *meta,
	const struct ctl_pages_tree *tree, const struct ctl_pages_visitor *visitor,
	struct dp_err *reterr)
{
	struct walk w = {
		.pages = pages, .meta = meta, .tree = tree, .visitor = visitor, .reterr = reterr};
	int r = 0;

	if (tree->depth > DEPTH_MAX || (tree->root == NO_PAGE) != (tree->depth == 0))
		return dp_fail(reterr, EBADMSG, "a tree of depth %u cannot be", tree->depth);
	w.sizes = g_new(uint16_t, pages->page_size / 2);
	for (unsigned i = 0; i < tree->depth; i++)
		w.levels[i] = g_malloc(pages->page_size);
	if (tree->root != NO_PAGE)
		r = visit(&w, tree->root, 0, NULL, NULL);
	if (r == 0)
		r = compare_counts(&w);
	for (unsigned i = 0; i < tree->depth; i++)
		g_free(w.levels[i]);
	g_free(w.sizes);
	g_free(w.big);
	return r;
}
