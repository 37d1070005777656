// SPDX-License-Identifier: BSD-3-Clause
#include "control/unknown_note.h"

#include "classifier/ndpi.h"
#include "classifier/resolve.h"
#include "control/dict.h"
#include "control/evidence.h"
#include "control/flowlog.h"

static struct cls_decision decision_of(
	const struct cls_catalogue *catalogue, const struct dp_record *note)
{
	const struct cls_known known = cls_known_of_note(note);

	return cls_resolve(catalogue, &known);
}

static void add(struct ctl_unknown *unknown, const struct cls_catalogue *catalogue,
	const struct dp_record *note, const struct cls_decision *is)
{
	const struct dp_note *n = &note->note;
	char proto[80], l4[CTL_L4_NAME_MAX];
	const struct ctl_unknown_fact fact = {
		// A rule for the name that it was looked up as would find the flow as well.
		.host = n->host[0] != '\0' ? n->host : n->alias,
		.proto = cls_proto_name(n->ndpi_master, n->ndpi_app, proto, sizeof(proto)),
		.app = is->app != DP_APP_UNKNOWN ? ctl_dict_app_name(catalogue, is->app) : NULL,
		.l4 = ctl_l4_name(n->l4_proto, l4),
		.endpoint = note->endpoint,
		.server = n->server_is_src ? n->src : n->dst,
		.has_server = !note->is_ambiguous,
		.port = n->server_is_src ? n->sport : n->dport,
		.bytes = n->bytes[0] + n->bytes[1],
		.flows = 1};

	ctl_unknown_add(unknown, &fact);
}

void ctl_unknown_add_note(struct ctl_unknown *unknown, const struct cls_catalogue *catalogue,
	const struct dp_record *note, struct ctl_flow_sum *sum)
{
	struct cls_decision is;

	sum->bytes += note->note.bytes[0] + note->note.bytes[1];
	sum->flows++;
	ctl_distinct_add(&sum->subscribers, &note->endpoint);
	if (note->app == DP_APP_UNDECIDED && note->note.why == DP_NOTE_LIVING)
		return;
	is = decision_of(catalogue, note);
	if (is.app == DP_APP_UNKNOWN || !ctl_evidence_is_strong((enum dp_evidence)is.evidence))
		add(unknown, catalogue, note, &is);
}
