// SPDX-License-Identifier: BSD-3-Clause
#include "control/shows_flows.h"

#include "classifier/ndpi.h"
#include "control/dict.h"
#include "control/evidence.h"
#include "control/flow_filter.h"
#include "control/flow_pick.h"
#include "control/flow_word.h"
#include "control/kept.h"
#include "control/reach.h"
#include "control/shows.h"

#include <string.h>

enum {
	N_KEPT = 4, // answers, of 4 MB at most
	PAGE_ROWS = 256, // some 2 ms of the control thread
};

const struct ctl_show_option ctl_show_flows_options[] = {{"endpoint", "ADDRESS"}, {"app", "NAME"},
	{"host", "NAME"}, {"evidence", "KIND"}, {"top", "N"}, {NULL}};

/* One answer. */
struct found {
	uint64_t number;
	struct ctl_flow_filter filter;
	struct ctl_flow_pick *pick;
	struct ctl_survey_reach reach;
	struct ctl_privacy privacy; // that was in force
	struct ctl_namer *namer; // by it
};

struct ctl_shown_flows {
	struct ctl_pipeline *pipeline;
	struct ctl_kept *kept; // struct found
	struct found *current; // owned; NULL: none is under way
	uint64_t last; // number
};

static void found_free(void *data)
{
	struct found *f = data;

	if (f == NULL)
		return;
	ctl_flow_pick_free(f->pick);
	ctl_namer_free(f->namer);
	explicit_bzero(&f->privacy, sizeof(f->privacy));
	g_free(f);
}

struct ctl_shown_flows *ctl_shown_flows_new(struct ctl_pipeline *pipeline)
{
	struct ctl_shown_flows *s = g_new0(struct ctl_shown_flows, 1);

	s->pipeline = pipeline;
	s->kept = ctl_kept_new(N_KEPT, found_free);
	return s;
}

void ctl_shown_flows_free(struct ctl_shown_flows *s)
{
	if (s == NULL)
		return;
	ctl_survey_leave(ctl_pipeline_survey(s->pipeline), s);
	found_free(s->current);
	ctl_kept_free(s->kept);
	g_free(s);
}

void ctl_shown_flows_tend(struct ctl_shown_flows *s)
{
	ctl_kept_tend(s->kept);
}

/* --- flows in ------------------------------------------------------------------------------------- */

static void on_flow(void *ctx, const struct dp_record *note)
{
	const struct ctl_shown_flows *s = ctx;

	if (ctl_flow_filter_fits(&s->current->filter, note, s->current->namer))
		ctl_flow_pick_add(s->current->pick, note);
}

static void on_done(void *ctx, const struct ctl_survey_reach *reach)
{
	struct ctl_shown_flows *s = ctx;
	struct found *f = g_steal_pointer(&s->current);

	ctl_flow_pick_seal(f->pick);
	f->reach = *reach;
	ctl_kept_add(s->kept, f->number, f);
}

size_t ctl_shown_rows(const json_t *args, size_t n, struct ctl_reply *reply)
{
	const char *top = ctl_args_text(args, "top");
	guint64 n_rows = n;

	if (top == NULL ||
		g_ascii_string_to_unsigned(top, 10, 1, CTL_SHOWN_FLOWS_MAX, &n_rows, NULL))
		return n_rows;
	ctl_reply_fail(reply, true, "--top: expected a number from 1 to %d", CTL_SHOWN_FLOWS_MAX);
	return 0;
}

static void begin(struct ctl_shown_flows *s, const json_t *args, struct ctl_reply *reply)
{
	static const struct ctl_survey_visitor visitor = {.flow = on_flow, .done = on_done};
	const struct ctl_config *config = ctl_pipeline_config_of(s->pipeline);
	const size_t n_rows = ctl_shown_rows(args, CTL_SHOWN_FLOWS_MAX, reply);
	struct ctl_flow_filter filter;
	struct dp_err err;

	if (n_rows == 0)
		return;
	if (ctl_flow_filter_read(args, &config->nets, config->catalogue, &filter, &err) < 0) {
		ctl_reply_fail(reply, true, "flows: %s", err.text);
		return;
	}
	ctl_reply_wait(reply);
	if (s->current != NULL ||
		ctl_survey_begin(ctl_pipeline_survey(s->pipeline), &visitor, s, &err) < 0)
		return; // its turn comes
	s->current = g_new0(struct found, 1);
	s->current->number = *ctl_reply_memo(reply) = ++s->last;
	s->current->filter = filter;
	s->current->pick = ctl_flow_pick_new(n_rows);
	s->current->privacy = config->privacy;
	s->current->namer = ctl_namer_new(&s->current->privacy);
}

/* --- rows out ------------------------------------------------------------------------------------- */

static json_t *text_or_null(const char *text)
{
	return *text != '\0' ? json_string(text) : json_null();
}

/* 0 of what came since. */
static json_t *seconds_since(const struct found *f, uint64_t at_ns)
{
	return json_integer(
		at_ns < f->reach.end_ns ? (json_int_t)((f->reach.end_ns - at_ns) / 1000000000) : 0);
}

static json_t *row_of(
	const struct ctl_shown_flows *s, const struct found *f, const struct dp_record *r)
{
	const struct ctl_config *config = ctl_pipeline_config_of(s->pipeline);
	const struct ctl_flow_word_as as = {.nets = &config->nets,
		.namer = f->namer,
		.is_plain = f->privacy.subject == CTL_SUBJECT_PLAIN,
		.is_named = f->filter.has_endpoint};
	const struct dp_note *n = &r->note;
	char flow[CTL_FLOW_WORD_MAX], endpoint[CTL_SUBJECT_MAX], proto[80];

	ctl_flow_word(r, &as, flow);
	ctl_flow_word_endpoint(r, &as, endpoint);
	return json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:s}",
		"flow", flow, "endpoint", endpoint, "app",
		ctl_dict_app_name(config->catalogue, r->app), "tag",
		r->tag != DP_TAG_NONE ? json_string(cls_tag_name(config->catalogue, r->tag))
				      : json_null(),
		"evidence", ctl_evidence_name((enum dp_evidence)r->evidence), "proto",
		cls_proto_name(n->ndpi_master, n->ndpi_app, proto, sizeof(proto)), "host",
		text_or_null(n->host), "alias", text_or_null(n->alias), "up_bytes",
		(json_int_t)ctl_flow_bytes(r, true), "down_bytes",
		(json_int_t)ctl_flow_bytes(r, false), "packets",
		(json_int_t)(n->packets[0] + n->packets[1]), "age_s", seconds_since(f, n->first_ns),
		"idle_s", seconds_since(f, n->last_ns), "state",
		n->why == DP_NOTE_LIVING ? "living" : "ended");
}

static json_t *last_of(const struct found *f)
{
	const struct ctl_flow_totals t = ctl_flow_pick_totals(f->pick);
	const size_t n_shown = ctl_flow_pick_count(f->pick);
	g_autofree char *what = t.flows == 0 && f->filter.is_outside
		? g_strdup("flows (--endpoint lies outside endpoints.networks)")
		: n_shown == t.flows
		? g_strdup("flows")
		: g_strdup_printf("flows (the %zu with most bytes are shown)", n_shown);

	return ctl_reach_record(&f->reach, t.flows, what,
		json_pack("{s:I, s:I, s:I, s:I, s:I}", "flows", (json_int_t)t.flows, "shown",
			(json_int_t)n_shown, "up_bytes", (json_int_t)t.up_bytes, "down_bytes",
			(json_int_t)t.down_bytes, "packets", (json_int_t)t.packets));
}

static void answer(
	const struct ctl_shown_flows *s, const struct found *f, size_t row, struct ctl_reply *reply)
{
	const size_t n = ctl_flow_pick_count(f->pick), begin_row = row;
	char cursor[CTL_KEPT_CURSOR_MAX];

	while (row < n && row - begin_row < PAGE_ROWS &&
		ctl_reply_add(reply, row_of(s, f, ctl_flow_pick_at(f->pick, row))))
		row++;
	if (row >= n && ctl_reply_add(reply, last_of(f)))
		return;
	ctl_kept_cursor(f->number, row, cursor);
	ctl_reply_next(reply, cursor);
}

/* What was said before a reload under another one is not said again. */
static bool is_same(const struct ctl_privacy *a, const struct ctl_privacy *b)
{
	return a->subject == b->subject && a->key_len == b->key_len &&
		memcmp(a->key, b->key, a->key_len) == 0;
}

/* What was asked for under a number, from a row on. */
static void go_on(
	const struct ctl_shown_flows *s, uint64_t number, size_t row, struct ctl_reply *reply)
{
	const struct ctl_privacy *privacy = &ctl_pipeline_config_of(s->pipeline)->privacy;
	const struct found *f = ctl_kept_get(s->kept, number);

	if (f == NULL && s->current != NULL && s->current->number == number)
		ctl_reply_wait(reply);
	else if (f == NULL || !is_same(&f->privacy, privacy))
		ctl_reply_fail(reply, false, "flows: that answer is not kept any more; ask again");
	else
		answer(s, f, row, reply);
}

void ctl_show_flows(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	const struct ctl_shows *shows = ctx;
	struct ctl_shown_flows *s = shows->flows;
	const char *after = ctl_args_text(args, "after");
	uint64_t number = *ctl_reply_memo(reply);
	size_t row = 0;

	if (!ctl_reply_asker(reply)->may_act)
		ctl_reply_fail(reply, false,
			"single flows are shown to root and the daemon's own user only");
	else if (after != NULL && !ctl_kept_read_cursor(after, &number, &row))
		ctl_reply_fail(reply, true, "flows: expected \"after\" as an answer had it");
	else if (number != 0)
		go_on(s, number, row, reply);
	else
		begin(s, args, reply);
}
