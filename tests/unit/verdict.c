// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/ndpi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/frame.h"

#include <netinet/in.h>
#include <stdio.h>

enum { OURS = 10, NETFLIX, AMAZON, GOOGLE, DATABASE };

/* nDPI has its own idea of the addresses of Google; NOWHERE is nobody's (RFC 5737). */
static const char CLIENT[] = "10.0.0.7", NOWHERE[] = "203.0.113.9", GOOGLES[] = "173.194.73.101";

static struct cls_catalogue *catalogue;
static struct dp_stage stage;

static int setup(void **)
{
	static const char *const netflix[] = {"NetFlix", NULL}, *const amazon[] = {"Amazon", NULL};
	static const char *const google[] = {"Google", NULL}, *const mysql[] = {"MySQL", NULL};
	static const struct cls_host_def ours = {"example.com", DP_TAG_NONE};
	static const struct cls_app_def apps[] = {
		{.id = OURS, .name = "ours", .category = "web", .hosts = &ours, .n_hosts = 1},
		{.id = NETFLIX, .name = "netflix", .category = "streaming", .ndpi = netflix},
		{.id = AMAZON, .name = "amazon", .category = "shopping", .ndpi = amazon},
		{.id = GOOGLE, .name = "google", .category = "web", .ndpi = google},
		{.id = DATABASE, .name = "databases", .category = "network", .ndpi = mysql},
	};

	assert_int_equal(cls_catalogue_new(apps, 5, NULL, 0, &catalogue, NULL), 0);
	return cls_stage_new(catalogue, &stage, NULL);
}

static int teardown(void **)
{
	stage.ops->free(stage.self);
	cls_catalogue_free(catalogue);
	return 0;
}

static void put_headers(struct frame *frame, const char *server, uint16_t port)
{
	frame_tcp(frame, 50000, port, 0x18, 1);
	frame_ipv4(frame, IPPROTO_TCP, CLIENT, server);
}

/* What is said of a TCP flow to that server whose client says text, by now or, when nothing more comes, as the last
 * word. */
static struct dp_verdict say(
	void **state, const char *server, uint16_t port, const char *text, bool is_last)
{
	struct dp_five_tuple tuple = {.sport = 50000, .dport = port, .l4_proto = IPPROTO_TCP};
	struct dp_stage_item item = {.state = state,
		.tuple = &tuple,
		.endpoint = &tuple.src,
		.n_packets = 1,
		.time_ns = 1000000000};
	struct frame frame;

	assert_int_equal(dp_addr_parse(CLIENT, &tuple.src), 0);
	assert_int_equal(dp_addr_parse(server, &tuple.dst), 0);
	frame_put(frame_new(&frame), text, (uint32_t)strlen(text));
	put_headers(&frame, server, port);
	item.l3 = frame_bytes(&frame);
	item.l3_len = frame_len(&frame);
	stage.ops->look(stage.self, &item);
	if (is_last && !item.verdict.is_final)
		stage.ops->finish(stage.self, &item);
	return item.verdict;
}

static struct dp_verdict verdict_on(const char *server, uint16_t port, const char *text)
{
	void *state = NULL;
	const struct dp_verdict v = say(&state, server, port, text, true);

	assert_null(state);
	return v;
}

static struct dp_verdict verdict_on_host(const char *server, const char *host)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
		"GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: Test/1.0\r\nAccept: */*\r\n\r\n", host);
	return verdict_on(server, 80, text);
}

/* Whoever knows the name, the catalogue or the library: it is a suffix of whole labels. */
static void a_look_alike_is_no_app(void **)
{
	static const struct {
		const char *host;
		uint32_t app;
	} rows[] = {
		{"example.com", OURS},
		{"www.example.com", OURS},
		{"notexample.com", DP_APP_UNKNOWN},
		{"xexample.com", DP_APP_UNKNOWN},
		{"not-example.com", DP_APP_UNKNOWN},
		{"example.com.evil.example", DP_APP_UNKNOWN},
		{"example.community", DP_APP_UNKNOWN},
		// of the library's own table
		{"netflix.com", NETFLIX},
		{"www.netflix.com", NETFLIX},
		{"a.b.netflix.com", NETFLIX},
		{"notnetflix.com", DP_APP_UNKNOWN},
		{"xnetflix.com", DP_APP_UNKNOWN},
		{"www.xnetflix.com", DP_APP_UNKNOWN},
		{"not-netflix.com", DP_APP_UNKNOWN},
		{"netflix.com.evil.example", DP_APP_UNKNOWN},
		{"netflix.community", DP_APP_UNKNOWN},
		// "amazon." stands there for each country's
		{"amazon.com", AMAZON},
		{"www.amazon.de", AMAZON},
		{"www.amazon.co.uk", AMAZON},
		{"amazon.com.br", AMAZON},
		{"xamazon.de", DP_APP_UNKNOWN},
		{"amazon.evil.example", DP_APP_UNKNOWN},
		{"www.amazon.co.evil.example", DP_APP_UNKNOWN},
		{"alexa.amazon.com.evil.example", DP_APP_UNKNOWN},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct dp_verdict v = verdict_on_host(NOWHERE, rows[i].host);

		if (v.app != rows[i].app)
			fail_msg("%s is app %u, expected %u", rows[i].host, v.app, rows[i].app);
		assert_int_equal(
			v.evidence, v.app == DP_APP_UNKNOWN ? DP_EVIDENCE_NONE : DP_EVIDENCE_HTTP);
		assert_string_equal(v.host, rows[i].host);
	}
}

/* What the library says is printed all the same. */
static void the_librarys_word_on_a_look_alike_is_shown(void **)
{
	const struct dp_verdict v = verdict_on_host(NOWHERE, "xnetflix.com");
	char proto[64];

	assert_string_equal(
		cls_proto_name(v.ndpi_master, v.ndpi_app, proto, sizeof(proto)), "HTTP.NetFlix");
}

/* It says HTTP.Google of any HTTP to there, as sure as of HTTP itself. */
static void a_guess_by_address_is_weak(void **)
{
	static const char nameless[] =
		"GET / HTTP/1.0\r\nUser-Agent: Test/1.0\r\nAccept: */*\r\n\r\n";
	struct dp_verdict v = verdict_on(GOOGLES, 80, nameless);
	char proto[64];

	assert_string_equal(
		cls_proto_name(v.ndpi_master, v.ndpi_app, proto, sizeof(proto)), "HTTP.Google");
	assert_int_equal(v.app, GOOGLE);
	assert_int_equal(v.evidence, DP_EVIDENCE_ADDRESS);
	v = verdict_on_host(
		GOOGLES, "nobody.example"); // a name that nobody knows makes it no surer
	assert_int_equal(v.app, GOOGLE);
	assert_int_equal(v.evidence, DP_EVIDENCE_ADDRESS);
	v = verdict_on(GOOGLES, 50001, "\x01\x02\x03 nothing anybody knows");
	assert_int_equal(v.app, GOOGLE);
	assert_int_equal(v.evidence, DP_EVIDENCE_ADDRESS);
	v = verdict_on_host(GOOGLES, "example.com"); // and a name that is known overrules it
	assert_int_equal(v.app, OURS);
	assert_int_equal(v.evidence, DP_EVIDENCE_HTTP);
	v = verdict_on_host(GOOGLES, "www.google.com");
	assert_int_equal(v.app, GOOGLE);
	assert_int_equal(v.evidence, DP_EVIDENCE_HTTP);
}

static void a_guess_by_port_is_weak(void **)
{
	struct dp_verdict v = verdict_on(NOWHERE, 3306, "\x01\x02\x03 nothing anybody knows");

	assert_int_equal(v.app, DATABASE);
	assert_int_equal(v.evidence, DP_EVIDENCE_PORT);
	v = verdict_on(NOWHERE, 50001, "\x01\x02\x03 nothing anybody knows");
	assert_int_equal(v.app, DP_APP_UNKNOWN);
	assert_int_equal(v.evidence, DP_EVIDENCE_NONE);
}

/* Which flows, depends on those beside: the report has to say so. */
static void a_request_that_finds_no_room_is_counted(void **)
{
	enum { N = 4096 + 1 };
	static void *states[N];

	for (size_t i = 0; i < N; i++) {
		assert_int_equal(stage.ops->forgotten(stage.self), 0);
		(void)say(&states[i], NOWHERE, 80, "GET / HTTP/1.1\r\n", false);
	}
	assert_int_equal(stage.ops->forgotten(stage.self), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_look_alike_is_no_app, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_librarys_word_on_a_look_alike_is_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(a_guess_by_address_is_weak, setup, teardown),
		cmocka_unit_test_setup_teardown(a_guess_by_port_is_weak, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_request_that_finds_no_room_is_counted, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
