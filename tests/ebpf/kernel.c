// SPDX-License-Identifier: BSD-3-Clause
#include "tests/ebpf/kernel.h"

#include "dataplane/packet.h"
#include "ebpf/program.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdlib.h>

static struct ebpf_program *program;
static struct dp_endpoint_nets nets;
static unsigned int cpu;

static void stop(const char *what, const struct dp_err *err)
{
	printf("%s: %s\n", what, err->text);
	exit(1);
}

void kernel_open(void)
{
	const struct ebpf_program_config cfg = {.is_tap = true,
		.is_replay = true,
		.nets = &nets,
		.n_flows = 1024,
		.tick_ns = 1000000000,
		.n_workers = 1,
		.n_entries = 16,
		.ring_bytes = 4096};
	struct dp_err err = {0};
	cpu_set_t one;
	int r;

	if (program != NULL)
		return;
	cpu = (unsigned int)sched_getcpu();
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		exit(1);
	dp_endpoint_nets_default(&nets);
	r = ebpf_program_open(&cfg, &program, &err);
	if (r == -EPERM) {
		printf("SKIP: %s\n", err.text);
		exit(77);
	}
	if (r < 0)
		stop("the program is loaded", &err);
}

void kernel_close(void)
{
	ebpf_program_close(program);
	program = NULL;
}

/* Prints what is not the same. */
static bool same(const char *what, uint64_t kernel, uint64_t user)
{
	if (kernel == user)
		return true;
	printf("%s: the kernel says %llu, user space %llu\n", what, (unsigned long long)kernel,
		(unsigned long long)user);
	return false;
}

static bool same_addr(const char *what, const struct dp_addr *kernel, const struct dp_addr *user)
{
	char buf[2][DP_ADDR_STRLEN];

	if (dp_addr_cmp(kernel, user) == 0)
		return true;
	printf("%s: the kernel says %s, user space %s\n", what, dp_addr_format(kernel, buf[0]),
		dp_addr_format(user, buf[1]));
	return false;
}

static bool same_pkt(const struct dp_pkt *k, const struct dp_pkt *u)
{
	static_assert(sizeof(*k) == 112, "compare what was added, too");

	return same_addr("source", &k->tuple.src, &u->tuple.src) &&
		same_addr("destination", &k->tuple.dst, &u->tuple.dst) &&
		same("source port", k->tuple.sport, u->tuple.sport) &&
		same("destination port", k->tuple.dport, u->tuple.dport) &&
		same("protocol", k->tuple.l4_proto, u->tuple.l4_proto) &&
		same("TCP flags", k->tcp_flags, u->tcp_flags) &&
		same("flags", k->flags, u->flags & (DP_PKT_FRAGMENT | DP_PKT_HAS_PORTS)) &&
		same("time", k->time_ns, u->time_ns) &&
		same("wire bytes", k->wire_bytes, u->wire_bytes) &&
		same("frames", k->n_frames, u->n_frames) &&
		same("packets", k->n_packets, u->n_packets) &&
		same("IP bytes", k->ip_bytes, u->ip_bytes) &&
		same("payload bytes", k->payload_bytes, u->payload_bytes) &&
		same("TCP sequence", k->tcp_seq, u->tcp_seq) &&
		same("TCP acknowledged", k->tcp_ack, u->tcp_ack) &&
		same("TCP window", k->tcp_window, u->tcp_window) &&
		same("offset of IP", k->l3_off, u->l3_off) &&
		same("captured IP bytes", k->l3_len, u->l3_len) &&
		same("encapsulations", k->encaps, u->encaps);
}

static bool same_vlans(const struct dp_vlans *k, const struct dp_vlans *u)
{
	bool is_same = same("tags", k->n, u->n);

	for (unsigned int i = 0; is_same && i < u->n; i++)
		is_same = same("VLAN", k->id[i], u->id[i]);
	return is_same;
}

static bool same_walk(const struct ebpf_found *k, const struct dp_walk *u, enum dp_outcome outcome)
{
	return same("outcome", k->outcome, outcome) && same("refused", k->refused, u->refused) &&
		(u->refused == DP_REFUSED_NONE || same("reason", k->reason, u->reason)) &&
		same("IP packets", k->n_ip, u->n_ip);
}

bool kernel_agrees(const struct dp_capture_record *frame)
{
	struct dp_pkt pkt = {.time_ns = frame->time_ns};
	struct ebpf_found found;
	struct dp_walk walk;
	struct dp_err err;
	uint32_t action;

	kernel_open();

	const enum dp_outcome outcome = dp_walk(
		frame->data, frame->cap_len, frame->wire_len, frame->link, &walk);
	const int r = ebpf_program_replay(program, frame, &action, &err);

	if (r == -EMSGSIZE) // no test run takes it
		return same("too short or too long",
			       frame->cap_len >= EBPF_REPLAY_MIN &&
				       frame->cap_len <= EBPF_REPLAY_MAX,
			       false) &&
			same("packets in a short frame", 0,
				frame->cap_len < EBPF_REPLAY_MIN &&
					outcome == DP_OUTCOME_ACCOUNTED);
	if (r < 0 || ebpf_program_found(program, cpu, &found, &err) < 0)
		stop("a frame is run", &err);
	if (!same("action", action, XDP_DROP) || !same_walk(&found, &walk, outcome))
		return false;
	if (outcome != DP_OUTCOME_ACCOUNTED)
		return true;
	dp_packet_of(&walk, &nets, frame->wire_len, &pkt);
	return same_pkt(&found.pkt, &pkt) && same_vlans(&found.vlans, &walk.vlans);
}
