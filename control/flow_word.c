// SPDX-License-Identifier: BSD-3-Clause
#include "control/flow_word.h"

#include "control/flowlog.h"

#include <glib.h>
#include <string.h>

/* "10.0.0.7", "[2001:db8::7]", "[endpoint:k3ja…]" */
static void write_side(const struct dp_addr *addr, bool is_shown, const struct ctl_flow_word_as *as,
	char ret_side[CTL_SUBJECT_MAX])
{
	const struct dp_addr subscriber = dp_endpoint_of(as->nets, addr, addr).addr;
	char text[CTL_SUBJECT_MAX];

	if (is_shown || as->is_plain)
		(void)dp_addr_format(addr, text);
	else
		ctl_namer_endpoint(as->namer, &subscriber, text);
	(void)g_snprintf(
		ret_side, CTL_SUBJECT_MAX, strchr(text, ':') != NULL ? "[%s]" : "%s", text);
}

void ctl_flow_word(const struct dp_record *note, const struct ctl_flow_word_as *as,
	char ret_word[CTL_FLOW_WORD_MAX])
{
	const struct dp_note *n = &note->note;
	const bool shows[2] = {as->is_named, !note->is_ambiguous}; // endpoint, server
	char src[CTL_SUBJECT_MAX], dst[CTL_SUBJECT_MAX], l4[CTL_L4_NAME_MAX];

	write_side(&n->src, shows[n->server_is_src], as, src);
	write_side(&n->dst, shows[!n->server_is_src], as, dst);
	if (n->sport == 0 && n->dport == 0)
		(void)g_snprintf(ret_word, CTL_FLOW_WORD_MAX, "%s:%s-%s",
			ctl_l4_name(n->l4_proto, l4), src, dst);
	else
		(void)g_snprintf(ret_word, CTL_FLOW_WORD_MAX, "%s:%s:%u-%s:%u",
			ctl_l4_name(n->l4_proto, l4), src, n->sport, dst, n->dport);
}

void ctl_flow_word_endpoint(const struct dp_record *note, const struct ctl_flow_word_as *as,
	char ret_name[CTL_SUBJECT_MAX])
{
	if (as->is_plain || as->is_named)
		(void)dp_endpoint_format(&note->endpoint, as->nets->ipv6_prefix_len, ret_name);
	else
		ctl_namer_endpoint(as->namer, &note->endpoint, ret_name);
}
