// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Where what stands in a TLS or DTLS hello (RFC 8446 4.1.2, RFC 6347 4.2.1). Inline: it is done for each
 * hello that the library sees. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CLS_CLIENT_HELLO = 1, // RFC 8446 4
	CLS_SERVER_HELLO = 2,
	CLS_HELLO_HEADER = 4, // of a handshake message: type, length
	CLS_HELLO_FIXED = 34, // version, random
	CLS_SESSION_MAX = 32,
	CLS_EXTENSION_HEADER = 4, // number, length
};

enum cls_extension {
	CLS_EXTENSION_SERVER_NAME = 0,
	CLS_EXTENSION_POINT_FORMATS = 11,
	CLS_EXTENSION_SIGNATURE_ALGORITHMS = 13,
	CLS_EXTENSION_ALPN = 16,
	CLS_EXTENSION_EXTENDED_MASTER_SECRET = 23, // the library does nothing with it
	CLS_EXTENSION_SUPPORTED_VERSIONS = 43,
	CLS_EXTENSION_KEY_SHARE = 51,
	CLS_EXTENSION_QUIC_PARAMETERS = 57,
	CLS_EXTENSION_ENCRYPTED_HELLO = 0xfe0d, // RFC 9849 11.1
	CLS_EXTENSION_QUIC_PARAMETERS_DRAFT = 0xffa5,
	CLS_EXTENSION_ENCRYPTED_NAME_DRAFT = 0xffce, // draft-ietf-tls-esni-06 and before
};

static inline size_t cls_get_16(const uint8_t *p)
{
	return (size_t)p[0] << 8 | p[1];
}

/* Where in a ClientHello of len bytes the length of its extensions stands, when its session id stands at `at`;
 * 0: not within len. Nothing is said of the bytes before it. has_cookie: as DTLS has. */
static inline size_t cls_hello_extensions(
	const uint8_t *hello, size_t len, size_t at, bool has_cookie)
{
	if (at >= len)
		return 0;
	at += 1 + (size_t)hello[at]; // session
	if (has_cookie) {
		if (at >= len)
			return 0;
		at += 1 + (size_t)hello[at];
	}
	if (at + 2 > len)
		return 0;
	at += 2 + cls_get_16(hello + at); // ciphers
	if (at >= len)
		return 0;
	at += 1 + (size_t)hello[at]; // compression
	return at + 2 > len ? 0 : at;
}
