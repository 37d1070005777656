// SPDX-License-Identifier: BSD-3-Clause
#include "control/top_draw.h"

#include "control/top_alarms.h"
#include "control/top_text.h"
#include "control/utc.h"

#include <glib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const pane_names[CTL_TOP_PANE_COUNT] = {
	[CTL_TOP_PANE_OVERVIEW] = "overview",
	[CTL_TOP_PANE_TROUBLE] = "trouble",
	[CTL_TOP_PANE_APPS] = "apps",
	[CTL_TOP_PANE_PORTS] = "ports",
	[CTL_TOP_PANE_WORKERS] = "workers",
	[CTL_TOP_PANE_TRIGGERS] = "triggers",
};

/* The table that scrolls. */
static enum ctl_top_table table_of(enum ctl_top_pane pane)
{
	static const enum ctl_top_table scrolling[CTL_TOP_PANE_COUNT] = {
		[CTL_TOP_PANE_OVERVIEW] = CTL_TOP_TABLE_APPS,
		[CTL_TOP_PANE_TROUBLE] = CTL_TOP_TABLE_GAPS,
		[CTL_TOP_PANE_APPS] = CTL_TOP_TABLE_APPS,
		[CTL_TOP_PANE_PORTS] = CTL_TOP_TABLE_PORTS,
		[CTL_TOP_PANE_WORKERS] = CTL_TOP_TABLE_WORKERS,
		[CTL_TOP_PANE_TRIGGERS] = CTL_TOP_TABLE_TRIGGERS,
	};

	return scrolling[pane];
}

static void draw_first_line(
	struct ctl_top_screen *s, const struct ctl_top_view *view, const struct ctl_top_ui *ui)
{
	char up[CTL_TOP_FIGURE_MAX], utc[CTL_UTC_MAX] = "";
	int end = s->n_cols;

	ctl_top_fill(s, 0, CTL_TOP_BAR);
	if (view->now != NULL && view->now->node.now_ns > 0 && s->n_cols >= 40) {
		ctl_utc_format(view->now->node.now_ns, utc);
		utc[10] = ' ';
		utc[19] = '\0'; // without milliseconds
		end = s->n_cols - 1 - (int)strlen("2026-03-01 18:00:00 UTC");
		(void)ctl_top_putf(s, 0, end, CTL_TOP_BAR, "%s UTC", utc);
	}
	if (view->now == NULL) {
		(void)ctl_top_put(s, 0, 1, end - 2, CTL_TOP_BAR, "wirecue top");
		return;
	}
	end = MIN(ctl_top_put(s, 0, 1, end - 2, CTL_TOP_BAR, "wirecue "), end);
	end = ctl_top_put(s, 0, end, MIN(24, s->n_cols - end), CTL_TOP_BAR, view->now->node.name);
	if (s->n_cols < 64)
		return;
	(void)ctl_top_putf(s, 0, end + 2, CTL_TOP_BAR, "up %s",
		ctl_top_span((double)view->now->node.uptime_us / 1e6, up));
	if (ui->is_paused)
		(void)ctl_top_put(s, 0, end + 22, 6, CTL_TOP_ALARM, "PAUSED");
}

static void draw_last_line(struct ctl_top_screen *s, const struct ctl_top_ui *ui)
{
	const int line = s->n_rows - 1;

	ctl_top_fill(s, line, CTL_TOP_BAR);
	(void)ctl_top_putf(s, line, 1, CTL_TOP_BAR,
		"[%s] tab pane  q quit  h help  %s  s sort: %s  +/- %g s  arrows",
		pane_names[ui->pane], ui->is_paused ? "p go on" : "p pause",
		ctl_top_order_names[ui->order], ui->interval_s);
}

static int draw_alarm(
	struct ctl_top_screen *s, int line, int end, const struct ctl_top_alarm *alarm)
{
	static const enum ctl_top_style styles[] = {
		[CTL_TOP_BAD] = CTL_TOP_ALARM,
		[CTL_TOP_WATCH] = CTL_TOP_CAREFUL,
		[CTL_TOP_NOTE] = CTL_TOP_STRONG,
	};
	static const char *const marks[] = {
		[CTL_TOP_BAD] = "!!", [CTL_TOP_WATCH] = "! ", [CTL_TOP_NOTE] = "- "};
	const int col = ctl_top_put(s, line, 1, 3, styles[alarm->severity], marks[alarm->severity]);

	return ctl_top_put_lines(s, line, end, col + 1, styles[alarm->severity], alarm->text);
}

/* Into the lines [line, end). Returns the line behind. */
static int draw_alarms(struct ctl_top_screen *s, int line, int end, const struct ctl_top_view *view,
	const struct ctl_top_ui *ui)
{
	GArray *alarms;
	guint n_shown = 0;

	if (view->now == NULL) {
		if (ui->away == NULL)
			(void)ctl_top_put(s, line++, 1, s->n_cols, CTL_TOP_FAINT, "asking ...");
		return line;
	}
	alarms = ctl_top_alarms(view);
	if (alarms->len == 0)
		(void)ctl_top_put(s, line++, 1, s->n_cols - 1, CTL_TOP_GOOD,
			view->state == CTL_TOP_RATES
				? "ok: no frame is lost, no part is down"
				: "ok so far: rates come with the next answer");
	for (; n_shown < alarms->len && line < end; n_shown++) {
		const guint left = alarms->len - n_shown;

		// Of a single line the worst alarm is more use than how many there are.
		if (left > 1 && line + 1 == end && n_shown > 0) {
			(void)ctl_top_putf(
				s, line++, 1, CTL_TOP_CAREFUL, "!  and %u more: press tab", left);
			break;
		}
		// Those behind it come before its end.
		line = draw_alarm(s, line, MAX(end - (int)left + 1, line + 1),
			ctl_top_row(ctl_top_alarm, alarms, n_shown));
	}
	g_array_free(alarms, TRUE);
	return line;
}

static int draw_away(struct ctl_top_screen *s, int line, const struct ctl_top_ui *ui)
{
	g_autofree char *text = NULL;
	char span[CTL_TOP_FIGURE_MAX];

	if (ui->away == NULL)
		return line;
	text = g_strdup_printf(
		"no answer for %s, trying again: %s", ctl_top_span(ui->away_s, span), ui->away);
	(void)ctl_top_put(s, line, 1, 3, CTL_TOP_ALARM, "!! ");
	return ctl_top_put_lines(
		s, line, line + CLAMP(s->n_rows / 8, 1, 4), 4, CTL_TOP_ALARM, text);
}

/* One way of the traffic: bits, packets and how it was lately. */
static void draw_way(struct ctl_top_screen *s, int line, const struct ctl_top_view *view,
	const char *name, double bps, double pps, const char *unit, size_t offset)
{
	char bits[CTL_TOP_FIGURE_MAX], figure[CTL_TOP_FIGURE_MAX], packets[2 * CTL_TOP_FIGURE_MAX];
	double values[CTL_TOP_HISTORY_MAX];

	(void)ctl_top_put(s, line, 1, 6, CTL_TOP_FAINT, name);
	ctl_top_put_right(s, line, 6, 12, CTL_TOP_STRONG, ctl_top_unit(bps, "bit/s", bits));
	(void)snprintf(packets, sizeof(packets), "%s %s", ctl_top_si(pps, figure), unit);
	ctl_top_put_right(s, line, 18, 16, CTL_TOP_PLAIN, packets);
	for (uint32_t i = 0; i < view->n_history; i++)
		values[i] = *(
			const double *)(const void *)((const char *)&view->history[i] + offset);
	if (s->n_cols >= 46)
		ctl_top_put_bars(s, line, 36, MIN(s->n_cols - 37, CTL_TOP_HISTORY_MAX),
			CTL_TOP_PLAIN, values, (int)view->n_history);
}

static int draw_throughput(struct ctl_top_screen *s, int line, const struct ctl_top_view *view)
{
	char ps[CTL_TOP_FIGURE_MAX], share[CTL_TOP_FIGURE_MAX], total[CTL_TOP_FIGURE_MAX];
	char last[CTL_TOP_FIGURE_MAX];
	const bool is_lost = view->lost_ps > 0;
	int col;

	draw_way(s, line++, view, "down", view->down_bps, view->down_pps, "packets/s",
		offsetof(struct ctl_top_point, down_bps));
	draw_way(s, line++, view, "up", view->up_bps, view->up_pps, "packets/s",
		offsetof(struct ctl_top_point, up_bps));
	draw_way(s, line++, view, "wire", view->wire_bps, view->frames_ps, "frames/s",
		offsetof(struct ctl_top_point, wire_bps));
	col = ctl_top_put(s, line, 1, 6, CTL_TOP_FAINT, "lost ");
	col = ctl_top_putf(s, line, col + 1, is_lost ? CTL_TOP_ALARM : CTL_TOP_PLAIN,
		"%s frames/s (%s), %s since the start", ctl_top_si(view->lost_ps, ps),
		ctl_top_share(view->lost_share, share), ctl_top_count(view->lost_total, total));
	if (view->lost_last_ns > 0 && !is_lost)
		(void)ctl_top_putf(s, line, col, CTL_TOP_CAREFUL, ", last at %s",
			ctl_top_clock(view->lost_last_ns, last));
	return line + 1;
}

/* TCP in the last minute: what was sent again of what endpoints sent (up) and of what was sent to them,
 * and the round trips to that side. */
static void draw_quality(struct ctl_top_screen *s, int line, int col, const GArray *quality)
{
	char share[CTL_TOP_FIGURE_MAX];

	if (quality->len > 0)
		col = ctl_top_put(s, line, col + 2, 11, CTL_TOP_FAINT, "TCP resent");
	for (guint i = 0; i < quality->len && i < 2; i++) {
		const struct ctl_top_quality *q = ctl_top_row(ctl_top_quality, quality, i);
		const double resent = q->segments > 0
			? CLAMP((double)q->retransmitted / (double)q->segments, 0, 1)
			: NAN;

		col = ctl_top_putf(s, line, col, CTL_TOP_PLAIN, "%s %s %s", i > 0 ? "," : "",
			strcmp(q->side, "endpoints") == 0 ? "up" : "down",
			ctl_top_share(resent, share));
		if (!isnan(q->data_rtt_us))
			col = ctl_top_putf(s, line, col, CTL_TOP_PLAIN, " %.*f ms",
				q->data_rtt_us < 10000 ? 1 : 0, q->data_rtt_us / 1e3);
	}
}

static int draw_shares(struct ctl_top_screen *s, int line, const struct ctl_top_view *view)
{
	char now[CTL_TOP_FIGURE_MAX], undecided[CTL_TOP_FIGURE_MAX];
	int col = ctl_top_put(s, line, 1, 8, CTL_TOP_FAINT, "unknown");

	col = ctl_top_putf(s, line, col + 1, CTL_TOP_PLAIN, "%s, undecided %s",
		ctl_top_share(view->unknown_share, now),
		ctl_top_share(view->undecided_share, undecided));
	draw_quality(s, line, col, view->now->quality);
	return line + 1;
}

static const char *or_unknown(const char *text)
{
	return text[0] != '\0' ? text : "-";
}

static int draw_delivery(struct ctl_top_screen *s, int line, const struct ctl_top_view *view)
{
	const struct ctl_top_sample *now = view->now;
	const bool is_ready = !now->was_told[CTL_TOP_REDIS] ||
		strcmp(now->redis.state, "ready") == 0;
	const bool is_failing = strcmp(now->store.state, "failing") == 0;
	char waiting[CTL_TOP_FIGURE_MAX], share[CTL_TOP_FIGURE_MAX];
	int col = ctl_top_put(s, line, 1, 6, CTL_TOP_FAINT, "redis");

	col = ctl_top_putf(s, line, col + 1, is_ready ? CTL_TOP_PLAIN : CTL_TOP_ALARM,
		"%s, %s wait", or_unknown(now->redis.state),
		ctl_top_count(now->redis.waiting, waiting));
	col = ctl_top_put(s, line, col + 2, 6, CTL_TOP_FAINT, "store");
	col = ctl_top_putf(s, line, col + 1, is_failing ? CTL_TOP_ALARM : CTL_TOP_PLAIN, "%s",
		or_unknown(now->store.state));
	if (now->store.size_max > 0)
		col = ctl_top_putf(s, line, col, CTL_TOP_PLAIN, ", %s full",
			ctl_top_share((double)now->store.used_bytes / (double)now->store.size_max,
				share));
	col = ctl_top_put(s, line, col + 2, 10, CTL_TOP_FAINT, "catalogue");
	if (now->catalogue.version > 0)
		col = ctl_top_putf(s, line, col + 1, CTL_TOP_PLAIN, "%llu",
			(unsigned long long)now->catalogue.version);
	else
		col = ctl_top_put(s, line, col + 1, 10, CTL_TOP_PLAIN, "of the file");
	if (now->catalogue.staged > 0)
		(void)ctl_top_putf(s, line, col, CTL_TOP_CAREFUL, ", %llu staged",
			(unsigned long long)now->catalogue.staged);
	return line + 1;
}

static int draw_help(struct ctl_top_screen *s, int line)
{
	static const char *const lines[] = {
		"q            quit                        p  pause, and go on",
		"h ?          this text, and back         s  sort apps: rate, total, flows",
		"tab          next pane (shift-tab: back) + -  ask less, more often",
		"arrows, PgUp, PgDn, Home                 scroll the pane's table",
		"",
		"down, up     what endpoints got and sent: IP packets; bits of full ticks",
		"wire         whole frames, of all ports    lost  before us, queue_full, no_room",
		"unknown      share of the bytes without an app (wirecue apps unknown)",
		"undecided    first packets of flows, still looked at",
		"OF MEAN      a worker's packets over the mean of all: 1 is even",
		"POSTPONED    records that wait for a tick because control is behind",
		"TCP resent   sent again, of what endpoints sent (up) and got; round trips there",
		"TAKEN/S      a worker's CPU went to others so often: not in its LOAD",
		"SWAP         flows to judge anew by a new catalogue",
		"LATELY       of the last five minutes, or since top looks",
		"!! is wrong or at risk, ! may become so; docs/operations.md says what to do",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(lines) && line < s->n_rows - 1; i++)
		(void)ctl_top_put(s, line++, 1, s->n_cols - 1, CTL_TOP_PLAIN, lines[i]);
	return line;
}

/* Lines of a table with its title, of at most `most`. */
static int wanted(const struct ctl_top_view *view, enum ctl_top_table table, int most)
{
	const int n = ctl_top_table_rows(view, table);

	return MIN(n > 0 ? n + 1 : 1, MAX(most, 0));
}

static int draw_overview(struct ctl_top_screen *s, int line, int end,
	const struct ctl_top_view *view, const struct ctl_top_ui *ui)
{
	static const enum ctl_top_table order[] = {
		CTL_TOP_TABLE_PORTS, CTL_TOP_TABLE_WORKERS, CTL_TOP_TABLE_TRIGGERS};
	const int height = end - line;
	const int for_apps = wanted(
		view, CTL_TOP_TABLE_APPS, MIN(6, MAX(height - 6, MIN(height, 3))));
	int left = height - for_apps;

	for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
		const int share = MAX(left / (int)(G_N_ELEMENTS(order) - i), 2);
		const int n = wanted(view, order[i], MIN(share, left));
		const int begin = line;

		line = ctl_top_table_draw(s, line, line + n, view, order[i], ui->order, 0);
		left -= line - begin;
	}
	return line;
}

static int draw_pane(struct ctl_top_screen *s, int line, int end, const struct ctl_top_view *view,
	const struct ctl_top_ui *ui)
{
	if (ui->pane == CTL_TOP_PANE_OVERVIEW)
		return draw_overview(s, line, end, view, ui);
	if (ui->pane != CTL_TOP_PANE_TROUBLE)
		return line;
	line = ctl_top_table_draw(s, line,
		line + wanted(view, CTL_TOP_TABLE_LOSSES, (end - line) / 3), view,
		CTL_TOP_TABLE_LOSSES, ui->order, 0);
	return ctl_top_table_draw(s, line,
		line + wanted(view, CTL_TOP_TABLE_OUTCOMES, (end - line) / 2), view,
		CTL_TOP_TABLE_OUTCOMES, ui->order, 0);
}

/* What is shown is of before: faint, but for who says so. */
static void fade(struct ctl_top_screen *s, int from_line)
{
	for (int i = from_line * s->n_cols; i < (s->n_rows - 1) * s->n_cols; i++)
		s->cells[i].style = CTL_TOP_FAINT;
}

static void draw_body(
	struct ctl_top_screen *s, int line, const struct ctl_top_view *view, struct ctl_top_ui *ui)
{
	const int end = s->n_rows - 1;
	const bool is_trouble = ui->pane == CTL_TOP_PANE_TROUBLE;
	const int n_alarms = is_trouble ? s->n_rows / 2 : MAX(s->n_rows / 4 - 1, 1);

	line = draw_alarms(s, line, MIN(line + n_alarms, end), view, ui);
	if (view->now == NULL || line >= end)
		return;
	if (!is_trouble && end - line > 3)
		line = draw_throughput(s, line, view);
	if (!is_trouble && end - line > 3)
		line = draw_shares(s, line, view);
	if (!is_trouble && end - line > 3)
		line = draw_delivery(s, line, view);
	line = draw_pane(s, line, end, view, ui);
	ui->n_page = MAX(end - line - 1, 0);
	(void)ctl_top_table_draw(s, line, end, view, table_of(ui->pane), ui->order, ui->scroll);
}

void ctl_top_draw(struct ctl_top_screen *s, const struct ctl_top_view *view, struct ctl_top_ui *ui)
{
	int line = 1;

	ui->scroll = CLAMP(ui->scroll, 0, MAX(ctl_top_table_rows(view, table_of(ui->pane)) - 1, 0));
	ui->n_page = 0;
	if (s->n_rows < 1)
		return;
	draw_first_line(s, view, ui);
	line = draw_away(s, line, ui);
	if (ui->is_help)
		(void)draw_help(s, line);
	else if (s->n_rows > 2)
		draw_body(s, line, view, ui);
	if (ui->away != NULL && !ui->is_help)
		fade(s, line);
	if (s->n_rows > 2)
		draw_last_line(s, ui);
}

void ctl_top_ui_press(struct ctl_top_ui *ui, const struct ctl_top_view *view, enum ctl_top_key key)
{
	const int n_rows = ctl_top_table_rows(view, table_of(ui->pane));
	const int page = MAX(ui->n_page, 1), last = MAX(n_rows - page, 0);
	const int steps[] = {[CTL_TOP_KEY_UP] = -1,
		[CTL_TOP_KEY_DOWN] = 1,
		[CTL_TOP_KEY_PAGE_UP] = -page,
		[CTL_TOP_KEY_PAGE_DOWN] = page,
		[CTL_TOP_KEY_HOME] = -ui->scroll};

	if (key == CTL_TOP_KEY_HELP)
		ui->is_help = !ui->is_help;
	else if (key == CTL_TOP_KEY_PAUSE)
		ui->is_paused = !ui->is_paused;
	else if (key == CTL_TOP_KEY_SORT)
		ui->order = (ui->order + 1) % CTL_TOP_BY_COUNT;
	else if (key == CTL_TOP_KEY_SLOWER)
		ui->interval_s = MIN(ui->interval_s * 2, CTL_TOP_INTERVAL_MAX_S);
	else if (key == CTL_TOP_KEY_FASTER)
		ui->interval_s = MAX(ui->interval_s / 2, CTL_TOP_INTERVAL_MIN_S);
	else if (key >= CTL_TOP_KEY_UP && key <= CTL_TOP_KEY_HOME)
		ui->scroll = CLAMP(ui->scroll + steps[key], 0, last);
	if (key == CTL_TOP_KEY_PANE)
		ui->pane = (ui->pane + 1) % CTL_TOP_PANE_COUNT;
	else if (key == CTL_TOP_KEY_PANE_BACK)
		ui->pane = (ui->pane + CTL_TOP_PANE_COUNT - 1) % CTL_TOP_PANE_COUNT;
	if (key == CTL_TOP_KEY_PANE || key == CTL_TOP_KEY_PANE_BACK || key == CTL_TOP_KEY_SORT)
		ui->scroll = 0;
}
