// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The first packets of a QUIC connection as a client writes them: encrypted with OpenSSL's own HKDF and
 * salts written down again here, so that nothing is shared with what reads them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	QUIC_WIRE_MAX = 65536, // bytes of a datagram
	QUIC_WIRE_CID_MAX = 20,
	QUIC_WIRE_HEADER_MAX = 64, // and the token
};

/* All 0: version 1 is to be said, the connection ids are empty, packet number 0 has one byte. */
struct quic_wire {
	uint32_t version;
	uint8_t dcid[QUIC_WIRE_CID_MAX], scid[QUIC_WIRE_CID_MAX];
	uint8_t dcid_len, scid_len;
	const struct quic_wire *keys; // whose connection id the keys derive from; NULL: its own
	const uint8_t *token;
	size_t token_len;
	uint32_t pn;
	uint8_t pn_len; // 1 to 4; 0 is 1
	uint8_t reserved; // RFC 9000 17.2, 2 bits
	bool is_handshake; // that type, and the keys of an Initial all the same
};

/* Write the packet with frames[0..len) to ret, which has QUIC_WIRE_MAX bytes; its length. Aborts where OpenSSL fails.
 * len: with the packet number at least 4 (RFC 9001 5.4.2). */
size_t quic_wire_initial(
	const struct quic_wire *w, const uint8_t *frames, size_t len, uint8_t *ret);

/* A CRYPTO frame (RFC 9000 19.6; type 6, Google's is 8) to ret; its length. */
size_t quic_wire_crypto(
	uint8_t type, uint64_t offset, const uint8_t *bytes, size_t len, uint8_t *ret);

/* RFC 9000 16; n: 1, 2, 4 or 8 bytes, 0: as few as will do. */
size_t quic_wire_varint(uint64_t v, size_t n, uint8_t *ret);

/* A packet of Google's Q024 to Q046 with frames[0..len): number 43 is Q043. */
size_t quic_wire_clear(uint32_t number, const uint8_t cid[8], uint32_t pn, const uint8_t *frames,
	size_t len, uint8_t *ret);

/* Google's hello with a name (NULL: none) and n_pad bytes of padding before it. */
size_t quic_wire_chlo(const char *name, size_t n_pad, uint8_t *ret);

/* FNV-1a of 128 bits (RFC 9923), most significant byte first. */
void quic_wire_hash(const uint8_t *bytes, size_t len, uint8_t ret[16]);
