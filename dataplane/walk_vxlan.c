// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk_step.h"

enum {
	HEADER_LEN = 8,
	HAS_NETWORK = 0x08, // the flag I
};

/* RFC 7348 5. What is reserved there has come into use (group policies) and may be anything. */
enum dp_step dp_step_vxlan(struct dp_walk *w)
{
	if (!dp_has(w, HEADER_LEN))
		return dp_refuse(w, DP_ENCAP_VXLAN, DP_REFUSAL_TRUNCATED);
	if ((*dp_at(w) & HAS_NETWORK) == 0)
		return dp_refuse(w, DP_ENCAP_VXLAN, DP_REFUSAL_MALFORMED);
	w->off += HEADER_LEN;
	dp_open(w, DP_ENCAP_VXLAN);
	return DP_STEP_ETHERNET;
}
