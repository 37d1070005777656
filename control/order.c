// SPDX-License-Identifier: BSD-3-Clause
#include "control/order.h"

enum { DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS, WORD_BITS = 64 };

static unsigned int digit(const struct ctl_order *entry, unsigned int word, unsigned int shift)
{
	return (unsigned int)(entry->words[word] >> shift) & (DIGITS - 1);
}

/* Copy to `to`, by one digit. */
static void deal(const struct ctl_order *from, size_t n, unsigned int word, unsigned int shift,
	struct ctl_order *to)
{
	size_t places[DIGITS] = {0}, next = 0;

	for (size_t i = 0; i < n; i++)
		places[digit(&from[i], word, shift)]++;
	for (unsigned int d = 0; d < DIGITS; d++) {
		const size_t n_of_digit = places[d];

		places[d] = next;
		next += n_of_digit;
	}
	for (size_t i = 0; i < n; i++)
		to[places[digit(&from[i], word, shift)]++] = from[i];
}

/* The bits of the word that are not the same in all. */
static uint64_t bits_in_question(const struct ctl_order *entries, size_t n, unsigned int word)
{
	uint64_t bits = 0;

	for (size_t i = 1; i < n; i++)
		bits |= entries[i].words[word] ^ entries[0].words[word];
	return bits;
}

struct ctl_order *ctl_order_sort(
	struct ctl_order *entries, struct ctl_order *spare, size_t n, unsigned int n_words)
{
	// Least significant digit first. Of an address most digits are the same in all entries.
	for (unsigned int word = n_words; word-- > 0;) {
		const uint64_t bits = bits_in_question(entries, n, word);

		for (unsigned int shift = 0; shift < WORD_BITS; shift += DIGIT_BITS) {
			struct ctl_order *const sorted = spare;

			if ((bits >> shift & (DIGITS - 1)) == 0)
				continue;
			deal(entries, n, word, shift, sorted);
			spare = entries;
			entries = sorted;
		}
	}
	return entries;
}
