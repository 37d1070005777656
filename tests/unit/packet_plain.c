// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/lib/plain_agrees.h"
#include "tests/unit/frame_tunnel.h"
#include "tests/unit/walk_check.h"

#include <netinet/in.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void payload(struct frame *f)
{
	frame_put(frame_new(f), "0123456789", 10);
}

static void tcp4(struct frame *f)
{
	payload(f);
	frame_tcp(f, 50000, 443, DP_TCP_ACK, 0x01020304);
	frame_ipv4(f, IPPROTO_TCP, "10.0.0.7", "203.0.113.9");
}

static void udp4(struct frame *f, uint16_t sport, uint16_t dport)
{
	payload(f);
	frame_udp(f, sport, dport);
	frame_ipv4(f, IPPROTO_UDP, "203.0.113.9", "10.0.0.7");
}

static void tcp6(struct frame *f)
{
	payload(f);
	frame_tcp(f, 443, 50000, DP_TCP_ACK, 1);
	frame_ipv6(f, IPPROTO_TCP, "2001:db8::9", "fd00:1:2:3::5");
}

static void in_ipv4(struct frame *f, uint16_t dport)
{
	frame_udp(f, 2152, dport);
	frame_ipv4(f, IPPROTO_UDP, "192.0.2.1", "192.0.2.2");
	frame_ethernet(f, 0x0800);
}

static void in_ipv6(struct frame *f)
{
	frame_udp(f, 50001, 2152);
	frame_ipv6(f, IPPROTO_UDP, "2001:db8::1", "2001:db8::2");
	frame_ethernet(f, 0x86dd);
}

static void ethernet_tcp4(struct frame *f)
{
	tcp4(f);
	frame_ethernet(f, 0x0800);
}

static void ethernet_udp4(struct frame *f)
{
	udp4(f, 50000, 443);
	frame_ethernet(f, 0x0800);
}

static void ethernet_tcp6(struct frame *f)
{
	tcp6(f);
	frame_ethernet(f, 0x86dd);
}

static void ethernet_udp6(struct frame *f)
{
	payload(f);
	frame_udp(f, 50000, 443);
	frame_ipv6(f, IPPROTO_UDP, "fd00:1:2:3::5", "2001:db8::9");
	frame_ethernet(f, 0x86dd);
}

static void tags(struct frame *f, unsigned int n)
{
	tcp6(f);
	frame_tag(f, 0x86dd, 100);
	for (unsigned int i = 1; i < n; i++)
		frame_tag(f, 0x8100, (uint16_t)(100 + i));
	frame_ethernet(f, 0x88a8);
}

static void one_tag(struct frame *f)
{
	tags(f, 1);
}

static void four_tags(struct frame *f)
{
	tags(f, 4);
}

static void five_tags(struct frame *f)
{
	tags(f, 5);
}

static void tagged_arp(struct frame *f)
{
	frame_put(frame_new(f), "arp", 3);
	frame_tag(f, 0x0806, 7);
	frame_ethernet(f, 0x8100);
}

static void padded(struct frame *f)
{
	struct frame inner;

	udp4(&inner, 50000, 443);
	frame_put(frame_new(f), "\xee\xee\xee\xee", 4);
	frame_put(f, frame_bytes(&inner), frame_len(&inner));
	frame_ethernet(f, 0x0800);
}

/* A driver that lost the length on the wire: the header speaks of more than the frame has. */
static void cut(struct frame *f)
{
	ethernet_tcp4(f);
	frame_set16(frame_bytes(f) + 14 + 2, 1400);
}

static void cut_ipv6(struct frame *f)
{
	ethernet_udp6(f);
	frame_set16(frame_bytes(f) + 14 + 4, 1400);
}

static void gtpu(struct frame *f)
{
	tcp4(f);
	frame_gtpu(f, 1, 0);
	in_ipv4(f, 2152);
}

static void gtpu_with_session(struct frame *f)
{
	tcp6(f);
	frame_gtpu(f, 1, 1);
	in_ipv6(f);
}

static void gtpu_numbered(struct frame *f)
{
	tcp4(f);
	frame_gtpu_numbered(f, 1, 0x02); // S
	in_ipv4(f, 2152);
}

static void gtpu_in_offloaded_udp(struct frame *f)
{
	gtpu(f);
	frame_set16(frame_bytes(f) + 14 + 20 + 4, 0);
}

static void gtpu_with_two_extensions(struct frame *f)
{
	tcp4(f);
	frame_gtpu(f, 1, 2);
	in_ipv4(f, 2152);
}

static void gtpu_answer(struct frame *f)
{
	tcp4(f);
	frame_gtpu(f, 1, 0);
	in_ipv4(f, 40000);
}

static void gtpu_echo(struct frame *f)
{
	gtpu(f);
	frame_bytes(f)[14 + 20 + 8 + 1] = 1;
}

static void gtpu_in_gtpu(struct frame *f)
{
	tcp4(f);
	frame_gtpu(f, 1, 0);
	frame_udp(f, 2152, 2152);
	frame_ipv4(f, IPPROTO_UDP, "192.0.2.3", "192.0.2.4");
	frame_gtpu(f, 1, 0);
	in_ipv4(f, 2152);
}

static void gtpu_with_more_than_it_holds(struct frame *f)
{
	gtpu(f);
	frame_set16(frame_bytes(f) + 14 + 20 + 8 + 8 + 2, 1400);
}

static void fragment(struct frame *f)
{
	ethernet_udp4(f);
	frame_set16(frame_bytes(f) + 14 + 6, 0x2000);
}

static void options(struct frame *f)
{
	payload(f);
	frame_udp(f, 50000, 443);
	frame_ipv4_with(f, IPPROTO_UDP, "10.0.0.7", "203.0.113.9", 0, 1);
	frame_ethernet(f, 0x0800);
}

static void offloaded(struct frame *f)
{
	ethernet_tcp4(f);
	frame_set16(frame_bytes(f) + 14 + 2, 0);
}

static void extension(struct frame *f)
{
	payload(f);
	frame_udp(f, 50000, 443);
	frame_ipv6_ext(f, IPPROTO_UDP, 0);
	frame_ipv6(f, IPPROTO_HOPOPTS, "fd00:1:2:3::5", "2001:db8::9");
	frame_ethernet(f, 0x86dd);
}

static void sctp(struct frame *f)
{
	ethernet_udp4(f);
	frame_bytes(f)[14 + 9] = IPPROTO_SCTP;
}

static void mapped(struct frame *f)
{
	payload(f);
	frame_udp(f, 50000, 443);
	frame_ipv6(f, IPPROTO_UDP, "::ffff:10.0.0.7", "::1");
	frame_ethernet(f, 0x86dd);
}

static const struct {
	const char *name;
	void (*build)(struct frame *f);
	bool is_plain;
} shapes[] = {
	{"TCP in IPv4", ethernet_tcp4, true},
	{"UDP in IPv4", ethernet_udp4, true},
	{"TCP in IPv6", ethernet_tcp6, true},
	{"UDP in IPv6", ethernet_udp6, true},
	{"one tag", one_tag, true},
	{"four tags", four_tags, true},
	{"link padding", padded, true},
	{"IPv4 cut, its length lost", cut, true},
	{"IPv6 cut, its length lost", cut_ipv6, true},
	{"GTP-U", gtpu, true},
	{"GTP-U with a session container", gtpu_with_session, true},
	{"GTP-U with sequence numbers", gtpu_numbered, true},
	{"GTP-U in UDP of length 0", gtpu_in_offloaded_udp, true},
	{"IPv4-mapped addresses", mapped, true},
	{"five tags", five_tags, false},
	{"tagged ARP", tagged_arp, false},
	{"GTP-U with two extensions", gtpu_with_two_extensions, false},
	{"GTP-U by its source port", gtpu_answer, true},
	{"GTP-U echo", gtpu_echo, false},
	{"GTP-U in GTP-U", gtpu_in_gtpu, false},
	{"GTP-U around more than it holds", gtpu_with_more_than_it_holds, false},
	{"fragment", fragment, false},
	{"IPv4 options", options, false},
	{"IPv4 of length 0", offloaded, false},
	{"IPv6 extension", extension, false},
	{"SCTP", sctp, false},
};

static struct dp_endpoint_nets nets;

static int setup(void **)
{
	dp_endpoint_nets_default(&nets);
	return 0;
}

static bool is_plain(struct frame *f)
{
	bool r;

	assert_true(plain_agrees(frame_bytes(f), frame_len(f), frame_len(f), &nets, &r));
	return r;
}

static void what_most_frames_are_is_plain_and_nothing_else(void **)
{
	for (size_t i = 0; i < LENGTH(shapes); i++) {
		struct frame f;

		walk_check_trying(shapes[i].name);
		shapes[i].build(&f);
		assert_int_equal(is_plain(&f), shapes[i].is_plain);
	}
	walk_check_trying(NULL);
}

/* walk_check_sound() holds the two ways against each other. */
static void no_truncation_and_no_flipped_bit_parts_the_two_ways(void **)
{
	for (size_t i = 0; i < LENGTH(shapes); i++) {
		struct frame f;

		walk_check_trying(shapes[i].name);
		shapes[i].build(&f);
		walk_check_mutants(frame_bytes(&f), frame_len(&f), DP_LINK_ETHERNET);
	}
	walk_check_trying(NULL);
}

static void a_port_that_may_mean_a_tunnel_is_not_plain(void **)
{
	static const uint16_t destinations[] = {1701, 3544, 4789, 6081, 8472, 2152};
	static const uint16_t sources[] = {1701, 2152, 3544};
	struct frame f;
	unsigned int n = 0;

	for (uint32_t port = 0; port <= UINT16_MAX; port++) {
		udp4(&f, 50000, (uint16_t)port);
		frame_ethernet(&f, 0x0800);
		n += !is_plain(&f);
		udp4(&f, (uint16_t)port, 443);
		frame_ethernet(&f, 0x0800);
		n += !is_plain(&f);
	}
	assert_int_equal(n, LENGTH(destinations) + LENGTH(sources));
	for (size_t i = 0; i < LENGTH(destinations); i++) {
		udp4(&f, 50000, destinations[i]);
		frame_ethernet(&f, 0x0800);
		assert_false(is_plain(&f));
	}
	for (size_t i = 0; i < LENGTH(sources); i++) {
		udp4(&f, sources[i], 443);
		frame_ethernet(&f, 0x0800);
		assert_false(is_plain(&f));
	}
}

/* Inside or not, by the first byte or by more of them. */
static void the_endpoint_is_the_same_wherever_the_addresses_lie(void **)
{
	static const char *const v4[] = {"10.0.0.7", "10.1.2.3", "100.64.0.1", "100.128.0.1",
		"203.0.113.9", "0.0.0.0", "255.255.255.255"};
	static const char *const v6[] = {"fd00:1:2:3::5", "fcff::", "2001:db8::9", "::", "::1",
		"::ffff:10.0.0.7", "::ffff:203.0.113.9", "ff02::1"};
	struct frame f;

	for (size_t i = 0; i < LENGTH(v4) * LENGTH(v4); i++) {
		payload(&f);
		frame_udp(&f, 50000, 443);
		frame_ipv4(&f, IPPROTO_UDP, v4[i / LENGTH(v4)], v4[i % LENGTH(v4)]);
		frame_ethernet(&f, 0x0800);
		assert_true(is_plain(&f));
	}
	for (size_t i = 0; i < LENGTH(v6) * LENGTH(v6); i++) {
		payload(&f);
		frame_udp(&f, 50000, 443);
		frame_ipv6(&f, IPPROTO_UDP, v6[i / LENGTH(v6)], v6[i % LENGTH(v6)]);
		frame_ethernet(&f, 0x86dd);
		assert_true(is_plain(&f));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
			what_most_frames_are_is_plain_and_nothing_else, walk_check_teardown),
		cmocka_unit_test_teardown(
			no_truncation_and_no_flipped_bit_parts_the_two_ways, walk_check_teardown),
		cmocka_unit_test(a_port_that_may_mean_a_tunnel_is_not_plain),
		cmocka_unit_test(the_endpoint_is_the_same_wherever_the_addresses_lie),
	};

	return cmocka_run_group_tests_name("packet_plain", tests, setup, NULL);
}
