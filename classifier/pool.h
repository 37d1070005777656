// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the classifier keeps of flows it has not decided: one state to try first packets in, and a pool for the
 * flows that need more. In a full pool the state that was taken first is taken away from its flow, which has a look
 * at more packets behind it than any other; its slot says so from then on.
 *
 * Per worker, its thread only. */

#include "classifier/library.h"
#include "classifier/names.h"
#include "classifier/overhear.h"

struct cls_state {
	struct ndpi_flow_struct flow; // the library sees only this
	struct cls_names_flow names;
	struct dp_verdict verdict; // so far
	enum cls_name_step name_step; // of our own search
	uint8_t named; // DP_EVIDENCE_* of the name it found, else _NONE
	char hint
		[DP_HOST_MAX]; // what the server was looked up as, at the last packet; "": nothing known
	bool is_library_done;
	bool is_name_told; // the library was asked what it knows of it,
	bool is_name_known; // and its table has it
	void *waiting; // of classifier/overhear.h, in flows that it wants
	uint32_t catalogue; // number of the one that the flow is judged by
	uint32_t index, generation; // in the pool
	uint32_t older, newer; // in the order they were taken
};

struct cls_pool;

/* n: states in use at once; they are allocated as they are first needed. All are borrowed. NULL: no memory. */
struct cls_pool *cls_pool_new(uint32_t n, struct cls_library *lib, struct cls_names *names,
	struct cls_overhear *overhear);
void cls_pool_free(struct cls_pool *pool); // NULL is fine

/* Where a flow's first packet is tried; as of a flow never seen. */
struct cls_state *cls_pool_scratch(struct cls_pool *pool);

/* The state in scratch stays: *slot is what names it. NULL: no memory, scratch stays as it is. */
struct cls_state *cls_pool_keep(struct cls_pool *pool, void **slot);

/* The state that slot names; NULL: it was taken away. */
struct cls_state *cls_pool_find(const struct cls_pool *pool, const void *slot);

/* Back to the state of a flow never seen, and into the pool, if it was of it. */
void cls_pool_give(struct cls_pool *pool, struct cls_state *state);
