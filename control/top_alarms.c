// SPDX-License-Identifier: BSD-3-Clause
#include "control/top_alarms.h"

#include "control/top_text.h"

#include <stdarg.h>
#include <string.h>

const char *const ctl_top_severity_names[] = {
	[CTL_TOP_BAD] = "bad",
	[CTL_TOP_WATCH] = "watch",
	[CTL_TOP_NOTE] = "note",
};

// Start values.
static const double WORKER_FULL = 0.9; // of a thread's time
static const double UNEVEN = 2; // of the busiest over the mean, when it has something to do
static const double UNEVEN_LOAD = 0.3;
static const double STORE_FULL = 0.9;
static const double RESTART_TOLD_S = 600;
static const uint64_t LOSS_TOLD_NS = 60ULL * 1000000000;
static const double TAKEN_PS = 10; // of the CPU from a thread that loses frames
static const double QUIET_S = 1; // less says little of a port with little traffic

[[gnu::format(printf, 3, 4)]] static void add(
	GArray *alarms, enum ctl_top_severity severity, const char *fmt, ...)
{
	struct ctl_top_alarm alarm = {.severity = severity};
	char whole[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(whole, sizeof(whole), fmt, ap);
	va_end(ap);
	ctl_top_copy(alarm.text, sizeof(alarm.text), whole); // cut between characters
	g_array_append_val(alarms, alarm);
}

/* Does the kernel give the CPU of who should have taken these frames to somebody else? Then it is not too slow, and
 * its load says nothing. */
static bool is_cpu_taken(const struct ctl_top_view *view, const struct ctl_top_loss *loss)
{
	if (strcmp(loss->what, "queue_full") == 0) {
		for (guint i = 0; i < view->workers->len; i++) {
			if (ctl_top_row(ctl_top_worker_row, view->workers, i)->taken_ps >= TAKEN_PS)
				return true;
		}
		return false;
	}
	for (guint i = 0; i < view->ports->len; i++) {
		const struct ctl_top_port_row *port = ctl_top_row(ctl_top_port_row, view->ports, i);

		if (g_str_has_prefix(loss->part, "port:") &&
			strcmp(loss->part + strlen("port:"), port->now.name) == 0)
			return port->taken_ps >= TAKEN_PS;
	}
	return false;
}

/* What to do about it, in as many words as a line has. */
static const char *remedy_of(const struct ctl_top_view *view, const struct ctl_top_loss *loss)
{
	if (strcmp(loss->what, "no_room") == 0)
		return "the usage table is full";
	if (strcmp(loss->what, "queue_full") == 0)
		return is_cpu_taken(view, loss) ? "others take a worker's CPU"
						: "a worker cannot keep up";
	return is_cpu_taken(view, loss) ? "others take its CPU" : "the receiver cannot keep up";
}

/* It may go on: with breaks of less than a minute it is one. */
static void add_loss_before(GArray *alarms, const struct ctl_top_view *view)
{
	const uint64_t now_ns = view->now->node.now_ns;
	char since[CTL_TOP_FIGURE_MAX], last[CTL_TOP_FIGURE_MAX];

	if (view->lost_last_ns > 0 && now_ns - view->lost_last_ns < LOSS_TOLD_NS)
		add(alarms, CTL_TOP_WATCH, "frames were lost from %s to %s",
			ctl_top_clock(view->lost_since_ns, since),
			ctl_top_clock(view->lost_last_ns, last));
}

static void add_losses(GArray *alarms, const struct ctl_top_view *view)
{
	char ps[CTL_TOP_FIGURE_MAX], share[CTL_TOP_FIGURE_MAX], since[CTL_TOP_FIGURE_MAX];
	guint n = 0;

	if (!(view->lost_ps > 0)) {
		add_loss_before(alarms, view);
		return;
	}
	for (guint i = 0; i < view->losses->len && n < 2; i++) {
		const struct ctl_top_loss *loss = ctl_top_row(ctl_top_loss, view->losses, i);

		if (!(loss->ps > 0))
			continue;
		n++;
		add(alarms, CTL_TOP_BAD, "%s %s: %s frames/s since %s, %s", loss->part, loss->what,
			ctl_top_si(loss->ps, ps), ctl_top_clock(loss->since_ns, since),
			remedy_of(view, loss));
	}
	if (n == 0)
		add(alarms, CTL_TOP_BAD, "%s frames/s are lost (%s) since %s",
			ctl_top_si(view->lost_ps, ps), ctl_top_share(view->lost_share, share),
			ctl_top_clock(view->lost_since_ns, since));
}

static void add_ports(GArray *alarms, const struct ctl_top_view *view)
{
	for (guint i = 0; i < view->ports->len; i++) {
		const struct ctl_top_port_row *row = ctl_top_row(ctl_top_port_row, view->ports, i);
		const struct ctl_top_port *p = &row->now;

		if (strcmp(p->state, "up") != 0)
			add(alarms, CTL_TOP_BAD, "port %s %s: %s", p->name, p->state, p->cause);
		else if (row->frames_ps == 0 && view->seconds >= QUIET_S)
			add(alarms, CTL_TOP_WATCH, "port %s is up and gets no frame", p->name);
	}
}

static void add_workers(GArray *alarms, const struct ctl_top_view *view)
{
	char text[CTL_TOP_FIGURE_MAX];

	for (guint i = 0; i < view->workers->len; i++) {
		const struct ctl_top_worker_row *row = ctl_top_row(
			ctl_top_worker_row, view->workers, i);
		const unsigned long long n = row->now.number;

		if (row->postponed_ps > 0)
			add(alarms, CTL_TOP_WATCH,
				"worker %llu postpones %s records/s: control is behind", n,
				ctl_top_si(row->postponed_ps, text));
		if (row->load >= WORKER_FULL)
			add(alarms, CTL_TOP_WATCH, "worker %llu is busy %s of its time", n,
				ctl_top_share(MIN(row->load, 1), text));
		if (row->now.of_mean >= UNEVEN && row->load >= UNEVEN_LOAD)
			add(alarms, CTL_TOP_WATCH, "worker %llu has %.1f times the mean's packets",
				n, MIN(row->now.of_mean, 999));
		if (row->evicted_ps > 0)
			add(alarms, CTL_TOP_WATCH,
				"worker %llu ends %s flows/s early: its table is full", n,
				ctl_top_si(row->evicted_ps, text));
	}
	if (view->n_swapping > 0)
		add(alarms, CTL_TOP_NOTE,
			"the catalogue is being swapped: %u of %u workers at it, %s places to go",
			view->n_swapping, view->workers->len,
			ctl_top_si((double)view->to_resolve, text));
}

static void add_redis(GArray *alarms, const struct ctl_top_sample *now)
{
	const struct ctl_top_redis *r = &now->redis;
	char text[CTL_TOP_FIGURE_MAX], since[CTL_TOP_FIGURE_MAX];

	if (!now->was_told[CTL_TOP_REDIS])
		return;
	if (r->is_full)
		add(alarms, CTL_TOP_BAD, "the outbox is full: new triggers are refused, %s so far",
			ctl_top_count(r->refused, text));
	if (strcmp(r->state, "ready") != 0)
		add(alarms, CTL_TOP_BAD, "redis %s since %s, %s triggers wait%s%s", r->state,
			ctl_top_clock(ctl_top_time(r->since), since),
			ctl_top_count(r->waiting, text), r->last_error[0] != '\0' ? ": " : "",
			r->last_error);
}

static void add_store(GArray *alarms, const struct ctl_top_sample *now)
{
	const struct ctl_top_store *s = &now->store;
	char text[CTL_TOP_FIGURE_MAX], since[CTL_TOP_FIGURE_MAX];

	if (!now->was_told[CTL_TOP_STORE])
		return;
	if (strcmp(s->state, "failing") == 0)
		add(alarms, CTL_TOP_BAD, "store failing since %s, %s ticks wait: %s",
			ctl_top_clock(ctl_top_time(s->since), since),
			ctl_top_count(s->waiting, text), s->cause);
	if (s->size_max > 0 && (double)s->used_bytes >= STORE_FULL * (double)s->size_max)
		add(alarms, CTL_TOP_WATCH, "the store is full to %s",
			ctl_top_share(MIN((double)s->used_bytes / (double)s->size_max, 1), text));
}

static void add_process(GArray *alarms, const struct ctl_top_view *view)
{
	const struct ctl_top_node *node = &view->now->node;
	char text[CTL_TOP_FIGURE_MAX], when[CTL_TOP_FIGURE_MAX];

	if (view->ledger_off != 0)
		add(alarms, CTL_TOP_BAD,
			"the ledger does not add up by %lld frames: report it (SECURITY.md)",
			(long long)view->ledger_off);
	if (view->stalled_s > 0)
		add(alarms, CTL_TOP_BAD, "nothing is counted since %s: control is held up",
			ctl_top_span(view->stalled_s, text));
	if (view->n_restarts > 0 && (double)node->uptime_us / 1e6 < RESTART_TOLD_S)
		add(alarms, CTL_TOP_WATCH, "wirecue was started anew %s ago, seen at %s",
			ctl_top_span((double)node->uptime_us / 1e6, text),
			ctl_top_clock(view->restarted_ns, when));
}

/* What is not known looks like health. */
static void add_untold(GArray *alarms, const struct ctl_top_sample *now)
{
	g_autoptr(GString) untold = g_string_new(NULL);

	for (int what = 0; what < CTL_TOP_WHAT_COUNT; what++) {
		if (!now->was_told[what])
			g_string_append_printf(
				untold, "%s%s", untold->len > 0 ? ", " : "", ctl_top_whats[what]);
	}
	if (untold->len > 0)
		add(alarms, CTL_TOP_WATCH,
			"not told, so not looked at: %s; is the daemon of the version of this top?",
			untold->str);
}

static int worst_first(const void *a, const void *b)
{
	const struct ctl_top_alarm *x = a, *y = b;

	return (int)x->severity - (int)y->severity;
}

GArray *ctl_top_alarms(const struct ctl_top_view *view)
{
	GArray *alarms = g_array_new(FALSE, TRUE, sizeof(struct ctl_top_alarm));

	if (view->now == NULL)
		return alarms;
	add_losses(alarms, view);
	add_ports(alarms, view);
	add_redis(alarms, view->now);
	add_store(alarms, view->now);
	add_process(alarms, view);
	add_untold(alarms, view->now);
	add_workers(alarms, view);
	g_array_sort(alarms, worst_first); // stable: in the order of the path within a severity
	return alarms;
}
