// SPDX-License-Identifier: BSD-3-Clause
#include "control/report.h"

#include "control/engine.h"
#include "control/flowlog.h"
#include "control/qualities.h"
#include "control/rot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static json_t *outcomes_json(const struct dp_path_stats *s)
{
	json_t *outcomes = json_object();

	for (int i = 0; i < DP_OUTCOME_COUNT; i++)
		(void)json_object_set_new(
			outcomes, dp_outcome_names[i], json_integer((json_int_t)s->outcomes[i]));
	return outcomes;
}

/* Only what was met: a capture with two of the encapsulations has two keys. */
static json_t *encaps_json(const struct dp_encap_stats *s)
{
	json_t *encaps = json_object();

	for (int e = 0; e < DP_ENCAP_COUNT; e++) {
		json_t *refused = json_object();

		for (int i = 0; i < DP_REFUSAL_COUNT; i++)
			if (s->refused[e][i] > 0)
				(void)json_object_set_new(refused, dp_refusal_names[i],
					json_integer((json_int_t)s->refused[e][i]));
		if (s->opened[e] > 0 || json_object_size(refused) > 0)
			(void)json_object_set_new(encaps, dp_encap_names[e],
				json_pack("{s:I, s:O}", "opened", (json_int_t)s->opened[e],
					"refused", refused));
		json_decref(refused);
	}
	return encaps;
}

static json_t *fragments_json(const struct dp_datagram_stats *s)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "seen", (json_int_t)s->fragments,
		"rebuilt", (json_int_t)s->rebuilt, "overlapped", (json_int_t)s->overlapped,
		"expired", (json_int_t)s->expired, "evicted", (json_int_t)s->evicted, "crowded",
		(json_int_t)s->crowded, "repeated", (json_int_t)s->repeated);
}

static void set_mirror(json_t *report, const struct dp_path_stats *s)
{
	(void)json_object_set_new(report, "copies",
		json_pack("{s:I, s:I}", "looked_at", (json_int_t)s->copies_looked, "seen",
			(json_int_t)s->copies_seen));
	(void)json_object_set_new(report, "one_way",
		json_pack("{s:I, s:I, s:I}", "ended", (json_int_t)s->tcp_ended, "up",
			(json_int_t)s->tcp_one_way[0], "down", (json_int_t)s->tcp_one_way[1]));
}

static void set_if_any(json_t *report, const char *key, uint64_t n)
{
	if (n > 0)
		(void)json_object_set_new(report, key, json_integer((json_int_t)n));
}

/* Only where there is a finding. */
static void set_rot(json_t *report, const struct ctl_rot *rot)
{
	json_t *findings = ctl_rot_json(rot);

	if (json_array_size(findings) > 0)
		(void)json_object_set(report, "rot", findings);
	json_decref(findings);
}

/* has_rows: with those of subscribers. */
static json_t *report_json(struct ctl_pipeline *p, const struct ctl_timing *timing, bool has_rows)
{
	const struct ctl_engine *engine = ctl_pipeline_engine(p);
	const struct ctl_flowlog *log = ctl_pipeline_flowlog(p);
	struct dp_path_stats s;

	dp_path_stats(ctl_pipeline_path(p), &s);

	json_t *report = json_pack("{s:I, s:I, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "packets",
		(json_int_t)s.frames, "bytes", (json_int_t)s.wire_bytes, "outcomes",
		outcomes_json(&s), "flows", (json_int_t)ctl_flowlog_count(log), "apps",
		ctl_flowlog_apps_json(log, ctl_pipeline_config_of(p)->catalogue), "usage",
		has_rows ? ctl_engine_usage_json(engine) : json_array(), "quality",
		has_rows ? ctl_qualities_json(ctl_pipeline_qualities(p)) : json_array(), "triggers",
		ctl_engine_triggers_json(engine), "suppressed", ctl_engine_suppressed_json(engine));

	(void)json_object_set_new(report, "encapsulations", encaps_json(&s.encaps));
	(void)json_object_set_new(report, "fragments", fragments_json(&s.datagrams));
	set_mirror(report, &s);
	set_rot(report, ctl_pipeline_rot(p));
	set_if_any(report, "hellos", s.hellos);
	set_if_any(report, "hellos_ech", s.hellos_ech);
	// Each voids the promise of byte-identical output, so say it.
	set_if_any(report, "flows_evicted", s.flows_evicted);
	set_if_any(report, "verdicts_cut", s.verdicts_cut);
	set_if_any(report, "hints_forgotten", s.hints_forgotten);
	set_if_any(report, "names_refused", s.names_refused);
	set_if_any(report, "quality_refused", s.quality_refused);
	set_if_any(report, "copies_forgotten", s.copies_forgotten);
	// This does not: only the number of flows is less exact.
	set_if_any(report, "flows_summed", ctl_flowlog_summed(log));
	if (timing != NULL)
		(void)json_object_set_new(report, "timing",
			json_pack("{s:I, s:I}", "worker_cpu_ns", (json_int_t)timing->worker_cpu_ns,
				"elapsed_ms", (json_int_t)timing->elapsed_ms));
	return report;
}

json_t *ctl_report_json(struct ctl_pipeline *p, const struct ctl_timing *timing)
{
	return report_json(p, timing, true);
}

static json_int_t integer(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *string(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* Bytes for people: three digits and a unit of ten. */
static const char *human(uint64_t bytes, char buf[32])
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	double v = (double)bytes;
	size_t i = 0;

	for (; v >= 999.95 && i + 1 < sizeof(units) / sizeof(units[0]); i++)
		v /= 1000;
	(void)snprintf(buf, 32, i == 0 ? "%.0f %s" : "%.1f %s", v, units[i]);
	return buf;
}

static void print_outcomes(const json_t *report, FILE *out)
{
	const char *name;
	json_t *n;

	json_object_foreach((json_t *)(uintptr_t)json_object_get(report, "outcomes"), name, n)
	{
		if (json_integer_value(n) > 0)
			(void)fprintf(out, "outcome     %-14s %12lld frames\n", name,
				(long long)json_integer_value(n));
	}
}

static void print_encaps(const json_t *report, FILE *out)
{
	const char *name, *reason;
	json_t *encap, *n;

	json_object_foreach(
		(json_t *)(uintptr_t)json_object_get(report, "encapsulations"), name, encap)
	{
		if (integer(encap, "opened") > 0)
			(void)fprintf(out, "tunnel      %-14s %12lld frames opened\n", name,
				(long long)integer(encap, "opened"));
		json_object_foreach(json_object_get(encap, "refused"), reason, n)
		{
			(void)fprintf(out, "tunnel      %-14s %12lld frames not opened: %s\n", name,
				(long long)json_integer_value(n), reason);
		}
	}
}

/* What a network or its mirror does to packets, where it does. */
static void print_mirror(const json_t *report, FILE *out)
{
	static const struct {
		const char *object, *key, *unit;
	} rows[] = {
		{"fragments", "seen", "fragments"},
		{"fragments", "rebuilt", "datagrams"},
		{"fragments", "overlapped", "datagrams"},
		{"fragments", "expired", "datagrams"},
		{"fragments", "evicted", "datagrams"},
		{"fragments", "crowded", "datagrams"},
		{"fragments", "repeated", "fragments"},
		{"copies", "seen", "packets"},
		{"one_way", "up", "TCP flows"},
		{"one_way", "down", "TCP flows"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const long long n = integer(json_object_get(report, rows[i].object), rows[i].key);

		if (n > 0)
			(void)fprintf(out, "%-11s %-14s %12lld %s\n", rows[i].object, rows[i].key,
				n, rows[i].unit);
	}
}

static void print_apps(const json_t *report, FILE *out)
{
	size_t i;
	json_t *app;
	char buf[32];

	json_array_foreach(json_object_get(report, "apps"), i, app)
	{
		(void)fprintf(out, "app         %-24s %12s %10lld packets %8lld flows\n",
			string(app, "app"), human((uint64_t)integer(app, "bytes"), buf),
			(long long)integer(app, "packets"), (long long)integer(app, "flows"));
	}
}

static void print_usage(void *out, const struct ctl_usage_row *row)
{
	char up[32], down[32];

	(void)fprintf(out, "usage       %-52s %-24s %12s up %12s down\n", row->subscriber, row->app,
		human(row->bytes[0], up), human(row->bytes[1], down));
}

/* Of the round trips with data, else of those of handshakes: "12.3 ms", "-" without any. */
static const char *human_rtt(const struct ctl_quality *q, size_t side, char buf[32])
{
	const struct ctl_rtts *rtts = q->data_rtt[side].n > 0 ? &q->data_rtt[side]
							      : &q->handshake_rtt[side];

	if (rtts->n == 0)
		return "-";
	(void)snprintf(buf, 32, "%.1f ms", (double)ctl_rtts_mean_us(rtts) / 1000);
	return buf;
}

static double percent(uint64_t part, uint64_t all)
{
	return all > 0 ? 100 * (double)part / (double)all : 0;
}

static void print_quality(void *out, const char *subscriber, const struct ctl_quality *q)
{
	char near[32], far[32];

	(void)fprintf(out,
		"quality     %-52s %10llu segments retransmitted %6.2f %% up %6.2f %% "
		"down, %10s to it %10s beyond, %6llu failed\n",
		subscriber, (unsigned long long)(q->segments[0] + q->segments[1]),
		percent(q->retransmitted[0], q->segments[0]),
		percent(q->retransmitted[1], q->segments[1]), human_rtt(q, 0, near),
		human_rtt(q, 1, far), (unsigned long long)q->handshakes_failed);
}

static void print_decisions(const json_t *report, FILE *out)
{
	const char *name, *reason;
	json_t *n, *reasons;

	json_object_foreach((json_t *)(uintptr_t)json_object_get(report, "triggers"), name, n)
	{
		(void)fprintf(
			out, "trigger     %-40s %6lld\n", name, (long long)json_integer_value(n));
	}
	json_object_foreach(
		(json_t *)(uintptr_t)json_object_get(report, "suppressed"), name, reasons)
	{
		json_object_foreach(reasons, reason, n)
		{
			(void)fprintf(out, "withheld    %-40s %6lld %s\n", name,
				(long long)json_integer_value(n), reason);
		}
	}
}

/* What was full, so that figures are not exact. */
static void print_limits(const json_t *report, FILE *out)
{
	static const struct {
		const char *key, *meaning;
	} limits[] = {
		{"flows_evicted", "flows ended early: the table was full, raise workers.flows"},
		{"verdicts_cut", "flows judged early: too many were being classified"},
		{"hints_forgotten",
			"look-ups or hellos forgotten: more at once than there is room for"},
		{"names_refused", "flows left without their name: raise workers.flows"},
		{"quality_refused", "times quality went uncounted: raise workers.flows"},
		{"copies_forgotten", "packets compared too short: lower workers.duplicate_window"},
		{"flows_summed", "flows not kept apart: --flows keeps all"},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (json_object_get(report, limits[i].key) != NULL)
			(void)fprintf(out, "full        %lld %s\n",
				(long long)integer(report, limits[i].key), limits[i].meaning);
	}
}

/* Its draft is text of several lines: it comes as it is. */
static void print_rot(const json_t *report, FILE *out)
{
	size_t i;
	json_t *finding;
	char before[32], now[32], unknown[32];

	json_array_foreach(json_object_get(report, "rot"), i, finding)
	{
		char *names = json_dumps(json_object_get(finding, "names"), JSON_COMPACT);

		(void)fprintf(out,
			"rot         %-24s %s since %s: %s a day before, %s now, %s more without an app "
			"%s\n%s",
			string(finding, "app"), string(finding, "state"), string(finding, "since"),
			human((uint64_t)integer(finding, "before_bytes"), before),
			human((uint64_t)integer(finding, "now_bytes"), now),
			human((uint64_t)integer(finding, "unknown_bytes"), unknown),
			names != NULL ? names : "", string(finding, "draft"));
		free(names);
	}
}

static void print_head(const json_t *report, FILE *out)
{
	char buf[32];

	(void)fprintf(out, "capture     %lld frames, %s, %lld flows\n",
		(long long)integer(report, "packets"),
		human((uint64_t)integer(report, "bytes"), buf),
		(long long)integer(report, "flows"));
	print_outcomes(report, out);
	print_encaps(report, out);
	print_mirror(report, out);
	print_limits(report, out);
	print_apps(report, out);
	print_rot(report, out);
}

int ctl_report_print(struct ctl_pipeline *p, const struct ctl_timing *timing, FILE *out)
{
	json_t *report = report_json(p, timing, false);

	print_head(report, out);
	ctl_engine_usage(ctl_pipeline_engine(p), print_usage, out);
	ctl_qualities_each(ctl_pipeline_qualities(p), print_quality, out);
	print_decisions(report, out);
	json_decref(report);
	if (timing != NULL)
		(void)fprintf(out, "timing      %llu ms elapsed, %.1f ms in workers\n",
			(unsigned long long)timing->elapsed_ms,
			(double)timing->worker_cpu_ns / 1e6);
	return fflush(out) == 0 ? 0 : -errno;
}
