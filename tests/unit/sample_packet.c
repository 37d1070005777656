// SPDX-License-Identifier: BSD-3-Clause
#include "control/sample_packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <glib.h>
#include <netinet/in.h>
#include <stdlib.h>

/* A packet of a subscriber, 10.20.0.11 or 2001:db8:20:7:93a4:f1ff:fe28:77c1, to or from a server. */
struct packet {
	uint8_t b[512];
	size_t len;
	bool is_v4, is_up;
	uint8_t proto;
};

static const char *const own[2] = {"2001:db8:20:7:93a4:f1ff:fe28:77c1", "10.20.0.11"};
static const char *const prefix[2] = {"2001:db8:20:7::", "10.20.0.11"};
static const char *const servers[2] = {"2001:db8:9::9", "203.0.113.9"};

static struct dp_addr addr(const char *text)
{
	struct dp_addr a;

	assert_int_equal(dp_addr_parse(text, &a), 0);
	return a;
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* RFC 1071 as it stands there. */
static uint16_t folded(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint32_t words(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += be16(p + i);
	return n % 2 != 0 ? sum + (uint32_t)(p[n - 1] << 8) : sum;
}

static size_t header_len(const struct packet *p)
{
	return p->is_v4 ? (size_t)(p->b[0] & 15) * 4 : 40;
}

/* 0 when it is right. */
static uint16_t l4_check(const struct packet *p)
{
	const size_t at = header_len(p);
	const uint32_t addrs = p->is_v4 ? words(p->b + 12, 8) : words(p->b + 8, 32);

	return folded(addrs + p->proto + (uint32_t)(p->len - at) + words(p->b + at, p->len - at));
}

static void set_checks(struct packet *p)
{
	const size_t at = header_len(p), sum = at + (p->proto == IPPROTO_TCP ? 16 : 6);

	put16(p->b + sum, 0);
	put16(p->b + sum, l4_check(p));
	if (p->is_v4) {
		put16(p->b + 10, 0);
		put16(p->b + 10, folded(words(p->b, at)));
	}
}

static void put_addr(struct packet *p, const char *text, bool is_src)
{
	const struct dp_addr a = addr(text);

	if (p->is_v4)
		memcpy(p->b + (is_src ? 12 : 16), a.b + 12, 4);
	else
		memcpy(p->b + (is_src ? 8 : 24), a.b, 16);
}

/* options: bytes of IPv4 options, a multiple of 4. */
static struct packet make(bool is_v4, uint8_t proto, bool is_up, const void *payload, size_t n)
{
	const size_t ip = is_v4 ? 20 : 40, l4 = proto == IPPROTO_TCP ? 32 : 8;
	struct packet p = {.len = ip + l4 + n, .is_v4 = is_v4, .is_up = is_up, .proto = proto};

	if (is_v4) {
		p.b[0] = 0x45;
		put16(p.b + 2, p.len);
		p.b[8] = 64;
		p.b[9] = proto;
	} else {
		p.b[0] = 0x60;
		put16(p.b + 4, p.len - 40);
		p.b[6] = proto;
		p.b[7] = 64;
	}
	put_addr(&p, own[is_v4], is_up);
	put_addr(&p, servers[is_v4], !is_up);
	put16(p.b + ip, is_up ? 40000 : 4433);
	put16(p.b + ip + 2, is_up ? 4433 : 40000);
	if (proto == IPPROTO_TCP) {
		p.b[ip + 12] = 0x80; // 12 bytes of options
		memset(p.b + ip + 20, 1, 12);
	} else {
		put16(p.b + ip + 4, 8 + n);
	}
	memcpy(p.b + ip + l4, payload, n);
	set_checks(&p);
	return p;
}

/* Through the module, from a heap block of `cap` bytes. */
static struct packet hidden(struct ctl_sample_addrs *addrs, const struct packet *in, size_t cap)
{
	const struct dp_addr endpoint = addr(prefix[in->is_v4]);
	struct ctl_sample_keep keep = {0};
	struct packet out = *in;
	uint8_t *bytes = malloc(cap > 0 ? cap : 1);

	assert_non_null(bytes);
	memcpy(bytes, in->b, cap);
	out.len = ctl_sample_packet(
		&keep, addrs, &endpoint, in->is_up, bytes, cap, (uint32_t)in->len);
	assert_true(out.len <= cap);
	memset(out.b, 0, sizeof(out.b));
	memcpy(out.b, bytes, out.len);
	free(bytes);
	return out;
}

static bool has(const struct packet *p, const void *what, size_t n)
{
	return memmem(p->b, p->len, what, n) != NULL;
}

static const uint8_t binary[] = {0x93, 1, 0x88, 0xff, 0, 7, 0xee, 0x90, 0x81, 2, 0xc4};

static void the_endpoint_becomes_a_number_and_the_server_stays(void **)
{
	for (int i = 0; i < 8; i++) {
		const bool is_v4 = (i & 1) != 0, is_up = (i & 2) != 0;
		const struct packet in = make(is_v4, (i & 4) != 0 ? IPPROTO_TCP : IPPROTO_UDP,
			is_up, binary, sizeof(binary));
		struct ctl_sample_addrs *addrs = ctl_sample_addrs_new();
		const struct packet out = hidden(addrs, &in, in.len);
		const struct dp_addr was = addr(own[is_v4]), server = addr(servers[is_v4]);
		const struct dp_addr is = addr(is_v4 ? "240.0.0.1" : "3fff:0:f001::1");
		const size_t from = is_v4 ? 12 : 0, n = is_v4 ? 4 : 16;

		assert_int_equal(out.len, in.len);
		assert_false(has(&out, was.b + from, n));
		assert_true(has(&out, is.b + from, n));
		assert_true(has(&out, server.b + from, n));
		assert_int_equal(l4_check(&out), 0);
		if (is_v4)
			assert_int_equal(folded(words(out.b, 20)), 0);
		assert_memory_equal(out.b + out.len - sizeof(binary), binary, sizeof(binary));
		ctl_sample_addrs_free(addrs);
	}
}

static void a_checksum_that_was_wrong_or_is_none_stays_so(void **)
{
	struct packet in = make(true, IPPROTO_UDP, true, binary, sizeof(binary)), out;
	struct ctl_sample_addrs *addrs = ctl_sample_addrs_new();

	put16(in.b + 26, 0);
	out = hidden(addrs, &in, in.len);
	assert_int_equal(be16(out.b + 26), 0);
	set_checks(&in);
	put16(in.b + 26, be16(in.b + 26) ^ 0x0100);
	out = hidden(addrs, &in, in.len);
	assert_int_not_equal(l4_check(&out), 0);
	ctl_sample_addrs_free(addrs);
}

/* Where a checksum comes out as 0 it is written as 0xffff (RFC 768). */
static void a_checksum_of_udp_never_becomes_none(void **)
{
	struct ctl_sample_addrs *addrs = ctl_sample_addrs_new();
	uint8_t payload[4] = {0x93, 0xff}; // no text, whatever follows
	unsigned int n_full = 0;

	for (unsigned int i = 0; i < 65536; i++) {
		struct packet in, out;

		put16(payload + 2, i);
		in = make(true, IPPROTO_UDP, true, payload, 4);
		if (be16(in.b + 26) == 0)
			put16(in.b + 26, 0xffff);
		out = hidden(addrs, &in, in.len);
		assert_int_equal(out.len, in.len);
		assert_int_not_equal(be16(out.b + 26), 0);
		n_full += be16(out.b + 26) == 0xffff;
		assert_int_equal(l4_check(&out), 0);
	}
	assert_true(n_full >= 1);
	ctl_sample_addrs_free(addrs);
}

static void its_address_stands_nowhere_else_either(void **)
{
	static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42};

	for (int is_v4 = 0; is_v4 < 2; is_v4++) {
		const struct dp_addr was = addr(own[is_v4]);
		uint8_t payload[160] = {0x93, 0xff};
		struct ctl_sample_addrs *addrs = ctl_sample_addrs_new();
		uint8_t turned[4], xored[4];
		struct packet in, out;

		memset(payload, 0xfe, sizeof(payload));
		for (int i = 0; i < 4; i++) {
			turned[i] = was.b[15 - i];
			xored[i] = was.b[12 + i] ^ cookie[i];
		}
		memcpy(payload + 3, is_v4 ? was.b + 12 : was.b, is_v4 ? 4 : 16);
		memcpy(payload + 40, is_v4 ? was.b + 12 : was.b, is_v4 ? 4 : 8);
		memcpy(payload + 60, turned, 4);
		memcpy(payload + 70, xored, 4);
		memcpy(payload + 80, own[is_v4], is_v4 ? strlen(own[1]) : 20);
		in = make(is_v4, IPPROTO_TCP, true, payload, sizeof(payload));
		memcpy(in.b + header_len(&in) + 22, is_v4 ? was.b + 12 : was.b,
			is_v4 ? 4 : 8); // an option
		set_checks(&in);
		out = hidden(addrs, &in, in.len);
		assert_int_equal(out.len, in.len);
		assert_false(has(&out, is_v4 ? was.b + 12 : was.b, is_v4 ? 4 : 8));
		if (is_v4) {
			assert_false(has(&out, turned, 4));
			assert_false(has(&out, xored, 4));
			assert_false(has(&out, own[1], strlen(own[1])));
			assert_true(has(&out, "xxxxxxxxxx", strlen(own[1])));
		}
		assert_int_equal(l4_check(&out), 0);
		ctl_sample_addrs_free(addrs);
	}
}

static void nor_in_options_of_ip(void **)
{
	struct packet in = make(true, IPPROTO_UDP, true, binary, sizeof(binary)), out;
	const struct dp_addr was = addr(own[1]);
	struct ctl_sample_addrs *addrs = ctl_sample_addrs_new();

	memmove(in.b + 28, in.b + 20, in.len - 20); // 8 bytes: record route (RFC 791 3.1)
	in.len += 8;
	in.b[0] = 0x47;
	put16(in.b + 2, in.len);
	memcpy(in.b + 20, (const uint8_t[]){7, 7, 8}, 3);
	memcpy(in.b + 23, was.b + 12, 4);
	in.b[27] = 0;
	set_checks(&in);
	out = hidden(addrs, &in, in.len);
	assert_int_equal(out.len, in.len);
	assert_false(has(&out, was.b + 12, 4));
	assert_int_equal(folded(words(out.b, 28)), 0);
	assert_int_equal(l4_check(&out), 0);
	ctl_sample_addrs_free(addrs);
}

/* ::ffff:10.20.0.11 in a header of IPv6 (RFC 4291 2.5.5.2) is an address of sixteen bytes. */
static void an_ipv6_address_that_looks_like_ipv4_is_hidden_as_well(void **)
{
	struct packet in = make(false, IPPROTO_UDP, true, binary, sizeof(binary)), out;
	const struct dp_addr was = addr(own[1]), is = addr("240.0.0.1"), server = addr(servers[0]);
	struct ctl_sample_addrs *addrs = ctl_sample_addrs_new();

	memcpy(in.b + 8, was.b, 16);
	set_checks(&in);
	out = hidden(addrs, &in, in.len);
	assert_int_equal(out.len, in.len);
	assert_memory_equal(out.b + 8, is.b, 16);
	assert_memory_equal(out.b + 24, server.b, 16);
	assert_int_equal(l4_check(&out), 0);
	ctl_sample_addrs_free(addrs);
}

static void what_is_said_is_cut_off(void **)
{
	static const char request[] = "GET /a HTTP/1.1\r\nHost: a.example\r\nCookie: 7\r\n\r\n";
	const struct packet in = make(true, IPPROTO_TCP, true, request, strlen(request));
	struct ctl_sample_addrs *addrs = ctl_sample_addrs_new();
	struct packet out = hidden(addrs, &in, in.len);

	assert_int_equal(out.len, 20 + 32 + strlen("GET /x HTTP/1.1\r\nHost: a.example\r\nx"));
	// The whole with the kept bytes in it, the rest as it was, would have the right checksum.
	memcpy(out.b + out.len, in.b + out.len, in.len - out.len);
	out.len = in.len;
	assert_int_equal(l4_check(&out), 0);
	ctl_sample_addrs_free(addrs);
}

static void every_truncation_is_whole_or_nothing(void **)
{
	for (int i = 0; i < 4; i++) {
		const struct packet in = make((i & 1) != 0,
			(i & 2) != 0 ? IPPROTO_TCP : IPPROTO_UDP, true, binary, sizeof(binary));
		const size_t headers = in.len - sizeof(binary),
			     least = header_len(&in) + ((i & 2) != 0 ? 20 : 8);
		const struct dp_addr was = addr(own[i & 1]);

		for (size_t cap = 0; cap <= in.len; cap++) {
			struct ctl_sample_addrs *addrs = ctl_sample_addrs_new();
			struct packet out = hidden(addrs, &in, cap);

			assert_int_equal(out.len, cap < least ? 0 : cap);
			if (out.len > 0)
				assert_false(has(&out, was.b + ((i & 1) != 0 ? 12 : 0),
					(i & 1) != 0 ? 4 : 16));
			if (out.len >= headers) {
				memcpy(out.b + out.len, in.b + out.len, in.len - out.len);
				out.len = in.len;
				assert_int_equal(l4_check(&out), 0);
			}
			ctl_sample_addrs_free(addrs);
		}
	}
}

static void what_is_not_understood_is_not_kept(void **)
{
	struct ctl_sample_addrs *addrs = ctl_sample_addrs_new();
	struct packet in = make(true, IPPROTO_UDP, true, binary, sizeof(binary)), out;

	in.b[9] = IPPROTO_ICMP;
	out = hidden(addrs, &in, in.len);
	assert_int_equal(out.len, 0);
	in.b[9] = IPPROTO_UDP;
	in.b[6] = 0x20; // more fragments
	out = hidden(addrs, &in, in.len);
	assert_int_equal(out.len, 0);
	in.b[6] = 0;
	in.b[0] = 0x55;
	out = hidden(addrs, &in, in.len);
	assert_int_equal(out.len, 0);
	in = make(true, IPPROTO_TCP, true, binary, sizeof(binary));
	in.b[20 + 12] = 0x40; // a header shorter than a header
	out = hidden(addrs, &in, in.len);
	assert_int_equal(out.len, 0);
	ctl_sample_addrs_free(addrs);
}

/* --- numbers ---------------------------------------------------------------------------------- */

static void an_endpoint_has_one_number_in_a_file_and_another_in_the_next(void **)
{
	struct ctl_sample_addrs *addrs = ctl_sample_addrs_new();
	const struct dp_addr a = addr("10.0.0.1"), b = addr("10.0.0.2");
	const struct dp_addr first = addr("240.0.0.1"), second = addr("240.0.0.2");
	struct dp_addr again;

	for (int i = 0; i < 2; i++) {
		const struct dp_addr of_a = ctl_sample_addrs_get(addrs, &a, &a);
		const struct dp_addr of_b = ctl_sample_addrs_get(addrs, &b, &b);

		assert_memory_equal(&of_a, &first, 16);
		assert_memory_equal(&of_b, &second, 16);
	}
	ctl_sample_addrs_clear(addrs);
	again = ctl_sample_addrs_get(addrs, &b, &b);
	assert_memory_equal(&again, &first, 16);
	ctl_sample_addrs_free(addrs);
}

/* Of 5000 endpoints with two addresses each: a replay counts as many, by /64, and by /48 some 4000. */
static void endpoints_of_ipv6_are_as_many_as_before(void **)
{
	struct ctl_sample_addrs *addrs = ctl_sample_addrs_new();
	struct dp_endpoint_nets nets;
	g_autoptr(GHashTable)
		by_64 = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	g_autoptr(GHashTable)
		by_48 = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

	dp_endpoint_nets_default(&nets);
	ctl_sample_addrs_know(&nets);
	for (uint32_t i = 0; i < 10000; i++) {
		struct dp_addr endpoint = {
			.b = {0x20, 1, [6] = (uint8_t)(i / 2 >> 8), [7] = (uint8_t)(i / 2)}};
		struct dp_addr whole = endpoint, to;
		uint64_t half;

		whole.b[15] = (uint8_t)(1 + i % 2);
		to = ctl_sample_addrs_get(addrs, &endpoint, &whole);
		assert_true(dp_nets_have6(&nets, &to));
		half = dp_addr_half(&to, 0);
		(void)g_hash_table_add(by_64, g_memdup2(&half, sizeof(half)));
		half >>= 16;
		(void)g_hash_table_add(by_48, g_memdup2(&half, sizeof(half)));
	}
	assert_int_equal(g_hash_table_size(by_64), 5000);
	assert_int_equal(g_hash_table_size(by_48), 4096);
	ctl_sample_addrs_free(addrs);
}

static void a_full_table_says_so_and_all_numbers_lie_in_the_networks(void **)
{
	struct ctl_sample_addrs *addrs = ctl_sample_addrs_new();
	struct dp_endpoint_nets nets;
	const struct dp_addr server = addr("203.0.113.9");

	dp_endpoint_nets_init(&nets, NULL, 0, 64);
	ctl_sample_addrs_know(&nets);
	for (uint32_t i = 0; !ctl_sample_addrs_is_full(addrs); i++) {
		const uint8_t be[4] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
		const struct dp_addr a = dp_addr_from_v4(be);
		const struct dp_addr to = ctl_sample_addrs_get(addrs, &a, &a);
		const struct dp_endpoint e = dp_endpoint_of(&nets, &server, &to);

		assert_true(i < CTL_SAMPLE_ADDRS_MAX);
		assert_false(e.is_src);
		assert_false(e.is_ambiguous);
		assert_memory_equal(&e.addr, &to, sizeof(to));
	}
	ctl_sample_addrs_clear(addrs);
	assert_false(ctl_sample_addrs_is_full(addrs));
	ctl_sample_addrs_free(addrs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_endpoint_becomes_a_number_and_the_server_stays),
		cmocka_unit_test(a_checksum_that_was_wrong_or_is_none_stays_so),
		cmocka_unit_test(a_checksum_of_udp_never_becomes_none),
		cmocka_unit_test(its_address_stands_nowhere_else_either),
		cmocka_unit_test(nor_in_options_of_ip),
		cmocka_unit_test(an_ipv6_address_that_looks_like_ipv4_is_hidden_as_well),
		cmocka_unit_test(what_is_said_is_cut_off),
		cmocka_unit_test(every_truncation_is_whole_or_nothing),
		cmocka_unit_test(what_is_not_understood_is_not_kept),
		cmocka_unit_test(an_endpoint_has_one_number_in_a_file_and_another_in_the_next),
		cmocka_unit_test(endpoints_of_ipv6_are_as_many_as_before),
		cmocka_unit_test(a_full_table_says_so_and_all_numbers_lie_in_the_networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
