// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/pcapng.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *pass(const uint8_t *data, size_t size, size_t piece)
{
	uint8_t *out = malloc(size + 1);
	struct dp_pcapng w = {0};

	if (out == NULL)
		abort();
	memcpy(out, data, size);
	for (size_t off = 0; off < size; off += piece)
		dp_pcapng_pass(&w, out + off, size - off < piece ? size - off : piece);
	return out;
}

/* Any bytes in any pieces give the same bytes, a plain pcap file its own, and what was passed once
 * passes unchanged. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *whole = pass(data, size, size + 1);
	uint8_t *single = pass(data, size, 1);
	uint8_t *again = pass(whole, size, 7);

	if (memcmp(whole, single, size) != 0 || memcmp(whole, again, size) != 0)
		abort();
	if ((size < 4 || memcmp(data, "\x0a\x0d\x0d\x0a", 4) != 0) &&
		memcmp(whole, data, size) != 0)
		abort();
	free(whole);
	free(single);
	free(again);
	return 0;
}
