// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/top_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static void add_all(struct ctl_top_sample *sample, enum ctl_top_what what, const json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		ctl_top_sample_add(sample, what, row);
	}
	sample->was_told[what] = rows != NULL;
}

struct ctl_top_sample *top_sample(const char *json)
{
	json_error_t error;
	json_t *all = json_loads(json, JSON_REJECT_DUPLICATES, &error);
	struct ctl_top_sample *sample = ctl_top_sample_new();

	if (all == NULL)
		fail_msg("%s at byte %d of %s", error.text, error.position, json);
	for (int i = 0; i < CTL_TOP_WHAT_COUNT; i++)
		add_all(sample, (enum ctl_top_what)i, json_object_get(all, ctl_top_whats[i]));
	json_decref(all);
	return sample;
}

struct ctl_top_sample *top_sample_at(int pid, int uptime_ms, const char *rest)
{
	const int s = uptime_ms / 1000;
	g_autofree char *json = g_strdup_printf(
		"{\"node\":[{\"node\":\"lab\",\"version\":\"0.1.0\",\"pid\":%d,"
		"\"started\":\"2026-03-01T18:00:00.000Z\",\"uptime_us\":%lld,"
		"\"now\":\"2026-03-01T18:%02d:%02d.%03dZ\","
		"\"watermark\":\"2026-03-01T18:%02d:%02d.000Z\",\"tick_ms\":1000}]%s}",
		pid, uptime_ms * 1000LL, s / 60, s % 60, uptime_ms % 1000, s / 60, s % 60, rest);

	return top_sample(json);
}

/* n a second for that long. */
static long long grown(long long n, int after_ms)
{
	return n * (60000 + after_ms) / 1000;
}

static char *ports_and_workers(int ms)
{
	return g_strdup_printf(
		",\"ports\":[{\"port\":\"tap-a\",\"state\":\"up\",\"frames\":%lld,\"bytes\":%lld,"
		"\"up_packets\":%lld,\"down_packets\":%lld,\"lost\":%lld,\"busy_ms\":%lld,"
		"\"queues\":1,\"cause\":\"\"},"
		"{\"port\":\"tap-b\",\"state\":\"up\",\"frames\":%lld,\"bytes\":%lld,"
		"\"up_packets\":%lld,\"down_packets\":0,\"lost\":0,\"busy_ms\":%lld,\"queues\":1,"
		"\"cause\":\"\"},"
		"{\"port\":\"tap-c\",\"state\":\"down\",\"cause\":\"DPDK found no port \\u001b[2J\"}],"
		"\"workers\":[{\"worker\":0,\"packets\":%lld,\"ip_bytes\":%lld,\"flows\":%lld,"
		"\"postponed\":7,\"busy_ms\":%lld,\"catalogues\":2,\"to_resolve\":1200,"
		"\"of_mean\":1.5},{\"worker\":1,\"packets\":%lld,\"ip_bytes\":%lld,\"flows\":%lld,"
		"\"busy_ms\":%lld,\"catalogues\":1,\"of_mean\":0.5}]",
		grown(150000, ms), grown(120000000, ms), grown(50000, ms), grown(100000, ms),
		grown(1204, ms), grown(620, ms), grown(40000, ms), grown(5000000, ms),
		grown(40000, ms), grown(110, ms), grown(140000, ms), grown(100000000, ms),
		grown(2100, ms), grown(940, ms), grown(48000, ms), grown(20000000, ms),
		grown(900, ms), grown(310, ms));
}

static char *app(const char *name, const char *category, long long up, long long down, int ms)
{
	return g_strdup_printf(
		"{\"app\":\"%s\",\"category\":\"%s\",\"bytes\":%lld,\"packets\":%lld,"
		"\"flows\":%lld,\"up_bytes\":%lld,\"down_bytes\":%lld}",
		name, category, grown(up + down, ms), grown((up + down) / 800, ms),
		grown((up + down) / 100000, ms), grown(up, ms), grown(down, ms));
}

static char *apps(int ms)
{
	g_autofree char *a = app("netflix", "streaming", 2000000, 60000000, ms);
	g_autofree char *b = app("youtube", "streaming", 1000000, 30000000, ms);
	g_autofree char *c = app("unknown", "", 4000000, 11000000, ms);
	g_autofree char *d = app("rival-mobile", "competitor", 10000, 90000, ms);
	g_autofree char *e = app("undecided", "", 20000, 180000, ms);

	return g_strdup_printf(",\"apps\":[%s,%s,%s,%s,%s]", a, b, c, d, e);
}

static char *ledger(int ms)
{
	return g_strdup_printf(
		",\"ledger\":["
		"{\"part\":\"total\",\"what\":\"received\",\"count\":%lld,\"unit\":\"frames\"},"
		"{\"part\":\"total\",\"what\":\"accounted\",\"count\":%lld,\"unit\":\"frames\"},"
		"{\"part\":\"total\",\"what\":\"not_ip\",\"count\":118,\"unit\":\"frames\"},"
		"{\"part\":\"total\",\"what\":\"queue_full\",\"count\":%lld,\"unit\":\"frames\"},"
		"{\"part\":\"total\",\"what\":\"balance\",\"count\":0,\"unit\":\"frames\"},"
		"{\"part\":\"total\",\"what\":\"lost\",\"count\":%lld,\"unit\":\"frames\"},"
		"{\"part\":\"port:tap-a\",\"what\":\"queue_full\",\"count\":%lld,\"unit\":\"frames\"},"
		"{\"part\":\"port:tap-a\",\"what\":\"lost\",\"count\":%lld,\"unit\":\"frames\"},"
		"{\"part\":\"port:tap-b\",\"what\":\"lost\",\"count\":3,\"unit\":\"frames\"},"
		"{\"part\":\"fragments\",\"what\":\"seen\",\"count\":9,\"unit\":\"fragments\"}]",
		grown(190000, ms), grown(189960, ms), grown(40, ms), 3 + grown(1204, ms),
		grown(40, ms), grown(1204, ms));
}

static const char rest[] =
	",\"redis\":[{\"state\":\"unreachable\",\"since\":\"2026-03-01T17:58:03.000Z\","
	"\"waiting\":4211,\"published\":81234,\"last_error\":\"Connection refused\"}],"
	"\"store\":[{\"state\":\"ok\",\"used_bytes\":3200000000,\"size_max\":32000000000,"
	"\"commit_ms\":4.2}],"
	"\"gaps\":[{\"from\":\"2026-02-28T02:00:00.000Z\",\"to\":\"2026-02-28T02:04:10.000Z\","
	"\"seconds\":250,\"cause\":\"wirecue was not running\"},"
	"{\"from\":\"2026-03-01T17:59:30.000Z\",\"to\":\"2026-03-01T18:01:00.000Z\",\"seconds\":90,"
	"\"cause\":\"port tap-a lost 108360 of 13608360 frames\"}],"
	"\"quality\":[{\"span\":\"start\",\"side\":\"endpoints\",\"segments\":9},"
	"{\"span\":\"minute\",\"side\":\"endpoints\",\"segments\":100000,\"retransmitted\":300,"
	"\"data_rtt_us\":31000},"
	"{\"span\":\"minute\",\"side\":\"network\",\"segments\":200000,\"retransmitted\":2600,"
	"\"data_rtt_us\":12400}],"
	"\"history\":[{\"version\":12,\"in_force\":true,\"time\":\"2026-03-01T17:55:00.000Z\","
	"\"who\":\"alice\",\"why\":\"new mirrors\"},{\"version\":11,\"in_force\":false}],"
	"\"staged\":[{\"state\":\"staged\",\"version\":13}]";

struct ctl_top_sample *top_busy_sample(int after_ms)
{
	g_autofree char *a = ports_and_workers(after_ms);
	g_autofree char *b = apps(after_ms);
	g_autofree char *c = ledger(after_ms);
	g_autofree char *d = g_strdup_printf(
		",\"triggers\":[{\"state\":\"decided\",\"name\":"
		"\"wirecue.competitor.interest.v1\",\"reason\":\"\",\"count\":%lld},"
		"{\"state\":\"withheld\",\"name\":\"vod-after-film\",\"reason\":\"G2\","
		"\"count\":%lld}]",
		grown(2, after_ms), grown(5, after_ms));
	g_autofree char *all = g_strconcat(a, b, c, d, rest, NULL);

	return top_sample_at(4711, 60000 + after_ms, all);
}
