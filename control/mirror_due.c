// SPDX-License-Identifier: BSD-3-Clause
#include "control/mirror_due.h"

#include <glib.h>

enum {
	DECISECOND_NS = 100000000,
	NOW_FIRST = 10, // 0 has a meaning
	PASS_MIN =
		2, // deciseconds between the begins of two passes, so that resting ones cost little
	SCAN_MAX = 4096, // resting ones looked at in a call
	AGAIN_MAX = 8192, // profiles looked at in a turn, when all are written again: about 0.5 ms
	BURST_PER_S = 10, // at most a tenth of a second's budget is saved up
	MARKS_FIRST = 1024,
};

void ctl_due_init(struct ctl_due *due, struct ctl_engine *engine, uint64_t interval_ns)
{
	*due = (struct ctl_due){
		.engine = engine,
		.interval = (uint32_t)(interval_ns / DECISECOND_NS),
		.now = NOW_FIRST,
	};
}

void ctl_due_fini(struct ctl_due *due)
{
	g_free(due->marks);
	due->marks = NULL;
}

struct ctl_due_mark *ctl_due_mark(struct ctl_due *due, uint64_t id)
{
	if (id >= due->n_marks) {
		const uint64_t n = MAX(
			MAX(due->n_marks + due->n_marks / 2, id + 1), (uint64_t)MARKS_FIRST);

		due->marks = g_renew(struct ctl_due_mark, due->marks, n);
		for (uint64_t i = due->n_marks; i < n; i++)
			due->marks[i] = (struct ctl_due_mark){0};
		due->n_marks = n;
	}
	return &due->marks[id];
}

double ctl_due_rate(uint64_t n_due, uint32_t interval)
{
	return CLAMP(
		(double)n_due * 10 / interval, (double)CTL_DUE_RATE_MIN, (double)CTL_DUE_RATE_MAX);
}

static void earn(struct ctl_due *due, uint64_t elapsed_ns)
{
	// A pass keeps its pace to the end, though fewer and fewer are left of it.
	const double rate = ctl_due_rate(
		MAX(ctl_engine_n_unpublished(due->engine), due->n_pass), due->interval);

	due->budget = MIN(due->budget + rate * (double)elapsed_ns / 1e9, rate / BURST_PER_S);
}

/* All marks are looked at once an interval; what a mark says may then be an interval old. */
static void look_at_time(struct ctl_due *due, uint64_t elapsed_ns)
{
	const uint64_t now_s = ctl_engine_now(due->engine) / 1000000000;
	const double share = MIN((double)elapsed_ns / DECISECOND_NS / due->interval, 1.0);
	uint64_t n = (uint64_t)((double)due->n_marks * share) + 1;

	for (; n > 0 && due->n_marks > 0; n--) {
		struct ctl_due_mark *mark = &due->marks[due->clock_hand];

		if (mark->change_s != 0 && mark->change_s <= now_s) {
			mark->change_s = 0;
			ctl_engine_set_unpublished(due->engine, due->clock_hand);
		}
		due->clock_hand = (due->clock_hand + 1) % due->n_marks;
	}
}

static void write_again(struct ctl_due *due)
{
	const uint64_t end = MIN(due->again + AGAIN_MAX, ctl_engine_n_ids(due->engine) + 1);

	for (; due->again < end; due->again++) {
		struct ctl_due_mark *mark = ctl_due_mark(due, due->again);

		if (mark->written < due->again_since ||
			!ctl_engine_has_person(due->engine, due->again))
			continue;
		mark->written = 0;
		if (due->again_since == 0)
			mark->month = 0;
		ctl_engine_set_unpublished(due->engine, due->again);
	}
	if (due->again > ctl_engine_n_ids(due->engine))
		due->again = 0;
}

void ctl_due_turn(struct ctl_due *due, uint64_t now_ns)
{
	uint64_t elapsed_ns;

	if (due->began_ns == 0)
		due->began_ns = due->turned_ns = now_ns;
	elapsed_ns = now_ns - due->turned_ns;
	due->turned_ns = now_ns;
	due->now = NOW_FIRST + (uint32_t)((now_ns - due->began_ns) / DECISECOND_NS);
	earn(due, elapsed_ns);
	look_at_time(due, elapsed_ns);
	if (due->again != 0)
		write_again(due);
}

bool ctl_due_take(struct ctl_due *due)
{
	if (due->budget < 1)
		return false;
	due->budget -= 1;
	return true;
}

static bool is_resting(struct ctl_due *due, uint64_t id)
{
	const uint32_t written = ctl_due_mark(due, id)->written;

	return written != 0 && due->now - written <= due->interval; // each is cut to deciseconds
}

uint64_t ctl_due_next(struct ctl_due *due)
{
	if (due->budget < 1)
		return CTL_DUE_NOBODY;
	if (due->hand == 0 && due->pass != 0 && due->now - due->pass < PASS_MIN)
		return CTL_DUE_NOBODY;
	if (due->hand == 0) {
		due->pass = due->now;
		due->n_pass = ctl_engine_n_unpublished(due->engine);
	}
	for (int i = 0; i < SCAN_MAX; i++) {
		const uint64_t id = ctl_engine_unpublished(due->engine, due->hand);

		due->hand = id == UINT64_MAX ? 0 : id + 1;
		if (id == UINT64_MAX) {
			due->n_pass = 0;
			break;
		}
		if (!ctl_engine_has_person(due->engine, id)) {
			ctl_engine_set_published(due->engine, id);
		} else if (!is_resting(due, id)) {
			due->budget -= 1;
			ctl_due_mark(due, id)->written = due->now;
			ctl_engine_set_published(due->engine, id);
			return id;
		}
	}
	return CTL_DUE_NOBODY;
}

void ctl_due_failed(struct ctl_due *due, uint64_t id)
{
	ctl_due_mark(due, id)->written = 0;
	ctl_engine_set_unpublished(due->engine, id);
}

void ctl_due_again(struct ctl_due *due, uint32_t since)
{
	if (due->again == 0 || since < due->again_since)
		due->again_since = since;
	due->again = 1;
}
