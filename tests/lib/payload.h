// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the ends of a flow say first, so that a classifier knows it: of names that nobody has (RFC 2606). */

#include "tests/lib/wire.h"

enum { PAYLOAD_MAX = 1400, TLS_RECORD_BYTES = 5 };

struct payload {
	uint8_t bytes[PAYLOAD_MAX];
	size_t len;
};

/* Both are empty before. */

/* TLS 1.3 as browsers and servers speak it: a ClientHello (RFC 8446 4.1.2) with a server_name (RFC 6066 3);
 * ServerHello and what follows it in the same segment. */
void payload_tls(struct payload *request, struct payload *answer, struct wire_random *random);
/* Make of n bytes a record of application data (RFC 8446 5.1), its header included; n > TLS_RECORD_BYTES. */
void payload_tls_record(uint8_t *bytes, size_t n);
/* RFC 9112. */
void payload_http(struct payload *request, struct payload *answer);
/* RFC 1035 4.1. */
void payload_dns(struct payload *request, struct payload *answer);
