// SPDX-License-Identifier: BSD-3-Clause

/* The short way of plain packets says what the walk says: each frame runs through a program that has both and through one
 * that has only the walk, since its port ignores networks. Flows are decided, and frames damaged byte by byte. */

#include "ebpf/flow_key.h"
#include "ebpf/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/frame.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>

enum { SIDES = 2, PAYLOAD = 20, HEADERS_MAX = 14 + 40 + 20 };

static struct ebpf_program *sides[SIDES];
static struct dp_endpoint_nets nets;
static uint64_t now_ns;

/* --- both sides -------------------------------------------------------------------------------- */

static struct ebpf_program *open_side(const struct dp_ignore *ignore)
{
	const struct ebpf_program_config cfg = {.is_tap = true,
		.is_replay = true,
		.ignore = ignore,
		.nets = &nets,
		.n_flows = 1 << 16,
		.tick_ns = 1000000000,
		.n_workers = 1,
		.n_entries = 16,
		.ring_bytes = 1 << 20};
	struct ebpf_program *p = NULL;
	struct dp_err err = {0};
	const int r = ebpf_program_open(&cfg, &p, &err);

	if (r == -EPERM) {
		print_message("SKIP: %s\n", err.text);
		exit(77);
	}
	assert_int_equal(r, 0);
	return p;
}

static int begin(void **)
{
	static struct dp_ignore ignore = {.n_nets = 1};

	assert_int_equal(dp_prefix_parse("192.0.2.255/32", &ignore.nets[0]), 0);
	dp_endpoint_nets_default(&nets);
	now_ns = 1000 * UINT64_C(1000000000);
	sides[0] = open_side(NULL);
	sides[1] = open_side(&ignore);
	return 0;
}

static int end(void **)
{
	for (int i = 0; i < SIDES; i++)
		ebpf_program_close(sides[i]);
	return 0;
}

static void run(const uint8_t *bytes, uint32_t cap_len, uint32_t wire_len)
{
	const struct dp_capture_record record = {
		.time_ns = now_ns, .data = bytes, .cap_len = cap_len, .wire_len = wire_len};
	struct dp_err err;
	uint32_t action;

	for (int i = 0; i < SIDES; i++)
		assert_int_equal(ebpf_program_replay(sides[i], &record, &action, &err), 0);
	now_ns += 1000000;
}

static void decide(void *side, const struct ebpf_sample *sample, const uint8_t *bytes)
{
	struct ebpf_verdict v = {.flow = sample->flow, .slot = 1};
	struct dp_pkt pkt;
	struct dp_walk w;

	if ((sample->handed & DP_HANDED_ASKS) == 0)
		return;
	assert_int_equal(dp_walk(bytes, sample->cap_len, sample->wire_len, DP_LINK_ETHERNET, &w),
		DP_OUTCOME_ACCOUNTED);
	dp_packet_of(&w, &nets, sample->wire_len, &pkt);
	v.key = ebpf_key_of(&pkt.tuple);
	assert_int_equal(ebpf_program_ask(side, EBPF_ASK_DECIDE, &v), 0);
}

/* What came up is decided. */
static void decide_all(void)
{
	for (int i = 0; i < SIDES; i++)
		while (ebpf_samples_take(ebpf_program_samples(sides[i]), decide, sides[i]))
			;
}

static struct ebpf_ledger ledger(int side)
{
	struct ebpf_ledger l;
	struct dp_err err;

	assert_int_equal(ebpf_program_ledger(sides[side], &l, &err), 0);
	l.walked_again = 0; // the short way does not walk
	return l;
}

static void assert_same(const char *what, uint32_t at, unsigned int value)
{
	const struct ebpf_ledger a = ledger(0), b = ledger(1);

	if (memcmp(&a, &b, sizeof(a)) != 0)
		fail_msg("%s, byte %u as %u: %llu and %llu kept, %llu and %llu bytes of IP", what,
			at, value, (unsigned long long)a.frames[DP_OUTCOME_ACCOUNTED],
			(unsigned long long)b.frames[DP_OUTCOME_ACCOUNTED],
			(unsigned long long)a.ip_bytes, (unsigned long long)b.ip_bytes);
}

/* --- frames ------------------------------------------------------------------------------------ */

static void make(struct frame *f, uint16_t dport, bool is_tcp, bool is_v6)
{
	static const uint8_t payload[PAYLOAD];

	frame_put(frame_new(f), payload, sizeof(payload));
	if (is_tcp)
		frame_tcp(f, 50000, dport, DP_TCP_ACK, 1);
	else
		frame_udp(f, 50000, dport);
	if (is_v6)
		frame_ipv6(f, is_tcp ? IPPROTO_TCP : IPPROTO_UDP, "fd00::5", "2001:db8::9");
	else
		frame_ipv4(f, is_tcp ? IPPROTO_TCP : IPPROTO_UDP, "10.0.0.7", "203.0.113.9");
	frame_ethernet(f, is_v6 ? 0x86dd : 0x0800);
}

/* What was sent last, and behind it in the stream. */
static void go_on(uint8_t *bytes, bool is_tcp, bool is_v6)
{
	const uint32_t at = 14 + (is_v6 ? 40 : 20) + 4;
	uint32_t seq;

	if (!is_tcp)
		return;
	memcpy(&seq, bytes + at, sizeof(seq));
	seq = htonl(ntohl(seq) + PAYLOAD);
	memcpy(bytes + at, &seq, sizeof(seq));
}

/* Whole, with each byte of its headers wrong, cut, and with padding. Twice each: what is another flow then is decided the
 * second time. */
static void try_frame(const char *what, uint16_t dport, bool is_tcp, bool is_v6)
{
	static const uint8_t wrong[] = {0x00, 0x01, 0x02, 0x10, 0x40, 0x46, 0x80, 0x85, 0xff};
	uint8_t bytes[256];
	struct frame f;
	uint32_t len;

	make(&f, dport, is_tcp, is_v6);
	len = frame_len(&f);
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, frame_bytes(&f), len);
	for (int i = 0; i < 3; i++) {
		run(bytes, len, len);
		decide_all();
		go_on(bytes, is_tcp, is_v6);
	}
	for (uint32_t at = 0; at < HEADERS_MAX && at < len; at++) {
		for (size_t v = 0; v < sizeof(wrong); v++) {
			for (int i = 0; i < 2; i++) {
				bytes[at] ^= wrong[v];
				run(bytes, len, len);
				bytes[at] ^= wrong[v];
				decide_all();
				go_on(bytes, is_tcp, is_v6);
			}
			assert_same(what, at, wrong[v]);
		}
	}
	for (uint32_t n = EBPF_REPLAY_MIN; n <= len + PAYLOAD; n++) {
		run(bytes, n, n); // cut on the wire, or padded
		run(bytes, n, n < len ? len : n); // by who captured it
		decide_all();
		assert_same(what, n, 0);
	}
}

static void damaged_frames_count_alike(void **)
{
	try_frame("TCP in IPv4", 443, true, false);
	try_frame("UDP in IPv4", 443, false, false);
	try_frame("TCP in IPv6", 443, true, true);
	try_frame("UDP in IPv6", 443, false, true);
	try_frame("what is no GTP-U on its port", 2152, false, false);
	try_frame("what is no VXLAN on its port", 4789, false, true);
}

static unsigned int stay_on_a_cpu(void)
{
	const int cpu = sched_getcpu();
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	assert_int_equal(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
	return (unsigned int)cpu;
}

static void the_short_way_is_taken(void **)
{
	const unsigned int cpu = stay_on_a_cpu();
	struct ebpf_ledger a, b;
	struct ebpf_found found;
	struct dp_err err;
	struct frame f;

	make(&f, 443, true, false);
	for (int i = 0; i < 3; i++) {
		run(frame_bytes(&f), frame_len(&f), frame_len(&f));
		decide_all();
		go_on(frame_bytes(&f), true, false);
	}
	a = ledger(0);
	assert_int_equal(a.handed, 1);
	assert_int_equal(a.packets, 2);
	assert_int_equal(a.up_packets, 2);
	assert_int_equal(a.ip_bytes, 2 * (frame_len(&f) - 14));
	b = ledger(1);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(ebpf_program_found(sides[0], cpu, &found, &err), 0);
	assert_int_equal(found.walked, 0);
	assert_int_equal(ebpf_program_found(sides[1], cpu, &found, &err), 0);
	assert_int_equal(found.walked, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_short_way_is_taken),
		TEST(damaged_frames_count_alike),
	};

	(void)begin(NULL); // or skip
	(void)end(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
