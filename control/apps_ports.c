// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_ports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ctl_app_port_parse(const char *text, struct cls_port_def *ret)
{
	unsigned long first, last;
	const char *p = text + 4;
	char *end;

	if (!g_str_has_prefix(text, "tcp:") && !g_str_has_prefix(text, "udp:"))
		return -EINVAL;
	if (!g_ascii_isdigit(*p) || strlen(p) > sizeof("65535-65535") - 1)
		return -EINVAL;
	first = last = strtoul(p, &end, 10);
	if (*end == '-') {
		p = end + 1;
		if (!g_ascii_isdigit(*p))
			return -EINVAL;
		last = strtoul(p, &end, 10);
	}
	if (*end != '\0' || first == 0 || first > last || last > UINT16_MAX)
		return -EINVAL;
	*ret = (struct cls_port_def){.l4_proto = text[0] == 't' ? 6 : 17, // IANA protocol numbers
		.first = (uint16_t)first,
		.last = (uint16_t)last};
	return 0;
}

const char *ctl_check_app_port(const char *text)
{
	struct cls_port_def def;

	if (ctl_app_port_parse(text, &def) == 0)
		return NULL;
	return "expected tcp:PORT, udp:PORT or a range such as udp:3478-3481";
}

static bool is_before(const struct ctl_yaml_node *a, const struct ctl_yaml_node *b)
{
	return a->line != b->line ? a->line < b->line : a->column < b->column;
}

static int port_cmp(const void *pa, const void *pb)
{
	const struct ctl_app_port *a = pa, *b = pb;

	if (a->def.l4_proto != b->def.l4_proto)
		return a->def.l4_proto < b->def.l4_proto ? -1 : 1;
	if (a->def.first != b->def.first)
		return a->def.first < b->def.first ? -1 : 1;
	return is_before(a->node, b->node) ? -1 : 1;
}

static void report(
	const struct ctl_yaml *doc, const struct ctl_app_port *a, const struct ctl_app_port *b)
{
	const bool is_a_first = is_before(a->node, b->node);
	const struct ctl_app_port *first = is_a_first ? a : b, *second = is_a_first ? b : a;
	char found[CTL_QUOTE_MAX];

	ctl_yaml_mistake(doc, second->node,
		"%s, expected each port once; app '%s' has it at %s:%u:%u",
		ctl_yaml_found(doc, second->node, found), first->app, doc->path, first->node->line,
		first->node->column);
}

/* Ranges may overlap without being equal, so they are compared in order, not hashed. */
void ctl_app_ports_check(const struct ctl_yaml *doc, GArray *ports)
{
	const struct ctl_app_port *widest = NULL; // reaches furthest so far

	g_array_sort(ports, port_cmp);
	for (guint i = 0; i < ports->len; i++) {
		const struct ctl_app_port *port = &g_array_index(ports, struct ctl_app_port, i);

		if (widest == NULL || widest->def.l4_proto != port->def.l4_proto ||
			widest->def.last < port->def.first) {
			widest = port;
			continue;
		}
		report(doc, widest, port);
		if (port->def.last > widest->def.last)
			widest = port;
	}
}
