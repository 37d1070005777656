// SPDX-License-Identifier: BSD-3-Clause
#include "control/commands.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file may be named anything; a terminal must not obey it, and a sentence stays one line. */
static void tame(char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	}
}

int ctl_complain(int status, const char *fmt, ...)
{
	char *text;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0) {
		(void)fputs("wirecue: out of memory\n", stderr);
		return status;
	}
	tame(text);
	(void)fprintf(stderr, "wirecue: %s\n", text);
	free(text);
	return status;
}

void ctl_print_mistake(void *, const char *text)
{
	(void)fprintf(stderr, "%s\n", text);
}

int ctl_complain_option(int c, char *const argv[])
{
	const char *word = argv[optind - 1];
	const bool is_long = strncmp(word, "--", 2) == 0;
	char letter[] = {'-', (char)optopt, '\0'};

	// Of several short options in one word only getopt knows which it was; of a long one optopt
	// is 0, or the value of its table entry.
	if (!is_long || (c == '?' && optopt != 0 && strchr(word, '=') == NULL))
		word = letter;
	if (c == ':')
		return ctl_complain(CTL_EXIT_USAGE,
			"%s: '%s' without a value, expected one as in 'wirecue %s --help'", argv[0],
			word, argv[0]);
	return ctl_complain(CTL_EXIT_USAGE,
		"%s: '%s' is no option, expected one of those in 'wirecue %s --help'", argv[0],
		word, argv[0]);
}
