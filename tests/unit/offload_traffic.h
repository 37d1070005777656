// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Traffic made by chance, on the edges where flows end and begin: handshakes that reuse ports, life spans that have
 * just passed or not, fragments, endpoints that nobody can tell, tags that are ignored. The same seed makes the same. */

#include <stdint.h>

struct offload_traffic {
	char path[64]; // of a pcap, there until offload_traffic_fini()
	int fd;
	uint64_t n_frames;
	uint64_t begin_ns, end_ns; // of the first and the last
};

enum { OFFLOAD_TRAFFIC_VLAN = 99 }; // some frames have it, for tests to ignore

struct offload_traffic_config {
	uint32_t seed;
	uint32_t n_frames;
	uint32_t n_tuples; // that there are to choose from
	uint32_t step_us; // between frames, about
	uint32_t pauses; // one frame in so many comes after a life span or longer; 0: none
	uint32_t oddities; // one in so many is a fragment, no packet, or cut short; 0: none
};

void offload_traffic_init(
	struct offload_traffic *ret_traffic, const struct offload_traffic_config *config);
void offload_traffic_fini(struct offload_traffic *t);
