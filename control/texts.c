// SPDX-License-Identifier: BSD-3-Clause
#include "control/texts.h"

#include <glib.h>
#include <stdarg.h>
#include <stdio.h>

enum { SIZE_FIRST = 4096, TEXTS_FIRST = 128 };

void ctl_texts_fini(struct ctl_texts *texts)
{
	g_free(texts->bytes);
	g_free(texts->offs);
	*texts = (struct ctl_texts){0};
}

void ctl_texts_clear(struct ctl_texts *texts)
{
	texts->n = 0;
	texts->n_bytes = 0;
}

void ctl_texts_add(struct ctl_texts *texts, const char *fmt, ...)
{
	size_t room = texts->size - texts->n_bytes;
	va_list ap;
	int len;

	if (texts->n == texts->n_max) {
		texts->n_max = MAX(2 * texts->n_max, (size_t)TEXTS_FIRST);
		texts->offs = g_renew(uint32_t, texts->offs, texts->n_max);
	}
	va_start(ap, fmt);
	len = vsnprintf(room > 0 ? texts->bytes + texts->n_bytes : NULL, room, fmt, ap);
	va_end(ap);
	g_assert(len >= 0); // our formats have no wide characters
	if ((size_t)len >= room) {
		texts->size = MAX(2 * texts->size, texts->n_bytes + (size_t)len + SIZE_FIRST);
		texts->bytes = g_realloc(texts->bytes, texts->size);
		room = texts->size - texts->n_bytes;
		va_start(ap, fmt);
		(void)vsnprintf(texts->bytes + texts->n_bytes, room, fmt, ap);
		va_end(ap);
	}
	texts->offs[texts->n++] = (uint32_t)texts->n_bytes;
	texts->n_bytes += (size_t)len + 1;
}
