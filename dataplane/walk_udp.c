// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk_step.h"

enum {
	UDP_HEADER_LEN = 8,
	GTPU_PORT = 2152, // 3GPP TS 29.281 4.4.2
};

enum dp_step dp_step_udp(struct dp_walk *w)
{
	const uint16_t sport = dp_be16(dp_at(w)), dport = dp_be16(dp_at(w) + 2);

	if (sport == GTPU_PORT || dport == GTPU_PORT) {
		w->off += UDP_HEADER_LEN;
		return dp_step_gtpu(w);
	}
	return DP_STEP_END;
}
