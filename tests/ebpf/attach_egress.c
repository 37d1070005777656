// SPDX-License-Identifier: BSD-3-Clause

/* A program on what a host sends: by TCX, and as older kernels have it. */

#include "ebpf/attach.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/ebpf/net.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>

enum { FRAMES = 100 };

static int xdp_fd, tc_fd, sums_fd;

static int begin(void **)
{
	net_make_veth();
	return net_run("ethtool -K va txvlan off tx-vlan-stag-hw-insert off");
}

static int end(void **)
{
	return net_run("ip link del va");
}

static struct ebpf_attached *attach(bool is_filter)
{
	const struct ebpf_attach_config cfg = {.interface = "vb",
		.ingress_fd = xdp_fd,
		.egress_fd = tc_fd,
		.is_egress_filter = is_filter};
	struct ebpf_attached *a = NULL;
	struct dp_err err = {0};

	if (ebpf_attach(&cfg, &a, &err) < 0)
		print_message("%s\n", err.text);
	return a;
}

/* How many frames the program sees of those that vb sends. */
static uint64_t sees(unsigned int n)
{
	const uint64_t before = net_sum(sums_fd, 1);

	net_send("vb", n);
	return net_sum(sums_fd, 1) - before;
}

static void sees_all_until_detach_and_holds_nothing_up(bool is_filter, const char *way)
{
	struct ebpf_attached *a = attach(is_filter);
	const uint64_t before = net_stats("va").rx_packets;

	assert_non_null(a);
	assert_string_equal(ebpf_attached_egress(a), way);
	assert_int_equal(sees(FRAMES), FRAMES);
	assert_int_equal(net_stats("va").rx_packets - before, FRAMES);
	ebpf_detach(a);
	assert_int_equal(sees(FRAMES), 0);
}

/* Kernels before 6.6 have none. */
static void need_tcx(void)
{
	const int fd = net_attach_first("vb", tc_fd);

	if (fd < 0)
		skip();
	(void)close(fd);
}

static void a_tcx_program_sees_what_is_sent(void **)
{
	need_tcx();
	sees_all_until_detach_and_holds_nothing_up(false, "tcx");
}

static void a_filter_sees_what_is_sent(void **)
{
	sees_all_until_detach_and_holds_nothing_up(true, "clsact");
}

static void without_a_program_there_is_none(void **)
{
	const int held = tc_fd;
	struct ebpf_attached *a;

	tc_fd = 0;
	a = attach(false);
	tc_fd = held;
	assert_non_null(a);
	assert_null(ebpf_attached_egress(a));
	ebpf_detach(a);
}

/* One that says of all packets that it was the last. */
static void another_filter_is_left_alone_and_does_not_hide_packets(bool is_filter)
{
	struct ebpf_attached *a;

	assert_int_equal(net_run("tc qdisc add dev vb clsact && tc filter add dev vb egress "
				 "protocol all prio 7 u32 match u32 0 0 flowid 1:1"),
		0);
	a = attach(is_filter);
	assert_non_null(a);
	assert_int_equal(sees(FRAMES), FRAMES);
	ebpf_detach(a);
	assert_int_equal(net_run("tc filter show dev vb egress | grep -q 'pref 7 u32' &&"
				 "test $(tc filter show dev vb egress | grep -c 'pref [^7]') = 0"),
		0);
}

static void with_tcx_others_filters_stay(void **)
{
	need_tcx();
	another_filter_is_left_alone_and_does_not_hide_packets(false);
}

static void with_a_filter_others_filters_stay(void **)
{
	another_filter_is_left_alone_and_does_not_hide_packets(true);
}

/* A child that attaches and is killed. */
static void kill_attached(bool is_filter)
{
	int there[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(there), 0);
	pid = fork();
	if (pid == 0) {
		if (attach(is_filter) != NULL && write(there[1], "", 1) == 1)
			(void)pause();
		_exit(1);
	}
	(void)close(there[1]);
	assert_int_equal(read(there[0], &c, 1), 1);
	(void)close(there[0]);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void what_is_killed_leaves_no_tcx_program(void **)
{
	need_tcx();
	kill_attached(false);
	while (sees(1) != 0) // the kernel does it in its own time
		(void)usleep(1000);
}

static void a_filter_that_was_left_is_replaced_and_removed(void **)
{
	struct ebpf_attached *a;

	for (int is_filter = 0; is_filter < 2; is_filter++) {
		kill_attached(true);
		assert_int_equal(sees(FRAMES), FRAMES); // it stays: why the next start looks
		a = attach(is_filter);
		assert_non_null(a);
		assert_int_equal(sees(FRAMES), FRAMES); // once
		ebpf_detach(a);
		assert_int_equal(sees(FRAMES), 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_tcx_program_sees_what_is_sent),
		TEST(a_filter_sees_what_is_sent),
		TEST(without_a_program_there_is_none),
		TEST(with_tcx_others_filters_stay),
		TEST(with_a_filter_others_filters_stay),
		TEST(what_is_killed_leaves_no_tcx_program),
		TEST(a_filter_that_was_left_is_replaced_and_removed),
	};

	net_enter();
	xdp_fd = net_load(BPF_PROG_TYPE_XDP, BPF_XDP, XDP_PASS);
	sums_fd = net_make_sums();
	tc_fd = net_load_sum(sums_fd, offsetof(struct __sk_buff, len));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
