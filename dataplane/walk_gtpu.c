// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk_step.h"

enum { EXT_MAX = 8 };

/* 3GPP TS 29.281 5.2: length in units of four bytes, the last byte names the next header. */
static enum dp_step skip_extensions(struct dp_walk *w, uint8_t next)
{
	DP_UNROLLED
	for (unsigned int n = 0; next != 0; n++) {
		if (n == EXT_MAX)
			return dp_refuse(w, DP_ENCAP_GTPU, DP_REFUSAL_TOO_DEEP);
		if (!dp_has(w, DP_GTPU_EXT_UNIT))
			return dp_refuse(w, DP_ENCAP_GTPU, DP_REFUSAL_TRUNCATED);

		const uint32_t len = (uint32_t)*dp_at(w) * DP_GTPU_EXT_UNIT;

		if (len == 0)
			return dp_refuse(w, DP_ENCAP_GTPU, DP_REFUSAL_MALFORMED);
		if (!dp_has(w, len))
			return dp_refuse(w, DP_ENCAP_GTPU, DP_REFUSAL_TRUNCATED);
		w->off += len;
		next = *dp_frame_at(w, w->off - 1);
	}
	dp_open(w, DP_ENCAP_GTPU);
	return DP_STEP_IP;
}

/* 3GPP TS 29.281 5.1. */
enum dp_step dp_step_gtpu(struct dp_walk *w)
{
	if (!dp_has(w, DP_GTPU_LEN))
		return dp_refuse(w, DP_ENCAP_GTPU, DP_REFUSAL_TRUNCATED);

	const uint8_t *p = dp_at(w);
	const uint8_t flags = p[0];
	const uint32_t len = dp_be16(p + 2);

	if ((flags & DP_GTPU_KIND) != DP_GTPU_KIND_1)
		return dp_refuse(w, DP_ENCAP_GTPU, DP_REFUSAL_UNSUPPORTED);
	if (p[1] != DP_GTPU_T_PDU)
		return dp_refuse(w, DP_ENCAP_GTPU, DP_REFUSAL_NOT_USER_DATA);
	w->off += DP_GTPU_LEN;
	if (!dp_limit(w, len))
		return dp_refuse(w, DP_ENCAP_GTPU, DP_REFUSAL_MALFORMED);
	if ((flags & DP_GTPU_FLAGS_OPTIONS) == 0)
		return skip_extensions(w, 0);
	if (!dp_has(w, DP_GTPU_OPTIONS_LEN))
		return dp_refuse(w, DP_ENCAP_GTPU, DP_REFUSAL_TRUNCATED);

	// The field counts only with E set.
	const uint8_t next = (flags & DP_GTPU_FLAG_EXT) != 0 ? dp_at(w)[3] : 0;

	w->off += DP_GTPU_OPTIONS_LEN;
	return skip_extensions(w, next);
}
