// SPDX-License-Identifier: BSD-3-Clause
#include "control/event.h"
#include "control/store_commands.h"
#include "control/store_survey.h"
#include "control/utc.h"

#include <glib.h>
#include <inttypes.h>
#include <stdlib.h>

static void print_tables(const struct ctl_store_survey *report)
{
	(void)printf("%-10s %12s %14s\n", "table", "entries", "bytes");
	for (int i = 0; i < CTL_TABLE_COUNT; i++)
		(void)printf("%-10s %12" PRIu64 " %14" PRIu64 "\n", ctl_table_names[i],
			report->tables[i].n_entries, report->tables[i].n_bytes);
}

static const char *time_text(uint64_t t_ns, char text[CTL_UTC_MAX])
{
	if (t_ns == 0)
		return "none yet";
	ctl_utc_format(t_ns, text);
	return text;
}

static void print_versions(const struct ctl_store_survey *report)
{
	const struct ctl_bundle_report *bundle = &report->catalogues.bundle;

	if (bundle->is_there && bundle->n_lines > 0)
		(void)printf(
			"catalogue  version %u in force; %u with a copy, and the history, %" PRIu64
			" bytes\n",
			bundle->in_force, bundle->n_versions, bundle->n_bytes);
	else if (bundle->is_there)
		(void)printf("catalogue  no version\n");
	else
		(void)printf("catalogue  its versions are not in it: %s\n",
			report->catalogues.has_bundle ? "they could not be read when it was made"
						      : "no backup, or one of an older wirecue");
}

static void print_text(const struct ctl_store_survey *report)
{
	char watermark[CTL_UTC_MAX], created[CTL_UTC_MAX];

	print_tables(report);
	(void)printf("file       %" PRIu64 " bytes, %" PRIu64 " pages, %" PRIu64 " of them free\n",
		report->file_bytes, report->n_pages, report->n_free_pages);
	(void)printf("made       %s, node %s, tick %" PRIu64 " ms, format %" PRIu64 "\n",
		time_text(report->created_ns, created), report->node, report->tick_ns / 1000000,
		report->format);
	(void)printf("watermark  %s\n", time_text(report->watermark_ns, watermark));
	(void)printf("outbox     %" PRIu64 " waiting, %" PRIu64 " retained, last sequence %" PRIu64
		     "\n",
		report->n_waiting, report->n_retained, report->sequence);
	if (report->is_copy)
		print_versions(report);
	(void)printf("ok: every page, checksum and value can be read\n");
}

/* {…, "ok":true} or {"ok":false, "fault":…} */
static int print_json(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	int r = text == NULL ? -1 : puts(text);

	free(text);
	json_decref(json);
	return r;
}

int ctl_cmd_store_check(const struct ctl_store_call *call)
{
	struct ctl_store_survey report;
	struct dp_err err = {0};
	json_t *json;
	const int r = ctl_store_survey(call->place, CTL_STORE_LONGEST_S, &report, &err);

	if (r < 0) {
		if (call->is_json)
			(void)print_json(json_pack("{sb ss}", "ok", 0, "fault", err.text));
		(void)fflush(stdout); // the sentence says what matters
		return ctl_complain(CTL_EXIT_FAILURE, "%s", err.text);
	}
	if (call->is_json) {
		json = ctl_store_survey_json(&report);
		(void)json_object_set_new(json, "ok", json_true());
		(void)print_json(json); // asked for errors below
	} else {
		print_text(&report);
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		return ctl_complain(CTL_EXIT_FAILURE, "cannot write the answer: %m");
	return CTL_EXIT_OK;
}
