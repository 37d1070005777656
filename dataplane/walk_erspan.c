// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk_step.h"

/* draft-foschiano-erspan-03. A mirror's copies of frames: type I has no header, type II one of 8
 * bytes, type III one of 12 and maybe 8 more. */
enum {
	TYPE2_LEN = 8,
	TYPE3_LEN = 12,
	SUBHEADER_LEN = 8,
	TYPE2_VERSION = 1,
	TYPE3_VERSION = 2,
	HAS_SUBHEADER = 0x01, // in a type III header's last byte
	FRAME_ETHERNET = 0, // its frame type, five bits in the byte before
	FRAME_IP = 2,
};

static enum dp_step type3(struct dp_walk *w)
{
	if (!dp_has(w, TYPE3_LEN))
		return dp_refuse(w, DP_ENCAP_ERSPAN, DP_REFUSAL_TRUNCATED);

	const uint8_t *p = dp_at(w);
	const uint8_t frame_type = p[10] >> 2 & 0x1f;
	const uint32_t len = TYPE3_LEN + ((p[11] & HAS_SUBHEADER) != 0 ? SUBHEADER_LEN : 0);

	if (p[0] >> 4 != TYPE3_VERSION || (frame_type != FRAME_ETHERNET && frame_type != FRAME_IP))
		return dp_refuse(w, DP_ENCAP_ERSPAN, DP_REFUSAL_UNSUPPORTED);
	if (!dp_has(w, len))
		return dp_refuse(w, DP_ENCAP_ERSPAN, DP_REFUSAL_TRUNCATED);
	w->off += len;
	dp_open(w, DP_ENCAP_ERSPAN);
	return frame_type == FRAME_IP ? DP_STEP_IP : DP_STEP_ETHERNET;
}

enum dp_step dp_step_erspan(struct dp_walk *w, uint16_t type, bool has_sequence)
{
	if (type == DP_ETHERTYPE_ERSPAN3)
		return type3(w);
	if (has_sequence) { // which type I never has
		if (!dp_has(w, TYPE2_LEN))
			return dp_refuse(w, DP_ENCAP_ERSPAN, DP_REFUSAL_TRUNCATED);
		if (*dp_at(w) >> 4 != TYPE2_VERSION)
			return dp_refuse(w, DP_ENCAP_ERSPAN, DP_REFUSAL_UNSUPPORTED);
		w->off += TYPE2_LEN;
	}
	dp_open(w, DP_ENCAP_ERSPAN);
	return DP_STEP_ETHERNET;
}
