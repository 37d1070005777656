// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/dns_message.h"

#include <stdio.h>
#include <stdlib.h>

static struct cls_dns_answer answer;

/* From a block of its own size. */
static bool read_bytes(const uint8_t *bytes, uint32_t len)
{
	uint8_t *block = malloc(len > 0 ? len : 1);
	bool is_read;

	assert_non_null(block);
	memcpy(block, bytes, len);
	is_read = cls_dns_answer(block, len, &answer);
	free(block);
	return is_read;
}

static bool read_message(const struct dns_message *m)
{
	return read_bytes(m->bytes, m->len);
}

static void expect(uint32_t i, const char *addr, uint32_t ttl_s)
{
	char text[DP_ADDR_STRLEN];

	assert_true(i < answer.n_addrs);
	assert_string_equal(dp_addr_format(&answer.addrs[i].addr, text), addr);
	assert_int_equal(answer.addrs[i].ttl_s, ttl_s);
}

static void an_answer_of_a_real_server_names_its_addresses(void **)
{
	assert_true(read_bytes(dns_dig_aaaa, sizeof(dns_dig_aaaa)));
	assert_string_equal(answer.host, "www.films.example"); // was asked for in mixed case
	assert_int_equal(answer.n_addrs, 1);
	expect(0, "2001:db8:1::9", 20);
	assert_true(read_bytes(dns_dig_https, sizeof(dns_dig_https)));
	assert_string_equal(answer.host, "secure.example");
	assert_int_equal(answer.n_addrs, 3);
	expect(0, "203.0.113.20", 60);
	expect(1, "203.0.113.21", 60);
	expect(2, "2001:db8:3::20", 60);
}

static void every_truncation_is_refused(void **)
{
	for (uint32_t len = 0; len < sizeof(dns_dig_aaaa); len++)
		assert_false(read_bytes(dns_dig_aaaa, len));
	for (uint32_t len = 0; len < sizeof(dns_dig_https) - 11; len++) // what follows is EDNS
		assert_false(read_bytes(dns_dig_https, len));
}

static void cnames_count_in_any_order_and_the_least_ttl(void **)
{
	struct dns_message m;

	dns_begin(&m, "www.films.example", DNS_A);
	dns_put_a(&m, "C.example", "203.0.113.3", 50);
	dns_put_cname(&m, "b.example", "c.EXAMPLE", 40);
	dns_put_a(&m, "other.example", "203.0.113.66", 10); // nobody leads there
	dns_put_a(&m, "c.example", "203.0.113.4", 30);
	dns_put_cname(&m, "www.films.example", "B.example", 300);
	dns_put_cname(&m, "other.example", "c.example", 1);
	assert_true(read_message(&m));
	assert_string_equal(answer.host, "www.films.example");
	assert_int_equal(answer.n_addrs, 2);
	expect(0, "203.0.113.3", 40);
	expect(1, "203.0.113.4", 30);
}

static void a_ring_of_cnames_ends(void **)
{
	struct dns_message m;

	dns_begin(&m, "a.example", DNS_A);
	dns_put_cname(&m, "a.example", "b.example", 9);
	dns_put_cname(&m, "b.example", "a.example", 9);
	assert_true(read_message(&m));
	assert_int_equal(answer.n_addrs, 0);
	dns_put_a(&m, "b.example", "203.0.113.3", 50);
	assert_true(read_message(&m));
	assert_int_equal(answer.n_addrs, 1);
	expect(0, "203.0.113.3", 9);
	dns_begin(&m, "a.example", DNS_A);
	dns_put_cname(&m, "a.example", "a.example", 9);
	assert_true(read_message(&m));
}

static void a_chain_longer_than_resolvers_follow_is_left(void **)
{
	for (int n = CLS_DNS_CNAMES_MAX - 1; n <= CLS_DNS_CNAMES_MAX + 1; n++) {
		struct dns_message m;
		char owner[16], target[16];

		dns_begin(&m, "a0.example", DNS_A);
		for (int i = 0; i < n; i++) {
			(void)snprintf(owner, sizeof(owner), "a%d.example", i);
			(void)snprintf(target, sizeof(target), "a%d.example", i + 1);
			dns_put_cname(&m, owner, target, 9);
		}
		dns_put_a(&m, target, "203.0.113.3", 50);
		assert_true(read_message(&m));
		assert_int_equal(answer.n_addrs, n <= CLS_DNS_CNAMES_MAX);
	}
}

static void names_are_compressed_backwards_only(void **)
{
	static const uint8_t addr[4] = {203, 0, 113, 3};
	struct dns_message m;
	uint32_t at;

	dns_begin(&m, "www.films.example", DNS_A);
	dns_put_labels(&m, "WWW");
	dns_put16(&m, 0xc000 + DNS_QUESTION + 4); // films.example
	at = m.len - 2;
	dns_put_data(&m, DNS_A, 7, addr, 4);
	dns_put16(&m, 0xc000 + at - 4); // a pointer to a name that ends with one
	dns_put_data(&m, DNS_A, 8, addr, 4);
	assert_true(read_message(&m));
	assert_int_equal(answer.n_addrs, 2);
	expect(1, "203.0.113.3", 8);

	static const uint32_t wrong[] = {0, 11}; // in the header
	uint32_t at_wrong[4] = {wrong[0], wrong[1], at, at + 2}; // itself, forwards

	for (size_t i = 0; i < 4; i++) {
		dns_set16(&m, at, 0xc000 + at_wrong[i]);
		assert_false(read_message(&m));
	}
	dns_set16(&m, at, 0x8000 + DNS_QUESTION); // RFC 1035 4.1.4: reserved
	assert_false(read_message(&m));
	dns_set16(&m, at, 0x4000 + DNS_QUESTION);
	assert_false(read_message(&m));
}

/* Each of 150 pointers leads to the one before it. */
static void pointers_to_pointers_have_a_bound(void **)
{
	for (uint32_t n = 100; n <= 150; n += 50) {
		static const uint8_t addr[4] = {203, 0, 113, 3};
		struct dns_message m, data = {.len = 0};
		uint32_t at;

		dns_begin(&m, "a.example", DNS_A);
		dns_put_name(&m, "text.example");
		for (uint32_t i = 0; i < n; i++)
			dns_put16(&data, 0);
		at = dns_put_data(&m, DNS_TXT, 1, data.bytes, data.len);
		for (uint32_t i = 0; i < n; i++)
			dns_set16(&m, at + 2 * i,
				0xc000 + (i == 0 ? DNS_QUESTION : at + 2 * (i - 1)));
		dns_put16(&m, 0xc000 + at + 2 * (n - 1));
		dns_put_data(&m, DNS_A, 7, addr, 4);
		assert_int_equal(read_message(&m), n < 127);
		if (n < 127)
			expect(0, "203.0.113.3", 7);
	}
}

static void a_long_name_keeps_its_tail(void **)
{
	char name[254];
	struct dns_message m;

	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = (char)(i % 50 == 49 ? '.' : 'A' + i % 26);
	name[253] = '\0'; // 253 characters: 255 bytes on the wire
	dns_begin(&m, name, DNS_A);
	dns_put_a(&m, name, "203.0.113.3", 50);
	assert_true(read_message(&m));
	assert_int_equal(answer.n_addrs, 1);
	assert_int_equal(strlen(answer.host), DP_HOST_MAX - 1);
	for (size_t i = 0; i < DP_HOST_MAX - 1; i++) {
		const char c = name[253 - (DP_HOST_MAX - 1) + i];

		assert_int_equal(answer.host[i], c == '.' ? '.' : c + ('a' - 'A'));
	}
	m.bytes[DNS_QUESTION] = 0;
	dns_begin(&m, name, DNS_A);
	memmove(m.bytes + DNS_QUESTION + 2, m.bytes + DNS_QUESTION, m.len - DNS_QUESTION);
	memcpy(m.bytes + DNS_QUESTION, "\1a", 2); // a label more than a name may have
	m.len += 2;
	assert_false(read_message(&m));
}

static void a_name_that_no_host_has_is_refused(void **)
{
	static const char *const names[] = {"", "a b.example", "a\x01.example", "a\xff.example",
		"*.example", "a:b.example", "a/b.example"};
	struct dns_message m;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		dns_begin(&m, names[i], DNS_A);
		dns_put_a(&m, names[i], "203.0.113.3", 50);
		assert_false(read_message(&m));
	}
	dns_begin(&m, "_dns.a-b.xn--bcher-kva.example", DNS_A);
	assert_true(read_message(&m));
	assert_string_equal(answer.host, "_dns.a-b.xn--bcher-kva.example");
	m.bytes[DNS_QUESTION + 2] = '.'; // a dot inside a label
	assert_false(read_message(&m));
	m.bytes[DNS_QUESTION + 2] = '\0';
	assert_false(read_message(&m));
}

static void only_an_answer_to_one_question_for_addresses_counts(void **)
{
	static const struct {
		uint32_t off;
		uint16_t value;
		bool is_read;
	} rows[] = {
		{2, 0x8180, true}, {2, 0x8580, true}, // authoritative
		{2, 0x8380, true}, // truncated
		{2, 0x81b0, true}, // AD, CD
		{2, 0x0100, false}, // a query
		{2, 0x8980, false}, // inverse query
		{2, 0xa980, false}, // NOTIFY's neighbour
		{2, 0x8182, false}, // SERVFAIL
		{2, 0x8183, false}, // NXDOMAIN
		{4, 0, false}, {4, 2, false}, {4, 256, false}, {23, DNS_AAAA, true},
		{23, DNS_HTTPS, true}, {23, DNS_SVCB, true}, {23, DNS_CNAME, false},
		{23, DNS_TXT, false}, {23, 255, false}, // ANY
		{25, 3, false}, // class CHAOS
		{25, 0x8001, false}, // mDNS asks for a unicast answer like this
	};
	struct dns_message m;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		dns_begin(&m, "a.example", DNS_A);
		dns_put_a(&m, "a.example", "203.0.113.3", 50);
		dns_set16(&m, rows[i].off, rows[i].value);
		assert_int_equal(read_message(&m), rows[i].is_read);
	}
}

static void ttl_zero_and_those_without_sense_are_zero(void **)
{
	static const struct {
		uint32_t given, read;
	} rows[] = {{0, 0}, {1, 1}, {INT32_MAX, INT32_MAX}, {0x80000000, 0}, {UINT32_MAX, 0}};
	struct dns_message m;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		dns_begin(&m, "a.example", DNS_A);
		dns_put_a(&m, "a.example", "203.0.113.3", rows[i].given);
		assert_true(read_message(&m));
		expect(0, "203.0.113.3", rows[i].read);
	}
}

static void records_of_other_types_and_classes_are_passed_over(void **)
{
	static const uint8_t addr[4] = {203, 0, 113, 3};
	struct dns_message m;

	dns_begin(&m, "a.example", DNS_A);
	dns_put_name(&m, "a.example");
	dns_put_data(&m, DNS_NS, 9, "\2ns\xc0\x0c", 5);
	dns_put_name(&m, "a.example");
	dns_put_data(&m, DNS_TXT, 9, "\4text", 5);
	dns_put_name(&m, "a.example");
	dns_set16(&m, dns_put_data(&m, DNS_A, 9, addr, 4) - 8, 3); // class CHAOS
	assert_true(read_message(&m));
	assert_int_equal(answer.n_addrs, 0);
	dns_put_a(&m, "a.example", "203.0.113.4", 5);
	assert_true(read_message(&m));
	assert_int_equal(answer.n_addrs, 1);
	expect(0, "203.0.113.4", 5);
}

static void data_of_another_length_is_malformed(void **)
{
	static const struct {
		uint16_t type, len;
		const char *data;
	} rows[] = {
		{DNS_A, 3, "\1\2\3"},
		{DNS_A, 5, "\1\2\3\4\5"},
		{DNS_A, 16, "0123456789abcdef"},
		{DNS_AAAA, 15, "0123456789abcdef"},
		{DNS_AAAA, 4, "\1\2\3\4"},
		{DNS_CNAME, 0, ""},
		{DNS_CNAME, 2, "\1b"},
		{DNS_CNAME, 4, "\1b\0"}, // a byte behind the name
		{DNS_HTTPS, 1, "\0"},
		{DNS_HTTPS, 2, "\0\1"},
		{DNS_HTTPS, 6, "\0\1\0\0\4\0"},
		{DNS_HTTPS, 7, "\0\1\0\0\4\0\1"},
		{DNS_HTTPS, 7, "\0\1\0\0\4\0\0"}, // no address
		{DNS_HTTPS, 10, "\0\1\0\0\4\0\3abc"},
		{DNS_SVCB, 11, "\0\1\0\0\6\0\4abcd"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct dns_message m;

		dns_begin(&m, "a.example", DNS_A);
		dns_put_name(&m, "a.example");
		dns_put_data(&m, rows[i].type, 9, rows[i].data, rows[i].len);
		dns_put_a(&m, "b.example", "203.0.113.4", 5); // so that none ends with the message
		assert_false(read_message(&m));
	}
}

/* RFC 9460 2.4.2: an alias has no hints; an unknown parameter is passed over. */
static void hints_of_service_records_count(void **)
{
	static const uint8_t alias[] = "\0\0\5other\7example";
	static const uint8_t service[] =
		"\0\1\3svc\7example\0\0\1\0\3\2h2\0\4\0\4\xcb\0\x71\5\xff\0\0";
	struct dns_message m;

	dns_begin(&m, "a.example", DNS_HTTPS);
	dns_put_name(&m, "a.example");
	dns_put_data(&m, DNS_HTTPS, 9, alias, sizeof(alias)); // with its NUL
	assert_true(read_message(&m));
	assert_int_equal(answer.n_addrs, 0);
	dns_put_name(&m, "A.example");
	dns_put_data(&m, DNS_HTTPS, 8, service, sizeof(service));
	assert_true(read_message(&m));
	assert_int_equal(answer.n_addrs, 1);
	expect(0, "203.0.113.5", 8);
}

static void more_than_there_is_room_for_is_left(void **)
{
	struct dns_message m;
	char addr[16];

	dns_begin(&m, "a.example", DNS_A);
	for (int i = 0; i < CLS_DNS_RECORDS_MAX; i++)
		dns_put_a(&m, "other.example", "203.0.113.3", 5);
	dns_put_a(&m, "a.example", "203.0.113.4", 5);
	assert_true(read_message(&m));
	assert_int_equal(answer.n_addrs, 0);
	dns_begin(&m, "a.example", DNS_A);
	for (int i = 0; i < CLS_DNS_ADDRS_MAX + 9; i++) {
		(void)snprintf(addr, sizeof(addr), "203.0.113.%d", i);
		dns_put_a(&m, "a.example", addr, 5);
	}
	assert_true(read_message(&m));
	assert_int_equal(answer.n_addrs, CLS_DNS_ADDRS_MAX);
	expect(CLS_DNS_ADDRS_MAX - 1, "203.0.113.31", 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_of_a_real_server_names_its_addresses),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(cnames_count_in_any_order_and_the_least_ttl),
		cmocka_unit_test(a_ring_of_cnames_ends),
		cmocka_unit_test(a_chain_longer_than_resolvers_follow_is_left),
		cmocka_unit_test(names_are_compressed_backwards_only),
		cmocka_unit_test(pointers_to_pointers_have_a_bound),
		cmocka_unit_test(a_long_name_keeps_its_tail),
		cmocka_unit_test(a_name_that_no_host_has_is_refused),
		cmocka_unit_test(only_an_answer_to_one_question_for_addresses_counts),
		cmocka_unit_test(ttl_zero_and_those_without_sense_are_zero),
		cmocka_unit_test(records_of_other_types_and_classes_are_passed_over),
		cmocka_unit_test(data_of_another_length_is_malformed),
		cmocka_unit_test(hints_of_service_records_count),
		cmocka_unit_test(more_than_there_is_room_for_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
