// SPDX-License-Identifier: BSD-3-Clause
#include "tests/bench/catalogue_made.h"

#include <stdio.h>
#include <string.h>

/* --- chance ----------------------------------------------------------------------------------- */

static uint64_t state;

static uint32_t chance(uint32_t n)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((state >> 33) * n >> 31);
}

static void chance_begin(uint64_t seed)
{
	state = seed * 0x9e3779b97f4a7c15ULL;
	(void)chance(1);
}

/* The first ones more often. */
static const char *one_of(const char *const *list, uint32_t n)
{
	return list[chance(1 + chance(n))];
}

/* --- names ------------------------------------------------------------------------------------ */

size_t bench_host(char buf[BENCH_HOST_MAX], uint64_t i)
{
	static const char *const ends[] = {"com", "net", "org", "de", "co.uk", "io", "ru", "fr",
		"com.br", "info", "it", "nl", "co.jp", "online", "shop", "app"};
	static const char *const words[] = {"media", "shop", "tele", "star", "cloud", "play",
		"news", "film", "bank", "travel", "sport", "maps", "web", "data", "smart", "book"};
	static const char *const fronts[] = {
		"cdn", "api", "static", "img", "video", "login", "eu-west-1", "edge-cache"};
	size_t len = 0;

	chance_begin(i + 1);
	for (uint32_t n = chance(20); n < 5; n += 4) // 0: two, 1 to 4: one
		len += (size_t)snprintf(buf + len, BENCH_HOST_MAX - len, "%s.", one_of(fronts, 8));
	len += (size_t)snprintf(buf + len, BENCH_HOST_MAX - len, "%s", one_of(words, 16));
	for (uint64_t rest = i; rest > 0; rest /= 26)
		buf[len++] = (char)('a' + rest % 26);
	return len + (size_t)snprintf(buf + len, BENCH_HOST_MAX - len, ".%s", one_of(ends, 16));
}

/* What stands in front of a host in a name. */
static size_t put_front(char *buf, enum bench_kind kind)
{
	static const char *const usual[] = {"www", "api", "m", "cdn", "static", "i", "graph"};
	size_t len = 0;

	if (kind == BENCH_DEEP) { // as made by generators of names, and by who wants us to search
		for (uint32_t n = 6 + chance(11); n > 0; n--)
			len += (size_t)sprintf(buf + len, "%s%u.", one_of(usual, 7), chance(10000));
		return len;
	}
	switch (chance(4)) {
	case 0:
		return 0;
	case 1: // of delivery networks
		return (size_t)sprintf(buf, "rr%u---sn-4g5e%04x.", 1 + chance(8), chance(0x10000));
	default:
		return (size_t)sprintf(buf, "%s.", one_of(usual, 7));
	}
}

size_t bench_name(char buf[BENCH_NAME_MAX], enum bench_kind kind, uint64_t i, uint32_t n)
{
	const uint64_t seed = i * BENCH_KIND_COUNT + kind;
	char host[BENCH_HOST_MAX];

	chance_begin(~seed);
	if (kind == BENCH_MIXED) {
		const uint32_t of_100 = chance(100);

		kind = of_100 < 55 ? BENCH_HIT : of_100 < 90 ? BENCH_MISS : BENCH_DEEP;
	}

	const bool is_known = kind == BENCH_HIT || (kind == BENCH_DEEP && chance(2) == 0);
	const uint64_t number = chance(n) + (is_known ? 0 : n);
	const size_t len = put_front(buf, kind);
	const size_t host_len = bench_host(host, number);

	memcpy(buf + len, host, host_len);
	return len + host_len;
}

/* --- networks --------------------------------------------------------------------------------- */

struct dp_prefix bench_net(uint32_t i)
{
	const bool is_inside = i % 8 == 7;
	const uint32_t n = is_inside ? i - 1 : i;
	struct dp_prefix p = {.addr.b = {0x20, 0x01}, .len = is_inside ? 56 : 48};

	if (n / 8 % 4 == 3) {
		for (unsigned int b = 0; b < 4; b++)
			p.addr.b[2 + b] = (uint8_t)(n * UINT32_C(0x9e3779b1) >> (24 - 8 * b));
		return p;
	}

	const uint32_t number = n * UINT32_C(0x9e3779b1) << 8; // odd, so no two are the same
	const uint8_t be[4] = {
		(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8)};

	return (struct dp_prefix){dp_addr_from_v4(be), is_inside ? 96 + 28 : 96 + 24};
}

struct dp_addr bench_addr(uint32_t i, uint32_t n)
{
	struct dp_addr a;

	chance_begin(i);
	a = bench_net(chance(n)).addr;
	if (chance(2) == 0)
		a.b[dp_addr_is_v4(&a) ? 12 : 2] ^= (uint8_t)(1 + chance(255));
	a.b[15] = (uint8_t)chance(256);
	return a;
}
