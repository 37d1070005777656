// SPDX-License-Identifier: BSD-3-Clause

/* Send frames out of an interface from within the kernel: the test-run facility's live frames, redirected.
 *
 *   xdp_feed [--drop PEER] [--new EACH] [--pps N] IFACE FLOWS PACKETS
 *
 * Of FLOWS flows, a power of two, in an order without a pattern; with --new of ever new ones with EACH packets, FLOWS is
 * 0 then. --pps: no more than that a second. --drop: whatever comes out of PEER is counted and dropped meanwhile. Prints a
 * line of JSON: packets, nanoseconds, and what PEER received. CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON. */

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "xdp_feed.skel.h"

enum { FRAME = 200, BATCH = 64, ROUND = 1 << 16, PACED = 1 << 14 };

struct options {
	const char *iface, *peer;
	uint32_t n_flows, n_each;
	uint64_t n_packets, pps;
};

_Noreturn static void give_up(const char *text)
{
	(void)fprintf(stderr, "xdp_feed: %s: %s\n", text, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* A datagram of UDP to a server, whose client is filled in by the program. */
static void make_frame(uint8_t frame[FRAME])
{
	static const uint8_t eth[14] = {2, [6] = 2, [12] = 8};
	static const uint8_t ip[20] = {
		0x45, [3] = FRAME - 14, [8] = 64, 17, [12] = 10, [16] = 198, 51, 100, 1};
	static const uint8_t udp[8] = {[2] = 40000 >> 8, 40000 & 0xff, [5] = FRAME - 34};

	memset(frame, 0xb1, FRAME); // a payload that nobody knows
	memcpy(frame, eth, sizeof(eth));
	memcpy(frame + 14, ip, sizeof(ip));
	memcpy(frame + 34, udp, sizeof(udp));
}

static void wait_until(uint64_t ns)
{
	const struct timespec ts = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* Whole rounds, so a few more than were asked for. Returns nanoseconds. */
static uint64_t send_all(int fd, const struct options *o, uint64_t *ret_n)
{
	const uint32_t round = o->pps > 0 ? PACED : ROUND; // a call takes 20 ms and more by itself
	const uint64_t begin = now_ns();
	uint8_t frame[FRAME];
	struct xdp_md ctx = {.data_end = FRAME};

	uint64_t n;

	make_frame(frame);

	for (n = 0; n < o->n_packets; n += round) {
		LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = FRAME,
			.ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = (int)round,
			.flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);

		if (bpf_prog_test_run_opts(fd, &run) < 0)
			give_up("the kernel does not run live frames");
		if (o->pps > 0)
			wait_until(begin + (n + round) * 1000000000 / o->pps);
	}
	*ret_n = n;
	return now_ns() - begin;
}

static int attach_drop(const struct xdp_feed *skeleton, const char *peer)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	const int link = bpf_link_create(
		bpf_program__fd(skeleton->progs.drop), (int)if_nametoindex(peer), BPF_XDP, &opts);

	if (link < 0)
		give_up(peer);
	return link;
}

static struct options read_options(int argc, char **argv)
{
	static const struct option options[] = {{"drop", required_argument, NULL, 'd'},
		{"new", required_argument, NULL, 'n'}, {"pps", required_argument, NULL, 'p'}, {0}};
	struct options o = {.n_each = 1};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'd')
			o.peer = optarg;
		else if (c == 'n')
			o.n_each = (uint32_t)atoi(optarg);
		else if (c == 'p')
			o.pps = strtoull(optarg, NULL, 10);
		else
			exit(2);
	}
	if (argc - optind != 3 || o.n_each == 0) {
		(void)fprintf(stderr,
			"usage: xdp_feed [--drop PEER] [--new EACH] [--pps N] IFACE FLOWS PACKETS\n");
		exit(2);
	}
	o.iface = argv[optind];
	o.n_flows = (uint32_t)atoi(argv[optind + 1]);
	o.n_packets = strtoull(argv[optind + 2], NULL, 10);
	return o;
}

int main(int argc, char **argv)
{
	const struct options o = read_options(argc, argv);
	struct xdp_feed *skeleton = xdp_feed__open();
	uint64_t n, ns;

	if (skeleton == NULL)
		give_up("cannot open the programs");
	skeleton->rodata->out = if_nametoindex(o.iface);
	skeleton->rodata->n_flows = o.n_flows;
	skeleton->rodata->n_each = o.n_each;
	if (skeleton->rodata->out == 0)
		give_up(o.iface);
	if (xdp_feed__load(skeleton) < 0)
		give_up("cannot load the programs");
	if (o.peer != NULL)
		(void)attach_drop(skeleton, o.peer); // until this ends
	ns = send_all(bpf_program__fd(skeleton->progs.feed), &o, &n);
	printf("{\"packets\": %llu, \"ns\": %llu, \"received\": %llu}\n", (unsigned long long)n,
		(unsigned long long)ns, (unsigned long long)skeleton->bss->n_received);
	return 0;
}
