// SPDX-License-Identifier: BSD-3-Clause
#include "control/gaps.h"

#include "control/pack.h"
#include "control/utc.h"

#include <errno.h>
#include <glib.h>

struct ctl_gaps {
	GArray *list; // struct ctl_gap, oldest first
};

struct ctl_gaps *ctl_gaps_new(void)
{
	struct ctl_gaps *gaps = g_new0(struct ctl_gaps, 1);

	gaps->list = g_array_new(FALSE, FALSE, sizeof(struct ctl_gap));
	return gaps;
}

void ctl_gaps_free(struct ctl_gaps *gaps)
{
	if (gaps == NULL)
		return;
	g_array_unref(gaps->list);
	g_free(gaps);
}

/* Returns whether the oldest had to go, and its key. */
static bool append(struct ctl_gaps *gaps, const struct ctl_gap *gap, uint64_t *ret_gone)
{
	const guint n = gaps->list->len;
	const bool is_full = n == CTL_GAPS_MAX;

	// Of two starts with nothing kept between them: one gap, as in the store.
	if (n > 0 && g_array_index(gaps->list, struct ctl_gap, n - 1).from_ns == gap->from_ns) {
		g_array_index(gaps->list, struct ctl_gap, n - 1) = *gap;
		return false;
	}
	if (is_full) {
		*ret_gone = g_array_index(gaps->list, struct ctl_gap, 0).from_ns;
		g_array_remove_index(gaps->list, 0);
	}
	g_array_append_vals(gaps->list, gap, 1);
	return is_full;
}

void ctl_gaps_add(struct ctl_gaps *gaps, const struct ctl_gap *gap, struct ctl_batch *batch)
{
	struct ctl_pack pack = {0};
	uint64_t gone;
	const bool is_full = append(gaps, gap, &gone);

	if (batch != NULL) {
		ctl_pack_u64(&pack, gap->to_ns);
		ctl_pack_text(&pack, gap->cause);
		ctl_batch_put(batch, CTL_TABLE_GAPS, gap->from_ns, pack.data, pack.len);
		if (is_full)
			ctl_batch_cut(batch, CTL_TABLE_GAPS, gone);
	}
	ctl_pack_fini(&pack);
}

int ctl_gaps_load(void *ctx, uint64_t key, const void *value, size_t len)
{
	struct ctl_unpack in = ctl_unpack_of(value, len);
	struct ctl_gap gap = {.from_ns = key, .to_ns = ctl_unpack_u64(&in)};
	g_autofree char *cause = ctl_unpack_text(&in, sizeof(gap.cause) - 1);
	uint64_t gone;

	if (in.is_bad || ctl_unpack_has_more(&in) || gap.to_ns < gap.from_ns)
		return -EBADMSG;
	(void)g_strlcpy(gap.cause, cause, sizeof(gap.cause));
	(void)append(ctx, &gap, &gone);
	return 0;
}

size_t ctl_gaps_count(const struct ctl_gaps *gaps)
{
	return gaps->list->len;
}

const struct ctl_gap *ctl_gaps_at(const struct ctl_gaps *gaps, size_t i)
{
	return &g_array_index(gaps->list, struct ctl_gap, i);
}

json_t *ctl_gaps_json(const struct ctl_gaps *gaps)
{
	json_t *array = json_array();

	for (size_t i = 0; i < ctl_gaps_count(gaps); i++) {
		const struct ctl_gap *gap = ctl_gaps_at(gaps, i);
		char from[CTL_UTC_MAX], to[CTL_UTC_MAX];

		ctl_utc_format(gap->from_ns, from);
		ctl_utc_format(gap->to_ns, to);
		// Without memory a row is missing, nothing worse.
		(void)json_array_append_new(array,
			json_pack("{s:s, s:s, s:f, s:s}", "from", from, "to", to, "seconds",
				(double)((gap->to_ns - gap->from_ns) / 1000000) / 1000, "cause",
				gap->cause));
	}
	return array;
}
