// SPDX-License-Identifier: BSD-3-Clause

/* A catalogue's history that a disk or an enemy has written: what is read of it is sound in itself, and
 * what is written again reads the same. */

#include "control/catalogue_history.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const struct ctl_history_line *line)
{
	const char *name = ctl_history_file_name(line);

	assert(line->version >= 1 && line->version <= CTL_HISTORY_VERSION_MAX);
	assert(line->what < CTL_HISTORY_WHAT_COUNT);
	assert(strlen(line->sha256) == CTL_SHA256_MAX - 1);
	assert(strchr(name, '/') == NULL && *name != '\0' && strcmp(name, "..") != 0);
}

/* Lines of a history, as rows. */
static char *text_of(const struct ctl_history *history)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < history->lines->len; i++) {
		json_t *row = ctl_history_row(history->lines->pdata[i], false);
		char *line = json_dumps(row, JSON_COMPACT);

		assert(line != NULL); // it came from JSON
		g_string_append(text, line);
		free(line);
		json_decref(row);
	}
	return g_string_free(text, FALSE);
}

static void write_again(const struct ctl_history *history)
{
	g_autoptr(GString) text = g_string_new(NULL);
	struct ctl_history again;
	char *before, *after;

	assert(ctl_history_format(history, text));
	ctl_history_init(&again);
	ctl_history_parse(&again, text->str, text->len);
	assert(again.n_damaged == 0 && !again.is_end_damaged);
	before = text_of(history);
	after = text_of(&again);
	assert(strcmp(before, after) == 0);
	g_free(before);
	g_free(after);
	ctl_history_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ctl_history_line *last;
	struct ctl_history history;

	ctl_history_init(&history);
	ctl_history_parse(&history, (const char *)data, size);
	assert(history.lines->len <= CTL_HISTORY_LINES_MAX);
	for (guint i = 0; i < history.lines->len; i++)
		check_line(history.lines->pdata[i]);
	last = ctl_history_in_force(&history);
	assert(last == NULL || !history.is_end_damaged);
	assert(last == NULL || ctl_history_before(&history, last->version) != last->version);
	write_again(&history);
	ctl_history_fini(&history);
	return 0;
}
