// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/library.h"
#include "classifier/ndpi.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
	/* Packets of a flow, empty ones included, after which the library is asked for its last
	 * word: what nDPI's own reader uses (24 and 80). The library looks at 32 by itself. */
	UDP_PACKETS_MAX = 24,
	TCP_PACKETS_MAX = 80,
	POOL_MAX = 65536, // flows in dissection per worker: 45 MB of states; start value
};

struct pooled_flow {
	struct ndpi_flow_struct flow; // first: the library sees only this
	struct pooled_flow *next_free;
	struct dp_verdict verdict;
};

struct stage {
	struct cls_library *lib;
	const struct cls_catalogue *catalogue; // of this call
	_Atomic(const struct cls_catalogue *) next_catalogue; // written by control
	struct pooled_flow *scratch; // where a flow's first packet is tried
	struct pooled_flow *free_list;
	size_t n_pooled;
};

/* Back to the state of a flow never seen. */
static void wipe(struct stage *s, struct pooled_flow *pf)
{
	cls_library_drop(s->lib, &pf->flow);
	memset(pf, 0, sizeof(*pf));
}

static void give_back(struct stage *s, struct dp_stage_item *item, struct pooled_flow *pf)
{
	wipe(s, pf);
	if (pf == s->scratch)
		return;
	pf->next_free = s->free_list;
	s->free_list = pf;
	*item->state = NULL;
}

/* A state for a flow that needs more than one packet; NULL when the pool is at its bound. */
static struct pooled_flow *take(struct stage *s)
{
	struct pooled_flow *pf = s->free_list;

	if (pf != NULL) {
		s->free_list = pf->next_free;
		pf->next_free = NULL;
		return pf;
	}
	if (s->n_pooled == POOL_MAX)
		return NULL;
	pf = calloc(1, sizeof(*pf));
	if (pf != NULL)
		s->n_pooled++;
	return pf;
}

/* The scratch state moves into the pool: the library keeps no pointer to the struct itself. */
static struct pooled_flow *keep_scratch(struct stage *s, struct dp_stage_item *item)
{
	struct pooled_flow *pf = take(s);

	if (pf == NULL)
		return NULL;
	*pf = *s->scratch;
	memset(s->scratch, 0, sizeof(*s->scratch));
	*item->state = pf;
	return pf;
}

static bool has_enough(const struct dp_stage_item *item)
{
	switch (item->tuple->l4_proto) {
	case IPPROTO_UDP:
		return item->n_packets > UDP_PACKETS_MAX;
	case IPPROTO_TCP:
		return item->n_packets > TCP_PACKETS_MAX;
	default:
		return false;
	}
}

/* The library looks at a packet of the flow. */
static ndpi_protocol show(struct stage *s, struct pooled_flow *pf, const struct dp_stage_item *item)
{
	if (pf->verdict.effort < UINT8_MAX)
		pf->verdict.effort++;
	return cls_library_look(s->lib, &pf->flow, item->l3, item->l3_len, item->time_ns);
}

/* Nothing more comes, or nothing more is wanted. */
static void judge(struct stage *s, struct dp_stage_item *item, struct pooled_flow *pf,
	const ndpi_protocol *seen)
{
	const ndpi_protocol p = cls_library_last_word(s->lib, &pf->flow, *seen);

	if (seen->app_protocol == NDPI_PROTOCOL_UNKNOWN)
		cls_verdict_update(&pf->verdict, s->catalogue, &pf->flow, &p);
	cls_verdict_end(&pf->verdict, s->catalogue, item, &pf->flow, &p);
	item->verdict = pf->verdict;
	give_back(s, item, pf);
}

static void dissect(struct stage *s, struct dp_stage_item *item)
{
	struct pooled_flow *pf = *item->state != NULL ? *item->state : s->scratch;
	const ndpi_protocol p = show(s, pf, item);

	cls_verdict_update(&pf->verdict, s->catalogue, &pf->flow, &p);
	if (has_enough(item) ||
		cls_library_is_done(s->lib, &pf->flow, p, pf->verdict.app != DP_APP_UNDECIDED)) {
		judge(s, item, pf, &p);
		return;
	}
	if (pf == s->scratch) {
		pf = keep_scratch(s, item);
		if (pf == NULL) { // pool at its bound: what one packet told is all there will be
			s->scratch->verdict.is_cut = true;
			judge(s, item, s->scratch, &p);
			return;
		}
	}
	item->verdict = pf->verdict;
}

static void adopt_catalogue(struct stage *s)
{
	s->catalogue = atomic_load_explicit(&s->next_catalogue, memory_order_acquire);
}

void cls_stage_set_catalogue(struct dp_stage *stage, const struct cls_catalogue *catalogue)
{
	struct stage *s = stage->self;

	atomic_store_explicit(&s->next_catalogue, catalogue, memory_order_release);
}

static void stage_look(void *stage, struct dp_stage_item *item)
{
	adopt_catalogue(stage);
	dissect(stage, item);
}

/* Headers as the flow's first packet had them: enough for the library to guess by address and port
 * where no payload ever came. Returns its length. */
static uint16_t headers_of(const struct dp_five_tuple *t, uint8_t buf[64])
{
	const bool is_v4 = dp_addr_is_v4(&t->src);
	const uint16_t l4_off = is_v4 ? 20 : 40;
	const uint16_t l4_len = t->l4_proto == IPPROTO_TCP ? 20 : 8;
	uint8_t *l4 = buf + l4_off;

	memset(buf, 0, 64);
	if (is_v4) { // RFC 791 3.1
		buf[0] = 0x45;
		buf[3] = (uint8_t)(l4_off + l4_len);
		buf[8] = 64;
		buf[9] = t->l4_proto;
		memcpy(buf + 12, t->src.b + 12, 4);
		memcpy(buf + 16, t->dst.b + 12, 4);
	} else { // RFC 8200 3
		buf[0] = 0x60;
		buf[5] = (uint8_t)l4_len;
		buf[6] = t->l4_proto;
		buf[7] = 64;
		memcpy(buf + 8, t->src.b, 16);
		memcpy(buf + 24, t->dst.b, 16);
	}
	l4[0] = (uint8_t)(t->sport >> 8);
	l4[1] = (uint8_t)t->sport;
	l4[2] = (uint8_t)(t->dport >> 8);
	l4[3] = (uint8_t)t->dport;
	if (t->l4_proto == IPPROTO_TCP) { // RFC 9293 3.1
		l4[12] = 0x50;
		l4[13] = 0x02; // SYN
	} else {
		l4[5] = (uint8_t)l4_len; // RFC 768, Length
	}
	return (uint16_t)(l4_off + l4_len);
}

/* A flow's last word. Where the library never took a packet (no payload, or each was cut by a snap
 * length) it is shown the headers, so that it can still guess. */
static void stage_finish(void *stage, struct dp_stage_item *item)
{
	struct stage *s = stage;
	struct pooled_flow *pf = *item->state != NULL ? *item->state : s->scratch;
	ndpi_protocol p = {
		.app_protocol = pf->verdict.ndpi_app, .master_protocol = pf->verdict.ndpi_master};

	adopt_catalogue(s); // a round may end flows without a look before
	if (!pf->flow.protocol_id_already_guessed) {
		uint8_t buf[64];
		const uint16_t len = headers_of(item->tuple, buf);

		p = cls_library_look(s->lib, &pf->flow, buf, len, item->time_ns);
		cls_verdict_update(&pf->verdict, s->catalogue, &pf->flow, &p);
	}
	judge(s, item, pf, &p);
}

static void stage_free(void *stage)
{
	struct stage *s = stage;

	if (s == NULL)
		return;
	while (s->free_list != NULL) {
		struct pooled_flow *pf = s->free_list;

		s->free_list = pf->next_free;
		free(pf);
	}
	free(s->scratch);
	cls_library_free(s->lib);
	free(s);
}

int cls_stage_new(
	const struct cls_catalogue *catalogue, struct dp_stage *ret_stage, struct dp_err *reterr)
{
	static const struct dp_stage_ops ops = {
		.look = stage_look, .finish = stage_finish, .free = stage_free};
	struct stage *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return dp_fail(reterr, ENOMEM, "cannot set up the classifier: %m");
	atomic_init(&s->next_catalogue, catalogue);
	s->scratch = calloc(1, sizeof(*s->scratch));
	s->lib = cls_library_new();
	if (s->scratch == NULL || s->lib == NULL) {
		stage_free(s);
		return dp_fail(reterr, ENOMEM, "cannot set up nDPI %s: %m", cls_ndpi_version());
	}
	*ret_stage = (struct dp_stage){.ops = &ops, .self = s};
	return 0;
}
