// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/quic_name.h"

#include "classifier/quic_google.h"
#include "classifier/quic_packet.h"
#include "classifier/tls_name.h"

#include <stdlib.h>
#include <string.h>

enum {
	IS_LONG = 0x80, // RFC 9000 17.2
	DATAGRAM_MAX = 65536,
};

struct cls_quic {
	struct cls_join_pool *pool;
	struct cls_quic_keys *keys;
	uint8_t frames[DATAGRAM_MAX]; // of the packet that was opened last
	uint8_t hello[CLS_JOIN_BYTES]; // the beginning of a hello, out of the pieces of one packet
};

struct cls_quic *cls_quic_new(struct cls_join_pool *pool)
{
	struct cls_quic *q = malloc(sizeof(*q));

	if (q == NULL)
		return NULL;
	q->pool = pool;
	q->keys = cls_quic_keys_new();
	if (q->keys == NULL) {
		free(q);
		return NULL;
	}
	return q;
}

void cls_quic_free(struct cls_quic *q)
{
	if (q == NULL)
		return;
	cls_quic_keys_free(q->keys);
	free(q);
}

void cls_quic_drop(struct cls_quic *q, struct cls_quic_flow *flow)
{
	cls_join_give(q->pool, flow->crypto);
	*flow = (struct cls_quic_flow){0};
}

/* --- hello ----------------------------------------------------------------------------------- */

static enum cls_name_step read_hello(const struct cls_quic_version *version, const uint8_t *hello,
	size_t len, bool is_last, struct cls_name *ret_name)
{
	if (version->hello == CLS_QUIC_CHLO || version->hello == CLS_QUIC_CHLO_CLEAR)
		return cls_quic_chlo_name(hello, len, is_last, ret_name);
	return cls_hello_name(hello, len, is_last, ret_name);
}

/* In order of their offsets; of those that begin at one, as they came. */
static void sort(struct cls_quic_pieces *pieces)
{
	for (size_t i = 1; i < pieces->n; i++) {
		const struct cls_quic_piece piece = pieces->at[i];
		size_t k = i;

		for (; k > 0 && pieces->at[k - 1].offset > piece.offset; k--)
			pieces->at[k] = pieces->at[k - 1];
		pieces->at[k] = piece;
	}
}

/* The beginning of the hello, as far as pieces in order go without a gap. */
static const uint8_t *beginning(
	struct cls_quic *q, const struct cls_quic_pieces *pieces, size_t *ret_len)
{
	size_t end = 0;

	if (pieces->n == 1 && pieces->at[0].offset == 0) {
		*ret_len = pieces->at[0].len;
		return pieces->at[0].bytes;
	}
	for (size_t i = 0; i < pieces->n && pieces->at[i].offset <= end; i++) {
		const size_t skip = end - (size_t)pieces->at[i].offset;

		if (pieces->at[i].len <= skip)
			continue;

		const size_t left = pieces->at[i].len - skip;
		const size_t n = left < CLS_JOIN_BYTES - end ? left : CLS_JOIN_BYTES - end;

		memcpy(q->hello + end, pieces->at[i].bytes + skip, n);
		end += n;
	}
	*ret_len = end;
	return q->hello;
}

static enum cls_name_step join(struct cls_quic_flow *flow, const struct cls_quic_version *version,
	const struct cls_quic_pieces *pieces, struct cls_name *ret_name)
{
	const uint8_t *hello;
	size_t len;

	// What has no room any more is missing until it is sent again.
	for (size_t i = 0; i < pieces->n; i++)
		(void)cls_join_put(
			flow->crypto, pieces->at[i].offset, pieces->at[i].bytes, pieces->at[i].len);
	hello = cls_join_ready(flow->crypto, &len);
	return read_hello(version, hello, len, cls_join_is_full(flow->crypto), ret_name);
}

/* What the pieces of a packet, and those before, come to. */
static enum cls_name_step take_pieces(struct cls_quic *q, struct cls_quic_flow *flow,
	const struct cls_quic_version *version, struct cls_quic_pieces *pieces,
	struct cls_name *ret_name)
{
	if (pieces->n == 0)
		return CLS_NAME_MORE;
	sort(pieces);
	if (flow->crypto == NULL) {
		size_t len;
		const uint8_t *hello = beginning(q, pieces, &len);
		const enum cls_name_step step = read_hello(version, hello, len, false, ret_name);

		if (step != CLS_NAME_MORE)
			return step;
		flow->crypto = cls_join_take(q->pool);
		if (flow->crypto == NULL)
			return read_hello(version, hello, len, true, ret_name);
	}
	return join(flow, version, pieces, ret_name);
}

enum cls_name_step cls_quic_last(
	struct cls_quic *, struct cls_quic_flow *flow, struct cls_name *ret_name)
{
	const uint8_t *hello;
	size_t len;

	if (flow->crypto == NULL)
		return CLS_NAME_NONE;
	hello = cls_join_ready(flow->crypto, &len);
	return read_hello(cls_quic_version_of(flow->version), hello, len, true, ret_name);
}

/* --- packets --------------------------------------------------------------------------------- */

static bool is_same(const struct cls_quic_cid *a, const struct cls_quic_cid *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* A packet of this connection id was read. Another one than before begins the hello anew: behind a Retry
 * (RFC 9001 5.2), or the next connection from the same port. */
static void remember(struct cls_quic *q, struct cls_quic_flow *flow, uint32_t version,
	const struct cls_quic_cid *cid)
{
	if (flow->has_dcid && !is_same(&flow->dcid, cid)) {
		cls_join_give(q->pool, flow->crypto);
		flow->crypto = NULL;
	}
	flow->version = version;
	flow->dcid = *cid;
	flow->has_dcid = true;
}

/* Bytes of frames, which are in q->frames then; -1: its keys do not derive from this connection id. */
static ssize_t open_with(struct cls_quic *q, const struct cls_quic_cid *cid,
	const struct cls_quic_header *h, const uint8_t *packet)
{
	const struct cls_quic_version *v = h->version;
	ssize_t n = -1;

	if (h->len > sizeof(q->frames))
		return -1; // no datagram is that long but a jumbogram's (RFC 2675 4)
	for (; v != NULL && n < 0; v = v->other)
		n = cls_quic_keys_open(q->keys, v, cid, packet, h->pn_off, h->len, q->frames);
	return n;
}

/* Once the server has answered, the client says the server's connection id, and its keys stay (RFC 9001
 * 5.2). So also where both agreed on another version meanwhile (RFC 9368 2.3), whose keys derive from the
 * same. Behind a Retry they derive from what is said then. */
static ssize_t open_packet(struct cls_quic *q, struct cls_quic_flow *flow,
	const struct cls_quic_header *h, const uint8_t *packet)
{
	ssize_t n = flow->has_dcid ? open_with(q, &flow->dcid, h, packet) : -1;

	if (n > 0)
		flow->version = h->version_number;
	if (n > 0 || (flow->has_dcid && is_same(&flow->dcid, &h->dcid)))
		return n;
	n = open_with(q, &h->dcid, h, packet);
	if (n > 0)
		remember(q, flow, h->version_number, &h->dcid);
	return n;
}

/* The frames of an Initial, len bytes in q->frames. */
static enum cls_name_step take_frames(struct cls_quic *q, struct cls_quic_flow *flow,
	const struct cls_quic_version *version, size_t len, struct cls_name *ret_name)
{
	struct cls_quic_pieces pieces;
	bool is_read;

	pieces.n = 0;
	is_read = version->hello == CLS_QUIC_TLS ? cls_quic_frames_read(q->frames, len, &pieces)
						 : cls_quic_google_frames(q->frames, len, &pieces);
	return is_read ? take_pieces(q, flow, version, &pieces, ret_name) : CLS_NAME_MORE;
}

/* Each Initial in a datagram of long headers, one behind the other, all of the connection id of the first (RFC 9000
 * 12.2), until one cannot be opened: so that a datagram costs few keys, however many packets it has. */
static enum cls_name_step take_long(struct cls_quic *q, struct cls_quic_flow *flow,
	const uint8_t *datagram, size_t len, struct cls_name *ret_name)
{
	enum cls_name_step step = CLS_NAME_MORE;
	struct cls_quic_cid dcid = {0};
	struct cls_quic_header h;

	for (size_t at = 0; at < len && step == CLS_NAME_MORE; at += h.len) {
		if (!cls_quic_header_read(datagram + at, len - at, &h) || h.len == 0)
			break; // what follows has a short header, or is none
		if (at == 0)
			dcid = h.dcid;
		if (!is_same(&dcid, &h.dcid))
			break;
		if (flow->version == 0)
			flow->version = h.version_number;
		if (!h.is_initial)
			continue;
		if (flow->n_packets == CLS_QUIC_PACKETS_MAX)
			break;
		flow->n_packets++;

		const ssize_t n = open_packet(q, flow, &h, datagram + at);

		if (n < 0)
			break;
		step = take_frames(q, flow, h.version, (size_t)n, ret_name);
	}
	return step;
}

static enum cls_name_step take_clear(struct cls_quic *q, struct cls_quic_flow *flow,
	uint32_t version, const uint8_t *datagram, size_t len, struct cls_name *ret_name)
{
	struct cls_quic_pieces pieces;
	struct cls_quic_cid cid;

	pieces.n = 0;
	if (!cls_quic_google_read(datagram, len, version, &cid, &pieces))
		return CLS_NAME_MORE;
	remember(q, flow, version, &cid);
	return take_pieces(q, flow, cls_quic_version_of(version), &pieces, ret_name);
}

/* What a datagram says first; 0: it says none, or it is not known here. */
static uint32_t version_in(const uint8_t *datagram, size_t len)
{
	uint32_t version;

	if (len < 5)
		return 0;
	version = (datagram[0] & IS_LONG) != 0 ? (uint32_t)datagram[1] << 24 |
			(uint32_t)datagram[2] << 16 | (uint32_t)datagram[3] << 8 | datagram[4]
					       : cls_quic_google_version(datagram, len);
	return cls_quic_version_of(version) != NULL ? version : 0;
}

enum cls_name_step cls_quic_name(struct cls_quic *q, struct cls_quic_flow *flow,
	const uint8_t *datagram, size_t len, bool is_from_client, struct cls_name *ret_name)
{
	const uint8_t n_before = flow->n_packets;
	enum cls_name_step step = CLS_NAME_MORE;
	uint32_t version;

	if (!is_from_client)
		return CLS_NAME_MORE;
	if (n_before == CLS_QUIC_PACKETS_MAX)
		return CLS_NAME_NONE;
	version = version_in(datagram, len);
	if (version != 0 && cls_quic_version_of(version)->hello == CLS_QUIC_CHLO_CLEAR)
		step = take_clear(q, flow, version, datagram, len, ret_name);
	else if (version != 0)
		step = take_long(q, flow, datagram, len, ret_name);
	if (flow->version == 0)
		return CLS_NAME_NONE;
	if (flow->n_packets == n_before)
		flow->n_packets++;
	if (step == CLS_NAME_MORE && flow->n_packets == CLS_QUIC_PACKETS_MAX)
		return cls_quic_last(q, flow, ret_name);
	return step;
}
