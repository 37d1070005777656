// SPDX-License-Identifier: BSD-3-Clause
#include "tests/lib/payload.h"

static void append(struct payload *s, const void *bytes, size_t n)
{
	memcpy(s->bytes + s->len, bytes, n);
	s->len += n;
}

static void append_16(struct payload *s, size_t v)
{
	uint8_t b[2];

	wire_16(b, (uint32_t)v);
	append(s, b, sizeof(b));
}

static void append_random(struct payload *s, size_t n, struct wire_random *random)
{
	while (n-- > 0) {
		const uint8_t b = (uint8_t)wire_random(random);

		append(s, &b, 1);
	}
}

/* A length whose bytes follow: where it stands; closed with close_16(). */
static size_t open_16(struct payload *s)
{
	append(s, "\x00\x00", 2);
	return s->len;
}

static void close_16(struct payload *s, size_t at)
{
	wire_16(s->bytes + at - 2, (uint32_t)(s->len - at));
}

/* The beginning of a record with a handshake message in it. */
static size_t open_hello(struct payload *s, const char record[3], uint8_t type, size_t *ret_record)
{
	const uint8_t message[2] = {type, 0}; // and the rest of 24 bits

	append(s, record, 3);
	*ret_record = open_16(s);
	append(s, message, sizeof(message));
	return open_16(s);
}

static void append_server_name(struct payload *s)
{
	static const char name[] = "video.shop.example";

	append(s, "\x00\x00", 2);
	append_16(s, 5 + sizeof(name) - 1);
	append_16(s, 3 + sizeof(name) - 1);
	append(s, "\x00", 1);
	append_16(s, sizeof(name) - 1);
	append(s, name, sizeof(name) - 1);
}

/* With ciphers, groups and signatures as browsers offer them, padded to 512 bytes (RFC 7685). */
static void append_client_hello(struct payload *s, struct wire_random *random)
{
	enum { HELLO_BYTES = 517 };
	static const uint8_t ciphers[] = "\x00\x20\x13\x01\x13\x02\x13\x03\xc0\x2b\xc0\x2f\xc0\x2c"
					 "\xc0\x30\xcc\xa9\xcc\xa8\xc0\x13\xc0\x14\x00\x9c\x00\x9d"
					 "\x00\x2f\x00\x35\xc0\x09\x01";
	static const uint8_t before_share[] =
		"\x00\x17\x00\x00" // extended_master_secret
		"\xff\x01\x00\x01\x00" // renegotiation_info
		"\x00\x0a\x00\x08\x00\x06\x00\x1d\x00\x17\x00\x18" // supported_groups
		"\x00\x0b\x00\x02\x01\x00" // ec_point_formats
		"\x00\x23\x00\x00" // session_ticket
		"\x00\x10\x00\x0e\x00\x0c\x02h2\x08http/1.1" // ALPN
		"\x00\x05\x00\x05\x01\x00\x00\x00\x00" // status_request
		"\x00\x0d\x00\x12\x00\x10\x04\x03\x08\x04\x04\x01\x05\x03\x08\x05\x05\x01"
		"\x08\x06\x06\x01" // signature_algorithms
		"\x00\x12\x00\x00" // signed_certificate_timestamp
		"\x00\x33\x00\x26\x00\x24\x00\x1d\x00\x20"; // key_share, X25519
	static const uint8_t behind_share[] = "\x00\x2d\x00\x02\x01\x01" // psk_key_exchange_modes
					      "\x00\x2b\x00\x05\x04\x03\x04\x03\x03"; // versions
	static const uint8_t zeros[HELLO_BYTES];
	size_t record, extensions;
	const size_t message = open_hello(s, "\x16\x03\x01", 1, &record);

	append(s, "\x03\x03", 2);
	append_random(s, 32, random);
	append(s, "\x20", 1); // session id, RFC 8446 D.4
	append_random(s, 32, random);
	append(s, ciphers, sizeof(ciphers)); // and one way of no compression
	extensions = open_16(s);
	append_server_name(s);
	append(s, before_share, sizeof(before_share) - 1);
	append_random(s, 32, random);
	append(s, behind_share, sizeof(behind_share) - 1);
	append(s, "\x00\x15", 2);
	append_16(s, HELLO_BYTES - s->len - 2);
	append(s, zeros, HELLO_BYTES - s->len);
	close_16(s, extensions);
	close_16(s, message);
	close_16(s, record);
}

void payload_tls_record(uint8_t *bytes, size_t n)
{
	bytes[0] = 0x17;
	wire_16(bytes + 1, 0x0303);
	wire_16(bytes + 3, (uint32_t)(n - TLS_RECORD_BYTES));
}

/* ServerHello, change cipher spec (RFC 8446 D.4) and a record with the rest, which is encrypted. */
static void append_server_flight(struct payload *s, struct wire_random *random)
{
	size_t record;
	const size_t message = open_hello(s, "\x16\x03\x03", 2, &record);

	append(s, "\x03\x03", 2);
	append_random(s, 32, random);
	append(s, "\x20", 1);
	append_random(s, 32, random);
	append(s, "\x13\x01\x00\x00\x2e\x00\x2b\x00\x02\x03\x04\x00\x33\x00\x24\x00\x1d\x00\x20",
		19);
	append_random(s, 32, random);
	close_16(s, message);
	close_16(s, record);
	append(s, "\x14\x03\x03\x00\x01\x01", 6);
	payload_tls_record(s->bytes + s->len, PAYLOAD_MAX - s->len);
	s->len += TLS_RECORD_BYTES;
	append_random(s, PAYLOAD_MAX - s->len, random);
}

void payload_tls(struct payload *request, struct payload *answer, struct wire_random *random)
{
	append_client_hello(request, random);
	append_server_flight(answer, random);
}

void payload_dns(struct payload *query, struct payload *answer)
{
	static const uint8_t question[] = "\x03www\x04shop\x07"
					  "example\x00\x00\x01\x00\x01";

	append(query, "\x1a\x2b\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12);
	append(query, question, sizeof(question) - 1);
	append(answer, "\x1a\x2b\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00", 12);
	append(answer, question, sizeof(question) - 1);
	append(answer, "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x09", 16);
}

void payload_http(struct payload *request, struct payload *answer)
{
	static const char get[] = "GET /film/1 HTTP/1.1\r\nHost: www.shop.example\r\n"
				  "User-Agent: Mozilla/5.0\r\nAccept: */*\r\n\r\n";
	static const char found[] = "HTTP/1.1 200 OK\r\nServer: nginx\r\n"
				    "Content-Type: application/octet-stream\r\n"
				    "Content-Length: 100000000\r\n\r\n";

	append(request, get, sizeof(get) - 1);
	append(answer, found, sizeof(found) - 1);
}
