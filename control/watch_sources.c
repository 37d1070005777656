// SPDX-License-Identifier: BSD-3-Clause
#include "control/watch_sources.h"

#include "control/ledger.h"
#include "control/log.h"
#include "control/utc.h"

#include <glib.h>

/* Of one source and one cause. */
struct span {
	bool is_open;
	struct ctl_gap gap;
};

/* Frames that came and frames that are missing, since the start. */
struct sums {
	uint64_t offered, lost;
};

struct source {
	char *name; // "port up"
	struct sums seen; // at the last tick
	struct span down, link, loss;
	struct sums before; // the loss that is open
};

struct ctl_source_watch {
	struct ctl_gaps *gaps;
	struct source *sources; // the ports, then the usage table
	size_t n_ports;
	struct sums seen; // of all of them
	bool has_ended;
};

struct ctl_source_watch *ctl_source_watch_new(
	const struct ctl_config *config, struct ctl_gaps *gaps)
{
	struct ctl_source_watch *w = g_new0(struct ctl_source_watch, 1);

	w->gaps = gaps;
	w->n_ports = config->n_ports;
	w->sources = g_new0(struct source, w->n_ports + 1);
	for (size_t i = 0; i < w->n_ports; i++)
		w->sources[i].name = g_strconcat("port ", config->ports[i].name, NULL);
	w->sources[w->n_ports].name = g_strdup("usage table");
	return w;
}

void ctl_source_watch_free(struct ctl_source_watch *w)
{
	if (w == NULL)
		return;
	for (size_t i = 0; i <= w->n_ports; i++)
		g_free(w->sources[i].name);
	g_free(w->sources);
	g_free(w);
}

/* A driver that does not answer now makes up for it with the next tick. */
static bool take(struct sums *seen, struct sums now, struct sums *ret_new)
{
	if (now.lost < seen->lost || now.offered <= seen->offered)
		return false;
	*ret_new = (struct sums){now.offered - seen->offered, now.lost - seen->lost};
	*seen = now;
	return true;
}

static void begin(struct ctl_source_watch *w, const struct source *source, struct span *span,
	const char *cause, uint64_t from_ns, uint64_t to_ns)
{
	char since[CTL_UTC_MAX];

	span->is_open = true;
	span->gap.from_ns = from_ns;
	span->gap.to_ns = to_ns;
	ctl_gaps_begin(w->gaps, &span->gap);
	ctl_utc_format(from_ns, since);
	ctl_log(CTL_LOG_WARNING, "source_gap", CTL_TEXT("source", source->name),
		CTL_TEXT("cause", cause), CTL_TEXT("since", since),
		CTL_TEXT("consequence", "what it did not deliver is counted for nobody"));
}

static void extend(struct ctl_source_watch *w, struct span *span, uint64_t to_ns)
{
	span->gap.to_ns = to_ns;
	// Pushed out by newer ones: what still lasts goes on as a new one from here.
	if (!ctl_gaps_change(w->gaps, &span->gap)) {
		span->gap.from_ns = to_ns - 1;
		ctl_gaps_begin(w->gaps, &span->gap);
	}
}

static void end(const struct source *source, struct span *span)
{
	if (!span->is_open)
		return;
	span->is_open = false;
	ctl_log(CTL_LOG_NOTICE, "source_gap_over", CTL_TEXT("source", source->name),
		CTL_TEXT("cause", span->gap.cause),
		CTL_COUNT(
			"seconds", (span->gap.to_ns - span->gap.from_ns + 500000000) / 1000000000));
}

/* span: of source, for that cause. */
static void say_down(struct ctl_source_watch *w, const struct source *source, struct span *span,
	const char *cause, bool is_down, uint64_t from_ns, uint64_t to_ns)
{
	(void)g_snprintf(span->gap.cause, sizeof(span->gap.cause), "%s %s", source->name, cause);
	if (!is_down)
		end(source, span);
	else if (span->is_open)
		extend(w, span, to_ns);
	else
		begin(w, source, span, cause, from_ns, to_ns);
}

static void say_lost(struct ctl_source_watch *w, struct source *source, struct sums now,
	uint64_t from_ns, uint64_t to_ns)
{
	struct span *span = &source->loss;
	const struct sums before = source->seen;
	struct sums new = {0};

	if (take(&source->seen, now, &new) && new.lost > 0) {
		if (!span->is_open)
			source->before = before;
		(void)g_snprintf(span->gap.cause, sizeof(span->gap.cause),
			"%s lost %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " frames",
			source->name, now.lost - source->before.lost,
			now.offered - source->before.offered);
		if (span->is_open)
			extend(w, span, to_ns);
		else
			begin(w, source, span, "it loses frames", from_ns, to_ns);
	} else if (span->is_open && to_ns - span->gap.to_ns >= CTL_LOSS_QUIET_NS) {
		end(source, span);
	}
}

static double share_lost(
	struct ctl_source_watch *w, const struct dp_path_stats *path, size_t n_down)
{
	const struct sums now = {path->frames + path->lost, ctl_ledger_lost(path)};
	struct sums new = {0};
	double seen = 1;

	if (take(&w->seen, now, &new))
		seen -= (double)MIN(new.lost, new.offered) / (double)new.offered;
	if (w->n_ports > 0)
		seen *= (double)(w->n_ports - n_down) / (double)w->n_ports;
	return 1 - seen;
}

double ctl_source_watch_tick(struct ctl_source_watch *w, uint64_t from_ns, uint64_t to_ns,
	const struct dp_path_stats *path, const struct dp_port_stats *ports)
{
	size_t n_down = 0;

	for (size_t i = 0; i < w->n_ports; i++) {
		const struct dp_port_stats *port = &ports[i];
		struct source *source = &w->sources[i];
		const struct sums now = {port->frames + port->lost,
			port->lost + port->outcomes[DP_OUTCOME_QUEUE_FULL]};
		const bool is_down = port->down[0] != '\0';

		n_down += is_down || port->is_link_down;
		if (w->has_ended)
			continue;
		say_down(w, source, &source->down, "down", is_down, from_ns, to_ns);
		say_down(w, source, &source->link, "link down", port->is_link_down, from_ns, to_ns);
		say_lost(w, source, now, from_ns, to_ns);
	}
	if (!w->has_ended)
		say_lost(w, &w->sources[w->n_ports],
			(struct sums){path->frames, path->outcomes[DP_OUTCOME_NO_ROOM]}, from_ns,
			to_ns);
	return share_lost(w, path, n_down);
}

/* What is down stays so until then. */
static void last_until(
	struct ctl_source_watch *w, const struct source *source, struct span *span, uint64_t now_ns)
{
	if (span->is_open && now_ns > span->gap.to_ns)
		extend(w, span, now_ns);
	end(source, span);
}

void ctl_source_watch_end(struct ctl_source_watch *w, uint64_t now_ns)
{
	for (size_t i = 0; i <= w->n_ports; i++) {
		struct source *source = &w->sources[i];

		last_until(w, source, &source->down, now_ns);
		last_until(w, source, &source->link, now_ns);
		end(source, &source->loss);
	}
	w->has_ended = true;
}
