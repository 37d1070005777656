// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The name a flow's client said, found by ourselves: the server name of TLS, DTLS and QUIC, the host of
 * HTTP/1. The library finds most of them too, but not in hellos whose segments come out of order or
 * that go over several TLS records, nor in QUIC Initials that are reversed, shuffled or of version 2, and keeps 79 bytes.
 *
 * Per worker, its thread only. A flow takes a join (classifier/join.h) only when its hello is not whole
 * in the first packet. */

#include "classifier/name.h"
#include "classifier/quic_name.h"
#include "dataplane/stage.h"

/* What is kept of an undecided flow; all 0 in the beginning. */
struct cls_names_flow {
	struct cls_join
		*stream; // TCP: what the client said; NULL: no more than its first segment, if any
	struct cls_quic_flow quic;
	uint32_t base_seq; // TCP: of the client's first byte, with has_base
	bool has_base;
	bool is_quic;
	uint16_t n_packets; // with payload, of both sides from the client's first on
	uint8_t n_answers; // with payload, of the server before that
};

struct cls_names;
struct cls_names *cls_names_new(void); // NULL: no memory, or no ciphers
void cls_names_free(struct cls_names *names); // NULL is fine

/* The next payload packet of the flow. MORE: it wants the next one; FOUND: *ret_name, of *ret_evidence; NONE. Not called any more
 * behind FOUND and NONE, and the flow holds nothing then. */
enum cls_name_step cls_names_look(struct cls_names *names, struct cls_names_flow *flow,
	const struct dp_stage_item *item, struct cls_name *ret_name,
	enum dp_evidence *ret_evidence);

/* Whether bytes are kept of a hello or a request that is not whole. */
bool cls_names_is_reading(const struct cls_names_flow *flow);

/* No more packets come, behind MORE: FOUND where what is there says it, else NONE. */
enum cls_name_step cls_names_last(struct cls_names *names, struct cls_names_flow *flow,
	struct cls_name *ret_name, enum dp_evidence *ret_evidence);

/* Give back what the flow holds; it is all 0 then. */
void cls_names_drop(struct cls_names *names, struct cls_names_flow *flow);

/* Flows of whose name only what their first part tells was found, as too many hellos were being put together: it
 * depends on the other flows of this worker which ones. */
uint64_t cls_names_refused(const struct cls_names *names);
