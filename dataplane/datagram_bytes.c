// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/datagram_state.h"
#include "dataplane/hash.h"

#include <stddef.h>

enum {
	FRAGMENT_HEADER_LEN = 8, // RFC 8200 4.5
	IPV6_HEADER_LEN = 40,
	TOTAL_LENGTH_OFF = 2, // RFC 791 3.1
	FRAGMENT_OFF = 6,
	CHECKSUM_OFF = 10,
	PAYLOAD_LENGTH_OFF = 4, // RFC 8200 3
};

static bool is_ipv6(const struct dp_walk *w)
{
	return w->frame[w->ip.off] >> 4 == 6;
}

static void put_be16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* --- pieces ---------------------------------------------------------------------------------- */

static uint64_t mix_16(const uint8_t *p, uint64_t h)
{
	uint64_t w[2];

	memcpy(w, p, sizeof(w));
	return dp_hash_mix(w[0] ^ h, w[1]);
}

/* Keyed, so that nobody can make other bytes that have the same one. Four sums side by side: one
 * waits for its multiplication most of the time. */
static uint64_t fingerprint(const uint8_t *p, uint32_t n, uint64_t seed)
{
	uint64_t h[4] = {seed, seed + 1, seed + 2, n};
	uint8_t rest[16] = {0};

	for (; n >= 64; n -= 64, p += 64) {
		for (unsigned int i = 0; i < 4; i++)
			h[i] = mix_16(p + (size_t)i * 16, h[i]);
	}
	for (; n >= 16; n -= 16, p += 16)
		h[0] = mix_16(p, h[0]);
	memcpy(rest, p, n);
	h[0] = mix_16(rest, h[0]);
	return dp_hash_mix(dp_hash_mix(h[0], h[1]) ^ h[2], h[3]);
}

/* How much of the fragment's payload was captured, of at most len bytes. */
static uint32_t captured(const struct dp_ip *ip, uint32_t len)
{
	const uint32_t header_len = ip->l4_off - ip->off;
	const uint32_t n = ip->cap_bytes > header_len ? ip->cap_bytes - header_len : 0;

	return n < len ? n : len;
}

struct dp_piece dp_datagram_piece(const struct dp_walk *w)
{
	const struct dp_ip *ip = &w->ip;
	const uint32_t header_len = ip->l4_off - ip->off;
	const uint32_t len = ip->bytes > header_len ? ip->bytes - header_len : 0;
	const uint32_t n = captured(ip, len);
	struct dp_piece piece = {
		.begin = ip->frag_off,
		.end = ip->frag_off + len,
		.has_more = ip->has_more,
	};

	// One that claims more than its frame had: nobody knows where it ends.
	piece.is_sound = !ip->is_overlong &&
		dp_piece_is_sound(piece.begin, piece.end, ip->has_more);
	piece.fingerprint = fingerprint(
		w->frame + (n > 0 ? ip->l4_off : ip->off), n, (uint64_t)len << 1 | piece.has_more);
	return piece;
}

/* --- a datagram's bytes ---------------------------------------------------------------------- */

static bool keep_header(struct dp_datagram_buffer *b, const struct dp_walk *w)
{
	const struct dp_ip *ip = &w->ip;
	const uint32_t len = ip->l4_off - ip->off -
		(is_ipv6(w) ? (uint32_t)FRAGMENT_HEADER_LEN : 0);

	if (len > DP_DATAGRAM_HEADER_MAX || len > ip->cap_bytes)
		return false;
	b->header_len = len;
	b->header_next_off = ip->frag_next_off;
	b->first = *w;
	memcpy(b->bytes + DP_DATAGRAM_HEADER_MAX - len, w->frame + ip->off, len);
	return true;
}

bool dp_datagram_keep(
	struct dp_datagram_buffer *b, const struct dp_walk *w, const struct dp_piece *piece)
{
	const uint32_t len = piece->end - piece->begin;
	uint32_t n = captured(&w->ip, len);

	if (piece->begin == 0 && !keep_header(b, w))
		return false;
	if (n < len && piece->begin + n < b->n_held)
		b->n_held = piece->begin + n; // a hole that nothing will fill
	if (piece->begin >= DP_DATAGRAM_BYTES)
		return true;
	if (n > DP_DATAGRAM_BYTES - piece->begin)
		n = DP_DATAGRAM_BYTES - piece->begin;
	if (n > 0)
		memcpy(b->bytes + DP_DATAGRAM_HEADER_MAX + piece->begin, w->frame + w->ip.l4_off,
			n);
	return true;
}

/* RFC 1071. The header's own field is zero. */
static uint32_t checksum(const uint8_t *header, uint32_t len)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < len; i += 2)
		sum += (uint32_t)header[i] << 8 | header[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16)) & 0xffff;
}

static bool seal_ipv4(uint8_t *header, uint32_t header_len, uint32_t total)
{
	if (header_len + total > DP_DATAGRAM_LENGTH_MAX)
		return false;
	put_be16(header + TOTAL_LENGTH_OFF, header_len + total);
	put_be16(header + FRAGMENT_OFF, 0);
	put_be16(header + CHECKSUM_OFF, 0);
	put_be16(header + CHECKSUM_OFF, checksum(header, header_len));
	return true;
}

static bool seal_ipv6(uint8_t *header, const struct dp_datagram_buffer *b, uint32_t total)
{
	const uint32_t payload_len = b->header_len - IPV6_HEADER_LEN + total;

	if (payload_len > DP_DATAGRAM_LENGTH_MAX)
		return false;
	put_be16(header + PAYLOAD_LENGTH_OFF, payload_len);
	header[b->header_next_off] = b->first.ip.proto;
	return true;
}

bool dp_datagram_seal(
	struct dp_datagram_buffer *b, uint32_t total, struct dp_datagram_whole *ret_whole)
{
	uint8_t *header = b->bytes + DP_DATAGRAM_HEADER_MAX - b->header_len;
	const bool is_sealed = header[0] >> 4 == 6 ? seal_ipv6(header, b, total)
						   : seal_ipv4(header, b->header_len, total);

	if (!is_sealed)
		return false;
	ret_whole->first = b->first;
	ret_whole->first.frame = NULL;
	ret_whole->packet = header;
	ret_whole->wire_len = b->header_len + total;
	ret_whole->cap_len = b->header_len + (total < b->n_held ? total : b->n_held);
	return true;
}

void dp_datagram_shorten(struct dp_datagram_buffer *b, const struct dp_datagram_whole *whole,
	uint32_t off, uint32_t len)
{
	uint8_t *header = b->bytes + DP_DATAGRAM_HEADER_MAX - b->header_len + off;
	const bool is_ipv4 = header[0] >> 4 == 4;
	const uint32_t header_len = is_ipv4 ? (header[0] & 0x0fU) * 4 : IPV6_HEADER_LEN;
	const bool is_kept = whole->cap_len == whole->wire_len || off + len < whole->cap_len;

	// What was kept may end inside the header: there is nothing left to be looked at.
	if (is_kept || b->n_held < DP_DATAGRAM_BYTES || len < header_len)
		return;
	if (is_ipv4)
		(void)seal_ipv4(header, header_len, len - header_len); // shorter than it was
	else
		put_be16(header + PAYLOAD_LENGTH_OFF, len - header_len);
}
