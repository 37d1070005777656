// SPDX-License-Identifier: BSD-3-Clause
#include "control/flow_filter.h"

#include "control/asked.h"
#include "control/dict.h"
#include "control/evidence.h"
#include "control/mistakes.h"
#include "control/request.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#define PSEUDONYM "endpoint:"

static bool is_outside(const struct dp_endpoint_nets *nets, const struct dp_prefix *p)
{
	for (uint16_t i = 0; i < nets->n_nets; i++) {
		if (dp_prefix_contains(&nets->net[i], &p->addr) ||
			dp_prefix_contains(p, &nets->net[i].addr))
			return false;
	}
	return true;
}

/* ADDRESS, [ADDRESS] or ADDRESS/LENGTH. */
static bool read_network(
	const char *text, const struct dp_endpoint_nets *nets, struct ctl_flow_filter *f)
{
	const size_t len = strlen(text);
	const bool is_bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
	g_autofree char *bare = is_bracketed ? g_strndup(text + 1, len - 2) : g_strdup(text);
	struct dp_prefix p;

	if (dp_prefix_parse(bare, &p) < 0)
		return false;
	// One of IPv6 is an endpoint from ipv6_prefix_len bits on.
	f->has_endpoint = p.len >= (dp_addr_is_v4(&p.addr) ? 128 : nets->ipv6_prefix_len);
	f->has_network = !f->has_endpoint;
	f->is_outside = is_outside(nets, &p);
	f->endpoint = dp_endpoint_of(nets, &p.addr, &p.addr).addr;
	f->network = p;
	return true;
}

/* An address, or what stands for one in an answer: letters and digits of base32. */
static int read_endpoint(const char *text, const struct dp_endpoint_nets *nets,
	struct ctl_flow_filter *f, struct dp_err *reterr)
{
	const char *name = g_str_has_prefix(text, PSEUDONYM) ? text + strlen(PSEUDONYM) : NULL;

	if (read_network(name != NULL ? name : text, nets, f)) // plain ones have both
		return 0;
	if (name != NULL && *name != '\0' && strlen(text) < sizeof(f->pseudonym) &&
		name[strspn(name, "abcdefghijklmnopqrstuvwxyz234567")] == '\0') {
		(void)strcpy(f->pseudonym, text);
		f->has_pseudonym = true;
		return 0;
	}
	return dp_fail(reterr, EINVAL,
		"--endpoint: expected an address of a subscriber, a network such as 10.20.0.0/16, or "
		"endpoint:NAME as it stands in an answer");
}

static int read_app(const char *text, const struct cls_catalogue *catalogue,
	struct ctl_flow_filter *f, struct dp_err *reterr)
{
	char found[CTL_QUOTE_MAX];

	f->has_app = true;
	f->app = cls_app_by_name(catalogue, text);
	if (f->app != DP_APP_UNKNOWN || strcmp(text, "unknown") == 0)
		return 0;
	if (strcmp(text, "undecided") == 0) {
		f->app = DP_APP_UNDECIDED;
		return 0;
	}
	// What ended under another catalogue has its name.
	if (ctl_dict_has(ctl_dict_apps(), text) && ctl_dict_id(ctl_dict_apps(), text, &f->app) == 0)
		return 0;
	return dp_fail(reterr, EINVAL,
		"--app %s, expected a name of the catalogue in force, unknown or undecided; "
		"`wirecue show apps` lists those that were seen",
		ctl_quote(text, found));
}

static int read_host(const char *text, struct ctl_flow_filter *f, struct dp_err *reterr)
{
	char found[CTL_QUOTE_MAX];
	struct ctl_asked asked;
	struct dp_err err;

	if (ctl_asked_read(text, &asked, &err) < 0)
		return dp_fail(reterr, EINVAL, "--host %s", err.text);
	if (asked.kind == CTL_ASKED_ADDRESS) {
		f->has_server = true;
		f->server = asked.addr;
		return 0;
	}
	if (asked.kind == CTL_ASKED_NAME && strlen(asked.text) < sizeof(f->host)) {
		(void)strcpy(f->host, asked.text);
		return 0;
	}
	return dp_fail(reterr, EINVAL,
		"--host %s, expected a name such as example.com, of at most %zu bytes, or an address",
		ctl_quote(text, found), sizeof(f->host) - 1);
}

static int read_evidence(const char *text, struct ctl_flow_filter *f, struct dp_err *reterr)
{
	char found[CTL_QUOTE_MAX];
	enum dp_evidence evidence;

	if (!ctl_evidence_of_name(text, &evidence))
		return dp_fail(reterr, EINVAL,
			"--evidence %s, expected sni, quic, http, cert, dns, payload, address, port or "
			"none",
			ctl_quote(text, found));
	f->has_evidence = true;
	f->evidence = (uint8_t)evidence;
	return 0;
}

int ctl_flow_filter_read(const json_t *args, const struct dp_endpoint_nets *nets,
	const struct cls_catalogue *catalogue, struct ctl_flow_filter *ret_filter,
	struct dp_err *reterr)
{
	const char *endpoint = ctl_args_text(args, "endpoint");
	const char *app = ctl_args_text(args, "app");
	const char *host = ctl_args_text(args, "host");
	const char *evidence = ctl_args_text(args, "evidence");
	struct ctl_flow_filter f = {0};
	int r = 0;

	if (endpoint != NULL)
		r = read_endpoint(endpoint, nets, &f, reterr);
	if (r == 0 && app != NULL)
		r = read_app(app, catalogue, &f, reterr);
	if (r == 0 && host != NULL)
		r = read_host(host, &f, reterr);
	if (r == 0 && evidence != NULL)
		r = read_evidence(evidence, &f, reterr);
	if (r == 0)
		*ret_filter = f;
	return r;
}

/* Is name the suffix, or does it end in it behind a dot? */
static bool is_under(const char *name, const char *suffix)
{
	const size_t name_len = strlen(name), suffix_len = strlen(suffix);

	return name_len >= suffix_len && strcmp(name + name_len - suffix_len, suffix) == 0 &&
		(name_len == suffix_len || name[name_len - suffix_len - 1] == '.');
}

/* Where both sides may be subscribers none is a server. */
static bool is_server(const struct dp_record *note, const struct dp_addr *addr)
{
	const struct dp_addr *server = note->note.server_is_src ? &note->note.src : &note->note.dst;

	return !note->is_ambiguous && dp_addr_cmp(server, addr) == 0;
}

bool ctl_flow_filter_fits(
	const struct ctl_flow_filter *f, const struct dp_record *note, struct ctl_namer *namer)
{
	char name[CTL_SUBJECT_MAX];

	if ((f->has_app && note->app != f->app) ||
		(f->has_evidence && note->evidence != f->evidence) ||
		(f->has_endpoint && dp_addr_cmp(&note->endpoint, &f->endpoint) != 0) ||
		(f->has_network && !dp_prefix_contains(&f->network, &note->endpoint)) ||
		(f->has_server && !is_server(note, &f->server)) ||
		(f->host[0] != '\0' && !is_under(note->note.host, f->host) &&
			!is_under(note->note.alias, f->host)))
		return false;
	if (!f->has_pseudonym)
		return true;
	ctl_namer_endpoint(namer, &note->endpoint, name);
	return strcmp(name, f->pseudonym) == 0;
}
