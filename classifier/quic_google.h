// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Google's QUIC before the IETF's: headers, frames and a hello (CHLO) of its own. In versions up to Q046 the
 * hello is not encrypted; its packet ends no check but a hash. Read here as of Q024.
 *
 * Pure; any thread. Input is hostile, any length. */

#include "classifier/name.h"
#include "classifier/quic_packet.h"

/* Where a packet says its version when it is one of Q043 or older, with a short header of their own; 0: nowhere. */
uint32_t cls_quic_google_version(const uint8_t *packet, size_t len);

/* The handshake of one packet that is not encrypted. Returns false for what is none, or has another hash. */
bool cls_quic_google_read(const uint8_t *packet, size_t len, uint32_t version,
	struct cls_quic_cid *ret_cid, struct cls_quic_pieces *ret);

/* The handshake in frames of Q050, T050 and T051, which were decrypted. */
bool cls_quic_google_frames(const uint8_t *frames, size_t len, struct cls_quic_pieces *ret);

/* As cls_hello_name(), of a CHLO. */
enum cls_name_step cls_quic_chlo_name(
	const uint8_t *hello, size_t len, bool is_last, struct cls_name *ret_name);
