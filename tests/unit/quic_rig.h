// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* One flow of QUIC, and what a client says in it. */

#include "classifier/quic_name.h"
#include "tests/lib/quic_wire.h"
#include "tests/unit/hello_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

#define NAME "www.video.example"

enum { MORE = CLS_NAME_MORE, FOUND = CLS_NAME_FOUND, NONE = CLS_NAME_NONE };

struct quic_rig {
	struct cls_join_pool *pool;
	struct cls_quic *quic;
	struct cls_quic_flow flow;
	struct cls_name name; // as the last look left it
	struct rig hello;
	uint8_t frames[QUIC_WIRE_MAX], datagram[QUIC_WIRE_MAX];
	size_t n_frames, len;
};

static inline void quic_rig_init(struct quic_rig *r, uint32_t n_joins)
{
	*r = (struct quic_rig){.pool = cls_join_pool_new(n_joins)};
	r->quic = cls_quic_new(r->pool);
	assert_non_null(r->pool);
	assert_non_null(r->quic);
	rig_browser(&r->hello, NAME);
}

static inline void quic_rig_fini(struct quic_rig *r)
{
	cls_quic_drop(r->quic, &r->flow);
	cls_quic_free(r->quic);
	cls_join_pool_free(r->pool);
}

/* A browser's hello of len bytes whose name stands far behind. */
static inline void quic_rig_long_hello(struct quic_rig *r, size_t len)
{
	static const uint8_t key[CLS_JOIN_BYTES * 2];

	rig_hello(&r->hello, 0x0303, -1);
	rig_extension(&r->hello, 51, key, len - r->hello.len - 8 - 9 - strlen(NAME) + 4);
	rig_server_name(&r->hello, NAME);
	rig_hello_end(&r->hello);
	assert_int_equal(r->hello.len, len);
}

/* What is made of bytes[0..len) in a block of just that size. */
static inline int quic_rig_look(struct quic_rig *r, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	enum cls_name_step step;

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, bytes, len);
	memset(&r->name, 0x77, sizeof(r->name)); // as it stays
	step = cls_quic_name(r->quic, &r->flow, copy, len, true, &r->name);
	free(copy);
	if (step != CLS_NAME_FOUND)
		assert_int_equal(r->name.host[0], 0x77);
	return (int)step;
}

/* Frames of the packet in the making. */
static inline void quic_rig_put(struct quic_rig *r, const void *bytes, size_t n)
{
	assert_true(n <= sizeof(r->frames) - r->n_frames);
	memcpy(r->frames + r->n_frames, bytes, n);
	r->n_frames += n;
}

/* Bytes begin to end of the hello. */
static inline void quic_rig_crypto(struct quic_rig *r, size_t begin, size_t end)
{
	r->n_frames += quic_wire_crypto(
		6, begin, r->hello.bytes + begin, end - begin, r->frames + r->n_frames);
}

/* One more packet in the datagram, of the frames that were put, padded to 4. */
static inline void quic_rig_packet(struct quic_rig *r, const struct quic_wire *w)
{
	while (r->n_frames < 4)
		r->frames[r->n_frames++] = 0;

	uint8_t *packet = malloc(QUIC_WIRE_MAX);

	assert_non_null(packet);

	const size_t n = quic_wire_initial(w, r->frames, r->n_frames, packet);

	assert_true(n <= sizeof(r->datagram) - r->len);
	memcpy(r->datagram + r->len, packet, n);
	free(packet);
	r->len += n;
	r->n_frames = 0;
}

/* The datagram arrives. */
static inline int quic_rig_send(struct quic_rig *r)
{
	const size_t len = r->len;

	r->len = 0;
	return quic_rig_look(r, r->datagram, len);
}

/* A packet of bytes begin to end of the hello, alone in its datagram. */
static inline int quic_rig_part(
	struct quic_rig *r, const struct quic_wire *w, size_t begin, size_t end)
{
	quic_rig_crypto(r, begin, end);
	quic_rig_packet(r, w);
	return quic_rig_send(r);
}

static inline void quic_rig_again(struct quic_rig *r)
{
	cls_quic_drop(r->quic, &r->flow);
	r->n_frames = r->len = 0;
}

/* --- for each test one of its own -------------------------------------------------------------- */

static struct quic_rig rig;

static const struct quic_wire client = {.dcid = "\x83\x94\xc8\xf0\x3e\x51\x57\x08", .dcid_len = 8};

static inline int quic_rig_setup(void **)
{
	quic_rig_init(&rig, 2);
	return 0;
}

static inline int quic_rig_teardown(void **)
{
	quic_rig_fini(&rig);
	return 0;
}

#define QUIC_RIG_TEST(test) cmocka_unit_test_setup_teardown(test, quic_rig_setup, quic_rig_teardown)
