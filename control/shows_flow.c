// SPDX-License-Identifier: BSD-3-Clause
#include "control/shows_flow.h"

#include "control/flow_seek.h"
#include "control/flowlog.h"
#include "control/shows.h"

#include <string.h>

/* One at a time; the last result waits for who asked for it, until another one begins. */
struct ctl_flow_finder {
	struct ctl_pipeline *pipeline;
	uint64_t number; // of the search
	bool is_running, is_found;
	struct ctl_flow_seek seek;
	struct ctl_privacy privacy; // that was in force when it began
	struct ctl_namer *namer; // by it; NULL: none runs
	struct dp_record note; // then the flow
};

struct ctl_flow_finder *ctl_flow_finder_new(struct ctl_pipeline *pipeline)
{
	struct ctl_flow_finder *f = g_new0(struct ctl_flow_finder, 1);

	f->pipeline = pipeline;
	return f;
}

static void forget_key(struct ctl_flow_finder *f)
{
	g_clear_pointer(&f->namer, ctl_namer_free);
	explicit_bzero(&f->privacy, sizeof(f->privacy));
}

void ctl_flow_finder_free(struct ctl_flow_finder *f)
{
	if (f == NULL)
		return;
	ctl_survey_leave(ctl_pipeline_survey(f->pipeline), f);
	forget_key(f);
	g_free(f);
}

static uint64_t bytes_of(const struct dp_record *note)
{
	return note->note.bytes[0] + note->note.bytes[1];
}

static void on_flow(void *ctx, const struct dp_record *note)
{
	struct ctl_flow_finder *f = ctx;

	if (!ctl_flow_seek_is(&f->seek, note, &ctl_pipeline_config_of(f->pipeline)->nets, f->namer))
		return;
	if (f->is_found && bytes_of(&f->note) >= bytes_of(note))
		return;
	f->is_found = true;
	dp_record_copy(&f->note, note);
}

static void on_done(void *ctx, const struct ctl_survey_reach *)
{
	struct ctl_flow_finder *f = ctx;

	f->is_running = false;
	forget_key(f);
}

static void begin(struct ctl_flow_finder *f, const struct ctl_flow_seek *seek, uint64_t *ret_number)
{
	static const struct ctl_survey_visitor visitor = {.flow = on_flow, .done = on_done};
	struct dp_err err;

	if (f->is_running ||
		ctl_survey_begin(ctl_pipeline_survey(f->pipeline), &visitor, f, &err) < 0)
		return; // its turn comes
	f->is_running = true;
	f->is_found = false;
	f->seek = *seek;
	f->privacy = ctl_pipeline_config_of(f->pipeline)->privacy;
	f->namer = ctl_namer_new(&f->privacy);
	*ret_number = ++f->number;
}

static void answer(const struct ctl_shows *s, struct ctl_reply *reply)
{
	const struct ctl_config *config = ctl_pipeline_config_of(s->pipeline);
	struct ctl_versions *versions = ctl_changes_versions(s->changes);
	const uint32_t version = ctl_versions_in_force(versions);
	g_autofree char *copy = ctl_versions_copy(versions, version);
	struct dp_record note = s->finder->note;
	json_t *row;

	ctl_flow_seek_mask(&s->finder->seek, &note);
	row = json_pack("{s:o, s:b, s:I, s:s}", "flow",
		ctl_flowlog_line(&note, config->catalogue, config->nets.ipv6_prefix_len), "living",
		note.note.why == DP_NOTE_LIVING, "version", (json_int_t)version, "catalogue",
		copy != NULL ? copy : config->apps_path);
	if (row == NULL)
		ctl_reply_fail(reply, false, "no memory for an answer");
	else
		(void)ctl_reply_add(reply, row);
}

void ctl_show_flow(void *ctx, const json_t *args, struct ctl_reply *reply)
{
	const struct ctl_shows *s = ctx;
	const char *word = ctl_args_text(args, "arg");
	uint64_t *memo = ctl_reply_memo(reply);
	struct ctl_flow_seek seek;
	struct dp_err err;

	if (!ctl_reply_asker(reply)->may_act) {
		ctl_reply_fail(reply, false,
			"only root and the daemon's own user may ask for single flows");
		return;
	}
	if (ctl_flow_seek_read(word != NULL ? word : "", &seek, &err) < 0) {
		ctl_reply_fail(reply, true, "flow: %s", err.text);
		return;
	}
	if (*memo != 0 && *memo != s->finder->number)
		*memo = 0; // somebody else's came in between, and its result is gone
	if (*memo == 0)
		begin(s->finder, &seek, memo);
	if (*memo == 0 || s->finder->is_running)
		ctl_reply_wait(reply);
	else if (s->finder->is_found)
		answer(s, reply);
	else
		ctl_reply_fail(reply, false,
			"no such flow lives or has ended in the last minutes: `wirecue show flows` has "
			"those that are known; or look for it on a capture, with --on CAPTURE...");
}
