// SPDX-License-Identifier: BSD-3-Clause
#include "control/log.h"
#include "control/rot_state.h"
#include "control/unknown_draft.h"
#include "control/utc.h"

#include <inttypes.h>
#include <string.h>

enum {
	ENDPOINTS_MIN = 3, // that show a name, until it is told (control/unknown.h)
	SMALL = 20, // one part in so many of what the first row has is not worth a row
	ROWS_LOOKED_AT = 64, // some are older than the finding
	INDENT = 2, // of a draft's entries, as the shipped catalogue has them
};
static const uint64_t HOUR_NS = 3600ULL * 1000000000;

static const char *const over_names[] = {"", "recovered", "catalogue_knows", "catalogue_changed"};

/* --- rows that outlive what they were read from ------------------------------------------------ */

static void row_free(void *data)
{
	struct ctl_unknown_row *row = data;

	g_free(row->what);
	g_free(row->domain);
	g_free((char *)(uintptr_t)row->l4);
	g_free((char *)(uintptr_t)row->proto);
	for (int i = 0; i < CTL_UNKNOWN_EXAMPLES; i++)
		g_free(row->examples[i]);
	g_free(row);
}

/* Without the app that weak evidence speaks for: its names are that of a catalogue which may go. */
static struct ctl_unknown_row *row_copy(const struct ctl_unknown_row *from)
{
	struct ctl_unknown_row *row = g_memdup2(from, sizeof(*from));

	row->what = g_strdup(from->what);
	row->domain = g_strdup(from->domain);
	row->l4 = g_strdup(from->l4);
	row->proto = g_strdup(from->proto);
	row->app = NULL;
	row->category = NULL;
	for (int i = 0; i < CTL_UNKNOWN_EXAMPLES; i++)
		row->examples[i] = g_strdup(from->examples[i]);
	return row;
}

/* --- life ------------------------------------------------------------------------------------- */

void ctl_rot_finding_free(void *data)
{
	struct rot_finding *f = data;

	g_free(f->app);
	g_free(f->category);
	g_ptr_array_unref(f->rows);
	g_ptr_array_unref(f->networks);
	g_free(f);
}

/* Of too many, the oldest that is over has to go. There are no more current ones than there are suspects
 * and apps to tell of; when all are current the oldest goes. */
static void make_room(struct ctl_rot *rot)
{
	guint gone = 0;

	if (rot->findings->len < ROT_FINDINGS_MAX)
		return;
	while (gone + 1 < rot->findings->len &&
		((struct rot_finding *)rot->findings->pdata[gone])->over == CTL_ROT_CURRENT)
		gone++;
	if (((struct rot_finding *)rot->findings->pdata[gone])->over == CTL_ROT_CURRENT) {
		const struct rot_finding *f = rot->findings->pdata[gone = 0];
		struct rot_app *app = g_hash_table_lookup(rot->apps, GUINT_TO_POINTER(f->app_id));

		if (app != NULL)
			app->finding = NULL;
	}
	g_ptr_array_remove_index(rot->findings, gone);
}

struct rot_finding *ctl_rot_finding_new(const struct ctl_rot *rot, const struct rot_app *app)
{
	struct rot_finding *f = g_new0(struct rot_finding, 1);

	f->app_id = app->id;
	f->app = g_strdup(cls_app_name(rot->catalogue, app->id));
	f->category = g_strdup(cls_app_category(rot->catalogue, app->id));
	f->rows = g_ptr_array_new_with_free_func(row_free);
	f->networks = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(f->networks, NULL);
	return f;
}

static uint64_t sum_of(const GPtrArray *rows)
{
	uint64_t sum = 0;

	for (guint i = 0; i < rows->len; i++)
		sum += ((const struct ctl_unknown_row *)rows->pdata[i])->bytes;
	return sum;
}

/* Rows of one kind that are new there. */
static GPtrArray *new_rows(const GPtrArray *rows, enum ctl_unknown_kind kind,
	bool (*is_new)(const void *ctx, const char *domain), const void *ctx)
{
	GPtrArray *taken = g_ptr_array_new_with_free_func(row_free);
	uint64_t first = 0;

	for (guint i = 0; i < rows->len && taken->len < ROT_FINDING_ROWS; i++) {
		const struct ctl_unknown_row *row = rows->pdata[i];

		if (row->kind != kind || row->subscribers < ENDPOINTS_MIN ||
			(kind == CTL_UNKNOWN_HOST && !is_new(ctx, row->domain)))
			continue;
		first = MAX(first, row->bytes);
		if (row->bytes < first / SMALL)
			break;
		g_ptr_array_add(taken, row_copy(row));
	}
	return taken;
}

uint64_t ctl_rot_finding_fill(struct rot_finding *f, const struct ctl_unknown *gathered,
	bool (*is_new)(const void *ctx, const char *domain), const void *ctx)
{
	struct ctl_unknown_sum others, all;
	g_autoptr(GPtrArray) rows = ctl_unknown_report(gathered, ROWS_LOOKED_AT, &others, &all);
	GPtrArray *taken = new_rows(rows, CTL_UNKNOWN_HOST, is_new, ctx);
	const bool has_names = taken->len > 0;

	if (!has_names) {
		g_ptr_array_unref(taken);
		taken = new_rows(rows, CTL_UNKNOWN_SERVER, NULL, NULL);
	}
	if (sum_of(taken) < sum_of(f->rows)) {
		g_ptr_array_unref(taken);
	} else {
		g_ptr_array_unref(f->rows);
		f->rows = taken;
		f->has_names = has_names;
	}
	return sum_of(f->rows);
}

bool ctl_rot_finding_is_known(const struct ctl_rot *rot, const struct rot_finding *f)
{
	for (guint i = 0; i < f->rows->len; i++) {
		const struct ctl_unknown_row *row = f->rows->pdata[i];

		if (row->kind != CTL_UNKNOWN_HOST ||
			cls_match_host(rot->catalogue, row->what, strlen(row->what)).app ==
				DP_APP_UNKNOWN)
			return false;
	}
	return f->rows->len > 0;
}

/* --- saying it -------------------------------------------------------------------------------- */

/* "new-cdn.example", "udp 203.0.113.0/24:443". Owned by the caller, NULL-terminated. */
static char **names_of(const struct rot_finding *f)
{
	GPtrArray *names = g_ptr_array_new();

	for (guint i = 0; i < f->rows->len; i++) {
		const struct ctl_unknown_row *row = f->rows->pdata[i];

		g_ptr_array_add(names,
			row->kind == CTL_UNKNOWN_HOST
				? g_strdup(row->what)
				: g_strdup_printf("%s %s:%u", row->l4, row->what, row->port));
	}
	g_ptr_array_add(names, NULL);
	return (char **)g_ptr_array_free(names, FALSE);
}

static void say(struct ctl_rot *rot, const struct rot_finding *f)
{
	g_auto(GStrv) names = names_of(f);
	const struct ctl_rot_finding told = {.app = f->app,
		.category = f->category,
		.since_ns = f->since * HOUR_NS,
		.said_ns = f->said_ns,
		.over_ns = f->over_ns,
		.over = f->over,
		.before_bytes = f->before_bytes,
		.now_bytes = f->now_bytes,
		.unknown_bytes = f->unknown_bytes,
		.names = names,
		.networks = (char *const *)f->networks->pdata};

	if (rot->said != NULL)
		rot->said(rot->ctx, &told);
}

void ctl_rot_finding_over(
	struct ctl_rot *rot, struct rot_finding *f, uint64_t end_ns, enum ctl_rot_over why)
{
	struct rot_app *app = g_hash_table_lookup(rot->apps, GUINT_TO_POINTER(f->app_id));

	if (app != NULL && app->finding == f) {
		app->finding = NULL;
		if (app->suspect != NULL)
			ctl_rot_suspect_end(rot, app->suspect);
	}
	f->over = (uint8_t)why;
	f->over_ns = end_ns;
	say(rot, f);
}

void ctl_rot_finding_add(struct ctl_rot *rot, struct rot_finding *f)
{
	make_room(rot);
	g_ptr_array_add(rot->findings, f);
	say(rot, f);
}

void ctl_rot_log(void *, const struct ctl_rot_finding *f)
{
	g_autofree char *names = g_strjoinv(",", (char **)(uintptr_t)f->names);
	g_autofree char *networks = g_strjoinv(",", (char **)(uintptr_t)f->networks);
	char since[CTL_UTC_MAX];

	ctl_utc_format(f->since_ns, since);
	if (f->over != CTL_ROT_CURRENT) {
		ctl_log(CTL_LOG_NOTICE, "rot_over", CTL_TEXT("app", f->app),
			CTL_TEXT("cause", over_names[f->over]), CTL_TEXT("since", since));
		return;
	}
	ctl_log(CTL_LOG_WARNING, "rot", CTL_TEXT("app", f->app), CTL_TEXT("since", since),
		CTL_COUNT("before", f->before_bytes), CTL_COUNT("now", f->now_bytes),
		CTL_COUNT("unknown", f->unknown_bytes),
		CTL_TEXT("names", *names != '\0' ? names : NULL), CTL_TEXT("networks", networks),
		CTL_TEXT("cause",
			"bytes of the app by its names have fallen, and those without an app have "
			"grown on its networks"),
		CTL_TEXT("remedy",
			"see 'wirecue show rot', and 'wirecue show rot APP' for a draft"));
}

/* --- rows and drafts --------------------------------------------------------------------------- */

static char *draft_of(const struct ctl_rot *rot, const struct rot_finding *f)
{
	g_autofree char *first = g_strdup_printf(
		"Drafted by 'wirecue show rot': the names of '%s' are fading, and these have taken over",
		f->app);
	const char *const heading[] = {first,
		"on its networks. Where they are the same service, add the hosts to its own entry instead.",
		NULL};
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(g_free);
	GString *draft = g_string_new(NULL);

	for (guint i = 0; i < f->rows->len; i++) {
		struct ctl_unknown_row *row = g_memdup2(f->rows->pdata[i], sizeof(*row));

		row->category = f->category;
		g_ptr_array_add(rows, row);
	}
	if (rows->len > 0)
		ctl_unknown_draft_under(heading, rows, rot->catalogue, rot->domains, INDENT, draft);
	return g_string_free(draft, FALSE);
}

static json_t *texts_json(char *const *texts)
{
	json_t *array = json_array();

	for (; *texts != NULL; texts++)
		(void)json_array_append_new(array, json_string(*texts)); // else it is missing
	return array;
}

static json_t *time_json(uint64_t t_ns)
{
	char text[CTL_UTC_MAX];

	if (t_ns == 0)
		return json_null();
	ctl_utc_format(t_ns, text);
	return json_string(text);
}

static json_t *finding_json(const struct ctl_rot *rot, const struct rot_finding *f)
{
	g_auto(GStrv) names = names_of(f);
	g_autofree char *draft = draft_of(rot, f);

	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:s}", "app",
		f->app, "category", f->category, "state",
		f->over == CTL_ROT_CURRENT ? "current" : over_names[f->over], "since",
		time_json(f->since * HOUR_NS), "said", time_json(f->said_ns), "over",
		time_json(f->over_ns), "before_bytes", (json_int_t)f->before_bytes, "now_bytes",
		(json_int_t)f->now_bytes, "unknown_bytes", (json_int_t)f->unknown_bytes, "names",
		texts_json(names), "networks", texts_json((char *const *)f->networks->pdata),
		"draft", draft);
}

json_t *ctl_rot_json(const struct ctl_rot *rot)
{
	json_t *rows = json_array();

	for (int is_over = 0; is_over < 2; is_over++) {
		for (guint i = rot->findings->len; i > 0; i--) {
			const struct rot_finding *f = rot->findings->pdata[i - 1];

			if ((f->over != CTL_ROT_CURRENT) == is_over)
				(void)json_array_append_new(rows, finding_json(rot, f));
		}
	}
	return rows;
}
