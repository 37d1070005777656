// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_remedy.h"

#include "classifier/ndpi.h"
#include "control/checks.h"
#include "control/flow_name.h"

#include <glib.h>
#include <netinet/in.h>
#include <string.h>

static const char *text_of(const json_t *flow, const char *key)
{
	const char *text = json_string_value(json_object_get(flow, key));

	return text != NULL ? text : "";
}

[[gnu::format(printf, 5, 6)]] static void advise(struct ctl_remedy *r, enum ctl_remedy_kind kind,
	const char *key, const char *value, const char *fmt, ...)
{
	va_list ap;

	r->kind = kind;
	r->key = key;
	(void)g_strlcpy(r->value, value, sizeof(r->value));
	va_start(ap, fmt);
	(void)g_vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
}

/* The shortest end of host, of whole labels, that is longer than rule, which is one itself. */
static const char *longer(const char *host, const char *rule)
{
	const char *at = host + strlen(host) - strlen(rule);

	if (at == host)
		return host;
	for (at--; at > host && at[-1] != '.'; at--)
		;
	return at;
}

/* Whether a rule that is near is of the same domain: then that is not one app's. */
static bool is_shared(const char *domain, const GPtrArray *records)
{
	for (guint i = 0; i < records->len; i++) {
		const json_t *record = g_ptr_array_index(records, i);
		const char *rule = text_of(record, "rule");

		if (g_str_equal(text_of(record, "verdict"), "near") &&
			g_str_has_suffix(rule, domain) && strlen(rule) > strlen(domain) &&
			rule[strlen(rule) - strlen(domain) - 1] == '.')
			return true;
	}
	return false;
}

static void advise_host(const char *host, const GPtrArray *records,
	const struct cls_catalogue *catalogue, const struct ctl_domains *domains,
	struct ctl_remedy *r)
{
	struct cls_host_rule rules[CLS_HOST_LABELS_MAX];
	const size_t n = cls_catalogue_rules(
		catalogue, host, strlen(host), rules, CLS_HOST_LABELS_MAX);
	struct ctl_domain domain;

	ctl_domain_read(domains, host, &domain);
	if (n > 0 && strlen(rules[0].host) == strlen(host))
		advise(r, CTL_REMEDY_MOVE, "hosts", rules[0].host,
			"the very name is a host of app '%s': it belongs to one app",
			cls_app_name(catalogue, rules[0].app));
	else if (n > 0)
		advise(r, CTL_REMEDY_ADD, "hosts", longer(host, rules[0].host),
			"a host longer than '%s' of app '%s' goes before it", rules[0].host,
			cls_app_name(catalogue, rules[0].app));
	else if (domain.kind == CTL_DOMAIN_OWN &&
		is_shared(domain.name + domain.domain_off, records))
		advise(r, CTL_REMEDY_ADD, "hosts", host,
			"no host of the catalogue fits, and one goes before the library's table and before "
			"places; others of its domain are in the catalogue, so this name alone");
	else if (domain.kind == CTL_DOMAIN_OWN)
		advise(r, CTL_REMEDY_ADD, "hosts", domain.name + domain.domain_off,
			"no host of the catalogue fits, and one goes before the library's table and before "
			"places; it takes the whole domain");
	else
		advise(r, CTL_REMEDY_NONE, NULL, "",
			"the name is nobody's own: a host of it would take what is others'");
	if (r->kind == CTL_REMEDY_ADD && ctl_check_host(r->value) != NULL)
		advise(r, CTL_REMEDY_NONE, NULL, "",
			"the name that was seen is none that a catalogue takes");
}

/* The protocol of a verdict that an app claims, the app's before what carries it; NULL: none of both is. */
static const char *claimed(
	const char *verdict, const struct cls_catalogue *catalogue, char buf[CTL_DOMAIN_MAX])
{
	const char *dot = strchr(verdict, '.');
	const char *parts[] = {dot != NULL ? dot + 1 : verdict, verdict};

	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		const size_t len = i == 1 && dot != NULL ? (size_t)(dot - verdict)
							 : strlen(parts[i]);
		int proto;

		(void)g_snprintf(buf, CTL_DOMAIN_MAX, "%.*s", (int)len, parts[i]);
		proto = cls_ndpi_proto_by_name(buf);
		if (proto > 0 && cls_match_ndpi(catalogue, (uint16_t)proto).app != DP_APP_UNKNOWN)
			return buf;
	}
	return NULL;
}

static void advise_protocol(
	const char *protocol, const char *how, const char *app, struct ctl_remedy *r)
{
	advise(r, CTL_REMEDY_MOVE, "ndpi", protocol,
		"the library %s as %s, which app '%s' claims, and that goes before places", how,
		protocol, app);
}

/* Whether the catalogue's own network or port made it this app; else the library guessed. */
static bool is_by_place(const struct cls_catalogue *catalogue, const struct dp_addr *server,
	uint8_t l4_proto, uint16_t port, uint32_t app)
{
	const uint32_t net = cls_match_net(catalogue, server).app;

	return net == app ||
		(net == DP_APP_UNKNOWN && cls_match_port(catalogue, l4_proto, port).app == app);
}

/* The side that is not the endpoint. */
static bool server_of(
	const json_t *flow, struct dp_five_tuple *t, struct dp_addr *ret_server, uint16_t *ret_port)
{
	struct dp_prefix endpoint;

	if (!ctl_flow_name_of_line(flow, t) ||
		dp_prefix_parse(text_of(flow, "endpoint"), &endpoint) < 0)
		return false;
	*ret_server = dp_prefix_contains(&endpoint, &t->src) ? t->dst : t->src;
	*ret_port = dp_prefix_contains(&endpoint, &t->src) ? t->dport : t->sport;
	return true;
}

static void advise_place(
	const json_t *flow, const struct cls_catalogue *catalogue, struct ctl_remedy *r)
{
	const uint32_t app = cls_app_by_name(catalogue, text_of(flow, "app"));
	char addr[DP_ADDR_STRLEN], protocol[CTL_DOMAIN_MAX];
	struct dp_five_tuple t;
	struct dp_addr server;
	uint16_t port;

	if (!server_of(flow, &t, &server, &port)) {
		advise(r, CTL_REMEDY_NONE, NULL, "",
			"a flow without ports has no place of its own");
		return;
	}
	r->is_weak = true;
	if (app != DP_APP_UNKNOWN && !is_by_place(catalogue, &server, t.l4_proto, port, app) &&
		claimed(text_of(flow, "proto"), catalogue, protocol) != NULL)
		advise_protocol(protocol, "guesses it by address or port", text_of(flow, "app"), r);
	else
		advise(r, CTL_REMEDY_ADD, "nets", dp_addr_format(&server, addr),
			"the flow shows no name: only where its server is tells, which any other app there "
			"shares");
}

void ctl_remedy_of(const json_t *flow, const GPtrArray *records,
	const struct cls_catalogue *catalogue, const struct ctl_domains *domains,
	struct ctl_remedy *ret_remedy)
{
	const char *host = text_of(flow, "host"), *evidence = text_of(flow, "evidence");
	const char *proto = text_of(flow, "proto");
	char protocol[CTL_DOMAIN_MAX];

	memset(ret_remedy, 0, sizeof(*ret_remedy));
	if (g_str_equal(proto, "DNS") || g_str_has_prefix(proto, "DNS."))
		advise(ret_remedy, CTL_REMEDY_NONE, NULL, "",
			"a look-up is DNS, whatever it asks for; the flow that follows it is another");
	else if (json_is_true(json_object_get(flow, "ech")) && g_str_equal(evidence, "dns"))
		advise(ret_remedy, CTL_REMEDY_NONE, NULL, "",
			"the name in front hides another, and what was looked up decided, which a flow's line "
			"does not have");
	else if (*host != '\0')
		advise_host(host, records, catalogue, domains, ret_remedy);
	else if (g_str_equal(evidence, "payload") && claimed(proto, catalogue, protocol) != NULL)
		advise_protocol(
			protocol, "recognised its payload", text_of(flow, "app"), ret_remedy);
	else
		advise_place(flow, catalogue, ret_remedy);
}
