// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/quic_rig.h"

#include "tests/lib/wire.h"

// What the client says once it has the server's connection id.
static const struct quic_wire answered = {
	.dcid = "\x01\x02\x03\x04\x05", .dcid_len = 5, .keys = &client};

static void a_hello_in_one_packet_needs_no_join(void **)
{
	quic_rig_fini(&rig);
	quic_rig_init(&rig, 0);
	assert_int_equal(quic_rig_part(&rig, &client, 0, rig.hello.len), FOUND);
	assert_string_equal(rig.name.host, NAME);
	assert_false(rig.name.has_ech);
	assert_null(rig.flow.crypto);
}

static void an_encrypted_name_is_said(void **)
{
	rig_hello(&rig.hello, 0x0303, -1);
	rig_server_name(&rig.hello, "outer.example");
	rig_ech(&rig.hello, 0);
	rig_hello_end(&rig.hello);
	assert_int_equal(quic_rig_part(&rig, &client, 0, rig.hello.len), FOUND);
	assert_string_equal(rig.name.host, "outer.example");
	assert_true(rig.name.has_ech);
}

static void a_hello_without_a_name_is_none(void **)
{
	rig_hello(&rig.hello, 0x0303, -1);
	rig_extension(&rig.hello, 43, (const uint8_t[]){2, 3, 4}, 3);
	rig_hello_end(&rig.hello);
	assert_int_equal(quic_rig_part(&rig, &client, 0, rig.hello.len), NONE);
}

static void a_packet_that_is_cut_tells_no_name(void **)
{
	quic_rig_crypto(&rig, 0, rig.hello.len);
	quic_rig_packet(&rig, &client);
	for (size_t len = 0; len < rig.len; len++) {
		assert_int_not_equal(quic_rig_look(&rig, rig.datagram, len), FOUND);
		cls_quic_drop(rig.quic, &rig.flow);
	}
	assert_int_equal(quic_rig_send(&rig), FOUND);
}

static void a_packet_with_a_wrong_bit_tells_no_name(void **)
{
	quic_rig_crypto(&rig, 0, rig.hello.len);
	quic_rig_packet(&rig, &client);
	for (size_t bit = 0; bit < rig.len * 8; bit++) {
		rig.datagram[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(quic_rig_look(&rig, rig.datagram, rig.len), FOUND);
		assert_null(rig.flow.crypto);
		rig.datagram[bit / 8] ^= (uint8_t)(1 << bit % 8);
		cls_quic_drop(rig.quic, &rig.flow);
	}
	assert_int_equal(quic_rig_send(&rig), FOUND);
}

/* The hello in frames of up to 30 bytes in a random order, with PADDING and PING between them. */
static void shuffle(struct wire_random *random)
{
	size_t begin[64], n = 0;

	for (size_t at = 0; at < rig.hello.len; at += 30)
		begin[n++] = at;
	while (n > 0) {
		const uint32_t i = wire_below(random, (uint32_t)n);
		const size_t left = rig.hello.len - begin[i];

		quic_rig_put(&rig, (const uint8_t[]){0, 1, 0}, wire_below(random, 4));
		quic_rig_crypto(&rig, begin[i], begin[i] + (left < 30 ? left : 30));
		begin[i] = begin[--n];
	}
}

static void frames_in_any_order_make_the_hello_without_a_join(void **)
{
	struct wire_random random;

	wire_random_init(&random, 1);
	quic_rig_fini(&rig);
	quic_rig_init(&rig, 0);
	for (int i = 0; i < 100; i++) {
		shuffle(&random);
		quic_rig_packet(&rig, &client);
		assert_int_equal(quic_rig_send(&rig), FOUND);
		assert_string_equal(rig.name.host, NAME);
		quic_rig_again(&rig);
	}
}

static void two_packets_in_either_order_make_the_hello(void **)
{
	quic_rig_long_hello(&rig, 1800);
	assert_int_equal(quic_rig_part(&rig, &client, 0, 1100), MORE);
	assert_int_equal(quic_rig_part(&rig, &client, 1100, 1800), FOUND);
	assert_string_equal(rig.name.host, NAME);
	quic_rig_again(&rig);
	assert_int_equal(quic_rig_part(&rig, &client, 1100, 1800), MORE);
	assert_int_equal(quic_rig_part(&rig, &client, 0, 1100), FOUND);
	assert_string_equal(rig.name.host, NAME);
}

static void frames_of_two_packets_may_be_mixed(void **)
{
	quic_rig_long_hello(&rig, 1800);
	quic_rig_crypto(&rig, 1500, 1800);
	quic_rig_crypto(&rig, 200, 700);
	quic_rig_packet(&rig, &client);
	assert_int_equal(quic_rig_send(&rig), MORE);
	quic_rig_crypto(&rig, 700, 1500);
	quic_rig_crypto(&rig, 0, 200);
	quic_rig_packet(&rig, &client);
	assert_int_equal(quic_rig_send(&rig), FOUND);
	assert_string_equal(rig.name.host, NAME);
}

static void what_comes_twice_or_overlaps_changes_nothing(void **)
{
	quic_rig_long_hello(&rig, 1800);
	for (int i = 0; i < 2; i++)
		assert_int_equal(quic_rig_part(&rig, &client, 700, 1300), MORE);
	quic_rig_crypto(&rig, 500, 800);
	quic_rig_crypto(&rig, 0, 600);
	quic_rig_crypto(&rig, 0, 100);
	quic_rig_packet(&rig, &client);
	assert_int_equal(quic_rig_send(&rig), MORE);
	assert_int_equal(quic_rig_part(&rig, &client, 1200, 1800), FOUND);
	assert_string_equal(rig.name.host, NAME);
}

static void overlaps_within_one_packet_need_no_join(void **)
{
	quic_rig_fini(&rig);
	quic_rig_init(&rig, 0);
	quic_rig_crypto(&rig, 50, rig.hello.len);
	quic_rig_crypto(&rig, 0, 90);
	quic_rig_crypto(&rig, 20, 40);
	quic_rig_packet(&rig, &client);
	assert_int_equal(quic_rig_send(&rig), FOUND);
	assert_string_equal(rig.name.host, NAME);
}

static void a_long_hello_takes_as_many_packets(void **)
{
	quic_rig_long_hello(&rig, 7000);
	for (size_t at = 6000; at > 0; at -= 1000)
		assert_int_equal(quic_rig_part(&rig, &client, at, at + 1000), MORE);
	assert_int_equal(quic_rig_part(&rig, &client, 0, 1000), FOUND);
	assert_string_equal(rig.name.host, NAME);
}

static void of_a_hello_that_is_too_long_the_beginning_counts(void **)
{
	rig_hello(&rig.hello, 0x0303, -1);
	rig_server_name(&rig.hello, NAME);
	rig_number(&rig.hello, 51, 2);
	rig_number(&rig.hello, 20000, 2);
	rig_fill(&rig.hello, 0, 20000);
	rig_hello_end(&rig.hello);
	for (size_t at = 0; at < 14000; at += 2000)
		assert_int_equal(quic_rig_part(&rig, &client, at, at + 2000), MORE);
	assert_int_equal(quic_rig_part(&rig, &client, 14000, rig.hello.len), FOUND);
	assert_string_equal(rig.name.host, NAME);
}

static void without_a_join_what_is_there_counts(void **)
{
	quic_rig_fini(&rig);
	quic_rig_init(&rig, 0);
	assert_int_equal(quic_rig_part(&rig, &client, 0, rig.hello.name_end), FOUND);
	assert_string_equal(rig.name.host, NAME);
	quic_rig_again(&rig);
	assert_int_equal(quic_rig_part(&rig, &client, 0, rig.hello.name_end - 1), NONE);
	quic_rig_again(&rig);
	assert_int_equal(quic_rig_part(&rig, &client, 1, rig.hello.len), NONE);
}

static void when_no_more_comes_what_is_there_counts(void **)
{
	assert_int_equal(cls_quic_last(rig.quic, &rig.flow, &rig.name), NONE);
	assert_int_equal(quic_rig_part(&rig, &client, 0, rig.hello.name_end), MORE);
	assert_int_equal(cls_quic_last(rig.quic, &rig.flow, &rig.name), FOUND);
	assert_string_equal(rig.name.host, NAME);
	quic_rig_again(&rig);
	assert_int_equal(quic_rig_part(&rig, &client, 1, rig.hello.len), MORE);
	assert_int_equal(cls_quic_last(rig.quic, &rig.flow, &rig.name), NONE);
}

static void a_dropped_flow_gives_its_join_back(void **)
{
	for (int i = 0; i < 10; i++) { // of a pool of two
		assert_int_equal(quic_rig_part(&rig, &client, 0, 50), MORE);
		assert_non_null(rig.flow.crypto);
		cls_quic_drop(rig.quic, &rig.flow);
		assert_null(rig.flow.crypto);
		assert_int_equal(rig.flow.version, 0);
		assert_int_equal(rig.flow.n_packets, 0);
		assert_false(rig.flow.has_dcid);
	}
}

static void the_keys_stay_when_the_client_learns_the_servers_id(void **)
{
	assert_int_equal(quic_rig_part(&rig, &client, 0, 100), MORE);
	assert_int_equal(quic_rig_part(&rig, &answered, 100, rig.hello.len), FOUND);
	assert_string_equal(rig.name.host, NAME);
}

static void packets_of_a_connection_that_began_unseen_tell_nothing(void **)
{
	assert_int_equal(quic_rig_part(&rig, &answered, 0, rig.hello.len), MORE);
	assert_null(rig.flow.crypto);
	assert_false(rig.flow.has_dcid);
	assert_int_equal(quic_rig_part(&rig, &client, 0, rig.hello.len), FOUND);
}

static void behind_a_retry_keys_and_hello_begin_anew(void **)
{
	static const uint8_t token[100] = {1};
	const struct quic_wire again = {.dcid = {9, 9, 9},
		.dcid_len = 3,
		.token = token,
		.token_len = sizeof(token),
		.pn = 2};
	const struct quic_wire later = {.dcid = {7}, .dcid_len = 1, .keys = &again, .pn = 3};

	assert_int_equal(quic_rig_part(&rig, &client, 0, 100), MORE);
	rig.hello.bytes[20] ^= 1; // as if it were another hello
	assert_int_equal(quic_rig_part(&rig, &again, 0, 90), MORE);
	assert_int_equal(rig.flow.dcid.len, 3);
	assert_int_equal(quic_rig_part(&rig, &later, 100, rig.hello.len), MORE);
	assert_int_equal(quic_rig_part(&rig, &again, 90, 100), FOUND);
	assert_string_equal(rig.name.host, NAME);
}

static void the_next_connection_of_a_port_is_another_one(void **)
{
	const struct quic_wire next = {.dcid = "another1", .dcid_len = 8};
	struct cls_quic_flow other = {0};

	assert_int_equal(quic_rig_part(&rig, &client, 0, 100), MORE);
	assert_int_equal(quic_rig_part(&rig, &next, 0, rig.hello.len), FOUND);
	assert_null(rig.flow.crypto); // and the join is free
	for (int i = 0; i < 2; i++) {
		assert_int_equal(quic_rig_part(&rig, &client, 0, 100), MORE);
		if (i == 0) {
			other = rig.flow;
			rig.flow = (struct cls_quic_flow){0};
		}
	}
	cls_quic_drop(rig.quic, &other);
}

static void flows_in_turn_do_not_meet(void **)
{
	static struct cls_quic_flow flows[40]; // more than keys are kept of
	struct quic_wire wires[40] = {0};

	quic_rig_fini(&rig);
	quic_rig_init(&rig, 40);
	for (int part = 0; part < 2; part++)
		for (uint8_t i = 0; i < 40; i++) {
			wires[i].dcid_len = 8;
			wires[i].dcid[0] = i;
			rig.flow = flows[i];
			assert_int_equal(quic_rig_part(&rig, &wires[i], part * 100,
						 part == 0 ? 100 : rig.hello.len),
				part == 0 ? MORE : FOUND);
			flows[i] = rig.flow;
		}
	for (uint8_t i = 0; i < 40; i++)
		cls_quic_drop(rig.quic, &flows[i]);
	rig.flow = (struct cls_quic_flow){0};
}

static void packets_in_one_datagram_are_all_read(void **)
{
	struct quic_wire handshake = client;

	handshake.is_handshake = true;
	quic_rig_put(&rig, "\x06\x00\x04none", 7);
	quic_rig_packet(&rig, &handshake);
	quic_rig_crypto(&rig, 100, rig.hello.len);
	quic_rig_packet(&rig, &client);
	quic_rig_crypto(&rig, 0, 100);
	quic_rig_packet(&rig, &client);
	quic_rig_put(&rig, "\x01\x01\x01\x01", 4);
	quic_rig_packet(&rig, &client);
	memset(rig.datagram + rig.len, 0, 50); // padding of the datagram, as some do it
	rig.len += 50;
	assert_int_equal(quic_rig_send(&rig), FOUND);
	assert_string_equal(rig.name.host, NAME);
}

/* RFC 9000 12.2. Keys are derived for one connection id, however many a datagram has. */
static void what_follows_for_another_connection_is_not_looked_at(void **)
{
	struct quic_wire other = client;

	other.dcid[0] ^= 1;
	quic_rig_crypto(&rig, 0, 100);
	quic_rig_packet(&rig, &client);
	quic_rig_crypto(&rig, 0, rig.hello.len);
	quic_rig_packet(&rig, &other);
	assert_int_equal(quic_rig_send(&rig), MORE);
	assert_int_equal(rig.flow.n_packets, 1);
	assert_memory_equal(rig.flow.dcid.bytes, client.dcid, client.dcid_len);
	assert_int_equal(quic_rig_part(&rig, &client, 100, rig.hello.len), FOUND);
}

static void what_follows_a_packet_of_other_keys_is_not_looked_at(void **)
{
	for (int i = 0; i < 2; i++) {
		quic_rig_crypto(&rig, 0, rig.hello.len);
		quic_rig_packet(&rig, &answered);
	}
	assert_int_equal(quic_rig_send(&rig), MORE);
	assert_int_equal(rig.flow.n_packets, 1);
	assert_int_equal(quic_rig_part(&rig, &client, 0, rig.hello.len), FOUND);
}

static void a_packet_longer_than_any_datagram_is_not_opened(void **)
{
	static const uint8_t header[] = "\xc0\x00\x00\x00\x01\x01?\x00\x00\x80\x01\xd4\xc0";
	static uint8_t jumbogram[sizeof(header) - 1 + 0x1d4c0];

	memcpy(jumbogram, header, sizeof(header) - 1);
	assert_int_equal(quic_rig_look(&rig, jumbogram, sizeof(jumbogram)), MORE);
	assert_int_equal(quic_rig_part(&rig, &client, 0, rig.hello.len), FOUND);
}

static void what_follows_in_a_datagram_may_have_a_short_header(void **)
{
	quic_rig_crypto(&rig, 0, 100);
	quic_rig_packet(&rig, &client);
	memset(rig.datagram + rig.len, 0x4a, 50);
	rig.len += 50;
	assert_int_equal(quic_rig_send(&rig), MORE);
	assert_int_equal(quic_rig_part(&rig, &client, 100, rig.hello.len), FOUND);
}

static void work_for_a_flow_is_bounded(void **)
{
	for (int i = 0; i < CLS_QUIC_PACKETS_MAX; i++) {
		quic_rig_put(&rig, "\x01\x01\x01\x01", 4);
		quic_rig_packet(&rig, &client);
	}
	quic_rig_crypto(&rig, 0, rig.hello.len);
	quic_rig_packet(&rig, &client); // one too many, in the same datagram
	assert_int_equal(quic_rig_send(&rig), NONE);
	assert_int_equal(rig.flow.n_packets, CLS_QUIC_PACKETS_MAX);
	assert_int_equal(quic_rig_part(&rig, &client, 0, rig.hello.len), NONE);
	quic_rig_again(&rig);
	// What is not an Initial counts too.
	assert_int_equal(quic_rig_part(&rig, &client, 0, rig.hello.name_end), MORE);
	for (int i = 2; i < CLS_QUIC_PACKETS_MAX; i++)
		assert_int_equal(quic_rig_look(&rig, (const uint8_t[]){0x40}, 1), MORE);
	assert_int_equal(quic_rig_look(&rig, (const uint8_t[]){0x40}, 1), FOUND);
	assert_string_equal(rig.name.host, NAME);
}

static void a_server_tells_no_name(void **)
{
	quic_rig_crypto(&rig, 0, rig.hello.len);
	quic_rig_packet(&rig, &client);
	for (int i = 0; i <= CLS_QUIC_PACKETS_MAX; i++)
		assert_int_equal(
			cls_quic_name(rig.quic, &rig.flow, rig.datagram, rig.len, false, &rig.name),
			MORE);
	assert_int_equal(rig.flow.n_packets, 0);
	assert_int_equal(quic_rig_send(&rig), FOUND);
}

static void what_is_no_quic_is_none_at_once(void **)
{
	static const struct {
		const char *bytes;
		size_t len;
	} others[] = {
		{"", 0},
		{"\xc0\x00\x00\x00\x01", 4}, // cut within the version
		{"\x40\x01\x02\x03\x04\x05\x06\x07\x08\x09", 10}, // short header
		{"\x00\x01\x00\x00\x21\x12\xa4\x42", 8}, // STUN
		{"\x80\x60\x12\x34\x00\x00\x00\x01\x00", 9}, // RTP
		{"\xc0\x00\x00\x00\x00\x00\x00\x00\x00\x01", 10}, // Version Negotiation
		{"\xc0\xff\x00\x00\x15\x00\x00\x00\x00\x01", 10}, // draft 21
		{"\x80\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01x", 13}, // ends elsewhere
		{"\xf0\x00\x00\x00\x01\x00\x00token", 12}, // Retry, which no client sends
		{"\x09????????Q023", 13},
		{"\x09????????Q047", 13},
		{"\x49????????Q043", 13},
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_int_equal(
			quic_rig_look(&rig, (const uint8_t *)others[i].bytes, others[i].len), NONE);
		cls_quic_drop(rig.quic, &rig.flow);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		QUIC_RIG_TEST(a_hello_in_one_packet_needs_no_join),
		QUIC_RIG_TEST(an_encrypted_name_is_said),
		QUIC_RIG_TEST(a_hello_without_a_name_is_none),
		QUIC_RIG_TEST(a_packet_that_is_cut_tells_no_name),
		QUIC_RIG_TEST(a_packet_with_a_wrong_bit_tells_no_name),
		QUIC_RIG_TEST(frames_in_any_order_make_the_hello_without_a_join),
		QUIC_RIG_TEST(two_packets_in_either_order_make_the_hello),
		QUIC_RIG_TEST(frames_of_two_packets_may_be_mixed),
		QUIC_RIG_TEST(what_comes_twice_or_overlaps_changes_nothing),
		QUIC_RIG_TEST(overlaps_within_one_packet_need_no_join),
		QUIC_RIG_TEST(a_long_hello_takes_as_many_packets),
		QUIC_RIG_TEST(of_a_hello_that_is_too_long_the_beginning_counts),
		QUIC_RIG_TEST(without_a_join_what_is_there_counts),
		QUIC_RIG_TEST(when_no_more_comes_what_is_there_counts),
		QUIC_RIG_TEST(a_dropped_flow_gives_its_join_back),
		QUIC_RIG_TEST(the_keys_stay_when_the_client_learns_the_servers_id),
		QUIC_RIG_TEST(packets_of_a_connection_that_began_unseen_tell_nothing),
		QUIC_RIG_TEST(behind_a_retry_keys_and_hello_begin_anew),
		QUIC_RIG_TEST(the_next_connection_of_a_port_is_another_one),
		QUIC_RIG_TEST(flows_in_turn_do_not_meet),
		QUIC_RIG_TEST(packets_in_one_datagram_are_all_read),
		QUIC_RIG_TEST(what_follows_for_another_connection_is_not_looked_at),
		QUIC_RIG_TEST(what_follows_a_packet_of_other_keys_is_not_looked_at),
		QUIC_RIG_TEST(a_packet_longer_than_any_datagram_is_not_opened),
		QUIC_RIG_TEST(what_follows_in_a_datagram_may_have_a_short_header),
		QUIC_RIG_TEST(work_for_a_flow_is_bounded),
		QUIC_RIG_TEST(a_server_tells_no_name),
		QUIC_RIG_TEST(what_is_no_quic_is_none_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
