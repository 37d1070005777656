// SPDX-License-Identifier: BSD-3-Clause
#include "control/distinct.h"

#include "control/mix.h"

#include <glib.h>
#include <math.h>

enum {
	INDEX_BITS = 10,
	FIRST_SIZE = 4,
};
static_assert(1 << INDEX_BITS == CTL_DISTINCT_REGISTERS);

/* Who could choose addresses that collide would only hide how many he has. */
static uint64_t hash_of(const struct dp_addr *addr)
{
	return ctl_mix(ctl_mix(dp_addr_half(addr, 0)) ^ dp_addr_half(addr, 1));
}

/* The first bits say which register; it keeps the longest run of zeros that was seen in what follows. */
static void note(uint8_t *registers, uint64_t hash)
{
	const uint64_t rest = hash << INDEX_BITS | 1ULL << (INDEX_BITS - 1); // never 0
	uint8_t *r = &registers[hash >> (64 - INDEX_BITS)];

	*r = (uint8_t)MAX(*r, __builtin_clzll(rest) + 1);
}

static void to_estimate(struct ctl_distinct *d)
{
	uint8_t *registers = g_malloc0(CTL_DISTINCT_REGISTERS);

	for (uint16_t i = 0; i < d->n; i++)
		note(registers, d->hashes[i]);
	g_free(d->hashes);
	*d = (struct ctl_distinct){.registers = registers, .is_estimate = true};
}

static void add_hash(struct ctl_distinct *d, uint64_t hash)
{
	if (d->is_estimate) {
		note(d->registers, hash);
		return;
	}
	for (uint16_t i = 0; i < d->n; i++) {
		if (d->hashes[i] == hash)
			return;
	}
	if (d->n == CTL_DISTINCT_EXACT) {
		to_estimate(d);
		note(d->registers, hash);
		return;
	}
	if (d->n == d->size) {
		d->size = d->size == 0 ? FIRST_SIZE : 2 * d->size;
		d->hashes = g_renew(uint64_t, d->hashes, d->size);
	}
	d->hashes[d->n++] = hash;
}

void ctl_distinct_add(struct ctl_distinct *d, const struct dp_addr *addr)
{
	add_hash(d, hash_of(addr));
}

void ctl_distinct_merge(struct ctl_distinct *d, const struct ctl_distinct *other)
{
	if (!other->is_estimate) {
		for (uint16_t i = 0; i < other->n; i++)
			add_hash(d, other->hashes[i]);
		return;
	}
	if (!d->is_estimate)
		to_estimate(d);
	for (int i = 0; i < CTL_DISTINCT_REGISTERS; i++)
		d->registers[i] = MAX(d->registers[i], other->registers[i]);
}

/* Flajolet et al. 2007, figure 3; hashes of 64 bits need no correction for large numbers. */
static double estimate(const uint8_t *registers)
{
	const double m = CTL_DISTINCT_REGISTERS, alpha = 0.7213 / (1 + 1.079 / m);
	int n_zeros = 0;
	double sum = 0;

	for (int i = 0; i < CTL_DISTINCT_REGISTERS; i++) {
		n_zeros += registers[i] == 0;
		sum += ldexp(1, -registers[i]);
	}

	const double e = alpha * m * m / sum;

	return e <= 2.5 * m && n_zeros > 0 ? m * log(m / n_zeros) : e;
}

uint64_t ctl_distinct_count(const struct ctl_distinct *d)
{
	return d->is_estimate ? (uint64_t)llround(estimate(d->registers)) : d->n;
}

void ctl_distinct_clear(struct ctl_distinct *d)
{
	if (d->is_estimate)
		g_free(d->registers);
	else
		g_free(d->hashes);
	*d = (struct ctl_distinct){0};
}
