// SPDX-License-Identifier: BSD-3-Clause
#include "tests/bench/gaps.h"

#include "dataplane/outcome.h"

#include <fcntl.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	GAP_US_MAX = 4096, // that or longer is one more bucket
	ASK_US = 10, // from here on the kernel is asked whether it took the CPU
	PORTS_MAX = 16,
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
} gaps[PORTS_MAX];

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

static uint16_t received(uint16_t port, uint16_t, struct rte_mbuf **, uint16_t n, uint16_t, void *)
{
	struct gaps *g = &gaps[port];

	if (g->tsc != 0)
		count_gap(g, (uint64_t)((double)(rte_rdtsc() - g->tsc) * ns_per_tsc));
	g->tsc = rte_rdtsc(); // what was done here does not count
	return n;
}

bool gaps_watch(void)
{
	uint16_t port;

	ns_per_tsc = 1e9 / (double)rte_get_tsc_hz();
	RTE_ETH_FOREACH_DEV(port)
	{
		if (port >= PORTS_MAX ||
			(gaps[port].stat_fd = open("/proc/stat", O_RDONLY | O_CLOEXEC)) < 0 ||
			rte_eth_add_rx_callback(port, 0, received, NULL) == NULL)
			return false;
	}
	return true;
}

void gaps_print(void)
{
	static uint64_t printed[GAP_US_MAX + 1], switched, stolen;
	uint64_t n_switched = 0, n_stolen = 0, longest_ns = 0;
	const char *comma = "";

	(void)fputs("{\"us\":{", stdout);
	for (int us = 0; us <= GAP_US_MAX; us++) {
		uint64_t n = 0;

		for (int i = 0; i < PORTS_MAX; i++)
			n += dp_counter_get(&gaps[i].n[us]);
		if (n > printed[us]) {
			(void)printf(
				"%s\"%d\":%llu", comma, us, (unsigned long long)(n - printed[us]));
			comma = ",";
		}
		printed[us] = n;
	}
	for (int i = 0; i < PORTS_MAX; i++) {
		n_switched += dp_counter_get(&gaps[i].n_switched);
		n_stolen += dp_counter_get(&gaps[i].n_stolen);
		longest_ns = RTE_MAX(longest_ns, dp_counter_get(&gaps[i].longest_ns));
		atomic_store_explicit(&gaps[i].is_printed, true, memory_order_relaxed);
	}
	(void)printf("},\"longest_ns\":%llu,\"switched\":%llu,\"stolen\":%llu}\n",
		(unsigned long long)longest_ns, (unsigned long long)(n_switched - switched),
		(unsigned long long)(n_stolen - stolen));
	switched = n_switched;
	stolen = n_stolen;
}
