// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The EAL, started once a process with arguments derived from what the machine has.
 *
 * Hugepages when there are enough free ones (--in-memory: no files, no lock), else ordinary memory
 * (--no-huge --no-shconf), which also works without privileges. */

#include "dataplane/err.h"

#include <stdbool.h>
#include <stddef.h>

struct dp_eal_config {
	unsigned int n_lcores; // threads besides the main one
	// One CPU number per lcore as text, [0] is main's; "", or NULL for all of them: chosen.
	const char *const *cpus;
	const char *const *devices; // NULL-terminated: PCI addresses or vdev strings; NULL: none
	const char *const *extra; // NULL-terminated, last on the line; NULL: none
	size_t pool_bytes; // what the packet pools need
};

/* The arguments as one line for `run --dry`; owned by the caller, NULL when memory runs out. */
char *dp_eal_describe(const struct dp_eal_config *config);

/* The number of the CPU that an lcore runs on, 0 is main's. */
enum { DP_EAL_CPU_MAX = 16 };
void dp_eal_cpu(
	const struct dp_eal_config *config, unsigned int lcore, char ret_cpu[DP_EAL_CPU_MAX]);

/* Start. Main thread, once. Returns 0, or -errno with the last thing the EAL said. */
[[nodiscard]] int dp_eal_start(const struct dp_eal_config *config, struct dp_err *reterr);
void dp_eal_stop(void);

/* Why the EAL did not take a virtual device ("net_pcap0"), in its driver's words; "" when nothing was
 * said. A mark is how much has been said so far; said_since gives the first line behind one. Main
 * thread, between start and stop. */
void dp_eal_refusal(const char *name, char *ret_text, size_t size);
size_t dp_eal_mark(void);
void dp_eal_said_since(size_t mark, char *ret_text, size_t size);

/* Whether lcores share CPUs, so that they must give them away when idle. After start. */
bool dp_eal_shares_cpus(void);

/* Whether all devices are virtual ones whose drivers copy frames, into whatever memory: none fetches it by
 * itself, or shows the EAL's to somebody else. After start. */
bool dp_eal_devices_copy(void);
