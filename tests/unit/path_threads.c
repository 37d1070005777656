// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/eal.h"
#include "dataplane/receiver.h"
#include "tests/unit/capture.h"
#include "tests/unit/frame.h"

#include <netinet/in.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <sched.h>

/* The packet path with receivers and workers in one thread, in threads of their own, and with a queue
 * for each worker: whatever waits for what, all of it comes to its end. */

enum { N_WORKERS_MAX = 3, LIVE_TICK_NS = 20000000, REPLAY_TICK_NS = 1000000000 };
enum { N_TICKS = 50, N_PER_TICK = 23, N_FRAGMENTS = 600 };
static const uint32_t BEGIN_S = 1772740800;

static struct rte_mempool *pool;
static struct capture replayed, split[2];

/* --- frames ----------------------------------------------------------------------------------- */

/* From client 10.0.0.c. */
static void make_packet(struct frame *f, unsigned int c, uint16_t sport)
{
	char client[INET_ADDRSTRLEN];

	(void)snprintf(client, sizeof(client), "10.0.0.%u", c);
	frame_udp(frame_new(f), sport, 443);
	frame_ipv4(f, IPPROTO_UDP, client, "203.0.113.9");
	frame_ethernet(f, 0x0800);
}

/* The end of a datagram whose beginning never comes: it waits. */
static void make_fragment(struct frame *f, unsigned int id)
{
	uint8_t *ip;

	frame_put(frame_new(f), "the rest", 8);
	ip = frame_ipv4_with(f, IPPROTO_UDP, "10.0.0.7", "203.0.113.9", 185, 0);
	frame_set16(ip + 4, id);
	frame_ethernet(f, 0x0800);
}

static void put_record(struct capture *c, struct frame *f, uint32_t s)
{
	capture_pcap_record(c, s, 0, frame_len(f), frame_bytes(f), frame_len(f));
}

static int make_captures(void)
{
	struct frame f;

	capture_pcap(&replayed, 0xa1b2c3d4, 1);
	for (unsigned int i = 0; i < N_TICKS * N_PER_TICK; i++) {
		make_packet(&f, i % 50, (uint16_t)(1024 + i % 7));
		put_record(&replayed, &f, BEGIN_S + i / N_PER_TICK);
	}
	for (unsigned int i = 0; i < N_FRAGMENTS; i++) {
		make_fragment(&f, i);
		put_record(&replayed, &f, BEGIN_S + N_TICKS - 1);
	}
	for (unsigned int q = 0; q < 2;
		q++) { // flows of the same clients, whole ones in each queue
		capture_pcap(&split[q], 0xa1b2c3d4, 1);
		for (unsigned int i = 0; i < 100 + 50 * q; i++) {
			make_packet(&f, i % 5, (uint16_t)(2000 + q));
			put_record(&split[q], &f, BEGIN_S);
		}
	}
	return capture_file(&replayed) != NULL && capture_file(&split[0]) != NULL &&
			capture_file(&split[1]) != NULL
		? 0
		: -1;
}

static void inject(const char *ring, struct frame *f)
{
	struct rte_ring *r = rte_ring_lookup(ring);
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	assert_non_null(r);
	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, (uint16_t)frame_len(f)), frame_bytes(f), frame_len(f));
	assert_int_equal(rte_ring_enqueue(r, m), 0);
}

static void inject_packets(const char *ring, unsigned int n)
{
	struct frame f;

	for (unsigned int i = 0; i < n; i++) {
		make_packet(&f, i % 50, 1024);
		inject(ring, &f);
	}
}

/* --- the process ------------------------------------------------------------------------------ */

static int start(void **)
{
	static char with_captures[256];
	// A path closes its ports for good: each test has its own.
	static const char *const devices[] = {"net_ring0", "net_ring1", "net_ring2", "net_ring3",
		"net_ring4", "net_ring5", "net_ring6", "net_ring7", "net_ring8", "net_ring9",
		"net_ring10", with_captures, NULL};
	struct dp_err err = {0};

	if (make_captures() < 0)
		return -1;
	(void)snprintf(with_captures, sizeof(with_captures), "net_pcap0,rx_pcap=%s,rx_pcap=%s",
		split[0].path, split[1].path);
	if (dp_eal_start(&(struct dp_eal_config){.n_lcores = 1 + N_WORKERS_MAX,
				 .devices = devices,
				 .pool_bytes = 160 << 20},
		    &err) < 0) {
		print_error("%s\n", err.text);
		return -1;
	}
	pool = rte_pktmbuf_pool_create("wire", 2047, 0,
		RTE_ALIGN_CEIL(sizeof(struct dp_pkt), RTE_MBUF_PRIV_ALIGN), 2048, SOCKET_ID_ANY);
	return pool != NULL ? 0 : -1;
}

static int stop(void **)
{
	rte_mempool_free(pool);
	dp_eal_stop();
	capture_close(&replayed);
	capture_close(&split[0]);
	capture_close(&split[1]);
	return 0;
}

/* --- a stage that knows everything at once ---------------------------------------------------- */

static void stage_look(void *, struct dp_stage_item *item)
{
	item->verdict = (struct dp_verdict){.app = DP_APP_UNKNOWN, .is_final = true};
}

static void stage_finish(void *, struct dp_stage_item *item)
{
	item->verdict = (struct dp_verdict){.app = DP_APP_UNKNOWN, .is_final = true};
}

static void stage_free(void *)
{
}

/* --- the path --------------------------------------------------------------------------------- */

static struct dp_path *open_config(struct dp_path_config config)
{
	static const struct dp_stage_ops ops = {
		.look = stage_look, .finish = stage_finish, .free = stage_free};
	struct dp_stage stages[N_WORKERS_MAX] = {{.ops = &ops}, {.ops = &ops}, {.ops = &ops}};
	struct dp_path *path;
	struct dp_err err = {0};

	config.n_flows = 4096;
	config.stages = stages;
	dp_endpoint_nets_default(&config.nets);
	if (dp_path_open(&config, &path, &err) < 0 || dp_path_start(path, &err) < 0)
		fail_msg("%s", err.text);
	return path;
}

static struct dp_path_config live(
	const struct dp_path_port *ports, size_t n_ports, uint16_t n_workers)
{
	return (struct dp_path_config){.n_workers = n_workers,
		.tick_ns = LIVE_TICK_NS,
		.ports = ports,
		.n_ports = n_ports};
}

static struct dp_path *open_replay(uint16_t n_workers)
{
	const char *const captures[] = {replayed.path};

	return open_config((struct dp_path_config){.n_workers = n_workers,
		.tick_ns = REPLAY_TICK_NS,
		.captures = captures,
		.n_captures = 1});
}

/* Until the worker has said that everything up to tick is told. Returns the packets of its records. */
static uint64_t take_all(struct dp_path *path, uint16_t worker, uint64_t tick)
{
	struct dp_record r;
	uint64_t n_packets = 0;

	for (;;) {
		if (dp_path_take(path, worker, &r, 1) == 0) {
			(void)sched_yield();
			continue;
		}
		if (r.kind == DP_RECORD_TICK_END && r.tick >= tick)
			return n_packets;
		if (r.kind == DP_RECORD_USAGE)
			n_packets += r.usage.packets[0] + r.usage.packets[1];
	}
}

static void wait_for_frames(const struct dp_path *path, uint64_t n)
{
	struct dp_path_stats s = {0};

	for (; s.frames < n; dp_path_stats(path, &s))
		(void)sched_yield();
	assert_int_equal(s.frames, n);
}

/* Those that a reader has taken and not handed on are not among them. */
static void wait_for_accounted(const struct dp_path *path, uint64_t n)
{
	struct dp_path_stats s = {0};

	for (; s.outcomes[DP_OUTCOME_ACCOUNTED] < n; dp_path_stats(path, &s))
		(void)sched_yield();
	assert_int_equal(s.outcomes[DP_OUTCOME_ACCOUNTED], n);
}

/* Returns the packets that all workers have told of. */
static uint64_t finish(struct dp_path *path, uint16_t n_workers)
{
	const uint64_t tick = dp_path_now_ns(path) / LIVE_TICK_NS + 1;
	uint64_t n = 0;

	dp_path_finish(path, tick);
	for (uint16_t i = 0; i < n_workers; i++)
		n += take_all(path, i, tick);
	return n;
}

/* --- live ------------------------------------------------------------------------------------- */

static void one_worker_receives_from_every_port(void **)
{
	static const struct dp_path_port ports[] = {
		{.device = "net_ring0"}, {.device = "net_gone0"}, {.device = "net_ring1"}};
	const struct dp_path_config config = live(ports, 3, 1);
	struct dp_port_stats stats[3];
	struct dp_worker_stats w;
	struct dp_path *path;

	assert_int_equal(dp_path_lcores(&config), 1);
	inject_packets("ETH_RXTX0_net_ring0", 300);
	inject_packets("ETH_RXTX0_net_ring1", 500);
	path = open_config(config);
	wait_for_frames(path, 800);
	assert_int_equal(finish(path, 1), 800);
	assert_int_equal(dp_path_ports(path, stats, 3), 3);
	assert_int_equal(stats[0].handed_on, 300);
	assert_string_not_equal(stats[1].down, "");
	assert_int_equal(stats[2].handed_on, 500);
	assert_int_equal(stats[2].n_queues, 1);
	dp_path_worker_stats(path, 0, &w);
	assert_int_equal(w.packets, 800);
	assert_true(w.time.busy_ns > 0);
	assert_true(w.time.longest_ns > 0 || w.time.n_disturbed > 0);
	assert_int_equal(stats[0].time.busy_ns, 0); // it has no thread
	dp_path_close(path);
}

/* Ports of one thread mark their ticks one after the other: neither waits for ever, and a port on which
 * nothing comes does not keep the others' ticks open. */
static void ticks_close_while_a_port_is_silent(void **)
{
	static const struct dp_path_port ports[] = {
		{.device = "net_ring2"}, {.device = "net_ring3"}, {.device = "net_ring4"}};
	struct dp_path *path = open_config(live(ports, 3, 1));
	const uint64_t tick = dp_path_now_ns(path) / LIVE_TICK_NS;
	uint64_t n = 0;

	for (unsigned int i = 1; i <= 10; i++) {
		inject_packets("ETH_RXTX0_net_ring3", 400);
		n += take_all(path, 0, tick + i);
	}
	wait_for_frames(path, 4000);
	assert_int_equal(n + finish(path, 1), 4000);
	dp_path_close(path);
}

static void a_port_with_a_thread_of_its_own_leaves_the_rest_to_the_worker(void **)
{
	static const struct dp_path_port ports[] = {
		{.device = "net_ring5", .has_thread = true}, {.device = "net_ring6"}};
	const struct dp_path_config config = live(ports, 2, 1);
	struct dp_port_stats stats[2];
	struct dp_path *path;

	assert_true(dp_path_port_has_thread(&config, 0));
	assert_false(dp_path_port_has_thread(&config, 1));
	assert_int_equal(dp_path_lcores(&config), 2);
	inject_packets("ETH_RXTX0_net_ring5", 300);
	inject_packets("ETH_RXTX0_net_ring6", 500);
	path = open_config(config);
	wait_for_frames(path, 800);
	assert_int_equal(finish(path, 1), 800);
	assert_int_equal(dp_path_ports(path, stats, 2), 2);
	assert_true(stats[0].time.busy_ns > 0);
	assert_int_equal(stats[1].time.busy_ns, 0);
	dp_path_close(path);
}

/* What is let go of at the end is more than the ring between the two takes at once. */
static void a_receiver_that_fills_its_own_worker_s_queue_loses_nothing(void **)
{
	static const struct dp_path_port ports[] = {
		{.device = "net_ring7"}, {.device = "net_ring8"}};
	struct dp_path *path = open_config(live(ports, 2, 1));
	struct dp_path_stats s;
	struct frame f;

	for (unsigned int i = 0; i < N_FRAGMENTS; i++) {
		make_fragment(&f, i);
		inject("ETH_RXTX0_net_ring8", &f);
	}
	wait_for_frames(path, N_FRAGMENTS);
	assert_int_equal(finish(path, 1), N_FRAGMENTS);
	dp_path_stats(path, &s);
	assert_int_equal(s.outcomes[DP_OUTCOME_QUEUE_FULL], 0);
	assert_int_equal(s.outcomes[DP_OUTCOME_ACCOUNTED], N_FRAGMENTS);
	dp_path_close(path);
}

static void queues_that_are_split_have_a_worker_each(void **)
{
	static const struct dp_path_port ports[] = {
		{.device = "net_pcap0", .spread = DP_SPREAD_DEVICE}, {.device = "net_ring9"}};
	const struct dp_path_config config = live(ports, 2, 2);
	struct dp_port_stats stats[2];
	struct dp_worker_stats w[2];
	struct dp_path *path;

	assert_false(dp_path_port_has_thread(&config, 0));
	assert_true(dp_path_port_has_thread(&config, 1));
	assert_int_equal(dp_path_lcores(&config), 3);
	path = open_config(config);
	wait_for_frames(path, 250);
	assert_int_equal(finish(path, 2), 250);
	assert_int_equal(dp_path_ports(path, stats, 2), 2);
	assert_int_equal(stats[0].n_queues, 2);
	assert_int_equal(stats[0].frames, 250);
	assert_int_equal(stats[0].handed_on, 250);
	for (uint16_t i = 0; i < 2; i++)
		dp_path_worker_stats(path, i, &w[i]);
	assert_int_equal(w[0].packets, 100);
	assert_int_equal(w[1].packets, 150);
	assert_int_equal(w[0].flows, 5); // the same clients
	assert_int_equal(w[1].flows, 5);
	dp_path_close(path);
}

static void a_port_that_is_refused_stays_down_and_the_others_work(void **)
{
	static const struct dp_path_port ports[] = {
		{.device = "eth1", .refused = "cannot have eth1: the reason"},
		{.device = "net_ring10"}};
	struct dp_path *path = open_config(live(ports, 2, 1));
	struct dp_port_stats stats[2];

	inject_packets("ETH_RXTX0_net_ring10", 3);
	wait_for_frames(path, 3);
	assert_int_equal(finish(path, 1), 3);
	assert_int_equal(dp_path_ports(path, stats, 2), 2);
	assert_string_equal(stats[0].name, "eth1");
	assert_string_equal(stats[0].down, "cannot have eth1: the reason");
	assert_int_equal(stats[0].n_queues, 0);
	assert_string_equal(stats[1].down, "");
	assert_int_equal(stats[1].frames, 3);
	dp_path_close(path);
}

/* --- replay ----------------------------------------------------------------------------------- */

/* Control takes a record at a time, and only then lets the reader go on. Returns packets. */
static uint64_t drain_slowly(struct dp_path *path, uint16_t n_workers)
{
	uint64_t n_packets = 0, ended[N_WORKERS_MAX] = {0}, n_ends[N_WORKERS_MAX] = {0};

	while (!dp_path_is_drained(path)) {
		uint64_t tick = UINT64_MAX, n_ticks = UINT64_MAX;

		for (uint16_t i = 0; i < n_workers; i++) {
			struct dp_record r;

			(void)sched_yield();
			if (dp_path_take(path, i, &r, 1) == 1) {
				n_packets += r.kind == DP_RECORD_USAGE
					? r.usage.packets[0] + r.usage.packets[1]
					: 0;
				if (r.kind == DP_RECORD_TICK_END) {
					ended[i] = r.tick;
					n_ends[i] = r.end.n_ticks;
				}
			}
			tick = RTE_MIN(tick, ended[i]);
			n_ticks = RTE_MIN(n_ticks, n_ends[i]);
		}
		dp_path_drained(path, tick, n_ticks);
	}
	return n_packets;
}

static void a_capture_ends_however_slow_control_is(void **)
{
	for (uint16_t n_workers = 1; n_workers <= N_WORKERS_MAX; n_workers++) {
		struct dp_path *path = open_replay(n_workers);

		assert_int_equal(drain_slowly(path, n_workers), N_TICKS * N_PER_TICK + N_FRAGMENTS);
		assert_null(dp_path_broken(path));
		dp_path_close(path);
	}
}

/* At its furthest ahead, the reader waits for control, which never comes. */
static void a_reader_that_waits_for_control_can_be_stopped(void **)
{
	for (uint16_t n_workers = 1; n_workers <= 2; n_workers++) {
		struct dp_path *path = open_replay(n_workers);

		// The first mark too many holds it, before the first frame of the next tick.
		wait_for_accounted(path, (DP_TICKS_AHEAD + 1) * N_PER_TICK);
		dp_path_close(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_worker_receives_from_every_port),
		cmocka_unit_test(ticks_close_while_a_port_is_silent),
		cmocka_unit_test(a_port_with_a_thread_of_its_own_leaves_the_rest_to_the_worker),
		cmocka_unit_test(a_receiver_that_fills_its_own_worker_s_queue_loses_nothing),
		cmocka_unit_test(queues_that_are_split_have_a_worker_each),
		cmocka_unit_test(a_port_that_is_refused_stays_down_and_the_others_work),
		cmocka_unit_test(a_capture_ends_however_slow_control_is),
		cmocka_unit_test(a_reader_that_waits_for_control_can_be_stopped),
	};

	return cmocka_run_group_tests_name("path_threads", tests, start, stop);
}
