// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk_step.h"

enum {
	// RFC 2661 3.1
	CONTROL = 0x8000,
	LENGTH = 0x4000,
	SEQUENCE = 0x0800,
	OFFSET = 0x0200,
	VERSION = 0x000f,
	FLAGS_LEN = 2,
	IDS_LEN = 4, // tunnel and session
};

/* The message ends where its own length says, which counts from its first byte: RFC 2661 3.1. */
static bool limit_by_length(struct dp_walk *w)
{
	return dp_limit(w, dp_be16(dp_at(w) + FLAGS_LEN));
}

static enum dp_step data_message(struct dp_walk *w, uint16_t flags)
{
	const uint32_t ids_off = FLAGS_LEN + ((flags & LENGTH) != 0 ? 2 : 0);
	const uint32_t offset_off = ids_off + IDS_LEN + ((flags & SEQUENCE) != 0 ? 4 : 0);
	uint32_t len = offset_off + ((flags & OFFSET) != 0 ? 2 : 0);

	if (!dp_has(w, len))
		return dp_refuse(w, DP_ENCAP_L2TP, DP_REFUSAL_TRUNCATED);
	if ((flags & LENGTH) != 0 && !limit_by_length(w))
		return dp_refuse(w, DP_ENCAP_L2TP, DP_REFUSAL_MALFORMED);
	if ((flags & OFFSET) != 0)
		len += dp_be16(dp_frame_at(w, w->off + offset_off)); // of padding
	if (!dp_has(w, len))
		return dp_refuse(w, DP_ENCAP_L2TP, DP_REFUSAL_TRUNCATED);
	w->off += len;
	dp_open(w, DP_ENCAP_L2TP);
	return DP_STEP_PPP;
}

/* RFC 2661 3.1. Version 3 (RFC 3931) does not say in its packets how long its header is. */
enum dp_step dp_step_l2tp(struct dp_walk *w)
{
	if (!dp_has(w, FLAGS_LEN))
		return dp_refuse(w, DP_ENCAP_L2TP, DP_REFUSAL_TRUNCATED);

	const uint16_t flags = dp_be16(dp_at(w));
	const uint16_t version = flags & VERSION;

	if ((flags & CONTROL) != 0 && (version == 2 || version == 3))
		return dp_refuse(w, DP_ENCAP_L2TP, DP_REFUSAL_NOT_USER_DATA);
	if (version != 2)
		return dp_refuse(w, DP_ENCAP_L2TP, DP_REFUSAL_UNSUPPORTED);
	return data_message(w, flags);
}
