// SPDX-License-Identifier: BSD-3-Clause

/* What a packet of a decided flow costs in the kernel, beside a program that parses and looks one key up.
 *
 *   xdp_cost PAIRS MILLIONS FLOWS
 *
 * Both are called by a third one, which makes the frame that of another flow each time, by the kernel's test-run
 * facility; what that costs is measured with one that drops at once, and taken off. FLOWS is a power of two, MILLIONS of
 * packets are a measurement. Prints a line of JSON: nanoseconds a packet of each pair. One CPU; CAP_BPF, CAP_NET_ADMIN
 * and CAP_PERFMON. Ends with 77 and a sentence where the kernel does not take a program. */

#include "dataplane/packet.h"
#include "ebpf/flow_key.h"
#include "ebpf/program.h"

#include <errno.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "xdp_cost.skel.h"

enum {
	FRAME = 400,
	ENTRIES = 4096,
	CHUNK = 4096, // frames before what came up is taken
	PAIRS_MAX = 100,
};

static struct xdp_cost *bench;
static struct ebpf_program *ours;
static struct dp_endpoint_nets nets;
static uint8_t frame[FRAME];
static uint32_t n_flows, n_decided;

_Noreturn static void give_up(const char *text)
{
	(void)fprintf(stderr, "xdp_cost: %s\n", text);
	exit(1);
}

/* --- what is run ------------------------------------------------------------------------------- */

/* An Ethernet frame with a TCP segment of the server's port 443 in it; the feeder changes the client, and where in the
 * stream it stands. */
static void make_frame(void)
{
	static const uint8_t eth[14] = {2, [6] = 2, [12] = 8};
	static const uint8_t ip[20] = {0x45, [2] = (FRAME - 14) >> 8, (FRAME - 14) & 0xff, [8] = 64,
		IPPROTO_TCP, [12] = 10, [16] = 198, 51, 100, 1};
	static const uint8_t tcp[20] = {
		[2] = 443 >> 8, 443 & 0xff, [12] = 0x50, DP_TCP_ACK, 0xff, 0xff};

	memcpy(frame, eth, sizeof(eth));
	memcpy(frame + 14, ip, sizeof(ip));
	memcpy(frame + 34, tcp, sizeof(tcp));
}

/* Who is measured, by the feeder's number. */
enum { OURS, BARE, NOTHING };

/* Nanoseconds that each of n frames took, given to one of them. */
static double run(int which, uint32_t n, uint32_t expected)
{
	const int fds[] = {ebpf_program_fd(ours), bpf_program__fd(bench->progs.bare),
		bpf_program__fd(bench->progs.nothing)};
	const int program_fd = fds[which];

	LIBBPF_OPTS(
		bpf_test_run_opts, opts, .data_in = frame, .data_size_in = FRAME, .repeat = (int)n);
	const uint32_t zero = 0;

	bench->bss->target_number = (uint32_t)which;
	if (bpf_map_update_elem(bpf_map__fd(bench->maps.target), &zero, &program_fd, BPF_ANY) < 0)
		give_up("the kernel does not let one program call the other");
	if (bpf_prog_test_run_opts(bpf_program__fd(bench->progs.feed), &opts) < 0)
		give_up("the kernel does not run the programs");
	if (opts.retval != expected)
		give_up("a program did not do what it is to do");
	return opts.duration;
}

/* --- flows ------------------------------------------------------------------------------------- */

static void decide(void *, const struct ebpf_sample *sample, const uint8_t *bytes)
{
	struct ebpf_verdict v = {.flow = sample->flow, .slot = 1 + n_decided % (ENTRIES - 1)};
	struct dp_pkt pkt;
	struct dp_walk w;

	if (dp_walk(bytes, sample->cap_len, sample->wire_len, DP_LINK_ETHERNET, &w) !=
		DP_OUTCOME_ACCOUNTED)
		give_up("what came up is no packet");
	dp_packet_of(&w, &nets, sample->wire_len, &pkt);
	v.key = ebpf_key_of(&pkt.tuple);
	if (ebpf_program_ask(ours, EBPF_ASK_DECIDE, &v) < 0)
		give_up("a flow cannot be decided");
	n_decided++;
}

/* Each flow once through ours, which asks for it: in the order in which the reference's flows lie in memory, too. */
static void decide_all(void)
{
	for (uint32_t n = 0; n < n_flows; n += CHUNK) {
		(void)run(OURS, CHUNK, XDP_DROP);
		while (ebpf_samples_take(ebpf_program_samples(ours), decide, NULL))
			;
	}
	if (n_decided != n_flows)
		give_up("not every flow asked for a verdict, once");
	// From here on in one that nobody's memory can foresee (Knuth 3.2.1.2: of full period).
	bench->data->factor = 1664525;
	bench->data->step = 1013904223;
}

static void fill_bare(void)
{
	for (uint32_t i = 0; i < n_flows; i++) {
		const struct {
			uint32_t src, dst;
			uint16_t sport, dport;
			uint32_t proto;
		} key = {htonl(0x0a000000 + i / 16), htonl(0xc6336401),
			htons((uint16_t)(50000 + i % 16)), htons(443), IPPROTO_TCP};
		const uint64_t counts[2] = {0};

		if (bpf_map_update_elem(bpf_map__fd(bench->maps.flows), &key, counts, BPF_ANY) < 0)
			give_up("the reference cannot be filled");
	}
}

/* --- set up ------------------------------------------------------------------------------------ */

static void open_ours(void)
{
	const struct ebpf_program_config cfg = {.is_tap = true,
		.nets = &nets,
		.ring_bytes = 16 << 20,
		.n_flows = 2 * n_flows,
		.tick_ns = 1000000000,
		.n_workers = 1,
		.n_entries = ENTRIES};
	struct dp_err err = {0};
	int r;

	dp_endpoint_nets_default(&nets);
	r = ebpf_program_open(&cfg, &ours, &err);
	if (r < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		exit(r == -EPERM ? 77 : 1);
	}
}

static void open_bench(void)
{
	bench = xdp_cost__open();
	if (bench == NULL)
		give_up("cannot open the reference");
	bench->rodata->n_flows = n_flows;
	if (bpf_map__set_max_entries(bench->maps.flows, 2 * n_flows) < 0 ||
		xdp_cost__load(bench) < 0)
		give_up("cannot load the reference");
}

static void stay_on_a_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	(void)sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* Nothing but the first packets of flows went up, or found no room there. */
static void check_all_were_kept(uint64_t n)
{
	struct ebpf_ledger l;
	struct dp_err err;

	if (ebpf_program_ledger(ours, &l, &err) < 0)
		give_up(err.text);
	if (l.received != n || l.handed != n_flows || l.lost != 0 ||
		l.frames[DP_OUTCOME_ACCOUNTED] != n - n_flows)
		give_up("not all packets were those of decided flows");
}

static void print(const char *name, const double *ns, int n)
{
	printf("\"%s\": [", name);
	for (int i = 0; i < n; i++)
		printf("%s%.1f", i > 0 ? ", " : "", ns[i]);
	printf("]");
}

int main(int argc, char **argv)
{
	const int n_pairs = argc == 4 ? atoi(argv[1]) : 0;
	uint32_t n = argc == 4 ? (uint32_t)(atof(argv[2]) * 1e6) : 0;
	double ns[2][PAIRS_MAX], nothing;

	n_flows = argc == 4 ? (uint32_t)atoi(argv[3]) : 0;
	if (n_pairs < 1 || n_pairs > PAIRS_MAX || n == 0 || n_flows < CHUNK ||
		(n_flows & (n_flows - 1)) != 0)
		give_up("expected xdp_cost PAIRS MILLIONS FLOWS, a power of two from 4096 on");
	n = (n + n_flows - 1) / n_flows * n_flows; // as many of each flow
	stay_on_a_cpu();
	make_frame();
	open_ours();
	open_bench();
	fill_bare();
	decide_all();
	for (int i = 0; i < n_pairs; i++) {
		nothing = run(NOTHING, n, XDP_DROP);
		for (int k = 0; k < 2; k++) {
			const int which = (i + k) % 2;

			ns[which][i] = run(which, n, XDP_DROP) - nothing;
		}
	}
	check_all_were_kept((uint64_t)n * (uint64_t)n_pairs + n_flows);
	printf("{");
	print("ours", ns[0], n_pairs);
	printf(", ");
	print("bare", ns[1], n_pairs);
	printf("}\n");
	xdp_cost__destroy(bench);
	ebpf_program_close(ours);
	return 0;
}
