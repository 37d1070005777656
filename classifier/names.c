// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/names.h"

#include "classifier/http_name.h"
#include "classifier/segment.h"
#include "classifier/tls_name.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum {
	JOINS = 4096, // hellos that are put together at once, per worker: 64 MB where all are long. Start value
	// With payload, from the client's first on, behind which its name is not waited for: room for a long
	// hello in segments of a few bytes; but what the mirror lost never comes. Start value.
	PACKETS_MAX = 1024,
	ANSWERS_MAX = 4, // start value
	PORT_SYSTEM_MAX = 1023, // RFC 6335 6: of servers
};

struct cls_names {
	struct cls_join_pool *joins;
	struct cls_quic *quic;
};

struct cls_names *cls_names_new(void)
{
	struct cls_names *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->joins = cls_join_pool_new(JOINS);
	if (n->joins != NULL)
		n->quic = cls_quic_new(n->joins);
	if (n->quic == NULL) {
		cls_names_free(n);
		return NULL;
	}
	return n;
}

void cls_names_free(struct cls_names *n)
{
	if (n == NULL)
		return;
	cls_quic_free(n->quic);
	cls_join_pool_free(n->joins);
	free(n);
}

bool cls_names_is_reading(const struct cls_names_flow *flow)
{
	return flow->stream != NULL || flow->quic.crypto != NULL;
}

void cls_names_drop(struct cls_names *n, struct cls_names_flow *flow)
{
	cls_join_give(n->joins, flow->stream);
	cls_quic_drop(n->quic, &flow->quic);
	memset(flow, 0, sizeof(*flow));
}

uint64_t cls_names_refused(const struct cls_names *n)
{
	return cls_join_pool_refused(n->joins);
}

/* Who asks: who sent the first packet we saw, unless the ports of a connection that is older say
 * otherwise. */
static bool is_from_client(const struct dp_stage_item *item)
{
	const struct dp_five_tuple *t = item->tuple;
	const bool src_is_server = !item->has_syn && t->sport <= PORT_SYSTEM_MAX &&
		t->dport > PORT_SYSTEM_MAX;

	return item->is_from_dst == src_is_server;
}

/* What the client said from its first byte on. */
static enum cls_name_step read_stream(const uint8_t *bytes, size_t len, bool is_last,
	struct cls_name *ret_name, enum dp_evidence *ret_evidence)
{
	enum cls_name_step step = cls_tls_name(bytes, len, is_last, ret_name);

	*ret_evidence = DP_EVIDENCE_SNI;
	if (step != CLS_NAME_NONE)
		return step;
	step = cls_http_name(bytes, len, ret_name);
	*ret_evidence = DP_EVIDENCE_HTTP;
	return is_last && step == CLS_NAME_MORE ? CLS_NAME_NONE : step;
}

/* Put a segment where it belongs; what the beginning says now. Without room for it no more is waited for. */
static enum cls_name_step join_segment(struct cls_names *n, struct cls_names_flow *flow,
	const struct cls_segment *s, uint32_t offset, struct cls_name *ret_name,
	enum dp_evidence *ret_evidence)
{
	const uint8_t *bytes = s->payload;
	size_t len = offset == 0 ? s->len : 0;
	bool is_last = true;

	if (flow->stream == NULL)
		flow->stream = cls_join_take(n->joins);
	if (flow->stream != NULL) {
		is_last = !cls_join_put(flow->stream, offset, s->payload, s->len) ||
			cls_join_is_full(flow->stream);
		bytes = cls_join_ready(flow->stream, &len);
	}
	return read_stream(bytes, len, is_last, ret_name, ret_evidence);
}

static enum cls_name_step look_tcp(struct cls_names *n, struct cls_names_flow *flow,
	const struct dp_stage_item *item, struct cls_segment *s, struct cls_name *ret_name,
	enum dp_evidence *ret_evidence)
{
	int32_t offset;

	if (!flow->has_base) {
		flow->base_seq = item->has_syn ? item->syn_seq + 1 : s->seq;
		flow->has_base = true;
	}
	offset = (int32_t)(s->seq - flow->base_seq);
	if (offset < 0) { // sent again, or a probe of one byte (RFC 9293 3.8.4)
		if (s->len <= 0 - (uint32_t)offset)
			return CLS_NAME_MORE;
		s->payload += 0 - (uint32_t)offset;
		s->len -= 0 - (uint32_t)offset;
		offset = 0;
	}
	if (offset == 0 && flow->stream == NULL) {
		const enum cls_name_step step = read_stream(
			s->payload, s->len, false, ret_name, ret_evidence);

		if (step != CLS_NAME_MORE)
			return step;
	}
	return join_segment(n, flow, s, (uint32_t)offset, ret_name, ret_evidence);
}

static enum cls_name_step look_udp(struct cls_names *n, struct cls_names_flow *flow,
	const struct cls_segment *s, bool is_client, struct cls_name *ret_name,
	enum dp_evidence *ret_evidence)
{
	enum cls_name_step step;

	*ret_evidence = DP_EVIDENCE_SNI;
	if (!flow->is_quic && cls_dtls_name(s->payload, s->len, ret_name) == CLS_NAME_FOUND)
		return CLS_NAME_FOUND;
	*ret_evidence = DP_EVIDENCE_QUIC;
	step = cls_quic_name(n->quic, &flow->quic, s->payload, s->len, is_client, ret_name);
	flow->is_quic |= step == CLS_NAME_MORE;
	return step;
}

/* The server said something. Where its client has not yet, two ports of a mirror may deliver the sides the wrong way round,
 * but not for long; behind that it is a protocol in which the server begins. Of datagrams only an answer of
 * QUIC is waited behind (RFC 8999 5.1). */
static enum cls_name_step look_at_answer(struct cls_names_flow *flow, const struct cls_segment *s)
{
	const bool may_be_quic = s->len > 0 && (s->payload[0] & 0x80) != 0;

	if (flow->n_packets > 0)
		return CLS_NAME_MORE;
	if (++flow->n_answers < ANSWERS_MAX && (s->l4_proto == IPPROTO_TCP || may_be_quic))
		return CLS_NAME_MORE;
	return CLS_NAME_NONE;
}

enum cls_name_step cls_names_look(struct cls_names *n, struct cls_names_flow *flow,
	const struct dp_stage_item *item, struct cls_name *ret_name, enum dp_evidence *ret_evidence)
{
	const bool is_client = is_from_client(item), is_tcp = item->tuple->l4_proto == IPPROTO_TCP;
	enum cls_name_step step;
	struct cls_segment s;

	if (!is_tcp && item->tuple->l4_proto != IPPROTO_UDP)
		return CLS_NAME_NONE;
	if (!cls_segment_of(item, &s))
		return CLS_NAME_MORE; // cut by a snap length: the next one may be whole
	flow->n_packets += is_client || flow->n_packets > 0;
	if (!is_client && !flow->is_quic)
		step = look_at_answer(flow, &s);
	else if (is_tcp)
		step = look_tcp(n, flow, item, &s, ret_name, ret_evidence);
	else
		step = look_udp(n, flow, &s, is_client, ret_name, ret_evidence);
	if (step == CLS_NAME_MORE && flow->n_packets >= PACKETS_MAX)
		return cls_names_last(n, flow, ret_name, ret_evidence);
	if (step != CLS_NAME_MORE)
		cls_names_drop(n, flow);
	return step;
}

enum cls_name_step cls_names_last(struct cls_names *n, struct cls_names_flow *flow,
	struct cls_name *ret_name, enum dp_evidence *ret_evidence)
{
	enum cls_name_step step = CLS_NAME_NONE;

	if (flow->stream != NULL) {
		size_t len;
		const uint8_t *bytes = cls_join_ready(flow->stream, &len);

		step = read_stream(bytes, len, true, ret_name, ret_evidence);
	} else if (flow->is_quic) {
		*ret_evidence = DP_EVIDENCE_QUIC;
		step = cls_quic_last(n->quic, &flow->quic, ret_name);
	}
	cls_names_drop(n, flow);
	return step;
}
