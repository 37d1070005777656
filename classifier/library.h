// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* nDPI as the classifier needs it. ndpi.c makes every call of the library; stage.c and verdict.c
 * read the fields of its flows. A library belongs to one worker and is used from its thread. */

#include "classifier/catalogue.h"
#include "dataplane/stage.h"

#include <ndpi_api.h>
#include <stddef.h>
#include <stdint.h>

struct cls_library;

/* Any thread: modules are made and freed under one mutex, because they share the library's
 * globals. NULL: no memory. */
struct cls_library *cls_library_new(void);
void cls_library_free(struct cls_library *lib);

/* Show the flow one packet from its IP header on; what the library thinks after it. */
ndpi_protocol cls_library_look(struct cls_library *lib, struct ndpi_flow_struct *flow,
	const uint8_t *l3, size_t l3_len, uint64_t time_ns);

/* Whether no further packet of the flow can change what a verdict says: the library gave up, or it
 * recognised the flow, and what it would still like to see is nothing that we ask for. */
bool cls_library_is_done(struct cls_library *lib, struct ndpi_flow_struct *flow, ndpi_protocol p,
	bool is_app_decided);

/* What it makes of a flow that gets no more packets: guessed where nothing was recognised. */
ndpi_protocol cls_library_last_word(
	struct cls_library *lib, struct ndpi_flow_struct *flow, ndpi_protocol p);

/* Free what hangs on the flow; its own bytes are the caller's and stay as they are. */
void cls_library_drop(struct cls_library *lib, struct ndpi_flow_struct *flow);

/* What a packet told of a flow. `v` holds what was known before: an app that is decided stays. */
void cls_verdict_update(struct dp_verdict *v, const struct cls_catalogue *catalogue,
	const struct ndpi_flow_struct *f, const ndpi_protocol *p);

/* The last word, behind the update: where nothing better is known, address and port decide. */
void cls_verdict_end(struct dp_verdict *v, const struct cls_catalogue *catalogue,
	const struct dp_stage_item *item, const struct ndpi_flow_struct *f, const ndpi_protocol *p);
