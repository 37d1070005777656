// SPDX-License-Identifier: BSD-3-Clause

/* 100 swaps of the catalogue while frames come in without a pause: the real pipeline, two workers with nDPI, recorded
 * handshakes of many subscribers through a ring port. Every frame has its outcome, every byte, packet and flow is
 * credited once, and to each app what it has without swaps, but for those whose rules differ.
 *
 *   integration_reload_load [N]: N times
 *
 * The EAL starts once a process, so each run is a child of its own. */

#include "control/config.h"
#include "control/ledger.h"
#include "control/pipeline.h"
#include "dataplane/worker.h"
#include "tests/integration/reload_sender.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	N_SWAPS = 100,
	N_WORKERS = 2,
	N_MBUFS = 2047,
	N_AHEAD = 400, // frames that are sent beyond a swap's turn before it has happened
};

/* What stands in one group is not told apart: its apps differ between the two catalogues. */
static const struct {
	const char *app, *group;
} groups[] = {
	{"films", "films"},
	{"cinema", "films"},
	{"chat", "open"},
	{"sites", "open"},
	{"unknown", "open"},
	{"undecided", "open"},
	{"music", "music"},
	{"dns", "dns"},
	{"rival", "rival"},
	{"clips", "clips"},
};

static const char before_yaml[] =
	"apps:\n"
	"  - {name: films, category: streaming, hosts: [netflix.com, nflxvideo.net]}\n"
	"  - {name: music, category: music, hosts: [spotify.com]}\n"
	"  - {name: chat, category: messaging, ndpi: [WhatsApp]}\n"
	"  - {name: clips, category: streaming, hosts: [googlevideo.com]}\n"
	"  - {name: rival, category: competitor, hosts: [rival-mobile.example]}\n"
	"  - {name: dns, category: network, ndpi: [DNS]}\n";

/* Another app for a name, no app for a protocol, an app for names that had none, a tag, other evidence. */
static const char after_yaml[] =
	"apps:\n"
	"  - {name: cinema, category: streaming, hosts: [netflix.com], tags: {files: [nflxvideo.net]}}\n"
	"  - {name: music, category: music, ndpi: [Spotify]}\n"
	"  - {name: sites, category: web, hosts: [example.com, example.net, example.org]}\n"
	"  - {name: clips, category: streaming, hosts: [rr1---sn-test.googlevideo.com]}\n"
	"  - {name: rival, category: competitor, tags: {plans: [www.rival-mobile.example]}, hosts: [rival-mobile.example]}\n"
	"  - {name: dns, category: network, ports: [\"udp:53\"], ndpi: [DNS]}\n";

static unsigned int n_runs = 1;
static char *dir;

/* --- a run, in a child -------------------------------------------------------------------------- */

#define CHECK(is_true) \
	do { \
		if (!(is_true)) { \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #is_true); \
			_exit(1); \
		} \
	} while (0)

static void say_mistake(void *, const char *text)
{
	(void)fprintf(stderr, "%s\n", text);
}

static struct ctl_config *load(const char *name)
{
	const struct ctl_config_overrides overrides = {.n_workers = N_WORKERS};
	g_autofree char *path = g_build_filename(dir, name, NULL);
	struct ctl_config *config;

	CHECK(ctl_config_load(path, &overrides, say_mistake, NULL, &config) == 0);
	return config;
}

static struct ctl_pipeline *open_pipeline(void)
{
	const struct ctl_pipeline_config pc = {.config = load("before.yaml")};
	struct ctl_pipeline *p;
	struct dp_err err;

	if (ctl_pipeline_open(&pc, &p, &err) < 0 || ctl_pipeline_start(p, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		_exit(1);
	}
	return p;
}

/* Control as it is, until the sender has come that far. */
static void work_until(struct ctl_pipeline *p, const struct sender *s, uint64_t n_sent)
{
	while (atomic_load(&s->n_sent) < n_sent && !atomic_load(&s->is_done))
		if (!ctl_pipeline_poll(p))
			(void)sched_yield();
}

/* n swaps, evenly over all frames; between them the sender goes on. */
static void swap_often(struct ctl_pipeline *p, struct sender *s, unsigned int n)
{
	const uint64_t step = sender_n_frames() / (n + 1);

	for (unsigned int i = 0; i < n; i++) {
		struct ctl_config *config = load(i % 2 == 0 ? "after.yaml" : "before.yaml");

		atomic_store(&s->may_send, (i + 1) * step + N_AHEAD);
		work_until(p, s, (i + 1) * step);
		ctl_pipeline_reload(p, config);
	}
	atomic_store(&s->may_send, UINT64_MAX);
}

static bool is_resolved(struct ctl_pipeline *p, uint64_t n_swaps)
{
	struct dp_worker_stats w;

	for (uint16_t i = 0; i < N_WORKERS; i++) {
		dp_path_worker_stats(ctl_pipeline_path(p), i, &w);
		if (w.catalogues < n_swaps || w.to_resolve > 0)
			return false;
	}
	return true;
}

static void check_workers(struct ctl_pipeline *p, uint64_t n_swaps)
{
	for (uint16_t i = 0; i < N_WORKERS; i++) {
		struct dp_worker_stats w;

		dp_path_worker_stats(ctl_pipeline_path(p), i, &w);
		CHECK(w.catalogues == n_swaps); // each was in force in each worker
		CHECK(w.resolve_refused == 0 && w.flows_evicted == 0 && w.verdicts_cut == 0);
		CHECK((w.resolved_again > 0) == (n_swaps > 0));
	}
}

/* Every frame is accounted, and every byte of them is of some app. */
static void check_ledger(struct ctl_pipeline *p, const json_t *apps)
{
	struct dp_path_stats s;
	struct dp_err err;
	uint64_t bytes = 0;
	const json_t *app;
	size_t i;

	dp_path_stats(ctl_pipeline_path(p), &s);
	CHECK(ctl_ledger_check_end(&s, &err) == 0);
	CHECK(s.frames == sender_n_frames());
	CHECK(s.outcomes[DP_OUTCOME_ACCOUNTED] == s.frames);
	json_array_foreach(apps, i, app)
	{
		bytes += (uint64_t)json_integer_value(json_object_get(app, "bytes"));
	}
	CHECK(bytes == s.accounted_bytes);
}

static void run(unsigned int n_swaps, int fd)
{
	struct ctl_pipeline *p = open_pipeline();
	struct sender s = {.path = ctl_pipeline_path(p),
		.pool = rte_pktmbuf_pool_create("wire", N_MBUFS, 0,
			RTE_ALIGN_CEIL(sizeof(struct dp_pkt), RTE_MBUF_PRIV_ALIGN),
			RTE_PKTMBUF_HEADROOM + SENDER_FRAME_MAX, SOCKET_ID_ANY),
		.ring = rte_ring_lookup("ETH_RXTX0_net_ring0"),
		.may_send = n_swaps > 0 ? 0 : UINT64_MAX};
	pthread_t thread;
	json_t *apps;

	CHECK(s.pool != NULL && s.ring != NULL);
	CHECK(pthread_create(&thread, NULL, sender_run, &s) == 0);
	swap_often(p, &s, n_swaps);
	while (!atomic_load(&s.is_done) || sender_n_worked(s.path) < sender_n_frames() ||
		!is_resolved(p, n_swaps))
		if (!ctl_pipeline_poll(p))
			(void)sched_yield();
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(ctl_pipeline_finish(p));
	check_workers(p, n_swaps);
	apps = ctl_pipeline_apps_json(p);
	check_ledger(p, apps);
	CHECK(json_dumpfd(apps, fd, JSON_COMPACT) == 0);
	json_decref(apps);
	rte_mempool_free(s.pool);
	ctl_pipeline_close(p);
}

/* Nothing comes, and control does nothing else: each reload waits for the one before it only. */
static void swap_in_a_row(void)
{
	struct ctl_pipeline *p = open_pipeline();
	struct ctl_config *configs[N_SWAPS];
	struct timespec begin, end;
	struct dp_worker_stats w;

	for (unsigned int i = 0; i < N_SWAPS; i++)
		configs[i] = load(i % 2 == 0 ? "after.yaml" : "before.yaml");
	(void)clock_gettime(CLOCK_MONOTONIC, &begin); // cannot fail for this clock
	for (unsigned int i = 0; i < N_SWAPS; i++)
		ctl_pipeline_reload(p, configs[i]);
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	while (!is_resolved(p, N_SWAPS))
		(void)ctl_pipeline_poll(p);
	for (uint16_t i = 0; i < N_WORKERS; i++) {
		dp_path_worker_stats(ctl_pipeline_path(p), i, &w);
		CHECK(w.catalogues == N_SWAPS && w.resolved_again == 0);
	}
	(void)printf("%d reloads in a row took %lld us\n", N_SWAPS,
		(long long)(end.tv_sec - begin.tv_sec) * 1000000 +
			(end.tv_nsec - begin.tv_nsec) / 1000);
	CHECK(ctl_pipeline_finish(p));
	ctl_pipeline_close(p);
}

/* --- what runs come to -------------------------------------------------------------------------- */

static pid_t fork_child(void)
{
	pid_t pid;

	(void)fflush(NULL); // what waits is written once
	pid = fork();
	assert_true(pid >= 0);
	return pid;
}

static void wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static json_t *usage_with(unsigned int n_swaps)
{
	int fds[2];
	json_t *apps;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork_child();
	if (pid == 0) {
		run(n_swaps, fds[1]);
		exit(0); // and look for leaks
	}
	(void)close(fds[1]);
	apps = json_loadfd(fds[0], 0, NULL);
	(void)close(fds[0]);
	wait_for(pid);
	assert_non_null(apps);
	return apps;
}

static json_int_t sum(const json_t *apps, const char *group, const char *key)
{
	json_int_t n = 0;
	const json_t *app;
	size_t i;

	json_array_foreach(apps, i, app)
	{
		const char *name = json_string_value(json_object_get(app, "app"));
		size_t g = 0;

		while (g < G_N_ELEMENTS(groups) && strcmp(groups[g].app, name) != 0)
			g++;
		if (g == G_N_ELEMENTS(groups))
			fail_msg("nobody expects app '%s'", name);
		if (strcmp(groups[g].group, group) == 0)
			n += json_integer_value(json_object_get(app, key));
	}
	return n;
}

static bool has_app(const json_t *apps, const char *name)
{
	const json_t *app;
	size_t i;

	json_array_foreach(apps, i, app)
	{
		if (strcmp(json_string_value(json_object_get(app, "app")), name) == 0)
			return json_integer_value(json_object_get(app, "bytes")) > 0;
	}
	return false;
}

static void swaps_under_load_lose_nothing_and_count_nothing_twice(void **)
{
	static const char *const keys[] = {"bytes", "packets", "flows"};
	json_t *calm = usage_with(0);

	for (unsigned int i = 0; i < n_runs; i++) {
		json_t *swapped = usage_with(N_SWAPS);

		for (size_t g = 0; g < G_N_ELEMENTS(groups); g++)
			for (size_t k = 0; k < G_N_ELEMENTS(keys); k++)
				assert_int_equal(sum(swapped, groups[g].group, keys[k]),
					sum(calm, groups[g].group, keys[k]));
		assert_true(has_app(swapped, "cinema") && has_app(swapped, "films"));
		assert_true(has_app(swapped, "sites") && has_app(swapped, "chat"));
		assert_false(has_app(calm, "cinema") || has_app(calm, "sites"));
		json_decref(swapped);
	}
	json_decref(calm);
}

static void reloads_in_a_row_are_all_taken_by_idle_workers(void **)
{
	const pid_t pid = fork_child();

	if (pid == 0) {
		swap_in_a_row();
		exit(0);
	}
	wait_for(pid);
}

/* --- the process -------------------------------------------------------------------------------- */

static void write_file(const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void write_config(const char *name, const char *apps)
{
	g_autofree char *text = g_strdup_printf(
		"node: lab\n"
		"privacy: {subject: plain}\n"
		"ports: [{name: ring, device: net_ring0, role: tap}]\n"
		"tick: 100ms\n"
		"workers: {flows: 64k}\n"
		"store: {enabled: false}\n"
		"apps: %s\n",
		apps);

	write_file(name, text);
}

static int start(void **)
{
	dir = g_dir_make_tmp("wirecue-reload-XXXXXX", NULL);
	assert_non_null(dir);
	write_file("apps-before.yaml", before_yaml);
	write_file("apps-after.yaml", after_yaml);
	write_config("before.yaml", "apps-before.yaml");
	write_config("after.yaml", "apps-after.yaml");
	return sender_read() ? 0 : -1;
}

static int stop(void **)
{
	g_autofree char *command = g_strdup_printf("rm -r '%s'", dir);

	sender_forget();
	assert_int_equal(system(command), 0);
	g_free(dir);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(swaps_under_load_lose_nothing_and_count_nothing_twice),
		cmocka_unit_test(reloads_in_a_row_are_all_taken_by_idle_workers),
	};

	if (argc > 1)
		n_runs = (unsigned int)strtoul(argv[1], NULL, 10);
	return cmocka_run_group_tests_name("reload_load", tests, start, stop);
}
