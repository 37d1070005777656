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

void payload_tls(struct payload *s, struct payload *answer, struct wire_random *random)
{
	static const char name[] = "video.shop.example";
	const size_t name_len = sizeof(name) - 1;
	const size_t extensions_len = 4 + 5 + name_len + 7;
	const size_t body_len = 2 + 32 + 1 + 4 + 2 + 2 + extensions_len;

	append(s, "\x16\x03\x01", 3);
	append_16(s, 4 + body_len);
	append(s, "\x01\x00", 2);
	append_16(s, body_len);
	append(s, "\x03\x03", 2);
	for (int i = 0; i < 16; i++)
		append_16(s, wire_random(random) & 0xffff);
	append(s, "\x00\x00\x02\x13\x01\x01\x00", 7);
	append_16(s, extensions_len);
	append(s, "\x00\x00", 2);
	append_16(s, 5 + name_len);
	append_16(s, 3 + name_len);
	append(s, "\x00", 1);
	append_16(s, name_len);
	append(s, name, name_len);
	append(s, "\x00\x2b\x00\x03\x02\x03\x04", 7);
	append(answer, "\x14\x03\x03\x00\x01\x01\x17\x03\x03\x04\x00", 11);
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
