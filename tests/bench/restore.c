// SPDX-License-Identifier: BSD-3-Clause

/* How long a restart takes, and what a round of images costs a tick, with N subscribers of whom
 * some are always busy. Persons are made up (+999...), the store is a real one in a folder of its
 * own. restore [SUBSCRIBERS [FOLDER]] */

#include "control/engine_state.h"
#include "control/engine_store.h"
#include "control/facts_build.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define SECOND_NS UINT64_C(1000000000)
#define BEGIN_NS (UINT64_C(1772740800) * SECOND_NS) // 2026-03-05T20:00:00Z
#define BUDGET_NS UINT64_C(5000000)
#define FLUSH_NS (600 * SECOND_NS)
#define TICK_S 1

enum {
	N_APPS = 6, // that a subscriber has used
	BUSY_PERCENT = 5, // of the subscribers, in a minute
	ROUND_TICKS = 90,
};

static const char YAML[] =
	"node: bench\n"
	"privacy: {subject: msisdn, key_file: pseudonym.key}\n"
	"rules:\n"
	"  - {id: film, detect: app_session, class: upsell, purpose: marketing}\n"
	"  - {id: cap, detect: near_cap, class: upsell, purpose: marketing}\n";

static double seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_seconds(const struct rusage *use)
{
	return (double)(use->ru_utime.tv_sec + use->ru_stime.tv_sec) +
		(double)(use->ru_utime.tv_usec + use->ru_stime.tv_usec) / 1e6;
}

/* CPU time as well: it says how long it took when others are at work. */
static double step(const char *what, double since)
{
	static double cpu_before;
	struct rusage use;

	(void)getrusage(RUSAGE_SELF, &use);
	(void)printf("%-40s %8.3f s, %8.3f s of CPU, peak %ld MB\n", what, seconds() - since,
		cpu_seconds(&use) - cpu_before, use.ru_maxrss / 1024);
	(void)fflush(stdout);
	cpu_before = cpu_seconds(&use);
	return seconds();
}

static void say(void *, const char *text)
{
	(void)fprintf(stderr, "%s\n", text);
}

static void must(int r, const struct dp_err *err)
{
	if (r == 0)
		return;
	(void)fprintf(stderr, "%s\n", err->text);
	exit(1);
}

static void drop(void *, struct ctl_trigger *given)
{
	ctl_trigger_free(given);
}

static struct ctl_config *load(const char *folder)
{
	g_autofree char *path = g_build_filename(folder, "wirecue.yaml", NULL);
	g_autofree char *key = g_build_filename(folder, "pseudonym.key", NULL);
	struct ctl_config *config;

	if (!g_file_set_contents(path, YAML, -1, NULL) ||
		!g_file_set_contents(key, "0123456789abcdef0123456789abcdef", -1, NULL) ||
		g_chmod(key, 0600) != 0 || ctl_config_load(path, NULL, say, NULL, &config) < 0)
		exit(1);
	return config;
}

static struct dp_addr address_of(size_t i)
{
	const uint8_t be[4] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};

	return dp_addr_from_v4(be);
}

static struct ctl_facts *facts_of(size_t n_persons)
{
	struct ctl_facts *facts = ctl_facts_new();
	struct ctl_claim *claims = g_new0(struct ctl_claim, n_persons);
	GTimeZone *tz = ctl_facts_zone(facts, "Europe/Berlin");

	for (size_t i = 0; i < n_persons; i++) {
		struct ctl_person *p = g_new0(struct ctl_person, 1);

		p->id = i + 1;
		p->msisdn = g_strdup_printf("+999%09zu", i);
		p->imsi = g_strdup_printf("00101%010zu", i);
		p->line = CTL_LINE_CONSUMER;
		p->has_line_facts = true;
		p->buckets = g_new0(struct ctl_bucket, 1);
		p->n_buckets = 1;
		p->buckets[0] = (struct ctl_bucket){
			.id = g_strdup("data"),
			.cap_bytes = UINT64_C(10000000000),
			.anchor_day = (uint8_t)(1 + i % 28),
			.zone = g_strdup("Europe/Berlin"),
			.tz = tz,
		};
		g_ptr_array_add(facts->persons, p);
		claims[i] = (struct ctl_claim){.addr = address_of(i), .person = p->id};
	}
	ctl_facts_seal(facts, claims, n_persons);
	g_free(claims);
	return facts;
}

/* One record an app for each subscriber of [begin, end). */
static void tick(struct ctl_engine *engine, const struct ctl_config *config, uint64_t end_ns,
	size_t begin, size_t end)
{
	static const char *const names[N_APPS] = {
		"youtube", "netflix", "whatsapp", "tiktok", "spotify", "facebook"};
	struct dp_record *records = g_new0(struct dp_record, (end - begin) * N_APPS + 1);
	size_t n_records = 0;

	for (size_t i = begin; i < end; i++) {
		for (size_t a = 0; a < N_APPS; a++) {
			struct dp_record *r = &records[n_records++];

			r->kind = DP_RECORD_USAGE;
			r->endpoint = address_of(i);
			r->app = cls_app_by_name(config->catalogue, names[a]);
			r->evidence = DP_EVIDENCE_SNI;
			r->tick = (end_ns - 1) / SECOND_NS;
			r->usage.bytes[0] = 1000 + i % 977;
			r->usage.bytes[1] = 100000 + i % 9973;
			r->usage.packets[0] = r->usage.packets[1] = 1;
			r->usage.first_ns = r->usage.last_ns = end_ns - SECOND_NS / 2;
			r->usage.n_new_flows = 1;
		}
	}
	ctl_engine_tick(engine, end_ns, records, n_records, 0);
	g_free(records);
}

struct bench {
	struct ctl_config *config;
	struct ctl_engine *engine;
	struct ctl_store *store;
	struct ctl_seal *seal;
	uint64_t serial, now_ns;
};

/* What the control thread does behind a tick; the longest and the sum of it. */
static void save(struct bench *b, bool everything, double *longest, double *sum)
{
	struct ctl_batch *batch = ctl_batch_new(++b->serial, b->now_ns);
	const double since = seconds();
	double took;

	ctl_engine_journal(b->engine, b->now_ns, b->seal, batch);
	ctl_engine_sweep(b->engine, b->now_ns, BUDGET_NS, everything, b->seal, batch);
	took = seconds() - since;
	*longest = MAX(*longest, took);
	*sum += took;
	ctl_store_give(b->store, batch);
	if (!ctl_store_flush(b->store, FLUSH_NS))
		exit(1);
}

static void fill(struct bench *b, size_t n_persons)
{
	double longest = 0, sum = 0, since = seconds();

	for (size_t begin = 0; begin < n_persons; begin += 50000) {
		b->now_ns += TICK_S * SECOND_NS;
		tick(b->engine, b->config, b->now_ns, begin, MIN(begin + 50000, n_persons));
		save(b, false, &longest, &sum);
	}
	save(b, true, &longest, &sum);
	(void)step("all profiles made and written", since);
}

static void work(struct bench *b, size_t n_persons)
{
	const size_t n_busy = n_persons * BUSY_PERCENT / 100 / 60;
	double longest = 0, sum = 0, since = seconds();
	size_t begin = 0;

	for (int i = 0; i < ROUND_TICKS; i++) {
		b->now_ns += TICK_S * SECOND_NS;
		begin = begin + n_busy > n_persons ? 0 : begin;
		tick(b->engine, b->config, b->now_ns, begin, begin + n_busy);
		begin += n_busy;
		save(b, false, &longest, &sum);
	}
	(void)step("ticks with a part of them busy", since);
	(void)printf("journal and images of a tick: mean %.3f ms, longest %.3f ms\n",
		sum / ROUND_TICKS * 1e3, longest * 1e3);
}

static void open_store(struct bench *b, const char *folder)
{
	g_autofree char *path = g_build_filename(folder, "store", NULL);
	g_autofree char *key = g_build_filename(folder, "identity.key", NULL);
	const struct ctl_store_config config = {
		.path = path,
		.node = "bench",
		.tick_ns = SECOND_NS,
		.size_max = UINT64_C(1) << 35,
		.backlog_max = 16,
		.backlog_bytes_max = UINT64_C(1) << 32,
	};
	struct dp_err err = {0};

	must(ctl_seal_open_key(key, true, &b->seal, &err), &err);
	must(ctl_store_open(&config, &b->store, &err), &err);
}

static void restart(struct bench *b, const char *what, unsigned n_threads)
{
	struct dp_err err = {0};
	double since;

	since = seconds();
	ctl_engine_free(b->engine);
	must(ctl_engine_new(b->config, drop, NULL, &b->engine, &err), &err);
	since = step("old engine freed", since);
	must(ctl_engine_restore(b->engine, b->store, b->seal, n_threads, &b->now_ns, &err), &err);
	(void)step(what, since);
}

int main(int argc, char **argv)
{
	const size_t n_persons = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000000;
	g_autofree char *made = argc > 2 ? NULL : g_dir_make_tmp("wirecue-bench-XXXXXX", NULL);
	const char *folder = argc > 2 ? argv[2] : made;
	struct bench b = {.now_ns = BEGIN_NS};
	struct ctl_facts *none;
	struct dp_err err = {0};
	double since = seconds();

	b.config = load(folder);
	none = b.config->facts;
	b.config->facts = facts_of(n_persons);
	ctl_facts_free(none);
	since = step("facts made", since);
	open_store(&b, folder);
	must(ctl_engine_new(b.config, drop, NULL, &b.engine, &err), &err);
	if (ctl_store_is_new(b.store))
		fill(&b, n_persons);
	else
		restart(&b, "restore, 2 threads", 2);
	work(&b, n_persons);
	restart(&b, "restore, 1 thread", 1);
	restart(&b, "restore, 2 threads", 2);
	since = seconds();
	ctl_engine_reload(b.engine, b.config);
	(void)step("reload", since);
	ctl_engine_free(b.engine);
	ctl_store_close(b.store);
	ctl_seal_free(b.seal);
	ctl_config_free(b.config);
	(void)printf("the store stays in %s\n", folder);
	return 0;
}
