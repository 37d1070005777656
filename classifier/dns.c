// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/dns.h"

#include "dataplane/hash.h"

enum {
	HEADER_LEN = 12, // RFC 1035 4.1.1
	LABEL_MAX = 63, // RFC 1035 2.3.4
	NAME_MAX_LEN = 255, // of a name with its lengths: RFC 1035 2.3.4
	JUMPS_MAX = 127, // a pointer that is worth one stands behind a label
	POINTER = 0xc0, // RFC 1035 4.1.4

	CLASS_IN = 1,
	TYPE_A = 1,
	TYPE_CNAME = 5,
	TYPE_AAAA = 28,
	TYPE_SVCB = 64,
	TYPE_HTTPS = 65,
	SVC_IPV4HINT = 4, // RFC 9460 14.3.2
	SVC_IPV6HINT = 6,
};

struct message {
	const uint8_t *p;
	uint32_t len;
};

/* A record that may count. Offsets count from the message's first byte. */
struct record {
	uint32_t name_off;
	uint32_t name_hash;
	uint32_t data_off, data_len;
	uint32_t ttl_s;
	uint16_t type;
};

/* A name that addresses may be given for. */
struct link {
	uint32_t off;
	uint32_t hash;
	uint32_t ttl_s;
};

struct answer {
	struct message m;
	struct record records[CLS_DNS_RECORDS_MAX];
	uint32_t n_records;
	struct link links[1 + CLS_DNS_CNAMES_MAX];
	uint32_t n_links;
};

static uint16_t be16(const struct message *m, uint32_t off)
{
	return (uint16_t)(m->p[off] << 8 | m->p[off + 1]);
}

static uint32_t be32(const struct message *m, uint32_t off)
{
	return (uint32_t)be16(m, off) << 16 | be16(m, off + 2);
}

static bool has(const struct message *m, uint32_t off, uint32_t need)
{
	return off <= m->len && m->len - off >= need;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* --- names ----------------------------------------------------------------------------------- */

/* Where in a name we are. */
struct cursor {
	uint32_t off; // of the next label's length
	uint32_t bound; // a pointer must lead to before it
	uint32_t n_bytes, n_jumps;
};

static struct cursor cursor_at(uint32_t off)
{
	return (struct cursor){.off = off, .bound = off};
}

/* The next label: its length, *ret_off where its bytes stand; 0 at the name's end; -1: malformed. */
static int next_label(const struct message *m, struct cursor *c, uint32_t *ret_off)
{
	while (has(m, c->off, 1)) {
		const uint8_t len = m->p[c->off];

		if (len <= LABEL_MAX) {
			c->n_bytes += 1U + len;
			if (c->n_bytes > NAME_MAX_LEN || !has(m, c->off, 1U + len))
				return -1;
			*ret_off = c->off + 1;
			c->off += 1U + len;
			return len;
		}
		if (len < POINTER || !has(m, c->off, 2) || c->n_jumps++ == JUMPS_MAX)
			return -1;
		c->off = be16(m, c->off) & 0x3fff;
		if (c->off < HEADER_LEN || c->off >= c->bound)
			return -1;
		c->bound = c->off;
	}
	return -1;
}

/* Whether there is a name at off, and a hash of it that does not see case. It is keyed, so nobody can make
 * names meet that have to be compared then. */
static bool hash_name(const struct message *m, uint32_t off, uint32_t *ret_hash)
{
	struct cursor c = cursor_at(off);
	uint64_t hash = 0;
	uint32_t at;
	int len;

	while ((len = next_label(m, &c, &at)) > 0) {
		uint64_t word = (uint64_t)len;

		for (int i = 0; i < len; i++) {
			word = word << 8 | lower(m->p[at + (uint32_t)i]);
			if (i % 8 == 7)
				hash = dp_hash_mix(hash, word);
		}
		hash = dp_hash_mix(hash, word);
	}
	*ret_hash = (uint32_t)hash;
	return len == 0;
}

/* Of two names that were hashed before. RFC 4343: case does not matter. */
static bool is_same_name(const struct message *m, uint32_t a, uint32_t b)
{
	struct cursor ca = cursor_at(a), cb = cursor_at(b);
	uint32_t at_a, at_b;
	int len;

	if (a == b)
		return true;
	do {
		len = next_label(m, &ca, &at_a);
		if (next_label(m, &cb, &at_b) != len)
			return false;
		for (int i = 0; i < len; i++) {
			if (lower(m->p[at_a + (uint32_t)i]) != lower(m->p[at_b + (uint32_t)i]))
				return false;
		}
	} while (len > 0);
	return true;
}

/* Behind the name at *off, which is not followed. */
static bool skip_name(const struct message *m, uint32_t *off)
{
	while (has(m, *off, 1)) {
		const uint8_t len = m->p[*off];

		if (len >= POINTER) {
			*off += 2;
			return has(m, *off, 0);
		}
		if (len > LABEL_MAX)
			return false;
		*off += 1U + len;
		if (len == 0)
			return true;
	}
	return false;
}

/* What labels of hosts consist of: RFC 952, and the underscore of service names (RFC 8552). */
static bool is_host_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* The question's name as text. */
static bool read_host(const struct message *m, uint32_t off, char host[DP_HOST_MAX])
{
	struct cursor c = cursor_at(off);
	char text[NAME_MAX_LEN + 1];
	uint32_t n = 0, at, skip;
	int len;

	while ((len = next_label(m, &c, &at)) > 0) {
		if (n > 0)
			text[n++] = '.';
		for (int i = 0; i < len; i++) {
			const uint8_t byte = lower(m->p[at + (uint32_t)i]);

			if (!is_host_byte(byte))
				return false;
			text[n++] = (char)byte;
		}
	}
	if (len < 0 || n == 0)
		return false;
	skip = n < DP_HOST_MAX ? 0 : n - (DP_HOST_MAX - 1);
	memcpy(host, text + skip, n - skip);
	host[n - skip] = '\0';
	return true;
}

/* --- sections -------------------------------------------------------------------------------- */

static bool is_for_addresses(uint16_t type)
{
	return type == TYPE_A || type == TYPE_AAAA || type == TYPE_HTTPS || type == TYPE_SVCB;
}

/* RFC 1035 4.1.1 and 4.1.2. *ret_off: of the answer section. */
static bool read_question(const struct message *m, char host[DP_HOST_MAX], uint32_t *ret_off)
{
	uint32_t off = HEADER_LEN;

	if (m->len < HEADER_LEN)
		return false;
	if ((be16(m, 2) & 0xf80f) != 0x8000 || be16(m, 4) != 1)
		return false; // a response (QR) to a QUERY without error to one question
	if (!read_host(m, off, host) || !skip_name(m, &off) || !has(m, off, 4))
		return false;
	*ret_off = off + 4;
	return is_for_addresses(be16(m, off)) && be16(m, off + 2) == CLASS_IN;
}

/* A record whose fixed part stands at off; that its data is there was looked at. */
static bool note_record(struct answer *a, uint32_t name_off, uint32_t off)
{
	struct record *r = &a->records[a->n_records];
	const uint32_t ttl_s = be32(&a->m, off + 4);

	*r = (struct record){.name_off = name_off,
		.type = be16(&a->m, off),
		.ttl_s = ttl_s > INT32_MAX ? 0 : ttl_s, // RFC 2181 8
		.data_off = off + 10,
		.data_len = be16(&a->m, off + 8)};
	if (be16(&a->m, off + 2) != CLASS_IN ||
		(r->type != TYPE_CNAME && !is_for_addresses(r->type)))
		return true;
	if (!hash_name(&a->m, name_off, &r->name_hash))
		return false;
	a->n_records++;
	return true;
}

/* RFC 1035 4.1.3. */
static bool read_records(struct answer *a, uint32_t off)
{
	const struct message *m = &a->m;

	for (uint32_t n = be16(m, 6); n > 0 && a->n_records < CLS_DNS_RECORDS_MAX; n--) {
		const uint32_t name_off = off;

		if (!skip_name(m, &off) || !has(m, off, 10) || !has(m, off + 10, be16(m, off + 8)))
			return false;
		if (!note_record(a, name_off, off))
			return false;
		off += 10U + be16(m, off + 8);
	}
	return true;
}

/* --- from the question's name to addresses ---------------------------------------------------- */

static const struct link *link_of(const struct answer *a, uint32_t off, uint32_t hash)
{
	for (uint32_t i = 0; i < a->n_links; i++) {
		if (a->links[i].hash == hash && is_same_name(&a->m, a->links[i].off, off))
			return &a->links[i];
	}
	return NULL;
}

static const struct record *cname_of(const struct answer *a, const struct link *link)
{
	for (uint32_t i = 0; i < a->n_records; i++) {
		const struct record *r = &a->records[i];

		if (r->type == TYPE_CNAME && r->name_hash == link->hash &&
			is_same_name(&a->m, r->name_off, link->off))
			return r;
	}
	return NULL;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* RFC 1034 3.6.2: the name that was asked for, and what it stands for. A ring ends where it closes. */
static bool follow_cnames(struct answer *a)
{
	struct link link = {.off = HEADER_LEN, .ttl_s = UINT32_MAX};

	if (!hash_name(&a->m, link.off, &link.hash))
		return false;
	a->links[a->n_links++] = link;
	while (a->n_links <= CLS_DNS_CNAMES_MAX) {
		const struct record *r = cname_of(a, &link);
		uint32_t end;

		if (r == NULL)
			return true;
		link.off = end = r->data_off;
		link.ttl_s = least(link.ttl_s, r->ttl_s);
		if (!hash_name(&a->m, link.off, &link.hash) || !skip_name(&a->m, &end) ||
			end != r->data_off + r->data_len)
			return false;
		if (link_of(a, link.off, link.hash) != NULL)
			return true;
		a->links[a->n_links++] = link;
	}
	return true;
}

static void add(struct cls_dns_answer *ret, const uint8_t *be, uint32_t len, uint32_t ttl_s)
{
	if (ret->n_addrs == CLS_DNS_ADDRS_MAX)
		return;
	if (len == 4)
		ret->addrs[ret->n_addrs].addr = dp_addr_from_v4(be);
	else
		memcpy(ret->addrs[ret->n_addrs].addr.b, be, sizeof(ret->addrs[0].addr.b));
	ret->addrs[ret->n_addrs++].ttl_s = ttl_s;
}

static bool add_list(
	struct cls_dns_answer *ret, const uint8_t *be, uint32_t len, uint32_t unit, uint32_t ttl_s)
{
	if (len == 0 || len % unit != 0)
		return false;
	for (uint32_t i = 0; i < len; i += unit)
		add(ret, be + i, unit, ttl_s);
	return true;
}

/* RFC 9460 2.2: priority, target, parameters. Without parameters it is an alias or has no hints. */
static bool add_hints(
	const struct message *m, const struct record *r, uint32_t ttl_s, struct cls_dns_answer *ret)
{
	const struct message data = {m->p, r->data_off + r->data_len};
	uint32_t off = r->data_off + 2;

	if (!has(&data, r->data_off, 2) || !skip_name(&data, &off))
		return false;
	while (off < data.len) {
		uint16_t key;
		uint32_t len;

		if (!has(&data, off, 4))
			return false;
		key = be16(&data, off);
		len = be16(&data, off + 2);
		off += 4;
		if (!has(&data, off, len))
			return false;
		if ((key == SVC_IPV4HINT && !add_list(ret, m->p + off, len, 4, ttl_s)) ||
			(key == SVC_IPV6HINT && !add_list(ret, m->p + off, len, 16, ttl_s)))
			return false;
		off += len;
	}
	return true;
}

static bool add_record(
	const struct message *m, const struct record *r, uint32_t ttl_s, struct cls_dns_answer *ret)
{
	switch (r->type) {
	case TYPE_A: // RFC 1035 3.4.1
	case TYPE_AAAA: // RFC 3596 2.2
		if (r->data_len != (r->type == TYPE_A ? 4 : 16))
			return false;
		add(ret, m->p + r->data_off, r->data_len, ttl_s);
		return true;
	case TYPE_HTTPS:
	case TYPE_SVCB:
		return add_hints(m, r, ttl_s, ret);
	default:
		return true;
	}
}

bool cls_dns_answer(const uint8_t *message, size_t len, struct cls_dns_answer *ret)
{
	struct answer a = {.m = {message, len < UINT16_MAX ? (uint32_t)len : UINT16_MAX}};
	uint32_t off;

	ret->n_addrs = 0;
	if (!read_question(&a.m, ret->host, &off) || !read_records(&a, off) || !follow_cnames(&a))
		return false;
	for (uint32_t i = 0; i < a.n_records; i++) {
		const struct record *r = &a.records[i];
		const struct link *link = link_of(&a, r->name_off, r->name_hash);

		if (link != NULL && !add_record(&a.m, r, least(link->ttl_s, r->ttl_s), ret))
			return false;
	}
	return true;
}
