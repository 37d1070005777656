// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/host_table.h"

#include "dataplane/hash.h"
#include "dataplane/pages.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include <sys/random.h>

enum {
	WORD = 8, // bytes of a name at a time
	ALIGN = 4, // of a host in the block
	BLOCK = 64, // bytes of a name for one word of dots
	TEXT_MAX = CLS_HOST_MAX + 1, // bytes of a name that count: a dot in front of the host
	BLOCKS_MAX = TEXT_MAX / BLOCK,
	GROUP = 4, // slots that are looked at together: in one line of the cache
	PLACE_BITS_MAX = 28, // of a slot: four at least are the hash's
};
static_assert(TEXT_MAX % BLOCK == 0);

static const size_t BYTES_MAX = ((size_t)ALIGN << PLACE_BITS_MAX) - 2 * ALIGN; // of all hosts

struct host {
	uint32_t app;
	uint16_t tag;
	uint8_t len;
	char name[]; // len bytes, NUL-terminated
};
static_assert(CLS_HOST_MAX <= UINT8_MAX);
static_assert(alignof(struct host) == ALIGN);

/* A suffix of a name that may be a host. */
struct suffix {
	uint64_t hash;
	uint32_t begin;
	uint32_t slot; // that may be its own, 0: none in its group
};

/* A name as it is looked for. */
struct name {
	uint8_t text[WORD + TEXT_MAX + WORD]; // lower case from WORD on, the bytes around it 0
	uint32_t len;
	uint32_t n_suffixes;
	struct suffix suffixes[CLS_HOST_LABELS_MAX]; // the shortest first
};

static uint64_t word_at(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return le64toh(w);
}

static const uint64_t ONES = 0x0101010101010101;
static const uint64_t HIGHS = 0x8080808080808080;

/* Of eight bytes at once: A to Z as a to z, all others as they are. */
static uint64_t lower8(uint64_t w)
{
	const uint64_t low = w & ~HIGHS;
	const uint64_t from_a = low + (0x80 - 'A') * ONES;
	const uint64_t behind_z = low + (0x7f - 'Z') * ONES;

	return w | ((from_a & ~behind_z & ~w & HIGHS) >> 2);
}

/* Bit n: byte n is a dot. */
static uint64_t dots8(uint64_t w)
{
	const uint64_t x = w ^ '.' * ONES;
	const uint64_t is_dot = ~(((x & ~HIGHS) + ~HIGHS) | x) & HIGHS; // nothing is carried

	return (is_dot >> 7) * 0x0102040810204080 >> 56;
}

static uint64_t mix(const struct cls_host_table *t, uint64_t h, uint64_t w)
{
	const unsigned __int128 m = (unsigned __int128)(h ^ w ^ t->key[0]) * t->key[1];

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* From the hash of a suffix to that of the suffix one label longer. The label is the len bytes in front of
 * end; WORD bytes there can be read in any case. */
static uint64_t hash_label(
	const struct cls_host_table *t, uint64_t h, const uint8_t *end, size_t len)
{
	for (; len >= WORD; len -= WORD, end -= WORD)
		h = mix(t, h, word_at(end - WORD));

	const uint64_t rest = len > 0 ? word_at(end - WORD) >> (8 * (WORD - len)) : 0;

	return mix(t, h, rest | (uint64_t)(len + 1) << 56);
}

/* The first slot of the group where a host of that hash stands, or else from there on. */
static uint32_t group_of(const struct cls_host_table *t, uint64_t hash)
{
	return (uint32_t)((hash >> 32) * (t->n_slots / GROUP) >> 32) * GROUP;
}

/* text[WORD..WORD + len) in lower case, and where its dots are. */
static void read_text(uint8_t *text, uint32_t len, uint64_t dots[BLOCKS_MAX])
{
	for (uint32_t block = 0; block * BLOCK < len; block++) {
		uint64_t bits = 0;

		for (uint32_t i = block * BLOCK; i < len && i < (block + 1) * BLOCK; i += WORD) {
			const uint64_t w = word_at(text + WORD + i);
			const uint64_t lower = htole64(lower8(w));

			memcpy(text + WORD + i, &lower, sizeof(lower));
			bits |= dots8(w) << i % BLOCK;
		}
		dots[block] = bits;
	}
}

/* One label more: to the suffix that begins there. Returns its hash. */
static uint64_t add_suffix(const struct cls_host_table *t, struct name *n, uint64_t hash,
	uint32_t begin, uint32_t end, uint32_t depth)
{
	hash = hash_label(t, hash, n->text + WORD + end, end - begin);
	if (t->depths[depth / 64] >> depth % 64 & 1) {
		__builtin_prefetch(&t->slots[group_of(t, hash)]);
		n->suffixes[n->n_suffixes++] = (struct suffix){hash, begin, 0};
	}
	return hash;
}

/* Without a trailing dot. */
static size_t shown_len(const char *host, size_t len)
{
	return len > 0 && host[len - 1] == '.' ? len - 1 : len;
}

/* The suffixes that can be hosts of t, by the lengths and depths that there are. */
static void read_name(const struct cls_host_table *t, const char *host, size_t len, struct name *n)
{
	static const uint8_t none[WORD];
	uint64_t dots[BLOCKS_MAX];
	uint64_t hash = 0;
	uint32_t depth = 0;

	n->len = (uint32_t)(len <= t->longest_len ? len : t->longest_len + 1);
	n->n_suffixes = 0;
	memcpy(n->text, none, WORD);
	memcpy(n->text + WORD, host + (len - n->len), n->len);
	memcpy(n->text + WORD + n->len, none, WORD);
	read_text(n->text, n->len, dots);

	uint32_t end = n->len;

	for (uint32_t block = (n->len + BLOCK - 1) / BLOCK; block-- > 0;) {
		for (uint64_t bits = dots[block]; bits != 0;) {
			const uint32_t at = 63 - (uint32_t)__builtin_clzll(bits);
			const uint32_t dot = block * BLOCK + at;

			hash = add_suffix(t, n, hash, dot + 1, end, depth);
			if (++depth == CLS_HOST_LABELS_MAX)
				return;
			end = dot;
			bits ^= UINT64_C(1) << at;
		}
	}
	(void)add_suffix(t, n, hash, 0, end, depth);
}

static const struct host *host_at(const struct cls_host_table *t, uint32_t slot)
{
	return (const struct host *)(t->hosts + (size_t)(slot & t->place_mask) * ALIGN);
}

/* Whether the bits of the hash that a slot has are those of a hash; of a free one maybe, too. */
static bool is_alike(const struct cls_host_table *t, uint32_t slot, uint64_t hash)
{
	return ((slot ^ (uint32_t)hash) & ~t->place_mask) == 0;
}

static bool is_named(const struct host *host, const uint8_t *name, size_t len)
{
	return host->len == len && memcmp(host->name, name, len) == 0;
}

/* The slot that holds a name, or the free one where it belongs: the first one from its group on. */
static uint32_t *slot_for(
	const struct cls_host_table *t, uint64_t hash, const uint8_t *name, size_t len)
{
	for (uint32_t i = group_of(t, hash);; i = i + 1 < t->n_slots ? i + 1 : 0) {
		uint32_t *slot = &t->slots[i];

		if (*slot == 0 ||
			(is_alike(t, *slot, hash) && is_named(host_at(t, *slot), name, len)))
			return slot;
	}
}

/* See which slot of its group may be a suffix's, and fetch the host. Without a jump on what is in the slots: nobody can
 * foretell it, and the next suffix would wait for it. */
static void glance(const struct cls_host_table *t, struct suffix *s)
{
	const uint32_t *group = &t->slots[group_of(t, s->hash)];
	uint32_t slot = 0;

	for (uint32_t i = GROUP; i-- > 0;) // those that are free stand behind the others
		slot = is_alike(t, group[i], s->hash) ? group[i] : slot;
	s->slot = slot;
	__builtin_prefetch(host_at(t, slot));
}

static const struct host *find(
	const struct cls_host_table *t, const struct name *n, const struct suffix *s)
{
	const uint8_t *name = n->text + WORD + s->begin;
	const size_t len = n->len - s->begin;

	if (s->slot != 0 && is_named(host_at(t, s->slot), name, len))
		return host_at(t, s->slot);
	if (s->slot == 0 && t->slots[group_of(t, s->hash) + GROUP - 1] == 0)
		return NULL; // none is alike, and none stands behind the group

	const uint32_t slot = *slot_for(t, s->hash, name, len);

	return slot != 0 ? host_at(t, slot) : NULL;
}

/* The name, its suffixes that can be hosts of t, and what they wait for. */
static void look(const struct cls_host_table *t, const char *host, size_t len, struct name *n)
{
	read_name(t, host, shown_len(host, len), n);
	for (uint32_t i = 0; i < n->n_suffixes; i++)
		glance(t, &n->suffixes[i]);
}

struct cls_match cls_host_table_find(const struct cls_host_table *t, const char *host, size_t len)
{
	struct name n;

	look(t, host, len, &n);
	for (uint32_t i = n.n_suffixes; i-- > 0;) {
		const struct host *found = find(t, &n, &n.suffixes[i]);

		if (found != NULL)
			return (struct cls_match){found->app, found->tag};
	}
	return (struct cls_match){DP_APP_UNKNOWN, DP_TAG_NONE};
}

size_t cls_host_table_rules(const struct cls_host_table *t, const char *host, size_t len,
	struct cls_host_rule *rules, size_t max)
{
	struct name n;
	size_t n_rules = 0;

	look(t, host, len, &n);
	for (uint32_t i = n.n_suffixes; i-- > 0 && n_rules < max;) {
		const struct host *found = find(t, &n, &n.suffixes[i]);

		if (found != NULL)
			rules[n_rules++] = (struct cls_host_rule){
				found->name, found->app, found->tag};
	}
	return n_rules;
}

/* --- filling ---------------------------------------------------------------------------------- */

/* Zeroed, on pages of its own: with the catalogue it goes back to the kernel. */
static void *pages_new(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	dp_pages_want_large(p, bytes);
	return p;
}

static void pages_free(void *p, size_t bytes)
{
	if (p != NULL)
		(void)munmap(p, bytes); // fails for no mapping only
}

static void draw_key(uint64_t key[2])
{
	// Without entropy yet, at boot, the process's key is better than waiting.
	if (getrandom(key, 2 * sizeof(*key), GRND_NONBLOCK) != 2 * sizeof(*key))
		memcpy(key, dp_hash_key, sizeof(dp_hash_key));
	key[1] |= 1; // a factor
}

/* To write n. */
static unsigned int bits_of(size_t n)
{
	return n == 0 ? 0 : 64 - (unsigned int)__builtin_clzll(n);
}

int cls_host_table_init(struct cls_host_table *t, size_t n_hosts, size_t n_bytes)
{
	const size_t each = sizeof(struct host) + ALIGN - 1; // the name aside

	*t = (struct cls_host_table){.hosts_len = ALIGN}; // nobody stands at 0
	if (n_hosts > BYTES_MAX / each || n_bytes > BYTES_MAX - n_hosts * each)
		return -EFBIG;
	t->n_slots = (uint32_t)(2 * n_hosts / GROUP + 1) * GROUP;
	t->hosts_room = ALIGN + n_hosts * each + n_bytes;
	t->place_mask = (UINT32_C(1) << bits_of(t->hosts_room / ALIGN)) - 1;
	t->slots = pages_new(t->n_slots * sizeof(*t->slots));
	t->hosts = pages_new(t->hosts_room);
	if (t->slots == NULL || t->hosts == NULL) {
		cls_host_table_fini(t);
		return -ENOMEM;
	}
	draw_key(t->key);
	return 0;
}

void cls_host_table_fini(struct cls_host_table *t)
{
	pages_free(t->slots, t->n_slots * sizeof(*t->slots));
	pages_free(t->hosts, t->hosts_room);
	*t = (struct cls_host_table){0};
}

/* Returns its place. */
static uint32_t put_host(
	struct cls_host_table *t, const uint8_t *name, size_t len, struct cls_match match)
{
	const size_t size = (sizeof(struct host) + len + ALIGN - 1) / ALIGN * ALIGN;
	struct host *host = (struct host *)(t->hosts + t->hosts_len);
	const uint32_t place = (uint32_t)(t->hosts_len / ALIGN);

	assert(size <= t->hosts_room - t->hosts_len);
	*host = (struct host){.app = match.app, .tag = match.tag, .len = (uint8_t)len};
	memcpy(host->name, name, len); // the pages are zeroed: NUL-terminated
	t->hosts_len += size;
	return place;
}

int cls_host_table_add(struct cls_host_table *t, const char *host, size_t len,
	struct cls_match match, struct cls_match *ret_first)
{
	struct name n;
	uint32_t depth = 0;

	len = shown_len(host, len);
	for (size_t i = 0; i < len; i++)
		depth += host[i] == '.';
	if (len == 0 || len > CLS_HOST_MAX || depth >= CLS_HOST_LABELS_MAX)
		return -EINVAL;
	if (t->longest_len < len)
		t->longest_len = (uint32_t)len;
	t->depths[depth / 64] |= UINT64_C(1) << depth % 64;
	read_name(t, host, len, &n);

	const struct suffix *whole = &n.suffixes[n.n_suffixes - 1];
	uint32_t *slot = slot_for(t, whole->hash, n.text + WORD, len);

	if (*slot != 0) {
		const struct host *first = host_at(t, *slot);

		*ret_first = (struct cls_match){first->app, first->tag};
		return -EEXIST;
	}
	*slot = ((uint32_t)whole->hash & ~t->place_mask) | put_host(t, n.text + WORD, len, match);
	return 0;
}
