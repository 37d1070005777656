// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The order in which both directions of a flow have one key, for both sides: any order that is the same
 * whoever sends. Which address is first says nothing. */

#include "ebpf/abi.h"

/* Half of an address as it stands in memory. In the kernel all addresses are aligned, and without saying so
 * it would be read byte by byte. */
static inline uint64_t ebpf_key_half(const struct dp_addr *a, unsigned int i)
{
#ifdef __bpf__
	return ((const uint64_t *)__builtin_assume_aligned(a, sizeof(uint64_t)))[i];
#else
	return dp_addr_half_be(a, i);
#endif
}

/* Whether the source is the second of the key. */
static inline bool ebpf_key_is_second(const struct dp_five_tuple *t)
{
	const uint64_t src[2] = {ebpf_key_half(&t->src, 0), ebpf_key_half(&t->src, 1)};
	const uint64_t dst[2] = {ebpf_key_half(&t->dst, 0), ebpf_key_half(&t->dst, 1)};

	if (src[0] != dst[0])
		return src[0] > dst[0];
	if (src[1] != dst[1])
		return src[1] > dst[1];
	return t->sport > t->dport;
}

#ifndef __bpf__
/* All of the key. (The kernel's program fills its own: it takes no index that it cannot follow.) */
static inline struct ebpf_flow_key ebpf_key_of(const struct dp_five_tuple *t)
{
	const unsigned int src = ebpf_key_is_second(t);
	struct ebpf_flow_key key = {.l4_proto = t->l4_proto};

	key.addr[src] = t->src;
	key.addr[src ^ 1] = t->dst;
	key.port[src] = t->sport;
	key.port[src ^ 1] = t->dport;
	return key;
}
#endif
