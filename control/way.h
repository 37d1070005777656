// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Which way a port's frames take: through DPDK, or through the program in the kernel (XDP). */

#include "control/config.h"

#include <net/if.h>

enum ctl_way_told { CTL_WAY_DPDK, CTL_WAY_XDP, CTL_WAY_OF_MACHINE };

/* What a port's own keys say, whose device is set: of a PCI device it may depend on the machine. */
enum ctl_way_told ctl_way_told(const struct ctl_port *port);

struct ctl_way {
	bool is_xdp;
	char interface[IF_NAMESIZE]; // of XDP
	char why[96]; // it is this way, in a few words
	char refused[256]; // "", or why the port cannot go it
};

/* sysfs: where that is mounted, "/sys". Looks at it for PCI devices only. */
void ctl_way_of(const struct ctl_config *config, const struct ctl_port *port, const char *sysfs,
	struct ctl_way *ret_way);

/* Which way the frames of a port take that was opened. */
struct ctl_taken {
	// "dpdk"; "xdp native", "xdp generic", of a host with ", tcx" or ", clsact"; "" it is down
	char path[32];
	char why[640]; // in a few words
};
