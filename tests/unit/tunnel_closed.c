// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/tunnel_closed.h"

#include "tests/unit/walk_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>

/* Where the tunnel's own first byte is: behind IP and UDP headers. */
static uint32_t tunnel_off(const struct tunnel_shape *s, struct frame *f)
{
	const uint8_t *p = frame_bytes(f);

	assert_int_equal(p[0], 0x45); // options and IPv6 are walk_tunnels.c's
	return 20 + (s->ports[1] != 0 ? 8 : 0);
}

static void check_carrier(const struct tunnel_shape *s, struct frame *f, const char *refusal)
{
	const struct walk_want want = {
		.src = TUNNEL_OUTER_V4[0],
		.dst = TUNNEL_OUTER_V4[1],
		.sport = s->ports[0],
		.dport = s->ports[1],
		.proto = frame_bytes(f)[9],
		.n_ip = 1,
		.ip_bytes = frame_len(f),
		.refusal = refusal,
	};

	walk_check_found(frame_bytes(f), frame_len(f), DP_LINK_RAW_IP, &want);
}

static void check_change(const struct tunnel_change *c)
{
	const struct tunnel_shape *s = tunnel_named(c->shape);
	const bool is_v6 = !tunnel_is_around(s, false);
	const struct walk_want opened = {
		.src = is_v6 ? TUNNEL_V6[0] : TUNNEL_V4[0],
		.dst = is_v6 ? TUNNEL_V6[1] : TUNNEL_V4[1],
		.sport = 50000,
		.dport = 53,
		.proto = IPPROTO_UDP,
		.n_ip = 2,
		.encaps = s->encaps,
	};
	struct frame f;

	tunnel_build(s, &f, 0, is_v6);
	memcpy(frame_bytes(&f) + (int)tunnel_off(s, &f) + c->off, c->bytes, c->n);
	if (c->refusal == NULL)
		walk_check_found(frame_bytes(&f), frame_len(&f), DP_LINK_RAW_IP, &opened);
	else
		check_carrier(s, &f, c->refusal);
}

void tunnel_check_changes(const struct tunnel_change *changes, size_t n_changes)
{
	for (size_t i = 0; i < n_changes; i++) {
		static char what[128]; // outlives a failure

		(void)snprintf(what, sizeof(what), "row %zu: %s", i, changes[i].shape);
		walk_check_trying(what);
		check_change(&changes[i]);
	}
	walk_check_trying(NULL);
}

void tunnel_check_short(const char *shape, uint32_t header_len, const char *refusal)
{
	const struct tunnel_shape *s = tunnel_named(shape);
	struct frame whole, f;

	tunnel_build(s, &whole, 0, !tunnel_is_around(s, false));

	const uint32_t off = tunnel_off(s, &whole);

	for (uint32_t n = 0; n < header_len; n++) {
		frame_put(frame_new(&f), frame_bytes(&whole), off + n);
		frame_set16(frame_bytes(&f) + 2, off + n);
		if (s->ports[1] != 0)
			frame_set16(frame_bytes(&f) + 20 + 4, 8 + n);
		check_carrier(s, &f, refusal);
	}
}
