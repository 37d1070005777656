// SPDX-License-Identifier: BSD-3-Clause
#include "control/store_survey.h"

#include "control/event.h"
#include "control/log.h"
#include "control/progress.h"
#include "control/store_check.h"
#include "control/store_guard.h"
#include "control/store_reader.h"
#include "control/store_value.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

enum {
	DRAW_EVERY = 1024, // records between two looks at the clock
	TRIES = 3,
};

/* In the child. */
struct check {
	struct ctl_store_reader *reader;
	struct ctl_store_survey *report;
	enum ctl_table table; // being walked
	uint64_t n_done, n_total; // records, for the progress bar
	struct ctl_progress progress;
	char what[256]; // is wrong with the value that was looked at last
	uint64_t key; // of it
	GHashTable *names; // of the dictionary being walked; owned keys
	uint64_t sequence_last; // of the outbox; 0 = none yet
	uint64_t number_last; // given to an entry, as META_OUTBOX says
};

/* --- values ------------------------------------------------------------------------------------ */

static int wrong(struct check *check, uint64_t key, const char *what)
{
	check->key = key;
	(void)g_strlcpy(check->what, what, sizeof(check->what));
	return -EBADMSG;
}

/* Numbers of the outbox have no gap: each trigger that was given one is there, or delivered. */
static int check_entry(struct check *check, uint64_t key)
{
	if (check->sequence_last != 0 && key != check->sequence_last + 1)
		return wrong(check, key, "entries before it are missing");
	check->sequence_last = key;
	return 0;
}

static void take_numbers(struct check *check, const struct ctl_outbox_numbers *numbers)
{
	const struct ctl_count *all = &numbers->given.all;

	check->number_last = all->last;
	check->report->sequence = all->last == 0 ? 0 : all->last + all->shift;
	check->report->n_waiting = all->last - all->acked;
	check->report->n_retained = all->acked + 1 - numbers->kept;
}

static int check_name(struct check *check, uint64_t key, const char *name)
{
	return g_hash_table_add(check->names, g_strdup(name))
		? 0
		: wrong(check, key, "its name has another number already");
}

static int on_value(void *ctx, uint64_t key, const void *value, size_t len)
{
	struct check *check = ctx;
	struct ctl_store_value decoded;
	struct dp_err err;
	int r = ctl_store_value_read(check->table, key, value, len, &decoded, &err);

	if (r < 0)
		return wrong(check, key, err.text);
	if (decoded.numbers != NULL)
		take_numbers(check, decoded.numbers);
	check->report->tables[check->table].n_entries++;
	check->report->tables[check->table].n_bytes += len;
	if (check->table == CTL_TABLE_OUTBOX)
		r = check_entry(check, key);
	else if (decoded.name != NULL)
		r = check_name(check, key, decoded.name);
	ctl_store_value_fini(&decoded);
	if (++check->n_done % DRAW_EVERY == 0)
		ctl_progress_draw(&check->progress, check->n_done, check->n_total, check->n_done);
	return r;
}

static uint64_t n_records(const struct ctl_store_reader *reader, enum ctl_table table)
{
	MDB_stat stat;

	return reader->dbis[table] != 0 && mdb_stat(reader->txn, reader->dbis[table], &stat) == 0
		? stat.ms_entries
		: 0;
}

static int check_table(struct check *check, enum ctl_table table, struct dp_err *reterr)
{
	int r;

	check->table = table;
	check->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	r = ctl_store_reader_walk(check->reader, table, on_value, check, reterr);
	g_hash_table_unref(check->names);
	if (r == -EBADMSG && check->what[0] != '\0')
		return dp_fail(reterr, EBADMSG, "'%s' is damaged: table '%s', key %" PRIu64 ": %s",
			check->reader->path, ctl_table_names[table], check->key, check->what);
	return r;
}

/* Every trigger that is not delivered is there. */
static int check_outbox(const struct check *check, struct dp_err *reterr)
{
	const struct ctl_store_survey *report = check->report;

	if (report->n_waiting <= report->tables[CTL_TABLE_OUTBOX].n_entries &&
		(check->sequence_last == 0 || check->sequence_last == check->number_last))
		return 0;
	return dp_fail(reterr, EBADMSG,
		"'%s' is damaged: the outbox ends with entry %" PRIu64 " of %" PRIu64 ", %" PRIu64
		" of them not delivered, and holds %" PRIu64,
		check->reader->path, check->sequence_last, check->number_last, report->n_waiting,
		report->tables[CTL_TABLE_OUTBOX].n_entries);
}

static int check_all(struct check *check, struct dp_err *reterr)
{
	const struct ctl_store_reader *reader = check->reader;
	struct ctl_store_survey *report = check->report;
	int r = 0;

	report->format = reader->format.version;
	report->tick_ns = reader->format.tick_ns;
	report->created_ns = reader->format.created_ns;
	(void)g_strlcpy(report->node, reader->format.node, sizeof(report->node));
	report->watermark_ns = reader->state.watermark_ns;
	for (int i = 0; i < CTL_TABLE_COUNT; i++)
		check->n_total += n_records(reader, (enum ctl_table)i);
	ctl_progress_begin(&check->progress);
	check->progress.unit = "records";
	for (int i = 0; i < CTL_TABLE_COUNT && r == 0; i++)
		r = check_table(check, (enum ctl_table)i, reterr);
	ctl_progress_end(&check->progress);
	return r == 0 ? check_outbox(check, reterr) : r;
}

struct job {
	const char *place;
	struct ctl_store_survey *report; // shared
};

/* Page by page, without LMDB. A daemon that commits may have been writing one of the two first pages
 * as it was read: what is damaged stays so. */
static int check_pages(
	const char *file, bool is_alone, struct ctl_store_survey *report, struct dp_err *reterr)
{
	struct ctl_store_checked checked;
	int r = -EBADMSG;

	for (int i = 0; i < (is_alone ? 1 : TRIES) && r == -EBADMSG; i++)
		r = ctl_store_check(file, NULL, 0, &checked, reterr);
	if (r < 0)
		return r;
	report->n_pages = checked.n_pages;
	report->n_free_pages = checked.n_free;
	return 0;
}

/* A copy is looked at before LMDB sees it; of a store in use the reader keeps the pages. */
static int run(void *ctx, struct dp_err *reterr)
{
	const struct job *job = ctx;
	const bool is_alone = ctl_store_is_copy(job->place);
	struct check check = {.report = job->report};
	struct stat st;
	int r = 0;

	ctl_log_set_level(CTL_LOG_ERR); // there is a progress bar
	if (is_alone)
		r = check_pages(job->place, true, job->report, reterr);
	if (r == 0)
		r = ctl_store_reader_open(job->place, &check.reader, reterr);
	if (r < 0)
		return r;
	if (!is_alone)
		r = check_pages(check.reader->path, false, job->report, reterr);
	if (stat(check.reader->path, &st) == 0)
		job->report->file_bytes = (uint64_t)st.st_size;
	if (r == 0)
		r = check_all(&check, reterr);
	job->report->is_copy = is_alone;
	if (r == 0 && is_alone)
		r = ctl_store_backup_check(job->place, &job->report->catalogues, reterr);
	ctl_store_reader_close(check.reader);
	return r;
}

int ctl_store_survey(const char *place, unsigned longest_s, struct ctl_store_survey *ret_report,
	struct dp_err *reterr)
{
	struct job job = {.place = place, .report = ctl_store_share(sizeof(*job.report))};
	int r;

	if (job.report == NULL)
		return dp_fail(reterr, ENOMEM, "no memory for a check: %m");
	r = ctl_store_reader_guard(run, &job, place, longest_s, reterr);
	if (r == 0)
		*ret_report = *job.report;
	ctl_store_unshare(job.report, sizeof(*job.report));
	return r;
}

/* null: it has none. */
static json_t *bundle_json(const struct ctl_backup_catalogues *catalogues)
{
	const struct ctl_bundle_report *bundle = &catalogues->bundle;

	if (!catalogues->has_bundle || !bundle->is_there)
		return json_null();
	return json_pack("{sI sI sI sI}", "in_force", (json_int_t)bundle->in_force, "versions",
		(json_int_t)bundle->n_versions, "lines", (json_int_t)bundle->n_lines, "bytes",
		(json_int_t)bundle->n_bytes);
}

json_t *ctl_store_survey_json(const struct ctl_store_survey *report)
{
	json_t *tables = json_object(), *json;

	for (int i = 0; i < CTL_TABLE_COUNT; i++)
		(void)json_object_set_new(tables, ctl_table_names[i],
			json_pack("{sI sI}", "entries", (json_int_t)report->tables[i].n_entries,
				"bytes", (json_int_t)report->tables[i].n_bytes));
	json = json_pack("{so sI sI sI sI ss sI so so sI sI sI}", "tables", tables, "file_bytes",
		(json_int_t)report->file_bytes, "pages", (json_int_t)report->n_pages, "free_pages",
		(json_int_t)report->n_free_pages, "format", (json_int_t)report->format, "node",
		report->node, "tick_ms", (json_int_t)(report->tick_ns / 1000000), "created",
		ctl_time_json(report->created_ns), "watermark", ctl_time_json(report->watermark_ns),
		"sequence", (json_int_t)report->sequence, "waiting", (json_int_t)report->n_waiting,
		"retained", (json_int_t)report->n_retained);
	if (report->is_copy)
		(void)json_object_set_new(json, "catalogue", bundle_json(&report->catalogues));
	return json;
}
