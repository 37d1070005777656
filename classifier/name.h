// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What a look for a name came to. Shared by the readers of TLS, QUIC and HTTP. */

#include "dataplane/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cls_name_step {
	CLS_NAME_MORE, // it may still come: show the next bytes
	CLS_NAME_FOUND, // *name is complete
	CLS_NAME_NONE, // there is none, or this is no such protocol
};

/* A server name as it was said. */
struct cls_name {
	char host
		[DP_HOST_MAX]; // as on the wire, NUL-terminated, no NUL inside; a longer one keeps its tail; "": none
	bool has_ech; // the hello carries another one, encrypted (RFC 9849, extension 0xfe0d): host is the outer name
};

/* Take host[0..len) as the name, its tail when it is longer than there is room. Returns false for what is none:
 * no byte, or a NUL among them. Then the name stays as it was. */
bool cls_name_set(struct cls_name *name, const uint8_t *host, size_t len);
