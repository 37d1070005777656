// SPDX-License-Identifier: BSD-3-Clause

/* What it costs to keep what is known: the control thread's share of a tick, and a restart.
 *
 *   state [--profiles N] [--ticks N] [--dirty N] [--dir DIR]
 *
 * A child makes N told subscribers with half a year of cycles and ten or more apps each, keeps them
 * in a store, then works ticks in which --dirty of them have traffic (1,667 a second are 5 % of two
 * million a minute), and ends as if killed. Others restart from what it left, with one processor and
 * with all, beside reading the same file as it is. From a --dir that has a store already nothing is
 * made, only restarted. Everything is real but the records, which no packet was counted for. */

#include "control/config.h"
#include "control/facts_build.h"
#include "control/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)
#define BEGIN_NS (UINT64_C(1767225600) * SECOND_NS) // 2026-01-01T00:00:00Z

enum { APPS = 10, RECORDS = 3, CHUNK = 20000, MONTHS = 6 };

static struct {
	size_t n_profiles, n_ticks, n_dirty;
	const char *dir;
} opt = {.n_profiles = 200000, .n_ticks = 120, .n_dirty = 1667};

static const char yaml[] =
	"node: bench\n"
	"zone: Europe/Berlin\n"
	"privacy: {subject: msisdn, key_file: pseudonym.key}\n"
	"redis: {queue: 10M}\n"
	"store: {size: 64GB}\n"
	"rules:\n"
	"  - {id: cap, detect: near_cap, class: service, emit: [threshold]}\n"
	"  - {id: film, detect: app_session, class: upsell, purpose: marketing}\n";

_Noreturn static void give_up(const char *what, const char *why)
{
	fprintf(stderr, "state: %s: %s\n", what, why);
	exit(1);
}

static double seconds_since(const struct timespec *begin)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for this clock
	return (double)(now.tv_sec - begin->tv_sec) + (double)(now.tv_nsec - begin->tv_nsec) / 1e9;
}

/* CPU time of this thread: what others do on a shared machine is not in it. */
static double cpu_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts); // cannot fail for this clock
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct timespec now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // cannot fail for this clock
	return ts;
}

/* --- who there is ------------------------------------------------------------------------------ */

static struct dp_addr address_of(size_t i)
{
	struct dp_addr addr = {0};
	char text[32];

	(void)g_snprintf(
		text, sizeof(text), "10.%zu.%zu.%zu", i >> 16 & 255, i >> 8 & 255, i & 255);
	if (dp_addr_parse(text, &addr) < 0)
		give_up("an address", text);
	return addr;
}

static struct ctl_person *person_new(struct ctl_facts *facts, size_t i)
{
	struct ctl_person *p = g_new0(struct ctl_person, 1);

	p->id = i + 1;
	p->msisdn = g_strdup_printf("+999%09zu", i);
	p->imsi = g_strdup_printf("00101%010zu", i);
	p->zone = g_strdup("Europe/Berlin");
	p->tz = ctl_facts_zone(facts, p->zone);
	p->n_buckets = 1;
	p->buckets = g_new0(struct ctl_bucket, 1);
	p->buckets[0] = (struct ctl_bucket){.id = g_strdup("data"),
		.cap_bytes = UINT64_C(20000000000),
		.scope = CTL_SCOPE_ALL,
		.anchor_day = (uint8_t)(i % 28 + 1),
		.zone = g_strdup(p->zone),
		.tz = p->tz};
	return p;
}

static int claim_cmp(const void *a, const void *b)
{
	return dp_addr_cmp(
		&((const struct ctl_claim *)a)->addr, &((const struct ctl_claim *)b)->addr);
}

static struct ctl_facts *facts_new(void)
{
	struct ctl_facts *facts = ctl_facts_new();
	g_autofree struct ctl_claim *claims = g_new0(struct ctl_claim, opt.n_profiles);

	for (size_t i = 0; i < opt.n_profiles; i++) {
		g_ptr_array_add(facts->persons, person_new(facts, i));
		claims[i] = (struct ctl_claim){.addr = address_of(i), .person = i + 1};
	}
	qsort(claims, opt.n_profiles, sizeof(*claims), claim_cmp);
	ctl_facts_seal(facts, claims, opt.n_profiles);
	return facts;
}

static void say_mistake(void *, const char *text)
{
	fprintf(stderr, "%s\n", text);
}

static struct ctl_config *config_new(void)
{
	g_autofree char *path = g_build_filename(opt.dir, "wirecue.yaml", NULL);
	g_autofree char *key = g_build_filename(opt.dir, "pseudonym.key", NULL);
	g_autofree char *store = g_build_filename(opt.dir, "store", NULL);
	const struct ctl_config_overrides overrides = {
		.store = store, .number_names = ctl_keeper_number_names};
	struct ctl_config *config;

	if (!g_file_set_contents(path, yaml, -1, NULL) ||
		!g_file_set_contents(key, "0123456789abcdef0123456789abcdef", -1, NULL) ||
		g_chmod(key, 0600) < 0 ||
		ctl_config_load(path, &overrides, say_mistake, NULL, &config) < 0)
		give_up("the configuration", opt.dir);
	ctl_facts_free(config->facts);
	config->facts = facts_new();
	return config;
}

/* --- the parts at work -------------------------------------------------------------------------- */

struct parts {
	struct ctl_config *config;
	struct ctl_keeper *keeper;
	struct ctl_engine *engine;
	struct ctl_outbox *outbox;
};

static void parts_open(struct parts *parts)
{
	struct dp_err err = {0};

	if (ctl_keeper_open(parts->config, &parts->keeper, &err) < 0)
		give_up("the store", err.text);
	parts->outbox = ctl_outbox_new(
		&(struct ctl_outbox_config){.queue_max = parts->config->redis.queue_max,
			.store = ctl_keeper_store(parts->keeper),
			.is_published = true});
}

static void parts_restore(struct parts *parts)
{
	struct dp_err err = {0};

	if (ctl_engine_new(parts->config, ctl_outbox_push, parts->outbox, &parts->engine, &err) <
			0 ||
		ctl_keeper_restore(parts->keeper, parts->engine, parts->outbox, &err) < 0)
		give_up("the restart", err.text);
}

static struct dp_record record_of(size_t i, uint32_t app, uint64_t t_ns)
{
	struct dp_record r = {
		.kind = DP_RECORD_USAGE,
		.endpoint = address_of(i),
		.app = app,
		.evidence = DP_EVIDENCE_SNI,
		.usage = {.bytes = {20000, 1000000},
			.packets = {200, 800},
			.first_ns = t_ns,
			.last_ns = t_ns + SECOND_NS / 2,
			.n_new_flows = 1,
			.active_ms = 500},
	};

	r.tick = t_ns / SECOND_NS;
	return r;
}

static void wait_for_room(const struct parts *parts)
{
	while (!ctl_keeper_has_room(parts->keeper))
		(void)g_usleep(1000);
	ctl_keeper_heard(parts->keeper);
}

/* A chunk of subscribers, one month: each app once. */
static void fill_chunk(const struct parts *parts, size_t first, uint64_t t_ns)
{
	const size_t n = MIN((size_t)CHUNK, opt.n_profiles - first);
	g_autofree struct dp_record *records = g_new(struct dp_record, n * APPS);

	for (size_t i = 0; i < n; i++)
		for (uint32_t app = 0; app < APPS; app++)
			records[i * APPS + app] = record_of(
				first + i, DP_APP_FIRST + (uint32_t)((first + i) % 97) + app, t_ns);
	wait_for_room(parts);
	ctl_engine_tick(parts->engine, t_ns + SECOND_NS, records, n * APPS, 0);
	ctl_keeper_tick(parts->keeper, t_ns + SECOND_NS);
}

/* What they watch ends before it is written for the last time: few of all are at it at once. */
static uint64_t fill(const struct parts *parts)
{
	uint64_t t_ns = BEGIN_NS;

	for (size_t month = 0; month < MONTHS; month++) {
		for (size_t first = 0; first < opt.n_profiles; first += CHUNK, t_ns += SECOND_NS)
			fill_chunk(parts, first, t_ns);
		ctl_engine_advance(parts->engine, t_ns + 3600 * SECOND_NS);
		wait_for_room(parts);
		ctl_keeper_tick(parts->keeper, t_ns + 3600 * SECOND_NS);
		if (!ctl_keeper_flush(parts->keeper, 600 * SECOND_NS))
			give_up("the store", "does not take what is known");
		t_ns = BEGIN_NS + (month + 1) * 30 * 86400 * SECOND_NS;
	}
	return t_ns;
}

/* --- ticks ----------------------------------------------------------------------------------- */

static int double_cmp(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print_spread(const char *what, double *seconds, size_t n)
{
	qsort(seconds, n, sizeof(*seconds), double_cmp);
	printf("%-44s %9.2f %9.2f %9.2f\n", what, seconds[n / 2] * 1e3, seconds[n * 99 / 100] * 1e3,
		seconds[n - 1] * 1e3);
}

static void work(const struct parts *parts, uint64_t t_ns)
{
	g_autofree double *engine_s = g_new(double, opt.n_ticks);
	g_autofree double *keep_s = g_new(double, opt.n_ticks);
	g_autofree double *keep_cpu_s = g_new(double, opt.n_ticks);
	g_autofree double *commit_s = g_new(double, opt.n_ticks);
	g_autofree struct dp_record *records = g_new(struct dp_record, opt.n_dirty * RECORDS);
	g_autoptr(GRand) rand = g_rand_new_with_seed(1);

	for (size_t tick = 0; tick < opt.n_ticks; tick++, t_ns += SECOND_NS) {
		struct timespec begin;

		for (size_t i = 0; i < opt.n_dirty * RECORDS; i += RECORDS) {
			const size_t who = (size_t)g_rand_int_range(
				rand, 0, (gint32)opt.n_profiles);

			for (uint32_t app = 0; app < RECORDS; app++)
				records[i + app] = record_of(
					who, DP_APP_FIRST + (uint32_t)(who % 97) + app, t_ns);
		}
		begin = now();
		ctl_engine_tick(parts->engine, t_ns + SECOND_NS, records, opt.n_dirty * RECORDS, 0);
		engine_s[tick] = seconds_since(&begin);
		begin = now();
		keep_cpu_s[tick] = -cpu_s();
		ctl_keeper_tick(parts->keeper, t_ns + SECOND_NS);
		keep_cpu_s[tick] += cpu_s();
		keep_s[tick] = seconds_since(&begin);
		if (!ctl_store_flush(ctl_keeper_store(parts->keeper), 60 * SECOND_NS))
			give_up("the store", "does not commit");
		commit_s[tick] = seconds_since(&begin);
		ctl_keeper_heard(parts->keeper);
	}
	printf("%-44s %9s %9s %9s\n", "ms of a tick", "median", "p99", "max");
	print_spread("engine: its records", engine_s, opt.n_ticks);
	print_spread("control thread: journal, images, hand over", keep_s, opt.n_ticks);
	print_spread("  CPU time of it", keep_cpu_s, opt.n_ticks);
	print_spread("until it is on the disk", commit_s, opt.n_ticks);
}

/* --- restart --------------------------------------------------------------------------------- */

static double read_raw(const char *path, double *ret_bytes)
{
	const struct timespec begin = now();
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	g_autofree char *buf = g_malloc(1 << 20);
	ssize_t n;

	*ret_bytes = 0;
	while (fd >= 0 && (n = read(fd, buf, 1 << 20)) > 0)
		*ret_bytes += (double)n;
	if (fd < 0 || close(fd) < 0)
		give_up(path, strerror(errno));
	return seconds_since(&begin);
}

static double all_cpu_s(const struct rusage *use)
{
	return (double)(use->ru_utime.tv_sec + use->ru_stime.tv_sec) +
		(double)(use->ru_utime.tv_usec + use->ru_stime.tv_usec) / 1e6;
}

/* Memory that is ours alone, without pages of the store's file that are mapped. */
static long own_mb(void)
{
	g_autofree char *status = NULL;
	const char *line;

	if (!g_file_get_contents("/proc/self/status", &status, NULL, NULL))
		give_up("/proc/self/status", "cannot be read");
	line = strstr(status, "RssAnon:");
	return line == NULL ? 0 : strtol(line + strlen("RssAnon:"), NULL, 10) / 1024;
}

/* Since the call before: wall clock, CPU time of this thread, which is as long as it takes where
 * nobody else wants the processors, that of all threads, and that for each profile. NULL only
 * begins. */
static void step(const char *what)
{
	static struct timespec begin;
	static double cpu_before, own_before;
	struct rusage use;

	(void)getrusage(RUSAGE_SELF, &use); // cannot fail for this process
	if (what != NULL)
		printf("  %-42s %9.2f %9.2f %9.2f %9.0f %9ld\n", what, seconds_since(&begin),
			cpu_s() - own_before, all_cpu_s(&use) - cpu_before,
			(all_cpu_s(&use) - cpu_before) * 1e9 / (double)opt.n_profiles, own_mb());
	cpu_before = all_cpu_s(&use);
	own_before = cpu_s();
	begin = now();
}

/* What the first ticks have to do beside their records. */
static void wake_all(const struct parts *parts)
{
	const uint64_t n_ids = ctl_engine_n_ids(parts->engine);

	for (uint64_t id = 1; id <= n_ids; id++)
		if (ctl_engine_profile(parts->engine, id) == NULL)
			give_up("a profile", "is not there");
}

/* In a process of its own: memory that was used before is quicker to come by. */
static void restart(unsigned n_cpus)
{
	struct parts parts = {0};
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (n_cpus == 1 && sched_setaffinity(0, sizeof(one), &one) < 0)
		give_up("one processor", strerror(errno));
	printf("\n%-44s %9s %9s %9s %9s %9s\n",
		n_cpus == 1 ? "restart with one processor" : "restart with all processors",
		"wall s", "thread s", "CPU s", "ns each", "own MB");
	step(NULL);
	parts.config = config_new();
	step("told facts made, no part of it");
	parts_open(&parts);
	step("examine and open the store");
	parts_restore(&parts);
	step("profiles, journal, persons, outbox");
	ctl_engine_reload(parts.engine, parts.config);
	step("a reload after it");
	wake_all(&parts);
	step("everybody woken, no part of it");
	(void)fflush(stdout);
	_exit(0);
}

static void first_life(void)
{
	struct parts parts = {.config = config_new()};
	const struct timespec begin = now();
	uint64_t t_ns;

	parts_open(&parts);
	parts_restore(&parts);
	t_ns = fill(&parts);
	printf("%zu subscribers, %d months, made in %.0f s; then %zu ticks with %zu of them each\n\n",
		opt.n_profiles, MONTHS, seconds_since(&begin), opt.n_ticks, opt.n_dirty);
	work(&parts, t_ns);
	(void)fflush(stdout);
	_exit(0); // as if killed: nothing is closed
}

static void print_raw(const char *path)
{
	double bytes;
	const double raw_s = read_raw(path, &bytes);

	printf("\n%-44s %9.2f s, %.0f MB, %.0f bytes a profile\n", "reading the file as it is",
		raw_s, bytes / 1e6, bytes / (double)opt.n_profiles);
}

/* Each life is a process. n_cpus: 0 = the first one. */
static void live(unsigned n_cpus)
{
	const pid_t child = fork();
	int status;

	if (child == 0 && n_cpus == 0)
		first_life();
	if (child == 0)
		restart(n_cpus);
	if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
		give_up("a life", "failed");
}

static void remove_tree(const char *dir)
{
	g_autofree char *command = g_strdup_printf("rm -rf -- '%s'", dir);

	if (system(command) != 0)
		give_up(dir, "cannot be removed");
}

static size_t number(const char *text)
{
	char *end;
	const unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n == 0)
		give_up(text, "expected a number above 0");
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"profiles", required_argument, NULL, 'p'},
		{"ticks", required_argument, NULL, 't'}, {"dirty", required_argument, NULL, 'd'},
		{"dir", required_argument, NULL, 'D'}, {NULL}};
	g_autofree char *made = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'p')
			opt.n_profiles = number(optarg);
		else if (c == 't')
			opt.n_ticks = number(optarg);
		else if (c == 'd')
			opt.n_dirty = number(optarg);
		else if (c == 'D')
			opt.dir = optarg;
		else
			return 2;
	}
	if (opt.dir == NULL)
		opt.dir = made = g_dir_make_tmp("wirecue-bench-XXXXXX", NULL);
	if (opt.dir == NULL)
		give_up("a temporary folder", strerror(errno));
	(void)setvbuf(stdout, NULL, _IOLBF, 0);

	g_autofree char *path = g_build_filename(opt.dir, "store", "wirecue.mdb", NULL);

	if (!g_file_test(path, G_FILE_TEST_EXISTS))
		live(0);
	print_raw(path);
	live(1);
	live(2);
	if (made != NULL)
		remove_tree(made);
	return 0;
}
