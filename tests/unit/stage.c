// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/ndpi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "classifier/overhear.h"
#include "tests/unit/dns_message.h"
#include "tests/unit/frame.h"
#include "tests/unit/hello_rig.h"

#include <netinet/in.h>

enum { FILMS = 10, APPLE, HALF = 20 };

static const char CLIENT[] = "10.0.0.7", SERVER[] = "203.0.113.9", RESOLVER[] = "192.0.2.53";

static struct cls_catalogue *catalogue;
static struct dp_stage stage;

static int setup(void **)
{
	static const char *const apple[] = {"Apple", NULL};
	static const struct cls_host_def films = {"films.example", DP_TAG_NONE};
	static const struct cls_app_def apps[] = {
		{.id = FILMS,
			.name = "films",
			.category = "streaming",
			.hosts = &films,
			.n_hosts = 1},
		{.id = APPLE, .name = "apple", .category = "web", .ndpi = apple},
	};

	assert_int_equal(cls_catalogue_new(apps, 2, NULL, 0, &catalogue, NULL), 0);
	return cls_stage_new(catalogue, &stage, NULL);
}

static int teardown(void **)
{
	stage.ops->free(stage.self);
	cls_catalogue_free(catalogue);
	return 0;
}

/* A flow over TCP that the client began, as a worker keeps it. */
struct flow {
	void *state;
	struct dp_five_tuple tuple;
	uint32_t n_packets;
	struct dp_verdict verdict;
};

static struct flow flow_to(const char *server, uint16_t port)
{
	struct flow f = {.tuple = {.sport = 50000, .dport = port, .l4_proto = IPPROTO_TCP}};

	assert_int_equal(dp_addr_parse(CLIENT, &f.tuple.src), 0);
	assert_int_equal(dp_addr_parse(server, &f.tuple.dst), 0);
	return f;
}

static struct dp_stage_item item_of(struct flow *f)
{
	return (struct dp_stage_item){.state = &f->state,
		.tuple = &f->tuple,
		.endpoint = &f->tuple.src,
		.n_packets = f->n_packets,
		.time_ns = 1000000000,
		.is_watched = f->verdict.is_watched};
}

/* bytes[at..end) of what a side says, in one segment. */
static void say(struct flow *f, bool is_server, const uint8_t *bytes, size_t at, size_t end)
{
	const struct dp_five_tuple *t = &f->tuple;
	const struct dp_addr *src = is_server ? &t->dst : &t->src,
			     *dst = is_server ? &t->src : &t->dst;
	const uint32_t seq = 1 + (uint32_t)at;
	char from[DP_ADDR_STRLEN], to[DP_ADDR_STRLEN];
	struct frame frame;
	struct dp_stage_item item;

	frame_put(frame_new(&frame), bytes + at, (uint32_t)(end - at));
	frame_tcp(&frame, is_server ? t->dport : t->sport, is_server ? t->sport : t->dport, 0x18,
		seq);
	frame_ipv4(&frame, IPPROTO_TCP, dp_addr_format(src, from), dp_addr_format(dst, to));
	f->n_packets++;
	item = item_of(f);
	item.l3 = frame_bytes(&frame);
	item.l3_len = frame_len(&frame);
	item.tcp_seq = seq;
	item.is_from_dst = is_server;
	item.has_syn = true;
	if (f->verdict.is_watched) {
		stage.ops->overhear(stage.self, &item);
		return;
	}
	assert_false(f->verdict.is_final);
	stage.ops->look(stage.self, &item);
	f->verdict = item.verdict;
}

static void end(struct flow *f)
{
	struct dp_stage_item item = item_of(f);

	if (f->verdict.is_final && f->state == NULL)
		return;
	stage.ops->finish(stage.self, &item);
	assert_null(f->state);
	if (!f->verdict.is_final)
		f->verdict = item.verdict;
}

/* What a browser says first. */
static const struct rig *hello_of(const char *name)
{
	static struct rig hello, stream;

	rig_browser(&hello, name);
	rig_records(&stream, &hello, 16384);
	return &stream;
}

static void expect_proto(const struct dp_verdict *v, const char *proto)
{
	char text[64];

	assert_string_equal(cls_proto_name(v->ndpi_master, v->ndpi_app, text, sizeof(text)), proto);
}

/* Its table of hosts has an app for them, and another one that they are of a kind of sites: then it says no more
 * than TLS. */
static void of_a_name_in_two_tables_the_library_says_what_it_would_have_said(void **)
{
	static const char *const names[] = {"captive.apple.com", "www.reddit.map.fastly.net",
		"detectportal.firefox.com", "www.apple.com"};

	for (size_t i = 0; i < 4; i++) {
		const struct rig *hello = hello_of(names[i]);
		struct flow f = flow_to(SERVER, 443);

		say(&f, false, hello->bytes, 0, hello->len);
		assert_string_equal(f.verdict.host, names[i]);
		end(&f);
		expect_proto(&f.verdict, i < 3 ? "TLS" : "TLS.Apple");
		assert_int_equal(f.verdict.app, i < 3 ? DP_APP_UNKNOWN : APPLE);
	}
}

/* Two bytes from the middle of a hello are a WebSocket for it. */
static void a_name_overrules_what_the_library_took_its_pieces_for(void **)
{
	const struct rig *hello = hello_of("www.apple.com");
	struct flow f = flow_to(SERVER, 443);

	for (size_t at = (hello->len - 1) & ~(size_t)1; !f.verdict.is_final; at -= 2) {
		say(&f, false, hello->bytes, at, at + 2 < hello->len ? at + 2 : hello->len);
		assert_true(f.verdict.is_final == (at == 0));
	}
	assert_string_equal(f.verdict.host, "www.apple.com");
	assert_int_equal(f.verdict.app, APPLE);
	expect_proto(&f.verdict, "TLS.Apple");
}

/* --- look-ups over TCP ------------------------------------------------------------------------- */

/* What a server says to a question for films.example: that it is at SERVER. */
static uint32_t put_answer(uint8_t bytes[512])
{
	struct dns_message m;

	dns_begin(&m, "www.films.example", DNS_A);
	dns_put_a(&m, "www.films.example", SERVER, 300);
	frame_set16(bytes, m.len);
	memcpy(bytes + 2, m.bytes, m.len);
	return 2 + m.len;
}

static void look_up(struct flow *f)
{
	uint8_t bytes[512];
	const uint32_t len = put_answer(bytes);

	say(f, true, bytes, 0, HALF);
	say(f, true, bytes, HALF, len);
}

/* App of a flow to SERVER that shows no name. */
static struct dp_verdict without_a_name(void)
{
	static const uint8_t noise[32] = {0x9c, 0x11, 0xfe, 0x07, 0x5d, 0xee, 0x42, 0x91};
	struct flow f = flow_to(SERVER, 50001);

	say(&f, false, noise, 0, sizeof(noise));
	end(&f);
	return f.verdict;
}

static void a_flow_to_an_address_that_was_looked_up_has_its_app(void **)
{
	struct flow f = flow_to(RESOLVER, 53);

	assert_int_equal(without_a_name().app, DP_APP_UNKNOWN);
	look_up(&f);
	end(&f);
	assert_int_equal(without_a_name().app, FILMS);
	assert_int_equal(without_a_name().evidence, DP_EVIDENCE_DNS);
	assert_int_equal(stage.ops->forgotten(stage.self), 0);
}

/* App of an echo request to SERVER. */
static struct dp_verdict pinged(void)
{
	static const uint8_t request[24] = {8, 0, 0xf7, 0xfd, 0, 1, 0, 1}; // RFC 792
	struct flow f = flow_to(SERVER, 0);
	struct frame frame;
	struct dp_stage_item item;

	f.tuple.l4_proto = IPPROTO_ICMP;
	f.tuple.sport = 0;
	frame_put(frame_new(&frame), request, sizeof(request));
	frame_ipv4(&frame, IPPROTO_ICMP, CLIENT, SERVER);
	f.n_packets = 1;
	item = item_of(&f);
	item.l3 = frame_bytes(&frame);
	item.l3_len = frame_len(&frame);
	stage.ops->look(stage.self, &item);
	f.verdict = item.verdict;
	end(&f);
	return f.verdict;
}

static void a_ping_of_what_was_looked_up_is_no_use_of_the_app(void **)
{
	struct flow f = flow_to(RESOLVER, 53);
	struct dp_verdict ping;

	look_up(&f);
	end(&f);
	assert_int_equal(without_a_name().app, FILMS);
	ping = pinged();
	assert_int_equal(ping.app, DP_APP_UNKNOWN);
	assert_string_equal(ping.host, "");
	assert_string_equal(ping.alias, ""); // nor by another catalogue
	expect_proto(&ping, "ICMP");
}

/* Of flows that end before anybody knows what they are. */
static void an_answer_that_never_becomes_whole_takes_no_room_for_good(void **)
{
	static const uint8_t begun[] = {8, 0, 0x12, 0x34, 0x80, 0};
	struct flow f = flow_to(RESOLVER, 53);

	for (int i = 0; i < CLS_DNS_WAITING + 1; i++) {
		struct flow g = flow_to(RESOLVER, 53);

		say(&g, true, begun, 0, sizeof(begun));
		assert_false(g.verdict.is_final);
		end(&g);
	}
	look_up(&f);
	end(&f);
	assert_int_equal(without_a_name().app, FILMS);
	assert_int_equal(stage.ops->forgotten(stage.self), 0);
}

/* So that a report can say that other workers might have said something else. */
static void an_answer_without_room_to_wait_is_counted(void **)
{
	static struct flow begun[CLS_DNS_WAITING];
	struct flow f = flow_to(RESOLVER, 53);
	uint8_t bytes[512];

	(void)put_answer(bytes);
	for (int i = 0; i < CLS_DNS_WAITING; i++) {
		begun[i] = flow_to(RESOLVER, 53);
		say(&begun[i], true, bytes, 0, HALF);
	}
	assert_int_equal(stage.ops->forgotten(stage.self), 0);
	look_up(&f);
	end(&f);
	assert_int_equal(without_a_name().app, DP_APP_UNKNOWN);
	assert_int_equal(stage.ops->forgotten(stage.self), 1);
	for (int i = 0; i < CLS_DNS_WAITING; i++)
		end(&begun[i]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(of_a_name_in_two_tables_the_library_says_what_it_would_have_said),
		TEST(a_name_overrules_what_the_library_took_its_pieces_for),
		TEST(a_flow_to_an_address_that_was_looked_up_has_its_app),
		TEST(a_ping_of_what_was_looked_up_is_no_use_of_the_app),
		TEST(an_answer_that_never_becomes_whole_takes_no_room_for_good),
		TEST(an_answer_without_room_to_wait_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
