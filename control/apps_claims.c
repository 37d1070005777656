// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_claims.h"

#include "dataplane/hash.h"

#include <glib.h>

/* Claims of one source in a row. */
struct run {
	size_t begin;
	struct ctl_source source;
};

struct ctl_claims {
	const char *kind;
	ctl_claims_same_fn *same;
	const void *things;
	struct ctl_mistakes *mistakes;
	GArray *spots; // struct ctl_spot, by claim
	GArray *runs; // struct run, ascending
	uint64_t *slots; // open addressing, at most half full: hash << 32 | claim + 1; 0 = free
	size_t mask;
};

struct ctl_claims *ctl_claims_new(const char *kind, ctl_claims_same_fn *same, const void *things,
	struct ctl_mistakes *mistakes)
{
	enum { N_SLOTS_MIN = 16 };
	struct ctl_claims *claims = g_new0(struct ctl_claims, 1);

	claims->kind = kind;
	claims->same = same;
	claims->things = things;
	claims->mistakes = mistakes;
	claims->spots = g_array_new(FALSE, FALSE, sizeof(struct ctl_spot));
	claims->runs = g_array_new(FALSE, FALSE, sizeof(struct run));
	claims->slots = g_new0(uint64_t, N_SLOTS_MIN);
	claims->mask = N_SLOTS_MIN - 1;
	return claims;
}

void ctl_claims_free(struct ctl_claims *claims)
{
	if (claims == NULL)
		return;
	g_array_unref(claims->spots);
	g_array_unref(claims->runs);
	g_free(claims->slots);
	g_free(claims);
}

/* Keyed: a list from elsewhere cannot choose names that meet in one place of the table. */
uint32_t ctl_claims_hash(const void *bytes, size_t len)
{
	const uint64_t h = dp_hash_bytes(len, bytes, len);

	return (uint32_t)(h ^ h >> 32);
}

static void grow(struct ctl_claims *claims)
{
	const size_t mask = 2 * claims->mask + 1;
	uint64_t *slots = g_new0(uint64_t, mask + 1);

	for (size_t i = 0; i <= claims->mask; i++) {
		size_t to = (claims->slots[i] >> 32) & mask;

		if (claims->slots[i] == 0)
			continue;
		while (slots[to] != 0)
			to = (to + 1) & mask;
		slots[to] = claims->slots[i];
	}
	g_free(claims->slots);
	claims->slots = slots;
	claims->mask = mask;
}

/* The slot of the thing, or the free one where it belongs. */
static uint64_t *find(const struct ctl_claims *claims, uint32_t hash, const void *thing)
{
	size_t i = hash & claims->mask;

	while (claims->slots[i] != 0) {
		const uint32_t claim = (uint32_t)claims->slots[i] - 1;

		if (claims->slots[i] >> 32 == hash && claims->same(claims->things, claim, thing))
			break;
		i = (i + 1) & claims->mask;
	}
	return &claims->slots[i];
}

static const struct ctl_source *source_of(const struct ctl_claims *claims, size_t claim)
{
	size_t begin = 0, end = claims->runs->len;

	while (end - begin > 1) {
		const size_t middle = begin + (end - begin) / 2;

		if (g_array_index(claims->runs, struct run, middle).begin <= claim)
			begin = middle;
		else
			end = middle;
	}
	return &g_array_index(claims->runs, struct run, begin).source;
}

static void report(struct ctl_claims *claims, const struct ctl_source *source, struct ctl_spot spot,
	size_t first, const char *text)
{
	const struct ctl_source *owner = source_of(claims, first);
	const struct ctl_spot at = g_array_index(claims->spots, struct ctl_spot, first);
	char found[CTL_QUOTE_MAX];

	ctl_mistake(claims->mistakes, source->file, spot.line, spot.column,
		"%s, expected each %s once; app '%s' has it at %s:%u:%u", ctl_quote(text, found),
		claims->kind, owner->app, owner->path, at.line, at.column);
}

static void begin_run(struct ctl_claims *claims, const struct ctl_source *source)
{
	const struct run run = {claims->spots->len, *source};
	const struct run *last = claims->runs->len == 0
		? NULL
		: &g_array_index(claims->runs, struct run, claims->runs->len - 1);

	if (last == NULL || last->source.app != source->app || last->source.path != source->path)
		g_array_append_val(claims->runs, run);
}

bool ctl_claim(struct ctl_claims *claims, const struct ctl_source *source, struct ctl_spot spot,
	uint32_t hash, const void *thing, const char *text)
{
	uint64_t *slot = find(claims, hash, thing);

	if (*slot != 0) {
		report(claims, source, spot, (uint32_t)*slot - 1, text);
		return false;
	}
	begin_run(claims, source);
	g_array_append_val(claims->spots, spot);
	*slot = (uint64_t)hash << 32 | claims->spots->len; // the claim's number and 1
	if (2 * (size_t)claims->spots->len > claims->mask)
		grow(claims);
	return true;
}
