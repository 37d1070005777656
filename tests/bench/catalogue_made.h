// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Hosts, networks and what is looked for among them, made from their numbers: as many as wanted, the same in every
 * run. Not for two threads. */

#include "dataplane/addr.h"

#include <stddef.h>

enum {
	BENCH_HOST_MAX = 64, // bytes of a host, NUL included
	BENCH_NAME_MAX = 256, // bytes of a name
};

/* Host number i, all different: as registered domains are, one in four with a label or two more. NUL-terminated; returns its
 * length. */
size_t bench_host(char buf[BENCH_HOST_MAX], uint64_t i);

enum bench_kind {
	BENCH_HIT, // with a label in front, or none
	BENCH_MISS,
	BENCH_DEEP, // 6 to 16 labels in front; half of them are hits
	BENCH_MIXED, // 55, 35 and 10 of 100
	BENCH_KIND_COUNT
};

/* Name number i to be looked for among the first n hosts. Not NUL-terminated; returns its length. */
size_t bench_name(char buf[BENCH_NAME_MAX], enum bench_kind kind, uint64_t i, uint32_t n);

/* Network number i, all different: three of four of IPv4, each eighth inside the one before it. */
struct dp_prefix bench_net(uint32_t i);

/* Address number i to be looked for among the first n networks: half of them are in one. */
struct dp_addr bench_addr(uint32_t i, uint32_t n);
