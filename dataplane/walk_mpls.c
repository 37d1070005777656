// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/walk_step.h"

enum {
	LABEL_LEN = 4,
	BOTTOM_OF_STACK = 0x100,
	CONTROL_WORD_LEN = 4,
	IPV4_WORDS_MAX = 30, // RFC 791 3.1: 15 words of four bytes
	// Ethernet fills a frame up to 60 bytes: behind 14 and an IPv6 header never more than this.
	IPV6_PADDING_MAX = 60 - 14 - DP_IPV6_LEN,
};

/* RFC 3032 2.1, RFC 5586 4, RFC 3429: labels with a meaning of their own. The others of this range
 * (router alert, entropy label indicator) are passed like any label. */
enum {
	IPV4_EXPLICIT_NULL = 0,
	IPV6_EXPLICIT_NULL = 2,
	GENERIC_ASSOCIATED_CHANNEL = 13,
	OAM_ALERT = 14,
};

/* RFC 1071, over n_words words of two bytes, an IPv4 header's. */
static bool is_checksum_right(const uint8_t *p, uint32_t n_words)
{
	uint32_t sum = 0;

	DP_UNROLLED
	for (uint32_t i = 0; i < IPV4_WORDS_MAX; i++) {
		if (i == dp_below(n_words, 32))
			break;
		sum += dp_be16(p + 2 * i);
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

static bool is_sound_ipv4(const struct dp_walk *w, uint32_t off)
{
	if (!dp_has_at(w, off, 20))
		return false;

	const uint8_t *p = dp_frame_at(w, off);
	const uint32_t header_len = (uint32_t)(p[0] & 0x0f) * 4;
	const uint32_t bytes = dp_be16(p + 2);

	return p[0] >> 4 == 4 && header_len >= 20 && dp_has_at(w, off, header_len) &&
		bytes >= header_len && bytes <= w->wire_end - off &&
		is_checksum_right(p, header_len / 2);
}

/* There is no checksum, so the length must be what is left. */
static bool is_sound_ipv6(const struct dp_walk *w, uint32_t off)
{
	if (!dp_has_at(w, off, DP_IPV6_LEN))
		return false;

	const uint8_t *p = dp_frame_at(w, off);
	const uint32_t bytes = DP_IPV6_LEN + (uint32_t)dp_be16(p + 4);
	const uint32_t left = w->wire_end - off;

	return p[0] >> 4 == 6 && bytes <= left && left - bytes <= IPV6_PADDING_MAX;
}

enum content { UNKNOWN, NAMED, SOUND_IP };

/* What an Ethernet header at `off` leads to: an IP packet that is sound; something else that has a
 * name; or nothing that speaks for there being such a header. */
static enum content ethernet_content(const struct dp_walk *w, uint32_t off)
{
	uint16_t type = 0;

	off += 12;
	DP_UNROLLED
	for (unsigned int n = 0; n <= DP_WALK_TAGS_MAX; n++, off += 4) {
		if (!dp_has_at(w, off, 4))
			return UNKNOWN;
		type = dp_be16(dp_frame_at(w, off));
		if (!dp_is_tag(type))
			break;
	}
	switch (type) {
	case DP_ETHERTYPE_IPV4:
		return is_sound_ipv4(w, off + 2) ? SOUND_IP : UNKNOWN;
	case DP_ETHERTYPE_IPV6:
		return is_sound_ipv6(w, off + 2) ? SOUND_IP : UNKNOWN;
	case DP_ETHERTYPE_ARP:
	case DP_ETHERTYPE_MPLS:
	case DP_ETHERTYPE_MPLS_MULTICAST:
	case DP_ETHERTYPE_PPPOE_DISCOVERY:
	case DP_ETHERTYPE_PPPOE_SESSION:
		return NAMED;
	default:
		return UNKNOWN;
	}
}

static enum dp_step pseudowire(struct dp_walk *w)
{
	dp_open(w, DP_ENCAP_PSEUDOWIRE);
	return DP_STEP_ETHERNET;
}

/* RFC 4385 3, RFC 4448 4.6. */
static enum dp_step skip_control_word(struct dp_walk *w)
{
	if (!dp_has(w, CONTROL_WORD_LEN))
		return dp_refuse(w, DP_ENCAP_PSEUDOWIRE, DP_REFUSAL_TRUNCATED);
	if (dp_at(w)[1] >> 6 != 0) // RFC 4623: a fragment of a frame
		return dp_refuse(w, DP_ENCAP_PSEUDOWIRE, DP_REFUSAL_UNSUPPORTED);
	w->off += CONTROL_WORD_LEN;
	return pseudowire(w);
}

/* No field says what lies under the labels; both ends know. The first of these that holds, the
 * strongest evidence first:
 *
 *   1. a sound IPv4 header: so nobody can write one that is taken for something else
 *   2. an Ethernet header whose type is IP, and that packet is sound. Its destination may begin with
 *      any bits, also with those of an IP version or a control word.
 *   3. a sound IPv6 header
 *   4. 16 zero bits, and four bytes on an Ethernet header with a type that is known: a control word
 *      (RFC 4448 4.6)
 *   5. an Ethernet header with a type that is known
 *   6. the first four bits say it: 0 a control word, 1 signalling (RFC 4385 3 and 5), 4 and 6 an IP
 *      packet whatever is wrong with it (RFC 4928 2.1), all others an Ethernet header
 *
 * Sound is a header that was captured whole, whose lengths fit what is left, and that for IPv4 has
 * the right checksum. */
static enum dp_step under_labels(struct dp_walk *w)
{
	if (!dp_has(w, 1))
		return dp_refuse(w, DP_ENCAP_MPLS, DP_REFUSAL_TRUNCATED);
	if (is_sound_ipv4(w, w->off))
		return DP_STEP_IPV4;

	const enum content content = ethernet_content(w, w->off);

	if (content == SOUND_IP)
		return pseudowire(w);
	if (is_sound_ipv6(w, w->off))
		return DP_STEP_IPV6;
	if (dp_has(w, CONTROL_WORD_LEN) && dp_be16(dp_at(w)) == 0 &&
		ethernet_content(w, w->off + CONTROL_WORD_LEN) != UNKNOWN)
		return skip_control_word(w);
	if (content == NAMED)
		return pseudowire(w);
	switch (*dp_at(w) >> 4) {
	case 0:
		return skip_control_word(w);
	case 1:
		return dp_refuse(w, DP_ENCAP_PSEUDOWIRE, DP_REFUSAL_NOT_USER_DATA);
	case 4:
	case 6:
		return DP_STEP_IP;
	default:
		return pseudowire(w);
	}
}

/* RFC 3032 2.1: 20 bits label, 3 traffic class, 1 bottom of stack, 8 time to live. */
enum dp_step dp_step_mpls(struct dp_walk *w)
{
	uint32_t entry = 0;

	DP_UNROLLED
	for (unsigned int n = 0; (entry & BOTTOM_OF_STACK) == 0; n++) {
		if (n == DP_WALK_LABELS_MAX)
			return dp_refuse(w, DP_ENCAP_MPLS, DP_REFUSAL_TOO_DEEP);
		if (!dp_has(w, LABEL_LEN))
			return dp_refuse(w, DP_ENCAP_MPLS, DP_REFUSAL_TRUNCATED);
		entry = dp_be32(dp_at(w));
		w->off += LABEL_LEN;
	}
	dp_open(w, DP_ENCAP_MPLS);
	switch (entry >> 12) {
	case IPV4_EXPLICIT_NULL:
		return DP_STEP_IPV4;
	case IPV6_EXPLICIT_NULL:
		return DP_STEP_IPV6;
	case GENERIC_ASSOCIATED_CHANNEL:
	case OAM_ALERT:
		return dp_refuse(w, DP_ENCAP_MPLS, DP_REFUSAL_NOT_USER_DATA);
	default:
		return under_labels(w);
	}
}
