// SPDX-License-Identifier: BSD-3-Clause

/* Steps of a packet's way on their own, each with a known piece of DPDK doing the same in turns.
 *
 *   micro walk PAIRS SECONDS CAPTURE     dp_packet_parse() beside rte_net_get_ptype()
 *   micro lookup PAIRS SECONDS FLOWS     bursts in our flow table beside rte_hash_lookup_bulk_data(),
 *                                        and beside an array of lines whose index is known
 *   micro memory FLOWS                   what a worker holds for each flow and each entry of usage
 *
 * Prints a line of JSON: for each side, nanoseconds of CPU time a packet in each pair; or bytes. One
 * thread. */

#include "dataplane/eal.h"
#include "dataplane/flow.h"
#include "dataplane/hash.h"
#include "dataplane/source.h"
#include "dataplane/worker.h"

#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_mbuf.h>
#include <rte_net.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
	PAIRS_MAX = 100,
	SIDES_MAX = 3,
	FRAMES = 4096, // their headers stay in the second level cache, as those of a burst do
	BURST = 32,
	LOOKUPS = 1 << 22, // distinct places in a random order, so that no cache knows them
};

_Noreturn static void give_up(const char *text)
{
	(void)fprintf(stderr, "micro: %s\n", text);
	exit(1);
}

/* --- in turns --------------------------------------------------------------------------------- */

struct side {
	const char *name;
	uint64_t (*round)(void); // returns packets
};

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts); // cannot fail for this clock
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static double measure(const struct side *side, double seconds)
{
	const uint64_t begin = cpu_ns();
	uint64_t n = 0, now;

	do {
		n += side->round();
		now = cpu_ns();
	} while ((double)(now - begin) < seconds * 1e9);
	return (double)(now - begin) / (double)n;
}

static void in_turns(
	const struct side *sides, unsigned int n_sides, unsigned int n_pairs, double seconds)
{
	static double ns[SIDES_MAX][PAIRS_MAX];

	for (unsigned int s = 0; s < n_sides; s++)
		(void)sides[s].round();
	for (unsigned int i = 0; i < n_pairs; i++)
		for (unsigned int k = 0; k < n_sides; k++) {
			const unsigned int s = (i + k) % n_sides; // each is first as often

			ns[s][i] = measure(&sides[s], seconds);
		}
	for (unsigned int s = 0; s < n_sides; s++) {
		(void)printf("%s\"%s\":[", s == 0 ? "{" : ",", sides[s].name);
		for (unsigned int i = 0; i < n_pairs; i++)
			(void)printf("%s%.3f", i == 0 ? "" : ",", ns[s][i]);
		(void)fputs("]", stdout);
	}
	(void)puts("}");
}

/* --- walk ------------------------------------------------------------------------------------- */

static struct {
	struct rte_mbuf *frames[FRAMES]; // owned
	uint32_t n_frames;
	enum dp_link link;
	struct dp_endpoint_nets nets;
	uint64_t n_packets, n_kinds; // found: nothing may be optimised away
} walk;

static uint64_t walk_ours(void)
{
	for (uint32_t i = 0; i < walk.n_frames; i++) {
		struct rte_mbuf *m = walk.frames[i];
		struct dp_pkt *p = rte_mbuf_to_priv(m);

		walk.n_packets += dp_packet_parse(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len,
					  m->pkt_len, walk.link, &walk.nets,
					  p) == DP_OUTCOME_ACCOUNTED;
	}
	return walk.n_frames;
}

static uint64_t walk_dpdk(void)
{
	for (uint32_t i = 0; i < walk.n_frames; i++) {
		struct rte_net_hdr_lens lens;

		walk.n_kinds += rte_net_get_ptype(walk.frames[i], &lens, RTE_PTYPE_ALL_MASK) != 0;
	}
	return walk.n_frames;
}

static void read_capture(const char *path)
{
	struct rte_mempool *pool = rte_pktmbuf_pool_create("frames", 2 * FRAMES, 0,
		RTE_ALIGN_CEIL(sizeof(struct dp_pkt), RTE_MBUF_PRIV_ALIGN),
		RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	enum dp_poll more = DP_POLL_MORE;
	struct dp_source *s;
	struct dp_err err;

	if (pool == NULL)
		give_up("no memory for frames");
	if (dp_source_file_open(&path, 1, pool, false, &s, &err) < 0)
		give_up(err.text);
	while (more == DP_POLL_MORE && walk.n_frames + DP_BURST <= FRAMES) {
		uint16_t n;

		more = s->ops->poll(s, walk.frames + walk.n_frames, DP_BURST, &n);
		walk.n_frames += n;
	}
	walk.link = s->link;
	if (walk.n_frames == 0)
		give_up("no frame in this capture");
}

static void bench_walk(unsigned int n_pairs, double seconds, const char *path)
{
	static const struct side sides[] = {{"ours", walk_ours}, {"rte_net_get_ptype", walk_dpdk}};

	dp_endpoint_nets_default(&walk.nets);
	read_capture(path);
	in_turns(sides, 2, n_pairs, seconds);
	if (walk.n_packets == 0 || walk.n_kinds == 0)
		give_up("no IP packet in this capture");
}

/* --- look-up ---------------------------------------------------------------------------------- */

/* What an IPv4 flow is known by, as short as it can be. */
struct short_key {
	uint32_t src, dst;
	uint16_t sport, dport;
	uint32_t l4_proto;
};

struct line {
	alignas(64) uint64_t n;
};

static struct {
	uint32_t n_flows;
	struct dp_flow_table table;
	struct rte_hash *hash;
	struct line *lines;
	uint32_t *order; // LOOKUPS flows
	struct dp_five_tuple *tuples; // of those
	struct short_key *keys;
	uint64_t n_missed;
} find;

static struct short_key key_of(uint32_t i)
{
	return (struct short_key){.src = 0x64400000 + i / 8,
		.dst = 0xc6120000 + (i * 2654435761U >> 15),
		.sport = (uint16_t)(1024 + i % 60000),
		.dport = 443,
		.l4_proto = 6};
}

static struct dp_five_tuple tuple_of(uint32_t i)
{
	const struct short_key k = key_of(i);
	const uint32_t src_be = __builtin_bswap32(k.src), dst_be = __builtin_bswap32(k.dst);

	return (struct dp_five_tuple){.src = dp_addr_from_v4((const uint8_t *)&src_be),
		.dst = dp_addr_from_v4((const uint8_t *)&dst_be),
		.sport = k.sport,
		.dport = k.dport,
		.l4_proto = (uint8_t)k.l4_proto};
}

static uint64_t find_ours(void)
{
	struct dp_flow_seek seeks[BURST];

	for (uint32_t i = 0; i < LOOKUPS; i += BURST) {
		for (uint32_t k = 0; k < BURST; k++) {
			dp_flow_seek(&find.tuples[i + k], &seeks[k]);
			dp_flow_fetch(&find.table, &seeks[k]);
		}
		dp_flow_prepare(&find.table, seeks, BURST);
		for (uint32_t k = 0; k < BURST; k++)
			find.n_missed += dp_flow_find(&find.table, &seeks[k]) == DP_FLOW_NONE;
	}
	return LOOKUPS;
}

static uint64_t find_dpdk(void)
{
	for (uint32_t i = 0; i < LOOKUPS; i += BURST) {
		const void *keys[BURST];
		void *data[BURST];
		uint64_t hits = 0;

		for (uint32_t k = 0; k < BURST; k++)
			keys[k] = &find.keys[i + k];
		(void)rte_hash_lookup_bulk_data(find.hash, keys, BURST, &hits, data);
		find.n_missed += BURST - (uint32_t)__builtin_popcountll(hits);
	}
	return LOOKUPS;
}

static uint64_t find_line(void)
{
	for (uint32_t i = 0; i < LOOKUPS; i += BURST) {
		for (uint32_t k = 0; k < BURST; k++)
			__builtin_prefetch(&find.lines[find.order[i + k]], 1);
		for (uint32_t k = 0; k < BURST; k++)
			find.lines[find.order[i + k]].n++;
	}
	return LOOKUPS;
}

static void *must_have(size_t size)
{
	void *p = aligned_alloc(64, RTE_ALIGN_CEIL(size, 64));

	if (p == NULL)
		give_up("no memory for this many flows");
	return p;
}

static void fill_tables(void)
{
	const struct rte_hash_parameters params = {.name = "bench",
		.entries = 2 * find.n_flows, // it takes no more than 98 % before it refuses
		.key_len = sizeof(struct short_key),
		.hash_func = rte_hash_crc,
		.socket_id = SOCKET_ID_ANY};

	find.hash = rte_hash_create(&params);
	if (find.hash == NULL || dp_flow_table_init(&find.table, find.n_flows) < 0)
		give_up("no memory for this many flows");
	dp_flow_table_make_resident(&find.table);
	for (uint32_t i = 0; i < find.n_flows; i++) {
		const struct short_key key = key_of(i);
		const struct dp_five_tuple tuple = tuple_of(i);
		struct dp_flow_seek seek;

		dp_flow_seek(&tuple, &seek);
		if (dp_flow_add(&find.table, &seek, false, DP_FLOW_TCP, 1) == DP_FLOW_NONE ||
			rte_hash_add_key_data(find.hash, &key, (void *)(uintptr_t)(i + 1)) != 0)
			give_up("a table was full too early");
	}
}

static void draw_order(void)
{
	uint64_t state = 1;

	find.order = must_have(LOOKUPS * sizeof(*find.order));
	find.tuples = must_have(LOOKUPS * sizeof(*find.tuples));
	find.keys = must_have(LOOKUPS * sizeof(*find.keys));
	find.lines = must_have(find.n_flows * sizeof(*find.lines));
	memset(find.lines, 0, find.n_flows * sizeof(*find.lines));
	for (uint32_t i = 0; i < LOOKUPS; i++) {
		state = state * 6364136223846793005 + 1442695040888963407; // Knuth, MMIX
		find.order[i] = (uint32_t)((state >> 32) * find.n_flows >> 32);
		find.tuples[i] = tuple_of(find.order[i]);
		find.keys[i] = key_of(find.order[i]);
	}
}

static void bench_lookup(unsigned int n_pairs, double seconds, uint32_t n_flows)
{
	static const struct side sides[] = {{"ours", find_ours},
		{"rte_hash_lookup_bulk_data", find_dpdk}, {"array", find_line}};

	find.n_flows = n_flows;
	dp_hash_key_init();
	fill_tables();
	draw_order();
	in_turns(sides, 3, n_pairs, seconds);
	if (find.n_missed > 0)
		give_up("a flow was not found");
}

/* --- memory ----------------------------------------------------------------------------------- */

static void nothing_to_free(void *)
{
}

static uint64_t resident_bytes(void)
{
	unsigned long long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f == NULL || fscanf(f, "%*u %llu", &pages) != 1)
		give_up("/proc/self/statm does not tell");
	(void)fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Of a live worker, which has all of its memory from the start; in the proportions of dataplane/path.c. */
static uint64_t worker_bytes(uint32_t n_flows, uint32_t n_entries)
{
	static const struct dp_stage_ops ops = {.free = nothing_to_free};
	const struct dp_worker_config config = {.tick_ns = 1000000000,
		.n_flows = n_flows,
		.n_said = n_flows / 128 + 1024,
		.n_entries = n_entries,
		.n_endpoints = n_entries / 2 + 1,
		.n_records = 1024};
	const uint64_t before = resident_bytes();
	struct dp_worker *w;
	struct dp_err err;
	uint64_t bytes;

	if (dp_worker_new(&config, (struct dp_stage){.ops = &ops}, &w, &err) < 0)
		give_up(err.text);
	bytes = resident_bytes() - before;
	dp_worker_free(w);
	return bytes;
}

static void bench_memory(uint32_t n_flows)
{
	enum { FEW = 1 << 16, ENTRIES = 1 << 20 };
	const uint64_t least = worker_bytes(FEW, FEW);
	const uint64_t flows = worker_bytes(n_flows, FEW) - least;
	const uint64_t entries = worker_bytes(FEW, ENTRIES) - least;

	(void)printf("{\"flow\":%.1f,\"entry\":%.1f}\n", (double)flows / (n_flows - FEW),
		(double)entries / (ENTRIES - FEW));
}

/* --- */

static bool is_command(int argc, char **argv, const char *name, int n_args)
{
	return argc == n_args && strcmp(argv[1], name) == 0;
}

int main(int argc, char **argv)
{
	const bool is_walk = is_command(argc, argv, "walk", 5);
	const bool is_lookup = is_command(argc, argv, "lookup", 5);
	const bool is_memory = is_command(argc, argv, "memory", 3);
	const long n_pairs = is_walk || is_lookup ? atol(argv[2]) : 1;
	const double seconds = is_walk || is_lookup ? atof(argv[3]) : 1;
	const long n_flows = is_walk ? 1 << 20 : argc > 2 ? atol(argv[argc - 1]) : 0;
	struct dp_err err;

	if ((!is_walk && !is_lookup && !is_memory) || n_pairs < 1 || n_pairs > PAIRS_MAX ||
		seconds <= 0 || n_flows < 1 << 16 || n_flows > 1 << 28) {
		(void)fputs("usage: micro walk PAIRS SECONDS CAPTURE\n"
			    "       micro lookup PAIRS SECONDS FLOWS\n"
			    "       micro memory FLOWS\n",
			stderr);
		return 2;
	}
	// rte_hash: a slot of 16 bytes of key and 8 of data, and a signature and an index twice.
	const size_t pool_bytes = (64 << 20) + (is_lookup ? 2 * (size_t)n_flows * 64 : 0);

	if (dp_eal_start(&(struct dp_eal_config){.pool_bytes = pool_bytes}, &err) < 0)
		give_up(err.text);
	if (is_walk)
		bench_walk((unsigned int)n_pairs, seconds, argv[4]);
	else if (is_lookup)
		bench_lookup((unsigned int)n_pairs, seconds, (uint32_t)n_flows);
	else
		bench_memory((uint32_t)n_flows);
	dp_eal_stop();
	return 0;
}
