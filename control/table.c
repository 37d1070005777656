// SPDX-License-Identifier: BSD-3-Clause
#include "control/table.h"

#include <stdlib.h>
#include <string.h>

void ctl_table_init(struct ctl_table *table)
{
	table->names = g_ptr_array_new_with_free_func(g_free);
	table->widths = g_array_new(FALSE, TRUE, sizeof(size_t));
}

void ctl_table_fini(struct ctl_table *table)
{
	g_ptr_array_free(table->names, TRUE);
	g_array_free(table->widths, TRUE);
}

/* Neither blanks nor quotes nor anything a terminal obeys (C0, DEL, C1 as UTF-8). */
static bool is_plain(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		const unsigned char c = (unsigned char)text[0], next = (unsigned char)text[1];

		if (c <= ' ' || c == 0x7f || c == '"' || c == '\\' ||
			(c == 0xc2 && next >= 0x80 && next < 0xa0))
			return false;
	}
	return true;
}

char *ctl_table_cell(const json_t *value)
{
	char number[40];

	if (value == NULL || json_is_null(value))
		return strdup("-");
	if (json_is_string(value) && is_plain(json_string_value(value)))
		return strdup(json_string_value(value));
	if (json_is_real(value)) {
		(void)snprintf(number, sizeof(number), "%.6g", json_real_value(value));
		return strdup(number);
	}
	return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
}

static size_t width_of(const char *text)
{
	return (size_t)g_utf8_strlen(text, -1);
}

/* Column of that name, made when there is none. */
static guint column_of(struct ctl_table *table, const char *name)
{
	const size_t width = width_of(name);

	for (guint i = 0; i < table->names->len; i++) {
		if (strcmp(g_ptr_array_index(table->names, i), name) == 0)
			return i;
	}
	g_ptr_array_add(table->names, g_strdup(name));
	g_array_append_val(table->widths, width);
	return table->names->len - 1;
}

static void measure(struct ctl_table *table, const GPtrArray *records)
{
	const char *name;
	json_t *value;

	for (guint i = 0; i < records->len; i++) {
		json_object_foreach(g_ptr_array_index(records, i), name, value)
		{
			const guint column = column_of(table, name); // may move the widths
			size_t *width = &g_array_index(table->widths, size_t, column);
			char *text = ctl_table_cell(value);

			*width = MAX(*width, text != NULL ? width_of(text) : 1);
			free(text);
		}
	}
}

static void print_cell(const struct ctl_table *table, guint column, const char *text, FILE *out)
{
	const size_t width = width_of(text);
	const size_t full = g_array_index(table->widths, size_t, column);

	// A write error stays in the stream: who opened it asks once at the end.
	(void)fputs(text, out);
	if (column + 1 == table->names->len)
		(void)fputc('\n', out);
	else
		(void)fprintf(out, "%*s", (int)(width < full ? full - width : 0) + 2, "");
}

void ctl_table_print(struct ctl_table *table, const GPtrArray *records, FILE *out)
{
	const bool is_first = table->names->len == 0;

	if (is_first)
		measure(table, records);
	for (guint c = 0; is_first && c < table->names->len; c++)
		print_cell(table, c, g_ptr_array_index(table->names, c), out);
	for (guint i = 0; i < records->len; i++) {
		const json_t *record = g_ptr_array_index(records, i);

		for (guint c = 0; c < table->names->len; c++) {
			char *text = ctl_table_cell(
				json_object_get(record, g_ptr_array_index(table->names, c)));

			print_cell(table, c, text != NULL ? text : "?", out);
			free(text);
		}
	}
}
