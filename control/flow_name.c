// SPDX-License-Identifier: BSD-3-Clause
#include "control/flow_name.h"

#include "control/mistakes.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { ENDS_MAX = 128 }; // bytes behind "tcp:": two addresses in brackets with ports have fewer

static bool read_proto(const char *text, size_t len, uint8_t *ret_proto)
{
	if (len != 3 || (strncmp(text, "tcp", 3) != 0 && strncmp(text, "udp", 3) != 0))
		return false;
	*ret_proto = text[0] == 't' ? IPPROTO_TCP : IPPROTO_UDP;
	return true;
}

static bool read_port(const char *text, uint16_t *ret_port)
{
	unsigned long port;

	if (*text == '\0' || strlen(text) > 5 || text[strspn(text, "0123456789")] != '\0')
		return false;
	port = strtoul(text, NULL, 10);
	*ret_port = (uint16_t)port;
	return port >= 1 && port <= UINT16_MAX;
}

/* ADDRESS:PORT or [ADDRESS]:PORT; the text is cut. */
static bool read_end(char *text, struct dp_addr *ret_addr, uint16_t *ret_port)
{
	char *colon = strrchr(text, ':');
	const bool is_v6 = text[0] == '[';

	if (colon == NULL || (is_v6 && (colon == text || colon[-1] != ']')))
		return false;
	*colon = '\0';
	if (is_v6)
		colon[-1] = '\0';
	return dp_addr_parse(text + is_v6, ret_addr) == 0 && (strchr(text, ':') != NULL) == is_v6 &&
		read_port(colon + 1, ret_port);
}

static bool read_flow(const char *word, struct dp_five_tuple *t)
{
	const char *colon = strchr(word, ':');
	char ends[ENDS_MAX];
	char *dash;

	if (colon == NULL || !read_proto(word, (size_t)(colon - word), &t->l4_proto) ||
		strlen(colon + 1) >= sizeof(ends))
		return false;
	(void)strcpy(ends, colon + 1);
	dash = strchr(ends, '-');
	if (dash == NULL)
		return false;
	*dash = '\0';
	return read_end(ends, &t->src, &t->sport) && read_end(dash + 1, &t->dst, &t->dport);
}

int ctl_flow_name_read(const char *word, struct dp_five_tuple *ret_tuple, struct dp_err *reterr)
{
	struct dp_five_tuple t;
	char found[CTL_QUOTE_MAX];

	memset(&t, 0, sizeof(t)); // its padding, too
	if (!read_flow(word, &t))
		return dp_fail(reterr, EINVAL,
			"%s, expected a flow such as tcp:10.0.0.7:50312-203.0.113.9:443, IPv6 addresses in "
			"brackets",
			ctl_quote(word, found));
	*ret_tuple = t;
	return 0;
}

static bool is_end(
	const struct dp_addr *a, uint16_t a_port, const struct dp_addr *b, uint16_t b_port)
{
	return a_port == b_port && dp_addr_cmp(a, b) == 0;
}

bool ctl_flow_name_is(const struct dp_five_tuple *a, const struct dp_five_tuple *b)
{
	if (a->l4_proto != b->l4_proto)
		return false;
	return (is_end(&a->src, a->sport, &b->src, b->sport) &&
		       is_end(&a->dst, a->dport, &b->dst, b->dport)) ||
		(is_end(&a->src, a->sport, &b->dst, b->dport) &&
			is_end(&a->dst, a->dport, &b->src, b->sport));
}

static bool line_end(const json_t *flow, const char *addr_key, const char *port_key,
	struct dp_addr *ret_addr, uint16_t *ret_port)
{
	const char *addr = json_string_value(json_object_get(flow, addr_key));
	const json_int_t port = json_integer_value(json_object_get(flow, port_key));

	*ret_port = (uint16_t)port;
	return addr != NULL && dp_addr_parse(addr, ret_addr) == 0 && port >= 0 &&
		port <= UINT16_MAX;
}

bool ctl_flow_name_of_line(const json_t *flow, struct dp_five_tuple *ret_tuple)
{
	const char *l4 = json_string_value(json_object_get(flow, "l4"));

	memset(ret_tuple, 0, sizeof(*ret_tuple));
	return l4 != NULL && read_proto(l4, strlen(l4), &ret_tuple->l4_proto) &&
		line_end(flow, "src", "sport", &ret_tuple->src, &ret_tuple->sport) &&
		line_end(flow, "dst", "dport", &ret_tuple->dst, &ret_tuple->dport);
}
