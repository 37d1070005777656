// SPDX-License-Identifier: BSD-3-Clause

/* The catalogue is swapped while the classifier looks at a flow, and behind its verdict. */

#include "classifier/ndpi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/lib/payload.h"
#include "tests/unit/frame.h"

#include <netinet/in.h>

enum { SHOP = 10, VIDEO, VIDEO_TAG = 1 };
enum {
	BEFORE,
	AFTER,
	NONE,
	N_CATALOGUES
}; // of the shop's name: an app, another with a tag, no app

static const char CLIENT[] = "10.0.0.7", SERVER[] = "203.0.113.9";

struct flow {
	void *state;
	struct dp_five_tuple tuple;
	uint32_t n_packets;
};

static struct cls_catalogue *catalogues[N_CATALOGUES];
static struct dp_stage stage;
static struct payload hello, answer;

static int setup(void **)
{
	static const char *const tags[] = {"", "video"};
	static const struct cls_host_def shop = {"shop.example", DP_TAG_NONE};
	static const struct cls_host_def video = {"video.shop.example", VIDEO_TAG};
	static const struct cls_app_def before = {
		.id = SHOP, .name = "shop", .category = "shopping", .hosts = &shop, .n_hosts = 1};
	static const struct cls_app_def after = {.id = VIDEO,
		.name = "video",
		.category = "streaming",
		.hosts = &video,
		.n_hosts = 1};
	struct wire_random random;

	wire_random_init(&random, 1);
	hello.len = answer.len = 0;
	payload_tls(&hello, &answer, &random);
	assert_int_equal(cls_catalogue_new(&before, 1, tags, 2, &catalogues[BEFORE], NULL), 0);
	assert_int_equal(cls_catalogue_new(&after, 1, tags, 2, &catalogues[AFTER], NULL), 0);
	assert_int_equal(cls_catalogue_new(NULL, 0, tags, 2, &catalogues[NONE], NULL), 0);
	return cls_stage_new(catalogues[BEFORE], &stage, NULL);
}

static int teardown(void **)
{
	stage.ops->free(stage.self);
	for (int i = 0; i < N_CATALOGUES; i++)
		cls_catalogue_free(catalogues[i]);
	return 0;
}

static void swap(int to)
{
	cls_stage_set_catalogue(&stage, catalogues[to]);
	assert_true(stage.ops->renew(stage.self));
}

static struct flow new_flow(void)
{
	struct flow f = {.tuple = {.sport = 50000, .dport = 443, .l4_proto = IPPROTO_TCP}};

	assert_int_equal(dp_addr_parse(CLIENT, &f.tuple.src), 0);
	assert_int_equal(dp_addr_parse(SERVER, &f.tuple.dst), 0);
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

static struct dp_verdict give(struct flow *f, const struct payload *p, bool is_reply)
{
	struct dp_stage_item item;
	struct frame frame;

	frame_put(frame_new(&frame), p->bytes, (uint32_t)p->len);
	frame_tcp(&frame, is_reply ? 443 : 50000, is_reply ? 50000 : 443, 0x18, 1);
	frame_ipv4(&frame, IPPROTO_TCP, is_reply ? SERVER : CLIENT, is_reply ? CLIENT : SERVER);
	f->n_packets++;
	item = item_of(f);
	item.l3 = frame_bytes(&frame);
	item.l3_len = frame_len(&frame);
	item.is_from_dst = is_reply;
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

static void assert_is(const struct dp_verdict *v, uint32_t app, uint16_t tag, bool is_renewed)
{
	assert_int_equal(v->app, app);
	assert_int_equal(v->tag, tag);
	assert_int_equal(v->evidence, app < DP_APP_FIRST ? DP_EVIDENCE_NONE : DP_EVIDENCE_SNI);
	assert_int_equal(v->is_renewed, is_renewed);
	assert_string_equal(v->host, "video.shop.example");
}

static void the_next_packet_of_a_flow_that_is_looked_at_decides_anew(void **)
{
	struct flow f = new_flow();
	struct dp_verdict v = give(&f, &hello, false);

	assert_is(&v, SHOP, DP_TAG_NONE, false);
	assert_false(v.is_final);
	swap(AFTER);
	v = give(&f, &answer, true);
	assert_is(&v, VIDEO, VIDEO_TAG, true);
	if (!v.is_final)
		v = finish(&f);
	assert_is(&v, VIDEO, VIDEO_TAG, true);
}

/* Until its last word nothing else is said, so that it stays what it was. */
static void an_app_that_is_gone_is_unknown_by_the_last_word(void **)
{
	struct flow f = new_flow();
	struct dp_verdict v = give(&f, &hello, false);

	assert_is(&v, SHOP, DP_TAG_NONE, false);
	swap(NONE);
	v = give(&f, &hello, false); // sent again
	assert_is(&v, DP_APP_UNDECIDED, DP_TAG_NONE, true);
	assert_false(v.is_final);
	v = finish(&f);
	assert_is(&v, DP_APP_UNKNOWN, DP_TAG_NONE, true);
}

static void a_flow_that_was_nothing_yet_is_not_renewed(void **)
{
	struct flow f = new_flow();
	struct dp_verdict v;

	swap(NONE);
	v = give(&f, &hello, false);
	assert_is(&v, DP_APP_UNDECIDED, DP_TAG_NONE, false);
	swap(AFTER);
	v = finish(&f);
	assert_is(&v, VIDEO, VIDEO_TAG, false);
}

/* Back and forth between two packets is no swap for the flow. */
static void a_swap_that_is_taken_back_changes_nothing(void **)
{
	struct flow f = new_flow();
	struct dp_verdict v = give(&f, &hello, false);

	swap(AFTER);
	swap(BEFORE);
	v = finish(&f);
	assert_is(&v, SHOP, DP_TAG_NONE, true);
}

static void a_decided_flow_is_resolved_by_what_is_in_force(void **)
{
	static const struct {
		int catalogue;
		uint32_t app;
		uint16_t tag;
	} rows[] = {{AFTER, VIDEO, VIDEO_TAG}, {NONE, DP_APP_UNKNOWN, DP_TAG_NONE},
		{BEFORE, SHOP, DP_TAG_NONE}};
	struct flow f = new_flow();
	struct dp_verdict v = give(&f, &hello, false);
	struct dp_said said = {0};
	struct dp_known known = {.said = &said,
		.server = &f.tuple.dst,
		.server_port = 443,
		.l4_proto = IPPROTO_TCP,
		.app = v.app,
		.tag = v.tag,
		.evidence = v.evidence};

	if (!v.is_final)
		v = finish(&f);
	said.ndpi_master = v.ndpi_master;
	said.ndpi_app = v.ndpi_app;
	said.has_ech = v.has_ech;
	said.basis = v.basis;
	memcpy(said.host, v.host, sizeof(said.host));
	stage.ops->resolve(stage.self, &known);
	assert_int_equal(known.app, SHOP);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		swap(rows[i].catalogue);
		stage.ops->resolve(stage.self, &known);
		assert_int_equal(known.app, rows[i].app);
		assert_int_equal(known.tag, rows[i].tag);
		assert_int_equal(known.evidence,
			rows[i].app < DP_APP_FIRST ? DP_EVIDENCE_NONE : DP_EVIDENCE_SNI);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_next_packet_of_a_flow_that_is_looked_at_decides_anew),
		TEST(an_app_that_is_gone_is_unknown_by_the_last_word),
		TEST(a_flow_that_was_nothing_yet_is_not_renewed),
		TEST(a_swap_that_is_taken_back_changes_nothing),
		TEST(a_decided_flow_is_resolved_by_what_is_in_force),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
