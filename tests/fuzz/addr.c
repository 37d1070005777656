// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/addr.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any text: what is accepted as a prefix prints and reads back as the same prefix. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1); // exact: a read past the NUL is seen
	char buf[DP_ADDR_STRLEN];
	struct dp_prefix p;
	struct dp_addr again;

	if (text == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (dp_prefix_parse(text, &p) == 0) {
		if (p.len > 128 || !dp_prefix_contains(&p, &p.addr))
			abort();
		if (dp_addr_parse(dp_addr_format(&p.addr, buf), &again) != 0)
			abort();
		if (dp_addr_cmp(&p.addr, &again) != 0)
			abort();
	}
	free(text);
	return 0;
}
