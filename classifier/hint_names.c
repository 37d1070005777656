// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/hint_names.h"

#include "dataplane/hash.h"

#include <errno.h>
#include <stdlib.h>

enum { HEAD_BYTES = 16, PART_BYTES = 28 };
static_assert((DP_HOST_MAX - HEAD_BYTES) % PART_BYTES == 0, "names are read in whole cells");

struct cls_hint_cell {
	uint32_t next; // of the name, 0: the last; or in the free list
	union {
		struct { // the first of a name
			uint32_t bucket_next;
			uint32_t n_refs;
			uint32_t hash;
			char head[HEAD_BYTES];
		};
		char part[PART_BYTES];
	};
};
static_assert(sizeof(struct cls_hint_cell) == 32);

static uint32_t n_buckets_of(uint32_t n_cells)
{
	uint32_t n = 16;

	while (n < n_cells / 2) // most names take two
		n *= 2;
	return n;
}

size_t cls_hint_names_bytes(uint32_t n_cells)
{
	return ((size_t)n_cells + 1) * sizeof(struct cls_hint_cell) +
		n_buckets_of(n_cells) * sizeof(uint32_t);
}

int cls_hint_names_init(struct cls_hint_names *t, uint32_t n_cells)
{
	const uint32_t n_buckets = n_buckets_of(n_cells);

	*t = (struct cls_hint_names){
		.n_cells = n_cells, .n_free = n_cells, .bucket_mask = n_buckets - 1};
	t->cells = calloc((size_t)n_cells + 1, sizeof(*t->cells));
	t->buckets = calloc(n_buckets, sizeof(*t->buckets));
	if (t->cells == NULL || t->buckets == NULL) {
		cls_hint_names_fini(t);
		return -ENOMEM;
	}
	return 0;
}

void cls_hint_names_fini(struct cls_hint_names *t)
{
	free(t->cells);
	free(t->buckets);
	*t = (struct cls_hint_names){0};
}

/* size: with the NUL. */
static bool is_name(const struct cls_hint_names *t, uint32_t name, const char *host, size_t size)
{
	const struct cls_hint_cell *c = &t->cells[name];
	size_t n = size < HEAD_BYTES ? size : HEAD_BYTES;

	if (memcmp(c->head, host, n) != 0)
		return false;
	for (size_t done = n; done < size; done += n) {
		if (c->next == 0)
			return false;
		c = &t->cells[c->next];
		n = size - done < PART_BYTES ? size - done : PART_BYTES;
		if (memcmp(c->part, host + done, n) != 0)
			return false;
	}
	return true;
}

static uint32_t take_cell(struct cls_hint_names *t)
{
	const uint32_t cell = t->free_list;

	t->n_free--;
	if (cell == 0)
		return ++t->n_touched;
	t->free_list = t->cells[cell].next;
	return cell;
}

static uint32_t add(struct cls_hint_names *t, const char *host, size_t size, uint32_t hash)
{
	const size_t n_parts = size > HEAD_BYTES ? (size - HEAD_BYTES + PART_BYTES - 1) / PART_BYTES
						 : 0;
	size_t n = size < HEAD_BYTES ? size : HEAD_BYTES;
	uint32_t *const bucket = &t->buckets[hash & t->bucket_mask];
	uint32_t name;
	struct cls_hint_cell *c;

	if (t->n_free < 1 + n_parts)
		return CLS_HINT_NAME_NONE;
	name = take_cell(t);
	c = &t->cells[name];
	c->bucket_next = *bucket;
	c->n_refs = 1;
	c->hash = hash;
	memcpy(c->head, host, n);
	for (size_t done = n; done < size; done += n) {
		c->next = take_cell(t);
		c = &t->cells[c->next];
		n = size - done < PART_BYTES ? size - done : PART_BYTES;
		memcpy(c->part, host + done, n);
	}
	c->next = 0;
	*bucket = name;
	return name;
}

uint32_t cls_hint_name_get(struct cls_hint_names *t, const char *host)
{
	const size_t size = strlen(host) + 1;
	const uint32_t hash = (uint32_t)dp_hash_bytes(size, host, size);
	uint32_t name = t->buckets[hash & t->bucket_mask];

	for (; name != CLS_HINT_NAME_NONE; name = t->cells[name].bucket_next) {
		if (t->cells[name].hash == hash && is_name(t, name, host, size)) {
			t->cells[name].n_refs++;
			return name;
		}
	}
	return add(t, host, size, hash);
}

void cls_hint_name_put(struct cls_hint_names *t, uint32_t name)
{
	struct cls_hint_cell *c = &t->cells[name];
	uint32_t *link = &t->buckets[c->hash & t->bucket_mask];

	if (--c->n_refs > 0)
		return;
	while (*link != name)
		link = &t->cells[*link].bucket_next;
	*link = c->bucket_next;
	for (uint32_t cell = name, next; cell != 0; cell = next) {
		next = t->cells[cell].next;
		t->cells[cell].next = t->free_list;
		t->free_list = cell;
		t->n_free++;
	}
}

void cls_hint_name_read(const struct cls_hint_names *t, uint32_t name, char ret_host[DP_HOST_MAX])
{
	const struct cls_hint_cell *c = &t->cells[name];
	size_t done = HEAD_BYTES;

	memcpy(ret_host, c->head, HEAD_BYTES);
	while (c->next != 0) {
		c = &t->cells[c->next];
		memcpy(ret_host + done, c->part, PART_BYTES);
		done += PART_BYTES;
	}
}
