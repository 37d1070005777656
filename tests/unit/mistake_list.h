// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Mistakes as one text, a line each, for comparison. */

#include "control/mistakes.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static inline void mistake_append(void *lines, const char *text)
{
	GString *s = lines;

	g_string_append_printf(s, "%s%s", s->len > 0 ? "\n" : "", text);
}

static inline GString *mistake_lines(struct ctl_mistakes *m)
{
	GString *lines = g_string_new(NULL);

	ctl_mistakes_report(m, mistake_append, lines);
	return lines;
}

/* Line by line: cmocka cuts what it prints. */
static inline void assert_lines(const char *found, const char *expected)
{
	g_auto(GStrv) f = g_strsplit(found, "\n", -1);
	g_auto(GStrv) e = g_strsplit(expected, "\n", -1);

	for (size_t i = 0; f[i] != NULL || e[i] != NULL; i++) {
		if (g_strcmp0(f[i], e[i]) != 0)
			fail_msg("line %zu is\n%s\ninstead of\n%s", i + 1,
				f[i] != NULL ? f[i] : "(nothing)",
				e[i] != NULL ? e[i] : "(nothing)");
		if (f[i] == NULL || e[i] == NULL)
			break;
	}
}

static inline void assert_mistakes(struct ctl_mistakes *m, const char *lines)
{
	GString *found = mistake_lines(m);

	assert_lines(found->str, lines);
	g_string_free(found, TRUE);
}
