// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The terminal of `wirecue top`: cells to the screen, keys back. The only file that sees ncurses.
 *
 * While it is open the terminal is not as the shell left it, so whoever opens it closes it on every
 * way out, signals included. One at a time; one thread. */

#include "control/top_draw.h"
#include "dataplane/err.h"

/* Take the terminal that standard input and output are. has_colour: colours may be used where it has
 * any. Returns 0, or -errno with a sentence and the terminal as it was. */
[[nodiscard]] int ctl_top_term_open(bool has_colour, struct dp_err *reterr);

/* Give it back as it was. Does nothing when it is not open. */
void ctl_top_term_close(void);

/* Its size, asked anew. is_utf8: it draws more than ASCII. */
void ctl_top_term_size(int *ret_rows, int *ret_cols, bool *ret_is_utf8);

/* Show the cells. */
void ctl_top_term_show(const struct ctl_top_screen *screen);

/* A key that was pressed, CTL_TOP_KEY_NONE when there is none. Does not wait. */
enum ctl_top_key ctl_top_term_key(void);
