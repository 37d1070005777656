// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/hello.h"

#include <string.h>

enum {
	CLIENT_HELLO = 1, // RFC 8446 4
	SERVER_HELLO = 2,
	SESSION_MAX = 32,
	TLS_1_2 = 0x0303, // what 1.3 calls itself there
	TLS_1_3 = 0x0304,
	CIPHER_FIRST = 0x1301, // RFC 8446 B.4
	CIPHER_LAST = 0x1305,
	FIXED_BYTES = 38, // type, length, version, random
	HEADER_BYTES = 4, // of an extension, and of a message
	POINT_FORMATS = CLS_HELLO_EXTRA - HEADER_BYTES - 1, // one more than nDPI 4.2 has room for
};

enum extension {
	SERVER_NAME = 0,
	EC_POINT_FORMATS = 11,
	SIGNATURE_ALGORITHMS = 13,
	ALPN = 16,
	EXTENDED_MASTER_SECRET = 23, // the library does nothing with it
	SUPPORTED_VERSIONS = 43,
	KEY_SHARE = 51,
	QUIC_PARAMETERS = 57,
	QUIC_PARAMETERS_DRAFT = 65445,
	ENCRYPTED_NAME_DRAFT = 65486,
};

static size_t get_16(const uint8_t *p)
{
	return (size_t)p[0] << 8 | p[1];
}

static void put_16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Where the length of the extensions stands, 0 when they do not reach just to the end. */
static size_t extensions_of(const uint8_t *hello, size_t len)
{
	size_t at = FIXED_BYTES;

	if (len <= at || hello[0] != CLIENT_HELLO || hello[1] != 0 ||
		get_16(hello + 2) != len - HEADER_BYTES)
		return 0;
	at += 1 + (size_t)hello[at]; // session
	if (at + 2 > len)
		return 0;
	at += 2 + get_16(hello + at); // ciphers
	if (at + 1 > len)
		return 0;
	at += 1 + (size_t)hello[at]; // compression
	if (at + 2 > len || get_16(hello + at) != len - at - 2)
		return 0;
	return at;
}

/* Whether the library stays within the extension while it reads it. */
static bool is_closed(size_t id, const uint8_t *data, size_t len, bool has_long_params)
{
	switch (id) {
	case SERVER_NAME:
		return len >= 5 && 5 + get_16(data + 3) <= len;
	case ALPN:
		return len >= 2 && 2 + get_16(data) <= len;
	case QUIC_PARAMETERS:
	case QUIC_PARAMETERS_DRAFT:
		return !has_long_params || (len >= 2 && 2 + get_16(data) <= len);
	case ENCRYPTED_NAME_DRAFT:
		return false;
	default:
		return true;
	}
}

/* Give what is only printed another number; false when the extensions cannot be followed. */
static bool quieten(uint8_t *p, const uint8_t *end, bool has_long_params)
{
	while (p < end) {
		const size_t left = (size_t)(end - p);

		if (left < HEADER_BYTES || get_16(p + 2) > left - HEADER_BYTES)
			return false;

		const size_t id = get_16(p), len = get_16(p + 2);

		if (!is_closed(id, p + HEADER_BYTES, len, has_long_params))
			return false;
		if (id == SIGNATURE_ALGORITHMS || id == SUPPORTED_VERSIONS)
			put_16(p, EXTENDED_MASTER_SECRET);
		p += HEADER_BYTES + len;
	}
	return true;
}

size_t cls_hello_rewrite(const uint8_t *hello, size_t len, bool has_long_params,
	uint8_t buf[CLS_HELLO_MAX + CLS_HELLO_EXTRA])
{
	const size_t at = len <= CLS_HELLO_MAX ? extensions_of(hello, len) : 0;
	uint8_t *formats = buf + len;

	if (at == 0)
		return 0;
	memcpy(buf, hello, len);
	if (!quieten(buf + at + 2, buf + len, has_long_params))
		return 0;
	put_16(buf + 2, len - HEADER_BYTES + CLS_HELLO_EXTRA);
	put_16(buf + at, get_16(buf + at) + CLS_HELLO_EXTRA);
	put_16(formats, EC_POINT_FORMATS);
	put_16(formats + 2, POINT_FORMATS + 1);
	memset(formats + HEADER_BYTES, 0, POINT_FORMATS + 1);
	return len + CLS_HELLO_EXTRA;
}

bool cls_hello_is_server_13(const uint8_t *hello, size_t len, uint16_t *ret_cipher)
{
	bool is_13 = false;
	size_t at = FIXED_BYTES;

	if (len <= at || hello[0] != SERVER_HELLO || hello[1] != 0 ||
		get_16(hello + 2) != len - HEADER_BYTES || get_16(hello + 4) != TLS_1_2 ||
		hello[at] > SESSION_MAX)
		return false;
	at += 1 + (size_t)hello[at];
	if (at + 5 > len || get_16(hello + at + 3) != len - at - 5)
		return false;
	*ret_cipher = (uint16_t)get_16(hello + at);
	if (*ret_cipher < CIPHER_FIRST || *ret_cipher > CIPHER_LAST)
		return false;
	for (at += 5; at < len; at += HEADER_BYTES + get_16(hello + at + 2)) {
		const size_t left = len - at;

		if (left < HEADER_BYTES || get_16(hello + at + 2) > left - HEADER_BYTES)
			return false;
		if (get_16(hello + at) == SUPPORTED_VERSIONS)
			is_13 = get_16(hello + at + 2) == 2 &&
				get_16(hello + at + HEADER_BYTES) == TLS_1_3;
		else if (get_16(hello + at) != KEY_SHARE)
			return false;
	}
	return is_13;
}
