// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Opening Initial packets of a client (RFC 9001 5): their keys derive from a connection id, so that
 * anybody has them. One object per worker, its thread only; ciphers are fetched once, and what OpenSSL
 * allocates later is within its SHA-256 alone (3.0: 1 block per digest, freed at the next). */

#include "classifier/quic_version.h"

#include <stddef.h>
#include <sys/types.h>

enum {
	CLS_QUIC_CID_MAX = 20, // RFC 9000 17.2
	CLS_QUIC_TAG_BYTES = 16, // RFC 9001 5.3
};

struct cls_quic_cid {
	uint8_t len;
	uint8_t bytes[CLS_QUIC_CID_MAX]; // those from len on are 0
};

struct cls_quic_keys;

/* NULL: no memory, or the crypto library has none of AES-128-GCM, AES-128-ECB, SHA-256. */
struct cls_quic_keys *cls_quic_keys_new(void);
void cls_quic_keys_free(struct cls_quic_keys *k); // NULL is fine

/* packet[0..len): one Initial from its first byte to its tag; its packet number, hidden as yet, is at pn_off.
 * cid: the connection id that its client chose first. ret_plain: room for len bytes.
 * Returns how many bytes of frames were written, at least 1; -1: not of these keys. */
ssize_t cls_quic_keys_open(struct cls_quic_keys *k, const struct cls_quic_version *version,
	const struct cls_quic_cid *cid, const uint8_t *packet, size_t pn_off, size_t len,
	uint8_t *ret_plain);
