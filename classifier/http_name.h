// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The host of an HTTP/1 request (RFC 9112 3.2): of an absolute target, else of the Host field. Of CONNECT
 * the target.
 *
 * Pure; any thread. Input is hostile, any length. *ret_name is written on FOUND only. */

#include "classifier/name.h"

#include <stddef.h>

/* A client's side of a TCP connection from its first byte. MORE while the header section goes on without one;
 * NONE as soon as the bytes are no request, it ends without, or it goes on for more lines than servers take. What is
 * decided stays so whatever follows. The first Host field counts; where one goes on in the next line there is none.
 * The name is without its port; an address in brackets stays in them. Names with bytes that no host has (RFC 3986
 * 3.2.2) are NONE. */
enum cls_name_step cls_http_name(const uint8_t *stream, size_t len, struct cls_name *ret_name);
