// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What of a port's traffic is not ours: frames that match end as DP_OUTCOME_IGNORED. */

#include "dataplane/addr.h"
#include "dataplane/walk.h"

enum { DP_IGNORE_NETS_MAX = 64, DP_VLAN_IDS = 4096 };

/* Read-only after start. All zero: nothing is ignored. */
struct dp_ignore {
	uint64_t vlans[DP_VLAN_IDS / 64]; // bit per VLAN id
	struct dp_prefix nets[DP_IGNORE_NETS_MAX];
	uint16_t n_nets;
	bool has_vlans;
};

void dp_ignore_vlan(struct dp_ignore *ignore, uint16_t vlan_id);

/* Whether anything is listed. */
static inline bool dp_ignore_has_any(const struct dp_ignore *ignore)
{
	return ignore->has_vlans || ignore->n_nets > 0;
}

/* Whether one of a frame's VLAN ids is listed; also of a frame without an IP packet. Pure. */
static inline bool dp_ignore_has_vlan(const struct dp_ignore *ignore, const struct dp_vlans *vlans)
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

/* Whether one of the addresses lies in a listed prefix. (Those of a fragment that waits are asked about
 * once it is known whom it is credited to.) Pure. */
static inline bool dp_ignore_has_addr(
	const struct dp_ignore *ignore, const struct dp_addr *src, const struct dp_addr *dst)
{
	for (uint16_t i = 0; i < ignore->n_nets; i++) {
		if (dp_prefix_contains(&ignore->nets[i], src) ||
			dp_prefix_contains(&ignore->nets[i], dst))
			return true;
	}
	return false;
}
