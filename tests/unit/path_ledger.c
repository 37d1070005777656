// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/eal.h"
#include "tests/unit/frame.h"

#include <netinet/in.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <sched.h>
#include <stdio.h>

/* The whole packet path on its own threads, between two ports whose wire is a ring. */

enum { N_WORKERS = 2, N_PORTS = 3, N_KINDS = 7, N_ROUNDS = 100, TICK_NS = 100000000 };

static struct rte_mempool *pool;

static int start(void **)
{
	static const char *const devices[] = {"net_ring0", "net_ring1", NULL};
	struct dp_err err = {0};

	if (dp_eal_start(&(struct dp_eal_config){.n_lcores = N_PORTS + N_WORKERS,
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

/* --- frames ----------------------------------------------------------------------------------- */

static void put(const char *ring, const uint8_t *bytes, uint32_t n)
{
	struct rte_ring *r = rte_ring_lookup(ring);
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	assert_non_null(r);
	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, (uint16_t)n), bytes, n);
	assert_int_equal(rte_ring_enqueue(r, m), 0);
}

/* One of each kind: two packets up, one down, one of them twice; a fragment that waits in vain; and
 * what is no packet. */
static void put_round(const char *ring, unsigned int round)
{
	struct frame f;
	char client[INET_ADDRSTRLEN];
	uint8_t *ip;

	(void)snprintf(client, sizeof(client), "10.0.%u.7", round);
	frame_udp(frame_new(&f), 50000, 443);
	ip = frame_ipv4(&f, IPPROTO_UDP, client, "203.0.113.9");
	frame_set16(ip + 4, round);
	frame_ethernet(&f, 0x0800);
	put(ring, frame_bytes(&f), frame_len(&f));
	put(ring, frame_bytes(&f), frame_len(&f)); // the mirror's copy, of the same burst mostly

	frame_tcp(frame_new(&f), 443, 50000, 0x10, round);
	frame_ipv4(&f, IPPROTO_TCP, "203.0.113.9", client);
	frame_gtpu(&f, 1, 0);
	frame_udp(&f, 2152, 2152);
	frame_ipv4(&f, IPPROTO_UDP, "192.0.2.1", "192.0.2.2");
	frame_tag(&f, 0x0800, 100);
	frame_ethernet(&f, 0x8100);
	put(ring, frame_bytes(&f), frame_len(&f));
	put(ring, frame_bytes(&f), 14 + 4 + 10); // cut inside its IP header

	frame_put(frame_new(&f), "the rest", 8);
	ip = frame_ipv4_with(&f, IPPROTO_UDP, client, "203.0.113.9", 185, 0); // from byte 1480 on
	frame_set16(ip + 4, round);
	frame_ethernet(&f, 0x0800);
	put(ring, frame_bytes(&f), frame_len(&f));

	frame_ethernet(frame_new(&f), 0x0806);
	put(ring, frame_bytes(&f), frame_len(&f));
	frame_tcp(frame_new(&f), 50001, 443, 0x02, round);
	frame_ipv4(&f, IPPROTO_TCP, client, "203.0.113.9")[0] = 0x41; // shorter than a header
	frame_ethernet(&f, 0x0800);
	put(ring, frame_bytes(&f), frame_len(&f));
}

/* --- the path --------------------------------------------------------------------------------- */

static struct dp_path *open_path(void)
{
	static const struct dp_stage_ops ops = {
		.look = stage_look, .finish = stage_finish, .free = stage_free};
	static const struct dp_path_port ports[N_PORTS] = {
		{.device = "net_ring0"}, {.device = "net_gone0"}, {.device = "net_ring1"}};
	struct dp_stage stages[N_WORKERS] = {{.ops = &ops}, {.ops = &ops}};
	struct dp_path_config config = {.n_workers = N_WORKERS,
		.tick_ns = TICK_NS,
		.n_flows = 4096,
		.ports = ports,
		.n_ports = N_PORTS,
		.duplicates = DP_DUPLICATES_DROP,
		.duplicate_window_ns = 2000000,
		.stages = stages};
	struct dp_path *path;
	struct dp_err err = {0};

	dp_endpoint_nets_default(&config.nets);
	if (dp_path_open(&config, &path, &err) < 0)
		fail_msg("%s", err.text);
	return path;
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

static uint64_t sum(const uint64_t outcomes[DP_OUTCOME_COUNT])
{
	uint64_t n = 0;

	for (int i = 0; i < DP_OUTCOME_COUNT; i++)
		n += outcomes[i];
	return n;
}

/* Until each of n frames is held or has its outcome. */
static void wait_for_frames(const struct dp_path *path, uint64_t n)
{
	struct dp_path_stats s = {0};

	for (; s.frames < n || s.datagrams.held + sum(s.outcomes) != n; dp_path_stats(path, &s))
		(void)sched_yield();
}

/* Each port by itself. Returns what it handed on. */
static uint64_t assert_port(const struct dp_port_stats *p)
{
	assert_string_equal(p->down, "");
	assert_int_equal(p->frames, N_ROUNDS * N_KINDS);
	assert_int_equal(p->frames, p->handed_on + p->datagrams.held + sum(p->outcomes));
	assert_int_equal(p->outcomes[DP_OUTCOME_NOT_IP], N_ROUNDS);
	assert_int_equal(p->outcomes[DP_OUTCOME_TRUNCATED], N_ROUNDS);
	assert_int_equal(p->outcomes[DP_OUTCOME_MALFORMED], N_ROUNDS);
	assert_int_equal(p->packets, 4 * N_ROUNDS);
	assert_int_equal(p->up_packets, 3 * N_ROUNDS);
	assert_int_equal(p->ip_bytes, (28 + 28 + 40 + 28) * N_ROUNDS);
	assert_int_equal(p->datagrams.fragments, N_ROUNDS);
	assert_int_equal(p->datagrams.expired, N_ROUNDS);
	assert_int_equal(p->datagrams.held, 0); // the port has ended
	return p->handed_on;
}

static void assert_ledger(const struct dp_path *path, uint64_t n_reported)
{
	struct dp_port_stats ports[N_PORTS];
	struct dp_worker_stats w[N_WORKERS];
	struct dp_path_stats s;
	uint64_t handed_on, of_workers = 0, n_packets = 0;

	assert_int_equal(dp_path_ports(path, ports, N_PORTS), N_PORTS);
	assert_string_not_equal(ports[1].down, "");
	assert_int_equal(ports[1].frames + ports[1].handed_on, 0);
	handed_on = assert_port(&ports[0]) + assert_port(&ports[2]);
	for (uint16_t i = 0; i < N_WORKERS; i++) {
		dp_path_worker_stats(path, i, &w[i]);
		assert_true(sum(w[i].outcomes) > 0);
		of_workers += sum(w[i].outcomes);
		n_packets += w[i].packets;
	}
	dp_path_stats(path, &s);
	assert_int_equal(handed_on, 2 * 4 * N_ROUNDS);
	assert_int_equal(handed_on, of_workers);
	assert_int_equal(s.frames, s.datagrams.held + sum(s.outcomes));
	assert_int_equal(n_packets, s.outcomes[DP_OUTCOME_ACCOUNTED]);
	assert_int_equal(n_packets, n_reported);
	assert_int_equal(s.copies_looked, 2 * 3 * N_ROUNDS); // the fragments' bytes are gone
	assert_int_equal(s.copies_seen, s.outcomes[DP_OUTCOME_DUPLICATE]);
	assert_in_range(s.copies_seen, 1, 4 * N_ROUNDS); // ports and bursts may be far apart
	assert_int_equal(s.copies_forgotten, 0);
	assert_int_equal(s.encaps.opened[DP_ENCAP_GTPU], 2 * N_ROUNDS);
	assert_int_equal(s.encaps.opened[DP_ENCAP_VLAN], 2 * N_ROUNDS);
}

static void every_frame_of_every_port_ends_in_one_outcome(void **)
{
	struct dp_path *path = open_path();
	struct dp_err err = {0};
	uint64_t tick, n_reported = 0;

	for (unsigned int i = 0; i < N_ROUNDS; i++) {
		put_round("ETH_RXTX0_net_ring0", i);
		put_round("ETH_RXTX0_net_ring1", i);
	}
	if (dp_path_start(path, &err) < 0)
		fail_msg("%s", err.text);
	wait_for_frames(path, 2 * N_ROUNDS * N_KINDS);
	tick = dp_path_now_ns(path) / TICK_NS + 1;
	dp_path_finish(path, tick);
	for (uint16_t i = 0; i < N_WORKERS; i++)
		n_reported += take_all(path, i, tick);
	assert_ledger(path, n_reported);
	dp_path_close(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_frame_of_every_port_ends_in_one_outcome),
	};

	return cmocka_run_group_tests_name("path_ledger", tests, start, stop);
}
