// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/net_table.h"

#include <errno.h>
#include <stdlib.h>

enum {
	BITS = 128,
	V4_BITS = 32,
	FIRST_BITS_MAX = 14, // 64 KB, which the second level cache keeps: more were slower
};

static const unsigned __int128 LAST = ~(unsigned __int128)0;
static const unsigned __int128 V4_BEGIN = (unsigned __int128)0xffff << V4_BITS; // RFC 4291 2.5.5.2

/* A prefix that holds the one at hand. */
struct open {
	unsigned __int128 last; // address of it
	uint32_t app;
};

static unsigned __int128 number_of(const struct dp_addr *a)
{
	return (unsigned __int128)dp_addr_half(a, 0) << 64 | dp_addr_half(a, 1);
}

/* Ones in the bits behind a prefix of that length. */
static unsigned __int128 rest_of(uint8_t len)
{
	return len == 0 ? LAST : ((unsigned __int128)1 << (BITS - len)) - 1;
}

static unsigned __int128 begin_of(const struct dp_prefix *p)
{
	return number_of(&p->addr) & ~rest_of(p->len);
}

/* A prefix before those inside of it. */
static int outer_first(const void *a, const void *b)
{
	const struct dp_prefix *x = &((const struct cls_net *)a)->prefix;
	const struct dp_prefix *y = &((const struct cls_net *)b)->prefix;
	const unsigned __int128 x_begin = begin_of(x), y_begin = begin_of(y);

	if (x_begin != y_begin)
		return x_begin < y_begin ? -1 : 1;
	return x->len - y->len;
}

/* From there on it is the app's. */
static void range_begins(struct cls_net_table *t, unsigned __int128 begin, uint32_t app)
{
	if (t->n > 0 && t->begins[t->n - 1] == begin)
		t->n--; // of the former nothing is left
	if (t->n > 0 && t->apps[t->n - 1] == app)
		return;
	t->begins[t->n] = begin;
	t->apps[t->n++] = app;
}

/* Behind the last of the open ones it is again the one's around it. */
static void range_ends(struct cls_net_table *t, const struct open *open, size_t n_open)
{
	const unsigned __int128 last = open[n_open - 1].last;

	if (last != LAST)
		range_begins(t, last + 1, n_open > 1 ? open[n_open - 2].app : DP_APP_UNKNOWN);
}

static void make_ranges(struct cls_net_table *t, const struct cls_net *nets, size_t n)
{
	struct open open[BITS + 1]; // each is longer than the one around it
	size_t n_open = 0;

	range_begins(t, 0, DP_APP_UNKNOWN);
	for (size_t i = 0; i < n; i++) {
		const unsigned __int128 begin = begin_of(&nets[i].prefix);

		for (; n_open > 0 && open[n_open - 1].last < begin; n_open--)
			range_ends(t, open, n_open);
		open[n_open++] = (struct open){begin | rest_of(nets[i].prefix.len), nets[i].app};
		range_begins(t, begin, nets[i].app);
	}
	for (; n_open > 0; n_open--)
		range_ends(t, open, n_open);
}

/* Index of the last range that begins at or before key. */
static size_t range_of(const struct cls_net_table *t, unsigned __int128 key)
{
	const unsigned __int128 *base = t->begins;

	// Without a jump on what is compared: it would be wrong half of the time.
	for (size_t n = t->n; n > 1; n -= n / 2)
		base += base[n / 2] <= key ? n / 2 : 0;
	return (size_t)(base - t->begins);
}

static uint32_t find4(const struct cls_net_table *t, uint32_t key)
{
	const uint32_t *first = &t->firsts4[key >> t->shift4];
	const struct cls_range4 *base = t->ranges4 + first[0];

	for (size_t n = first[1] - first[0] + 1; n > 1; n -= n / 2)
		base += base[n / 2].begin <= key ? n / 2 : 0;
	return base->app;
}

/* The last range that begins at or before the first address with these bits; one more for the last range of all. */
static void make_firsts4(struct cls_net_table *t, uint32_t n_firsts)
{
	uint32_t range = 0;

	for (uint32_t i = 0; i < n_firsts; i++) {
		while (range + 1 < t->n4 && t->ranges4[range + 1].begin <= (uint64_t)i << t->shift4)
			range++;
		t->firsts4[i] = range;
	}
	t->firsts4[n_firsts] = (uint32_t)t->n4 - 1;
}

static int make_ranges4(struct cls_net_table *t)
{
	const size_t first = range_of(t, V4_BEGIN);
	const size_t end = range_of(t, V4_BEGIN + UINT32_MAX) + 1;
	unsigned int bits = 1;

	t->n4 = end - first;
	while (bits < FIRST_BITS_MAX && (size_t)1 << bits < t->n4)
		bits++;
	t->shift4 = V4_BITS - bits;
	t->ranges4 = calloc(t->n4, sizeof(*t->ranges4));
	t->firsts4 = calloc(((size_t)1 << bits) + 1, sizeof(*t->firsts4));
	if (t->ranges4 == NULL || t->firsts4 == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < t->n4; i++) // the first one may begin before IPv4 does
		t->ranges4[i] = (struct cls_range4){
			i > 0 ? (uint32_t)t->begins[first + i] : 0, t->apps[first + i]};
	make_firsts4(t, UINT32_C(1) << bits);
	return 0;
}

int cls_net_table_init(struct cls_net_table *t, struct cls_net *nets, size_t n, size_t *ret_first)
{
	*t = (struct cls_net_table){0};
	if (n > 0)
		qsort(nets, n, sizeof(*nets), outer_first);
	for (size_t i = 1; i < n; i++) {
		if (outer_first(&nets[i - 1], &nets[i]) == 0) {
			*ret_first = i - 1;
			return -EEXIST;
		}
	}
	t->begins = calloc(2 * n + 1, sizeof(*t->begins));
	t->apps = calloc(2 * n + 1, sizeof(*t->apps));
	if (t->begins != NULL && t->apps != NULL) {
		make_ranges(t, nets, n);
		if (make_ranges4(t) == 0)
			return 0;
	}
	cls_net_table_fini(t);
	return -ENOMEM;
}

void cls_net_table_fini(struct cls_net_table *t)
{
	free(t->begins);
	free(t->apps);
	free(t->ranges4);
	free(t->firsts4);
	*t = (struct cls_net_table){0};
}

uint32_t cls_net_table_find(const struct cls_net_table *t, const struct dp_addr *addr)
{
	if (dp_addr_is_v4(addr))
		return find4(t, (uint32_t)dp_addr_half(addr, 1));
	return t->apps[range_of(t, number_of(addr))];
}
