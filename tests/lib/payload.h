// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the ends of a flow say first, so that a classifier knows it: of names that nobody has (RFC 2606). */

#include "tests/lib/wire.h"

enum { PAYLOAD_MAX = 1400 };

struct payload {
	uint8_t bytes[PAYLOAD_MAX];
	size_t len;
};

/* Both are empty before. */

/* A ClientHello of TLS 1.3 (RFC 8446 4.1.2) with a server_name (RFC 6066 3), the beginning of what follows. */
void payload_tls(struct payload *request, struct payload *answer, struct wire_random *random);
/* RFC 9112. */
void payload_http(struct payload *request, struct payload *answer);
/* RFC 1035 4.1. */
void payload_dns(struct payload *request, struct payload *answer);
