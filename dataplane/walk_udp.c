// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk_step.h"

enum {
	UDP_HEADER_LEN = 8,
	L2TP_PORT = 1701, // RFC 2661 8.1
	GTPU_PORT = 2152, // 3GPP TS 29.281 4.4.2
	TEREDO_PORT = 3544, // RFC 4380 2.7
	VXLAN_PORT = 4789, // RFC 7348 5
	GENEVE_PORT = 6081, // RFC 8926 3.3
	VXLAN_LINUX_PORT =
		8472, // what Linux takes where nobody names one; OTV's, with the same header
};

typedef enum dp_step step_fn(struct dp_walk *w);

struct tunnel {
	step_fn *step;
	enum dp_encap encap;
};

/* Which tunnel the ports mean, or NULL. Where the source port is a hash of the flow inside (VXLAN,
 * GENEVE), only the destination says it. */
static const struct tunnel *tunnel_of(uint16_t sport, uint16_t dport)
{
	static const struct tunnel gtpu = {dp_step_gtpu, DP_ENCAP_GTPU},
				   vxlan = {dp_step_vxlan, DP_ENCAP_VXLAN},
				   geneve = {dp_step_geneve, DP_ENCAP_GENEVE},
				   teredo = {dp_step_teredo, DP_ENCAP_TEREDO},
				   l2tp = {dp_step_l2tp, DP_ENCAP_L2TP};

	switch (dport) {
	case GTPU_PORT:
		return &gtpu;
	case VXLAN_PORT:
	case VXLAN_LINUX_PORT:
		return &vxlan;
	case GENEVE_PORT:
		return &geneve;
	case TEREDO_PORT:
		return &teredo;
	case L2TP_PORT:
		return &l2tp;
	}
	switch (sport) {
	case GTPU_PORT:
		return &gtpu;
	case TEREDO_PORT:
		return &teredo;
	case L2TP_PORT:
		return &l2tp;
	}
	return NULL;
}

enum dp_step dp_step_udp(struct dp_walk *w)
{
	const uint8_t *p = dp_at(w);
	const uint32_t len = dp_be16(p + 4);
	const struct tunnel *t = tunnel_of(dp_be16(p), dp_be16(p + 2));

	if (t == NULL)
		return DP_STEP_END;
	w->off += UDP_HEADER_LEN;
	// RFC 768. Segmentation offload leaves it 0: then what the IP header says holds.
	if (len != 0 && (len < UDP_HEADER_LEN || !dp_limit(w, len - UDP_HEADER_LEN)))
		return dp_refuse(w, t->encap, DP_REFUSAL_MALFORMED);
	return t->step(w);
}
