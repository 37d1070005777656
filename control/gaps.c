// SPDX-License-Identifier: BSD-3-Clause
#include "control/gaps.h"

#include "control/pack.h"
#include "control/utc.h"

#include <errno.h>
#include <glib.h>

struct entry {
	struct ctl_gap gap;
	bool is_unsaved;
};

struct ctl_gaps {
	GArray *list; // struct entry, oldest first
	uint64_t gone; // begin of the last that had to go since the last save
	bool has_gone;
};

struct ctl_gaps *ctl_gaps_new(void)
{
	struct ctl_gaps *gaps = g_new0(struct ctl_gaps, 1);

	gaps->list = g_array_new(FALSE, FALSE, sizeof(struct entry));
	return gaps;
}

void ctl_gaps_free(struct ctl_gaps *gaps)
{
	if (gaps == NULL)
		return;
	g_array_unref(gaps->list);
	g_free(gaps);
}

static struct entry *entry_at(const struct ctl_gaps *gaps, guint i)
{
	return &g_array_index(gaps->list, struct entry, i);
}

/* The one that begins then, or NULL. Those that are looked for are mostly new. */
static struct entry *find(const struct ctl_gaps *gaps, uint64_t from_ns)
{
	for (guint i = gaps->list->len; i > 0; i--)
		if (entry_at(gaps, i - 1)->gap.from_ns == from_ns)
			return entry_at(gaps, i - 1);
	return NULL;
}

static void append(struct ctl_gaps *gaps, const struct ctl_gap *gap)
{
	const struct entry entry = {.gap = *gap, .is_unsaved = true};

	if (gaps->list->len == CTL_GAPS_MAX) {
		gaps->gone = entry_at(gaps, 0)->gap.from_ns;
		gaps->has_gone = true;
		g_array_remove_index(gaps->list, 0);
	}
	g_array_append_val(gaps->list, entry);
}

/* Of two starts with nothing kept between them: one gap, as in the store. */
static void put(struct ctl_gaps *gaps, const struct ctl_gap *gap)
{
	if (!ctl_gaps_change(gaps, gap))
		append(gaps, gap);
}

void ctl_gaps_begin(struct ctl_gaps *gaps, struct ctl_gap *gap)
{
	while (find(gaps, gap->from_ns) != NULL)
		gap->from_ns++;
	append(gaps, gap);
}

bool ctl_gaps_change(struct ctl_gaps *gaps, const struct ctl_gap *gap)
{
	struct entry *entry = find(gaps, gap->from_ns);

	if (entry == NULL)
		return false;
	*entry = (struct entry){.gap = *gap, .is_unsaved = true};
	return true;
}

static void save(const struct ctl_gap *gap, struct ctl_batch *batch)
{
	struct ctl_pack pack = {0};

	ctl_pack_u64(&pack, gap->to_ns);
	ctl_pack_text(&pack, gap->cause);
	ctl_batch_put(batch, CTL_TABLE_GAPS, gap->from_ns, pack.data, pack.len);
	ctl_pack_fini(&pack);
}

void ctl_gaps_save(struct ctl_gaps *gaps, struct ctl_batch *batch)
{
	for (guint i = 0; i < gaps->list->len; i++) {
		struct entry *entry = entry_at(gaps, i);

		if (entry->is_unsaved)
			save(&entry->gap, batch);
		entry->is_unsaved = false;
	}
	if (gaps->has_gone)
		ctl_batch_cut(batch, CTL_TABLE_GAPS, gaps->gone);
	gaps->has_gone = false;
}

void ctl_gaps_add(struct ctl_gaps *gaps, const struct ctl_gap *gap, struct ctl_batch *batch)
{
	put(gaps, gap);
	if (batch != NULL)
		ctl_gaps_save(gaps, batch);
}

int ctl_gaps_load(void *ctx, uint64_t key, const void *value, size_t len)
{
	struct ctl_unpack in = ctl_unpack_of(value, len);
	struct ctl_gap gap = {.from_ns = key, .to_ns = ctl_unpack_u64(&in)};
	g_autofree char *cause = ctl_unpack_text(&in, sizeof(gap.cause) - 1);
	struct ctl_gaps *gaps = ctx;

	if (in.is_bad || ctl_unpack_has_more(&in) || gap.to_ns < gap.from_ns)
		return -EBADMSG;
	(void)g_strlcpy(gap.cause, cause, sizeof(gap.cause));
	put(gaps, &gap);
	find(gaps, key)->is_unsaved = false;
	return 0;
}

size_t ctl_gaps_count(const struct ctl_gaps *gaps)
{
	return gaps->list->len;
}

const struct ctl_gap *ctl_gaps_at(const struct ctl_gaps *gaps, size_t i)
{
	return &entry_at(gaps, (guint)i)->gap;
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
				(double)((gap->to_ns - gap->from_ns + 500000) / 1000000) / 1000,
				"cause", gap->cause));
	}
	return array;
}
