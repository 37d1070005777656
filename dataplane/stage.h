// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The seam between the packet path and the classifier.
 *
 * A worker hands payload packets of undecided flows to its stage, one call a burst, and gets
 * verdicts back. The stage belongs to one worker and is called from its thread only. It borrows
 * the packets for the call; to keep bytes it copies them. */

#include "dataplane/record.h"

#include <stddef.h>
#include <stdint.h>

/* What is known of a flow's app. is_final: nothing more is wanted from this flow. */
struct dp_verdict {
	uint32_t app; // DP_APP_UNDECIDED while nothing is known
	uint16_t tag;
	uint16_t ndpi_master;
	uint16_t ndpi_app;
	uint8_t evidence; // enum dp_evidence
	bool is_final;
	bool has_ech;
	uint32_t risk_bits;
	char host[DP_HOST_MAX];
};

/* A packet for the classifier. */
struct dp_stage_item {
	void **state; // the flow's slot for the stage's state; NULL inside = none yet; the stage writes
	struct dp_verdict *verdict; // of the flow; the stage updates it in place
	const struct dp_addr *server; // the side that is not the endpoint
	const uint8_t *l3; // innermost IP header, l3_len contiguous bytes, borrowed
	uint32_t l3_len; // captured bytes from l3 on, trailing padding cut
	uint32_t ip_len; // bytes the IP header promises; > l3_len when cut by a snap length
	uint64_t time_ns;
	uint16_t server_port; // host order
	uint8_t l4_proto;
};

struct dp_stage_ops {
	/* Look at n items in order (the same flow may occur several times). Never fails. */
	void (*burst)(void *stage, struct dp_stage_item *items, uint16_t n);
	/* The flow ends or asks for a last word: decide now by what is known (address, port), free
	 * the state, set *state to NULL. item->l3 is NULL. Called once per flow. */
	void (*finish)(void *stage, struct dp_stage_item *item);
	void (*free)(void *stage); // owned by the worker, freed after it stopped
};

struct dp_stage {
	const struct dp_stage_ops *ops;
	void *self;
};
