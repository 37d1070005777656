// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/hints.h"

#include "classifier/hint_names.h"
#include "dataplane/hash.h"

#include <stdlib.h>

enum {
	NONE = 0, // index; arrays begin at 1
	ENDED_PER_PUT = 2, // taken out at each put, which adds one at most
	NAME_TRIES = 8, // hints forgotten for the room of one name
	ENDPOINTS_MIN = 16,
	NAME_CELLS_MIN = 64,
};

/* Event time of the last second that a hint can end at: the year 2106. Behind it hints do not end. */
#define SECONDS_MAX (UINT32_MAX - CLS_HINT_MAX_S)

struct hint {
	struct dp_addr server;
	uint32_t endpoint;
	uint32_t name;
	uint32_t at; // in the heap
	uint32_t prev, next; // of the endpoint, by end; next in the free list
};

struct endpoint {
	struct dp_addr addr;
	uint32_t first, last; // hint that ends first, last; first: next in the free list
	uint32_t n_hints;
};

/* Of the heap. */
struct end {
	uint32_t second; // the hint holds up to its end
	uint32_t hint;
};

/* Places of a hash, linear probing; none is removed without closing its gap. */
struct places {
	uint32_t *ids; // NONE: free
	uint32_t mask;
};

struct cls_hints {
	struct hint *hints;
	struct endpoint *endpoints;
	struct end *heap; // [0..counts.held), the one that ends first on top
	struct places by_server, by_endpoint;
	uint32_t n_hints, n_endpoints; // capacity
	uint32_t n_hints_touched, n_endpoints_touched;
	uint32_t free_hint, free_endpoint;
	struct cls_hint_names names;
	struct cls_hints_counts counts;
	char *host; // what get returned last
};

/* --- hashes ---------------------------------------------------------------------------------- */

static uint32_t hash_of_endpoint(const struct dp_addr *addr)
{
	return (uint32_t)dp_hash_mix(dp_addr_half_be(addr, 0), dp_addr_half_be(addr, 1));
}

static uint32_t hash_of_server(uint32_t endpoint, const struct dp_addr *server)
{
	return (uint32_t)dp_hash_mix(
		dp_hash_mix(dp_addr_half_be(server, 0), dp_addr_half_be(server, 1)), endpoint);
}

static uint32_t endpoint_hash(const struct cls_hints *h, uint32_t e)
{
	return hash_of_endpoint(&h->endpoints[e].addr);
}

static uint32_t hint_hash(const struct cls_hints *h, uint32_t i)
{
	return hash_of_server(h->hints[i].endpoint, &h->hints[i].server);
}

/* Where the endpoint stands, or would. */
static uint32_t place_of_endpoint(const struct cls_hints *h, const struct dp_addr *addr)
{
	uint32_t place = hash_of_endpoint(addr) & h->by_endpoint.mask, id;

	while ((id = h->by_endpoint.ids[place]) != NONE &&
		dp_addr_cmp(&h->endpoints[id].addr, addr) != 0)
		place = (place + 1) & h->by_endpoint.mask;
	return place;
}

static uint32_t place_of_hint(
	const struct cls_hints *h, uint32_t endpoint, const struct dp_addr *server)
{
	uint32_t place = hash_of_server(endpoint, server) & h->by_server.mask, id;

	while ((id = h->by_server.ids[place]) != NONE &&
		(h->hints[id].endpoint != endpoint ||
			dp_addr_cmp(&h->hints[id].server, server) != 0))
		place = (place + 1) & h->by_server.mask;
	return place;
}

static uint32_t endpoint_of(const struct cls_hints *h, const struct dp_addr *addr)
{
	return h->by_endpoint.ids[place_of_endpoint(h, addr)];
}

static uint32_t hint_of(const struct cls_hints *h, uint32_t endpoint, const struct dp_addr *server)
{
	return endpoint == NONE ? NONE : h->by_server.ids[place_of_hint(h, endpoint, server)];
}

/* What stands behind a gap moves into it, unless it stands where its hash leads, or behind that. */
static void close_gap(const struct cls_hints *h, struct places *p, uint32_t gap,
	uint32_t (*hash_of)(const struct cls_hints *h, uint32_t id))
{
	for (uint32_t place = (gap + 1) & p->mask; p->ids[place] != NONE;
		place = (place + 1) & p->mask) {
		const uint32_t home = hash_of(h, p->ids[place]);

		if (((place - home) & p->mask) < ((place - gap) & p->mask))
			continue;
		p->ids[gap] = p->ids[place];
		gap = place;
	}
	p->ids[gap] = NONE;
}

/* --- by end: all in a heap, those of an endpoint in a list -------------------------------------- */

static uint32_t end_of(const struct cls_hints *h, uint32_t i)
{
	return h->heap[h->hints[i].at].second;
}

static void heap_set(struct cls_hints *h, uint32_t at, struct end end)
{
	h->heap[at] = end;
	h->hints[end.hint].at = at;
}

/* Put end where it belongs, from a place on whose content is not needed. */
static void heap_settle(struct cls_hints *h, uint32_t at, struct end end)
{
	while (at > 0 && h->heap[(at - 1) / 2].second > end.second) {
		heap_set(h, at, h->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < h->counts.held && h->heap[child + 1].second < h->heap[child].second)
			child++;
		if (child >= h->counts.held || h->heap[child].second >= end.second)
			break;
		heap_set(h, at, h->heap[child]);
		at = child;
	}
	heap_set(h, at, end);
}

/* Into the list of its endpoint, behind those that do not end later: most end last. */
static void link_hint(struct cls_hints *h, uint32_t i)
{
	struct hint *hint = &h->hints[i];
	struct endpoint *e = &h->endpoints[hint->endpoint];
	const uint32_t end = end_of(h, i);

	hint->next = NONE;
	hint->prev = e->last;
	while (hint->prev != NONE && end_of(h, hint->prev) > end) {
		hint->next = hint->prev;
		hint->prev = h->hints[hint->prev].prev;
	}
	*(hint->prev != NONE ? &h->hints[hint->prev].next : &e->first) = i;
	*(hint->next != NONE ? &h->hints[hint->next].prev : &e->last) = i;
}

static void unlink_hint(struct cls_hints *h, uint32_t i)
{
	const struct hint *hint = &h->hints[i];
	struct endpoint *e = &h->endpoints[hint->endpoint];

	*(hint->prev != NONE ? &h->hints[hint->prev].next : &e->first) = hint->next;
	*(hint->next != NONE ? &h->hints[hint->next].prev : &e->last) = hint->prev;
}

/* --- coming and going ------------------------------------------------------------------------- */

static void remove_endpoint(struct cls_hints *h, uint32_t e)
{
	close_gap(h, &h->by_endpoint, place_of_endpoint(h, &h->endpoints[e].addr), endpoint_hash);
	h->endpoints[e].first = h->free_endpoint;
	h->free_endpoint = e;
}

static void remove_hint(struct cls_hints *h, uint32_t i)
{
	struct hint *hint = &h->hints[i];
	const struct end last = h->heap[h->counts.held - 1];

	close_gap(h, &h->by_server, place_of_hint(h, hint->endpoint, &hint->server), hint_hash);
	unlink_hint(h, i);
	h->counts.held--;
	if (last.hint != i)
		heap_settle(h, hint->at, last);
	cls_hint_name_put(&h->names, hint->name);
	if (--h->endpoints[hint->endpoint].n_hints == 0)
		remove_endpoint(h, hint->endpoint);
	hint->next = h->free_hint;
	h->free_hint = i;
}

/* There is no room: the hint goes, whether it still held is counted. */
static void forget(struct cls_hints *h, uint32_t i, uint32_t now_s)
{
	if (end_of(h, i) >= now_s)
		h->counts.forgotten++;
	remove_hint(h, i);
}

/* All hints of the endpoint whose hint ends first. */
static void forget_endpoint(struct cls_hints *h, uint32_t now_s)
{
	const uint32_t e = h->hints[h->heap[0].hint].endpoint;

	for (uint32_t n = h->endpoints[e].n_hints; n > 0; n--)
		forget(h, h->endpoints[e].first, now_s);
}

static uint32_t take(uint32_t *free_list, uint32_t next, uint32_t *n_touched, uint32_t capacity)
{
	const uint32_t id = *free_list;

	if (id != NONE)
		*free_list = next;
	else if (*n_touched < capacity)
		return ++*n_touched;
	return id;
}

/* The endpoint, there or anew, with room for one more hint. */
static uint32_t open_endpoint(struct cls_hints *h, const struct dp_addr *addr, uint32_t now_s)
{
	uint32_t e = endpoint_of(h, addr);

	if (e != NONE && h->endpoints[e].n_hints == CLS_HINTS_PER_ENDPOINT)
		remove_hint(h, h->endpoints[e].first);
	else if (h->counts.held == h->n_hints)
		forget(h, h->heap[0].hint, now_s);
	e = endpoint_of(h, addr); // may have been forgotten
	if (e != NONE)
		return e;
	if (h->free_endpoint == NONE && h->n_endpoints_touched == h->n_endpoints)
		forget_endpoint(h, now_s);
	e = take(&h->free_endpoint, h->endpoints[h->free_endpoint].first, &h->n_endpoints_touched,
		h->n_endpoints);
	h->endpoints[e] = (struct endpoint){.addr = *addr};
	h->by_endpoint.ids[place_of_endpoint(h, addr)] = e;
	return e;
}

static void add(struct cls_hints *h, uint32_t e, const struct dp_addr *server, uint32_t name,
	uint32_t end_s)
{
	const uint32_t i = take(
		&h->free_hint, h->hints[h->free_hint].next, &h->n_hints_touched, h->n_hints);

	h->hints[i] = (struct hint){.server = *server, .endpoint = e, .name = name};
	h->by_server.ids[place_of_hint(h, e, server)] = i;
	h->counts.held++;
	heap_settle(h, h->counts.held - 1, (struct end){.second = end_s, .hint = i});
	h->endpoints[e].n_hints++;
	link_hint(h, i);
}

static void change(struct cls_hints *h, uint32_t i, uint32_t name, uint32_t end_s)
{
	cls_hint_name_put(&h->names, h->hints[i].name);
	h->hints[i].name = name;
	unlink_hint(h, i);
	heap_settle(h, h->hints[i].at, (struct end){.second = end_s, .hint = i});
	link_hint(h, i);
}

/* A reference; for want of room those that end first go. */
static uint32_t take_name(struct cls_hints *h, const char *host, uint32_t now_s)
{
	uint32_t name = cls_hint_name_get(&h->names, host);

	for (int n = 0; n < NAME_TRIES && name == CLS_HINT_NAME_NONE && h->counts.held > 0; n++) {
		forget(h, h->heap[0].hint, now_s);
		name = cls_hint_name_get(&h->names, host);
	}
	return name;
}

static uint32_t seconds_of(uint64_t ns)
{
	const uint64_t s = ns / 1000000000;

	return s < SECONDS_MAX ? (uint32_t)s : SECONDS_MAX;
}

static uint32_t life_of(uint32_t ttl_s)
{
	if (ttl_s < CLS_HINT_MIN_S)
		return CLS_HINT_MIN_S;
	return ttl_s < CLS_HINT_MAX_S ? ttl_s : CLS_HINT_MAX_S;
}

void cls_hints_put(struct cls_hints *h, const struct dp_addr *endpoint,
	const struct dp_addr *server, const char *host, uint32_t ttl_s, uint64_t now_ns)
{
	const uint32_t now_s = seconds_of(now_ns), end_s = now_s + life_of(ttl_s);
	uint32_t name, i;

	h->counts.put++;
	for (int n = 0; n < ENDED_PER_PUT && h->counts.held > 0 && h->heap[0].second < now_s; n++)
		remove_hint(h, h->heap[0].hint);
	name = take_name(h, host, now_s);
	i = hint_of(h, endpoint_of(h, endpoint), server);
	if (name == CLS_HINT_NAME_NONE) {
		h->counts.forgotten++;
		if (i != NONE)
			remove_hint(h, i); // it is not called that any more
	} else if (i != NONE) {
		change(h, i, name, end_s);
	} else {
		add(h, open_endpoint(h, endpoint, now_s), server, name, end_s);
	}
}

const char *cls_hints_get(const struct cls_hints *h, const struct dp_addr *endpoint,
	const struct dp_addr *server, uint64_t now_ns)
{
	const uint32_t i = hint_of(h, endpoint_of(h, endpoint), server);

	if (i == NONE || end_of(h, i) < seconds_of(now_ns))
		return NULL;
	cls_hint_name_read(&h->names, h->hints[i].name, h->host);
	return h->host;
}

const struct cls_hints_counts *cls_hints_counts(const struct cls_hints *h)
{
	return &h->counts;
}

/* --- memory ---------------------------------------------------------------------------------- */

static uint32_t n_endpoints_of(uint32_t n)
{
	return n / 4 + ENDPOINTS_MIN;
}

static uint32_t n_cells_of(uint32_t n)
{
	return n / 2 + NAME_CELLS_MIN;
}

/* At most two thirds are used. */
static uint32_t n_places_of(uint32_t n)
{
	uint32_t n_places = 16;

	while (n_places < n + n / 2)
		n_places *= 2;
	return n_places;
}

size_t cls_hints_bytes(uint32_t n)
{
	const size_t n_endpoints = n_endpoints_of(n);

	return sizeof(struct cls_hints) + DP_HOST_MAX + (n + (size_t)1) * sizeof(struct hint) +
		n * sizeof(struct end) + n_places_of(n) * sizeof(uint32_t) +
		(n_endpoints + 1) * sizeof(struct endpoint) +
		n_places_of((uint32_t)n_endpoints) * sizeof(uint32_t) +
		cls_hint_names_bytes(n_cells_of(n));
}

static bool places_init(struct places *p, uint32_t n)
{
	p->mask = n_places_of(n) - 1;
	p->ids = calloc((size_t)p->mask + 1, sizeof(*p->ids));
	return p->ids != NULL;
}

struct cls_hints *cls_hints_new(uint32_t n)
{
	struct cls_hints *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->n_hints = n;
	h->n_endpoints = n_endpoints_of(n);
	h->host = calloc(1, DP_HOST_MAX);
	h->hints = calloc((size_t)n + 1, sizeof(*h->hints));
	h->heap = calloc(n, sizeof(*h->heap));
	h->endpoints = calloc((size_t)h->n_endpoints + 1, sizeof(*h->endpoints));
	if (h->host == NULL || h->hints == NULL || h->heap == NULL || h->endpoints == NULL ||
		!places_init(&h->by_server, n) || !places_init(&h->by_endpoint, h->n_endpoints) ||
		cls_hint_names_init(&h->names, n_cells_of(n)) < 0) {
		cls_hints_free(h);
		return NULL;
	}
	return h;
}

void cls_hints_free(struct cls_hints *h)
{
	if (h == NULL)
		return;
	cls_hint_names_fini(&h->names);
	free(h->by_server.ids);
	free(h->by_endpoint.ids);
	free(h->endpoints);
	free(h->heap);
	free(h->hints);
	free(h->host);
	free(h);
}
