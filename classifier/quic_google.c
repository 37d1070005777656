// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/quic_google.h"

#include "classifier/quic_reader.h"

#include <string.h>

enum {
	HAS_VERSION = 0x01, // flags of the first byte up to Q043
	HAS_CID = 0x08,
	NO_FLAGS = 0xc0,
	CID_BYTES = 8,
	HASH_BYTES = 12,
	HELLO_STREAM = 1,
	TAG_BYTES = 8, // name and end of its value
	HEAD_BYTES = 8, // "CHLO", number of tags, 2 unused
	TAGS_MAX = 128, // of a hello
};

// Frames; those of at least 0x40 have their fields' sizes in their type.
enum frame {
	PADDING = 0x00,
	STOP_WAITING = 0x06, // since Q044 there is none
	PING = 0x07,
	CRYPTO = 0x08, // since Q048
	IS_ACK = 0x40,
	IS_STREAM = 0x80,
};

/* What else the frames of a packet depend on. */
struct layout {
	uint32_t number; // of the version, 43 of Q043
	size_t pn_len;
};

/* --- headers --------------------------------------------------------------------------------- */

uint32_t cls_quic_google_version(const uint8_t *packet, size_t len)
{
	struct cls_quic_reader r = cls_quic_reader_of(packet, len);
	const uint64_t flags = cls_quic_be(&r, 1);

	(void)cls_quic_bytes(&r, CID_BYTES);
	if ((flags & (NO_FLAGS | HAS_VERSION | HAS_CID)) != (HAS_VERSION | HAS_CID))
		return 0;
	return (uint32_t)cls_quic_be(&r, 4);
}

/* Connection id; up to the packet number. As of Q044 like a draft of the IETF's of its time. */
static const uint8_t *read_header(struct cls_quic_reader *r, struct layout *ret)
{
	static const uint8_t pn_bytes[] = {1, 2, 4, 6};
	const uint64_t first = cls_quic_be(r, 1);
	const uint8_t *cid;

	if (ret->number < 44) {
		cid = cls_quic_bytes(r, CID_BYTES);
		(void)cls_quic_be(r, 4); // version
		ret->pn_len = pn_bytes[first >> 4 & 3];
	} else {
		(void)cls_quic_be(r, 4);
		if (cls_quic_be(r, 1) !=
			(CID_BYTES - 3) << 4) // length of the client's, of the server's
			return NULL;
		cid = cls_quic_bytes(r, CID_BYTES);
		ret->pn_len = (first & 3) + 1;
	}
	(void)cls_quic_bytes(r, ret->pn_len);
	return r->is_short ? NULL : cid;
}

/* FNV-1a of 128 bits (RFC 9923): h with bytes[0..len) in addition. */
static unsigned __int128 hash_of(unsigned __int128 h, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++) {
		h ^= p[i];
		h = (h << 88) + h * 0x13b; // times 2^88 + 0x13b
	}
	return h;
}

/* Whether the hash, the lower 96 bits, is that of all else: of header, of what follows it, and of who sent it. */
static bool is_hashed(const struct cls_quic_reader *head, const uint8_t *packet,
	const uint8_t *hash, const struct cls_quic_reader *body, uint32_t number)
{
	struct cls_quic_reader r = cls_quic_reader_of(hash, HASH_BYTES);
	unsigned __int128 h = (unsigned __int128)0x6c62272e07bb0142 << 64 | 0x62b821756295c58d;

	h = hash_of(h, packet, (size_t)(head->p - packet));
	h = hash_of(h, body->p, cls_quic_left(body));
	if (number > 36)
		h = hash_of(h, "Client", 6);
	return cls_quic_le(&r, 8) == (uint64_t)h && cls_quic_le(&r, 4) == (uint32_t)(h >> 64);
}

/* --- frames ---------------------------------------------------------------------------------- */

static uint64_t number_of(struct cls_quic_reader *r, size_t n, const struct layout *layout)
{
	return layout->number < 39 ? cls_quic_le(r, n) : cls_quic_be(r, n);
}

/* 1fdooossb: whether it is the last, has a length, bytes of the offset, bytes of the stream's number. */
static void read_stream(struct cls_quic_reader *r, unsigned type, const struct layout *layout,
	struct cls_quic_pieces *ret)
{
	const size_t offset_code = type >> 2 & 7;
	const uint64_t stream = number_of(r, (type & 3) + 1, layout);
	const uint64_t offset = number_of(r, offset_code > 0 ? offset_code + 1 : 0, layout);
	const uint64_t len = (type & 0x20) != 0 ? number_of(r, 2, layout) : cls_quic_left(r);
	const uint8_t *bytes = cls_quic_bytes(r, len);

	if (bytes != NULL && stream == HELLO_STREAM)
		cls_quic_piece_add(ret, offset, bytes, (size_t)len);
}

/* 01nullmm: whether there are gaps, bytes of the largest number, bytes of each length. As of Q039. */
static void skip_ack(struct cls_quic_reader *r, unsigned type)
{
	static const uint8_t n_bytes[] = {1, 2, 4, 6};
	const size_t len = n_bytes[type & 3];
	uint64_t n;

	(void)cls_quic_bytes(r, (size_t)n_bytes[type >> 2 & 3] + 2); // largest, delay
	n = (type & 0x20) != 0 ? cls_quic_be(r, 1) : 0;
	(void)cls_quic_bytes(r, len + n * (1 + len));
	n = cls_quic_be(r, 1); // times: the first takes 5 bytes, others 3
	(void)cls_quic_bytes(r, n > 0 ? 2 + 3 * n : 0);
}

static void read_crypto(struct cls_quic_reader *r, struct cls_quic_pieces *ret)
{
	const uint64_t offset = cls_quic_varint(r), len = cls_quic_varint(r);
	const uint8_t *bytes = cls_quic_bytes(r, len);

	if (bytes != NULL)
		cls_quic_piece_add(ret, offset, bytes, (size_t)len);
}

/* Returns false for a frame that has no place before the keys are there, or is cut. */
static bool read_frames(
	struct cls_quic_reader *r, const struct layout *layout, struct cls_quic_pieces *ret)
{
	while (cls_quic_left(r) > 0) {
		const unsigned type = (unsigned)cls_quic_be(r, 1);

		if (type == PADDING)
			cls_quic_skip_zeros(r);
		else if ((type & IS_STREAM) != 0)
			read_stream(r, type, layout, ret);
		else if ((type & IS_ACK) != 0 && layout->number >= 39)
			skip_ack(r, type);
		else if (type == CRYPTO && layout->number >= 48)
			read_crypto(r, ret);
		else if (type == STOP_WAITING && layout->number < 44)
			(void)cls_quic_bytes(r, layout->pn_len + (layout->number < 34)); // entropy
		else if (type != PING)
			return false;
	}
	return !r->is_short;
}

bool cls_quic_google_read(const uint8_t *packet, size_t len, uint32_t version,
	struct cls_quic_cid *ret_cid, struct cls_quic_pieces *ret)
{
	struct cls_quic_reader r = cls_quic_reader_of(packet, len);
	struct layout layout = {.number = cls_quic_google_number(version)};
	const uint8_t *cid = read_header(&r, &layout);
	const struct cls_quic_reader head = r;
	const uint8_t *hash = cls_quic_bytes(&r, HASH_BYTES);

	if (cid == NULL || hash == NULL || !is_hashed(&head, packet, hash, &r, layout.number))
		return false;
	if (layout.number < 34)
		(void)cls_quic_bytes(&r, 1); // private flags
	*ret_cid = (struct cls_quic_cid){.len = CID_BYTES};
	memcpy(ret_cid->bytes, cid, CID_BYTES);
	return read_frames(&r, &layout, ret);
}

bool cls_quic_google_frames(const uint8_t *frames, size_t len, struct cls_quic_pieces *ret)
{
	struct cls_quic_reader r = cls_quic_reader_of(frames, len);

	return read_frames(&r, &(struct layout){.number = 50}, ret);
}

/* --- hello ----------------------------------------------------------------------------------- */

/* "CHLO", how many tags, for each its name and where its value ends behind all of them; values. */
enum cls_name_step cls_quic_chlo_name(
	const uint8_t *hello, size_t len, bool is_last, struct cls_name *ret_name)
{
	struct cls_quic_reader r = cls_quic_reader_of(hello, len);
	struct cls_name name = {0};
	size_t begin = 0, end = 0;
	uint64_t n_tags;
	bool is_found = false;

	if (memcmp(hello, "CHLO", len < 4 ? len : 4) != 0)
		return CLS_NAME_NONE;
	(void)cls_quic_bytes(&r, 4);
	n_tags = cls_quic_le(&r, 2);
	(void)cls_quic_le(&r, 2);
	if (n_tags > TAGS_MAX)
		return CLS_NAME_NONE;

	const size_t values = HEAD_BYTES + (size_t)n_tags * TAG_BYTES;

	for (; n_tags > 0 && cls_quic_left(&r) >= TAG_BYTES; n_tags--, begin = end) {
		const uint8_t *tag = cls_quic_bytes(&r, 4);

		end = (size_t)cls_quic_le(&r, 4);
		if (end < begin)
			return CLS_NAME_NONE;
		if (memcmp(tag, "SNI", 4) == 0 && values <= len && end <= len - values)
			is_found = cls_name_set(&name, hello + values + begin, end - begin);
	}
	if (!is_last && (n_tags > 0 || values > len || end > len - values))
		return CLS_NAME_MORE;
	if (!is_found)
		return CLS_NAME_NONE;
	*ret_name = name;
	return CLS_NAME_FOUND;
}
