// SPDX-License-Identifier: BSD-3-Clause

/* The programs of a host port on an interface with real traffic, both ways: each frame is handed up or kept, and all
 * of them together are what the interfaces counted. */

#include "ebpf/attach.h"
#include "ebpf/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/packet.h"
#include "dataplane/packet_fields.h"
#include "tests/ebpf/net.h"
#include "tests/unit/frame.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

enum {
	ECHO_BYTES = 5000000,
	TRIES = 200, // of ten milliseconds: what was sent last is on its way
	VLAN = 100,
};

static struct dp_endpoint_nets nets;
static struct ebpf_program *program;
static struct ebpf_attached *attached;

/* --- what came up ---------------------------------------------------------------------------- */

static struct {
	uint64_t frames, packets, bytes; // of frames; of each packet in it
	struct dp_pkt last;
	struct dp_vlans vlans; // of the last one
	uint32_t last_len;
} up;

static void take(void *, const struct ebpf_sample *s, const uint8_t *frame)
{
	struct dp_pkt p = {0};
	struct dp_walk w;

	up.frames++;
	up.packets += s->n_packets;
	up.bytes += s->wire_len;
	up.last_len = s->wire_len;
	if (dp_walk(frame, s->cap_len, s->wire_len, (enum dp_link)s->link, &w) !=
		DP_OUTCOME_ACCOUNTED)
		return;
	dp_packet_of(&w, &nets, s->wire_len, &p);
	up.bytes += (uint64_t)(s->n_packets - 1) * (s->wire_len - p.payload_bytes);
	dp_packet_split(&p, s->n_packets);
	up.last = p;
	up.vlans = w.vlans;
}

static struct ebpf_ledger look(void)
{
	struct ebpf_ledger l;

	while (ebpf_samples_take(ebpf_program_samples(program), take, NULL))
		;
	assert_int_equal(ebpf_program_ledger(program, &l, NULL), 0);
	return l;
}

/* --- the port -------------------------------------------------------------------------------- */

static void open_program(const struct dp_ignore *ignore)
{
	const struct ebpf_program_config cfg = {.ignore = ignore,
		.ring_bytes = 1 << 22,
		.nets = &nets,
		.tick_ns = 1000000000,
		.n_workers = 1,
		.n_entries = 16,
		.n_flows = 1024};
	struct dp_err err = {0};

	memset(&up, 0, sizeof(up));
	if (ebpf_program_open(&cfg, &program, &err) < 0)
		fail_msg("%s", err.text);
}

static void attach(enum ebpf_mode mode, bool is_egress_filter)
{
	const struct ebpf_attach_config cfg = {.interface = "vb",
		.mode = mode,
		.ingress_fd = ebpf_program_fd(program),
		.egress_fd = ebpf_program_egress_fd(program),
		.is_egress_filter = is_egress_filter};
	struct dp_err err = {0};

	if (ebpf_attach(&cfg, &attached, &err) < 0)
		fail_msg("%s", err.text);
}

static int begin(void **)
{
	net_make_veth();
	return net_run("ethtool -K va txvlan off tx-vlan-stag-hw-insert off");
}

static int end(void **)
{
	ebpf_detach(attached);
	ebpf_program_close(program);
	attached = NULL;
	program = NULL;
	return net_run("! ip link show vb >/dev/null 2>&1 || ip link del vb");
}

/* --- the tests ------------------------------------------------------------------------------- */

struct sums {
	uint64_t packets, bytes;
};

/* Handed up and kept, both ways. */
static struct sums counted(const struct ebpf_ledger *l)
{
	struct sums s = {up.packets, up.bytes + l->wire_bytes};

	for (int i = 0; i < EBPF_OUTCOMES; i++)
		s.packets += i == DP_OUTCOME_ACCOUNTED ? l->packets : l->frames[i];
	return s;
}

/* What both ends say that they sent. */
static struct sums sent(enum ebpf_mode mode, const struct net_stats before[2])
{
	const struct net_stats ours = net_stats("vb"), theirs = net_peer_stats();
	const uint64_t theirs_packets = theirs.tx_packets - before[1].tx_packets;
	struct sums s = {ours.tx_packets - before[0].tx_packets + theirs_packets,
		ours.tx_bytes - before[0].tx_bytes + theirs.tx_bytes - before[1].tx_bytes};

	if (mode == EBPF_MODE_NATIVE) // to where a native program is, a veth counts from IP on
		s.bytes += 14 * theirs_packets;
	return s;
}

static void wait_for_all(enum ebpf_mode mode, const struct net_stats before[2])
{
	struct sums wire = {0}, seen = {0};
	struct ebpf_ledger l;

	for (int i = 0; i < TRIES; i++) {
		l = look();
		seen = counted(&l);
		wire = sent(mode, before);
		if (seen.packets == wire.packets && seen.bytes == wire.bytes)
			break;
		(void)usleep(10000);
	}
	assert_int_equal(seen.packets, wire.packets);
	assert_int_equal(seen.bytes, wire.bytes);
	assert_int_equal(l.handed, up.frames);
	assert_int_equal(l.lost, 0);
	assert_true(wire.bytes > 2 * ECHO_BYTES);
	assert_true(l.packets > l.frames[DP_OUTCOME_ACCOUNTED]); // some were made of many
}

static void all_that_is_sent_is_counted(enum ebpf_mode mode, bool is_egress_filter)
{
	struct net_stats before[2];

	// Packets are taken apart by the kernel, behind the program and in front of the interface's counters.
	assert_int_equal(net_run("ethtool -K vb tso off"), 0);
	net_peer_begin(mode == EBPF_MODE_GENERIC ? "ethtool -K va tso off" : "true");
	open_program(NULL);
	before[0] = net_stats("vb");
	before[1] = net_peer_stats();
	attach(mode, is_egress_filter);
	net_peer_echo(ECHO_BYTES);
	wait_for_all(mode, before);
	net_peer_end();
}

static void native_with_tcx(void **)
{
	all_that_is_sent_is_counted(EBPF_MODE_NATIVE, false);
}

static void native_with_a_filter(void **)
{
	all_that_is_sent_is_counted(EBPF_MODE_NATIVE, true);
}

static void generic_with_tcx(void **)
{
	all_that_is_sent_is_counted(EBPF_MODE_GENERIC, false);
}

static void generic_with_a_filter(void **)
{
	all_that_is_sent_is_counted(EBPF_MODE_GENERIC, true);
}

/* UDP from the subscriber, with a payload that nobody knows. */
static void make_udp(struct frame *f, uint32_t payload_len)
{
	static const uint8_t payload[2000];
	static const uint8_t ends[8] = {10, 0, 0, 7, 198, 51, 100, 1};
	uint8_t ip[20] = {0x45, [8] = 64, IPPROTO_UDP};
	const uint8_t ethernet[14] = {2, [6] = 2, [12] = 8};

	(void)frame_put(frame_new(f), payload, payload_len);
	frame_udp(f, 50000, 50001);
	memcpy(ip + 12, ends, sizeof(ends));
	frame_set16(ip + 2, 20 + frame_len(f));
	(void)frame_put(f, ip, sizeof(ip));
	(void)frame_put(f, ethernet, sizeof(ethernet));
}

static void send_udp(void)
{
	struct frame f;

	make_udp(&f, 100);
	net_send_frame("vb", frame_bytes(&f), frame_len(&f));
}

static void a_tag_beside_the_frame_is_seen_where_it_will_stand(void **)
{
	int link;

	open_program(NULL);
	attach(EBPF_MODE_NATIVE, true);
	link = net_attach_first("vb", net_load_tagger(VLAN));
	if (link < 0)
		skip(); // TCX, in front of filters, takes Linux 6.6
	send_udp();
	assert_int_equal(look().handed, 1);
	assert_int_equal(up.last_len, 14 + 4 + 20 + 8 + 100);
	assert_int_equal(up.vlans.n, 1);
	assert_int_equal(up.vlans.id[0], VLAN);
	assert_int_equal(up.last.payload_bytes, 100);
	assert_int_equal(up.last.tuple.sport, 50000);
	(void)close(link);
	send_udp();
	assert_int_equal(look().handed, 2);
	assert_int_equal(up.vlans.n, 0);
}

static void a_tag_beside_the_frame_is_ignored_where_it_is_to_be(void **)
{
	static struct dp_ignore ignore;
	int link;

	ignore.has_vlans = true;
	ignore.vlans[VLAN / 64] |= UINT64_C(1) << (VLAN % 64);
	open_program(&ignore);
	attach(EBPF_MODE_NATIVE, true);
	link = net_attach_first("vb", net_load_tagger(VLAN));
	if (link < 0)
		skip();
	send_udp();
	assert_int_equal(look().frames[DP_OUTCOME_IGNORED], 1);
	(void)close(link);
	send_udp();
	assert_int_equal(look().handed, 1);
}

/* Run the program on a frame that is made of packets with `size` bytes of payload. */
static void run_made_of(struct frame *f, uint32_t segs, uint32_t size)
{
	struct __sk_buff skb = {.gso_segs = segs, .gso_size = size};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame_bytes(f), .data_size_in = frame_len(f),
		.ctx_in = &skb, .ctx_size_in = sizeof(skb), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(ebpf_program_egress_fd(program), &run), 0);
	assert_int_equal((int)run.retval, -1); // TC_ACT_UNSPEC: as if nobody had looked
}

static void each_packet_that_a_frame_is_made_of_has_the_headers(void **)
{
	struct ebpf_ledger l;
	struct frame f;

	open_program(NULL);
	make_udp(&f, 1900);
	run_made_of(&f, 2, 1000);
	assert_int_equal(look().handed, 1);
	assert_int_equal(up.packets, 2);
	assert_int_equal(up.last.n_packets, 2);
	assert_int_equal(up.last.ip_bytes, 1900 + 2 * 28);
	assert_int_equal(up.bytes, 1900 + 2 * 42);
	// Nobody has counted them yet.
	run_made_of(&f, 0, 500);
	assert_int_equal(look().handed, 2);
	assert_int_equal(up.last.n_packets, 4);
	assert_int_equal(up.last.ip_bytes, 1900 + 4 * 28);
	// Kept: more than anybody wants to see of a flow without a verdict.
	do {
		run_made_of(&f, 2, 1000);
		l = look();
	} while (l.packets == 0 && l.received < 1000);
	assert_int_equal(l.packets, 2);
	assert_int_equal(l.ip_bytes, 1900 + 2 * 28);
	assert_int_equal(l.wire_bytes, 1900 + 2 * 42);
	assert_int_equal(l.undecided_bytes, 1900 + 2 * 28);
	assert_int_equal(l.frames[DP_OUTCOME_ACCOUNTED], 1);
}

static void a_tap_has_no_program_for_what_is_sent(void **)
{
	const struct ebpf_program_config cfg = {.is_tap = true,
		.ring_bytes = 4096,
		.nets = &nets,
		.tick_ns = 1000000000,
		.n_workers = 1,
		.n_entries = 16,
		.n_flows = 16};
	struct dp_err err = {0};

	assert_int_equal(ebpf_program_open(&cfg, &program, &err), 0);
	assert_int_equal(ebpf_program_egress_fd(program), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(native_with_tcx),
		TEST(native_with_a_filter),
		TEST(generic_with_tcx),
		TEST(generic_with_a_filter),
		TEST(a_tag_beside_the_frame_is_seen_where_it_will_stand),
		TEST(a_tag_beside_the_frame_is_ignored_where_it_is_to_be),
		TEST(each_packet_that_a_frame_is_made_of_has_the_headers),
		TEST(a_tap_has_no_program_for_what_is_sent),
	};

	net_enter();
	dp_endpoint_nets_default(&nets);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
