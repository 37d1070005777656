// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The seam's words in short, for the tuple of rig_tuple() and worker 0: what tests of the kernel's flows say again and
 * again. Parts of rig.h that want cmocka. */

#include "tests/ebpf/rig.h"

#include <errno.h>
#include <netinet/in.h>

enum { SEAM_BYTES = 128 }; // of a packet of rig_send_up() and rig_send_down()

static inline int seam_decide(
	uint8_t proto, uint32_t flow, uint32_t id, bool is_watched, struct dp_offload_counts *ret)
{
	const struct dp_five_tuple t = rig_tuple(proto);

	return rig.offload->ops->decide(rig.offload->self, 0, &t, flow, id, is_watched, 0, ret);
}

static inline int seam_look(uint8_t proto, uint32_t flow, struct dp_offload_counts *ret)
{
	const struct dp_five_tuple t = rig_tuple(proto);

	return rig.offload->ops->look(rig.offload->self, &t, flow, ret);
}

static inline int seam_end(uint8_t proto, uint32_t flow, struct dp_offload_counts *ret)
{
	const struct dp_five_tuple t = rig_tuple(proto);

	return rig.offload->ops->end(rig.offload->self, 0, &t, flow, 0, ret);
}

/* The flow of the frame that came up last. */
static inline uint32_t seam_flow(void)
{
	return rig.up.last.head.flow;
}

static inline void seam_assert_packets(const uint64_t packets[2], uint64_t n_up, uint64_t n_down)
{
	assert_int_equal(packets[EBPF_UP], n_up);
	assert_int_equal(packets[EBPF_DOWN], n_down);
}

/* Of packets of SEAM_BYTES. */
static inline void seam_assert_counts(
	const struct dp_offload_counts *c, uint64_t n_up, uint64_t n_down)
{
	seam_assert_packets(c->packets, n_up, n_down);
	assert_int_equal(c->bytes[EBPF_UP], SEAM_BYTES * n_up);
	assert_int_equal(c->bytes[EBPF_DOWN], SEAM_BYTES * n_down);
}
