// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/err.h"

#include <errno.h>

int dp_fail(struct dp_err *reterr, int errnum, const char *fmt, ...)
{
	if (reterr != NULL) {
		va_list ap;

		va_start(ap, fmt);
		errno = errnum; // for %m
		(void)vsnprintf(reterr->text, sizeof(reterr->text), fmt, ap);
		va_end(ap);
	}
	return -errnum;
}
