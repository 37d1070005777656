// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* ClientHellos for tests, made field by field; and records and datagrams around them. */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
	RIG_ROOM = 160 * 1024, // a hello in records of one byte each
	RIG_GREASE = 0x5a5a, // RFC 8701
	RIG_SERVER_NAME = 0,
	RIG_ECH = 0xfe0d,
	RIG_ESNI = 0xffce,
};

struct rig {
	uint8_t bytes[RIG_ROOM];
	size_t len;
	size_t message_at, extensions_at; // lengths to be closed
	size_t name_end; // behind the last name that was put
	bool is_dtls;
};

static inline void rig_put(struct rig *r, const void *bytes, size_t n)
{
	assert(n <= RIG_ROOM - r->len);
	if (n > 0)
		memcpy(r->bytes + r->len, bytes, n);
	r->len += n;
}

static inline void rig_fill(struct rig *r, int byte, size_t n)
{
	assert(n <= RIG_ROOM - r->len);
	memset(r->bytes + r->len, byte, n);
	r->len += n;
}

static inline void rig_number_at(struct rig *r, size_t at, size_t v, size_t n)
{
	for (size_t i = n; i-- > 0; v >>= 8)
		r->bytes[at + i] = (uint8_t)v;
}

static inline void rig_number(struct rig *r, size_t v, size_t n)
{
	rig_fill(r, 0, n);
	rig_number_at(r, r->len - n, v, n);
}

/* A length of n bytes of what follows until it is closed. */
static inline size_t rig_open(struct rig *r, size_t n)
{
	rig_fill(r, 0, n);
	return r->len;
}

static inline void rig_close(struct rig *r, size_t at, size_t n)
{
	rig_number_at(r, at - n, r->len - at, n);
}

/* From the handshake type on, until its extensions. n_cookie: of DTLS, -1 of TLS. */
static inline void rig_hello(struct rig *r, size_t version, int n_cookie)
{
	*r = (struct rig){.is_dtls = n_cookie >= 0};
	rig_number(r, 1, 1);
	r->message_at = rig_open(r, 3);
	if (n_cookie >= 0)
		rig_fill(r, 0, 8); // number, begin, length: rig_hello_end()
	rig_number(r, version, 2);
	rig_fill(r, 0xaa, 32);
	rig_number(r, 32, 1);
	rig_fill(r, 0xbb, 32);
	if (n_cookie >= 0) {
		rig_number(r, (size_t)n_cookie, 1);
		rig_fill(r, 0xcc, (size_t)n_cookie);
	}
	rig_number(r, 6, 2);
	rig_number(r, RIG_GREASE, 2);
	rig_number(r, 0x1301, 2);
	rig_number(r, 0xc02b, 2);
	rig_number(r, 0x0100, 2); // one compression: none
	r->extensions_at = rig_open(r, 2);
}

static inline void rig_hello_end(struct rig *r)
{
	const size_t n_more = r->is_dtls ? 8 : 0;

	rig_close(r, r->extensions_at, 2);
	rig_number_at(r, r->message_at - 3, r->len - r->message_at - n_more, 3);
	if (r->is_dtls)
		rig_number_at(r, r->message_at + 5, r->len - r->message_at - n_more, 3);
}

static inline void rig_extension(struct rig *r, size_t id, const void *data, size_t n)
{
	rig_number(r, id, 2);
	rig_number(r, n, 2);
	rig_put(r, data, n);
}

static inline void rig_name(struct rig *r, uint8_t kind, const void *name, size_t n)
{
	rig_number(r, kind, 1);
	rig_number(r, n, 2);
	rig_put(r, name, n);
	r->name_end = r->len;
}

static inline void rig_server_name_n(struct rig *r, const void *name, size_t n)
{
	rig_number(r, RIG_SERVER_NAME, 2);
	rig_number(r, n + 5, 2);
	rig_number(r, n + 3, 2);
	rig_name(r, 0, name, n);
}

static inline void rig_server_name(struct rig *r, const char *name)
{
	rig_server_name_n(r, name, strlen(name));
}

static inline void rig_ech(struct rig *r, uint8_t kind)
{
	const uint8_t data[12] = {kind, 0, 1, 0, 1, 42, 0, 0, 0, 2, 7, 7}; // RFC 9849 5

	rig_extension(r, RIG_ECH, data, kind == 0 ? sizeof(data) : 1);
}

/* A hello as browsers send it: of GREASE, a name, and other extensions. */
static inline void rig_browser(struct rig *r, const char *name)
{
	static const uint8_t some[40] = {0, 2, 0x5a, 0x5a};

	rig_hello(r, 0x0303, -1);
	rig_extension(r, RIG_GREASE, NULL, 0);
	rig_extension(r, 23, NULL, 0);
	rig_server_name(r, name);
	rig_extension(r, 43, (const uint8_t[]){4, 0x5a, 0x5a, 3, 4}, 5);
	rig_extension(r, 51, some, sizeof(some));
	rig_extension(r, 0x0a0a, some, 1);
	rig_hello_end(r);
}

/* message in records of `step` bytes of content. */
static inline void rig_records(struct rig *r, const struct rig *message, size_t step)
{
	*r = (struct rig){0};
	for (size_t at = 0; at < message->len; at += step) {
		const size_t left = message->len - at, n = left < step ? left : step;

		rig_number(r, 22, 1);
		rig_number(r, at == 0 ? 0x0301 : 0x0303, 2);
		rig_number(r, n, 2);
		rig_put(r, message->bytes + at, n);
	}
}

/* message in one record of DTLS. */
static inline void rig_datagram(struct rig *r, const struct rig *message, size_t version)
{
	*r = (struct rig){0};
	rig_number(r, 22, 1);
	rig_number(r, version, 2);
	rig_number(r, 0, 2 + 6); // epoch, sequence number
	rig_number(r, message->len, 2);
	rig_put(r, message->bytes, message->len);
}
