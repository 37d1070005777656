// SPDX-License-Identifier: BSD-3-Clause

/* A flow of QUIC: what any datagrams, and any frames in packets that authenticate, come to.
 *
 * Byte 0 says how many joins there are. Steps follow: a byte with the kind, one with a choice within it, two with
 * the length of what follows, and that. Without the kinds that encrypt or hash what follows nothing of it
 * would ever be looked at. */

#include "classifier/quic_name.h"
#include "tests/lib/quic_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum kind {
	RAW, // a datagram of the client as it stands
	FROM_SERVER, // one of the server
	SEALED, // frames of an Initial, alone in its datagram
	COALESCED, // the same, followed by what comes next
	CUT, // the same as SEALED, without as many bytes at its end as is chosen
	HASHED, // frames of a packet of Google's in clear
	LAST, // no more comes
	KIND_COUNT,
};

enum { STEPS_MAX = 40, STEP_HEAD = 4, JOINS_MAX = 3 };

struct fuzz {
	struct cls_join_pool *pool;
	struct cls_quic *quic;
	struct cls_quic_flow flow;
	uint8_t *datagram; // QUIC_WIRE_MAX bytes
	size_t len; // of what is coalesced
};

static void check(bool is_so, const char *what)
{
	if (is_so)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

static void check_name(enum cls_name_step step, const struct cls_name *name)
{
	check(step == CLS_NAME_FOUND || step == CLS_NAME_MORE || step == CLS_NAME_NONE, "a step");
	if (step != CLS_NAME_FOUND)
		return;
	check(memchr(name->host, '\0', sizeof(name->host)) != NULL, "a name ends");
	check(name->host[0] != '\0' || name->has_ech, "there is a name, or one that is hidden");
}

/* The flow goes on only while there may be more. */
static void done_with(struct fuzz *f, enum cls_name_step step, const struct cls_name *name)
{
	check_name(step, name);
	check(f->flow.n_packets <= CLS_QUIC_PACKETS_MAX, "the number of packets is bounded");
	if (step == CLS_NAME_MORE)
		return;
	cls_quic_drop(f->quic, &f->flow);
	check(f->flow.crypto == NULL && f->flow.version == 0 && !f->flow.has_dcid &&
			f->flow.n_packets == 0,
		"a dropped flow is as in the beginning");
}

static void arrive(struct fuzz *f, const uint8_t *bytes, size_t len, bool is_from_client)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct cls_name name = {0};
	enum cls_name_step step;

	check(copy != NULL, "there is memory");
	memcpy(copy, bytes, len);
	step = cls_quic_name(f->quic, &f->flow, copy, len, is_from_client, &name);
	free(copy);
	check(is_from_client || step == CLS_NAME_MORE, "a server tells no name");
	done_with(f, step, &name);
}

/* Of two connections, each with the id that the client chose and the one that it was given. */
static size_t seal(struct fuzz *f, uint8_t choice, const uint8_t *frames, size_t len)
{
	static const uint32_t versions[] = {1, 0x6b3343cf, 0xff00001d, 0xfaceb002, 0x1a1a1a1a,
		0x51303530, 0x54303530, 0x54303531};
	static const uint8_t padding[4];
	const struct quic_wire chosen = {.dcid = {choice & 0x20}, .dcid_len = 8};
	struct quic_wire w = chosen;

	w.version = versions[choice & 7];
	w.is_handshake = (choice & 0x18) == 0x18;
	w.pn_len = 1 + (choice >> 6);
	w.pn = 0x01020304;
	if ((choice & 0x10) != 0) {
		w.keys = &chosen;
		w.dcid[0] ^= 1;
	}
	w.pn &= UINT32_MAX >> (32 - 8 * w.pn_len);
	if (len < sizeof(padding)) {
		frames = padding;
		len = sizeof(padding);
	}
	return quic_wire_initial(&w, frames, len, f->datagram + f->len);
}

static void flush(struct fuzz *f, size_t n_cut)
{
	arrive(f, f->datagram, f->len > n_cut ? f->len - n_cut : 0, true);
	f->len = 0;
}

static void step(struct fuzz *f, enum kind kind, uint8_t choice, const uint8_t *data, size_t len)
{
	static const uint8_t cid[8] = {7};
	struct cls_name name = {0};

	if (kind == RAW || kind == FROM_SERVER) {
		arrive(f, data, len, kind == RAW);
	} else if (kind == HASHED) {
		f->len = quic_wire_clear(24 + choice % 23, cid, choice, data, len, f->datagram);
		flush(f, 0);
	} else if (kind == LAST) {
		const enum cls_name_step r = cls_quic_last(f->quic, &f->flow, &name);

		check(r != CLS_NAME_MORE, "there is no more");
		done_with(f, r, &name);
	} else {
		f->len += seal(f, choice, data, len);
		if (kind != COALESCED || f->len > QUIC_WIRE_MAX / 2)
			flush(f, kind == CUT ? choice : 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz fuzz[JOINS_MAX + 1]; // by how many joins there are
	struct fuzz *f;
	uint32_t n_joins;

	if (size < 1 || size > QUIC_WIRE_MAX / 4)
		return -1;
	n_joins = data[0] % (JOINS_MAX + 1);
	f = &fuzz[n_joins];
	if (f->pool == NULL) {
		f->pool = cls_join_pool_new(n_joins);
		f->quic = cls_quic_new(f->pool);
		f->datagram = malloc(QUIC_WIRE_MAX);
		check(f->pool != NULL && f->quic != NULL && f->datagram != NULL, "there is memory");
	}
	f->len = 0;
	data++;
	size--;
	for (int i = 0; i < STEPS_MAX && size >= STEP_HEAD; i++) {
		size_t len = (size_t)data[2] << 8 | data[3];

		len = len < size - STEP_HEAD ? len : size - STEP_HEAD;
		step(f, data[0] % KIND_COUNT, data[1], data + STEP_HEAD, len);
		data += STEP_HEAD + len;
		size -= STEP_HEAD + len;
	}
	cls_quic_drop(f->quic, &f->flow);

	struct cls_join *joins[JOINS_MAX];

	for (uint32_t i = 0; i < n_joins; i++) {
		joins[i] = cls_join_take(f->pool);
		check(joins[i] != NULL, "all joins were given back");
	}
	for (uint32_t i = 0; i < n_joins; i++)
		cls_join_give(f->pool, joins[i]);
	return 0;
}
