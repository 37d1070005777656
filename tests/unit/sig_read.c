// SPDX-License-Identifier: BSD-3-Clause
#include "control/sig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/sig_messages.h"

static const uint8_t prefix[8] = {0x20, 0x01, 0x0d, 0xb8, 0, 0x20, 0, 1};

static struct bytes gtpv2_create(void)
{
	struct bytes m = gtpv2(32, 0, 0x123456);

	gtpv2_digits(&m, 1, "001010000000001");
	gtpv2_digits(&m, 76, "99900000001");
	gtpv2_digits(&m, 75, "3500000000000014");
	gtpv2_apn(&m, "internet");
	gtpv2_u8(&m, 82, 6);
	gtpv2_network(&m, (const uint8_t[]){0x00, 0xf1, 0x10});
	gtpv2_uli(&m, 4660, 0xf0000001); // four bits that are spare
	gtpv2_fteid(&m, 0, 10, 0x11, 0x0a000001);
	gtpv2_fteid(&m, 1, 7, 0, 0x0a000003);
	gtpv2_paa(&m, 0x64400007, prefix);
	gtpv2_bearer(&m, 0, 0x22, 0x0a000002);
	return m;
}

static struct bytes gtpv1_create(void)
{
	static const uint8_t pdp[] = {0xf1, 0x21, 100, 64, 0, 7}, rat[] = {1};
	static const uint8_t uli[] = {0, 0x00, 0xf1, 0x10, 0x12, 0x34, 0x00, 0x05};
	struct bytes m = gtpv1(16, 0, 7), msisdn = {0}, imei = {0}, apn = {0};

	put8(&m, 2);
	put_tbcd(&m, "001010000000002");
	put8(&m, 3);
	put(&m, "\x00\xf1\x10\x12\x34\x05", 6);
	put8(&m, 16);
	put32(&m, 0x33);
	put8(&m, 17);
	put32(&m, 0x44);
	put16(&m, 20 << 8 | 5);
	gtpv1_tlv(&m, 128, pdp, sizeof(pdp));
	put_label(&apn, "internet");
	gtpv1_tlv(&m, 131, apn.b, apn.n);
	gtpv1_gsn(&m, 0x0a000001);
	gtpv1_gsn(&m, 0x0a000002);
	put8(&msisdn, 0x91);
	put_tbcd(&msisdn, "99900000002");
	gtpv1_tlv(&m, 134, msisdn.b, msisdn.n);
	gtpv1_tlv(&m, 151, rat, sizeof(rat));
	gtpv1_tlv(&m, 152, uli, sizeof(uli));
	put_tbcd(&imei, "3500000000000022");
	gtpv1_tlv(&m, 154, imei.b, imei.n);
	gtpv1_close(&m);
	return m;
}

static struct bytes pfcp_establish(void)
{
	struct bytes m = pfcp(50, 0, 9);
	size_t at = pfcp_ie(&m, 57), pdr, pdi;

	put8(&m, 2);
	put64(&m, 0x1122334455667788);
	put32(&m, 0x0a000004);
	pfcp_end(&m, at);
	pdr = pfcp_ie(&m, 1);
	pdi = pfcp_ie(&m, 2);
	at = pfcp_ie(&m, 21);
	put8(&m, 1);
	put32(&m, 0x55);
	put32(&m, 0x0a000005);
	pfcp_end(&m, at);
	at = pfcp_ie(&m, 93);
	put8(&m, 0x03);
	put32(&m, 0x64400009);
	put(&m, prefix, 8);
	put64(&m, 1);
	pfcp_end(&m, at);
	pfcp_end(&m, pdi);
	pfcp_end(&m, pdr);
	at = pfcp_ie(&m, 141);
	put8(&m, 0x07);
	put8(&m, 8);
	put_tbcd(&m, "001010000000003");
	put8(&m, 8);
	put_tbcd(&m, "3500000000000030");
	put8(&m, 6);
	put_tbcd(&m, "99900000003");
	pfcp_end(&m, at);
	at = pfcp_ie(&m, 159);
	put_label(&m, "internet");
	pfcp_end(&m, at);
	return m;
}

static struct bytes radius_start(void)
{
	static const uint8_t uli[] = {
		130, 0x00, 0xf1, 0x10, 0x12, 0x34, 0x00, 0xf1, 0x10, 0, 0, 0, 9};
	static const uint8_t prefixed[] = {0, 56, 0x20, 0x01, 0x0d, 0xb8, 0, 0x20, 0x01, 0xff};
	struct bytes m = radius(4);

	radius_text(&m, 1, "user@example.net");
	radius_u32(&m, 8, 0x6440000a);
	radius_text(&m, 30, "internet");
	radius_text(&m, 31, "+99900000004");
	radius_u32(&m, 40, 1);
	radius_u32(&m, 41, 3);
	radius_text(&m, 44, "S-1");
	radius_put(&m, 97, prefixed, sizeof(prefixed));
	radius_3gpp(&m, 1, "001010000000004", 15);
	radius_3gpp(&m, 18, "00101", 5);
	radius_3gpp(&m, 20, "3500000000000048", 16);
	radius_3gpp(&m, 21, "\x06", 1);
	radius_3gpp(&m, 22, uli, sizeof(uli));
	return m;
}

static struct ctl_sig read_all(const struct bytes *m, uint16_t port)
{
	struct ctl_sig sig;
	size_t len;

	assert_int_equal(ctl_sig_read(m->b, m->n, 40000, port, &sig, &len), 0);
	assert_int_equal(len, m->n);
	return sig;
}

static void gtpv2_says_who_and_where(void **)
{
	const struct bytes m = gtpv2_create();
	const struct ctl_sig s = read_all(&m, DP_PORT_GTPC);
	const struct dp_addr handset = v4(0x64400007), enb = v4(0x0a000002), mme = v4(0x0a000001);

	assert_int_equal(s.proto, CTL_SIG_GTPV2C);
	assert_int_equal(s.kind, CTL_SIG_CREATE);
	assert_false(s.is_answer);
	assert_int_equal(s.seq, 0x123456);
	assert_string_equal(s.imsi, "001010000000001");
	assert_string_equal(s.msisdn, "99900000001");
	assert_string_equal(s.imei, "3500000000000014");
	assert_string_equal(s.apn, "internet");
	assert_string_equal(s.mcc_mnc, "00101");
	assert_string_equal(s.uli, "tai:00101-4660,ecgi:00101-1");
	assert_string_equal(ctl_sig_rat_name(s.rat), "eutran");
	assert_true(s.has_ipv4 && s.has_ipv6);
	assert_int_equal(dp_addr_cmp(&s.ipv4, &handset), 0);
	assert_int_equal(s.ipv6_len, 64);
	assert_memory_equal(s.ipv6.b, prefix, 8);
	assert_int_equal(s.ipv6.b[15], 0); // the interface identifier is none of the prefix
	assert_int_equal(s.n_ends, 2);
	assert_int_equal(s.ends[0].id, 0x11);
	assert_int_equal(dp_addr_cmp(&s.ends[0].addr, &mme), 0);
	assert_false(s.is_backbone);
	assert_int_equal(s.n_teids, 1);
	assert_int_equal(s.teids[0].id, 0x22);
	assert_int_equal(dp_addr_cmp(&s.teids[0].addr, &enb), 0);
}

static void gtpv2_causes_decide(void **)
{
	for (int cause = 0; cause < 256; cause++) {
		struct bytes m = gtpv2(33, 0x11, 1);

		gtpv2_cause(&m, (uint8_t)cause);

		const struct ctl_sig s = read_all(&m, DP_PORT_GTPC);

		assert_true(s.is_answer);
		assert_int_equal(s.is_accepted, cause >= 16 && cause < 64);
		assert_int_equal(s.header_id, 0x11);
	}
}

/* The linked bearer is the session; a dedicated one is not. */
static void gtpv2_deletes_sessions_or_bearers(void **)
{
	struct bytes session = gtpv2(36, 0x11, 1), whole = gtpv2(99, 0x11, 1),
		     one = gtpv2(99, 0x11, 1);
	size_t at;

	gtpv2_u8(&session, 73, 5);
	assert_true(read_all(&session, DP_PORT_GTPC).is_leg_only);
	gtpv2_u8(&session, 77, 0x08); // operation indication: all the way
	assert_false(read_all(&session, DP_PORT_GTPC).is_leg_only);
	gtpv2_u8(&whole, 73, 5);
	assert_int_equal(read_all(&whole, DP_PORT_GTPC).kind, CTL_SIG_DELETE);
	at = gtpv2_ie(&one, 73, 1);
	put8(&one, 6);
	gtpv2_end(&one, at);
	assert_int_equal(read_all(&one, DP_PORT_GTPC).kind, CTL_SIG_UPDATE);
}

static void gtpv1_says_who_and_where(void **)
{
	const struct bytes m = gtpv1_create();
	const struct ctl_sig s = read_all(&m, DP_PORT_GTPC);
	const struct dp_addr handset = v4(0x64400007), control = v4(0x0a000001),
			     data = v4(0x0a000002);

	assert_int_equal(s.proto, CTL_SIG_GTPV1C);
	assert_int_equal(s.kind, CTL_SIG_CREATE);
	assert_int_equal(s.seq, 7);
	assert_string_equal(s.imsi, "001010000000002");
	assert_string_equal(s.msisdn, "99900000002");
	assert_string_equal(s.imei, "3500000000000022");
	assert_string_equal(s.apn, "internet");
	assert_string_equal(s.mcc_mnc, "00101");
	assert_string_equal(s.uli, "cgi:00101-4660-5");
	assert_string_equal(ctl_sig_rat_name(s.rat), "utran");
	assert_true(s.has_nsapi);
	assert_int_equal(s.nsapi, 5);
	assert_int_equal(dp_addr_cmp(&s.ipv4, &handset), 0);
	assert_int_equal(s.ends[0].id, 0x44);
	assert_int_equal(dp_addr_cmp(&s.ends[0].addr, &control), 0);
	assert_int_equal(s.teids[0].id, 0x33);
	assert_int_equal(dp_addr_cmp(&s.teids[0].addr, &data), 0);
}

static void gtpv1_causes_decide(void **)
{
	for (int cause = 0; cause < 256; cause++) {
		struct bytes m = gtpv1(17, 0x44, 7);

		put16(&m, 1 << 8 | (unsigned int)cause);
		gtpv1_close(&m);
		assert_int_equal(
			read_all(&m, DP_PORT_GTPC).is_accepted, cause >= 128 && cause < 192);
	}
}

/* Elements stand behind extension headers, wherever those end. */
static void gtpv1_skips_extension_headers(void **)
{
	struct bytes m = gtpv1(21, 0x44, 7);

	m.b[0] |= 4;
	m.b[m.n - 1] = 0xc0; // next: some extension
	put(&m, "\x02......\xc1", 8);
	put(&m, "\x01..\x00", 4);
	put16(&m, 1 << 8 | 128);
	gtpv1_close(&m);
	assert_true(read_all(&m, DP_PORT_GTPC).is_accepted);
	m.b[12] = 0; // a length of nothing
	assert_false(read_all(&m, DP_PORT_GTPC).is_accepted);
	m.b[12] = 255;
	assert_false(read_all(&m, DP_PORT_GTPC).is_accepted);
}

static void pfcp_says_who_and_where(void **)
{
	const struct bytes m = pfcp_establish();
	const struct ctl_sig s = read_all(&m, DP_PORT_PFCP);
	const struct dp_addr handset = v4(0x64400009), upf = v4(0x0a000005);

	assert_int_equal(s.proto, CTL_SIG_PFCP);
	assert_int_equal(s.kind, CTL_SIG_CREATE);
	assert_int_equal(s.seq, 9);
	assert_true(s.ends[0].id == 0x1122334455667788);
	assert_string_equal(s.imsi, "001010000000003");
	assert_string_equal(s.imei, "3500000000000030");
	assert_string_equal(s.msisdn, "99900000003");
	assert_string_equal(s.apn, "internet");
	assert_int_equal(dp_addr_cmp(&s.ipv4, &handset), 0);
	assert_int_equal(s.ipv6_len, 64);
	assert_memory_equal(s.ipv6.b, prefix, 8);
	assert_int_equal(s.teids[0].id, 0x55);
	assert_int_equal(dp_addr_cmp(&s.teids[0].addr, &upf), 0);
}

static void radius_says_who_and_where(void **)
{
	const struct bytes m = radius_start();
	const struct ctl_sig s = read_all(&m, DP_PORT_RADIUS_ACCOUNTING);
	const struct dp_addr handset = v4(0x6440000a);

	assert_int_equal(s.proto, CTL_SIG_RADIUS);
	assert_int_equal(s.kind, CTL_SIG_CREATE);
	assert_int_equal(s.delay_s, 3);
	assert_string_equal(s.account, "user@example.net");
	assert_string_equal(s.session, "S-1");
	assert_string_equal(s.imsi, "001010000000004");
	assert_string_equal(s.msisdn, "99900000004");
	assert_string_equal(s.imei, "3500000000000048");
	assert_string_equal(s.apn, "internet");
	assert_string_equal(s.mcc_mnc, "00101");
	assert_string_equal(s.uli, "tai:00101-4660,ecgi:00101-9");
	assert_string_equal(ctl_sig_rat_name(s.rat), "eutran");
	assert_int_equal(dp_addr_cmp(&s.ipv4, &handset), 0);
	assert_int_equal(s.ipv6_len, 56);
	assert_memory_equal(s.ipv6.b, "\x20\x01\x0d\xb8\x00\x20\x01\x00", 8);
}

static void radius_answers_say_nothing(void **)
{
	struct bytes m = radius(5);

	radius_u32(&m, 40, 1);
	radius_u32(&m, 8, 0x6440000a);

	const struct ctl_sig s = read_all(&m, DP_PORT_RADIUS_ACCOUNTING);

	assert_true(s.is_answer && s.kind == CTL_SIG_OTHER && !s.has_ipv4);
}

/* A fixed line has its MAC there, and a request for any address is none. */
static void radius_takes_no_mac_for_a_number(void **)
{
	struct bytes m = radius(4);

	radius_text(&m, 31, "AC:DE:48:00:00:01");
	radius_u32(&m, 8, 0xfffffffe);
	radius_u32(&m, 40, 3);

	const struct ctl_sig s = read_all(&m, DP_PORT_RADIUS_ACCOUNTING);

	assert_int_equal(s.kind, CTL_SIG_UPDATE);
	assert_string_equal(s.msisdn, "");
	assert_false(s.has_ipv4);
}

static struct bytes (*const makers[])(void) = {
	gtpv2_create, gtpv1_create, pfcp_establish, radius_start};
static const uint16_t ports[] = {
	DP_PORT_GTPC, DP_PORT_GTPC, DP_PORT_PFCP, DP_PORT_RADIUS_ACCOUNTING};

/* Cut anywhere: a message that is not all there is none. Where its length says that it ends there, what is
 * whole of it is read. Each in a block of its own size, for a memory checker. */
static void any_truncation_is_read_within_its_bounds(void **)
{
	for (size_t k = 0; k < sizeof(makers) / sizeof(makers[0]); k++) {
		const struct bytes m = makers[k]();

		for (size_t n = 0; n < m.n; n++) {
			uint8_t *cut = malloc(n + 1);
			struct ctl_sig sig;
			size_t len;

			assert_non_null(cut);
			memcpy(cut, m.b, n);
			assert_int_equal(ctl_sig_read(cut, n, 40000, ports[k], &sig, &len), -1);
			if (n >= 4) {
				const size_t head = k == 1 ? 8 : k == 3 ? 0 : 4;
				uint8_t *whole = malloc(n);

				assert_non_null(whole);
				memcpy(whole, m.b, n);
				whole[2] = n >= head ? (uint8_t)((n - head) >> 8) : 0;
				whole[3] = n >= head ? (uint8_t)(n - head) : 0;
				if (ctl_sig_read(whole, n, 40000, ports[k], &sig, &len) == 0)
					assert_true(len <= n);
				free(whole);
			}
			free(cut);
		}
	}
}

/* Any byte wrong: it is read or refused, and all texts end. */
static void any_wrong_byte_is_harmless(void **)
{
	for (size_t k = 0; k < sizeof(makers) / sizeof(makers[0]); k++) {
		const struct bytes good = makers[k]();

		for (size_t n = 0; n < good.n * 256; n++) {
			uint8_t *bad = malloc(good.n);
			struct ctl_sig sig;
			size_t len;

			assert_non_null(bad);
			memcpy(bad, good.b, good.n);
			bad[n / 256] = (uint8_t)n;
			if (ctl_sig_read(bad, good.n, 40000, ports[k], &sig, &len) == 0) {
				assert_true(strlen(sig.imsi) < CTL_SIG_DIGITS);
				assert_true(strlen(sig.uli) < CTL_SIG_ULI);
				assert_true(strspn(sig.imsi, "0123456789") == strlen(sig.imsi));
				assert_true(sig.n_teids <= CTL_SIG_TEIDS_MAX && sig.n_ends <= 2);
				assert_true(!sig.has_ipv6 || sig.ipv6_len <= 128);
			}
			free(bad);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gtpv2_says_who_and_where),
		cmocka_unit_test(gtpv2_causes_decide),
		cmocka_unit_test(gtpv2_deletes_sessions_or_bearers),
		cmocka_unit_test(gtpv1_says_who_and_where),
		cmocka_unit_test(gtpv1_causes_decide),
		cmocka_unit_test(gtpv1_skips_extension_headers),
		cmocka_unit_test(pfcp_says_who_and_where),
		cmocka_unit_test(radius_says_who_and_where),
		cmocka_unit_test(radius_answers_say_nothing),
		cmocka_unit_test(radius_takes_no_mac_for_a_number),
		cmocka_unit_test(any_truncation_is_read_within_its_bounds),
		cmocka_unit_test(any_wrong_byte_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
