// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/hello.h"

#include "classifier/hello_walk.h"

#include <string.h>

enum {
	TLS_1_2 = 0x0303, // what 1.3 calls itself there
	TLS_1_3 = 0x0304,
	CIPHER_FIRST = 0x1301, // RFC 8446 B.4
	CIPHER_LAST = 0x1305,
	FIXED_BYTES = CLS_HELLO_HEADER + CLS_HELLO_FIXED,
	POINT_FORMATS = CLS_HELLO_EXTRA - CLS_EXTENSION_HEADER -
		1, // one more than nDPI 4.2 has room for
};

static void put_16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Where the length of the extensions stands, 0 when they do not reach just to the end. */
static size_t extensions_of(const uint8_t *hello, size_t len)
{
	size_t at;

	if (len <= FIXED_BYTES || hello[0] != CLS_CLIENT_HELLO || hello[1] != 0 ||
		cls_get_16(hello + 2) != len - CLS_HELLO_HEADER)
		return 0;
	at = cls_hello_extensions(hello, len, FIXED_BYTES, false);
	return at != 0 && cls_get_16(hello + at) == len - at - 2 ? at : 0;
}

/* Whether the library stays within the extension while it reads it. */
static bool is_closed(size_t id, const uint8_t *data, size_t len, bool has_long_params)
{
	switch (id) {
	case CLS_EXTENSION_SERVER_NAME:
		return len >= 5 && 5 + cls_get_16(data + 3) <= len;
	case CLS_EXTENSION_ALPN:
		return len >= 2 && 2 + cls_get_16(data) <= len;
	case CLS_EXTENSION_QUIC_PARAMETERS:
	case CLS_EXTENSION_QUIC_PARAMETERS_DRAFT:
		return !has_long_params || (len >= 2 && 2 + cls_get_16(data) <= len);
	case CLS_EXTENSION_ENCRYPTED_NAME_DRAFT:
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

		if (left < CLS_EXTENSION_HEADER || cls_get_16(p + 2) > left - CLS_EXTENSION_HEADER)
			return false;

		const size_t id = cls_get_16(p), len = cls_get_16(p + 2);

		if (!is_closed(id, p + CLS_EXTENSION_HEADER, len, has_long_params))
			return false;
		if (id == CLS_EXTENSION_SIGNATURE_ALGORITHMS ||
			id == CLS_EXTENSION_SUPPORTED_VERSIONS)
			put_16(p, CLS_EXTENSION_EXTENDED_MASTER_SECRET);
		p += CLS_EXTENSION_HEADER + len;
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
	put_16(buf + 2, len - CLS_HELLO_HEADER + CLS_HELLO_EXTRA);
	put_16(buf + at, cls_get_16(buf + at) + CLS_HELLO_EXTRA);
	put_16(formats, CLS_EXTENSION_POINT_FORMATS);
	put_16(formats + 2, POINT_FORMATS + 1);
	memset(formats + CLS_EXTENSION_HEADER, 0, POINT_FORMATS + 1);
	return len + CLS_HELLO_EXTRA;
}

bool cls_hello_is_server_13(const uint8_t *hello, size_t len, uint16_t *ret_cipher)
{
	bool is_13 = false;
	size_t at = FIXED_BYTES;

	if (len <= at || hello[0] != CLS_SERVER_HELLO || hello[1] != 0 ||
		cls_get_16(hello + 2) != len - CLS_HELLO_HEADER ||
		cls_get_16(hello + 4) != TLS_1_2 || hello[at] > CLS_SESSION_MAX)
		return false;
	at += 1 + (size_t)hello[at];
	if (at + 5 > len || cls_get_16(hello + at + 3) != len - at - 5)
		return false;
	*ret_cipher = (uint16_t)cls_get_16(hello + at);
	if (*ret_cipher < CIPHER_FIRST || *ret_cipher > CIPHER_LAST)
		return false;
	for (at += 5; at < len; at += CLS_EXTENSION_HEADER + cls_get_16(hello + at + 2)) {
		const size_t left = len - at;

		if (left < CLS_EXTENSION_HEADER ||
			cls_get_16(hello + at + 2) > left - CLS_EXTENSION_HEADER)
			return false;
		if (cls_get_16(hello + at) == CLS_EXTENSION_SUPPORTED_VERSIONS)
			is_13 = cls_get_16(hello + at + 2) == 2 &&
				cls_get_16(hello + at + CLS_EXTENSION_HEADER) == TLS_1_3;
		else if (cls_get_16(hello + at) != CLS_EXTENSION_KEY_SHARE)
			return false;
	}
	return is_13;
}
