// SPDX-License-Identifier: BSD-3-Clause
#include "control/unknown_flow.h"

#include <errno.h>
#include <string.h>

struct line {
	const char *src, *dst, *l4, *app, *proto, *host, *evidence; // borrowed from the object
	const char *alias; // likewise; NULL: none
	int sport, dport;
	json_int_t bytes[2];
};

struct sides {
	struct dp_addr src, dst;
	struct dp_endpoint endpoint;
	bool is_src_inside, is_dst_inside;
};

static int unpack(const json_t *flow, struct line *l, struct dp_err *reterr)
{
	json_error_t error;

	if (json_unpack_ex((json_t *)flow, &error, 0, // is only read
		    "{s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s?s, s:[I,I]}", "src", &l->src,
		    "sport", &l->sport, "dst", &l->dst, "dport", &l->dport, "l4", &l->l4, "app",
		    &l->app, "proto", &l->proto, "host", &l->host, "evidence", &l->evidence,
		    "alias", &l->alias, "bytes", &l->bytes[0], &l->bytes[1]) < 0)
		return dp_fail(reterr, EPROTO, "a flow of the replay: %s", error.text);
	if (l->sport < 0 || l->sport > UINT16_MAX || l->dport < 0 || l->dport > UINT16_MAX ||
		l->bytes[0] < 0 || l->bytes[1] < 0)
		return dp_fail(reterr, EPROTO, "a flow of the replay: a number out of its range");
	return 0;
}

static bool is_inside(const struct dp_endpoint_nets *nets, const struct dp_addr *addr)
{
	for (uint16_t i = 0; i < nets->n_nets; i++) {
		if (dp_prefix_contains(&nets->net[i], addr))
			return true;
	}
	return false;
}

static int find_sides(const struct line *l, const struct dp_endpoint_nets *nets, struct sides *ret,
	struct dp_err *reterr)
{
	if (dp_addr_parse(l->src, &ret->src) < 0 || dp_addr_parse(l->dst, &ret->dst) < 0)
		return dp_fail(reterr, EPROTO, "a flow of the replay: no address");
	ret->endpoint = dp_endpoint_of(nets, &ret->src, &ret->dst);
	ret->is_src_inside = is_inside(nets, &ret->src);
	ret->is_dst_inside = is_inside(nets, &ret->dst);
	return 0;
}

static bool is_weak(const char *evidence)
{
	return strcmp(evidence, "address") == 0 || strcmp(evidence, "port") == 0;
}

static bool is_none(const char *app)
{
	return strcmp(app, "unknown") == 0 || strcmp(app, "undecided") == 0;
}

/* A rule for the name that it was looked up as would find the flow as well. */
static const char *name_of(const struct line *l)
{
	return l->host[0] == '\0' && l->alias != NULL ? l->alias : l->host;
}

int ctl_unknown_add_flow(struct ctl_unknown *unknown, const struct dp_endpoint_nets *nets,
	const json_t *flow, struct ctl_flow_sum *sum, struct dp_err *reterr)
{
	struct line l = {0};
	struct sides s;

	if (unpack(flow, &l, reterr) < 0 || find_sides(&l, nets, &s, reterr) < 0)
		return -EPROTO;

	const bool is_server_src = s.is_dst_inside;
	const struct ctl_unknown_fact fact = {.host = name_of(&l),
		.proto = l.proto,
		.app = is_none(l.app) ? NULL : l.app,
		.l4 = l.l4,
		.endpoint = s.endpoint.addr,
		.server = is_server_src ? s.src : s.dst,
		.has_server = s.is_src_inside != s.is_dst_inside,
		.port = (uint16_t)(is_server_src ? l.sport : l.dport),
		.bytes = (uint64_t)l.bytes[0] + (uint64_t)l.bytes[1],
		.flows = 1};

	sum->bytes += fact.bytes;
	sum->flows++;
	ctl_distinct_add(&sum->subscribers, &fact.endpoint);
	if (fact.app == NULL || is_weak(l.evidence))
		ctl_unknown_add(unknown, &fact);
	return 0;
}

struct ctl_unknown_sum ctl_flow_sum_of(const struct ctl_flow_sum *sum)
{
	return (struct ctl_unknown_sum){.bytes = sum->bytes,
		.flows = sum->flows,
		.subscribers = MIN(ctl_distinct_count(&sum->subscribers), sum->flows)};
}

void ctl_flow_sum_clear(struct ctl_flow_sum *sum)
{
	ctl_distinct_clear(&sum->subscribers);
}
