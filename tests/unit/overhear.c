// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/overhear.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/dns_message.h"
#include "tests/unit/frame.h"

#include <netinet/in.h>
#include <stdlib.h>

static const uint64_t NOW_NS = 1700000000000000000;

static struct cls_hints *hints;
static struct cls_overhear *listener;
static void *waiting;

static int begin(void **)
{
	hints = cls_hints_new(100);
	listener = hints != NULL ? cls_overhear_new(hints) : NULL;
	waiting = NULL;
	return listener != NULL ? 0 : -1;
}

static int end(void **)
{
	cls_overhear_drop(listener, &waiting);
	assert_null(waiting);
	cls_overhear_free(listener);
	cls_overhear_free(NULL);
	cls_hints_free(hints);
	return 0;
}

static struct dp_addr addr(const char *text)
{
	struct dp_addr a;

	assert_int_equal(dp_addr_parse(text, &a), 0);
	return a;
}

/* A look-up as the worker sees it: who it is of, who sent the flow's first packet, who sent this one. */
struct lookup {
	const char *client, *server;
	uint8_t l4_proto;
	uint16_t server_port; // 0: 53
	bool server_began;
	bool is_of_client; // what is seen was sent by the client
	uint32_t seq;
};

/* The payload in a packet of the look-up, from a block of its own. */
static void hear(const struct lookup *l, const void *payload, uint32_t len)
{
	const char *src = l->is_of_client ? l->client : l->server;
	const char *dst = l->is_of_client ? l->server : l->client;
	const uint16_t port = l->server_port != 0 ? l->server_port : CLS_DNS_PORT;
	const uint16_t sport = l->is_of_client ? 50000 : port,
		       dport = l->is_of_client ? port : 50000;
	struct dp_five_tuple tuple = {.l4_proto = l->l4_proto};
	const struct dp_addr endpoint = addr(l->client);
	struct frame f;
	uint8_t *block;

	frame_put(frame_new(&f), payload, len);
	if (l->l4_proto == IPPROTO_UDP)
		frame_udp(&f, sport, dport);
	else
		frame_tcp(&f, sport, dport, 0x18, l->seq);
	if (strchr(src, ':') != NULL)
		frame_ipv6(&f, l->l4_proto, src, dst);
	else
		frame_ipv4(&f, l->l4_proto, src, dst);
	tuple.src = addr(l->server_began ? l->server : l->client);
	tuple.dst = addr(l->server_began ? l->client : l->server);
	tuple.sport = l->server_began ? port : 50000;
	tuple.dport = l->server_began ? 50000 : port;
	block = malloc(frame_len(&f));
	assert_non_null(block);
	memcpy(block, frame_bytes(&f), frame_len(&f));

	const struct dp_stage_item item = {.tuple = &tuple,
		.endpoint = &endpoint,
		.l3 = block,
		.l3_len = frame_len(&f),
		.time_ns = NOW_NS,
		.tcp_seq = l->seq,
		.server_is_src = l->server_began,
		.is_from_dst = l->server_began == l->is_of_client};

	cls_overhear(listener, &item, &waiting);
	free(block);
}

static const char *name_of(const char *client, const char *server, uint32_t after_s)
{
	const struct dp_addr c = addr(client), s = addr(server);

	return cls_hints_get(hints, &c, &s, NOW_NS + after_s * UINT64_C(1000000000));
}

static const struct lookup UDP4 = {"10.0.0.7", "192.0.2.53", IPPROTO_UDP, 0, false, false, 0};
static const struct lookup UDP6 = {
	"2001:db8::7", "2001:db8:53::53", IPPROTO_UDP, 0, false, false, 0};
static const struct lookup TCP4 = {"10.0.0.7", "192.0.2.53", IPPROTO_TCP, 0, false, false, 9};

static void answers_over_udp_become_hints_of_who_asked(void **)
{
	hear(&UDP4, dns_dig_aaaa, sizeof(dns_dig_aaaa));
	hear(&UDP6, dns_dig_https, sizeof(dns_dig_https));
	assert_string_equal(name_of("10.0.0.7", "2001:db8:1::9", 0), "www.films.example");
	assert_null(name_of("10.0.0.8", "2001:db8:1::9", 0));
	assert_string_equal(name_of("2001:db8::7", "203.0.113.21", 0), "secure.example");
	assert_string_equal(name_of("2001:db8::7", "2001:db8:3::20", 0), "secure.example");
	assert_int_equal(cls_hints_counts(hints)->put, 4);
	// 20 s were said, and a client may keep an address longer.
	assert_string_equal(name_of("10.0.0.7", "2001:db8:1::9", 300), "www.films.example");
	assert_null(name_of("10.0.0.7", "2001:db8:1::9", 301));
}

static void an_answer_counts_where_only_its_direction_is_seen(void **)
{
	struct lookup l = UDP4;

	l.server_began = true;
	hear(&l, dns_dig_aaaa, sizeof(dns_dig_aaaa));
	assert_string_equal(name_of("10.0.0.7", "2001:db8:1::9", 0), "www.films.example");
}

static void what_the_endpoint_says_itself_is_no_answer(void **)
{
	for (int began = 0; began < 2; began++) {
		struct lookup l = UDP4;

		l.is_of_client = true;
		l.server_began = began != 0;
		hear(&l, dns_dig_aaaa, sizeof(dns_dig_aaaa));
	}
	assert_int_equal(cls_hints_counts(hints)->put, 0);
}

/* An endpoint that is a name server itself; multicast DNS; a port that is the client's by chance. */
static void only_port_53_of_the_other_side_counts(void **)
{
	struct lookup l = UDP4;
	struct dp_five_tuple tuple = {.l4_proto = IPPROTO_UDP, .sport = 53, .dport = 5353};

	l.server_port = 5353;
	hear(&l, dns_dig_aaaa, sizeof(dns_dig_aaaa));
	assert_int_equal(cls_hints_counts(hints)->put, 0);
	assert_false(cls_overhear_wants(&tuple, false));
	assert_true(cls_overhear_wants(&tuple, true));
	tuple.l4_proto = IPPROTO_TCP;
	assert_true(cls_overhear_wants(&tuple, true));
	tuple.l4_proto = IPPROTO_SCTP;
	assert_false(cls_overhear_wants(&tuple, true));
}

/* RFC 1035 4.2.2. Two answers in a stream, cut at each place. */
static void answers_over_tcp_are_joined(void **)
{
	enum { N = 4 + sizeof(dns_dig_aaaa) + sizeof(dns_dig_https) };
	uint8_t stream[N];
	struct lookup l = TCP4;

	frame_set16(stream, sizeof(dns_dig_aaaa));
	memcpy(stream + 2, dns_dig_aaaa, sizeof(dns_dig_aaaa));
	frame_set16(stream + 2 + sizeof(dns_dig_aaaa), sizeof(dns_dig_https));
	memcpy(stream + 4 + sizeof(dns_dig_aaaa), dns_dig_https, sizeof(dns_dig_https));
	for (uint32_t cut = 0; cut <= N; cut++) {
		const uint64_t n_before = cls_hints_counts(hints)->put;

		l.seq = UINT32_MAX - 30;
		hear(&l, stream, cut);
		l.seq += cut;
		hear(&l, stream + cut, N - cut);
		assert_int_equal(cls_hints_counts(hints)->put - n_before, 4);
		assert_null(waiting);
	}
	assert_string_equal(name_of("10.0.0.7", "2001:db8:1::9", 0), "www.films.example");
	assert_string_equal(name_of("10.0.0.7", "203.0.113.20", 0), "secure.example");
	hear(&TCP4, stream, 100);
	assert_non_null(waiting); // the end gives it back
}

/* What filters answer instead of an address. */
static void addresses_that_nobody_has_are_left(void **)
{
	static const char *const nobody[] = {"0.0.0.0", "127.0.0.1"};
	struct dns_message m;
	uint8_t zeros[16] = {0};

	dns_begin(&m, "ads.example", DNS_A);
	for (size_t i = 0; i < 2; i++)
		dns_put_a(&m, "ads.example", nobody[i], 60);
	for (int i = 0; i < 2; i++) {
		zeros[15] = (uint8_t)i; // :: and ::1
		dns_put_name(&m, "ads.example");
		dns_put_data(&m, DNS_AAAA, 60, zeros, 16);
	}
	hear(&UDP4, m.bytes, m.len);
	assert_int_equal(cls_hints_counts(hints)->put, 0);
	dns_put_a(&m, "ads.example", "203.0.113.1", 60);
	hear(&UDP4, m.bytes, m.len);
	assert_int_equal(cls_hints_counts(hints)->put, 1);
}

static void a_packet_that_is_cut_says_nothing(void **)
{
	for (uint32_t len = 0; len < sizeof(dns_dig_aaaa); len++)
		hear(&UDP4, dns_dig_aaaa, len);
	assert_int_equal(cls_hints_counts(hints)->put, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			answers_over_udp_become_hints_of_who_asked, begin, end),
		cmocka_unit_test_setup_teardown(
			an_answer_counts_where_only_its_direction_is_seen, begin, end),
		cmocka_unit_test_setup_teardown(
			what_the_endpoint_says_itself_is_no_answer, begin, end),
		cmocka_unit_test_setup_teardown(only_port_53_of_the_other_side_counts, begin, end),
		cmocka_unit_test_setup_teardown(answers_over_tcp_are_joined, begin, end),
		cmocka_unit_test_setup_teardown(addresses_that_nobody_has_are_left, begin, end),
		cmocka_unit_test_setup_teardown(a_packet_that_is_cut_says_nothing, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
