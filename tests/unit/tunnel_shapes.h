// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Each kind of tunnel the walker opens, in each form, around whatever IP packet stands in front. */

#include "tests/unit/frame.h"

#include <stddef.h>

/* Addresses: of what is inside, of the tunnel's ends. By the side that sends. */
extern const char TUNNEL_V4[2][16], TUNNEL_V6[2][32];
extern const char TUNNEL_OUTER_V4[2][16], TUNNEL_OUTER_V6[2][32];

enum {
	TUNNEL_AROUND_V4 = 1 << 0,
	TUNNEL_AROUND_V6 = 1 << 1,
	TUNNEL_AROUND_BOTH = TUNNEL_AROUND_V4 | TUNNEL_AROUND_V6,
};

struct tunnel_shape {
	const char *name;
	/* Put the tunnel's headers and the IP header of what carries it (TUNNEL_OUTER) in front. from:
	 * the side that sends; each has its own network, key or session. */
	void (*wrap)(struct frame *f, int from);
	uint32_t encaps; // set of enum dp_encap
	uint8_t around; // TUNNEL_AROUND_*
	uint16_t ports[2]; // of what carries it, source and destination of side 0; 0 without
	bool is_guessed; // known by its port only
};

extern const struct tunnel_shape tunnel_shapes[];
extern const size_t n_tunnel_shapes;

/* UDP with five bytes in an IPv4 or IPv6 packet between side `from`, port 50000, and the other one,
 * port 53. */
void tunnel_inside(struct frame *f, int from, bool is_v6);

/* The same in the tunnel. */
void tunnel_build(const struct tunnel_shape *s, struct frame *f, int from, bool is_v6);

/* The shape of that name; it must be there. */
const struct tunnel_shape *tunnel_named(const char *name);

bool tunnel_is_around(const struct tunnel_shape *s, bool is_v6);
