// SPDX-License-Identifier: BSD-3-Clause
#include "control/kept.h"

#include <inttypes.h>
#include <string.h>

struct result {
	uint64_t number;
	void *data; // owned
	gint64 asked_us; // monotonic
};

struct ctl_kept {
	size_t n_max;
	GDestroyNotify free_result;
	GArray *results; // struct result
};

struct ctl_kept *ctl_kept_new(size_t n_max, GDestroyNotify free_result)
{
	struct ctl_kept *kept = g_new0(struct ctl_kept, 1);

	kept->n_max = n_max;
	kept->free_result = free_result;
	kept->results = g_array_new(FALSE, FALSE, sizeof(struct result));
	return kept;
}

static struct result *at(const struct ctl_kept *kept, guint i)
{
	return &g_array_index(kept->results, struct result, i);
}

static void drop(struct ctl_kept *kept, guint i)
{
	kept->free_result(at(kept, i)->data);
	g_array_remove_index(kept->results, i);
}

void ctl_kept_free(struct ctl_kept *kept)
{
	if (kept == NULL)
		return;
	while (kept->results->len > 0)
		drop(kept, kept->results->len - 1);
	g_array_free(kept->results, TRUE);
	g_free(kept);
}

void ctl_kept_tend(struct ctl_kept *kept)
{
	const gint64 now_us = g_get_monotonic_time();

	for (guint i = kept->results->len; i-- > 0;)
		if (now_us - at(kept, i)->asked_us > CTL_KEPT_S * G_USEC_PER_SEC)
			drop(kept, i);
}

void ctl_kept_add(struct ctl_kept *kept, uint64_t number, void *data)
{
	const struct result result = {
		.number = number, .data = data, .asked_us = g_get_monotonic_time()};
	guint oldest = 0;

	for (guint i = 1; i < kept->results->len; i++)
		if (at(kept, i)->asked_us < at(kept, oldest)->asked_us)
			oldest = i;
	if (kept->results->len == kept->n_max)
		drop(kept, oldest);
	g_array_append_val(kept->results, result);
}

void *ctl_kept_get(struct ctl_kept *kept, uint64_t number)
{
	ctl_kept_tend(kept);
	for (guint i = 0; i < kept->results->len; i++) {
		if (at(kept, i)->number != number)
			continue;
		at(kept, i)->asked_us = g_get_monotonic_time();
		return at(kept, i)->data;
	}
	return NULL;
}

void ctl_kept_cursor(uint64_t number, size_t row, char ret_text[CTL_KEPT_CURSOR_MAX])
{
	(void)g_snprintf(ret_text, CTL_KEPT_CURSOR_MAX, "%" PRIu64 ":%zu", number, row);
}

bool ctl_kept_read_cursor(const char *text, uint64_t *ret_number, size_t *ret_row)
{
	const char *colon = strchr(text, ':');
	g_autofree char *number = NULL;
	guint64 n, row;

	if (colon == NULL || strlen(text) >= CTL_KEPT_CURSOR_MAX)
		return false;
	number = g_strndup(text, (gsize)(colon - text));
	if (!g_ascii_string_to_unsigned(number, 10, 1, UINT64_MAX, &n, NULL) ||
		!g_ascii_string_to_unsigned(colon + 1, 10, 0, SIZE_MAX, &row, NULL))
		return false;
	*ret_number = n;
	*ret_row = row;
	return true;
}
