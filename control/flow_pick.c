// SPDX-License-Identifier: BSD-3-Clause
#include "control/flow_pick.h"

#include <glib.h>
#include <string.h>

/* What decides on the order of two. */
struct turn {
	uint64_t bytes, first_ns;
	uint32_t row; // where its note is
};

struct ctl_flow_pick {
	size_t n_kept, n;
	struct turn *turns; // n; a heap with the one to go next on top, until they are in order
	struct dp_record *rows; // room for n_kept; touched as they come
	struct ctl_flow_totals totals;
};

struct ctl_flow_pick *ctl_flow_pick_new(size_t n_kept)
{
	struct ctl_flow_pick *p = g_new0(struct ctl_flow_pick, 1);

	p->n_kept = n_kept;
	p->turns = g_new(struct turn, n_kept);
	p->rows = g_new(struct dp_record, n_kept);
	return p;
}

void ctl_flow_pick_free(struct ctl_flow_pick *p)
{
	if (p == NULL)
		return;
	g_free(p->turns);
	g_free(p->rows);
	g_free(p);
}

uint64_t ctl_flow_bytes(const struct dp_record *note, bool is_up)
{
	return note->note.bytes[is_up == note->note.server_is_src];
}

static uint64_t sum(const uint64_t both[2])
{
	return both[0] + both[1];
}

/* Rows at last, so that the order is one, whatever qsort() does. */
static int compare(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	if (x->first_ns != y->first_ns)
		return x->first_ns > y->first_ns ? 1 : -1;
	return (x->row > y->row) - (x->row < y->row);
}

static void swap(struct turn *a, struct turn *b)
{
	const struct turn t = *a;

	*a = *b;
	*b = t;
}

static void sift_up(struct ctl_flow_pick *p, size_t i)
{
	for (; i > 0 && compare(&p->turns[i], &p->turns[(i - 1) / 2]) > 0; i = (i - 1) / 2)
		swap(&p->turns[i], &p->turns[(i - 1) / 2]);
}

static void sift_down(struct ctl_flow_pick *p)
{
	for (size_t i = 0, child = 1; child < p->n; i = child, child = 2 * i + 1) {
		if (child + 1 < p->n && compare(&p->turns[child + 1], &p->turns[child]) > 0)
			child++;
		if (compare(&p->turns[child], &p->turns[i]) < 0)
			return;
		swap(&p->turns[child], &p->turns[i]);
	}
}

void ctl_flow_pick_add(struct ctl_flow_pick *p, const struct dp_record *note)
{
	struct turn turn = {.bytes = sum(note->note.bytes), .first_ns = note->note.first_ns};

	p->totals.flows++;
	p->totals.up_bytes += ctl_flow_bytes(note, true);
	p->totals.down_bytes += ctl_flow_bytes(note, false);
	p->totals.packets += sum(note->note.packets);
	if (p->n < p->n_kept) {
		turn.row = (uint32_t)p->n++;
		p->turns[turn.row] = turn;
		sift_up(p, turn.row);
	} else {
		turn.row = p->turns[0].row;
		if (compare(&turn, &p->turns[0]) >= 0)
			return;
		p->turns[0] = turn;
		sift_down(p);
	}
	dp_record_copy(&p->rows[turn.row], note);
}

void ctl_flow_pick_seal(struct ctl_flow_pick *p)
{
	qsort(p->turns, p->n, sizeof(*p->turns), compare);
}

size_t ctl_flow_pick_count(const struct ctl_flow_pick *p)
{
	return p->n;
}

const struct dp_record *ctl_flow_pick_at(const struct ctl_flow_pick *p, size_t i)
{
	return &p->rows[p->turns[i].row];
}

struct ctl_flow_totals ctl_flow_pick_totals(const struct ctl_flow_pick *p)
{
	return p->totals;
}
