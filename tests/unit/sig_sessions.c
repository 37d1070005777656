// SPDX-License-Identifier: BSD-3-Clause
#include "control/sig_sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/encap.h"

#include "tests/unit/sig_messages.h"

static const uint64_t S = 1000000000;

enum {
	MME = 0x0a010001,
	OTHER_MME = 0x0a010002,
	SGW = 0x0a020001,
	OTHER_SGW = 0x0a020002,
	PGW = 0x0a030001,
	NAS = 0x0a040001,
	SERVER = 0x0a040002,
	HANDSET = 0x64400007,
	OTHER_HANDSET = 0x64400008
};

#define ALICE "001010000000001"
#define BOB "001010000000002"

struct rig {
	struct ctl_sessions *sessions;
	uint64_t now_ns;
	GString *said; // what ended, in words
};

static void on_ended(void *ctx, const struct ctl_binding *b)
{
	struct rig *r = ctx;
	char addr[DP_ADDR_STRLEN];

	g_string_append_printf(r->said, "%s=%s%s%s%s%s@%g-%g;", dp_addr_format(&b->addr, addr),
		b->who->imsi[0] != '\0' ? b->who->imsi + 13 : b->who->account,
		b->as.mcc_mnc[0] != '\0' ? "," : "", b->as.mcc_mnc, b->as.uli != NULL ? "," : "",
		b->as.uli != NULL ? b->as.uli : "", (double)b->from_ns / 1e9,
		(double)b->to_ns / 1e9);
}

static void rig_init(struct rig *r, size_t n_max)
{
	const struct ctl_sessions_config config = {
		.n_max = n_max,
		.guard_ns = 2 * S,
		.protos = (1U << CTL_SIG_PROTO_COUNT) - 1,
		.ranks = {[CTL_SIG_GTPV2C] = 0,
			[CTL_SIG_GTPV1C] = 1,
			[CTL_SIG_PFCP] = 2,
			[CTL_SIG_RADIUS] = 3},
		.ipv6_prefix_len = 64,
		.ended = on_ended,
		.ctx = r,
	};

	*r = (struct rig){.said = g_string_new(NULL), .now_ns = 100 * S};
	r->sessions = ctl_sessions_new(&config);
}

static void rig_fini(struct rig *r)
{
	ctl_sessions_free(r->sessions);
	g_string_free(r->said, TRUE);
}

/* At second `at`. */
static void tell_in(struct rig *r, double at, uint32_t src, uint32_t dst, uint16_t sport,
	uint16_t dport, const struct bytes *m, uint32_t encaps)
{
	g_autofree struct dp_signalling *message = g_malloc0(sizeof(*message) + m->n);

	*message = (struct dp_signalling){.time_ns = (uint64_t)(at * 1e9),
		.src = v4(src),
		.dst = v4(dst),
		.sport = sport,
		.dport = dport,
		.len = (uint16_t)m->n,
		.encaps = encaps};
	memcpy(message->bytes, m->b, m->n);
	ctl_sessions_take(r->sessions, message);
}

static void tell(struct rig *r, double at, uint32_t src, uint32_t dst, struct bytes m)
{
	tell_in(r, at, src, dst, DP_PORT_GTPC, DP_PORT_GTPC, &m, 0);
}

static const char *who_at(struct rig *r, uint32_t handset, double first, double last)
{
	const struct dp_addr addr = v4(handset);
	bool is_one;
	const struct ctl_known *who = ctl_bindings_who(ctl_sessions_bindings(r->sessions), &addr,
		(uint64_t)(first * 1e9), (uint64_t)(last * 1e9), &is_one);

	return who == NULL ? "" : who->imsi[0] != '\0' ? who->imsi : who->account;
}

/* On S11 (from an MME) or S5 (from an SGW). */
static struct bytes create(
	uint32_t seq, const char *imsi, uint8_t interface, uint32_t teid, uint32_t node)
{
	struct bytes m = gtpv2(32, 0, seq);

	gtpv2_digits(&m, 1, imsi);
	gtpv2_fteid(&m, 0, interface, teid, node);
	return m;
}

static struct bytes created(uint32_t seq, uint32_t to_teid, uint8_t cause, uint8_t interface,
	uint32_t teid, uint32_t node, uint32_t handset)
{
	struct bytes m = gtpv2(33, to_teid, seq);

	gtpv2_cause(&m, cause);
	gtpv2_fteid(&m, interface == 7 ? 1 : 0, interface, teid, node);
	gtpv2_paa(&m, handset, NULL);
	return m;
}

static void attach_s5(
	struct rig *r, double at, uint32_t seq, const char *imsi, uint32_t teid, uint32_t handset)
{
	tell(r, at, SGW, PGW, create(seq, imsi, 6, teid, SGW));
	tell(r, at, PGW, SGW, created(seq, teid, 16, 7, teid + 1, PGW, handset));
}

static struct bytes delete_session(uint32_t seq, uint32_t teid)
{
	struct bytes m = gtpv2(36, teid, seq);

	gtpv2_u8(&m, 73, 5);
	return m;
}

static struct bytes accounting(
	uint32_t status, const char *session, const char *account, uint32_t handset)
{
	struct bytes m = radius(4);

	radius_u32(&m, 40, status);
	radius_text(&m, 44, session);
	radius_text(&m, 1, account);
	radius_u32(&m, 8, handset);
	return m;
}

static void account(struct rig *r, double at, struct bytes m)
{
	tell_in(r, at, NAS, SERVER, 40000, DP_PORT_RADIUS_ACCOUNTING, &m, 0);
}

enum { START = 1, STOP = 2, INTERIM = 3, ON = 7 };

static void an_answer_that_accepts_binds_until_the_delete(void **)
{
	struct rig r;

	rig_init(&r, 100);
	attach_s5(&r, 100, 1, ALICE, 0x10, HANDSET);
	assert_string_equal(who_at(&r, HANDSET, 100, 200), ALICE);
	assert_string_equal(who_at(&r, HANDSET, 99, 100), ""); // began before
	assert_string_equal(who_at(&r, OTHER_HANDSET, 100, 100), "");
	tell(&r, 110, SGW, PGW, delete_session(2, 0x11));
	assert_string_equal(who_at(&r, HANDSET, 100, 109.9), ALICE);
	assert_string_equal(who_at(&r, HANDSET, 109, 110), "");
	assert_string_equal(r.said->str, "100.64.0.7=01@100-110;");
	rig_fini(&r);
}

static void a_refusal_binds_nobody(void **)
{
	struct rig r;

	rig_init(&r, 100);
	tell(&r, 100, SGW, PGW, create(1, ALICE, 6, 0x10, SGW));
	tell(&r, 100, PGW, SGW, created(1, 0x10, 73, 7, 0x11, PGW, HANDSET));
	assert_string_equal(who_at(&r, HANDSET, 101, 101), "");
	assert_int_equal(ctl_sessions_stats(r.sessions).rejected, 1);
	assert_int_equal(ctl_sessions_stats(r.sessions).n_subscribers, 0);
	rig_fini(&r);
}

static void a_lost_message_binds_nobody(void **)
{
	struct rig r;

	rig_init(&r, 100);
	tell(&r, 100, SGW, PGW, create(1, ALICE, 6, 0x10, SGW)); // its answer is lost
	tell(&r, 101, PGW, SGW,
		created(2, 0x10, 16, 7, 0x11, PGW, HANDSET)); // nobody has seen the request
	tell(&r, 102, PGW, OTHER_SGW,
		created(1, 0x10, 16, 7, 0x11, PGW, HANDSET)); // of another node
	assert_string_equal(who_at(&r, HANDSET, 103, 103), "");
	assert_int_equal(ctl_sessions_stats(r.sessions).unasked, 2);
	attach_s5(&r, 200, 9, BOB, 0x20, OTHER_HANDSET); // time goes on: the first one is given up
	assert_int_equal(ctl_sessions_stats(r.sessions).unanswered, 1);
	rig_fini(&r);
}

static void copies_change_nothing(void **)
{
	struct rig r;

	rig_init(&r, 100);
	for (int i = 0; i < 3; i++)
		tell(&r, 100, SGW, PGW, create(1, ALICE, 6, 0x10, SGW));
	for (int i = 0; i < 3; i++)
		tell(&r, 100, PGW, SGW, created(1, 0x10, 16, 7, 0x11, PGW, HANDSET));
	tell(&r, 101, SGW, PGW, create(1, ALICE, 6, 0x10, SGW));
	assert_int_equal(ctl_sessions_stats(r.sessions).n_sessions, 1);
	for (int i = 0; i < 3; i++)
		tell(&r, 110, SGW, PGW, delete_session(2, 0x11));
	assert_string_equal(r.said->str, "100.64.0.7=01@100-110;");
	rig_fini(&r);
}

/* X2 with another SGW: the PGW's number stays, the other side's changes. */
static void a_handover_keeps_the_binding(void **)
{
	struct bytes m = gtpv2(34, 0x11, 5), answer = gtpv2(35, 0x50, 5);
	struct rig r;

	rig_init(&r, 100);
	attach_s5(&r, 100, 1, ALICE, 0x10, HANDSET);
	gtpv2_fteid(&m, 0, 6, 0x50, OTHER_SGW);
	gtpv2_uli(&m, 7, 8);
	tell(&r, 105, OTHER_SGW, PGW, m);
	gtpv2_cause(&answer, 16);
	tell(&r, 105, PGW, OTHER_SGW, answer);
	assert_string_equal(who_at(&r, HANDSET, 100, 120), ALICE);
	tell(&r, 106, PGW, SGW, delete_session(3, 0x10)); // the old number means nothing any more
	assert_string_equal(who_at(&r, HANDSET, 100, 120), ALICE);
	tell(&r, 110, PGW, OTHER_SGW, delete_session(3, 0x50));
	assert_string_equal(who_at(&r, HANDSET, 110, 110), "");
	assert_string_equal(r.said->str,
		"100.64.0.7=01@100-105;100.64.0.7=01,tai:00101-7,ecgi:00101-8@105-110;");
	rig_fini(&r);
}

/* An SGW that is left: its S11 ends, S5 goes on. One node may use one number on both. */
static void the_end_of_one_leg_keeps_the_binding(void **)
{
	struct rig r;

	rig_init(&r, 100);
	tell(&r, 100, MME, SGW, create(1, ALICE, 10, 0x77, MME));
	tell(&r, 100, SGW, PGW, create(1, ALICE, 6, 0x10, SGW));
	tell(&r, 100, PGW, SGW, created(1, 0x10, 16, 7, 0x11, PGW, HANDSET));
	tell(&r, 100.1, SGW, MME, created(1, 0x77, 16, 11, 0x10, SGW, HANDSET));
	assert_int_equal(ctl_sessions_stats(r.sessions).n_sessions, 2);
	tell(&r, 110, MME, SGW, delete_session(2, 0x10));
	assert_string_equal(who_at(&r, HANDSET, 100, 120), ALICE);
	assert_int_equal(ctl_sessions_stats(r.sessions).n_sessions, 1);
	tell(&r, 120, SGW, PGW, delete_session(3, 0x11));
	assert_string_equal(r.said->str, "100.64.0.7=01@100-120;");
	rig_fini(&r);
}

static void another_owner_is_bound_behind_the_guard(void **)
{
	struct rig r;

	rig_init(&r, 100);
	attach_s5(&r, 100, 1, ALICE, 0x10, HANDSET);
	tell(&r, 110, SGW, PGW, delete_session(2, 0x11));
	attach_s5(&r, 111, 3, BOB, 0x20, HANDSET);
	assert_string_equal(who_at(&r, HANDSET, 105, 109), ALICE);
	assert_string_equal(who_at(&r, HANDSET, 109, 113), "");
	assert_string_equal(who_at(&r, HANDSET, 111.5, 111.9), "");
	assert_string_equal(who_at(&r, HANDSET, 112, 130), BOB);
	attach_s5(&r, 140, 4, ALICE, 0x30, HANDSET); // and without an end of the one before
	assert_string_equal(who_at(&r, HANDSET, 130, 139), BOB);
	assert_string_equal(who_at(&r, HANDSET, 139, 140), "");
	assert_string_equal(who_at(&r, HANDSET, 141, 141), "");
	assert_string_equal(who_at(&r, HANDSET, 142, 150), ALICE);
	// What the former owner's session says now is about nobody.
	tell(&r, 150, SGW, PGW, delete_session(5, 0x21));
	assert_string_equal(who_at(&r, HANDSET, 142, 160), ALICE);
	rig_fini(&r);
}

static void the_same_owner_needs_no_guard(void **)
{
	struct rig r;

	rig_init(&r, 100);
	attach_s5(&r, 100, 1, ALICE, 0x10, HANDSET);
	tell(&r, 110, SGW, PGW, delete_session(2, 0x11));
	attach_s5(&r, 110.5, 3, ALICE, 0x20, HANDSET);
	assert_string_equal(who_at(&r, HANDSET, 110.5, 111), ALICE);
	assert_string_equal(who_at(&r, HANDSET, 109, 111), ""); // not all the time
	rig_fini(&r);
}

static void radius_binds_by_what_it_tells(void **)
{
	struct rig r;

	rig_init(&r, 100);
	account(&r, 100, accounting(START, "S-1", "a@example.net", HANDSET));
	assert_string_equal(who_at(&r, HANDSET, 100, 101), "a@example.net");
	account(&r, 105,
		accounting(START, "S-2", "b@example.net", HANDSET)); // without a Stop of the other
	assert_string_equal(who_at(&r, HANDSET, 107, 109), "b@example.net");
	account(&r, 106,
		accounting(INTERIM, "S-1", "a@example.net", HANDSET)); // said again, or late
	account(&r, 106, accounting(START, "S-1", "a@example.net", HANDSET));
	assert_string_equal(who_at(&r, HANDSET, 107, 109), "b@example.net");
	account(&r, 110, accounting(STOP, "S-1", "a@example.net", HANDSET)); // late
	assert_string_equal(who_at(&r, HANDSET, 107, 111), "b@example.net");
	account(&r, 112, accounting(STOP, "S-2", "b@example.net", HANDSET));
	assert_string_equal(who_at(&r, HANDSET, 112, 112), "");
	account(&r, 113, accounting(INTERIM, "S-2", "b@example.net", HANDSET)); // of what has ended
	account(&r, 113, accounting(START, "S-2", "b@example.net", HANDSET));
	assert_string_equal(who_at(&r, HANDSET, 113, 120), "");
	account(&r, 120,
		accounting(INTERIM, "S-3", "c@example.net", OTHER_HANDSET)); // its Start was lost
	assert_string_equal(who_at(&r, OTHER_HANDSET, 119, 121), "");
	assert_string_equal(who_at(&r, OTHER_HANDSET, 120, 121), "c@example.net");
	account(&r, 130, accounting(ON, "0", "", 0));
	assert_string_equal(who_at(&r, OTHER_HANDSET, 130, 130), "");
	rig_fini(&r);
}

/* What was said late is dated back, but never into somebody else's time. */
static void a_delay_dates_back(void **)
{
	struct bytes late = accounting(START, "S-2", "b@example.net", HANDSET),
		     other = accounting(START, "S-3", "c@example.net", OTHER_HANDSET);
	struct rig r;

	rig_init(&r, 100);
	radius_u32(&late, 41, 8);
	radius_u32(&other, 41, 8);
	account(&r, 100, other);
	assert_string_equal(who_at(&r, OTHER_HANDSET, 92, 93), "c@example.net");
	account(&r, 100, accounting(START, "S-1", "a@example.net", HANDSET));
	account(&r, 105, accounting(STOP, "S-1", "a@example.net", HANDSET));
	account(&r, 110, late);
	assert_string_equal(who_at(&r, HANDSET, 104, 104), "a@example.net");
	assert_string_equal(who_at(&r, HANDSET, 106, 108), "");
	assert_string_equal(who_at(&r, HANDSET, 107, 108), "b@example.net");
	rig_fini(&r);
}

/* Two sources that say different people: the better one is believed, and where the lesser one speaks last
 * nobody is. */
static void sources_that_contradict_bind_nobody(void **)
{
	struct bytes stop = accounting(STOP, "S-1", "b@example.net", HANDSET);
	struct rig r;

	rig_init(&r, 100);
	attach_s5(&r, 100, 1, ALICE, 0x10, HANDSET);
	account(&r, 110, accounting(START, "S-1", "b@example.net", HANDSET));
	assert_string_equal(who_at(&r, HANDSET, 110, 120), "");
	account(&r, 115, accounting(INTERIM, "S-1", "b@example.net", HANDSET));
	assert_string_equal(who_at(&r, HANDSET, 115, 120), "");
	assert_int_equal(ctl_sessions_stats(r.sessions).bindings.n_contested, 1);
	account(&r, 116, stop);
	attach_s5(&r, 120, 2, ALICE, 0x20, HANDSET);
	assert_string_equal(who_at(&r, HANDSET, 120, 125), ALICE);
	rig_fini(&r);
}

/* Who is a subscriber does not speak of others: neither from inside his tunnel nor from his address. */
static void subscribers_are_not_believed(void **)
{
	struct bytes m = accounting(START, "S-9", "evil@example.net", OTHER_HANDSET);
	struct rig r;

	rig_init(&r, 100);
	attach_s5(&r, 100, 1, ALICE, 0x10, HANDSET);
	tell_in(&r, 101, NAS, SERVER, 40000, DP_PORT_RADIUS_ACCOUNTING, &m, 1U << DP_ENCAP_GTPU);
	tell_in(&r, 102, HANDSET, SERVER, 40000, DP_PORT_RADIUS_ACCOUNTING, &m, 0);
	assert_string_equal(who_at(&r, OTHER_HANDSET, 103, 103), "");
	assert_int_equal(ctl_sessions_stats(r.sessions).unbelieved, 2);
	rig_fini(&r);
}

static void roaming_is_said_with_its_time(void **)
{
	static const uint8_t home[3] = {0x00, 0xf1, 0x10}, abroad[3] = {0x99, 0xf9, 0x99};
	struct rig r;

	rig_init(&r, 100);
	for (int i = 0; i < 3; i++) {
		struct bytes m = gtpv2(34, 0x11, (uint32_t)(10 + i)),
			     answer = gtpv2(35, 0x10, (uint32_t)(10 + i));

		if (i == 0)
			attach_s5(&r, 100, 1, ALICE, 0x10, HANDSET);
		gtpv2_network(&m, i == 1 ? abroad : home);
		tell(&r, 100 + 10.0 * i, SGW, PGW, m);
		gtpv2_cause(&answer, 16);
		tell(&r, 100 + 10.0 * i, PGW, SGW, answer);
	}
	tell(&r, 130, SGW, PGW, delete_session(99, 0x11));
	assert_string_equal(r.said->str,
		"100.64.0.7=01,00101@100-110;100.64.0.7=01,99999@110-120;"
		"100.64.0.7=01,00101@120-130;");
	rig_fini(&r);
}

/* A number that somebody else uses now is not the former one's any more, nor the former one's history his. */
static void a_number_follows_the_sim(void **)
{
	struct ctl_aliases *aliases = ctl_aliases_new(10);
	struct ctl_sig first = {.imsi = ALICE, .msisdn = "99900000001"},
		       second = {.imsi = BOB, .msisdn = "99900000001"},
		       bare = {.msisdn = "99900000001"};
	struct ctl_known *a = ctl_aliases_get(aliases, &first), *b, *c;

	b = ctl_aliases_get(aliases, &second);
	c = ctl_aliases_get(aliases, &bare);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(b, c);
	assert_true(a->id != b->id);
	ctl_aliases_put(aliases, a);
	a = ctl_aliases_get(aliases, &first); // of whom nothing is known any more
	assert_true(a->id > b->id);
	ctl_aliases_put(aliases, a);
	ctl_aliases_put(aliases, b);
	ctl_aliases_put(aliases, c);
	assert_int_equal(ctl_aliases_count(aliases), 0);
	ctl_aliases_free(aliases);
}

static void ipv6_sessions_hold_their_prefix(void **)
{
	static const uint8_t prefix[8] = {0x20, 0x01, 0x0d, 0xb8, 0, 0x20, 0, 1};
	struct bytes m = created(1, 0x10, 18, 7, 0x11, PGW, 0);
	struct dp_addr endpoint = {0};
	bool is_one;
	const struct ctl_known *who;
	struct rig r;

	rig_init(&r, 100);
	m = gtpv2(33, 0x10, 1);
	gtpv2_cause(&m, 18);
	gtpv2_fteid(&m, 1, 7, 0x11, PGW);
	gtpv2_paa(&m, HANDSET, prefix);
	tell(&r, 100, SGW, PGW, create(1, ALICE, 6, 0x10, SGW));
	tell(&r, 100, PGW, SGW, m);
	memcpy(endpoint.b, prefix, 8);
	who = ctl_bindings_who(
		ctl_sessions_bindings(r.sessions), &endpoint, 101 * S, 102 * S, &is_one);
	assert_non_null(who);
	assert_string_equal(who->imsi, ALICE);
	assert_string_equal(who_at(&r, HANDSET, 101, 102), ALICE);
	endpoint.b[7] = 2;
	assert_null(ctl_bindings_who(
		ctl_sessions_bindings(r.sessions), &endpoint, 101 * S, 102 * S, &is_one));
	rig_fini(&r);
}

/* A flood of sessions that nobody has: what is known stays, and memory is bounded. */
static void a_flood_leaves_what_is_known(void **)
{
	enum { N = 200000, MAX = 1000 };
	struct ctl_sessions_stats stats;
	uint32_t x = 1;
	struct rig r;

	rig_init(&r, MAX);
	attach_s5(&r, 100, 1, ALICE, 0x10, HANDSET);
	for (int i = 0; i < N; i++) {
		char imsi[16];

		x = x * 1664525 + 1013904223;
		(void)g_snprintf(imsi, sizeof(imsi), "00102%010u", x);
		if (i % 2 == 0)
			attach_s5(&r, 101, x & 0xffffff, imsi, x | 1, 0x64000000 | (x & 0xffffff));
		else
			tell(&r, 101, SGW, PGW, create(x & 0xffffff, imsi, 6, x, SGW));
	}
	stats = ctl_sessions_stats(r.sessions);
	assert_int_equal(stats.n_sessions, MAX);
	assert_true(stats.n_subscribers <= 2 * MAX && stats.bindings.n_endpoints <= MAX);
	assert_true(stats.refused > 0 && stats.unanswered > 0);
	assert_string_equal(who_at(&r, HANDSET, 100, 200), ALICE);
	rig_fini(&r);
}

/* Sessions of one name are few, whoever makes them: all come to their end by the other side's. */
static void one_name_for_many_is_bounded(void **)
{
	enum { N = 100 };
	struct rig r;

	rig_init(&r, 1000);
	for (uint32_t i = 0; i < N; i++) {
		char imsi[16];

		(void)g_snprintf(imsi, sizeof(imsi), "00101%010u", i);
		tell(&r, 100, SGW, PGW, create(i, imsi, 6, 0x10, SGW));
		tell(&r, 100, PGW, SGW, created(i, 0x10, 16, 7, 0x1000 + i, PGW, HANDSET + i));
	}
	assert_int_equal(ctl_sessions_stats(r.sessions).n_sessions, N);
	for (uint32_t i = 0; i < N; i++)
		tell(&r, 110, SGW, PGW, delete_session(i, 0x1000 + i));
	assert_int_equal(ctl_sessions_stats(r.sessions).n_sessions, 0);
	assert_int_equal(ctl_sessions_stats(r.sessions).bindings.n_bound, 0);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_that_accepts_binds_until_the_delete),
		cmocka_unit_test(a_refusal_binds_nobody),
		cmocka_unit_test(a_lost_message_binds_nobody),
		cmocka_unit_test(copies_change_nothing),
		cmocka_unit_test(a_handover_keeps_the_binding),
		cmocka_unit_test(the_end_of_one_leg_keeps_the_binding),
		cmocka_unit_test(another_owner_is_bound_behind_the_guard),
		cmocka_unit_test(the_same_owner_needs_no_guard),
		cmocka_unit_test(radius_binds_by_what_it_tells),
		cmocka_unit_test(a_delay_dates_back),
		cmocka_unit_test(sources_that_contradict_bind_nobody),
		cmocka_unit_test(subscribers_are_not_believed),
		cmocka_unit_test(roaming_is_said_with_its_time),
		cmocka_unit_test(a_number_follows_the_sim),
		cmocka_unit_test(ipv6_sessions_hold_their_prefix),
		cmocka_unit_test(one_name_for_many_is_bounded),
		cmocka_unit_test(a_flood_leaves_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
