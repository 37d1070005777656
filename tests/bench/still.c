// SPDX-License-Identifier: BSD-3-Clause

/* still CPU SECONDS: how long a thread that does nothing is kept from it. Prints what gaps_print() does. */

#include "tests/bench/gaps.h"

#include <rte_common.h>
#include <rte_eal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	if (argc != 3) {
		(void)fprintf(stderr, "usage: still CPU SECONDS\n");
		return 2;
	}

	const char *eal[] = {argv[0], "-l", argv[1], "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "-m", "16", "--log-level=error"};

	// For the clock's frequency, and the CPU.
	if (rte_eal_init(RTE_DIM(eal), (char **)(uintptr_t)eal) < 0)
		return 1;
	if (!gaps_still((unsigned int)atoi(argv[2]))) {
		perror("still: /proc/stat");
		return 1;
	}
	gaps_print();
	return rte_eal_cleanup() < 0;
}
