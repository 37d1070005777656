// SPDX-License-Identifier: BSD-3-Clause
#include "tests/bench/gaps.h"

#include "dataplane/outcome.h"

#include <fcntl.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	GAP_US_MAX = 4096, // that or longer is one more bucket
	ASK_US = 10, // from here on the kernel is asked whether it took the CPU
	QUEUES_MAX = 16, // of each port that is watched
	PORTS_MAX = 4,
};

static struct gaps {
	dp_counter n[GAP_US_MAX + 1]; // by whole microseconds
	dp_counter n_switched, n_stolen; // put aside
	dp_counter longest_ns; // since the last print
	_Atomic bool is_printed; // begin a new longest one
	uint64_t tsc; // end of the receive before; 0: none yet
	long n_involuntary;
	unsigned long long steal;
	int stat_fd;
} gaps[PORTS_MAX][QUEUES_MAX];

static double ns_per_tsc;

/* Of all CPUs, in USER_HZ: the thread's own one cannot be told without asking for it, and a machine
 * that is robbed anywhere is no place to measure a maximum. */
static unsigned long long read_steal(int fd)
{
	char text[512];
	const ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	unsigned long long steal = 0;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	(void)sscanf(text, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &steal); // proc(5)
	return steal;
}

/* Did somebody take the CPU since it was asked last? */
static bool was_taken(struct gaps *g)
{
	const unsigned long long steal = read_steal(g->stat_fd);
	struct rusage usage;
	const bool is_stolen = steal != g->steal;
	bool is_switched;

	(void)getrusage(RUSAGE_THREAD, &usage); // cannot fail for ourselves
	is_switched = usage.ru_nivcsw != g->n_involuntary;
	dp_count(&g->n_stolen, is_stolen);
	dp_count(&g->n_switched, is_switched && !is_stolen);
	g->steal = steal;
	g->n_involuntary = usage.ru_nivcsw;
	return is_stolen || is_switched;
}

static void count_gap(struct gaps *g, uint64_t ns)
{
	const uint64_t us = ns / 1000;

	if (us >= ASK_US && was_taken(g))
		return;
	dp_count(&g->n[us < GAP_US_MAX ? us : GAP_US_MAX], 1);
	if (atomic_exchange_explicit(&g->is_printed, false, memory_order_relaxed))
		atomic_store_explicit(&g->longest_ns, 0, memory_order_relaxed);
	if (ns > dp_counter_get(&g->longest_ns))
		atomic_store_explicit(&g->longest_ns, ns, memory_order_relaxed);
}

static uint16_t received(
	uint16_t port, uint16_t queue, struct rte_mbuf **, uint16_t n, uint16_t, void *)
{
	struct gaps *g = &gaps[port][queue];

	if (g->tsc != 0)
		count_gap(g, (uint64_t)((double)(rte_rdtsc() - g->tsc) * ns_per_tsc));
	g->tsc = rte_rdtsc(); // what was done here does not count
	return n;
}

static bool watch(uint16_t port, uint16_t queue)
{
	struct gaps *g = &gaps[port][queue];

	g->stat_fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	return g->stat_fd >= 0 && rte_eth_add_rx_callback(port, queue, received, NULL) != NULL;
}

bool gaps_watch(void)
{
	uint16_t port;

	ns_per_tsc = 1e9 / (double)rte_get_tsc_hz();
	RTE_ETH_FOREACH_DEV(port)
	{
		struct rte_eth_dev_info info;

		if (port >= PORTS_MAX || rte_eth_dev_info_get(port, &info) != 0 ||
			info.nb_rx_queues > QUEUES_MAX)
			return false;
		for (uint16_t queue = 0; queue < info.nb_rx_queues; queue++)
			if (!watch(port, queue))
				return false;
	}
	return true;
}

bool gaps_still(unsigned int seconds)
{
	const uint64_t end = rte_rdtsc() + seconds * rte_get_tsc_hz();
	struct gaps *g = &gaps[0][0];

	ns_per_tsc = 1e9 / (double)rte_get_tsc_hz();
	g->stat_fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	if (g->stat_fd < 0)
		return false;
	while (rte_rdtsc() < end)
		(void)received(0, 0, NULL, 0, 0, NULL);
	return close(g->stat_fd) == 0;
}

static uint64_t sum_of(size_t counter_off)
{
	uint64_t sum = 0;

	for (int i = 0; i < PORTS_MAX * QUEUES_MAX; i++)
		sum += dp_counter_get(
			(const dp_counter *)((const char *)&gaps[0][i] + counter_off));
	return sum;
}

static uint64_t take_longest(void)
{
	uint64_t longest_ns = 0;

	for (int i = 0; i < PORTS_MAX * QUEUES_MAX; i++) {
		longest_ns = RTE_MAX(longest_ns, dp_counter_get(&gaps[0][i].longest_ns));
		atomic_store_explicit(&gaps[0][i].is_printed, true, memory_order_relaxed);
	}
	return longest_ns;
}

void gaps_print(void)
{
	static uint64_t printed[GAP_US_MAX + 1], switched, stolen;
	const uint64_t n_switched = sum_of(offsetof(struct gaps, n_switched));
	const uint64_t n_stolen = sum_of(offsetof(struct gaps, n_stolen));
	const char *comma = "";

	(void)fputs("{\"us\":{", stdout);
	for (int us = 0; us <= GAP_US_MAX; us++) {
		const uint64_t n = sum_of(
			offsetof(struct gaps, n) + (size_t)us * sizeof(dp_counter));

		if (n > printed[us]) {
			(void)printf(
				"%s\"%d\":%llu", comma, us, (unsigned long long)(n - printed[us]));
			comma = ",";
		}
		printed[us] = n;
	}
	(void)printf("},\"longest_ns\":%llu,\"switched\":%llu,\"stolen\":%llu}\n",
		(unsigned long long)take_longest(), (unsigned long long)(n_switched - switched),
		(unsigned long long)(n_stolen - stolen));
	switched = n_switched;
	stolen = n_stolen;
}
