// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Listens to an endpoint's look-ups: the addresses in answers that it receives become hints.
 *
 * Only unencrypted DNS, on port 53 of the side that is not the endpoint. Nothing is asked: an answer counts as
 * it came, so what a resolver says wrong is believed here as the endpoint believes it. One worker's thread. */

#include "classifier/hints.h"
#include "dataplane/stage.h"

enum {
	CLS_DNS_PORT = 53,
	CLS_DNS_WAITING =
		1024, // answers over TCP of which a part is there; 4.6 KB each; start value
};

struct cls_overhear;

/* hints: borrowed as long as this. NULL: no memory. */
struct cls_overhear *cls_overhear_new(struct cls_hints *hints);
void cls_overhear_free(struct cls_overhear *o); // NULL is fine

/* Whether flows of this tuple carry what is listened for: to be watched. server_is_src as of an item. */
bool cls_overhear_wants(const struct dp_five_tuple *tuple, bool server_is_src);

/* A packet of such a flow; others are left. *waiting: NULL in the flow's beginning; what it holds between
 * packets (TCP: an answer that is not whole) is given back by cls_overhear_drop() at the flow's end. */
void cls_overhear(struct cls_overhear *o, const struct dp_stage_item *item, void **waiting);
void cls_overhear_drop(struct cls_overhear *o, void **waiting); // NULL inside is fine

/* Answers that found no room to wait in: a count. */
uint64_t cls_overhear_refused(const struct cls_overhear *o);
