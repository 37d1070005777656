// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What `wirecue top` draws, as lines of cells: pure, no terminal. control/top_draw.h fills it,
 * control/top_term.h shows it.
 *
 * Whatever is put, a cell holds one character that is one cell wide and that no terminal obeys
 * (ctl_top_char()), and nothing is written beyond the edges. */

#include <stdbool.h>
#include <stdint.h>

enum ctl_top_style {
	CTL_TOP_PLAIN,
	CTL_TOP_FAINT, // labels
	CTL_TOP_TITLE, // of a table
	CTL_TOP_STRONG,
	CTL_TOP_GOOD,
	CTL_TOP_CAREFUL,
	CTL_TOP_ALARM,
	CTL_TOP_BAR, // first and last line
	CTL_TOP_STYLE_COUNT,
};

enum { CTL_TOP_SCREEN_MAX = 1000 }; // rows, columns: more are not drawn

struct ctl_top_cell {
	uint32_t ch;
	uint8_t style;
};

struct ctl_top_screen {
	int n_rows, n_cols;
	bool is_utf8; // else ASCII only
	struct ctl_top_cell *cells; // owned; row by row
};

/* All blank. Sizes are taken between 0 and CTL_TOP_SCREEN_MAX. */
void ctl_top_screen_init(struct ctl_top_screen *s, int n_rows, int n_cols, bool is_utf8);
void ctl_top_screen_fini(struct ctl_top_screen *s);

/* Put text (UTF-8, hostile) at a place, at most `width` cells of it; its last one says when something is
 * cut off. Returns the column behind it. Rows and columns may lie outside: that part is not drawn. */
int ctl_top_put(struct ctl_top_screen *s, int row, int col, int width, enum ctl_top_style style,
	const char *text);

/* Likewise, ending at col + width. */
void ctl_top_put_right(struct ctl_top_screen *s, int row, int col, int width,
	enum ctl_top_style style, const char *text);

/* Put text as ctl_top_put() does, to the edge, and go on in the lines below it up to `end`, broken at
 * blanks. Returns the row behind it. */
int ctl_top_put_lines(struct ctl_top_screen *s, int row, int end, int col, enum ctl_top_style style,
	const char *text);

/* printf, to the edge of the screen. Returns the column behind it. */
[[gnu::format(printf, 5, 6)]] int ctl_top_putf(
	struct ctl_top_screen *s, int row, int col, enum ctl_top_style style, const char *fmt, ...);

/* The whole row in that style. */
void ctl_top_fill(struct ctl_top_screen *s, int row, enum ctl_top_style style);

/* The last n of values (NAN: a hole) as bars of eight heights, ending at col + width. */
void ctl_top_put_bars(struct ctl_top_screen *s, int row, int col, int width,
	enum ctl_top_style style, const double *values, int n);

/* A row as UTF-8 without its final blanks; owned by the caller. For tests. */
char *ctl_top_screen_line(const struct ctl_top_screen *s, int row);
