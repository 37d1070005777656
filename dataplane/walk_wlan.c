// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk_step.h"

// radiotap.org, "Radiotap"; its integers are little-endian.
enum {
	RADIOTAP_MIN_LEN = 8,
	RADIOTAP_WORDS_MAX = 8, // of the presence bitmap; start value, real ones have up to four
	PRESENT_TSFT = 1U << 0, // 8 bytes, aligned to 8
	PRESENT_FLAGS = 1U << 1, // 1 byte
	FLAG_FCS = 0x10, // the frame ends with its check sequence
	FLAG_PAD = 0x20, // the header is padded to four bytes
	FCS_LEN = 4,
};

static const uint32_t PRESENT_MORE = UINT32_C(1) << 31; // another word of the bitmap

// IEEE 802.11-2020 9.2.4.1, Frame Control.
enum {
	VERSION = 0x03, // of the first byte
	TYPE = 0x0c,
	TYPE_DATA = 0x08,
	SUBTYPE_NO_DATA = 0x40,
	SUBTYPE_QOS = 0x80,
	BOTH_DS = 0x03, // of the second byte: to and from the distribution system, four addresses
	MORE_FRAGMENTS = 0x04,
	PROTECTED = 0x40,
	HTC = 0x80, // in a QoS frame: an HT Control field

	HEADER_LEN = 24,
	FRAGMENT_OFF = 22, // low four bits: which fragment
	ADDRESS_LEN = 6,
	QOS_LEN = 2,
	HTC_LEN = 4,
	QOS_AMSDU = 0x80, // 9.2.4.5: several frames in one
};

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* How long the header is up to the end of its presence bitmap, of len bytes; 0: the bitmap does not end. */
static uint32_t radiotap_fixed_len(const uint8_t *p, uint32_t len)
{
	uint32_t off = RADIOTAP_MIN_LEN;

	DP_UNROLLED
	for (unsigned int n = 1; n <= RADIOTAP_WORDS_MAX; n++, off += 4) {
		if ((le32(p + off - 4) & PRESENT_MORE) == 0)
			return off;
		if (len - off < 4)
			return 0;
	}
	return 0;
}

/* The Flags field of the header at the cursor, of len bytes, 0 where there is none; or -1: its bitmap
 * does not end. */
static int radiotap_flags(const struct dp_walk *w, uint32_t len)
{
	const uint32_t present = le32(dp_at(w) + 4);
	uint32_t off = radiotap_fixed_len(dp_at(w), len);

	if (off == 0)
		return -1;
	if ((present & PRESENT_FLAGS) == 0)
		return 0;
	if ((present & PRESENT_TSFT) != 0)
		off = (off + 7) / 8 * 8 + 8;
	return off < len ? *dp_frame_at(w, w->off + off) : -1;
}

enum dp_step dp_step_radiotap(struct dp_walk *w)
{
	if (!dp_has(w, RADIOTAP_MIN_LEN))
		return dp_refuse(w, DP_ENCAP_WLAN, DP_REFUSAL_TRUNCATED);

	const uint8_t *p = dp_at(w);
	const uint32_t len = (uint32_t)p[3] << 8 | p[2];

	if (p[0] != 0)
		return dp_refuse(w, DP_ENCAP_WLAN, DP_REFUSAL_UNSUPPORTED);
	if (len < RADIOTAP_MIN_LEN)
		return dp_refuse(w, DP_ENCAP_WLAN, DP_REFUSAL_MALFORMED);
	if (!dp_has(w, len))
		return dp_refuse(w, DP_ENCAP_WLAN, DP_REFUSAL_TRUNCATED);

	const int flags = radiotap_flags(w, len);

	if (flags < 0)
		return dp_refuse(w, DP_ENCAP_WLAN, DP_REFUSAL_MALFORMED);
	w->off += len;

	const uint32_t left = w->wire_end - w->off;

	if ((flags & FLAG_FCS) != 0)
		(void)dp_limit(w, left > FCS_LEN ? left - FCS_LEN : 0); // never more than is left
	return dp_step_wlan(w, (flags & FLAG_PAD) != 0);
}

/* 9.3.2.1: Address 4, QoS Control and HT Control may follow the fixed part, in this order. */
static uint32_t qos_off(const uint8_t *p)
{
	return HEADER_LEN + ((p[1] & BOTH_DS) == BOTH_DS ? ADDRESS_LEN : 0);
}

static uint32_t header_len(const uint8_t *p)
{
	if ((p[0] & SUBTYPE_QOS) == 0)
		return qos_off(p);
	return qos_off(p) + QOS_LEN + ((p[1] & HTC) != 0 ? HTC_LEN : 0);
}

enum dp_step dp_step_wlan(struct dp_walk *w, bool has_pad)
{
	if (!dp_has(w, 2))
		return dp_refuse(w, DP_ENCAP_WLAN, DP_REFUSAL_TRUNCATED);

	const uint8_t *p = dp_at(w);
	uint32_t len = header_len(p);

	if ((p[0] & VERSION) != 0)
		return dp_refuse(w, DP_ENCAP_WLAN, DP_REFUSAL_UNSUPPORTED);
	if ((p[0] & TYPE) != TYPE_DATA || (p[0] & SUBTYPE_NO_DATA) != 0)
		return dp_refuse(w, DP_ENCAP_WLAN, DP_REFUSAL_NOT_IP);
	if ((p[1] & PROTECTED) != 0)
		return dp_refuse(w, DP_ENCAP_WLAN, DP_REFUSAL_UNSUPPORTED);
	if (has_pad)
		len = (len + 3) / 4 * 4;
	if (!dp_has(w, len))
		return dp_refuse(w, DP_ENCAP_WLAN, DP_REFUSAL_TRUNCATED);
	if ((p[1] & MORE_FRAGMENTS) != 0 || (p[FRAGMENT_OFF] & 0x0f) != 0)
		return dp_refuse(w, DP_ENCAP_WLAN, DP_REFUSAL_UNSUPPORTED);
	if ((p[0] & SUBTYPE_QOS) != 0 && (*dp_frame_at(w, w->off + qos_off(p)) & QOS_AMSDU) != 0)
		return dp_refuse(w, DP_ENCAP_WLAN, DP_REFUSAL_UNSUPPORTED);
	w->off += len;
	dp_open(w, DP_ENCAP_WLAN);
	return DP_STEP_LLC;
}
