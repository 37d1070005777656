// SPDX-License-Identifier: BSD-3-Clause
#include "control/top_model.h"

#include "control/top_counted.h"
#include "control/top_lately.h"
#include "control/top_loss.h"

#include <math.h>
#include <string.h>

struct ctl_top_model {
	struct ctl_top_sample *now; // owned; NULL before the first
	struct ctl_top_counted counted;
	struct ctl_top_losses losses;
	struct ctl_top_lately lately;
	struct ctl_top_view view;
};

static const struct ctl_top_point hole = {NAN, NAN, NAN, NAN, NAN};

struct ctl_top_model *ctl_top_model_new(void)
{
	struct ctl_top_model *m = g_new0(struct ctl_top_model, 1);
	struct ctl_top_view *v = &m->view;

	v->ports = g_array_new(FALSE, TRUE, sizeof(struct ctl_top_port_row));
	v->workers = g_array_new(FALSE, TRUE, sizeof(struct ctl_top_worker_row));
	v->apps = g_array_new(FALSE, TRUE, sizeof(struct ctl_top_app_row));
	v->losses = g_array_new(FALSE, TRUE, sizeof(struct ctl_top_loss));
	v->outcomes = g_array_new(FALSE, TRUE, sizeof(struct ctl_top_outcome_row));
	v->triggers = g_array_new(FALSE, TRUE, sizeof(struct ctl_top_decision_row));
	v->seconds = v->wire_bps = v->frames_ps = v->up_pps = v->down_pps = NAN;
	v->up_bps = v->down_bps = v->lost_ps = v->lost_share = NAN;
	v->unknown_share = v->undecided_share = v->unknown_share_total = NAN;
	return m;
}

void ctl_top_model_free(struct ctl_top_model *m)
{
	if (m == NULL)
		return;
	ctl_top_sample_free(m->now);
	ctl_top_counted_fini(&m->counted);
	ctl_top_losses_fini(&m->losses);
	ctl_top_lately_fini(&m->lately);
	g_array_free(m->view.ports, TRUE);
	g_array_free(m->view.workers, TRUE);
	g_array_free(m->view.apps, TRUE);
	g_array_free(m->view.losses, TRUE);
	g_array_free(m->view.outcomes, TRUE);
	g_array_free(m->view.triggers, TRUE);
	g_free(m);
}

double ctl_top_rate(uint64_t now, uint64_t before, double seconds)
{
	return now >= before && seconds > 0 ? (double)(now - before) / seconds : NAN;
}

static bool is_same_process(const struct ctl_top_node *a, const struct ctl_top_node *b)
{
	return a->pid == b->pid && strcmp(a->started, b->started) == 0 &&
		a->uptime_us >= b->uptime_us;
}

static const struct ctl_top_port *port_of(const struct ctl_top_sample *s, const char *name)
{
	for (guint i = 0; s != NULL && i < s->ports->len; i++) {
		if (strcmp(ctl_top_row(ctl_top_port, s->ports, i)->name, name) == 0)
			return ctl_top_row(ctl_top_port, s->ports, i);
	}
	return NULL;
}

static void take_ports(struct ctl_top_view *view, const struct ctl_top_sample *before,
	const struct ctl_top_sample *now)
{
	g_array_set_size(view->ports, 0);
	view->wire_bps = view->frames_ps = view->up_pps = view->down_pps = now->ports->len > 0
		? 0
		: NAN;
	for (guint i = 0; i < now->ports->len; i++) {
		struct ctl_top_port_row row = {.now = *ctl_top_row(ctl_top_port, now->ports, i)};
		const struct ctl_top_port *p = &row.now, *old = port_of(before, p->name);
		const double s = old != NULL ? view->seconds : NAN;

		old = old != NULL ? old : p;
		row.frames_ps = ctl_top_rate(p->frames, old->frames, s);
		row.wire_bps = 8 * ctl_top_rate(p->bytes, old->bytes, s);
		row.up_pps = ctl_top_rate(p->up_packets, old->up_packets, s);
		row.down_pps = ctl_top_rate(p->down_packets, old->down_packets, s);
		row.lost_ps = ctl_top_rate(p->lost, old->lost, s);
		row.load = ctl_top_rate(p->busy_ms, old->busy_ms, s) / 1000;
		row.taken_ps = ctl_top_rate(p->disturbed, old->disturbed, s);
		view->frames_ps += row.frames_ps;
		view->wire_bps += row.wire_bps;
		view->up_pps += row.up_pps;
		view->down_pps += row.down_pps;
		g_array_append_val(view->ports, row);
	}
}

static const struct ctl_top_worker *worker_of(const struct ctl_top_sample *s, uint64_t number)
{
	for (guint i = 0; s != NULL && i < s->workers->len; i++) {
		if (ctl_top_row(ctl_top_worker, s->workers, i)->number == number)
			return ctl_top_row(ctl_top_worker, s->workers, i);
	}
	return NULL;
}

/* A swap is over when every worker has taken it and judged its flows anew. */
static void add_swaps(struct ctl_top_view *view)
{
	uint64_t newest = 0;

	for (guint i = 0; i < view->workers->len; i++)
		newest = MAX(
			newest, ctl_top_row(ctl_top_worker_row, view->workers, i)->now.catalogues);
	view->n_swapping = 0;
	view->to_resolve = 0;
	for (guint i = 0; i < view->workers->len; i++) {
		struct ctl_top_worker_row *row = ctl_top_row(ctl_top_worker_row, view->workers, i);

		row->is_swapping = row->now.catalogues < newest || row->now.to_resolve > 0;
		view->n_swapping += row->is_swapping;
		view->to_resolve += row->now.to_resolve;
	}
}

static void take_workers(struct ctl_top_view *view, const struct ctl_top_sample *before,
	const struct ctl_top_sample *now)
{
	g_array_set_size(view->workers, 0);
	view->busiest = 0;
	for (guint i = 0; i < now->workers->len; i++) {
		struct ctl_top_worker_row row = {
			.now = *ctl_top_row(ctl_top_worker, now->workers, i)};
		const struct ctl_top_worker *w = &row.now, *old = worker_of(before, w->number);
		const double s = old != NULL ? view->seconds : NAN;

		old = old != NULL ? old : w;
		row.packets_ps = ctl_top_rate(w->packets, old->packets, s);
		row.bps = 8 * ctl_top_rate(w->ip_bytes, old->ip_bytes, s);
		row.flows_ps = ctl_top_rate(w->flows, old->flows, s);
		row.evicted_ps = ctl_top_rate(w->flows_evicted, old->flows_evicted, s);
		row.postponed_ps = ctl_top_rate(w->postponed, old->postponed, s);
		row.load = ctl_top_rate(w->busy_ms, old->busy_ms, s) / 1000;
		row.taken_ps = ctl_top_rate(w->disturbed, old->disturbed, s);
		view->busiest = MAX(view->busiest, w->of_mean);
		g_array_append_val(view->workers, row);
	}
	add_swaps(view);
}

static void add_point(struct ctl_top_view *view, const struct ctl_top_point *point)
{
	if (view->n_history == CTL_TOP_HISTORY_MAX) {
		memmove(view->history, view->history + 1,
			sizeof(view->history) - sizeof(view->history[0]));
		view->n_history--;
	}
	view->history[view->n_history++] = *point;
}

/* Another process counts from zero. What it lost before is its own. */
static void begin_anew(struct ctl_top_model *m, const struct ctl_top_sample *now)
{
	ctl_top_counted_forget(&m->counted);
	ctl_top_losses_fini(&m->losses);
	ctl_top_lately_fini(&m->lately);
	m->view.n_restarts++;
	m->view.restarted_ns = now->node.now_ns;
}

void ctl_top_model_take(struct ctl_top_model *m, struct ctl_top_sample *given)
{
	struct ctl_top_sample *before = m->now;
	struct ctl_top_view *view = &m->view;

	if (before != NULL && !is_same_process(&given->node, &before->node)) {
		ctl_top_sample_free(before);
		before = NULL;
		begin_anew(m, given);
	}
	m->now = given;
	view->now = given;
	view->state = before != NULL ? CTL_TOP_RATES : CTL_TOP_FIRST;
	view->seconds = before != NULL
		? (double)(given->node.uptime_us - before->node.uptime_us) / 1e6
		: NAN;
	take_ports(view, before, given);
	take_workers(view, before, given);
	ctl_top_losses_take(&m->losses, before, given, view);
	ctl_top_counted_take(&m->counted, given, view);
	ctl_top_lately_take(&m->lately, given, view);
	add_point(view,
		&(struct ctl_top_point){view->up_bps, view->down_bps, view->wire_bps,
			view->frames_ps, view->lost_ps});
	ctl_top_sample_free(before);
}

void ctl_top_model_miss(struct ctl_top_model *m)
{
	add_point(&m->view, &hole);
}

const struct ctl_top_view *ctl_top_model_view(const struct ctl_top_model *m)
{
	return &m->view;
}
