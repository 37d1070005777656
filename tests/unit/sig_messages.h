// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Messages of signalling, made element by element. Identifiers are of test networks (MCC 001) and of no country
 * (E.164 999). */

#include "control/sig.h"
#include "dataplane/signalling.h"
#include "dataplane/signalling_ring.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
	uint8_t b[1024];
	size_t n;
};

static inline void put(struct bytes *m, const void *p, size_t n)
{
	memcpy(m->b + m->n, p, n);
	m->n += n;
}

static inline void put8(struct bytes *m, uint64_t v)
{
	const uint8_t b = (uint8_t)v;

	put(m, &b, 1);
}

static inline void put16(struct bytes *m, uint64_t v)
{
	put8(m, v >> 8);
	put8(m, v);
}

static inline void put24(struct bytes *m, uint64_t v)
{
	put8(m, v >> 16);
	put16(m, v);
}

static inline void put32(struct bytes *m, uint64_t v)
{
	put16(m, v >> 16);
	put16(m, v);
}

static inline void put64(struct bytes *m, uint64_t v)
{
	put32(m, v >> 32);
	put32(m, v);
}

static inline void put_tbcd(struct bytes *m, const char *digits)
{
	const size_t n = strlen(digits);

	for (size_t i = 0; i < n; i += 2)
		put8(m, (uint8_t)((i + 1 < n ? digits[i + 1] - '0' : 15) << 4 | (digits[i] - '0')));
}

static inline void put_label(struct bytes *m, const char *label)
{
	put8(m, strlen(label));
	put(m, label, strlen(label));
}

static inline void set16(struct bytes *m, size_t at, size_t v)
{
	m->b[at] = (uint8_t)(v >> 8);
	m->b[at + 1] = (uint8_t)v;
}

static inline struct dp_addr v4(uint32_t host)
{
	const uint8_t be[4] = {
		(uint8_t)(host >> 24), (uint8_t)(host >> 16), (uint8_t)(host >> 8), (uint8_t)host};

	return dp_addr_from_v4(be);
}

/* --- GTPv2-C --- */

static inline struct bytes gtpv2(uint8_t type, uint32_t teid, uint32_t seq)
{
	struct bytes m = {0};

	put8(&m, 0x48);
	put8(&m, type);
	put16(&m, 0);
	put32(&m, teid);
	put24(&m, seq);
	put8(&m, 0);
	return m;
}

static inline size_t gtpv2_ie(struct bytes *m, uint8_t type, uint8_t instance)
{
	put8(m, type);
	put16(m, 0);
	put8(m, instance);
	return m->n;
}

/* Sets the length of the element whose value begins at `begin`, and that of the message. */
static inline void gtpv2_end(struct bytes *m, size_t begin)
{
	set16(m, begin - 3, m->n - begin);
	set16(m, 2, m->n - 4);
}

static inline void gtpv2_digits(struct bytes *m, uint8_t type, const char *digits)
{
	const size_t at = gtpv2_ie(m, type, 0);

	put_tbcd(m, digits);
	gtpv2_end(m, at);
}

static inline void gtpv2_u8(struct bytes *m, uint8_t type, uint8_t value)
{
	const size_t at = gtpv2_ie(m, type, 0);

	put8(m, value);
	gtpv2_end(m, at);
}

static inline void gtpv2_cause(struct bytes *m, uint8_t cause)
{
	const size_t at = gtpv2_ie(m, 2, 0);

	put16(m, (uint64_t)cause << 8);
	gtpv2_end(m, at);
}

static inline void gtpv2_fteid(
	struct bytes *m, uint8_t instance, uint8_t interface, uint32_t teid, uint32_t host)
{
	const size_t at = gtpv2_ie(m, 87, instance);

	put8(m, 0x80U | interface);
	put32(m, teid);
	put32(m, host);
	gtpv2_end(m, at);
}

static inline void gtpv2_bearer(struct bytes *m, uint8_t interface, uint32_t teid, uint32_t host)
{
	const size_t at = gtpv2_ie(m, 93, 0);

	put8(m, 73); // EBI
	put16(m, 1);
	put16(m, 5);
	gtpv2_fteid(m, 0, interface, teid, host);
	gtpv2_end(m, at);
}

static inline void gtpv2_paa(struct bytes *m, uint32_t host, const uint8_t prefix[8])
{
	const size_t at = gtpv2_ie(m, 79, 0);

	put8(m, prefix == NULL ? 1 : host == 0 ? 2 : 3);
	if (prefix != NULL) {
		put8(m, 64);
		put(m, prefix, 8);
		put64(m, 1);
	}
	if (host != 0)
		put32(m, host);
	gtpv2_end(m, at);
}

/* TAI and ECGI of 00101. */
static inline void gtpv2_uli(struct bytes *m, uint16_t tac, uint32_t cell)
{
	static const uint8_t plmn[3] = {0x00, 0xf1, 0x10};
	const size_t at = gtpv2_ie(m, 86, 0);

	put8(m, 0x18);
	put(m, plmn, 3);
	put16(m, tac);
	put(m, plmn, 3);
	put32(m, cell);
	gtpv2_end(m, at);
}

static inline void gtpv2_network(struct bytes *m, const uint8_t plmn[3])
{
	const size_t at = gtpv2_ie(m, 83, 0);

	put(m, plmn, 3);
	gtpv2_end(m, at);
}

static inline void gtpv2_apn(struct bytes *m, const char *label)
{
	const size_t at = gtpv2_ie(m, 71, 0);

	put_label(m, label);
	gtpv2_end(m, at);
}

/* --- GTPv1-C --- */

static inline struct bytes gtpv1(uint8_t type, uint32_t teid, uint16_t seq)
{
	struct bytes m = {0};

	put8(&m, 0x32);
	put8(&m, type);
	put16(&m, 0);
	put32(&m, teid);
	put16(&m, seq);
	put16(&m, 0);
	return m;
}

static inline void gtpv1_close(struct bytes *m)
{
	set16(m, 2, m->n - 8);
}

static inline void gtpv1_tlv(struct bytes *m, uint8_t type, const void *p, size_t n)
{
	put8(m, type);
	put16(m, n);
	put(m, p, n);
}

static inline void gtpv1_gsn(struct bytes *m, uint32_t host)
{
	put8(m, 133);
	put16(m, 4);
	put32(m, host);
}

/* --- PFCP --- */

static inline struct bytes pfcp(uint8_t type, uint64_t seid, uint32_t seq)
{
	struct bytes m = {0};

	put8(&m, 0x21);
	put8(&m, type);
	put16(&m, 0);
	put64(&m, seid);
	put24(&m, seq);
	put8(&m, 0);
	return m;
}

static inline size_t pfcp_ie(struct bytes *m, uint16_t type)
{
	put16(m, type);
	put16(m, 0);
	return m->n;
}

static inline void pfcp_end(struct bytes *m, size_t begin)
{
	set16(m, begin - 2, m->n - begin);
	set16(m, 2, m->n - 4);
}

/* --- RADIUS --- */

static inline struct bytes radius(uint8_t code)
{
	struct bytes m = {0};

	put8(&m, code);
	put8(&m, 1);
	put16(&m, 20);
	put64(&m, 0);
	put64(&m, 0);
	return m;
}

static inline void radius_put(struct bytes *m, uint8_t type, const void *p, size_t n)
{
	put8(m, type);
	put8(m, n + 2);
	put(m, p, n);
	set16(m, 2, m->n);
}

static inline void radius_text(struct bytes *m, uint8_t type, const char *text)
{
	radius_put(m, type, text, strlen(text));
}

static inline void radius_u32(struct bytes *m, uint8_t type, uint32_t v)
{
	struct bytes be = {0};

	put32(&be, v);
	radius_put(m, type, be.b, 4);
}

static inline void radius_3gpp(struct bytes *m, uint8_t type, const void *p, size_t n)
{
	struct bytes vendor = {0};

	put32(&vendor, 10415);
	put8(&vendor, type);
	put8(&vendor, n + 2);
	put(&vendor, p, n);
	radius_put(m, 26, vendor.b, vendor.n);
}
