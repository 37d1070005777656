// SPDX-License-Identifier: BSD-3-Clause
#include "tests/ebpf/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

enum { ETHERTYPE_TEST = 0x88b5, ETHERTYPE_VLAN = 0x8100 }; // IEEE 802: local experiments

static void skip(const char *why)
{
	printf("SKIP: %s\n", why);
	exit(77);
}

static void must(bool is_so, const char *what)
{
	if (is_so)
		return;
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

int net_run(const char *fmt, ...)
{
	char command[512];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	return system(command);
}

static int load(
	enum bpf_prog_type type, enum bpf_attach_type attach, const struct bpf_insn *code, size_t n)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach);

	return bpf_prog_load(type, "test", "GPL", code, n, &opts);
}

static int say_nothing(enum libbpf_print_level, const char *, va_list)
{
	return 0;
}

/* Of the network namespace: no neighbour discovery, only what the test sends. */
static void send_nothing_else(void)
{
	(void)net_run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
}

void net_enter(void)
{
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
	int fd;

	(void)libbpf_set_print(say_nothing);
	if (unshare(CLONE_NEWNET) < 0)
		skip("this user may make no network namespace");
	if (net_run("ip link set lo up && ethtool --version >/dev/null") != 0)
		skip("there is no ip or no ethtool");
	send_nothing_else();
	fd = load(BPF_PROG_TYPE_XDP, BPF_XDP, code, 2);
	if (fd < 0)
		skip("the kernel loads no XDP program for this user");
	(void)close(fd);
}

void net_make_veth(void)
{
	must(net_run("ip link add va type veth peer name vb && ip link set va up &&"
		     "ip link set vb up") == 0,
		"veth");
}

int net_load(enum bpf_prog_type type, enum bpf_attach_type attach, int action)
{
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = action}, {.code = BPF_JMP | BPF_EXIT}};
	const int fd = load(type, attach, code, sizeof(code) / sizeof(code[0]));

	must(fd >= 0, "program");
	return fd;
}

int net_make_sums(void)
{
	const int fd = bpf_map_create(
		BPF_MAP_TYPE_ARRAY, "sums", sizeof(uint32_t), 2 * sizeof(uint64_t), 1, NULL);

	must(fd >= 0, "map");
	return fd;
}

uint64_t net_sum(int map_fd, uint32_t entry)
{
	const uint32_t key = 0;
	uint64_t sums[2];

	must(bpf_map_lookup_elem(map_fd, &key, sums) == 0, "map");
	return sums[entry];
}

int net_load_sum(int map_fd, int16_t field)
{
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 6, .src_reg = 1},
		{.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = 10, .off = -4},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -4},
		{.code = BPF_LD | BPF_DW | BPF_IMM,
			.dst_reg = 1,
			.src_reg = BPF_PSEUDO_MAP_FD,
			.imm = map_fd},
		{0},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 0, .off = 4},
		{.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 1, .src_reg = 6, .off = field},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = 0, .src_reg = 1, .imm = BPF_ADD},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 1, .imm = 1},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW,
			.dst_reg = 0,
			.src_reg = 1,
			.off = 8,
			.imm = BPF_ADD},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = -1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	const int fd = load(BPF_PROG_TYPE_SCHED_CLS, 0, code, sizeof(code) / sizeof(code[0]));

	must(fd >= 0, "program");
	return fd;
}

int net_load_tagger(uint16_t vlan)
{
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = htons(ETHERTYPE_VLAN)},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = vlan},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_skb_vlan_push},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = -1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	const int fd = load(BPF_PROG_TYPE_SCHED_CLS, 0, code, sizeof(code) / sizeof(code[0]));

	must(fd >= 0, "program");
	return fd;
}

int net_attach_first(const char *interface, int prog_fd)
{
	// BPF_F_BEFORE and BPF_TCX_EGRESS, which older headers do not have.
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = 1 << 3);

	return bpf_link_create(
		prog_fd, (int)if_nametoindex(interface), (enum bpf_attach_type)47, &opts);
}

void net_send_frame(const char *interface, const uint8_t *frame, size_t n)
{
	const struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface)};
	const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	must(fd >= 0, "packet socket");
	must(sendto(fd, frame, n, 0, (const void *)&to, sizeof(to)) == (ssize_t)n, "frame");
	(void)close(fd);
}

void net_send(const char *interface, unsigned int n)
{
	const uint8_t frame[100] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		2, [12] = ETHERTYPE_TEST >> 8, ETHERTYPE_TEST & 0xff};

	for (unsigned int i = 0; i < n; i++)
		net_send_frame(interface, frame, sizeof(frame));
}

struct net_stats net_stats(const char *interface)
{
	unsigned long long rx_packets = 0, tx_packets = 0, tx_bytes = 0;
	char text[4096] = "", command[64];
	const char *rx, *tx;
	FILE *f;

	(void)snprintf(command, sizeof(command), "ip -s -j link show %s", interface);
	f = popen(command, "re");
	must(f != NULL && fread(text, 1, sizeof(text) - 1, f) > 0 && pclose(f) == 0, command);
	rx = strstr(text, "\"rx\":{");
	tx = strstr(text, "\"tx\":{");
	must(rx != NULL && tx != NULL &&
			sscanf(rx, "\"rx\":{\"bytes\":%*u,\"packets\":%llu", &rx_packets) == 1 &&
			sscanf(tx, "\"tx\":{\"bytes\":%llu,\"packets\":%llu", &tx_bytes,
				&tx_packets) == 2,
		text);
	return (struct net_stats){rx_packets, tx_packets, tx_bytes};
}

/* --- the peer -------------------------------------------------------------------------------- */

static struct {
	pid_t pid;
	int fd; // to it: 'e' an echo, 's' its statistics
} peer;

static const struct sockaddr_in peer_addr = {
	.sin_family = AF_INET, .sin_port = 0x0700}; // 7, echo, in network order

static void get(int fd, void *to, size_t n)
{
	for (size_t at = 0; at < n;) {
		const ssize_t got = read(fd, (char *)to + at, n - at);

		must(got > 0, "read");
		at += (size_t)got;
	}
}

static void put(int fd, const void *from, size_t n)
{
	for (size_t at = 0; at < n;) {
		const ssize_t done = write(fd, (const char *)from + at, n - at);

		must(done > 0, "write");
		at += (size_t)done;
	}
}

static size_t read_all(int fd)
{
	static char bytes[1 << 16];
	ssize_t got;
	size_t n = 0;

	while ((got = read(fd, bytes, sizeof(bytes))) > 0)
		n += (size_t)got;
	must(got == 0, "read");
	return n;
}

static void write_all(int fd, size_t n)
{
	static const char bytes[1 << 16];

	for (; n > sizeof(bytes); n -= sizeof(bytes))
		put(fd, bytes, sizeof(bytes));
	put(fd, bytes, n);
}

static void echo(int listener)
{
	const int fd = accept(listener, NULL, NULL);

	must(fd >= 0, "accept");
	write_all(fd, read_all(fd));
	(void)close(fd);
}

[[gnu::noreturn]] static void be_peer(int fd, const char *setup)
{
	int listener;
	char what;

	must(unshare(CLONE_NEWNET) == 0, "namespace");
	send_nothing_else();
	put(fd, "n", 1);
	get(fd, &what, 1); // va is here
	must(net_run("ip addr add 198.51.100.1 peer 10.0.0.7 dev va && %s && ip link set va up",
		     setup) == 0,
		setup);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); // of this namespace
	must(bind(listener, (const void *)&peer_addr, sizeof(peer_addr)) == 0 &&
			listen(listener, 1) == 0,
		"listen");
	put(fd, "r", 1);
	while (read(fd, &what, 1) == 1) {
		const struct net_stats stats = net_stats("va");

		if (what == 'e')
			echo(listener);
		else
			put(fd, &stats, sizeof(stats));
	}
	_exit(0);
}

void net_peer_begin(const char *setup)
{
	int pair[2];
	char c;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
	peer.pid = fork();
	if (peer.pid == 0) {
		(void)close(pair[0]);
		be_peer(pair[1], setup);
	}
	(void)close(pair[1]);
	peer.fd = pair[0];
	get(peer.fd, &c, 1);
	must(net_run("ip link set va netns %d && ip addr add 10.0.0.7 peer 198.51.100.1 dev vb",
		     (int)peer.pid) == 0,
		"addresses");
	put(peer.fd, "a", 1);
	get(peer.fd, &c, 1);
}

void net_peer_end(void)
{
	(void)net_run("ip link del vb"); // a namespace that ends does it later
	(void)close(peer.fd);
	(void)waitpid(peer.pid, NULL, 0);
}

void net_peer_echo(size_t n)
{
	struct sockaddr_in to = peer_addr;
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	put(peer.fd, "e", 1);
	to.sin_addr.s_addr = inet_addr("198.51.100.1");
	must(connect(fd, (const void *)&to, sizeof(to)) == 0, "connect");
	write_all(fd, n);
	must(shutdown(fd, SHUT_WR) == 0, "shutdown");
	must(read_all(fd) == n, "all comes back");
	(void)close(fd);
}

struct net_stats net_peer_stats(void)
{
	struct net_stats stats;

	put(peer.fd, "s", 1);
	get(peer.fd, &stats, sizeof(stats));
	return stats;
}
