// SPDX-License-Identifier: BSD-3-Clause
#include "control/commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

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
