// SPDX-License-Identifier: BSD-3-Clause
#include "control/top_screen.h"

#include "control/top_text.h"

#include <glib.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { BAR_HEIGHTS = 8 };

void ctl_top_screen_init(struct ctl_top_screen *s, int n_rows, int n_cols, bool is_utf8)
{
	*s = (struct ctl_top_screen){.n_rows = CLAMP(n_rows, 0, CTL_TOP_SCREEN_MAX),
		.n_cols = CLAMP(n_cols, 0, CTL_TOP_SCREEN_MAX),
		.is_utf8 = is_utf8};
	s->cells = g_new0(struct ctl_top_cell, (size_t)s->n_rows * (size_t)s->n_cols + 1);
	for (int i = 0; i < s->n_rows * s->n_cols; i++)
		s->cells[i].ch = ' ';
}

void ctl_top_screen_fini(struct ctl_top_screen *s)
{
	g_free(s->cells);
	s->cells = NULL;
}

static void set(struct ctl_top_screen *s, int row, int col, enum ctl_top_style style, uint32_t ch)
{
	if (row < 0 || row >= s->n_rows || col < 0 || col >= s->n_cols)
		return;
	s->cells[row * s->n_cols + col] = (struct ctl_top_cell){ch, (uint8_t)style};
}

int ctl_top_put(struct ctl_top_screen *s, int row, int col, int width, enum ctl_top_style style,
	const char *text)
{
	const int end = MIN(col + width, s->n_cols);

	while (col < end && *text != '\0')
		set(s, row, col++, style, ctl_top_char(&text, s->is_utf8));
	if (col == end && width > 0 && *text != '\0')
		set(s, row, end - 1, style, s->is_utf8 ? 0x2026 : '~'); // …
	return col;
}

/* Where a line of that width ends that does not hold all of text. */
static const char *end_of_line(const char *text, int width, bool is_utf8)
{
	const char *p = text, *blank = NULL;

	for (int n = 0; n < width && *p != '\0'; n++) {
		(void)ctl_top_char(&p, is_utf8);
		if (*p == ' ')
			blank = p;
	}
	return *p == '\0' || blank == NULL ? p : blank;
}

int ctl_top_put_lines(struct ctl_top_screen *s, int row, int end, int col, enum ctl_top_style style,
	const char *text)
{
	const int width = s->n_cols - col;

	if (width <= 0)
		return MIN(row + 1, end);
	for (; row + 1 < end; row++) {
		const char *break_at = end_of_line(text, width, s->is_utf8);

		if (*break_at == '\0')
			break;
		for (int at = col; text < break_at; at++)
			set(s, row, at, style, ctl_top_char(&text, s->is_utf8));
		text += *text == ' ';
	}
	if (row < end)
		(void)ctl_top_put(s, row++, col, width, style, text);
	return row;
}

void ctl_top_put_right(struct ctl_top_screen *s, int row, int col, int width,
	enum ctl_top_style style, const char *text)
{
	const char *end = text;
	int len = 0;

	while (len < width && ctl_top_char(&end, s->is_utf8) != 0)
		len++;
	(void)ctl_top_put(s, row, col + width - len, len, style, text);
}

int ctl_top_putf(
	struct ctl_top_screen *s, int row, int col, enum ctl_top_style style, const char *fmt, ...)
{
	char text[CTL_TOP_SCREEN_MAX * 4 + 1];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return ctl_top_put(s, row, col, s->n_cols - col, style, text);
}

void ctl_top_fill(struct ctl_top_screen *s, int row, enum ctl_top_style style)
{
	for (int col = 0; col < s->n_cols; col++)
		set(s, row, col, style, ' ');
}

static uint32_t bar(bool is_utf8, double v, double highest)
{
	static const char ascii[BAR_HEIGHTS + 1] = ".:-=+*%#";
	int height;

	if (!isfinite(v) || v < 0)
		return ' ';
	height = highest > 0 ? (int)(v / highest * (BAR_HEIGHTS - 1) + 0.5) : 0;
	height = CLAMP(height, 0, BAR_HEIGHTS - 1);
	return is_utf8 ? 0x2581 + (uint32_t)height : (uint32_t)ascii[height]; // ▁ to █
}

void ctl_top_put_bars(struct ctl_top_screen *s, int row, int col, int width,
	enum ctl_top_style style, const double *values, int n)
{
	const int n_shown = CLAMP(MIN(n, width), 0, CTL_TOP_SCREEN_MAX);
	double highest = 0;

	for (int i = n - n_shown; i < n; i++)
		highest = isfinite(values[i]) ? MAX(highest, values[i]) : highest;
	for (int i = 0; i < n_shown; i++)
		set(s, row, col + width - n_shown + i, style,
			bar(s->is_utf8, values[n - n_shown + i], highest));
}

char *ctl_top_screen_line(const struct ctl_top_screen *s, int row)
{
	GString *line = g_string_new(NULL);

	for (int col = 0; col < s->n_cols; col++)
		g_string_append_unichar(line, s->cells[row * s->n_cols + col].ch);
	while (line->len > 0 && line->str[line->len - 1] == ' ')
		g_string_truncate(line, line->len - 1);
	return g_string_free(line, FALSE);
}
