// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/ignore.h"

#include <assert.h>

void dp_ignore_vlan(struct dp_ignore *ignore, uint16_t vlan_id)
{
	assert(vlan_id < DP_VLAN_IDS);
	ignore->vlans[vlan_id / 64] |= UINT64_C(1) << vlan_id % 64;
	ignore->has_vlans = true;
}
