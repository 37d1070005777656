// SPDX-License-Identifier: BSD-3-Clause
#include "control/intern.h"

#include <glib.h>
#include <stdint.h>
#include <string.h>

const char *ctl_intern(const char *text)
{
	enum { KNOWN = 16 };
	static _Thread_local const char *known[KNOWN];
	const size_t len = strlen(text);
	const char **slot =
		&known[(len + (uint8_t)text[0] + (len > 0 ? (uint8_t)text[len - 1] : 0)) % KNOWN];

	if (*slot == NULL || strcmp(*slot, text) != 0)
		*slot = g_intern_string(text);
	return *slot;
}
