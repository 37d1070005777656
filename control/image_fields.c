// SPDX-License-Identifier: BSD-3-Clause
#include "control/image_fields.h"

#include "control/cycle.h"
#include "control/intern.h"

#include <math.h>
#include <string.h>

size_t ctl_unpack_count(struct ctl_unpack *unpack, size_t bytes_each)
{
	const uint64_t n = ctl_unpack_u64(unpack);

	if (n <= (size_t)(unpack->end - unpack->at) / bytes_each)
		return (size_t)n;
	ctl_unpack_spoil(unpack);
	return 0;
}

/* Lowest bit: whether nanoseconds follow. */
void ctl_pack_seconds(struct ctl_pack *pack, uint64_t ns)
{
	const uint64_t rest_ns = ns % CTL_SECOND_NS;

	ctl_pack_u64(pack, ns / CTL_SECOND_NS << 1 | (rest_ns != 0));
	if (rest_ns != 0)
		ctl_pack_u64(pack, rest_ns);
}

uint64_t ctl_unpack_seconds(struct ctl_unpack *unpack)
{
	const uint64_t head = ctl_unpack_max(unpack, UINT64_MAX / CTL_SECOND_NS << 1 | 1);
	const uint64_t whole_ns = (head >> 1) * CTL_SECOND_NS;
	const uint64_t rest_ns = (head & 1) == 0 ? 0 : ctl_unpack_max(unpack, CTL_SECOND_NS - 1);

	if (rest_ns <= UINT64_MAX - whole_ns)
		return whole_ns + rest_ns;
	ctl_unpack_spoil(unpack);
	return 0;
}

void ctl_pack_span(struct ctl_pack *pack, uint64_t begin_ns, uint64_t end_ns)
{
	ctl_pack_u64(pack, begin_ns);
	ctl_pack_u64(pack, end_ns > begin_ns ? end_ns - begin_ns : 0);
}

void ctl_unpack_span(struct ctl_unpack *unpack, uint64_t *ret_begin_ns, uint64_t *ret_end_ns)
{
	*ret_begin_ns = ctl_unpack_u64(unpack);
	*ret_end_ns = *ret_begin_ns + ctl_unpack_max(unpack, UINT64_MAX - *ret_begin_ns);
}

/* Which kinds have bytes, then the bytes of each. */
void ctl_pack_evidence(struct ctl_pack *pack, const struct ctl_evidence *evidence)
{
	uint64_t kinds = 0;

	for (unsigned i = 0; i < DP_EVIDENCE_COUNT; i++)
		kinds |= (uint64_t)(evidence->bytes[i] != 0) << i;
	ctl_pack_u64(pack, kinds);
	for (unsigned i = 0; i < DP_EVIDENCE_COUNT; i++)
		if (evidence->bytes[i] != 0)
			ctl_pack_u64(pack, evidence->bytes[i]);
}

struct ctl_evidence ctl_unpack_evidence(struct ctl_unpack *unpack)
{
	const uint64_t kinds = ctl_unpack_max(unpack, (UINT64_C(1) << DP_EVIDENCE_COUNT) - 1);
	struct ctl_evidence evidence = {0};

	for (unsigned i = 0; i < DP_EVIDENCE_COUNT; i++)
		if ((kinds >> i & 1) != 0)
			evidence.bytes[i] = ctl_unpack_u64(unpack);
	return evidence;
}

enum { SUM_SEEN, SUM_UNBOUND, SUM_OWN, SUM_UNCLASSIFIED, SUM_OPAQUE, SUM_LOST, SUM_COUNT };

/* Which are not 0, then each. */
void ctl_pack_sums(struct ctl_pack *pack, const struct ctl_sums *sums)
{
	const uint64_t values[] = {
		[SUM_SEEN] = sums->n_seen,
		[SUM_UNBOUND] = sums->n_unbound,
		[SUM_OWN] = sums->n_own,
		[SUM_UNCLASSIFIED] = sums->n_unclassified,
		[SUM_OPAQUE] = sums->n_opaque,
	};
	const bool has_lost = isfinite(sums->n_lost) && sums->n_lost != 0;
	uint64_t which = (uint64_t)has_lost << SUM_LOST;

	for (unsigned i = 0; i < SUM_LOST; i++)
		which |= (uint64_t)(values[i] != 0) << i;
	ctl_pack_u64(pack, which);
	for (unsigned i = 0; i < SUM_LOST; i++)
		if (values[i] != 0)
			ctl_pack_u64(pack, values[i]);
	if (has_lost)
		ctl_pack_f64(pack, sums->n_lost);
}

struct ctl_sums ctl_unpack_sums(struct ctl_unpack *unpack)
{
	const uint64_t which = ctl_unpack_max(unpack, (1U << SUM_COUNT) - 1);
	uint64_t values[SUM_LOST] = {0};

	for (unsigned i = 0; i < SUM_LOST; i++)
		if ((which >> i & 1) != 0)
			values[i] = ctl_unpack_u64(unpack);
	return (struct ctl_sums){
		.n_seen = values[SUM_SEEN],
		.n_unbound = values[SUM_UNBOUND],
		.n_own = values[SUM_OWN],
		.n_unclassified = values[SUM_UNCLASSIFIED],
		.n_opaque = values[SUM_OPAQUE],
		.n_lost = (which >> SUM_LOST & 1) != 0 ? ctl_unpack_f64(unpack) : 0,
	};
}

const char *ctl_unpack_id(struct ctl_unpack *unpack)
{
	char text[CTL_ID_BYTES_MAX + 1];
	size_t len;
	const uint8_t *data = ctl_unpack_bytes(unpack, &len);

	if (len == 0 || len > CTL_ID_BYTES_MAX || memchr(data, '\0', len) != NULL) {
		ctl_unpack_spoil(unpack);
		return NULL;
	}
	memcpy(text, data, len);
	text[len] = '\0';
	return ctl_intern(text);
}
