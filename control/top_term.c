// SPDX-License-Identifier: BSD-3-Clause
#include "control/top_term.h"

#define NCURSES_WIDECHAR 1
#define NCURSES_NOMACROS 1
#include <curses.h>

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { ESCAPE_MS = 25 }; // how long an Escape waits to be the first byte of a key: start value

static SCREEN *terminal; // owned; NULL: not open
static attr_t attributes[CTL_TOP_STYLE_COUNT];
static short pairs[CTL_TOP_STYLE_COUNT];

/* What tells them apart without colour, and the colour where there is one. */
static const struct {
	attr_t plain, coloured;
	short colour;
} styles[CTL_TOP_STYLE_COUNT] = {
	[CTL_TOP_PLAIN] = {A_NORMAL, A_NORMAL, -1},
	[CTL_TOP_FAINT] = {A_DIM, A_DIM, -1},
	[CTL_TOP_TITLE] = {A_UNDERLINE, A_UNDERLINE, -1},
	[CTL_TOP_STRONG] = {A_BOLD, A_BOLD, -1},
	[CTL_TOP_GOOD] = {A_NORMAL, A_NORMAL, COLOR_GREEN},
	[CTL_TOP_CAREFUL] = {A_BOLD, A_BOLD, COLOR_YELLOW},
	[CTL_TOP_ALARM] = {A_REVERSE, A_BOLD, COLOR_RED},
	[CTL_TOP_BAR] = {A_REVERSE, A_REVERSE, -1},
};

static void choose_colours(bool is_wanted)
{
	const bool has_colour = is_wanted && has_colors() && start_color() == OK;
	const short background = has_colour && use_default_colors() == OK ? -1 : COLOR_BLACK;

	for (short i = 0; i < CTL_TOP_STYLE_COUNT; i++) {
		attributes[i] = styles[i].plain;
		pairs[i] = 0;
		if (!has_colour || styles[i].colour < 0 ||
			init_pair((short)(i + 1), styles[i].colour, background) != OK)
			continue;
		attributes[i] = styles[i].coloured;
		pairs[i] = (short)(i + 1);
	}
}

int ctl_top_term_open(bool has_colour, struct dp_err *reterr)
{
	const char *term = getenv("TERM");

	(void)setlocale(LC_CTYPE, ""); // for what the terminal draws; without it: ASCII
	terminal = newterm(NULL, stdout, stdin);
	if (terminal == NULL)
		return dp_fail(reterr, ENOTTY,
			"nothing is known of a terminal of type '%s': set TERM, or use --batch",
			term != NULL ? term : "");
	(void)set_term(terminal);
	// Whatever of this a terminal cannot do only looks or feels a little worse.
	(void)cbreak();
	(void)noecho();
	(void)nonl();
	(void)keypad(stdscr, TRUE);
	(void)nodelay(stdscr, TRUE);
	(void)set_escdelay(ESCAPE_MS);
	(void)curs_set(0);
	choose_colours(has_colour);
	return 0;
}

void ctl_top_term_close(void)
{
	if (terminal == NULL)
		return;
	(void)curs_set(1);
	(void)endwin();
	delscreen(terminal);
	terminal = NULL;
}

void ctl_top_term_size(int *ret_rows, int *ret_cols, bool *ret_is_utf8)
{
	struct winsize size = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0 &&
		is_term_resized(size.ws_row, size.ws_col))
		(void)resizeterm(size.ws_row, size.ws_col);
	*ret_rows = LINES;
	*ret_cols = COLS;
	*ret_is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void ctl_top_term_show(const struct ctl_top_screen *s)
{
	(void)erase();
	for (int row = 0; row < s->n_rows; row++) {
		for (int col = 0; col < s->n_cols; col++) {
			const struct ctl_top_cell *cell = &s->cells[row * s->n_cols + col];
			const wchar_t text[] = {(wchar_t)cell->ch, L'\0'};
			cchar_t shown;

			if (cell->ch == ' ' && cell->style == CTL_TOP_PLAIN)
				continue;
			if (setcchar(&shown, text, attributes[cell->style], pairs[cell->style],
				    NULL) == OK)
				(void)mvadd_wch(row, col, &shown); // the last cell of all says ERR
		}
	}
	(void)refresh();
}

enum ctl_top_key ctl_top_term_key(void)
{
	static const struct {
		int code;
		enum ctl_top_key key;
	} keys[] = {
		{'q', CTL_TOP_KEY_QUIT},
		{'Q', CTL_TOP_KEY_QUIT},
		{'h', CTL_TOP_KEY_HELP},
		{'?', CTL_TOP_KEY_HELP},
		{'p', CTL_TOP_KEY_PAUSE},
		{' ', CTL_TOP_KEY_PAUSE},
		{'s', CTL_TOP_KEY_SORT},
		{'+', CTL_TOP_KEY_SLOWER},
		{'-', CTL_TOP_KEY_FASTER},
		{KEY_UP, CTL_TOP_KEY_UP},
		{KEY_DOWN, CTL_TOP_KEY_DOWN},
		{KEY_PPAGE, CTL_TOP_KEY_PAGE_UP},
		{KEY_NPAGE, CTL_TOP_KEY_PAGE_DOWN},
		{KEY_HOME, CTL_TOP_KEY_HOME},
		{'\t', CTL_TOP_KEY_PANE},
		{KEY_BTAB, CTL_TOP_KEY_PANE_BACK},
	};

	for (;;) {
		const int code = getch();

		if (code == ERR)
			return CTL_TOP_KEY_NONE;
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			if (keys[i].code == code)
				return keys[i].key;
		}
	}
}
