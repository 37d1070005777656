// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "classifier/ndpi.h"

#include <netinet/in.h>

enum { FILMS = 10, TRAILERS_TAG = 1, NETFLIX, DNS, FRONT, MAIL, PEERS, RIVAL, VPN, TALK };

static struct cls_catalogue *catalogue, *empty;
static uint16_t tls, dns, netflix, bittorrent, stun;
static struct dp_addr nobody, rival;

static uint16_t proto(const char *name)
{
	const int p = cls_ndpi_proto_by_name(name);

	assert_true(p > 0);
	return (uint16_t)p;
}

static int setup(void **)
{
	static const char *const tags[] = {"", "trailers"};
	static const char *const of_netflix[] = {"NetFlix", NULL}, *const of_dns[] = {"DNS", NULL};
	static const char *const of_peers[] = {"BitTorrent", NULL},
				 *const of_talk[] = {"STUN", NULL};
	static const struct cls_host_def films[] = {
		{"films.example", DP_TAG_NONE}, {"trailers.films.example", TRAILERS_TAG}};
	static const struct cls_host_def front = {"front.example", DP_TAG_NONE};
	static const struct cls_host_def mail = {"mail.example", DP_TAG_NONE};
	static struct dp_prefix net;
	static const struct cls_port_def port = {IPPROTO_UDP, 40000, 40000};
	const struct cls_app_def apps[] = {
		{.id = FILMS,
			.name = "films",
			.category = "streaming",
			.hosts = films,
			.n_hosts = 2},
		{.id = NETFLIX, .name = "netflix", .category = "streaming", .ndpi = of_netflix},
		{.id = DNS, .name = "dns", .category = "network", .ndpi = of_dns},
		{.id = FRONT, .name = "front", .category = "relay", .hosts = &front, .n_hosts = 1},
		{.id = MAIL, .name = "mail", .category = "mail", .hosts = &mail, .n_hosts = 1},
		{.id = PEERS, .name = "peers", .category = "p2p", .ndpi = of_peers},
		{.id = RIVAL, .name = "rival", .category = "web", .nets = &net, .n_nets = 1},
		{.id = VPN, .name = "vpn", .category = "vpn", .ports = &port, .n_ports = 1},
		{.id = TALK, .name = "talk", .category = "messaging", .ndpi = of_talk},
	};

	tls = proto("TLS");
	dns = proto("DNS");
	netflix = proto("NetFlix");
	bittorrent = proto("BitTorrent");
	stun = proto("STUN");
	if (dp_prefix_parse("198.51.100.0/24", &net) < 0 ||
		dp_addr_parse("198.51.100.7", &rival) < 0 ||
		dp_addr_parse("203.0.113.9", &nobody) < 0 ||
		cls_catalogue_new(NULL, 0, NULL, 0, &empty, NULL) < 0)
		return -1;
	return cls_catalogue_new(apps, sizeof(apps) / sizeof(apps[0]), tags, 2, &catalogue, NULL);
}

static int teardown(void **)
{
	cls_catalogue_free(catalogue);
	cls_catalogue_free(empty);
	return 0;
}

/* A flow of TLS that shows this name. */
static struct cls_known showing(const char *host)
{
	return (struct cls_known){.host = host,
		.alias = "",
		.ndpi_app = tls,
		.basis = CLS_BASIS_SURE | CLS_BASIS_SNI,
		.l4_proto = IPPROTO_TCP,
		.server_port = 443,
		.server = &nobody};
}

static void expect_of(
	const struct cls_known *k, uint32_t app, uint16_t tag, enum dp_evidence evidence)
{
	const struct cls_decision d = cls_resolve(catalogue, k);

	assert_int_equal(d.app, app);
	assert_int_equal(d.tag, tag);
	assert_int_equal(d.evidence, evidence);
}

/* And nothing by a catalogue without apps. */
static void expect(const struct cls_known *k, uint32_t app, uint16_t tag, enum dp_evidence evidence)
{
	const struct cls_decision none = cls_resolve(empty, k);

	expect_of(k, app, tag, evidence);
	assert_int_equal(none.app, DP_APP_UNKNOWN);
	assert_int_equal(none.tag, DP_TAG_NONE);
	assert_int_equal(none.evidence, DP_EVIDENCE_NONE);
}

static void a_name_decides_first_and_says_how_it_was_found(void **)
{
	struct cls_known k = showing("www.films.example");

	k.server = &rival;
	k.alias = "mail.example";
	expect(&k, FILMS, DP_TAG_NONE, DP_EVIDENCE_SNI);
	k.host = "a.trailers.films.example";
	k.basis = CLS_BASIS_SURE | CLS_BASIS_QUIC;
	expect(&k, FILMS, TRAILERS_TAG, DP_EVIDENCE_QUIC);
	k.basis = CLS_BASIS_SURE | CLS_BASIS_HTTP;
	expect(&k, FILMS, TRAILERS_TAG, DP_EVIDENCE_HTTP);
	k.basis = 0; // the library's: its protocol says which
	expect(&k, FILMS, TRAILERS_TAG, DP_EVIDENCE_SNI);
}

static void the_librarys_own_table_counts_where_it_was_sure_and_the_name_is_its_own(void **)
{
	struct cls_known k = showing("www.netflix.com");

	k.ndpi_master = tls;
	k.ndpi_app = netflix;
	expect(&k, NETFLIX, DP_TAG_NONE, DP_EVIDENCE_SNI);
	k.basis |= CLS_BASIS_ALIKE;
	expect(&k, DP_APP_UNKNOWN, DP_TAG_NONE, DP_EVIDENCE_NONE);
	k.basis = CLS_BASIS_SNI | CLS_BASIS_ADDRESS;
	expect(&k, NETFLIX, DP_TAG_NONE, DP_EVIDENCE_ADDRESS);
	k.basis = CLS_BASIS_SNI;
	expect(&k, NETFLIX, DP_TAG_NONE, DP_EVIDENCE_PORT);
}

static void what_was_looked_up_counts_where_no_name_is_shown_or_one_is_hidden(void **)
{
	struct cls_known k = showing("");

	k.basis = CLS_BASIS_SURE;
	k.alias = "imap.mail.example";
	expect(&k, MAIL, DP_TAG_NONE, DP_EVIDENCE_DNS);
	k.host = "imap.mail.example";
	k.alias = "";
	k.basis |= CLS_BASIS_LOOKED_UP;
	expect(&k, MAIL, DP_TAG_NONE, DP_EVIDENCE_DNS);
	k = showing("nobody.example");
	k.alias = "imap.mail.example";
	expect(&k, DP_APP_UNKNOWN, DP_TAG_NONE, DP_EVIDENCE_NONE);
	k.has_ech = true;
	expect(&k, MAIL, DP_TAG_NONE, DP_EVIDENCE_DNS);
	k.host = "films.example"; // it may be its own
	expect(&k, FILMS, DP_TAG_NONE, DP_EVIDENCE_SNI);
	k.host = "front.example"; // but this is not
	expect(&k, MAIL, DP_TAG_NONE, DP_EVIDENCE_DNS);
	k.alias = "nobody.example";
	expect(&k, FRONT, DP_TAG_NONE, DP_EVIDENCE_SNI);
}

static void a_certificate_counts_where_no_name_is_an_app_s(void **)
{
	struct cls_known k = showing("");

	k.alias = "films.example";
	k.basis = CLS_BASIS_SURE | CLS_BASIS_CERTIFICATE;
	expect(&k, FILMS, DP_TAG_NONE, DP_EVIDENCE_CERT);
	k.alias = "nobody.example";
	expect(&k, DP_APP_UNKNOWN, DP_TAG_NONE, DP_EVIDENCE_NONE);
	k = showing("mail.example");
	k.alias = "films.example";
	k.basis |= CLS_BASIS_CERTIFICATE;
	expect(&k, MAIL, DP_TAG_NONE, DP_EVIDENCE_SNI);
}

static void a_look_up_of_a_film_is_no_film(void **)
{
	struct cls_known k = showing("www.netflix.com");

	k.ndpi_master = dns;
	k.ndpi_app = netflix;
	k.basis = CLS_BASIS_SURE;
	k.l4_proto = IPPROTO_UDP;
	k.server_port = 53;
	expect(&k, DNS, DP_TAG_NONE, DP_EVIDENCE_PAYLOAD);
	k.host = "films.example";
	expect(&k, DNS, DP_TAG_NONE, DP_EVIDENCE_PAYLOAD);
	k.basis = 0;
	expect(&k, DNS, DP_TAG_NONE, DP_EVIDENCE_PORT);
}

static void a_protocol_is_strong_only_where_it_was_recognised(void **)
{
	struct cls_known k = showing("");

	k.ndpi_app = bittorrent;
	k.basis = CLS_BASIS_SURE;
	expect(&k, PEERS, DP_TAG_NONE, DP_EVIDENCE_PAYLOAD);
	k.ndpi_master = bittorrent; // what carries it, when nobody has the rest
	k.ndpi_app = tls;
	expect(&k, PEERS, DP_TAG_NONE, DP_EVIDENCE_PAYLOAD);
	k.basis = CLS_BASIS_ADDRESS;
	expect(&k, PEERS, DP_TAG_NONE, DP_EVIDENCE_ADDRESS);
}

static void address_and_port_come_last(void **)
{
	struct cls_known k = showing("nobody.example");

	k.server = &rival;
	expect(&k, RIVAL, DP_TAG_NONE, DP_EVIDENCE_ADDRESS);
	k.l4_proto = IPPROTO_UDP;
	k.server_port = 40000;
	expect(&k, RIVAL, DP_TAG_NONE, DP_EVIDENCE_ADDRESS);
	k.server = &nobody;
	expect(&k, VPN, DP_TAG_NONE, DP_EVIDENCE_PORT);
	k.l4_proto = IPPROTO_TCP;
	expect(&k, DP_APP_UNKNOWN, DP_TAG_NONE, DP_EVIDENCE_NONE);
}

/* It was talk by its first packets, and the library had more to say later. */
static void what_rests_on_an_earlier_word_stays_as_long_as_the_app_does(void **)
{
	struct cls_known k = showing("");

	k.ndpi_master = stun;
	k.ndpi_app = bittorrent;
	k.basis = CLS_BASIS_SURE | CLS_BASIS_PAST;
	k.now = (struct cls_decision){TALK, DP_TAG_NONE, DP_EVIDENCE_PAYLOAD};
	expect(&k, TALK, DP_TAG_NONE, DP_EVIDENCE_PAYLOAD);
	k.now.app = 4711; // gone
	expect(&k, PEERS, DP_TAG_NONE, DP_EVIDENCE_PAYLOAD);
	k.now = (struct cls_decision){TALK, DP_TAG_NONE, DP_EVIDENCE_PAYLOAD};
	k.alias = "mail.example"; // a name is stronger, whenever it becomes one of an app
	expect(&k, MAIL, DP_TAG_NONE, DP_EVIDENCE_DNS);
	k.alias = "";
	k.basis = CLS_BASIS_SURE; // by its last word
	expect(&k, PEERS, DP_TAG_NONE, DP_EVIDENCE_PAYLOAD);
}

/* The table of what is remembered was full. */
static void what_is_not_remembered_at_all_stays_as_long_as_the_app_does(void **)
{
	static const enum dp_evidence lost[] = {DP_EVIDENCE_SNI, DP_EVIDENCE_QUIC, DP_EVIDENCE_HTTP,
		DP_EVIDENCE_CERT, DP_EVIDENCE_DNS, DP_EVIDENCE_PAYLOAD};
	struct cls_known k = {.host = "", .alias = "", .l4_proto = IPPROTO_TCP, .server = &rival};

	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
		k.now = (struct cls_decision){FILMS, TRAILERS_TAG, lost[i]};
		expect_of(&k, FILMS, TRAILERS_TAG, lost[i]);
		k.now.app = 4711; // gone
		expect_of(&k, RIVAL, DP_TAG_NONE, DP_EVIDENCE_ADDRESS);
	}
	k.now = (struct cls_decision){
		VPN, DP_TAG_NONE, DP_EVIDENCE_PORT}; // that is known of any flow
	expect_of(&k, RIVAL, DP_TAG_NONE, DP_EVIDENCE_ADDRESS);
}

static void a_note_says_which_side_the_server_is(void **)
{
	struct dp_record r = {.kind = DP_RECORD_NOTE,
		.app = MAIL,
		.tag = TRAILERS_TAG,
		.evidence = DP_EVIDENCE_DNS,
		.note = {.src = rival,
			.dst = nobody,
			.sport = 443,
			.dport = 50000,
			.l4_proto = IPPROTO_TCP,
			.ndpi_master = tls,
			.ndpi_app = netflix,
			.basis = CLS_BASIS_SURE,
			.has_ech = true,
			.server_is_src = true,
			.host = "a.example",
			.alias = "b.example"}};
	struct cls_known k = cls_known_of_note(&r);

	assert_memory_equal(k.server, &rival, sizeof(rival));
	assert_int_equal(k.server_port, 443);
	assert_int_equal(k.l4_proto, IPPROTO_TCP);
	assert_int_equal(k.ndpi_master, tls);
	assert_int_equal(k.ndpi_app, netflix);
	assert_int_equal(k.basis, CLS_BASIS_SURE);
	assert_true(k.has_ech);
	assert_string_equal(k.host, "a.example");
	assert_string_equal(k.alias, "b.example");
	assert_int_equal(k.now.app, MAIL);
	assert_int_equal(k.now.tag, TRAILERS_TAG);
	assert_int_equal(k.now.evidence, DP_EVIDENCE_DNS);
	r.note.server_is_src = false;
	k = cls_known_of_note(&r);
	assert_memory_equal(k.server, &nobody, sizeof(nobody));
	assert_int_equal(k.server_port, 50000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_decides_first_and_says_how_it_was_found),
		cmocka_unit_test(
			the_librarys_own_table_counts_where_it_was_sure_and_the_name_is_its_own),
		cmocka_unit_test(what_was_looked_up_counts_where_no_name_is_shown_or_one_is_hidden),
		cmocka_unit_test(a_certificate_counts_where_no_name_is_an_app_s),
		cmocka_unit_test(a_look_up_of_a_film_is_no_film),
		cmocka_unit_test(a_protocol_is_strong_only_where_it_was_recognised),
		cmocka_unit_test(address_and_port_come_last),
		cmocka_unit_test(what_rests_on_an_earlier_word_stays_as_long_as_the_app_does),
		cmocka_unit_test(what_is_not_remembered_at_all_stays_as_long_as_the_app_does),
		cmocka_unit_test(a_note_says_which_side_the_server_is),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
