// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/overhear.h"

#include "classifier/dns.h"
#include "classifier/dns_tcp.h"
#include "classifier/segment.h"

#include <netinet/in.h>
#include <stdlib.h>

struct cls_overhear {
	struct cls_hints *hints; // borrowed
	struct cls_dns_tcp_pool *pool; // owned
};

/* To whom a message goes. */
struct listener {
	struct cls_overhear *o;
	const struct dp_stage_item *item;
};

struct cls_overhear *cls_overhear_new(struct cls_hints *hints)
{
	struct cls_overhear *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->hints = hints;
	o->pool = cls_dns_tcp_pool_new(CLS_DNS_WAITING);
	if (o->pool == NULL) {
		free(o);
		return NULL;
	}
	return o;
}

void cls_overhear_free(struct cls_overhear *o)
{
	if (o == NULL)
		return;
	cls_dns_tcp_pool_free(o->pool);
	free(o);
}

bool cls_overhear_wants(const struct dp_five_tuple *tuple, bool server_is_src)
{
	return (tuple->l4_proto == IPPROTO_UDP || tuple->l4_proto == IPPROTO_TCP) &&
		(server_is_src ? tuple->sport : tuple->dport) == CLS_DNS_PORT;
}

/* An address that nobody talks to over a network: what filters answer instead of one (RFC 1122 3.2.1.3,
 * RFC 4291 2.5). */
static bool is_nobody(const struct dp_addr *a)
{
	if (dp_addr_is_v4(a))
		return a->b[12] == 0 || a->b[12] == 127;
	return dp_addr_half(a, 0) == 0 && dp_addr_half(a, 1) <= 1;
}

static void take(void *arg, const uint8_t *message, size_t len)
{
	const struct listener *l = arg;
	struct cls_dns_answer answer;

	if (!cls_dns_answer(message, len, &answer))
		return;
	for (uint32_t i = 0; i < answer.n_addrs; i++) {
		if (!is_nobody(&answer.addrs[i].addr))
			cls_hints_put(l->o->hints, l->item->endpoint, &answer.addrs[i].addr,
				answer.host, answer.addrs[i].ttl_s, l->item->time_ns);
	}
}

void cls_overhear(struct cls_overhear *o, const struct dp_stage_item *item, void **waiting)
{
	struct listener l = {o, item};
	const struct cls_dns_sink sink = {take, &l};
	struct cls_segment s;

	// What the endpoint itself sends is not an answer that it received.
	if (item->is_from_dst == item->server_is_src ||
		!cls_overhear_wants(item->tuple, item->server_is_src) || !cls_segment_of(item, &s))
		return;
	if (s.l4_proto == IPPROTO_UDP)
		take(&l, s.payload, s.len);
	else
		cls_dns_tcp_put(o->pool, waiting, s.seq, s.payload, s.len, &sink);
}

void cls_overhear_drop(struct cls_overhear *o, void **waiting)
{
	cls_dns_tcp_drop(o->pool, waiting);
}

uint64_t cls_overhear_refused(const struct cls_overhear *o)
{
	return cls_dns_tcp_refused(o->pool);
}
