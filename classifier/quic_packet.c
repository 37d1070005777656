// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/quic_packet.h"

#include "classifier/quic_reader.h"

#include <string.h>

enum {
	IS_LONG = 0x80, // RFC 9000 17.2
	INITIAL = 0,
	RETRY = 3,
	PROTECTED_MIN = 20, // RFC 9001 5.4.2: 4 bytes and a sample
};

enum frame { // RFC 9000 19
	PADDING = 0x00,
	PING = 0x01,
	ACK = 0x02,
	ACK_ECN = 0x03,
	CRYPTO = 0x06,
	CONNECTION_CLOSE = 0x1c,
};

void cls_quic_piece_add(
	struct cls_quic_pieces *pieces, uint64_t offset, const uint8_t *bytes, size_t len)
{
	if (len > 0 && pieces->n < CLS_QUIC_PIECES_MAX)
		pieces->at[pieces->n++] = (struct cls_quic_piece){offset, bytes, len};
}

/* --- headers --------------------------------------------------------------------------------- */

/* As RFC 9000 17.2 counts them; version 2 begins with Retry (RFC 9369 3.2). */
static unsigned type_of(uint8_t first, const struct cls_quic_version *version)
{
	return ((first >> 4) + (version->is_v2 ? 3 : 0)) & 3;
}

bool cls_quic_header_read(const uint8_t *packet, size_t len, struct cls_quic_header *ret)
{
	struct cls_quic_reader r = cls_quic_reader_of(packet, len);
	struct cls_quic_header h = {0};
	const uint8_t first = (uint8_t)cls_quic_be(&r, 1);
	const uint8_t *dcid;
	unsigned type;
	uint64_t n;

	h.version_number = (uint32_t)cls_quic_be(&r, 4);
	h.version = cls_quic_version_of(h.version_number);
	h.dcid.len = (uint8_t)cls_quic_be(&r, 1);
	if ((first & IS_LONG) == 0 || h.version == NULL || h.dcid.len > CLS_QUIC_CID_MAX)
		return false;
	dcid = cls_quic_bytes(&r, h.dcid.len);
	n = cls_quic_be(&r, 1); // source connection id
	(void)cls_quic_bytes(&r, n);
	if (r.is_short || n > CLS_QUIC_CID_MAX)
		return false;
	memcpy(h.dcid.bytes, dcid, h.dcid.len);
	type = type_of(first, h.version);
	h.is_initial = type == INITIAL;
	if (h.is_initial)
		(void)cls_quic_bytes(&r, cls_quic_varint(&r)); // token
	n = type != RETRY ? cls_quic_varint(&r) : 0; // which a Retry does not say
	h.pn_off = (size_t)(r.p - packet);
	(void)cls_quic_bytes(&r, n);
	h.len = r.is_short || n < PROTECTED_MIN ? 0 : (size_t)(r.p - packet);
	*ret = h;
	return true;
}

/* --- frames ---------------------------------------------------------------------------------- */

static void skip_ack(struct cls_quic_reader *r, bool has_ecn)
{
	uint64_t n;

	(void)cls_quic_varint(r); // largest
	(void)cls_quic_varint(r); // delay
	n = cls_quic_varint(r);
	(void)cls_quic_varint(r); // first range
	for (; n > 0 && !r->is_short; n--) {
		(void)cls_quic_varint(r); // gap
		(void)cls_quic_varint(r); // range
	}
	for (int i = 0; has_ecn && i < 3; i++)
		(void)cls_quic_varint(r);
}

static void skip_close(struct cls_quic_reader *r)
{
	(void)cls_quic_varint(r); // error
	(void)cls_quic_varint(r); // type of the frame that had it
	(void)cls_quic_bytes(r, cls_quic_varint(r)); // reason
}

static void read_crypto(struct cls_quic_reader *r, struct cls_quic_pieces *ret)
{
	const uint64_t offset = cls_quic_varint(r), len = cls_quic_varint(r);
	const uint8_t *bytes = cls_quic_bytes(r, len);

	if (bytes != NULL)
		cls_quic_piece_add(ret, offset, bytes, (size_t)len);
}

bool cls_quic_frames_read(const uint8_t *frames, size_t len, struct cls_quic_pieces *ret)
{
	struct cls_quic_reader r = cls_quic_reader_of(frames, len);

	while (cls_quic_left(&r) > 0) {
		const unsigned type = (unsigned)cls_quic_be(&r, 1);

		if (type == PADDING)
			cls_quic_skip_zeros(&r);
		else if (type == CRYPTO)
			read_crypto(&r, ret);
		else if (type == ACK || type == ACK_ECN)
			skip_ack(&r, type == ACK_ECN);
		else if (type == CONNECTION_CLOSE)
			skip_close(&r);
		else if (type != PING)
			return false;
	}
	return !r.is_short;
}
