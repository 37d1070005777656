// SPDX-License-Identifier: BSD-3-Clause
#include "control/shows_unknown.h"

#include "control/kept.h"
#include "control/reach.h"
#include "control/shows.h"
#include "control/shows_flows.h"
#include "control/unknown.h"
#include "control/unknown_draft.h"
#include "control/unknown_note.h"
#include "control/unknown_rows.h"

#include <string.h>

enum {
	N_KEPT = 2, // answers; of up to 40 MB each, where what is unknown is of very many kinds
	PAGE_ROWS = 256, // some 2 ms of the control thread
	INDENT_MAX = 16,
};

const struct ctl_show_option ctl_show_unknown_options[] = {{"top", "N"}, {"draft", NULL}, {NULL}};

/* One answer. */
struct found {
	uint64_t number;
	size_t n_rows;
	struct ctl_unknown *unknown;
	struct ctl_flow_sum all;
	struct ctl_survey_reach reach;
	GPtrArray *rows; // NULL: not done yet
	struct ctl_unknown_sum others, sum;
	GPtrArray *draft; // char *; NULL: not asked for
};

struct ctl_shown_unknown {
	struct ctl_pipeline *pipeline;
	struct ctl_domains *domains; // NULL: err says why
	struct dp_err err;
	struct ctl_kept *kept; // struct found
	struct found *current; // owned; NULL: none is under way
	uint64_t last; // number
};

static void found_free(void *data)
{
	struct found *f = data;

	if (f == NULL)
		return;
	g_clear_pointer(&f->rows, g_ptr_array_unref);
	g_clear_pointer(&f->draft, g_ptr_array_unref);
	ctl_unknown_free(f->unknown);
	ctl_flow_sum_clear(&f->all);
	g_free(f);
}

struct ctl_shown_unknown *ctl_shown_unknown_new(struct ctl_pipeline *pipeline)
{
	struct ctl_shown_unknown *s = g_new0(struct ctl_shown_unknown, 1);

	s->pipeline = pipeline;
	s->kept = ctl_kept_new(N_KEPT, found_free);
	if (ctl_domains_open(&s->domains, &s->err) < 0)
		s->domains = NULL; // said when somebody asks
	return s;
}

void ctl_shown_unknown_free(struct ctl_shown_unknown *s)
{
	if (s == NULL)
		return;
	ctl_survey_leave(ctl_pipeline_survey(s->pipeline), s);
	found_free(s->current);
	ctl_kept_free(s->kept);
	ctl_domains_close(s->domains);
	g_free(s);
}

void ctl_shown_unknown_tend(struct ctl_shown_unknown *s)
{
	ctl_kept_tend(s->kept);
}

/* --- flows in ------------------------------------------------------------------------------------- */

static const struct cls_catalogue *catalogue_of(const struct ctl_shown_unknown *s)
{
	return ctl_pipeline_config_of(s->pipeline)->catalogue;
}

static void on_flow(void *ctx, const struct dp_record *note)
{
	const struct ctl_shown_unknown *s = ctx;

	ctl_unknown_add_note(s->current->unknown, catalogue_of(s), note, &s->current->all);
}

static void on_done(void *ctx, const struct ctl_survey_reach *reach)
{
	struct ctl_shown_unknown *s = ctx;
	struct found *f = g_steal_pointer(&s->current);

	f->reach = *reach;
	f->rows = ctl_unknown_report(f->unknown, f->n_rows, &f->others, &f->sum);
	ctl_kept_add(s->kept, f->number, f);
}

static void begin(struct ctl_shown_unknown *s, const json_t *args, struct ctl_reply *reply)
{
	static const struct ctl_survey_visitor visitor = {.flow = on_flow, .done = on_done};
	const size_t n_rows = ctl_shown_rows(args, CTL_SHOWN_UNKNOWN, reply);
	struct dp_err err;

	if (n_rows == 0)
		return;
	ctl_reply_wait(reply);
	if (s->current != NULL ||
		ctl_survey_begin(ctl_pipeline_survey(s->pipeline), &visitor, s, &err) < 0)
		return; // its turn comes
	s->current = g_new0(struct found, 1);
	s->current->number = *ctl_reply_memo(reply) = ++s->last;
	s->current->n_rows = n_rows;
	s->current->unknown = ctl_unknown_new(s->domains, CTL_UNKNOWN_KEPT);
}

/* --- rows out ------------------------------------------------------------------------------------- */

/* Row i, then the sums, then how far it reached; NULL behind that. */
static json_t *record_at(const struct found *f, size_t i)
{
	const struct ctl_unknown_sum all = ctl_flow_sum_of(&f->all);

	if (i < f->rows->len)
		return ctl_unknown_record(f->rows->pdata[i]);
	i -= f->rows->len;
	if (f->others.flows == 0)
		i++;
	switch (i) {
	case 0:
		return ctl_unknown_sum_record("others", &f->others);
	case 1:
		return ctl_unknown_sum_record("unknown", &f->sum);
	case 2:
		return ctl_unknown_sum_record("all", &all);
	case 3:
		return ctl_reach_record(
			&f->reach, f->sum.flows, "flows without an app", json_object());
	default:
		return NULL;
	}
}

/* Lines of entries for what is unknown by the catalogue in force. */
static json_t *line_at(const struct found *f, size_t i)
{
	return i < f->draft->len ? json_pack("{s:s}", "line", f->draft->pdata[i]) : NULL;
}

static void make_draft(const struct ctl_shown_unknown *s, struct found *f, int indent)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_auto(GStrv) lines = NULL;

	if (f->draft != NULL)
		return;
	ctl_unknown_draft(f->rows, catalogue_of(s), s->domains, indent, text);
	lines = g_strsplit(text->str, "\n", -1);
	f->draft = g_ptr_array_new_with_free_func(g_free);
	for (char **line = lines; *line != NULL && (line[1] != NULL || **line != '\0'); line++)
		g_ptr_array_add(f->draft, g_strdup(*line));
}

static void answer(const struct found *f, json_t *(*at)(const struct found *, size_t), size_t row,
	struct ctl_reply *reply)
{
	const size_t begin_row = row;
	char cursor[CTL_KEPT_CURSOR_MAX];

	for (json_t *record; (record = at(f, row)) != NULL; row++) {
		if (row - begin_row < PAGE_ROWS && ctl_reply_add(reply, json_incref(record))) {
			json_decref(record);
			continue;
		}
		json_decref(record);
		ctl_kept_cursor(f->number, row, cursor);
		ctl_reply_next(reply, cursor);
		return;
	}
}

/* What was asked for under a number, from a row on. draft: NULL, or how far it is indented. */
static void go_on(const struct ctl_shown_unknown *s, uint64_t number, size_t row, const char *draft,
	struct ctl_reply *reply)
{
	struct found *f = ctl_kept_get(s->kept, number);
	guint64 indent = 0;

	if (f == NULL && s->current != NULL && s->current->number == number)
		ctl_reply_wait(reply);
	else if (f == NULL)
		ctl_reply_fail(
			reply, false, "unknown: that answer is not kept any more; ask again");
	else if (draft == NULL)
		answer(f, record_at, row, reply);
	else if (!g_ascii_string_to_unsigned(draft, 10, 0, INDENT_MAX, &indent, NULL))
		ctl_reply_fail(reply, true, "unknown: expected --draft to be a number up to %d",
			INDENT_MAX);
	else {
		make_draft(s, f, (int)indent);
		answer(f, line_at, row, reply);
	}
}

void ctl_show_unknown(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	const struct ctl_shows *shows = ctx;
	struct ctl_shown_unknown *s = shows->unknown;
	const char *after = ctl_args_text(args, "after");
	uint64_t number = *ctl_reply_memo(reply);
	size_t row = 0;

	if (s->domains == NULL)
		ctl_reply_fail(reply, false, "unknown: %s", s->err.text);
	else if (after != NULL && !ctl_kept_read_cursor(after, &number, &row))
		ctl_reply_fail(reply, true, "unknown: expected \"after\" as an answer had it");
	else if (number != 0)
		go_on(s, number, row, ctl_args_text(args, "draft"), reply);
	else
		begin(s, args, reply);
}
