// SPDX-License-Identifier: BSD-3-Clause
#include "tests/lib/trigger_sample.h"

#include "control/utc.h"

#include <assert.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

const char *const test_types[TEST_N_TYPES] = {
	"wirecue.app.watched.v1",
	"wirecue.competitor.interest.v1",
	"wirecue.usage.threshold.v1",
};

static const uint64_t evening_ns = 1772388000ULL * 1000000000ULL; // 2026-03-01T18:00:00Z

static json_t *watched(const char *at)
{
	return json_pack("{ss ss ss ss si si si si ss si si}", "app", "netflix", "category",
		"streaming", "started_at", at, "ended_at", at, "duration_s", 1860, "active_s", 1790,
		"bytes", 812000000, "mean_kbps", 3492, "bitrate_class", "hd", "hour", 21, "flows",
		14);
}

static json_t *interest(const char *at)
{
	return json_pack("{ss s[s] si si si ss ss}", "tag", "port_in", "tags", "port_in", "score",
		80, "visits", 2, "distinct_days", 2, "first_seen", at, "last_seen", at);
}

static json_t *threshold(const char *at)
{
	return json_pack("{ss sf sI sI sf sI sn si ss ss sb}", "bucket", "data", "step_pct", 80.0,
		"used_bytes", (json_int_t)245000000, "cap_bytes", (json_int_t)300000000, "pct",
		81.6, "pace_bytes_per_day", (json_int_t)9000000, "projected_exhaustion",
		"days_left", 6, "cycle_start", at, "cycle_end", at, "estimate", 0);
}

static json_t *data_of(unsigned i, const char *at, const char *rule)
{
	json_t *(*const made[TEST_N_TYPES])(const char *) = {watched, interest, threshold};
	const char *const classes[TEST_N_TYPES] = {"upsell", "retention", "service"};
	json_t *head = json_pack(
		"{s{ss si sb sb} ss si s{sI si si s[s]} si s{sf sf sf sf} s{ss si ss}}", "rule",
		"id", rule, "version", 1, "dry_run", 0, "control_group", 0, "class",
		classes[i % TEST_N_TYPES], "priority", 50, "evidence", "bytes",
		(json_int_t)812000000, "sessions", 1, "distinct_days", 1, "known_by", "sni",
		"confidence", 90, "coverage", "capture_loss", 0.0, "unclassified", 0.01, "unbound",
		0.0, "opaque", 0.0, "basis", "purpose", "marketing", "record_version", 3,
		"checked_at", at);
	json_t *body = made[i % TEST_N_TYPES](at);

	assert(head != NULL && body != NULL);
	assert(json_object_update(head, body) == 0);
	json_decref(body);
	return head;
}

struct ctl_trigger *test_trigger_of(
	unsigned i, uint64_t time_ns, const char *subject, const char *rule)
{
	struct ctl_trigger *trigger = g_new0(struct ctl_trigger, 1);
	char at[CTL_UTC_MAX], schema[128];

	ctl_utc_format(time_ns, at);
	trigger->time_ns = time_ns;
	trigger->expiry_ns = time_ns + 3600ULL * 1000000000ULL;
	(void)snprintf(trigger->id, sizeof(trigger->id), "%032x", i);
	(void)g_strlcpy(trigger->type, test_types[i % TEST_N_TYPES], sizeof(trigger->type));
	(void)g_strlcpy(trigger->subject, subject, sizeof(trigger->subject));
	(void)g_strlcpy(trigger->rule, rule, sizeof(trigger->rule));
	(void)snprintf(
		schema, sizeof(schema), "https://wirecue.example/schema/%s.json", trigger->type);
	trigger->event = json_pack("{ss ss ss ss ss ss ss ss ss so}", "specversion", "1.0", "id",
		trigger->id, "source", "/wirecue/edge1", "type", trigger->type, "subject",
		trigger->subject, "time", at, "expirytime", at, "datacontenttype",
		"application/json", "dataschema", schema, "data", data_of(i, at, rule));
	assert(trigger->event != NULL);
	return trigger;
}

struct ctl_trigger *test_trigger(unsigned i)
{
	char subject[64];

	(void)snprintf(subject, sizeof(subject), "testsubject%02u", i % 16);
	return test_trigger_of(i, evening_ns + i * 1000000000ULL, subject, "test-rule");
}

int test_triggers_validate(const char *json_lines)
{
	const char *top = getenv("WIRECUE_TOP");
	g_autofree char *command = g_strdup_printf(
		"/usr/bin/python3 '%s/tests/lib/validate_triggers.py'", top != NULL ? top : ".");
	FILE *out = popen(command, "w");
	int status;

	if (out == NULL)
		return 1;
	(void)fputs(json_lines, out); // a broken pipe shows in the exit code
	status = pclose(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
