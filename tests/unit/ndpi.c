// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/ndpi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/frame.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

enum { FILMS = 10, NETFLIX, DNS, RIVAL, VPN, FILMS_TAG = 1, POOL_MAX = 65536 };

static const char CLIENT[] = "10.0.0.7", SERVER[] = "203.0.113.9";

/* What a worker keeps of a flow for its stage. */
struct flow {
	void *state;
	struct dp_five_tuple tuple;
	uint32_t n_packets;
};

static struct cls_catalogue *catalogue;
static struct dp_stage stage;

static int setup(void **)
{
	static const char *const tags[] = {"", "trailer"};
	static const char *const netflix[] = {"NetFlix", NULL};
	static const char *const dns[] = {"DNS", NULL};
	static const struct cls_host_def films[] = {
		{"films.example", DP_TAG_NONE}, {"trailers.films.example", FILMS_TAG}};
	static const struct cls_port_def vpn[] = {{IPPROTO_UDP, 40000, 40000}};
	struct dp_prefix rival;

	assert_int_equal(dp_prefix_parse("198.51.100.0/24", &rival), 0);

	const struct cls_app_def apps[] = {
		{.id = FILMS,
			.name = "films",
			.category = "streaming",
			.hosts = films,
			.n_hosts = 2},
		{.id = NETFLIX, .name = "netflix", .category = "streaming", .ndpi = netflix},
		{.id = DNS, .name = "dns", .category = "infrastructure", .ndpi = dns},
		{.id = RIVAL,
			.name = "rival",
			.category = "competitor",
			.nets = &rival,
			.n_nets = 1},
		{.id = VPN, .name = "vpn", .category = "vpn", .ports = vpn, .n_ports = 1},
	};

	assert_int_equal(cls_catalogue_new(apps, 5, tags, 2, &catalogue, NULL), 0);
	return cls_stage_new(catalogue, &stage, NULL);
}

static int teardown(void **)
{
	stage.ops->free(stage.self);
	cls_catalogue_free(catalogue);
	return 0;
}

static struct flow flow_of(
	uint8_t l4_proto, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	struct flow f = {.tuple = {.sport = sport, .dport = dport, .l4_proto = l4_proto}};

	assert_int_equal(dp_addr_parse(src, &f.tuple.src), 0);
	assert_int_equal(dp_addr_parse(dst, &f.tuple.dst), 0);
	return f;
}

static struct dp_stage_item item_of(struct flow *f)
{
	return (struct dp_stage_item){.state = &f->state,
		.tuple = &f->tuple,
		.endpoint = &f->tuple.src,
		.n_packets = f->n_packets,
		.time_ns = 1000000000};
}

static void put_headers(struct frame *frame, const struct flow *f, bool is_reply)
{
	const struct dp_five_tuple *t = &f->tuple;
	char src[DP_ADDR_STRLEN], dst[DP_ADDR_STRLEN];
	const uint16_t sport = is_reply ? t->dport : t->sport;
	const uint16_t dport = is_reply ? t->sport : t->dport;

	if (t->l4_proto == IPPROTO_TCP)
		frame_tcp(frame, sport, dport, 0x18, 1);
	else
		frame_udp(frame, sport, dport);
	dp_addr_format(is_reply ? &t->dst : &t->src, src);
	dp_addr_format(is_reply ? &t->src : &t->dst, dst);
	frame_ipv4(frame, t->l4_proto, src, dst);
}

/* One packet of the flow with this payload; what the stage says after it. */
static struct dp_verdict give(struct flow *f, const void *payload, uint32_t len)
{
	struct frame frame;

	frame_put(frame_new(&frame), payload, len);
	put_headers(&frame, f, false);
	f->n_packets++;

	struct dp_stage_item item = item_of(f);

	item.l3 = frame_bytes(&frame);
	item.l3_len = frame_len(&frame);
	stage.ops->look(stage.self, &item);
	return item.verdict;
}

static struct dp_verdict finish(struct flow *f)
{
	struct dp_stage_item item = item_of(f);

	stage.ops->finish(stage.self, &item);
	assert_null(f->state);
	return item.verdict;
}

static void end(struct flow *f, const struct dp_verdict *v)
{
	if (!v->is_final)
		(void)finish(f);
}

/* A ClientHello (RFC 8446 4.1.2, RFC 6066 3) in one record. */
static void put_client_hello(struct frame *f, const char *name)
{
	const uint32_t name_len = (uint32_t)strlen(name);
	static const uint8_t versions[] = {0, 43, 0, 3, 2, 3, 4}; // supported_versions: TLS 1.3
	uint8_t sni[9] = {0}, ext[2], hello[43] = {1, [4] = 3, [5] = 3}, record[5] = {22, 3, 1};
	static const uint8_t ciphers[] = {0, 4, 0x13, 1, 0x13, 2, 1, 0}; // and no compression

	frame_new(f);
	frame_put(f, versions, sizeof(versions));
	frame_put(f, name, name_len);
	frame_set16(sni + 2, name_len + 5);
	frame_set16(sni + 4, name_len + 3);
	frame_set16(sni + 7, name_len);
	frame_put(f, sni, sizeof(sni));
	frame_set16(ext, frame_len(f));
	frame_put(f, ext, sizeof(ext));
	frame_put(f, ciphers, sizeof(ciphers));
	memset(hello + 6, 0x5a, 32); // random; behind it the length of no session id
	frame_put(f, hello, 39);
	frame_set16(frame_bytes(f) + 2, frame_len(f) - 4);
	frame_set16(record + 3, frame_len(f));
	frame_put(f, record, sizeof(record));
}

static struct dp_verdict give_client_hello(struct flow *f, const char *name)
{
	struct frame hello;

	put_client_hello(&hello, name);
	return give(f, frame_bytes(&hello), frame_len(&hello));
}

static void a_flow_without_payload_is_known_by_address_and_port_only(void **)
{
	struct flow rival = flow_of(IPPROTO_TCP, CLIENT, 50000, "198.51.100.7", 50001);
	struct flow vpn = flow_of(IPPROTO_UDP, CLIENT, 50000, SERVER, 40000);
	struct flow none = flow_of(IPPROTO_TCP, CLIENT, 50000, SERVER, 50001);
	struct flow icmp = flow_of(IPPROTO_ICMP, CLIENT, 0, SERVER, 0);
	struct dp_verdict v = finish(&rival); // the very first call: no look came before

	assert_int_equal(v.app, RIVAL);
	assert_int_equal(v.evidence, DP_EVIDENCE_ADDRESS);
	assert_true(v.is_final);
	v = finish(&vpn);
	assert_int_equal(v.app, VPN);
	assert_int_equal(v.evidence, DP_EVIDENCE_PORT);
	v = finish(&none);
	assert_int_equal(v.app, DP_APP_UNKNOWN);
	assert_int_equal(v.evidence, DP_EVIDENCE_NONE);
	assert_int_equal(v.effort, 0); // the library saw no packet of it
	v = finish(&icmp);
	assert_int_equal(v.app, DP_APP_UNKNOWN);
}

/* Whether it is a packet's look or a last word that comes first in the round. */
static void a_catalogue_is_in_force_from_the_next_round_on(void **)
{
	struct cls_catalogue *empty;
	struct flow flows[5];

	for (size_t i = 0; i < 5; i++)
		flows[i] = flow_of(IPPROTO_TCP, CLIENT, 50000, "198.51.100.7", 50001);
	assert_int_equal(cls_catalogue_new(NULL, 0, NULL, 0, &empty, NULL), 0);
	assert_int_equal(finish(&flows[0]).app, RIVAL);
	assert_false(stage.ops->renew(stage.self));
	cls_stage_set_catalogue(&stage, empty);
	assert_int_equal(finish(&flows[1]).app, RIVAL);
	assert_true(stage.ops->renew(stage.self));
	assert_int_equal(finish(&flows[2]).app, DP_APP_UNKNOWN);
	assert_false(stage.ops->renew(stage.self));
	cls_stage_set_catalogue(&stage, catalogue);
	assert_true(stage.ops->renew(stage.self));

	const struct dp_verdict v = give_client_hello(&flows[3], "www.films.example");

	assert_int_equal(v.app, FILMS);
	end(&flows[3], &v);
	assert_int_equal(finish(&flows[4]).app, RIVAL);
	cls_catalogue_free(empty);
}

static void a_server_name_names_the_app_at_the_client_hello(void **)
{
	static const struct {
		const char *name, *shown;
		uint32_t app;
		uint16_t tag;
	} rows[] = {
		{"www.films.example", "www.films.example", FILMS, DP_TAG_NONE},
		{"FILMS.example", "films.example", FILMS, DP_TAG_NONE},
		{"a.trailers.films.example", "a.trailers.films.example", FILMS, FILMS_TAG},
		{"www.netflix.com", "www.netflix.com", NETFLIX, DP_TAG_NONE}, // nDPI's own table
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct flow f = flow_of(IPPROTO_TCP, CLIENT, 50000, SERVER, 443);
		const struct dp_verdict v = give_client_hello(&f, rows[i].name);

		assert_int_equal(v.app, rows[i].app);
		assert_int_equal(v.tag, rows[i].tag);
		assert_int_equal(v.evidence, DP_EVIDENCE_SNI);
		assert_string_equal(v.host, rows[i].shown);
		end(&f, &v);
	}
}

/* What would follow is for others: the status of the answer, and a certificate that cannot change a
 * name that the library knows. A name that only the catalogue knows does not end the library's
 * search, because its own word is printed too. */
static void no_packet_is_looked_at_that_could_tell_nothing(void **)
{
	static const char get[] = "GET / HTTP/1.1\r\nHost: nobody.example\r\n"
				  "User-Agent: Test/1.0\r\n\r\n";
	struct flow http = flow_of(IPPROTO_TCP, CLIENT, 50000, SERVER, 80);
	struct flow known = flow_of(IPPROTO_TCP, CLIENT, 50001, SERVER, 443);
	struct flow ours = flow_of(IPPROTO_TCP, CLIENT, 50002, SERVER, 443);
	struct dp_verdict v = give(&http, get, sizeof(get) - 1);

	assert_true(v.is_final);
	assert_int_equal(v.app, DP_APP_UNKNOWN);
	assert_string_equal(v.host, "nobody.example");
	assert_int_equal(v.effort, 1);
	v = give_client_hello(&known, "www.netflix.com");
	assert_true(v.is_final);
	assert_int_equal(v.app, NETFLIX);
	assert_int_equal(v.effort, 0); // its table of names is all that it is asked
	v = give_client_hello(&ours, "www.films.example");
	assert_false(v.is_final);
	assert_int_equal(v.app, FILMS);
	end(&ours, &v);
}

/* The test for generated names is skipped where nothing but a risk comes of it. */
static void a_generated_name_is_still_tor(void **)
{
	static const struct {
		const char *name, *proto;
	} rows[] = {
		{"www.xkqzjvwpqkzx.com", "TLS.Tor"},
		{"www.xkqzjvwpqkzx.net", "TLS.Tor"},
		{"www.xkqzjvwpqkzx.org", "TLS"},
		{"xkqzjvwpqkzx.com", "TLS"},
		{"www.library.com", "TLS"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct flow f = flow_of(IPPROTO_TCP, CLIENT, 50000, SERVER, 443);
		const struct dp_verdict v = give_client_hello(&f, rows[i].name);
		char proto[64];

		assert_string_equal(cls_proto_name(v.ndpi_master, v.ndpi_app, proto, sizeof(proto)),
			rows[i].proto);
		end(&f, &v);
	}
}

static void a_name_that_only_ends_alike_is_not_the_app(void **)
{
	struct flow f = flow_of(IPPROTO_TCP, CLIENT, 50000, SERVER, 443);
	struct dp_verdict v = give_client_hello(&f, "myfilms.example");
	char proto[64];

	if (!v.is_final)
		v = finish(&f);
	assert_int_equal(v.app, DP_APP_UNKNOWN);
	assert_string_equal(v.host, "myfilms.example");
	assert_string_equal(cls_proto_name(v.ndpi_master, v.ndpi_app, proto, sizeof(proto)), "TLS");
}

static void the_host_of_an_http_request_names_the_app(void **)
{
	static const char get[] = "GET /a HTTP/1.1\r\nHost: Video.Films.example\r\n"
				  "User-Agent: Test/1.0\r\nAccept: */*\r\n\r\n";
	struct flow f = flow_of(IPPROTO_TCP, CLIENT, 50000, SERVER, 80);
	const struct dp_verdict v = give(&f, get, sizeof(get) - 1);

	assert_int_equal(v.app, FILMS);
	assert_int_equal(v.evidence, DP_EVIDENCE_HTTP);
	assert_string_equal(v.host, "video.films.example");
	end(&f, &v);
}

static void a_look_up_is_dns_whatever_it_asks_for(void **)
{
	// RFC 1035 4.1: id 1, recursion desired, one question: www.films.example A IN
	static const uint8_t query[] = "\0\1\1\0\0\1\0\0\0\0\0\0\3www\5films\7example\0\0\1\0\1";
	struct flow f = flow_of(IPPROTO_UDP, CLIENT, 50000, SERVER, 53);
	const struct dp_verdict v = give(&f, query, sizeof(query) - 1);

	assert_int_equal(v.app, DNS);
	assert_int_equal(v.evidence, DP_EVIDENCE_PAYLOAD);
	assert_string_equal(v.host, "www.films.example");
	end(&f, &v);
}

static void hostile_bytes_of_a_name_are_shown_as_question_marks(void **)
{
	static const char get[] = "GET / HTTP/1.1\r\nHost: a\"b\x80.films.example\r\n"
				  "User-Agent: Test/1.0\r\n\r\n";
	struct flow f = flow_of(IPPROTO_TCP, CLIENT, 50000, SERVER, 80);
	const struct dp_verdict v = give(&f, get, sizeof(get) - 1);

	for (const char *p = v.host; *p != '\0'; p++)
		assert_true(strchr("abcdefghijklmnopqrstuvwxyz0123456789-._:?", *p) != NULL);
	end(&f, &v);
}

static void every_truncation_of_a_client_hello_is_survived(void **)
{
	struct frame hello;

	put_client_hello(&hello, "www.films.example");
	put_headers(&hello,
		&(struct flow){.tuple = flow_of(IPPROTO_TCP, CLIENT, 50000, SERVER, 443).tuple},
		false);
	for (uint32_t len = 0; len <= frame_len(&hello); len++) {
		struct flow f = flow_of(IPPROTO_TCP, CLIENT, 50000, SERVER, 443);
		struct dp_stage_item item = item_of(&f);
		uint8_t *block = malloc(len > 0 ? len : 1);

		assert_non_null(block);
		memcpy(block, frame_bytes(&hello), len);
		item.l3 = block;
		item.l3_len = len;
		item.n_packets = 1;
		stage.ops->look(stage.self, &item);
		end(&f, &item.verdict);
		free(block);
	}
}

/* The library remembers the peers of a BitTorrent flow and calls an unknown flow of theirs BitTorrent
 * too, if it met the first one before. */
static struct dp_verdict unknown_of_a_peer(bool is_after_bittorrent)
{
	static const uint8_t handshake[68] = "\x13"
					     "BitTorrent protocol";
	static const uint8_t noise[64] = {0x9c, 0x11, 0xfe, 0x07, 0x5d, 0xee, 0x42, 0x91};
	struct flow torrent = flow_of(IPPROTO_TCP, CLIENT, 50000, SERVER, 44123);
	struct flow other = flow_of(IPPROTO_TCP, "10.0.0.8", 50002, SERVER, 44123);
	struct dp_verdict v;

	if (is_after_bittorrent) {
		char proto[64];

		v = give(&torrent, handshake, sizeof(handshake));
		if (!v.is_final)
			v = finish(&torrent);
		assert_string_equal(cls_proto_name(v.ndpi_master, v.ndpi_app, proto, sizeof(proto)),
			"BitTorrent");
	}
	v = give(&other, noise, sizeof(noise));
	return v.is_final ? v : finish(&other);
}

static void a_verdict_does_not_depend_on_the_flows_before(void **)
{
	const struct dp_verdict alone = unknown_of_a_peer(false);
	const struct dp_verdict after = unknown_of_a_peer(true);

	assert_int_equal(alone.ndpi_app, 0);
	assert_int_equal(after.ndpi_master, alone.ndpi_master);
	assert_int_equal(after.ndpi_app, alone.ndpi_app);
	assert_int_equal(after.app, alone.app);
}

static void interleaved_flows_do_not_disturb_each_other(void **)
{
	enum { N = 32 };
	static const char get[] = "GET / HTTP/1.1\r\nHost: www.films.example\r\n"
				  "User-Agent: Test/1.0\r\n\r\n";
	struct flow flows[N];
	struct frame frames[N];
	struct dp_stage_item items[N];

	for (int i = 0; i < N; i++) {
		const bool is_http = i % 2 == 0;

		flows[i] = flow_of(
			IPPROTO_TCP, CLIENT, (uint16_t)(50000 + i), SERVER, is_http ? 80 : 443);
		if (is_http)
			frame_put(frame_new(&frames[i]), get, sizeof(get) - 1);
		else
			put_client_hello(&frames[i], "films.example");
		put_headers(&frames[i], &flows[i], false);
		flows[i].n_packets = 1;
		items[i] = item_of(&flows[i]);
		items[i].l3 = frame_bytes(&frames[i]);
		items[i].l3_len = frame_len(&frames[i]);
	}
	for (int i = 0; i < N; i++)
		stage.ops->look(stage.self, &items[i]);
	for (int i = 0; i < N; i++) {
		assert_int_equal(items[i].verdict.app, FILMS);
		assert_int_equal(
			items[i].verdict.evidence, i % 2 == 0 ? DP_EVIDENCE_HTTP : DP_EVIDENCE_SNI);
		end(&flows[i], &items[i].verdict);
	}
}

static void a_full_pool_takes_the_state_of_the_oldest(void **)
{
	static const uint8_t noise[32] = {0x9c, 0x11, 0xfe, 0x07, 0x5d, 0xee, 0x42, 0x91};
	struct flow *flows = calloc(POOL_MAX, sizeof(*flows));
	struct flow late = flow_of(IPPROTO_UDP, "10.9.9.9", 50000, SERVER, 50001);
	struct dp_verdict v;

	assert_non_null(flows);
	for (uint32_t i = 0; i < POOL_MAX; i++) {
		flows[i] = flow_of(IPPROTO_UDP, CLIENT, 50000, SERVER, 50001);
		frame_set32(flows[i].tuple.src.b + 12, 0x0a000000 + i);
		v = give(&flows[i], noise, sizeof(noise));
		assert_int_equal(v.app, DP_APP_UNDECIDED);
		assert_non_null(flows[i].state);
	}
	v = give(&late, noise, sizeof(noise));
	assert_false(v.is_final);
	assert_non_null(late.state);

	v = give(&flows[0], noise, sizeof(noise)); // whose state is late's now
	assert_true(v.is_final);
	assert_true(v.is_cut);
	assert_int_equal(v.app, DP_APP_UNKNOWN);
	assert_null(flows[0].state);

	(void)finish(&flows[1]); // one leaves, one may come, and nobody loses anything
	flows[0].n_packets = 0;
	v = give(&flows[0], noise, sizeof(noise));
	assert_false(v.is_final);
	v = give(&flows[2], noise, sizeof(noise));
	assert_false(v.is_final);
	end(&late, &v);
	(void)finish(&flows[0]);
	for (uint32_t i = 2; i < POOL_MAX; i++)
		(void)finish(&flows[i]);
	free(flows);
}

static void a_flow_that_stays_unknown_is_given_up_after_the_readers_bounds(void **)
{
	static const struct {
		uint8_t l4_proto;
		uint32_t max;
	} rows[] = {{IPPROTO_UDP, 25}, {IPPROTO_TCP, 81}};
	static const uint8_t noise[32] = {0x9c, 0x11, 0xfe, 0x07, 0x5d, 0xee, 0x42, 0x91};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct flow f = flow_of(rows[i].l4_proto, CLIENT, 50000, SERVER, 50001);
		struct dp_verdict v = {0};

		while (!v.is_final && f.n_packets < 1000)
			v = give(&f, noise, sizeof(noise));
		assert_true(f.n_packets <= rows[i].max);
		assert_int_equal(v.effort, f.n_packets); // each had payload
		assert_int_equal(v.app, DP_APP_UNKNOWN);
		assert_null(f.state);
	}
}

static void names_and_numbers_of_the_library_agree(void **)
{
	char buf[64];
	size_t n = 0;

	for (; cls_ndpi_name(n) != NULL; n++) {
		const int found = cls_ndpi_proto_by_name(cls_ndpi_name(n));

		assert_true(found >= 0);
		assert_string_equal(cls_ndpi_name((size_t)found), cls_ndpi_name(n));
	}
	assert_true(n > 200);
	assert_int_equal(cls_ndpi_proto_by_name("no such protocol"), -ENOENT);
	assert_string_equal(cls_proto_name(91, 133, buf, sizeof(buf)), "TLS.NetFlix");
	assert_string_equal(cls_proto_name(0, 5, buf, sizeof(buf)), "DNS");
	assert_string_equal(cls_proto_name(5, 5, buf, sizeof(buf)), "DNS");
	assert_string_equal(cls_proto_name(91, 0, buf, sizeof(buf)), "TLS");
	assert_string_equal(cls_proto_name(0, 0, buf, sizeof(buf)), "Unknown");
	assert_string_equal(cls_proto_name(0, UINT16_MAX, buf, sizeof(buf)), "?");
	assert_string_equal(cls_ndpi_category("netflix"), "Video");
	assert_string_equal(cls_ndpi_category("no such protocol"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_flow_without_payload_is_known_by_address_and_port_only, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_catalogue_is_in_force_from_the_next_round_on, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_server_name_names_the_app_at_the_client_hello, setup, teardown),
		cmocka_unit_test_setup_teardown(
			no_packet_is_looked_at_that_could_tell_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_generated_name_is_still_tor, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_name_that_only_ends_alike_is_not_the_app, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_host_of_an_http_request_names_the_app, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_look_up_is_dns_whatever_it_asks_for, setup, teardown),
		cmocka_unit_test_setup_teardown(
			hostile_bytes_of_a_name_are_shown_as_question_marks, setup, teardown),
		cmocka_unit_test_setup_teardown(
			every_truncation_of_a_client_hello_is_survived, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_verdict_does_not_depend_on_the_flows_before, setup, teardown),
		cmocka_unit_test_setup_teardown(
			interleaved_flows_do_not_disturb_each_other, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_full_pool_takes_the_state_of_the_oldest, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_flow_that_stays_unknown_is_given_up_after_the_readers_bounds, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			names_and_numbers_of_the_library_agree, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
