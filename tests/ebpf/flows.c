// SPDX-License-Identifier: BSD-3-Clause

/* Flows in the kernel: whose they are, what goes up, what a verdict moves, and that no byte gets lost. */

#include "ebpf/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/budget.h"
#include "tests/unit/frame.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_FLOWS = 1024, N_SLOTS = 300, RING_BYTES = 1 << 20 };

static struct dp_endpoint_nets nets;
static struct ebpf_program *program;

/* The samples that came up last. */
static struct {
	struct ebpf_sample last;
	uint8_t frame[EBPF_SAMPLE_MAX];
	int n;
} up;

static void open_program(uint32_t n_flows, uint32_t ring_bytes)
{
	const struct ebpf_program_config cfg = {.is_tap = true,
		.is_replay = true,
		.nets = &nets,
		.n_flows = n_flows,
		.n_slots = N_SLOTS,
		.ring_bytes = ring_bytes};
	struct dp_err err = {0};
	int r;

	dp_endpoint_nets_default(&nets);
	r = ebpf_program_open(&cfg, &program, &err);
	if (r == -EPERM) {
		print_message("SKIP: %s\n", err.text);
		exit(77);
	}
	assert_int_equal(r, 0);
}

static int setup(void **)
{
	open_program(N_FLOWS, RING_BYTES);
	return 0;
}

static int teardown(void **)
{
	ebpf_program_close(program);
	program = NULL;
	return 0;
}

static void take(void *, const struct ebpf_sample *sample, const uint8_t *frame)
{
	up.last = *sample;
	memcpy(up.frame, frame, sample->cap_len);
	up.n++;
}

/* Take what came up. Returns how many. */
static int samples(void)
{
	static const struct ebpf_sample_taker taker = {.take = take};
	struct dp_err err;
	int n;

	up.n = 0;
	n = ebpf_program_samples(program, &taker, NULL, &err);
	assert_int_equal(n, up.n);
	return n;
}

static void send_frame(struct frame *f)
{
	const struct dp_capture_record record = {
		.data = frame_bytes(f), .cap_len = frame_len(f), .wire_len = frame_len(f)};
	struct dp_err err;
	uint32_t action;

	assert_int_equal(ebpf_program_replay(program, &record, &action, &err), 0);
}

static void udp(struct frame *f, const char *src, uint16_t sport, const char *dst, uint16_t dport,
	uint32_t payload_len)
{
	static const uint8_t payload[1400];
	const bool is_v6 = strchr(src, ':') != NULL;

	frame_put(frame_new(f), payload, payload_len);
	frame_udp(f, sport, dport);
	if (is_v6)
		frame_ipv6(f, IPPROTO_UDP, src, dst);
	else
		frame_ipv4(f, IPPROTO_UDP, src, dst);
	frame_ethernet(f, is_v6 ? 0x86dd : 0x0800);
}

static void send_udp(
	const char *src, uint16_t sport, const char *dst, uint16_t dport, uint32_t payload_len)
{
	struct frame f;

	udp(&f, src, sport, dst, dport, payload_len);
	send_frame(&f);
}

/* A subscriber's packets; of 128 bytes of IP each. */
static void send_up(void)
{
	send_udp("10.0.0.7", 50000, "203.0.113.9", 443, 100);
}

static void send_down(void)
{
	send_udp("203.0.113.9", 443, "10.0.0.7", 50000, 100);
}

static struct ebpf_flow flow_now(void)
{
	struct ebpf_flow f;
	struct dp_err err;

	assert_int_equal(ebpf_program_flow(program, &up.last.key, &f, &err), 0);
	return f;
}

static void decide(uint32_t slot, uint32_t flags)
{
	const struct ebpf_verdict v = {.key = up.last.key, .slot = slot, .flags = flags};
	struct dp_err err;

	assert_int_equal(ebpf_program_decide(program, &v, &err), 0);
}

static struct ebpf_slot slot_now(uint32_t slot)
{
	struct ebpf_slot s;
	struct dp_err err;

	assert_int_equal(ebpf_program_slot(program, slot, &s, &err), 0);
	return s;
}

static struct ebpf_ledger ledger_now(void)
{
	struct ebpf_ledger l;
	struct dp_err err;

	assert_int_equal(ebpf_program_ledger(program, &l, &err), 0);
	return l;
}

static void assert_counts(
	const uint64_t packets[2], const uint64_t bytes[2], uint64_t n_up, uint64_t n_down)
{
	assert_int_equal(packets[EBPF_UP], n_up);
	assert_int_equal(packets[EBPF_DOWN], n_down);
	assert_int_equal(bytes[EBPF_UP], 128 * n_up);
	assert_int_equal(bytes[EBPF_DOWN], 128 * n_down);
}

/* --- whose ----------------------------------------------------------------------------------- */

static void both_directions_are_one_flow(void **)
{
	send_down();
	send_up();
	send_up();
	assert_int_equal(samples(), 3);

	const struct ebpf_flow f = flow_now();

	assert_counts(f.packets, f.bytes, 2, 1);
	assert_int_equal(ledger_now().flows, 1);
}

static void the_endpoint_is_that_of_user_space(void **)
{
	static const char *const v4[] = {"10.0.0.7", "10.255.255.255", "11.0.0.0", "100.63.255.255",
		"100.64.0.0", "100.127.255.255", "172.15.0.1", "172.16.0.1", "203.0.113.9",
		"9.1.1.1"};
	static const char *const v6[] = {"fd00:1::5", "fc00::", "fbff::1", "fdff:ffff::1",
		"fe00::1", "2001:db8::9", "2001:db8::8", "::1", "2001:db8:0:1::9", "fd00:2::5"};
	enum { N = sizeof(v4) / sizeof(v4[0]) };

	for (int i = 0; i < 2 * N * N; i++) {
		const char *const *texts = i < N * N ? v4 : v6;
		const char *src = texts[i % N], *dst = texts[i / N % N];
		struct dp_addr a, b;

		assert_int_equal(dp_addr_parse(src, &a), 0);
		assert_int_equal(dp_addr_parse(dst, &b), 0);

		const struct dp_endpoint e = dp_endpoint_of(&nets, &a, &b);

		send_udp(src, (uint16_t)(20000 + i), dst, 50000, 100);
		assert_int_equal(samples(), 1);

		const struct ebpf_flow f = flow_now();

		assert_int_equal(f.packets[EBPF_UP], e.is_src);
		assert_int_equal(f.packets[EBPF_DOWN], !e.is_src);
		assert_int_equal((f.flags & EBPF_FLOW_AMBIGUOUS) != 0, e.is_ambiguous);
	}
}

/* --- up to user space ------------------------------------------------------------------------ */

static void what_the_classifier_wants_goes_up_whole(void **)
{
	struct frame f;

	udp(&f, "10.0.0.7", 50000, "203.0.113.9", 443, 1200);
	send_frame(&f);
	assert_int_equal(samples(), 1);
	assert_int_equal(up.last.cap_len, frame_len(&f));
	assert_int_equal(up.last.wire_len, frame_len(&f));
	assert_memory_equal(up.frame, frame_bytes(&f), frame_len(&f));
	assert_int_equal(up.last.n_packets, 1);
	send_udp("10.0.0.7", 50000, "203.0.113.9", 443, 0);
	assert_int_equal(samples(), 0); // it carries nothing
}

static void nothing_goes_up_behind_the_budget(void **)
{
	for (int i = 0; i < 2 * DP_BUDGET_UDP; i++)
		send_up();
	assert_int_equal(samples(), DP_BUDGET_UDP + 1); // the last word's
	assert_int_equal(up.last.n_packets, DP_BUDGET_UDP + 1);
	assert_int_equal(ledger_now().samples[0], DP_BUDGET_UDP + 1);
}

static void a_flow_that_lost_samples_asks_again(void **)
{
	struct ebpf_ledger l;

	ebpf_program_close(program);
	open_program(N_FLOWS, 4096); // room for seven of 512 bytes
	for (int i = 0; i < 10; i++)
		send_up();
	l = ledger_now();
	assert_int_equal(samples(), l.samples[0]);
	assert_int_equal(l.samples[0] + l.samples[1], 10);
	assert_true(l.samples[1] >= 3);
	assert_int_equal(flow_now().n_lost, l.samples[1]);

	uint64_t n = l.samples[0];

	for (int i = 0; i < 2 * DP_BUDGET_UDP; i++) {
		send_up();
		n += (uint64_t)samples();
	}
	assert_int_equal(n, DP_BUDGET_UDP + 1); // as if none had been lost
}

static void fragments_go_up_and_belong_to_no_flow(void **)
{
	const uint8_t payload[64] = {0};
	struct ebpf_ledger l;
	struct frame f;

	frame_put(frame_new(&f), payload, sizeof(payload));
	frame_ipv4_with(&f, IPPROTO_UDP, "10.0.0.7", "203.0.113.9", 0x2010, 0);
	frame_ethernet(&f, 0x0800);
	send_frame(&f);
	assert_int_equal(samples(), 1);
	assert_int_equal(up.last.n_packets, 0);
	assert_memory_equal(up.frame, frame_bytes(&f), frame_len(&f));
	l = ledger_now();
	assert_int_equal(l.fragments, 1);
	assert_int_equal(l.fragment_bytes, 84);
	assert_int_equal(l.flows, 0);
}

/* --- verdicts -------------------------------------------------------------------------------- */

static void a_verdict_takes_along_what_was_counted(void **)
{
	send_up();
	send_down();
	send_down();
	assert_int_equal(samples(), 3);
	decide(7, 0);

	struct ebpf_slot s = slot_now(7);

	assert_counts(s.packets, s.bytes, 1, 2);
	send_up();
	assert_int_equal(samples(), 1); // not final: the classifier goes on
	s = slot_now(7);
	assert_counts(s.packets, s.bytes, 2, 2);
	assert_int_equal(flow_now().bytes[EBPF_UP], 0);
	assert_int_equal(ledger_now().undecided_bytes, 3 * 128);
	assert_int_equal(ledger_now().moved_bytes, 3 * 128);
}

static void a_final_verdict_ends_samples_and_a_watched_flow_has_no_budget(void **)
{
	send_up();
	assert_int_equal(samples(), 1);
	decide(1, EBPF_FLOW_WATCHED);
	for (int i = 0; i < 2 * DP_BUDGET_UDP; i++)
		send_up();
	assert_int_equal(samples(), 2 * DP_BUDGET_UDP);
	decide(EBPF_SLOT_UNDECIDED, EBPF_FLOW_FINAL);
	send_up();
	assert_int_equal(samples(), 0);
	assert_int_equal(slot_now(1).packets[EBPF_UP], 2 * DP_BUDGET_UDP + 2);
}

static void a_verdict_on_a_flow_that_is_gone_says_so(void **)
{
	struct ebpf_verdict v = {.slot = 1};
	struct dp_err err;

	assert_int_equal(ebpf_program_decide(program, &v, &err), -ENOENT);
	send_up();
	assert_int_equal(samples(), 1);
	v.key = up.last.key;
	v.slot = N_SLOTS + 1;
	assert_int_equal(ebpf_program_decide(program, &v, &err), -ENOENT);
	assert_int_equal(flow_now().slot, EBPF_SLOT_UNDECIDED);
}

static void bytes_of_forgotten_flows_are_known(void **)
{
	enum { N_SENT = 4 * 128 };
	uint64_t on_flows = 0;

	ebpf_program_close(program);
	open_program(128, RING_BYTES);
	for (uint16_t i = 0; i < N_SENT; i++)
		send_udp("10.0.0.7", (uint16_t)(20000 + i), "203.0.113.9", 443, 100);
	for (uint16_t i = 0; i < N_SENT; i++) {
		struct ebpf_flow_key key = up.last.key;
		struct ebpf_flow f;
		struct dp_err err;

		if (i == 0) {
			assert_int_equal(samples(), N_SENT);
			key = up.last.key;
		}
		key.port[key.port[0] == 443] = (uint16_t)(20000 + i);
		if (ebpf_program_flow(program, &key, &f, &err) == 0)
			on_flows += f.bytes[EBPF_UP];
	}
	assert_in_range(on_flows, 1, 128 * 128);
	assert_int_equal(ledger_now().undecided_bytes, N_SENT * 128);
	assert_int_equal(ledger_now().moved_bytes, 0);
}

/* --- both at once ---------------------------------------------------------------------------- */

enum { RACE_FLOWS = 500 };

/* Shared with another process, which sends on the flow that is decided next. */
struct race {
	_Atomic uint32_t flow;
	_Atomic uint64_t n_sent;
	_Atomic bool is_over;
};

static void send_race(uint32_t flow)
{
	send_udp("10.0.0.7", (uint16_t)(20000 + flow), "203.0.113.9", 443, 100);
}

static void run_race(struct race *race)
{
	(void)prctl(
		PR_SET_PDEATHSIG, SIGKILL); // where an assertion ends the test before it is over
	while (!race->is_over) {
		send_race(race->flow);
		race->n_sent++;
	}
	_exit(0);
}

/* Decide a flow while packets of it come. */
static void decide_in_race(struct race *race, uint32_t flow)
{
	uint64_t n_before;

	race->flow = flow;
	n_before = race->n_sent; // afterwards: the packet behind the next is this flow's for sure
	while (race->n_sent < n_before + 2)
		(void)sched_yield();
	assert_true(samples() > 0);
	up.last.key.port[up.last.key.port[0] == 443] = (uint16_t)(20000 + flow);
	decide(flow % N_SLOTS + 1, EBPF_FLOW_FINAL);
}

static void no_byte_is_lost_while_verdicts_are_given(void **)
{
	struct race *race = mmap(
		NULL, sizeof(*race), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t packets = 0, bytes = 0;
	int status;
	pid_t pid;

	assert_ptr_not_equal(race, MAP_FAILED);
	ebpf_program_close(program);
	open_program(4 * RACE_FLOWS, RING_BYTES);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run_race(race);
	for (uint32_t i = 0; i < RACE_FLOWS; i++)
		decide_in_race(race, i);
	race->is_over = true;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (uint32_t i = 1; i <= N_SLOTS; i++) {
		packets += slot_now(i).packets[EBPF_UP];
		bytes += slot_now(i).bytes[EBPF_UP];
	}
	assert_int_equal(packets, race->n_sent);
	assert_int_equal(bytes, 128 * race->n_sent);
	assert_int_equal(ledger_now().moved_bytes, ledger_now().undecided_bytes);
	(void)munmap(race, sizeof(*race));
}

int main(void)
{
#define FLOW_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		FLOW_TEST(both_directions_are_one_flow),
		FLOW_TEST(the_endpoint_is_that_of_user_space),
		FLOW_TEST(what_the_classifier_wants_goes_up_whole),
		FLOW_TEST(nothing_goes_up_behind_the_budget),
		FLOW_TEST(a_flow_that_lost_samples_asks_again),
		FLOW_TEST(fragments_go_up_and_belong_to_no_flow),
		FLOW_TEST(a_verdict_takes_along_what_was_counted),
		FLOW_TEST(a_final_verdict_ends_samples_and_a_watched_flow_has_no_budget),
		FLOW_TEST(a_verdict_on_a_flow_that_is_gone_says_so),
		FLOW_TEST(bytes_of_forgotten_flows_are_known),
		FLOW_TEST(no_byte_is_lost_while_verdicts_are_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
