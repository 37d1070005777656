// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The order of many things by keys of 64-bit words: a radix sort, whose time per entry does not grow
 * with their number as that of comparisons does. Instead of the things, which are long, entries that
 * name them are sorted. */

#include <stddef.h>
#include <stdint.h>

struct ctl_order {
	uint64_t words[4]; // the key, most significant word first, then what it is the key of
};

/* Sort entries[0..n) by their first n_words; those with the same key keep their order. spare: n entries
 * of memory to work in. Returns entries or spare: where the sorted ones are. */
struct ctl_order *ctl_order_sort(
	struct ctl_order *entries, struct ctl_order *spare, size_t n, unsigned int n_words);
