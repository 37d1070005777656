// SPDX-License-Identifier: BSD-3-Clause
#include "control/flow_seek.h"

#include <errno.h>
#include <glib.h>
#include <netinet/in.h>
#include <string.h>

#define PSEUDONYM "endpoint:"

/* Digits alone, 1 to 65535. */
static bool read_port(const char *text, uint16_t *ret_port)
{
	guint64 port;

	if (!g_ascii_string_to_unsigned(text, 10, 1, UINT16_MAX, &port, NULL) || strlen(text) > 5)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

/* ADDRESS:PORT, [ADDRESS]:PORT or [endpoint:NAME]:PORT; the text is cut. */
static bool read_end(char *text, struct ctl_flow_end *end)
{
	char *colon = strrchr(text, ':');
	const bool is_bracketed = text[0] == '[';

	if (colon == NULL || (is_bracketed && (colon == text || colon[-1] != ']')) ||
		!read_port(colon + 1, &end->port))
		return false;
	*colon = '\0';
	if (is_bracketed) {
		colon[-1] = '\0';
		text++;
	}
	if (is_bracketed && g_str_has_prefix(text, PSEUDONYM) && text[strlen(PSEUDONYM)] != '\0' &&
		strlen(text) < sizeof(end->pseudonym)) {
		(void)strcpy(end->pseudonym, text);
		return true;
	}
	end->is_named = true;
	return dp_addr_parse(text, &end->addr) == 0 && (strchr(text, ':') != NULL) == is_bracketed;
}

static bool read_seek(const char *word, struct ctl_flow_seek *s)
{
	char text[2 * (CTL_SUBJECT_MAX + 16)];
	char *dash;

	if (strlen(word) >= sizeof(text))
		return false;
	(void)strcpy(text, word);
	if (!g_str_has_prefix(text, "tcp:") && !g_str_has_prefix(text, "udp:"))
		return false;
	s->l4_proto = text[0] == 't' ? IPPROTO_TCP : IPPROTO_UDP;
	dash = strchr(text, '-');
	if (dash == NULL)
		return false;
	*dash = '\0';
	return read_end(text + 4, &s->ends[0]) && read_end(dash + 1, &s->ends[1]) &&
		(s->ends[0].is_named || s->ends[1].is_named); // what tells of a flow is its server
}

int ctl_flow_seek_read(const char *word, struct ctl_flow_seek *ret_seek, struct dp_err *reterr)
{
	struct ctl_flow_seek s = {0};

	if (!read_seek(word, &s))
		return dp_fail(reterr, EINVAL,
			"expected a flow of TCP or UDP as `wirecue show flows` has it, one side by "
			"its address, such as tcp:10.0.0.7:50312-203.0.113.9:443, IPv6 addresses "
			"and endpoint:NAME in brackets");
	*ret_seek = s;
	return 0;
}

/* A pseudonym costs an HMAC: last. */
static bool is_end(const struct ctl_flow_end *end, const struct dp_addr *addr, uint16_t port,
	const struct dp_endpoint_nets *nets, struct ctl_namer *namer)
{
	const struct dp_addr endpoint = dp_endpoint_of(nets, addr, addr).addr;
	char name[CTL_SUBJECT_MAX];

	if (end->port != port)
		return false;
	if (end->is_named)
		return dp_addr_cmp(&end->addr, addr) == 0;
	ctl_namer_endpoint(namer, &endpoint, name);
	return strcmp(name, end->pseudonym) == 0;
}

bool ctl_flow_seek_is(const struct ctl_flow_seek *s, const struct dp_record *note,
	const struct dp_endpoint_nets *nets, struct ctl_namer *namer)
{
	const struct dp_note *n = &note->note;

	if (n->l4_proto != s->l4_proto)
		return false;
	return (is_end(&s->ends[0], &n->src, n->sport, nets, namer) &&
		       is_end(&s->ends[1], &n->dst, n->dport, nets, namer)) ||
		(is_end(&s->ends[0], &n->dst, n->dport, nets, namer) &&
			is_end(&s->ends[1], &n->src, n->sport, nets, namer));
}

static bool is_asked_for(const struct ctl_flow_seek *s, const struct dp_addr *addr)
{
	for (size_t i = 0; i < G_N_ELEMENTS(s->ends); i++) {
		if (s->ends[i].is_named && dp_addr_cmp(&s->ends[i].addr, addr) == 0)
			return true;
	}
	return false;
}

static void mask(const struct ctl_flow_seek *s, struct dp_addr *addr)
{
	struct dp_addr any;

	if (is_asked_for(s, addr))
		return;
	if (dp_addr_parse(dp_addr_is_v4(addr) ? "0.0.0.0" : "::", &any) == 0)
		*addr = any;
}

void ctl_flow_seek_mask(const struct ctl_flow_seek *s, struct dp_record *note)
{
	struct dp_note *n = &note->note;
	struct dp_addr *endpoint = n->server_is_src ? &n->dst : &n->src;
	const bool was_asked_for = is_asked_for(s, endpoint);

	mask(s, &n->src);
	mask(s, &n->dst);
	if (!was_asked_for)
		note->endpoint = *endpoint;
}
