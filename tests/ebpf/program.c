// SPDX-License-Identifier: BSD-3-Clause

/* What the loaded program does besides the walk: what becomes of frames, the ledger, frames of any size. */

#include "ebpf/program.h"

#include "ebpf/flow_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/tunnel_shapes.h"

#include <errno.h>
#include <linux/bpf.h>
#include <netinet/in.h>

#include <bpf/bpf.h>

static struct dp_endpoint_nets nets;

static struct ebpf_program *open_program(bool is_tap)
{
	const struct ebpf_program_config cfg = {.is_tap = is_tap,
		.is_replay = true,
		.nets = &nets,
		.n_flows = 1024,
		.tick_ns = 1000000000,
		.n_workers = 1,
		.n_entries = 16,
		.ring_bytes = 1 << 20};
	struct ebpf_program *p = NULL;
	struct dp_err err = {0};
	int r;

	dp_endpoint_nets_default(&nets);
	r = ebpf_program_open(&cfg, &p, &err);
	if (r == -EPERM) {
		print_message("SKIP: %s\n", err.text);
		exit(77);
	}
	assert_int_equal(r, 0);
	return p;
}

static int run_at(struct ebpf_program *p, uint64_t time_ns, const uint8_t *frame, uint32_t len,
	uint32_t *ret_action)
{
	const struct dp_capture_record record = {
		.time_ns = time_ns, .data = frame, .cap_len = len, .wire_len = len};
	struct dp_err err;

	return ebpf_program_replay(p, &record, ret_action, &err);
}

static int run(struct ebpf_program *p, const uint8_t *frame, uint32_t len, uint32_t *ret_action)
{
	return run_at(p, 0, frame, len, ret_action);
}

static uint32_t action_of(struct ebpf_program *p, const uint8_t *frame, uint32_t len)
{
	uint32_t action;

	assert_int_equal(run(p, frame, len, &action), 0);
	return action;
}

static void a_tap_ends_every_frame_and_a_host_gets_every_one(void **)
{
	struct ebpf_program *tap = open_program(true), *host = open_program(false);
	uint8_t nonsense[60] = {[12] = 0x12, 0x34};
	struct frame f;

	tunnel_build(tunnel_named("GTP-U"), &f, 0, false);
	frame_ethernet(&f, 0x0800);
	assert_int_equal(action_of(tap, frame_bytes(&f), frame_len(&f)), XDP_DROP);
	assert_int_equal(action_of(tap, nonsense, sizeof(nonsense)), XDP_DROP);
	assert_int_equal(action_of(host, frame_bytes(&f), frame_len(&f)), XDP_PASS);
	assert_int_equal(action_of(host, nonsense, sizeof(nonsense)), XDP_PASS);
	ebpf_program_close(tap);
	ebpf_program_close(host);
}

static void remember_flow(void *ctx, const struct ebpf_sample *sample, const uint8_t *)
{
	*(uint32_t *)ctx = sample->flow;
}

static void frames_up_to_64_kb_are_taken_and_no_others(void **)
{
	static const uint32_t lens[] = {
		EBPF_REPLAY_MIN, 60, 1514, 4096, 9014, 16384, 16385, EBPF_REPLAY_MAX};
	struct ebpf_program *p = open_program(true);
	uint8_t *frame = calloc(1, EBPF_REPLAY_MAX + 1);
	uint32_t action;

	assert_non_null(frame);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		assert_int_equal(action_of(p, frame, lens[i]), XDP_DROP);
	assert_int_equal(run(p, frame, EBPF_REPLAY_MIN - 1, &action), -EMSGSIZE);
	assert_int_equal(run(p, frame, EBPF_REPLAY_MAX + 1, &action), -EMSGSIZE);
	free(frame);
	ebpf_program_close(p);
}

static uint32_t flow_of_last(struct ebpf_program *p)
{
	uint32_t flow = 0;

	while (ebpf_samples_take(ebpf_program_samples(p), remember_flow, &flow))
		;
	return flow;
}

/* Packets share a word with bytes: what does not fit there goes to another. */
static void a_flow_counts_beyond_a_million_packets(void **)
{
	struct ebpf_program *p = open_program(true);
	struct ebpf_verdict v = {.slot = 1};
	struct dp_five_tuple tuple = {.sport = 5000, .dport = 443, .l4_proto = IPPROTO_UDP};
	const uint64_t n = EBPF_KEPT_BYTE - 2, bytes = UINT64_C(3000000000000);
	struct ebpf_flow flow;
	struct dp_err err;
	struct frame f;

	assert_int_equal(dp_addr_parse("10.0.0.7", &tuple.src), 0);
	assert_int_equal(dp_addr_parse("203.0.113.9", &tuple.dst), 0);
	frame_put(frame_new(&f), (const uint8_t[72]){0}, 72);
	frame_udp(&f, 5000, 443);
	frame_ipv4(&f, IPPROTO_UDP, "10.0.0.7", "203.0.113.9");
	frame_ethernet(&f, 0x0800);
	(void)action_of(p, frame_bytes(&f), frame_len(&f));
	v.key = ebpf_key_of(&tuple);
	v.flow = flow_of_last(p);
	assert_int_equal(ebpf_program_ask(p, EBPF_ASK_DECIDE, &v), 0);
	assert_int_equal(ebpf_program_flow(p, &v.key, &flow, &err), 0);
	flow.kept[EBPF_UP] = bytes * EBPF_KEPT_BYTE + n;
	assert_int_equal(
		bpf_map_update_elem(ebpf_program_flows_fd(p), &v.key, &flow, BPF_EXIST), 0);
	for (int i = 0; i < 4; i++)
		(void)action_of(p, frame_bytes(&f), frame_len(&f));
	assert_int_equal(ebpf_program_ask(p, EBPF_ASK_LOOK, &v), 0);
	assert_int_equal(v.counts.packets[EBPF_UP], n + 4);
	assert_int_equal(v.counts.bytes[EBPF_UP], bytes + 400);
	assert_int_equal(v.counts.packets[EBPF_DOWN], 0);
	// The next flow of the tuple has none of that.
	assert_int_equal(
		run_at(p, 400000000000, frame_bytes(&f), frame_len(&f), &(uint32_t){0}), 0);
	v.flow = flow_of_last(p);
	assert_int_equal(ebpf_program_ask(p, EBPF_ASK_DECIDE, &v), 0);
	assert_int_equal(
		run_at(p, 400000000000, frame_bytes(&f), frame_len(&f), &(uint32_t){0}), 0);
	assert_int_equal(ebpf_program_ask(p, EBPF_ASK_LOOK, &v), 0);
	assert_int_equal(v.counts.packets[EBPF_UP], 1);
	assert_int_equal(v.counts.bytes[EBPF_UP], 100);
	ebpf_program_close(p);
}

/* One of each tunnel, and the inside of each cut off. */
static uint64_t run_shapes(struct ebpf_program *p, struct dp_encap_counters *counters,
	uint64_t outcomes[DP_OUTCOME_COUNT])
{
	uint64_t n_bytes = 0;

	for (size_t i = 0; i < n_tunnel_shapes; i++) {
		const bool is_v6 = (tunnel_shapes[i].around & TUNNEL_AROUND_V4) == 0;
		struct dp_walk w;
		struct frame f;

		tunnel_build(&tunnel_shapes[i], &f, 0, is_v6);
		frame_ethernet(&f, frame_bytes(&f)[0] >> 4 == 6 ? 0x86dd : 0x0800);
		for (uint32_t len = frame_len(&f); len >= frame_len(&f) - 30; len -= 30) {
			(void)action_of(p, frame_bytes(&f), len);
			outcomes[dp_walk(frame_bytes(&f), len, len, DP_LINK_ETHERNET, &w)]++;
			dp_walk_count(&w, counters);
			n_bytes += len;
		}
	}
	return n_bytes;
}

struct user_space {
	struct ebpf_program *program;
	struct dp_encap_counters counters;
	uint64_t n_frames, n_bytes, outcomes[DP_OUTCOME_COUNT];
};

/* The flow has a verdict: more of it is kept. */
static void decide(
	struct ebpf_program *p, const struct dp_walk *w, const struct ebpf_sample *sample)
{
	struct ebpf_verdict v = {.flow = sample->flow, .slot = 1};
	struct dp_pkt pkt;

	dp_packet_of(w, &nets, sample->wire_len, &pkt);
	v.key = ebpf_key_of(&pkt.tuple);
	assert_int_equal(ebpf_program_ask(p, EBPF_ASK_DECIDE, &v), 0);
}

static void got(void *ctx, const struct ebpf_sample *sample, const uint8_t *frame)
{
	struct user_space *u = ctx;
	struct dp_walk w;
	const enum dp_outcome outcome = dp_walk(
		frame, sample->cap_len, sample->wire_len, (enum dp_link)sample->link, &w);

	u->outcomes[outcome]++;
	dp_walk_count(&w, &u->counters);
	u->n_frames++;
	u->n_bytes += sample->wire_len;
	if (outcome == DP_OUTCOME_ACCOUNTED && sample->flow != 0)
		decide(u->program, &w, sample);
}

static void each_frame_counts_in_the_kernel_or_in_user_space(void **)
{
	struct ebpf_program *p = open_program(true);
	struct user_space all = {0}, up = {.program = p};
	struct ebpf_ledger l;
	struct dp_err err;

	for (int i = 0; i < 2; i++) {
		all.n_bytes += run_shapes(p, &all.counters, all.outcomes);
		while (ebpf_samples_take(ebpf_program_samples(p), got, &up))
			;
	}
	assert_int_equal(ebpf_program_ledger(p, &l, &err), 0);
	assert_int_equal(l.handed, up.n_frames);
	assert_int_equal(l.wire_bytes + up.n_bytes, all.n_bytes);
	for (int i = 0; i < EBPF_OUTCOMES; i++)
		assert_int_equal(l.frames[i] + (i < DP_OUTCOME_COUNT ? up.outcomes[i] : 0),
			i < DP_OUTCOME_COUNT ? all.outcomes[i] : 0);
	for (int i = 0; i < DP_ENCAP_COUNT; i++) {
		assert_int_equal(l.opened[i] + dp_counter_get(&up.counters.opened[i]),
			dp_counter_get(&all.counters.opened[i]));
		for (int j = 0; j < DP_REFUSAL_COUNT; j++)
			assert_int_equal(
				l.refused[i][j] + dp_counter_get(&up.counters.refused[i][j]),
				dp_counter_get(&all.counters.refused[i][j]));
	}
	assert_true(up.n_frames > n_tunnel_shapes);
	assert_true(l.received > up.n_frames);
	ebpf_program_close(p);
}

/* The first bytes are enough for most frames; behind many headers the others are fetched. */
static void a_frame_whose_headers_are_long_is_walked_again(void **)
{
	struct ebpf_program *p = open_program(true);
	struct ebpf_ledger ledger;
	uint8_t payload[1000] = {0};
	struct dp_err err;
	struct frame f;

	frame_put(frame_new(&f), payload, sizeof(payload));
	frame_udp(&f, 50000, 443);
	frame_ipv4(&f, IPPROTO_UDP, "10.0.0.7", "203.0.113.9");
	frame_ethernet(&f, 0x0800);
	(void)action_of(p, frame_bytes(&f), frame_len(&f));
	assert_int_equal(ebpf_program_ledger(p, &ledger, &err), 0);
	assert_int_equal(ledger.walked_again, 0);

	frame_put(frame_new(&f), payload, sizeof(payload));
	frame_udp(&f, 50000, 443);
	for (int i = 0; i < 5; i++)
		frame_ipv6(&f, i == 0 ? IPPROTO_UDP : IPPROTO_IPV6, "fd00::5", "2001:db8::9");
	frame_ethernet(&f, 0x86dd);
	(void)action_of(p, frame_bytes(&f), frame_len(&f));
	assert_int_equal(ebpf_program_ledger(p, &ledger, &err), 0);
	assert_int_equal(ledger.walked_again, 1);
	assert_int_equal(ledger.handed, 2);
	ebpf_program_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tap_ends_every_frame_and_a_host_gets_every_one),
		cmocka_unit_test(a_flow_counts_beyond_a_million_packets),
		cmocka_unit_test(frames_up_to_64_kb_are_taken_and_no_others),
		cmocka_unit_test(each_frame_counts_in_the_kernel_or_in_user_space),
		cmocka_unit_test(a_frame_whose_headers_are_long_is_walked_again),
	};

	ebpf_program_close(open_program(true)); // or skip
	return cmocka_run_group_tests(tests, NULL, NULL);
}
