// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/ignore.h"

#include <assert.h>

void dp_ignore_vlan(struct dp_ignore *ignore, uint16_t vlan_id)
{
	assert(vlan_id < DP_VLAN_IDS);
	ignore->vlans[vlan_id / 64] |= UINT64_C(1) << vlan_id % 64;
	ignore->has_vlans = true;
}

bool dp_ignore_has_vlan(const struct dp_ignore *ignore, const struct dp_vlans *vlans)
{
	if (!ignore->has_vlans)
		return false;
	for (unsigned int i = 0; i < vlans->n; i++) {
		const uint16_t id = vlans->id[i];

		if ((ignore->vlans[id / 64] >> id % 64 & 1) != 0)
			return true;
	}
	return false;
}

bool dp_ignore_has_addr(
	const struct dp_ignore *ignore, const struct dp_addr *src, const struct dp_addr *dst)
{
	for (uint16_t i = 0; i < ignore->n_nets; i++) {
		if (dp_prefix_contains(&ignore->nets[i], src) ||
			dp_prefix_contains(&ignore->nets[i], dst))
			return true;
	}
	return false;
}
