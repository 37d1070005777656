// SPDX-License-Identifier: BSD-3-Clause
#include "control/sample_packet.h"

#include "dataplane/sampler.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_true)
{
	if (!is_true)
		abort();
}

/* The address of the endpoint, as the header has it, must be gone. */
static void check_header(const uint8_t *was, const uint8_t *is, bool is_up)
{
	const bool is_v4 = was[0] >> 4 == 4;
	const size_t at = is_v4 ? 12 + (is_up ? 0 : 4) : 8 + (is_up ? 0 : 16);
	const size_t other = is_v4 ? 12 + (is_up ? 4 : 0) : 8 + (is_up ? 16 : 0),
		     n = is_v4 ? 4 : 16;

	check(is[0] == was[0]);
	check(memcmp(is + other, was + other, n) == 0);
	if (is_v4)
		check(is[at] == 240);
	else // or ::ffff:240.0.0.0/104
		check((is[at] == 0x3f && is[at + 1] == 0xff) ||
			(is[at + 11] == 0xff && is[at + 12] == 240));
}

/* Byte 0: who sent the first packet and how the lengths of the two are dealt out. Then two packets of one flow, each
 * in a block of its own. Nothing is read or written beyond it, what may be written is no longer than what was there,
 * and of a flow of text no payload follows. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct dp_addr endpoint = {.b = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 7}};
	struct ctl_sample_addrs *addrs;
	struct ctl_sample_keep keep = {0};

	if (size < 1 || size > 2 * DP_SAMPLE_SNAP_MAX)
		return -1;
	addrs = ctl_sample_addrs_new();

	const size_t first = (size - 1) * (data[0] | 1) / 256;
	const size_t lens[2] = {first, size - 1 - first};
	const uint8_t *p = data + 1;

	for (int i = 0; i < 2; p += lens[i++]) {
		const bool is_up = ((data[0] & 1) != 0) == (i == 0);
		uint8_t *copy = malloc(lens[i] > 0 ? lens[i] : 1);
		size_t n;

		check(copy != NULL);
		memcpy(copy, p, lens[i]);
		n = ctl_sample_packet(
			&keep, addrs, &endpoint, is_up, copy, lens[i], (uint32_t)lens[i] + data[0]);
		check(n <= lens[i]);
		if (n > 0)
			check_header(p, copy, is_up);
		check(!keep.is_text || ctl_sample_keep(&keep, copy, lens[i], is_up) == 0 ||
			lens[i] == 0);
		free(copy);
	}
	ctl_sample_addrs_free(addrs);
	return 0;
}
