// SPDX-License-Identifier: BSD-3-Clause
#include "control/quality.h"

#include <string.h>

static const uint64_t NS_PER_S = 1000000000;

/* Every member is a sum. */
enum { N_SUMS = sizeof(struct ctl_quality) / sizeof(uint64_t) };
static_assert(sizeof(struct ctl_quality) == 19 * sizeof(uint64_t), "only sums, no padding");

void ctl_quality_add(struct ctl_quality *to, const struct dp_quality *from)
{
	for (int i = 0; i < 2; i++) {
		to->segments[i] += from->segments[i];
		to->retransmitted[i] += from->retransmitted[i];
		to->out_of_order[i] += from->out_of_order[i];
		to->zero_windows[i] += from->zero_windows[i];
		to->resets[i] += from->resets[i];
		to->handshake_rtt[i].n += from->n_handshake_rtt[i];
		to->handshake_rtt[i].us += from->handshake_rtt_us[i];
		to->data_rtt[i].n += from->n_data_rtt[i];
		to->data_rtt[i].us += from->data_rtt_us[i];
	}
	to->handshakes_failed += from->handshakes_failed;
}

static void add_sums(struct ctl_quality *to, const struct ctl_quality *from)
{
	uint64_t a[N_SUMS], b[N_SUMS];

	memcpy(a, to, sizeof(a));
	memcpy(b, from, sizeof(b));
	for (int i = 0; i < N_SUMS; i++)
		a[i] += b[i];
	memcpy(to, a, sizeof(a));
}

bool ctl_quality_is_nothing(const struct ctl_quality *q)
{
	static const struct ctl_quality nothing;

	return memcmp(q, &nothing, sizeof(nothing)) == 0;
}

uint64_t ctl_rtts_mean_us(const struct ctl_rtts *rtts)
{
	return rtts->n > 0 ? rtts->us / rtts->n : 0;
}

void ctl_quality_node_tick(
	struct ctl_quality_node *node, uint64_t end_ns, const struct dp_record *records, size_t n)
{
	const uint64_t s = (end_ns - 1) / NS_PER_S, slot = s % CTL_QUALITY_SECONDS;

	node->last_s = s;
	if (node->seconds[slot].s != s) {
		node->seconds[slot].s = s;
		node->seconds[slot].sum = (struct ctl_quality){0};
	}
	for (size_t i = 0; i < n; i++) {
		if (records[i].kind != DP_RECORD_QUALITY)
			continue;
		ctl_quality_add(&node->all, &records[i].quality);
		ctl_quality_add(&node->seconds[slot].sum, &records[i].quality);
	}
}

static json_t *mean_us(const struct ctl_rtts *rtts)
{
	return rtts->n > 0 ? json_integer((json_int_t)ctl_rtts_mean_us(rtts)) : json_null();
}

/* side: 0 is the endpoints', 1 the network's. */
static json_t *row(const char *span, const struct ctl_quality *q, int side)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:o, s:I, s:o}", "span",
		span, "side", side == 0 ? "endpoints" : "network", "segments",
		(json_int_t)q->segments[side], "retransmitted", (json_int_t)q->retransmitted[side],
		"out_of_order", (json_int_t)q->out_of_order[side], "zero_windows",
		(json_int_t)q->zero_windows[side], "resets", (json_int_t)q->resets[side],
		"handshakes_failed",
		side == 0 ? json_integer((json_int_t)q->handshakes_failed) : json_null(),
		"handshakes", (json_int_t)q->handshake_rtt[side].n, "handshake_rtt_us",
		mean_us(&q->handshake_rtt[side]), "round_trips", (json_int_t)q->data_rtt[side].n,
		"data_rtt_us", mean_us(&q->data_rtt[side]));
}

static struct ctl_quality last_minute(const struct ctl_quality_node *node)
{
	struct ctl_quality sum = {0};

	for (int i = 0; i < CTL_QUALITY_SECONDS; i++) {
		if (node->seconds[i].s + CTL_QUALITY_SECONDS > node->last_s)
			add_sums(&sum, &node->seconds[i].sum);
	}
	return sum;
}

json_t *ctl_quality_node_json(const struct ctl_quality_node *node)
{
	const struct ctl_quality minute = last_minute(node);
	json_t *rows = json_array();

	for (int side = 0; side < 2; side++)
		(void)json_array_append_new(rows, row("start", &node->all, side));
	for (int side = 0; side < 2; side++)
		(void)json_array_append_new(rows, row("minute", &minute, side));
	return rows;
}
