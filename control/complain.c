// SPDX-License-Identifier: BSD-3-Clause
#include "control/commands.h"

#include <stdarg.h>
#include <stdio.h>

int ctl_complain(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fputs("wirecue: ", stderr);
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
	return status;
}
