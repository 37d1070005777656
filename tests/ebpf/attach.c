// SPDX-License-Identifier: BSD-3-Clause

/* A program on interfaces, in a network namespace of the test's own. */

#include "ebpf/attach.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/ebpf/net.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static int xdp_fd; // XDP_PASS, of frames that lie in one page

/* --- the network ----------------------------------------------------------------------------- */

static void show_tags(void)
{
	assert_int_equal(net_run("ethtool -K va txvlan off tx-vlan-stag-hw-insert off"), 0);
}

static int begin(void **)
{
	net_make_veth();
	return 0;
}

static int end(void **)
{
	(void)net_run("ip link del va 2>/dev/null; ip link del br0 2>/dev/null");
	return 0;
}

/* --- what is attached ------------------------------------------------------------------------ */

static int attach_as(const struct ebpf_attach_config *cfg, struct ebpf_attached **ret_attached)
{
	struct dp_err err = {0};
	const int r = ebpf_attach(cfg, ret_attached, &err);

	if (r < 0)
		print_message("%s\n", err.text);
	return r;
}

static struct ebpf_attached *attach(const char *interface, enum ebpf_mode mode)
{
	const struct ebpf_attach_config cfg = {
		.interface = interface, .mode = mode, .ingress_fd = xdp_fd};
	struct ebpf_attached *a = NULL;

	assert_int_equal(attach_as(&cfg, &a), 0);
	return a;
}

/* Refused with that, and a sentence that has these words. */
static void refuses(const char *interface, enum ebpf_mode mode, int r, const char *words)
{
	const struct ebpf_attach_config cfg = {
		.interface = interface, .mode = mode, .ingress_fd = xdp_fd};
	struct ebpf_attached *a = NULL;
	struct dp_err err = {0};

	assert_int_equal(ebpf_attach(&cfg, &a, &err), r);
	assert_null(a);
	if (strstr(err.text, words) == NULL)
		fail_msg("'%s' has no '%s'", err.text, words);
}

static bool warns(const struct ebpf_attached *a, const char *words)
{
	const char *text;

	for (size_t i = 0; (text = ebpf_attached_warning(a, i)) != NULL; i++) {
		if (strstr(text, words) != NULL)
			return true;
	}
	return false;
}

/* Mode of the program on an interface, XDP_ATTACHED_NONE when there is none. */
static int mode_on(const char *interface)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, found);

	assert_int_equal(bpf_xdp_query((int)if_nametoindex(interface), 0, &found), 0);
	return found.attach_mode;
}

static void is_on(const struct ebpf_attached *a, const char *path, const char *why)
{
	assert_string_equal(ebpf_attached_path(a), path);
	if (strstr(ebpf_attached_why(a), why) == NULL)
		fail_msg("'%s' has no '%s'", ebpf_attached_why(a), why);
}

/* --- the tests ------------------------------------------------------------------------------- */

static void a_driver_with_native_xdp_gets_it_and_none_is_there_after_detach(void **)
{
	struct ebpf_attached *a;

	show_tags();
	a = attach("vb", EBPF_MODE_AUTO);
	is_on(a, "xdp native", "its driver has it");
	assert_null(ebpf_attached_warning(a, 0));
	assert_int_equal(mode_on("vb"), XDP_ATTACHED_DRV);
	ebpf_detach(a);
	assert_int_equal(mode_on("vb"), XDP_ATTACHED_NONE);
	a = attach("vb", EBPF_MODE_NATIVE);
	is_on(a, "xdp native", "configured");
	ebpf_detach(a);
	ebpf_detach(NULL);
}

static void generic_is_taken_where_it_is_configured(void **)
{
	struct ebpf_attached *a;

	show_tags();
	a = attach("vb", EBPF_MODE_GENERIC);
	is_on(a, "xdp generic", "configured");
	assert_int_equal(mode_on("vb"), XDP_ATTACHED_SKB);
	ebpf_detach(a);
	assert_int_equal(mode_on("vb"), XDP_ATTACHED_NONE);
}

static void a_driver_without_native_xdp_gets_generic_unless_native_is_configured(void **)
{
	struct ebpf_attached *a;

	assert_int_equal(net_run("ip link add br0 type bridge && ip link set br0 up"), 0);
	a = attach("br0", EBPF_MODE_AUTO);
	is_on(a, "xdp generic",
		"the driver of 'br0' (bridge) has no native XDP: Operation not supported");
	ebpf_detach(a);
	refuses("br0", EBPF_MODE_NATIVE, -EOPNOTSUPP, "(bridge) has no native XDP");
}

static void an_mtu_too_big_for_native_is_said_with_the_remedy(void **)
{
	struct ebpf_attached *a;

	show_tags();
	assert_int_equal(net_run("ip link set va mtu 9000 && ip link set vb mtu 9000"), 0);
	refuses("vb", EBPF_MODE_NATIVE, -ERANGE,
		"the MTU of 'vb' or of its other end, 9000, is too big");
	refuses("vb", EBPF_MODE_NATIVE, -ERANGE, "'ip link set vb mtu N'");
	a = attach("vb", EBPF_MODE_AUTO);
	is_on(a, "xdp generic", "is too big for native XDP");
	ebpf_detach(a);
}

static void too_few_queues_for_native_are_said_with_the_remedy(void **)
{
	assert_int_equal(
		net_run("ip link del va && ip link add va numtxqueues 4 type veth peer name vb &&"
			"ip link set va up && ip link set vb up"),
		0);
	show_tags();
	refuses("vb", EBPF_MODE_NATIVE, -ENOSPC, "'ethtool -L vb' with as many rx as");
}

static void who_has_the_interface_is_named(void **)
{
	const enum ebpf_mode modes[] = {EBPF_MODE_NATIVE, EBPF_MODE_GENERIC};
	LIBBPF_OPTS(bpf_xdp_query_opts, found);
	char words[64];

	show_tags();
	for (size_t i = 0; i < 2; i++) {
		struct ebpf_attached *a = attach("vb", modes[i]);

		assert_int_equal(bpf_xdp_query((int)if_nametoindex("vb"), 0, &found), 0);
		(void)snprintf(
			words, sizeof(words), "XDP program %u is on 'vb' already", found.prog_id);
		refuses("vb", EBPF_MODE_NATIVE, -EBUSY, words);
		refuses("vb", EBPF_MODE_GENERIC, -EBUSY, words);
		refuses("vb", EBPF_MODE_AUTO, -EBUSY, words);
		ebpf_detach(a);
	}
}

static void no_such_interface_is_said(void **)
{
	refuses("vc", EBPF_MODE_AUTO, -ENODEV, "no interface 'vc' in this network namespace");
	refuses("", EBPF_MODE_AUTO, -ENODEV, "no interface ''");
	refuses("a-name-that-no-interface-can-have", EBPF_MODE_AUTO, -ENODEV, "no interface");
}

static void one_without_ethernet_frames_is_refused(void **)
{
	assert_int_equal(net_run("ip tuntap add tn mode tun"), 0);
	refuses("tn", EBPF_MODE_AUTO, -EOPNOTSUPP, "'tn' has no Ethernet frames (driver tun)");
	assert_int_equal(net_run("ip link del tn"), 0);
}

static void one_that_the_host_uses_is_no_tap(void **)
{
	static const char *const addresses[] = {"192.0.2.10", "2001:db8::10"},
				 *lens[] = {"24", "64"};
	struct ebpf_attach_config cfg = {.interface = "vb", .ingress_fd = xdp_fd};
	struct ebpf_attached *a = NULL;
	struct dp_err err = {0};

	show_tags();
	assert_int_equal(net_run("sysctl -qw net.ipv6.conf.vb.disable_ipv6=0"), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(net_run("ip addr add %s/%s dev vb", addresses[i], lens[i]), 0);
		cfg.is_tap = true;
		assert_int_equal(ebpf_attach(&cfg, &a, &err), -EADDRINUSE);
		assert_non_null(strstr(err.text, addresses[i]));
		assert_non_null(strstr(err.text, "'role: host'"));
		assert_int_equal(mode_on("vb"), XDP_ATTACHED_NONE);
		cfg.is_tap = false;
		assert_int_equal(attach_as(&cfg, &a), 0);
		ebpf_detach(a);
		assert_int_equal(net_run("ip addr del %s/%s dev vb", addresses[i], lens[i]), 0);
	}
	cfg.is_tap = true; // what every interface has of its own is no address
	assert_int_equal(attach_as(&cfg, &a), 0);
	ebpf_detach(a);
}

/* The kernel tells of carriers in its own time. */
static void wait_until(const struct ebpf_attached *a, bool is_up)
{
	while (ebpf_attached_is_up(a) != is_up)
		(void)usleep(1000);
}

static void one_that_is_down_is_taken_with_a_warning_and_its_state_is_told(void **)
{
	struct ebpf_attached *a;

	show_tags();
	assert_int_equal(net_run("ip link set vb down"), 0);
	a = attach("vb", EBPF_MODE_AUTO);
	assert_true(warns(a, "'ip link set vb up'"));
	assert_false(ebpf_attached_is_up(a));
	assert_int_equal(net_run("ip link set vb up"), 0);
	wait_until(a, true);
	assert_int_equal(net_run("ip link set va down"), 0);
	wait_until(a, false); // no carrier
	assert_int_equal(net_run("ip link del va"), 0);
	assert_false(ebpf_attached_is_up(a));
	ebpf_detach(a);
}

static void tags_that_xdp_would_not_see_are_refused_with_the_remedy(void **)
{
	refuses("vb", EBPF_MODE_AUTO, -EOPNOTSUPP,
		"'ethtool -K va txvlan off tx-vlan-stag-hw-insert off'");
	assert_int_equal(net_run("ethtool -K va tx-vlan-stag-hw-insert off"), 0);
	refuses("vb", EBPF_MODE_GENERIC, -EOPNOTSUPP, "'ethtool -K va txvlan off'");
	assert_int_equal(net_run("ethtool -K va txvlan off tx-vlan-stag-hw-insert on"), 0);
	refuses("vb", EBPF_MODE_NATIVE, -EOPNOTSUPP, "'ethtool -K va tx-vlan-stag-hw-insert off'");
	assert_int_equal(mode_on("vb"), XDP_ATTACHED_NONE);
}

static void packets_that_are_put_together_are_warned_of_in_generic_mode(void **)
{
	struct ebpf_attached *a;

	show_tags();
	a = attach("vb", EBPF_MODE_GENERIC);
	assert_true(warns(a, "'ethtool -K va tso off tx-udp-segmentation off'"));
	assert_false(warns(a, "gro off"));
	ebpf_detach(a);
	assert_int_equal(net_run("ethtool -K va tso off tx-udp-segmentation off"), 0);
	assert_int_equal(net_run("ethtool -K vb gro on"), 0);
	a = attach("vb", EBPF_MODE_GENERIC);
	assert_false(warns(a, "tso off"));
	assert_true(warns(a, "'ethtool -K vb gro off'"));
	ebpf_detach(a);
	a = attach("vb", EBPF_MODE_NATIVE);
	assert_null(ebpf_attached_warning(a, 0));
	ebpf_detach(a);
}

/* A child in a namespace of its own until the pipe is closed. */
static pid_t make_other_namespace(int *ret_pipe)
{
	int there[2], gone[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(there), 0);
	assert_int_equal(pipe(gone), 0);
	pid = fork();
	if (pid == 0) {
		(void)close(gone[1]);
		if (unshare(CLONE_NEWNET) == 0 && write(there[1], "", 1) == 1)
			(void)!read(gone[0], &c, 1);
		_exit(0);
	}
	assert_int_equal(read(there[0], &c, 1), 1);
	(void)close(there[0]);
	(void)close(there[1]);
	(void)close(gone[0]);
	*ret_pipe = gone[1];
	return pid;
}

static void another_namespace_at_the_other_end_is_warned_of(void **)
{
	struct ebpf_attached *a;
	int pipe_fd;
	const pid_t pid = make_other_namespace(&pipe_fd);

	assert_int_equal(net_run("ip link set va netns %d", (int)pid), 0);
	a = attach("vb", EBPF_MODE_AUTO);
	assert_true(warns(a, "is in another network namespace"));
	assert_true(warns(a, "txvlan off"));
	assert_false(warns(a, "tso off"));
	ebpf_detach(a);
	a = attach("vb", EBPF_MODE_GENERIC);
	assert_true(warns(a, "tso off"));
	ebpf_detach(a);
	(void)close(pipe_fd);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool is_promiscuous(const char *interface)
{
	return net_run("ip -d link show %s | grep -q 'promiscuity 1'", interface) == 0;
}

static void a_tap_is_promiscuous_while_it_is_attached(void **)
{
	const struct ebpf_attach_config cfg = {
		.interface = "vb", .is_tap = true, .ingress_fd = xdp_fd};
	struct ebpf_attached *a = NULL;

	show_tags();
	a = attach("vb", EBPF_MODE_AUTO);
	assert_false(is_promiscuous("vb"));
	ebpf_detach(a);
	assert_int_equal(attach_as(&cfg, &a), 0);
	assert_true(is_promiscuous("vb"));
	ebpf_detach(a);
	assert_false(is_promiscuous("vb"));
}

static void what_is_killed_leaves_nothing_attached(void **)
{
	int there[2];
	char c;
	pid_t pid;

	show_tags();
	assert_int_equal(pipe(there), 0);
	pid = fork();
	if (pid == 0) {
		const struct ebpf_attach_config cfg = {
			.interface = "vb", .is_tap = true, .ingress_fd = xdp_fd};
		struct ebpf_attached *a = NULL;

		if (attach_as(&cfg, &a) == 0 && write(there[1], "", 1) == 1)
			(void)pause();
		_exit(1);
	}
	(void)close(there[1]);
	assert_int_equal(read(there[0], &c, 1), 1);
	(void)close(there[0]);
	assert_int_equal(mode_on("vb"), XDP_ATTACHED_DRV);
	assert_true(is_promiscuous("vb"));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	while (mode_on("vb") != XDP_ATTACHED_NONE) // the kernel does it in its own time
		(void)usleep(1000);
	if (socket(AF_PACKET, SOCK_RAW, 0) >= 0) // without CAP_NET_RAW the flag stays
		assert_false(is_promiscuous("vb"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_driver_with_native_xdp_gets_it_and_none_is_there_after_detach),
		TEST(generic_is_taken_where_it_is_configured),
		TEST(a_driver_without_native_xdp_gets_generic_unless_native_is_configured),
		TEST(an_mtu_too_big_for_native_is_said_with_the_remedy),
		TEST(too_few_queues_for_native_are_said_with_the_remedy),
		TEST(who_has_the_interface_is_named),
		TEST(no_such_interface_is_said),
		TEST(one_without_ethernet_frames_is_refused),
		TEST(one_that_the_host_uses_is_no_tap),
		TEST(one_that_is_down_is_taken_with_a_warning_and_its_state_is_told),
		TEST(tags_that_xdp_would_not_see_are_refused_with_the_remedy),
		TEST(packets_that_are_put_together_are_warned_of_in_generic_mode),
		TEST(another_namespace_at_the_other_end_is_warned_of),
		TEST(a_tap_is_promiscuous_while_it_is_attached),
		TEST(what_is_killed_leaves_nothing_attached),
	};

	net_enter();
	xdp_fd = net_load(BPF_PROG_TYPE_XDP, BPF_XDP, XDP_PASS);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
