// SPDX-License-Identifier: BSD-3-Clause
#include "control/qualities.h"

#include "control/addr_hash.h"
#include "control/subject.h"
#include "control/whose.h"

#include <string.h>

struct ctl_qualities {
	const struct ctl_config *config;
	struct ctl_whose *whose;
	GHashTable *by_person; // struct ctl_person, borrowed -> struct ctl_quality, owned
	GHashTable *by_endpoint; // struct dp_addr, owned -> the same
	struct ctl_quality other; // of endpoints beyond the bound
};

struct ctl_qualities *ctl_qualities_new(const struct ctl_config *config, struct ctl_whose *whose)
{
	struct ctl_qualities *q = g_new0(struct ctl_qualities, 1);

	q->config = config;
	q->whose = whose;
	q->by_person = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	q->by_endpoint = g_hash_table_new_full(ctl_addr_hash, ctl_addr_equal, g_free, g_free);
	return q;
}

void ctl_qualities_free(struct ctl_qualities *q)
{
	if (q == NULL)
		return;
	g_hash_table_unref(q->by_person);
	g_hash_table_unref(q->by_endpoint);
	g_free(q);
}

static struct ctl_quality *of_person(struct ctl_qualities *q, const struct ctl_person *person)
{
	struct ctl_quality *sum = g_hash_table_lookup(q->by_person, person);

	if (sum == NULL) {
		sum = g_new0(struct ctl_quality, 1);
		(void)g_hash_table_insert(q->by_person, (gpointer)(uintptr_t)person, sum);
	}
	return sum;
}

static struct ctl_quality *of_endpoint(struct ctl_qualities *q, const struct dp_addr *endpoint)
{
	struct ctl_quality *sum = g_hash_table_lookup(q->by_endpoint, endpoint);

	if (sum != NULL)
		return sum;
	if (g_hash_table_size(q->by_endpoint) >= q->config->n_endpoints)
		return &q->other;
	sum = g_new0(struct ctl_quality, 1);
	(void)g_hash_table_insert(q->by_endpoint, g_memdup2(endpoint, sizeof(*endpoint)), sum);
	return sum;
}

void ctl_qualities_add(struct ctl_qualities *q, const struct dp_record *records, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct dp_record *r = &records[i];
		const struct ctl_person *person;
		bool is_one;

		if (r->kind != DP_RECORD_QUALITY)
			continue;
		person = ctl_whose_credited(
			q->whose, &r->endpoint, r->quality.first_ns, r->quality.last_ns, &is_one);
		ctl_quality_add(
			person != NULL ? of_person(q, person) : of_endpoint(q, &r->endpoint),
			&r->quality);
	}
}

/* Of one name. */
struct line {
	char who[CTL_SUBJECT_MAX];
	const struct ctl_quality *sum; // borrowed
};

static gint line_cmp(gconstpointer a, gconstpointer b)
{
	return strcmp(((const struct line *)a)->who, ((const struct line *)b)->who);
}

static void add_persons(const struct ctl_qualities *q, struct ctl_namer *namer, GArray *lines)
{
	GHashTableIter iter;
	gpointer person, sum;

	g_hash_table_iter_init(&iter, q->by_person);
	while (g_hash_table_iter_next(&iter, &person, &sum)) {
		struct line line = {.sum = sum};

		if (ctl_namer_person(namer, person, line.who, NULL) < 0)
			ctl_subject_by_place(person, line.who);
		g_array_append_val(lines, line);
	}
}

void ctl_qualities_each(const struct ctl_qualities *q,
	void (*row)(void *ctx, const char *subscriber, const struct ctl_quality *sum), void *ctx)
{
	g_autoptr(GArray) lines = g_array_new(FALSE, FALSE, sizeof(struct line));
	const struct line other = {.who = "endpoint:other", .sum = &q->other};
	struct ctl_namer *namer = ctl_namer_new(&q->config->privacy);
	GHashTableIter iter;
	gpointer endpoint, sum;

	add_persons(q, namer, lines);
	g_hash_table_iter_init(&iter, q->by_endpoint);
	while (g_hash_table_iter_next(&iter, &endpoint, &sum)) {
		struct line line = {.sum = sum};

		ctl_namer_endpoint(namer, endpoint, line.who);
		g_array_append_val(lines, line);
	}
	ctl_namer_free(namer);
	g_array_append_val(lines, other);
	g_array_sort(lines, line_cmp);
	for (guint i = 0; i < lines->len; i++) {
		const struct line *line = &g_array_index(lines, struct line, i);

		if (!ctl_quality_is_nothing(line->sum))
			row(ctx, line->who, line->sum);
	}
}

/* Rows, and what most of them have of most: under a scan there is a row for each address, so they share
 * it. */
struct rows {
	json_t *array;
	json_t *zero_pair, *zero_sides;
};

static json_t *pair_json(const uint64_t n[2], const struct rows *r)
{
	if ((n[0] | n[1]) == 0)
		return json_incref(r->zero_pair);
	return json_pack("[I, I]", (json_int_t)n[0], (json_int_t)n[1]);
}

static json_t *rtts_json(const struct ctl_rtts *r)
{
	return json_pack(
		"{s:I, s:I}", "n", (json_int_t)r->n, "mean_us", (json_int_t)ctl_rtts_mean_us(r));
}

static json_t *new_sides(const struct ctl_rtts rtts[2])
{
	return json_pack(
		"{s:o, s:o}", "endpoint", rtts_json(&rtts[0]), "network", rtts_json(&rtts[1]));
}

static json_t *sides_json(const struct ctl_rtts rtts[2], const struct rows *r)
{
	return (rtts[0].n | rtts[1].n) == 0 ? json_incref(r->zero_sides) : new_sides(rtts);
}

static void append(void *ctx, const char *subscriber, const struct ctl_quality *q)
{
	const struct rows *r = ctx;

	(void)json_array_append_new(r->array,
		json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o}", "subscriber", subscriber,
			"segments", pair_json(q->segments, r), "retransmitted",
			pair_json(q->retransmitted, r), "out_of_order",
			pair_json(q->out_of_order, r), "zero_windows",
			pair_json(q->zero_windows, r), "resets", pair_json(q->resets, r),
			"handshakes_failed", (json_int_t)q->handshakes_failed, "handshake_rtt",
			sides_json(q->handshake_rtt, r), "data_rtt", sides_json(q->data_rtt, r)));
}

json_t *ctl_qualities_json(const struct ctl_qualities *q)
{
	const struct ctl_rtts none[2] = {0};
	struct rows r = {.array = json_array(),
		.zero_pair = json_pack("[i, i]", 0, 0),
		.zero_sides = new_sides(none)};

	ctl_qualities_each(q, append, &r);
	json_decref(r.zero_pair);
	json_decref(r.zero_sides);
	return r.array;
}
