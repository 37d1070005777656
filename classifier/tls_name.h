// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The server name of a TLS ClientHello (RFC 8446 4.1.2, RFC 6066 3, RFC 9849).
 *
 * FOUND is a hello with a name, or with an encrypted one and host "". The first host name counts. A hello whose lengths
 * contradict each other is read up to there: its server refuses it, and what it asked for is known.
 *
 * Pure; any thread. Input is hostile, any length. *ret_name is written on FOUND only. */

#include "classifier/name.h"

#include <stddef.h>

/* A client's side of a TCP connection from its first byte: records (RFC 8446 5.1) with a ClientHello in
 * them, which may go over several, also of 1 byte. MORE while the hello is not whole; NONE as soon as the bytes cannot
 * begin one. is_last: no more will come; then what stands in the part that is there counts. */
enum cls_name_step cls_tls_name(
	const uint8_t *stream, size_t len, bool is_last, struct cls_name *ret_name);

/* A handshake message without records, as in QUIC's CRYPTO frames; from its type on. */
enum cls_name_step cls_hello_name(
	const uint8_t *hello, size_t len, bool is_last, struct cls_name *ret_name);

/* A DTLS ClientHello in one datagram (RFC 6347 4.2, RFC 9147 5.2; fragments of one are NONE). */
enum cls_name_step cls_dtls_name(const uint8_t *datagram, size_t len, struct cls_name *ret_name);
