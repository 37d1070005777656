// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk_step.h"

static enum dp_step step_into(struct dp_walk *w, enum dp_encap tunnel)
{
	switch (tunnel) {
	case DP_ENCAP_GTPU:
		return dp_step_gtpu(w);
	case DP_ENCAP_VXLAN:
		return dp_step_vxlan(w);
	case DP_ENCAP_GENEVE:
		return dp_step_geneve(w);
	case DP_ENCAP_TEREDO:
		return dp_step_teredo(w);
	case DP_ENCAP_L2TP:
		return dp_step_l2tp(w);
	default:
		return DP_STEP_END;
	}
}

enum dp_step dp_step_udp(struct dp_walk *w)
{
	const uint8_t *p = dp_at(w);
	const uint32_t len = dp_be16(p + 4);
	const enum dp_encap tunnel = dp_tunnel_of(dp_be16(p), dp_be16(p + 2));

	if (tunnel == DP_ENCAP_COUNT)
		return DP_STEP_END;
	w->off += DP_UDP_LEN;
	// RFC 768. Segmentation offload leaves it 0: then what the IP header says holds.
	if (len != 0 && (len < DP_UDP_LEN || !dp_limit(w, len - DP_UDP_LEN)))
		return dp_refuse(w, tunnel, DP_REFUSAL_MALFORMED);
	return step_into(w, tunnel);
}
