// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/quic_rig.h"

static size_t from_hex(const char *hex, uint8_t *ret)
{
	const size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++)
		ret[i] = (uint8_t)strtoul((char[]){hex[2 * i], hex[2 * i + 1], '\0'}, NULL, 16);
	return n;
}

/* RFC 9001 A.2 and RFC 9369 A.2: the CRYPTO frame, which is padded to 1162 bytes. */
static const char vector_frames[] =
	"060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868"
	"04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578"
	"616d706c652e636f6dff01000100000a00080006001d00170018001000070005"
	"04616c706e000500050100000000003300260024001d00209370b2c9caa47fba"
	"baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400"
	"0d0010000e0403050306030203080408050806002d00020101001c0002400100"
	"3900320408ffffffffffffffff05048000ffff07048000ffff08011001048000"
	"75300901100f088394c8f03e51570806048000ffff";

/* Its beginning and, as its tag is over all of it, its end tell the packet. */
static void check_vector(uint32_t version, const char *begin, const char *end)
{
	struct quic_wire w = client;
	uint8_t want[64];

	w.version = version;
	w.pn = 2;
	w.pn_len = 4;
	memset(rig.frames, 0, 1162);
	(void)from_hex(vector_frames, rig.frames);
	rig.n_frames = 1162;
	quic_rig_packet(&rig, &w);
	assert_int_equal(rig.len, 1200);
	assert_memory_equal(rig.datagram, want, from_hex(begin, want));
	assert_memory_equal(rig.datagram + rig.len - 32, want, from_hex(end, want));
	assert_int_equal(quic_rig_send(&rig), FOUND);
	assert_string_equal(rig.name.host, "example.com");
}

static void the_packet_of_rfc_9001_is_read(void **)
{
	check_vector(1, "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11",
		"8b4c8d169a44e55c88d4a9a7f9474241e221af44860018ab0856972e194cd934");
}

static void the_packet_of_rfc_9369_is_read(void **)
{
	check_vector(0x6b3343cf, "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485",
		"9973b2172b4d21fb69745a262ccde96ba18b2faa745b6fe189cf772a9f84cbfc");
}

/* RFC 9001 A.3. A server's keys are others: nobody takes its packet for a client's. */
static void the_servers_packet_of_rfc_9001_is_not_a_clients(void **)
{
	const size_t len = from_hex(
		"cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a"
		"5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3"
		"dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84"
		"022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc4"
		"2158407dd074ee",
		rig.datagram);

	assert_int_equal(quic_rig_part(&rig, &client, 0, 100), MORE);
	assert_int_equal(quic_rig_look(&rig, rig.datagram, len), MORE);
	assert_int_equal(rig.flow.dcid.len, 8);
	assert_int_equal(quic_rig_part(&rig, &client, 100, rig.hello.len), FOUND);
}

static void each_version_is_read(void **)
{
	static const uint32_t versions[] = {1, 0x6b3343cf, 0x709a50c4, 0xff000016, 0xff000017,
		0xff00001b, 0xff00001c, 0xff00001d, 0xff000020, 0xff000021, 0xff000022, 0xfaceb001,
		0xfaceb002, 0xfaceb003, 0xfaceb004, 0xfaceb00e, 0xfaceb010, 0x1a1a1a1a, 0x2a2a2a2a};

	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		struct quic_wire w = client;

		w.version = versions[i];
		assert_int_equal(quic_rig_part(&rig, &w, 0, rig.hello.len), FOUND);
		assert_string_equal(rig.name.host, NAME);
		assert_int_equal(rig.flow.version, versions[i]);
		quic_rig_again(&rig);
	}
}

static void the_keys_stay_when_both_agree_on_version_2(void **)
{
	const struct quic_wire v2 = {
		.version = 0x6b3343cf, .dcid = {5}, .dcid_len = 1, .keys = &client, .pn = 1};

	assert_int_equal(quic_rig_part(&rig, &client, 0, 100), MORE);
	assert_int_equal(quic_rig_part(&rig, &v2, 100, rig.hello.len), FOUND);
	assert_string_equal(rig.name.host, NAME);
}

static void a_version_that_is_refused_may_be_followed_by_another(void **)
{
	struct quic_wire nobodys = client;
	const struct quic_wire next = {.dcid = "12345678", .dcid_len = 8};

	nobodys.version = 0x3a3a3a3a;
	assert_int_equal(quic_rig_part(&rig, &nobodys, 0, 100), MORE);
	assert_int_equal(quic_rig_part(&rig, &next, 0, rig.hello.len), FOUND);
	assert_string_equal(rig.name.host, NAME);
	assert_int_equal(rig.flow.version, 1);
}

static void connection_ids_of_any_length_are_read(void **)
{
	struct quic_wire w = {.dcid = "01234567890123456789", .scid = "ABCDEFGHIJKLMNOPQRST"};

	for (int n = 1; n <= QUIC_WIRE_CID_MAX; n++) {
		w.dcid_len = (uint8_t)n;
		w.scid_len = (uint8_t)(QUIC_WIRE_CID_MAX - n);
		assert_int_equal(quic_rig_part(&rig, &w, 0, rig.hello.len), FOUND);
		quic_rig_again(&rig);
	}
}

static void longer_connection_ids_are_none(void **)
{
	const uint8_t dcid[] = "\xc0\x00\x00\x00\x01\x15"
			       "012345678901234567890\x00\x00\x01\x00";
	const uint8_t scid[] = "\xc0\x00\x00\x00\x01\x00\x15"
			       "012345678901234567890\x00\x01\x00";

	assert_int_equal(quic_rig_look(&rig, dcid, sizeof(dcid)), NONE);
	assert_int_equal(quic_rig_look(&rig, scid, sizeof(scid)), NONE);
	assert_false(rig.flow.has_dcid);
}

static void tokens_of_any_length_are_skipped(void **)
{
	static uint8_t token[20000];
	static const size_t lens[] = {1, 63, 64, 16383, 16384, 20000};
	struct quic_wire w = client;

	w.token = token;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		w.token_len = lens[i];
		assert_int_equal(quic_rig_part(&rig, &w, 0, rig.hello.len), FOUND);
		quic_rig_again(&rig);
	}
}

static void packet_numbers_of_any_length_are_read(void **)
{
	static const uint32_t numbers[] = {0xab, 0xabcd, 0xabcdef, 0xabcdef01};
	struct quic_wire w = client;

	for (uint8_t n = 1; n <= 4; n++) {
		w.pn_len = n;
		w.pn = numbers[n - 1];
		assert_int_equal(quic_rig_part(&rig, &w, 0, rig.hello.len), FOUND);
		quic_rig_again(&rig);
	}
}

static void a_packet_without_a_frame_is_none_of_a_client(void **)
{
	struct quic_wire w = client;

	w.pn_len = 4;
	rig.len = quic_wire_initial(&w, rig.frames, 0, rig.datagram);
	assert_int_equal(quic_rig_send(&rig), MORE);
	assert_false(rig.flow.has_dcid);
}

static void reserved_bits_do_not_matter(void **)
{
	struct quic_wire w = client;

	for (w.reserved = 1; w.reserved < 4; w.reserved++) {
		assert_int_equal(quic_rig_part(&rig, &w, 0, rig.hello.len), FOUND);
		quic_rig_again(&rig);
	}
}

/* --- frames ---------------------------------------------------------------------------------- */

static const struct {
	const char *bytes;
	size_t len;
} frames[] = {
	{"\x02\x05\x00\x00\x05", 5}, // ACK of 0 to 5
	{"\x02\x40\x80\x80\x00\x00\x10\x02\x01\x00\x03\x40\x00\x07", 14}, // with gaps
	{"\x03\x05\x00\x01\x01\x00\x01\x41\x00\x02\x81\x00\x00\x00", 14}, // ACK_ECN
	{"\x1c\x0a\x06\x03no!", 7}, // CONNECTION_CLOSE
	{"\x1c\x80\x00\x01\x28\x00\x00", 7},
	{"\x06\x00\x00", 3}, // CRYPTO of nothing
	{"\x06\xff\xff\xff\xff\xff\xff\xff\xff\x01?", 11}, // far behind
	{"\x01", 1},
};

static void other_frames_are_skipped(void **)
{
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		quic_rig_put(&rig, frames[i].bytes, frames[i].len);
		quic_rig_crypto(&rig, 0, rig.hello.len);
		quic_rig_put(&rig, frames[i].bytes, frames[i].len);
		quic_rig_packet(&rig, &client);
		assert_int_equal(quic_rig_send(&rig), FOUND);
		assert_string_equal(rig.name.host, NAME);
		quic_rig_again(&rig);
	}
}

static void a_packet_with_a_frame_that_is_cut_tells_nothing(void **)
{
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		for (size_t len = 1; len < frames[i].len; len++) {
			quic_rig_crypto(&rig, 0, rig.hello.len);
			quic_rig_put(&rig, frames[i].bytes, len);
			quic_rig_packet(&rig, &client);
			assert_int_equal(quic_rig_send(&rig), MORE);
			assert_null(rig.flow.crypto);
			quic_rig_again(&rig);
		}
}

static void a_packet_with_a_frame_that_no_initial_has_tells_nothing(void **)
{
	for (unsigned type = 4; type < 0x100; type++) {
		if (type == 0x06 || type == 0x1c)
			continue;
		quic_rig_crypto(&rig, 0, rig.hello.len);
		rig.frames[rig.n_frames++] = (uint8_t)type;
		quic_rig_put(&rig, "\x00\x00\x00\x00\x00\x00\x00\x00", 8);
		quic_rig_packet(&rig, &client);
		assert_int_equal(quic_rig_send(&rig), MORE);
		assert_null(rig.flow.crypto);
		quic_rig_again(&rig);
	}
}

static void more_frames_than_are_looked_at_do_no_harm(void **)
{
	for (size_t i = 0; i < 100; i++)
		quic_rig_crypto(&rig, 2 * (99 - i) + 1, 2 * (99 - i) + 2);
	quic_rig_packet(&rig, &client);
	assert_int_equal(quic_rig_send(&rig), MORE);
	assert_int_equal(quic_rig_part(&rig, &client, 0, rig.hello.len), FOUND);
	assert_string_equal(rig.name.host, NAME);
}

static void what_is_no_client_hello_is_none(void **)
{
	rig.hello.bytes[0] = 2;
	assert_int_equal(quic_rig_part(&rig, &client, 0, rig.hello.len), NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		QUIC_RIG_TEST(the_packet_of_rfc_9001_is_read),
		QUIC_RIG_TEST(the_packet_of_rfc_9369_is_read),
		QUIC_RIG_TEST(the_servers_packet_of_rfc_9001_is_not_a_clients),
		QUIC_RIG_TEST(each_version_is_read),
		QUIC_RIG_TEST(the_keys_stay_when_both_agree_on_version_2),
		QUIC_RIG_TEST(a_version_that_is_refused_may_be_followed_by_another),
		QUIC_RIG_TEST(connection_ids_of_any_length_are_read),
		QUIC_RIG_TEST(longer_connection_ids_are_none),
		QUIC_RIG_TEST(tokens_of_any_length_are_skipped),
		QUIC_RIG_TEST(packet_numbers_of_any_length_are_read),
		QUIC_RIG_TEST(a_packet_without_a_frame_is_none_of_a_client),
		QUIC_RIG_TEST(reserved_bits_do_not_matter),
		QUIC_RIG_TEST(other_frames_are_skipped),
		QUIC_RIG_TEST(a_packet_with_a_frame_that_is_cut_tells_nothing),
		QUIC_RIG_TEST(a_packet_with_a_frame_that_no_initial_has_tells_nothing),
		QUIC_RIG_TEST(more_frames_than_are_looked_at_do_no_harm),
		QUIC_RIG_TEST(what_is_no_client_hello_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
