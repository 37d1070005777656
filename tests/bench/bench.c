// SPDX-License-Identifier: BSD-3-Clause

/* What a packet costs, step by step, with a known piece of DPDK doing the same beside it.
 *
 *   bench [--seconds S] CAPTURE...
 *
 * The captures are read into mbufs first, so no disk and no kernel is in the figures. Each step runs
 * again and again for S seconds (1 by default); printed are the fastest round and the median. One
 * thread; figures of a machine that does something else meanwhile mean little. */

#include "classifier/ndpi.h"
#include "dataplane/eal.h"
#include "dataplane/ring.h"
#include "dataplane/source.h"
#include "dataplane/worker.h"

#include <rte_cycles.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_mbuf.h>
#include <rte_net.h>
#include <rte_ring.h>
#include <rte_version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FRAMES_MAX = 65536,
	FLOWS = 100000,
	LOOKUPS = 1 << 20,
	ROUNDS_MAX = 1000,
	CHUNK = 2048, // packets put into the worker's ring between two timed stretches
	QUEUE_LEN = 4096,
};

static struct {
	struct rte_mempool *pool;
	struct rte_mbuf *frames[FRAMES_MAX]; // owned, with a parsed struct dp_pkt
	enum dp_link link[FRAMES_MAX];
	uint32_t n_frames; // read
	uint32_t n_packets; // of them accounted: they stand first
	struct dp_endpoint_nets nets;
	double seconds;
} bench;

_Noreturn static void give_up(const struct dp_err *err)
{
	fprintf(stderr, "bench: %s\n", err->text);
	exit(1);
}

/* --- measuring -------------------------------------------------------------------------------- */

struct rounds {
	uint64_t tsc[ROUNDS_MAX];
	unsigned int n;
	uint64_t begin;
};

static bool go_on(struct rounds *r)
{
	if (r->n == 0)
		r->begin = rte_rdtsc();
	return r->n < 3 ||
		(r->n < ROUNDS_MAX &&
			(double)(rte_rdtsc() - r->begin) <
				bench.seconds * (double)rte_get_tsc_hz());
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void print(const char *what, struct rounds *r, uint64_t n_each)
{
	const double ns = 1e9 / (double)rte_get_tsc_hz() / (double)n_each;

	qsort(r->tsc, r->n, sizeof(r->tsc[0]), by_size);
	const uint64_t median = r->n / 2;

	printf("%-34s %9.1f %9.1f %9.1f %8llu %7u\n", what, (double)r->tsc[0] * ns,
		(double)r->tsc[median] * ns, (double)r->tsc[0] / (double)n_each,
		(unsigned long long)n_each, r->n);
}

/* --- frames ----------------------------------------------------------------------------------- */

static void keep(struct rte_mbuf *m, enum dp_link link)
{
	struct dp_pkt *p = rte_mbuf_to_priv(m);
	const uint32_t i = bench.n_frames++;

	bench.frames[i] = m;
	bench.link[i] = link;
	if (dp_packet_parse(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, p->wire_bytes, link,
		    &bench.nets, p) != DP_OUTCOME_ACCOUNTED)
		return;
	p->hash = dp_endpoint_hash(&p->endpoint);
	bench.frames[i] = bench.frames[bench.n_packets];
	bench.link[i] = bench.link[bench.n_packets];
	bench.frames[bench.n_packets] = m;
	bench.link[bench.n_packets++] = link;
}

static void read_captures(const char *const *paths, size_t n_paths)
{
	struct dp_source *s;
	struct dp_err err;
	enum dp_poll r = DP_POLL_MORE;

	if (dp_source_file_open(paths, n_paths, bench.pool, false, &s, &err) < 0)
		give_up(&err);
	while (r == DP_POLL_MORE && bench.n_frames < FRAMES_MAX) {
		struct rte_mbuf *mbufs[DP_BURST];
		const uint32_t room = FRAMES_MAX - bench.n_frames;
		uint16_t n;

		r = s->ops->poll(s, mbufs, (uint16_t)(room < DP_BURST ? room : DP_BURST), &n);
		for (uint16_t i = 0; i < n; i++)
			keep(mbufs[i], s->link);
	}
	dp_source_close(s);
}

/* --- parsing ---------------------------------------------------------------------------------- */

static void parse_ours(void)
{
	struct rounds r = {0};
	uint64_t sum = 0;

	while (go_on(&r)) {
		const uint64_t begin = rte_rdtsc();

		for (uint32_t i = 0; i < bench.n_frames; i++) {
			struct rte_mbuf *m = bench.frames[i];
			struct dp_pkt p = {0};

			(void)dp_packet_parse(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len,
				m->pkt_len, bench.link[i], &bench.nets, &p);
			sum += p.ip_bytes;
		}
		r.tsc[r.n++] = rte_rdtsc() - begin;
	}
	if (sum == 0)
		fputs("bench: no IP packet in these captures\n", stderr);
	print("parse: dp_packet_parse", &r, bench.n_frames);
}

static void parse_dpdk(void)
{
	struct rounds r = {0};
	uint32_t kinds = 0;

	while (go_on(&r)) {
		const uint64_t begin = rte_rdtsc();

		for (uint32_t i = 0; i < bench.n_frames; i++) {
			struct rte_net_hdr_lens lens;

			kinds |= rte_net_get_ptype(bench.frames[i], &lens, RTE_PTYPE_ALL_MASK);
		}
		r.tsc[r.n++] = rte_rdtsc() - begin;
	}
	if (kinds == 0)
		fputs("bench: rte_net_get_ptype knew no frame\n", stderr);
	print("  beside it rte_net_get_ptype", &r, bench.n_frames);
}

/* --- flow look-up ----------------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223; // Numerical Recipes
	return *state >> 4;
}

static struct dp_five_tuple tuple_of(uint32_t i)
{
	const uint8_t src[4] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
	const uint8_t dst[4] = {203, 0, 113, (uint8_t)(i * 7)};

	return (struct dp_five_tuple){.src = dp_addr_from_v4(src),
		.dst = dp_addr_from_v4(dst),
		.sport = (uint16_t)(32768 + i % 28000),
		.dport = 443,
		.l4_proto = 6};
}

/* LOOKUPS of FLOWS flows in random order, the same for both; owned by the caller. */
static struct dp_five_tuple *make_lookups(void)
{
	struct dp_five_tuple *keys = calloc(LOOKUPS, sizeof(*keys));
	uint32_t seed = 1;

	if (keys == NULL)
		give_up(&(struct dp_err){"no memory for the look-ups"});
	for (uint32_t i = 0; i < LOOKUPS; i++)
		keys[i] = tuple_of(next_random(&seed) % FLOWS);
	return keys;
}

static void find_ours(const struct dp_five_tuple *keys)
{
	struct rounds r = {0};
	struct dp_flow_table t;
	struct dp_flow_seek seek;
	uint64_t n_found = 0;

	if (dp_flow_table_init(&t, FLOWS) < 0)
		give_up(&(struct dp_err){"no memory for the flow table"});
	for (uint32_t i = 0; i < FLOWS; i++) {
		const struct dp_five_tuple k = tuple_of(i);

		dp_flow_seek(&k, &seek);
		(void)dp_flow_add(&t, &seek, seek.is_swapped, DP_FLOW_TCP, 1);
	}
	while (go_on(&r)) {
		const uint64_t begin = rte_rdtsc();

		for (uint32_t i = 0; i < LOOKUPS; i += DP_BURST) {
			struct dp_flow_seek seeks[DP_BURST];

			for (uint32_t j = 0; j < DP_BURST; j++)
				dp_flow_seek(&keys[i + j], &seeks[j]);
			dp_flow_prepare(&t, seeks, DP_BURST);
			for (uint32_t j = 0; j < DP_BURST; j++)
				n_found += dp_flow_find(&t, &seeks[j]) != DP_FLOW_NONE;
		}
		r.tsc[r.n++] = rte_rdtsc() - begin;
	}
	if (n_found != (uint64_t)r.n * LOOKUPS)
		give_up(&(struct dp_err){"a flow was not found"});
	print("flow: seek, prepare and find", &r, LOOKUPS);
	dp_flow_table_fini(&t);
}

static void find_dpdk(const struct dp_five_tuple *keys)
{
	const struct rte_hash_parameters params = {.name = "bench",
		.entries = 2 * FLOWS,
		.key_len = sizeof(struct dp_five_tuple),
		.hash_func = rte_hash_crc,
		.socket_id = SOCKET_ID_ANY};
	struct rte_hash *h = rte_hash_create(&params);
	struct rounds r = {0};
	uint64_t n_found = 0;

	if (h == NULL)
		give_up(&(struct dp_err){"no memory for rte_hash"});
	for (uint32_t i = 0; i < FLOWS; i++) {
		const struct dp_five_tuple k = tuple_of(i);

		(void)rte_hash_add_key(h, &k);
	}
	while (go_on(&r)) {
		const uint64_t begin = rte_rdtsc();

		for (uint32_t i = 0; i < LOOKUPS; i++)
			n_found += rte_hash_lookup(h, &keys[i]) >= 0;
		r.tsc[r.n++] = rte_rdtsc() - begin;
	}
	if (n_found != (uint64_t)r.n * LOOKUPS)
		give_up(&(struct dp_err){"rte_hash did not find a flow"});
	print("  beside it rte_hash_lookup", &r, LOOKUPS);
	rte_hash_free(h);
}

/* --- worker ----------------------------------------------------------------------------------- */

static void null_burst(void *, struct dp_stage_item *items, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		items[i].verdict = (struct dp_verdict){.app = DP_APP_UNKNOWN, .is_final = true};
}

static void null_finish(void *, struct dp_stage_item *item)
{
	item->verdict = (struct dp_verdict){.app = DP_APP_UNKNOWN, .is_final = true};
}

static void null_free(void *)
{
}

static struct dp_stage null_stage(void)
{
	static const struct dp_stage_ops ops = {
		.burst = null_burst, .finish = null_finish, .free = null_free};

	return (struct dp_stage){.ops = &ops};
}

/* The packets from first on as far as CHUNK goes, with the marks that belong between them. Returns
 * the packet behind the last one. */
static uint32_t fill_queue(struct rte_ring *queue, uint32_t first, uint64_t *tick)
{
	uint32_t i = first;

	for (; i < bench.n_packets && i - first < CHUNK; i++) {
		const struct dp_pkt *p = rte_mbuf_to_priv(bench.frames[i]);
		const uint64_t t = p->time_ns / 1000000000;

		if (t > *tick && *tick > 0)
			(void)rte_ring_sp_enqueue(queue, dp_mark_make(t - 1));
		*tick = t;
		rte_mbuf_refcnt_update(bench.frames[i], 1); // the worker frees its one
		(void)rte_ring_sp_enqueue(queue, bench.frames[i]);
	}
	return i;
}

static void drop_records(struct dp_ring *ring)
{
	struct dp_record records[64];

	while (dp_ring_take(ring, records, 64) > 0)
		;
}

/* All packets once through a new worker: TSC cycles its polls took. */
static uint64_t run_worker(
	struct rte_ring *queue, struct dp_stage stage, enum dp_duplicates_mode duplicates)
{
	const struct dp_worker_config config = {.tick_ns = 1000000000,
		.n_flows = FLOWS,
		.n_said = 4096,
		.n_entries = 2 * FLOWS,
		.n_endpoints = FLOWS,
		.duplicates = duplicates,
		.duplicate_window_ns = 2000000,
		.n_records = 65536};
	struct dp_worker *w;
	struct dp_err err;
	uint64_t tsc = 0, tick = 0;

	if (dp_worker_new(&config, stage, &w, &err) < 0)
		give_up(&err);
	dp_worker_add_input(w, queue);
	for (uint32_t i = 0; i < bench.n_packets;) {
		uint64_t begin;

		i = fill_queue(queue, i, &tick);
		begin = rte_rdtsc();
		while (dp_worker_poll(w))
			;
		tsc += rte_rdtsc() - begin;
		drop_records(dp_worker_ring(w));
	}
	dp_worker_free(w);
	return tsc;
}

static void worker(
	const char *what, const struct cls_catalogue *catalogue, enum dp_duplicates_mode duplicates)
{
	struct rte_ring *queue = rte_ring_create(
		"queue", QUEUE_LEN, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	struct rounds r = {0};
	struct dp_err err;

	if (queue == NULL)
		give_up(&(struct dp_err){"no memory for the queue"});
	while (go_on(&r)) {
		struct dp_stage stage = null_stage();

		if (catalogue != NULL && cls_stage_new(catalogue, &stage, &err) < 0)
			give_up(&err);
		r.tsc[r.n++] = run_worker(queue, stage, duplicates);
	}
	print(what, &r, bench.n_packets);
	rte_ring_free(queue);
}

/* --- */

static void print_machine(void)
{
	char line[256], *model = NULL;
	FILE *f = fopen("/proc/cpuinfo", "re");

	while (f != NULL && model == NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "model name", 10) == 0)
			model = strchr(line, ':');
	}
	if (f != NULL)
		(void)fclose(f);
	printf("machine   %s", model != NULL ? model + 2 : "unknown\n");
	printf("tsc       %.3f GHz\n", (double)rte_get_tsc_hz() / 1e9);
	printf("compiler  %s\n", __VERSION__);
	printf("libraries %s, nDPI %s\n", rte_version(), cls_ndpi_version());
	printf("packets   %u frames, %u of them IP packets\n\n", bench.n_frames, bench.n_packets);
	printf("%-34s %9s %9s %9s %8s %7s\n", "", "best ns", "median ns", "cycles", "each of",
		"rounds");
}

int main(int argc, char **argv)
{
	static const char *const no_tags[] = {""};
	struct cls_catalogue *catalogue;
	struct dp_err err;
	int first = 1;

	bench.seconds = 1;
	if (argc > 2 && strcmp(argv[1], "--seconds") == 0) {
		bench.seconds = atof(argv[2]);
		first = 3;
	}
	if (first >= argc || bench.seconds <= 0) {
		fputs("usage: bench [--seconds S] CAPTURE...\n", stderr);
		return 2;
	}
	if (dp_eal_start(&(struct dp_eal_config){.pool_bytes = 320 << 20}, &err) < 0)
		give_up(&err);
	dp_endpoint_nets_default(&bench.nets);
	bench.pool = rte_pktmbuf_pool_create("frames", FRAMES_MAX + DP_BURST, 0,
		RTE_ALIGN_CEIL(sizeof(struct dp_pkt), RTE_MBUF_PRIV_ALIGN),
		RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (bench.pool == NULL)
		give_up(&(struct dp_err){"no memory for the frames"});
	read_captures((const char *const *)argv + first, (size_t)(argc - first));
	if (bench.n_packets == 0)
		give_up(&(struct dp_err){"no IP packet in these captures"});
	if (cls_catalogue_new(NULL, 0, no_tags, 1, &catalogue, &err) < 0)
		give_up(&err);

	struct dp_five_tuple *lookups = make_lookups();

	print_machine();
	parse_ours();
	parse_dpdk();
	find_ours(lookups);
	find_dpdk(lookups);
	worker("worker, stage that knows nothing", NULL, DP_DUPLICATES_OFF);
	worker("  watching for copies", NULL, DP_DUPLICATES_WATCH);
	worker("  dropping copies", NULL, DP_DUPLICATES_DROP);
	worker("worker with nDPI", catalogue, DP_DUPLICATES_OFF);
	worker("  dropping copies", catalogue, DP_DUPLICATES_DROP);
	free(lookups);
	cls_catalogue_free(catalogue);
	rte_pktmbuf_free_bulk(bench.frames, bench.n_frames);
	rte_mempool_free(bench.pool);
	dp_eal_stop();
	return 0;
}
