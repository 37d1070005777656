// SPDX-License-Identifier: BSD-3-Clause
#include "control/evidence.h"

#include <assert.h>
#include <string.h>

static const struct {
	const char *name;
	int weight; // percent, start values
} kinds[] = {
	[DP_EVIDENCE_NONE] = {"none", 0},
	[DP_EVIDENCE_SNI] = {"sni", 95},
	[DP_EVIDENCE_QUIC] = {"quic", 95},
	[DP_EVIDENCE_HTTP] = {"http", 95},
	[DP_EVIDENCE_CERT] = {"cert", 85},
	[DP_EVIDENCE_DNS] = {"dns", 75}, // a shared address may serve another name as well
	[DP_EVIDENCE_PAYLOAD] = {"payload", 80},
	[DP_EVIDENCE_ADDRESS] = {"address", 40},
	[DP_EVIDENCE_PORT] = {"port", 30},
};
static_assert(sizeof(kinds) / sizeof(kinds[0]) == DP_EVIDENCE_COUNT);

const char *ctl_evidence_name(enum dp_evidence evidence)
{
	return kinds[evidence].name;
}

bool ctl_evidence_of_name(const char *name, enum dp_evidence *ret_evidence)
{
	for (int i = 0; i < DP_EVIDENCE_COUNT; i++) {
		if (strcmp(kinds[i].name, name) != 0)
			continue;
		*ret_evidence = (enum dp_evidence)i;
		return true;
	}
	return false;
}

void ctl_evidence_add(struct ctl_evidence *sum, const struct ctl_evidence *other)
{
	for (int i = 0; i < DP_EVIDENCE_COUNT; i++)
		sum->bytes[i] += other->bytes[i];
}

uint64_t ctl_evidence_bytes(const struct ctl_evidence *evidence)
{
	uint64_t n_bytes = 0;

	for (int i = 0; i < DP_EVIDENCE_COUNT; i++)
		n_bytes += evidence->bytes[i];
	return n_bytes;
}

bool ctl_evidence_has_strong(const struct ctl_evidence *evidence)
{
	for (int i = 0; i < DP_EVIDENCE_COUNT; i++)
		if (evidence->bytes[i] > 0 && ctl_evidence_is_strong((enum dp_evidence)i))
			return true;
	return false;
}

int ctl_evidence_weight(enum dp_evidence evidence)
{
	return kinds[evidence].weight;
}

int ctl_evidence_confidence(const struct ctl_evidence *evidence)
{
	const uint64_t n_bytes = ctl_evidence_bytes(evidence);
	unsigned __int128 sum = 0;

	if (n_bytes == 0)
		return 0;
	for (int i = 0; i < DP_EVIDENCE_COUNT; i++)
		sum += (unsigned __int128)evidence->bytes[i] * (unsigned)kinds[i].weight;
	return (int)(sum / n_bytes);
}

json_t *ctl_evidence_json(const struct ctl_evidence *evidence)
{
	json_t *names = json_array();

	for (int i = DP_EVIDENCE_SNI; i < DP_EVIDENCE_COUNT; i++)
		if (evidence->bytes[i] > 0)
			json_array_append_new(names, json_string(kinds[i].name));
	return names;
}
