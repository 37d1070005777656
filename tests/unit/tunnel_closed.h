// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Tunnels that stay closed, and why: what a change of a header leads to. */

#include "tests/unit/tunnel_shapes.h"

/* One change of one tunnel. */
struct tunnel_change {
	const char *shape; // a name of tunnel_shapes
	int off; // where, from the tunnel's own first byte
	const char *bytes; // n of them replace what is there
	uint32_t n;
	const char *refusal; // "gre unsupported"; NULL: it is opened all the same
};

/* Hold each change against the tunnel around IPv4 (around IPv6 where it carries nothing else).
 * Refused, the frame is described as what carries the tunnel, to the byte. walk_check_teardown() names
 * the change that failed. */
void tunnel_check_changes(const struct tunnel_change *changes, size_t n_changes);

/* Of a tunnel the wire had only the first n bytes of its own header; the lengths of what carries it
 * are right. For each n < header_len it is refused as malformed. */
void tunnel_check_short(const char *shape, uint32_t header_len, const char *refusal);
