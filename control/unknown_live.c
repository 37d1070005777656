// SPDX-License-Identifier: BSD-3-Clause
#include "control/unknown_live.h"

#include "control/apps_commands.h"
#include "control/unknown_rows.h"

#define INDENT "2" // as the shipped catalogue's entries are

struct live {
	bool is_draft;
	GPtrArray *records; // of all pages
};

static void print_lines(const GPtrArray *records)
{
	for (guint i = 0; i < records->len; i++) {
		const char *line = json_string_value(json_object_get(records->pdata[i], "line"));

		(void)printf("%s\n", line != NULL ? line : ""); // asked for errors at the end
	}
}

static void page(void *ctx, GPtrArray *records)
{
	struct live *live = ctx;

	if (live->is_draft)
		print_lines(records);
	for (guint i = 0; i < records->len && !live->is_draft; i++)
		g_ptr_array_add(live->records, json_incref(records->pdata[i]));
}

/* As of captures; how far it reached stands under it. */
static int print_table(GPtrArray *records)
{
	const json_t *last = records->len > 0 ? records->pdata[records->len - 1] : NULL;
	g_autofree char *summary = g_strdup(json_string_value(json_object_get(last, "summary")));
	int code;

	if (summary != NULL)
		g_ptr_array_set_size(records, (gint)records->len - 1);
	for (guint i = 0; i < records->len; i++)
		ctl_unknown_record_to_text(records->pdata[i]);
	code = ctl_apps_print(records, false);
	if (summary != NULL)
		(void)printf("# %s\n", summary); // asked for errors at the end
	return code;
}

static int ask(FILE *connection, const struct ctl_asking *asking, const void *ctx)
{
	const struct ctl_question *question = ctx;
	struct live live = {.is_draft = json_object_get(question->options, "draft") != NULL,
		.records = g_ptr_array_new_with_free_func(ctl_question_free_record)};
	int code = ctl_question_pages(connection, asking, question, page, &live);

	if (code == CTL_EXIT_OK && !live.is_draft && !asking->is_json)
		code = print_table(live.records);
	g_ptr_array_unref(live.records);
	return code;
}

int ctl_unknown_live(const struct ctl_asking *asking, size_t n_rows, bool is_draft)
{
	g_autofree char *top = g_strdup_printf("%zu", n_rows);
	const struct ctl_question question = {.cmd = "show",
		.what = "unknown",
		.options = json_pack("{s:s, s:s*}", "top", top, "draft", is_draft ? INDENT : NULL)};
	const int code = ctl_question_run(asking, ask, &question);

	json_decref(question.options);
	return code;
}
