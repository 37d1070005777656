// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/tls_name.h"

#include "classifier/hello_walk.h"
#include "classifier/join.h"

enum {
	HANDSHAKE = 22, // RFC 8446 5.1
	TLS_MAJOR = 3,
	RECORD_HEADER = 5, // type, version, length
	RECORD_MAX = 16384,
	SESSION_AT = CLS_HELLO_HEADER + CLS_HELLO_FIXED,

	DTLS_MAJOR = 0xfe, // RFC 6347 4.1, RFC 9147 4: 1.0 is 0xfeff, 1.2 and 1.3 are 0xfefd here
	DTLS_RECORD_HEADER = 13, // RFC 6347 4.1: type, version, epoch, sequence number, length
	DTLS_HEADER = 12, // RFC 6347 4.2.2: with message number, fragment's begin and length

	HOST_NAME = 0, // RFC 6066 3
	OUTER_HELLO = 0, // RFC 9849 5; an inner one (1) is only ever seen decrypted
};

static size_t get_24(const uint8_t *p)
{
	return (size_t)p[0] << 16 | cls_get_16(p + 1);
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* --- extensions ------------------------------------------------------------------------------ */

/* The first host name of the list counts. Each kind of name begins with its length (RFC 6066 3). */
static void read_server_name(struct cls_name *name, const uint8_t *data, size_t len)
{
	size_t end, n;

	if (len < 2 || name->host[0] != '\0')
		return;
	end = 2 + smaller(cls_get_16(data), len - 2);
	for (size_t at = 2; end - at >= 3; at += 3 + n) {
		n = cls_get_16(data + at + 1);
		if (n > end - at - 3)
			return;
		if (data[at] == HOST_NAME) {
			(void)cls_name_set(name, data + at + 3, n); // invalid: as if none
			return;
		}
	}
}

static void read_extension(struct cls_name *name, size_t id, const uint8_t *data, size_t len)
{
	if (id == CLS_EXTENSION_SERVER_NAME)
		read_server_name(name, data, len);
	else if (id == CLS_EXTENSION_ENCRYPTED_HELLO)
		name->has_ech |= len > 0 && data[0] == OUTER_HELLO;
	else if (id == CLS_EXTENSION_ENCRYPTED_NAME_DRAFT)
		name->has_ech = true;
}

/* What stands in hello[0..len), up to where a length leads beyond it. */
static enum cls_name_step read_hello(const uint8_t *hello, size_t len, size_t session_at,
	bool has_cookie, struct cls_name *ret_name)
{
	struct cls_name name = {0};
	size_t at = cls_hello_extensions(hello, len, session_at, has_cookie);

	if (at == 0)
		return CLS_NAME_NONE;
	len = smaller(len, at + 2 + cls_get_16(hello + at));
	for (at += 2; len - at >= CLS_EXTENSION_HEADER;) {
		const size_t id = cls_get_16(hello + at), claimed = cls_get_16(hello + at + 2);

		at += CLS_EXTENSION_HEADER;

		const size_t n = smaller(claimed, len - at);

		read_extension(&name, id, hello + at, n);
		at += n;
	}
	if (name.host[0] == '\0' && !name.has_ech)
		return CLS_NAME_NONE;
	*ret_name = name;
	return CLS_NAME_FOUND;
}

/* --- TLS ------------------------------------------------------------------------------------- */

/* Whether hello[0..len) may become a ClientHello. */
static bool can_be_hello(const uint8_t *hello, size_t len)
{
	return (len < 1 || hello[0] == CLS_CLIENT_HELLO) &&
		(len <= CLS_HELLO_HEADER || hello[CLS_HELLO_HEADER] == TLS_MAJOR) &&
		(len <= SESSION_AT || hello[SESSION_AT] <= CLS_SESSION_MAX);
}

/* Bytes of the message that begins with hello[0..len), more than there are while its length is not there. */
static size_t length_of(const uint8_t *hello, size_t len)
{
	return len < CLS_HELLO_HEADER ? CLS_HELLO_HEADER : CLS_HELLO_HEADER + get_24(hello + 1);
}

enum cls_name_step cls_hello_name(
	const uint8_t *hello, size_t len, bool is_last, struct cls_name *ret_name)
{
	const size_t wanted = length_of(hello, len);

	if (!can_be_hello(hello, len))
		return CLS_NAME_NONE;
	if (len < wanted && !is_last)
		return CLS_NAME_MORE;
	return read_hello(hello, smaller(len, wanted), SESSION_AT, false, ret_name);
}

/* Whether p[0..left) may begin a record of a hello; *ret_len: of what is there of its content. */
static bool can_be_record(const uint8_t *p, size_t left, size_t *ret_len)
{
	*ret_len = 0;
	if ((left > 0 && p[0] != HANDSHAKE) || (left > 1 && p[1] != TLS_MAJOR))
		return false;
	if (left < RECORD_HEADER)
		return true;

	const size_t claimed = cls_get_16(p + 3);

	*ret_len = smaller(claimed, left - RECORD_HEADER);
	return claimed > 0 && claimed <= RECORD_MAX;
}

/* A hello that goes on behind its first record. */
static enum cls_name_step read_records(
	const uint8_t *stream, size_t len, bool is_last, struct cls_name *ret_name)
{
	uint8_t hello[CLS_JOIN_BYTES];
	size_t n_hello = 0, n;

	for (size_t at = 0;
		at < len && n_hello < smaller(length_of(hello, n_hello), sizeof(hello));) {
		if (!can_be_record(stream + at, len - at, &n))
			return CLS_NAME_NONE;
		at = smaller(at + RECORD_HEADER, len);
		n = smaller(n, sizeof(hello) - n_hello);
		memcpy(hello + n_hello, stream + at, n);
		n_hello += n;
		at += n;
	}
	return cls_hello_name(hello, n_hello, is_last || n_hello == sizeof(hello), ret_name);
}

enum cls_name_step cls_tls_name(
	const uint8_t *stream, size_t len, bool is_last, struct cls_name *ret_name)
{
	const uint8_t *hello = stream + smaller(RECORD_HEADER, len);
	size_t n;

	if (!can_be_record(stream, len, &n))
		return CLS_NAME_NONE;
	// Nearly all stand in one record: nothing is copied then.
	if (n == len - (size_t)(hello - stream) || n >= length_of(hello, n))
		return cls_hello_name(hello, n, is_last, ret_name);
	return read_records(stream, len, is_last, ret_name);
}

/* --- DTLS ------------------------------------------------------------------------------------ */

enum cls_name_step cls_dtls_name(const uint8_t *datagram, size_t len, struct cls_name *ret_name)
{
	const uint8_t *hello = datagram + DTLS_RECORD_HEADER;

	if (len < DTLS_RECORD_HEADER + DTLS_HEADER + CLS_HELLO_FIXED)
		return CLS_NAME_NONE;

	const size_t n_record = cls_get_16(datagram + 11), n_hello = get_24(hello + 1);
	const bool is_plain = cls_get_16(datagram + 3) == 0; // epoch
	const bool is_whole = get_24(hello + 6) == 0 && get_24(hello + 9) == n_hello;

	if (datagram[0] != HANDSHAKE || datagram[1] != DTLS_MAJOR || !is_plain ||
		n_record > len - DTLS_RECORD_HEADER || hello[0] != CLS_CLIENT_HELLO || !is_whole ||
		DTLS_HEADER + n_hello > n_record || hello[DTLS_HEADER] != DTLS_MAJOR)
		return CLS_NAME_NONE;
	return read_hello(
		hello, DTLS_HEADER + n_hello, DTLS_HEADER + CLS_HELLO_FIXED, true, ret_name);
}
