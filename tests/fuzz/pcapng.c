// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/pcapng.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_true)
{
	if (!is_true)
		abort();
}

/* The bytes as they pass with `piece` at hand, or more where that is too little. *ret_walk is how it
 * ended. */
static uint8_t *pass(const uint8_t *data, size_t size, size_t piece, struct dp_pcapng *ret_walk)
{
	uint8_t *out = malloc(size + 1);

	check(out != NULL);
	memcpy(out, data, size);
	memset(ret_walk, 0, sizeof(*ret_walk));
	for (size_t off = 0, n = 0; off < size;) {
		n = n + piece < size - off ? n + piece : size - off;

		const size_t done = dp_pcapng_pass(ret_walk, out + off, n);

		check(done <= n && (done > 0 || n < DP_PCAPNG_HEAD_BYTES));
		check(ret_walk->n_links <= DP_PCAPNG_INTERFACES_MAX);
		if (done == 0 && n == size - off)
			break;
		off += done;
		n = done > 0 ? 0 : n;
	}
	return out;
}

/* Every interface that is remembered names the first one's link type. */
static void check_again(const struct dp_pcapng *again)
{
	for (uint32_t i = 0; i < again->n_links; i++)
		check(again->links[i] == again->link);
	check(again->n_links == DP_PCAPNG_INTERFACES_MAX || again->packet_link == again->link ||
		again->packet_link == 0);
}

/* Any bytes in any pieces give the same bytes and the same link types, a plain pcap file its own, and
 * what was passed once passes unchanged. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dp_pcapng walks[3];
	uint8_t *whole = pass(data, size, size + 1, &walks[0]);
	uint8_t *single = pass(data, size, 1, &walks[1]);
	uint8_t *again = pass(whole, size, 7, &walks[2]);

	check(memcmp(whole, single, size) == 0);
	check(memcmp(whole, again, size) == 0);
	check(memcmp(&walks[0], &walks[1], sizeof(walks[0])) == 0);
	check(walks[0].has_interface == walks[2].has_interface);
	check(walks[0].n_links == walks[2].n_links);
	check_again(&walks[2]);
	if (size < 4 || memcmp(data, "\x0a\x0d\x0d\x0a", 4) != 0)
		check(memcmp(whole, data, size) == 0);
	free(whole);
	free(single);
	free(again);
	return 0;
}
