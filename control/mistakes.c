// SPDX-License-Identifier: BSD-3-Clause
#include "control/mistakes.h"

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct mistake {
	unsigned file;
	uint32_t line, column;
	size_t idx; // order of discovery: keeps the sort stable
	char *text;
};

struct ctl_mistakes {
	GPtrArray *files; // char *
	GArray *list; // struct mistake; only the first REPORTED_MAX keep their text
	size_t n;
};

static void mistake_clear(void *data)
{
	g_free(((struct mistake *)data)->text);
}

struct ctl_mistakes *ctl_mistakes_new(void)
{
	struct ctl_mistakes *m = g_new0(struct ctl_mistakes, 1);

	m->files = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(m->files, g_strdup(""));
	m->list = g_array_new(FALSE, FALSE, sizeof(struct mistake));
	g_array_set_clear_func(m->list, mistake_clear);
	return m;
}

void ctl_mistakes_free(struct ctl_mistakes *m)
{
	if (m == NULL)
		return;
	g_ptr_array_unref(m->files);
	g_array_unref(m->list);
	g_free(m);
}

unsigned ctl_mistakes_add_file(struct ctl_mistakes *m, const char *name)
{
	g_ptr_array_add(m->files, g_strdup(name));
	return m->files->len - 1;
}

void ctl_mistake(
	struct ctl_mistakes *m, unsigned file, uint32_t line, uint32_t column, const char *fmt, ...)
{
	struct mistake mistake = {.file = file, .line = line, .column = column, .idx = m->n++};
	va_list ap;

	if (m->list->len == CTL_MISTAKES_REPORTED_MAX) // a hostile file must not fill the memory
		return;
	va_start(ap, fmt);
	mistake.text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	g_array_append_val(m->list, mistake);
}

size_t ctl_mistakes_count(const struct ctl_mistakes *m)
{
	return m->n;
}

static int cmp_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int mistake_cmp(const void *pa, const void *pb)
{
	const struct mistake *a = pa, *b = pb;
	int r = cmp_u64(a->file, b->file);

	if (r == 0)
		r = cmp_u64(a->line, b->line);
	if (r == 0)
		r = cmp_u64(a->column, b->column);
	return r != 0 ? r : cmp_u64(a->idx, b->idx);
}

void ctl_mistakes_report(struct ctl_mistakes *m, void (*fn)(void *ctx, const char *text), void *ctx)
{
	g_array_sort(m->list, mistake_cmp);
	for (guint i = 0; i < m->list->len; i++) {
		const struct mistake *mistake = &g_array_index(m->list, struct mistake, i);
		const char *name = m->files->pdata[mistake->file];
		g_autofree char *text = NULL;

		if (mistake->file == 0)
			text = g_strdup(mistake->text);
		else if (mistake->line == 0)
			text = g_strdup_printf("%s: %s", name, mistake->text);
		else
			text = g_strdup_printf("%s:%u:%u: %s", name, mistake->line, mistake->column,
				mistake->text);
		fn(ctx, text);
	}
	if (m->n > m->list->len) {
		g_autofree char *text = g_strdup_printf(
			"%zu more mistakes are not shown", m->n - m->list->len);

		fn(ctx, text);
	}
}

/* Bytes of the longest prefix that fits and does not cut a UTF-8 character. */
static size_t prefix_len(const char *word, size_t max)
{
	size_t len = strnlen(word, max + 1);

	if (len <= max)
		return len;
	for (len = max; len > 0 && ((unsigned char)word[len] & 0xc0) == 0x80;)
		len--;
	return len;
}

char *ctl_quote(const char *word, char buf[CTL_QUOTE_MAX])
{
	const size_t max = CTL_QUOTE_MAX - sizeof("'...'");
	const char *scheme = strstr(word, "://");
	const char *at = scheme == NULL ? NULL : strchr(scheme, '@');
	g_autofree char *masked = NULL;
	size_t len;

	if (at != NULL) {
		masked = g_strdup_printf("%.*s***%s", (int)(scheme + 3 - word), word, at);
		word = masked;
	}
	len = prefix_len(word, max);
	(void)snprintf(
		buf, CTL_QUOTE_MAX, "'%.*s%s'", (int)len, word, word[len] == '\0' ? "" : "...");
	for (char *p = buf; *p != '\0'; p++)
		if (g_ascii_iscntrl(*p))
			*p = '?';
	return buf;
}

enum { WORD_MAX = 40, DISTANCE_MAX = 2 };

/* Levenshtein; words longer than WORD_MAX are far from everything. */
static unsigned edit_distance(const char *a, const char *b)
{
	const size_t a_len = strlen(a), b_len = strlen(b);
	unsigned row[WORD_MAX + 1];

	if (a_len > WORD_MAX || b_len > WORD_MAX)
		return WORD_MAX;
	for (unsigned j = 0; j <= b_len; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a_len; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= b_len; j++) {
			const unsigned above = row[j];
			const bool same = g_ascii_tolower(a[i - 1]) == g_ascii_tolower(b[j - 1]);
			const unsigned replace = diagonal + (same ? 0 : 1);

			row[j] = MIN(replace, MIN(above, row[j - 1]) + 1);
			diagonal = above;
		}
	}
	return row[b_len];
}

const char *ctl_nearest(const char *word, const char *const *candidates)
{
	unsigned best = DISTANCE_MAX + 1;
	const char *nearest = NULL;

	for (; *candidates != NULL; candidates++) {
		const unsigned d = edit_distance(word, *candidates);

		if (d < best && d < strlen(*candidates)) {
			best = d;
			nearest = *candidates;
		}
	}
	return nearest;
}
