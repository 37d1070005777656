// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/arena.h"

#include "dataplane/pages.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define CLS_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CLS_HAS_ASAN 1
#endif
#endif

#ifdef CLS_HAS_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum {
	SLAB_BITS = 16,
	CLASS_MIN_BITS = 5, // 32 bytes
	CLASS_MAX_BITS = 12, // 4 KB: the library's TLS buffer with a segment more
	CLASS_COUNT = CLASS_MAX_BITS - CLASS_MIN_BITS + 1,
};

#define SLAB_BYTES ((size_t)1 << SLAB_BITS)

struct block {
	struct block *next;
};

struct class
{
	struct block *freed;
	uint8_t *fresh, *fresh_end; // what of the newest slab was never given out
};

struct cls_arena {
	uint8_t *base; // of max_slabs slabs
	size_t n_slabs, max_slabs;
	struct class classes[CLASS_COUNT];
	uint8_t slab_class[]; // by slab
};

struct cls_arena *cls_arena_new(size_t max_bytes)
{
	const size_t max_slabs = max_bytes < SLAB_BYTES ? 1 : max_bytes >> SLAB_BITS;
	struct cls_arena *a = calloc(1, sizeof(*a) + max_slabs);

	if (a == NULL)
		return NULL;
	a->max_slabs = max_slabs;
	a->base = mmap(NULL, max_slabs << SLAB_BITS, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (a->base == MAP_FAILED) {
		free(a);
		errno = ENOMEM;
		return NULL;
	}
	return a;
}

void cls_arena_free(struct cls_arena *a)
{
	if (a == NULL)
		return;
	ASAN_UNPOISON_MEMORY_REGION(a->base, a->max_slabs << SLAB_BITS);
	(void)munmap(a->base, a->max_slabs << SLAB_BITS);
	free(a);
}

/* The class of blocks that hold size bytes, CLASS_COUNT when none does. */
static unsigned int class_of(size_t size)
{
	if (size <= (size_t)1 << CLASS_MIN_BITS)
		return 0;
	if (size > (size_t)1 << CLASS_MAX_BITS)
		return CLASS_COUNT;
	return 64U - (unsigned int)__builtin_clzll(size - 1) - CLASS_MIN_BITS;
}

static bool has_fresh(struct cls_arena *a, unsigned int class)
{
	struct class *c = &a->classes[class];

	if (c->fresh != c->fresh_end)
		return true;
	if (a->n_slabs == a->max_slabs)
		return false;
	c->fresh = a->base + (a->n_slabs << SLAB_BITS);
	c->fresh_end = c->fresh + SLAB_BYTES;
	dp_pages_populate(c->fresh, SLAB_BYTES);
	ASAN_POISON_MEMORY_REGION(c->fresh, SLAB_BYTES);
	a->slab_class[a->n_slabs++] = (uint8_t) class;
	return true;
}

void *cls_arena_alloc(struct cls_arena *a, size_t size)
{
	const unsigned int class = class_of(size);

	if (a == NULL || class == CLASS_COUNT)
		return malloc(size);

	struct class *c = &a->classes[class];
	const size_t block_bytes = (size_t)1 << (class + CLASS_MIN_BITS);
	void *p;

	if (c->freed != NULL) {
		p = c->freed;
		ASAN_UNPOISON_MEMORY_REGION(p, sizeof(struct block));
		c->freed = c->freed->next;
	} else if (has_fresh(a, class)) {
		p = c->fresh;
		c->fresh += block_bytes;
	} else {
		return malloc(size);
	}
	ASAN_POISON_MEMORY_REGION(p, block_bytes);
	ASAN_UNPOISON_MEMORY_REGION(p, size);
	return p;
}

void cls_arena_release(struct cls_arena *a, void *p)
{
	if (a == NULL || (uintptr_t)p - (uintptr_t)a->base >= a->max_slabs << SLAB_BITS) {
		free(p);
		return;
	}

	const unsigned int class = a->slab_class[(size_t)((uint8_t *)p - a->base) >> SLAB_BITS];
	struct block *b = p;

	ASAN_UNPOISON_MEMORY_REGION(b, sizeof(*b)); // may be longer than what was asked for
	b->next = a->classes[class].freed;
	a->classes[class].freed = b;
	ASAN_POISON_MEMORY_REGION(b, (size_t)1 << (class + CLASS_MIN_BITS));
}

size_t cls_arena_bytes(const struct cls_arena *a)
{
	return a->n_slabs << SLAB_BITS;
}
