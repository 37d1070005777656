// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/frame.h"
#include "tests/unit/hello_rig.h"

#include <netinet/in.h>
#include <string.h>

#define NAME "www.video.example"
#define CLIENT "10.0.0.7"
#define SERVER "203.0.113.9"

enum { MORE = CLS_NAME_MORE, FOUND = CLS_NAME_FOUND, NONE = CLS_NAME_NONE, SYN_SEQ = 4294967000u };

static struct cls_names *names;
static struct rig hello, stream;

/* What a worker knows of a flow, and what became of the search. */
struct flow {
	struct cls_names_flow flow;
	struct dp_five_tuple tuple;
	bool has_syn;
	struct cls_name name;
	enum dp_evidence evidence;
};

static int setup(void **)
{
	rig_browser(&hello, NAME);
	rig_records(&stream, &hello, 16384);
	names = cls_names_new();
	return names == NULL;
}

static int teardown(void **)
{
	cls_names_free(names);
	return 0;
}

static struct flow flow_of(uint8_t l4_proto, uint16_t sport, uint16_t dport, bool has_syn)
{
	struct flow f = {.tuple = {.sport = sport, .dport = dport, .l4_proto = l4_proto},
		.has_syn = has_syn};

	assert_int_equal(dp_addr_parse(CLIENT, &f.tuple.src), 0);
	assert_int_equal(dp_addr_parse(SERVER, &f.tuple.dst), 0);
	return f;
}

/* bytes[at..end) of what a side says, at that place behind its SYN, or so many before. */
static enum cls_name_step say(
	struct flow *f, bool is_from_dst, const uint8_t *bytes, size_t at, size_t end)
{
	const char *src = is_from_dst ? SERVER : CLIENT, *dst = is_from_dst ? CLIENT : SERVER;
	const uint16_t sport = is_from_dst ? f->tuple.dport : f->tuple.sport;
	const uint16_t dport = is_from_dst ? f->tuple.sport : f->tuple.dport;
	const uint32_t seq = SYN_SEQ + 1 + (uint32_t)at;
	struct frame frame;

	frame_put(frame_new(&frame), bytes + at, (uint32_t)(end - at));
	if (f->tuple.l4_proto == IPPROTO_TCP) {
		frame_tcp(&frame, sport, dport, 0x10, seq);
	} else {
		frame_udp(&frame, sport, dport);
	}
	(void)frame_ipv4(&frame, f->tuple.l4_proto, src, dst);

	const struct dp_stage_item item = {.tuple = &f->tuple,
		.l3 = frame_bytes(&frame),
		.l3_len = frame_len(&frame),
		.tcp_seq = seq,
		.syn_seq = SYN_SEQ,
		.has_syn = f->has_syn,
		.is_from_dst = is_from_dst};

	return cls_names_look(names, &f->flow, &item, &f->name, &f->evidence);
}

static enum cls_name_step client(struct flow *f, size_t at, size_t end)
{
	return say(f, false, stream.bytes, at, end);
}

static void assert_named(const struct flow *f, enum dp_evidence evidence)
{
	static const struct cls_names_flow nothing;

	assert_string_equal(f->name.host, NAME);
	assert_int_equal(f->evidence, evidence);
	assert_memory_equal(&f->flow, &nothing, sizeof(nothing));
}

static void a_hello_in_one_segment_needs_no_join(void **)
{
	struct flow f = flow_of(IPPROTO_TCP, 50000, 443, true);

	assert_int_equal(client(&f, 0, stream.len), FOUND);
	assert_named(&f, DP_EVIDENCE_SNI);
}

/* Each order of three parts, with and without the SYN where the first part comes first. */
static void the_parts_of_a_hello_may_come_in_any_order(void **)
{
	static const uint8_t orders[][3] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	const size_t at[4] = {0, 5, stream.len / 2, stream.len};

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		for (int has_syn = orders[i][0] != 0; has_syn < 2; has_syn++) {
			struct flow f = flow_of(IPPROTO_TCP, 50000, 443, has_syn != 0);

			for (int k = 0; k < 3; k++) {
				const uint8_t part = orders[i][k];

				assert_int_equal(
					client(&f, at[part], at[part + 1]), k < 2 ? MORE : FOUND);
			}
			assert_named(&f, DP_EVIDENCE_SNI);
		}
	}
}

static void bytes_sent_again_change_nothing(void **)
{
	struct flow f = flow_of(IPPROTO_TCP, 50000, 443, true);
	static uint8_t other[4096];

	assert_int_equal(client(&f, 0, 100), MORE);
	memset(other, 'x', sizeof(other));
	assert_int_equal(say(&f, false, other, 20, 100), MORE);
	assert_int_equal(client(&f, 50, stream.len), FOUND);
	assert_named(&f, DP_EVIDENCE_SNI);
}

/* One byte before the window keeps a connection alive; and what is sent again may reach across its beginning. */
static void what_lies_before_the_beginning_is_left_out(void **)
{
	static uint8_t longer[sizeof(stream.bytes) + 8] = "before";
	struct flow f = flow_of(IPPROTO_TCP, 50000, 443, false);

	memcpy(longer + 6, stream.bytes, stream.len);
	assert_int_equal(say(&f, false, longer, 6, 60), MORE); // what is before has passed
	assert_int_equal(say(&f, false, longer, 5, 6), MORE);
	assert_int_equal(say(&f, false, longer, 0, 6 + stream.len), FOUND);
	assert_named(&f, DP_EVIDENCE_SNI);
}

static void who_listens_to_the_port_of_a_server_is_one(void **)
{
	struct flow f = flow_of(
		IPPROTO_TCP, 443, 50000, false); // its answer was the first packet we saw

	assert_int_equal(say(&f, true, stream.bytes, 0, stream.len), FOUND);
	assert_named(&f, DP_EVIDENCE_SNI);
}

static void a_server_that_begins_is_not_waited_for(void **)
{
	static const uint8_t greeting[] = "220 mail.example ESMTP\r\n";
	struct flow f = flow_of(IPPROTO_TCP, 50000, 25, true);

	for (int i = 0; i < 3; i++)
		assert_int_equal(say(&f, true, greeting, 0, 24), MORE);
	assert_int_equal(say(&f, true, greeting, 0, 24), NONE);

	// But two ports of a mirror may be late against each other.
	f = flow_of(IPPROTO_TCP, 50000, 443, true);
	assert_int_equal(say(&f, true, greeting, 0, 24), MORE);
	assert_int_equal(client(&f, 0, stream.len), FOUND);
	assert_named(&f, DP_EVIDENCE_SNI);
}

static void other_protocols_end_the_search_at_once(void **)
{
	static const uint8_t ssh[] = "SSH-2.0-test\r\n", noise[64] = {0x9c, 0x11, 0xfe};
	struct flow f = flow_of(IPPROTO_TCP, 50000, 22, true);

	assert_int_equal(say(&f, false, ssh, 0, sizeof(ssh) - 1), NONE);
	f = flow_of(IPPROTO_UDP, 50000, 50001, false);
	assert_int_equal(say(&f, false, noise, 0, sizeof(noise)), NONE);
	f = flow_of(IPPROTO_SCTP, 50000, 50001, false);
	assert_int_equal(say(&f, false, noise, 0, sizeof(noise)), NONE);

	// An answer of another protocol, whose question was not seen.
	f = flow_of(IPPROTO_UDP, 53, 50000, false);
	assert_int_equal(say(&f, false, ssh, 0, sizeof(ssh) - 1), NONE);
}

static void a_request_is_read_across_segments(void **)
{
	static const uint8_t get[] = "GET /index HTTP/1.1\r\nAccept: */*\r\nHost: " NAME
				     ":8080\r\n\r\n";
	const size_t len = sizeof(get) - 1;

	for (size_t cut = 1; cut < len - 4; cut++) {
		struct flow f = flow_of(IPPROTO_TCP, 50000, 80, true);
		enum cls_name_step step = say(&f, false, get, 0, cut);

		if (step == CLS_NAME_MORE)
			step = say(&f, false, get, cut, len);
		assert_int_equal(step, FOUND);
		assert_named(&f, DP_EVIDENCE_HTTP);
	}
}

/* A part that never comes: the name counts where it is in what is there. */
static void what_is_there_in_the_end_counts(void **)
{
	struct flow f = flow_of(IPPROTO_TCP, 50000, 443, true);

	assert_false(cls_names_is_reading(&f.flow));
	assert_int_equal(client(&f, 0, stream.len - 1), MORE);
	assert_true(cls_names_is_reading(&f.flow));
	assert_int_equal(cls_names_last(names, &f.flow, &f.name, &f.evidence), FOUND);
	assert_named(&f, DP_EVIDENCE_SNI);

	f = flow_of(IPPROTO_TCP, 50000, 443, true);
	assert_int_equal(client(&f, 100, stream.len), MORE);
	assert_int_equal(cls_names_last(names, &f.flow, &f.name, &f.evidence), NONE);
	f = flow_of(IPPROTO_TCP, 50000, 80, true);
	assert_int_equal(say(&f, false, (const uint8_t *)"GET / HTTP/1.1\r\n", 0, 16), MORE);
	assert_int_equal(cls_names_last(names, &f.flow, &f.name, &f.evidence), NONE);
	f = flow_of(IPPROTO_TCP, 50000, 443, true);
	assert_int_equal(cls_names_last(names, &f.flow, &f.name, &f.evidence), NONE);
}

/* A segment that the mirror lost does not come again, and its flow may go on for hours. */
static void what_was_lost_is_not_waited_for_behind_a_long_answer(void **)
{
	static const uint8_t answer[1000];
	static const int steps[] = {NONE, FOUND};

	for (size_t i = 0; i < 2; i++) {
		struct flow f = flow_of(IPPROTO_TCP, 50000, 443, true);
		const size_t begin = i == 0 ? 100 : 0, end = i == 0 ? stream.len : stream.len - 1;
		enum cls_name_step step = client(&f, begin, end);
		int n = 1;

		for (; step == CLS_NAME_MORE && n < 5000; n++)
			step = say(&f, true, answer, 0, sizeof(answer));
		assert_int_equal(step, steps[i]);
		assert_int_equal(n, 1024);
	}
}

/* Neither packets nor memory without end for one flow; and what one took others have again. */
static void a_search_is_bounded(void **)
{
	for (int round = 0; round < 8192; round++) { // twice as many as joins
		struct flow f = flow_of(IPPROTO_TCP, 50000, 443, true);
		int n = 1;

		while (client(&f, 100, 101) == CLS_NAME_MORE && n < 5000)
			n++;
		assert_true(n > 258 && n <= 1024);
	}
}

static void without_room_a_flow_is_without_its_name_alone(void **)
{
	enum { N = 4097 };
	static struct flow flows[N];
	struct flow whole = flow_of(IPPROTO_TCP, 50000, 443, true);
	const uint64_t n_refused = cls_names_refused(names);

	for (int i = 0; i < N; i++) {
		flows[i] = flow_of(IPPROTO_TCP, 50000, 443, true);
		assert_int_equal(client(&flows[i], 0, 100), i < N - 1 ? MORE : NONE);
	}
	assert_int_equal(cls_names_refused(names) - n_refused, 1);
	assert_int_equal(client(&whole, 0, stream.len), FOUND);
	whole = flow_of(IPPROTO_TCP, 50000, 443, true);
	assert_int_equal(client(&whole, 0, 5 + hello.name_end), FOUND); // what is there counts
	assert_named(&whole, DP_EVIDENCE_SNI);
	whole = flow_of(IPPROTO_TCP, 50000, 443, true);
	assert_int_equal(client(&whole, 100, stream.len), NONE);
	assert_int_equal(cls_names_refused(names) - n_refused, 3);
	for (int i = 0; i < N - 1; i++)
		assert_int_equal(client(&flows[i], 100, stream.len), FOUND);
}

static void of_too_many_pieces_the_beginning_counts(void **)
{
	struct flow f = flow_of(IPPROTO_TCP, 50000, 443, true);

	assert_int_equal(client(&f, 0, 5 + hello.name_end), MORE);
	for (size_t i = 1; i < CLS_JOIN_PIECES; i++)
		assert_int_equal(client(&f, 1000 + 2 * i, 1000 + 2 * i + 1), MORE);
	assert_int_equal(client(&f, 2000, 2001), FOUND);
	assert_named(&f, DP_EVIDENCE_SNI);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hello_in_one_segment_needs_no_join),
		cmocka_unit_test(the_parts_of_a_hello_may_come_in_any_order),
		cmocka_unit_test(bytes_sent_again_change_nothing),
		cmocka_unit_test(what_lies_before_the_beginning_is_left_out),
		cmocka_unit_test(who_listens_to_the_port_of_a_server_is_one),
		cmocka_unit_test(a_server_that_begins_is_not_waited_for),
		cmocka_unit_test(other_protocols_end_the_search_at_once),
		cmocka_unit_test(a_request_is_read_across_segments),
		cmocka_unit_test(what_is_there_in_the_end_counts),
		cmocka_unit_test(what_was_lost_is_not_waited_for_behind_a_long_answer),
		cmocka_unit_test(a_search_is_bounded),
		cmocka_unit_test(without_room_a_flow_is_without_its_name_alone),
		cmocka_unit_test(of_too_many_pieces_the_beginning_counts),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
