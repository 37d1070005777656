// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Packets of RFC 9000 as far as a hello needs them: long headers, and the frames of Initials.
 *
 * Pure; any thread. Input is hostile, any length. */

#include "classifier/quic_keys.h"

enum {
	CLS_QUIC_PIECES_MAX = 64
}; // of one packet that are looked at; twice those that a join keeps apart

/* A part of the stream with the hello. */
struct cls_quic_piece {
	uint64_t offset;
	const uint8_t *bytes; // borrowed from the frames
	size_t len; // at least 1
};

struct cls_quic_pieces {
	size_t n;
	struct cls_quic_piece at[CLS_QUIC_PIECES_MAX]; // as they came
};

/* The next one, at offset; left out when it is empty or there is no room. */
void cls_quic_piece_add(
	struct cls_quic_pieces *pieces, uint64_t offset, const uint8_t *bytes, size_t len);

struct cls_quic_header {
	const struct cls_quic_version *version;
	uint32_t version_number; // as on the wire
	struct cls_quic_cid dcid;
	bool is_initial;
	size_t pn_off; // where the packet number is; of an Initial
	size_t len; // of the whole packet; 0: it is not all there, or none that is encrypted
};

/* The packet at the beginning of packet[0..len), behind which others may come (RFC 9000 12.2). Returns
 * false when that is none with a long header of a version known here. */
bool cls_quic_header_read(const uint8_t *packet, size_t len, struct cls_quic_header *ret);

/* The CRYPTO frames of an Initial that was opened. Returns false for what an Initial must not have (RFC
 * 9000 12.4), or frames that are cut: a server ends such a connection. */
bool cls_quic_frames_read(const uint8_t *frames, size_t len, struct cls_quic_pieces *ret);
