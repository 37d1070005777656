// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How `wirecue top` writes figures and foreign texts. Pure; any thread.
 *
 * Figures fit in CTL_TOP_FIGURE_MAX bytes whatever they are. What is not known (NAN) is "-". */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CTL_TOP_FIGURE_MAX = 32 };

/* Three places and a prefix of 1000: "0", "7.2", "999", "1.23k", "45.6M"; at most 5 characters below
 * 1000 Y, beyond which it is ">1R". Less than 0 is written with '-'. */
const char *ctl_top_si(double v, char ret_text[CTL_TOP_FIGURE_MAX]);

/* The same with a blank and a unit: "1.23 Gbit/s" of 1.23e9 and "bit/s". unit: at most 12 bytes. */
const char *ctl_top_unit(double v, const char *unit, char ret_text[CTL_TOP_FIGURE_MAX]);

/* All digits up to seven of them, then as ctl_top_si(): of a loss each frame counts. */
const char *ctl_top_count(uint64_t n, char ret_text[CTL_TOP_FIGURE_MAX]);

/* "0 %", "<0.1 %", "12.3 %", "100 %"; of a share between 0 and 1. */
const char *ctl_top_share(double share, char ret_text[CTL_TOP_FIGURE_MAX]);

/* Two units at most: "42 s", "3 min 12 s", "5 h 02 min", "3 d 04 h". */
const char *ctl_top_span(double seconds, char ret_text[CTL_TOP_FIGURE_MAX]);

/* "20:18:40" of ns since the epoch, UTC; "-" of 0. */
const char *ctl_top_clock(uint64_t t_ns, char ret_text[CTL_TOP_FIGURE_MAX]);

/* The next character of *text (UTF-8, hostile, NUL-terminated) that a terminal draws in one cell and
 * does not obey: '?' in place of control and format characters, of those that are two cells wide or
 * none, of broken UTF-8 and, without is_utf8, of all beyond ASCII. Moves *text on. 0 at its end. */
uint32_t ctl_top_char(const char **text, bool is_utf8);

/* Copy as much of src (NULL: nothing) as fits, whole characters only. */
void ctl_top_copy(char *ret_text, size_t size, const char *src);
