// SPDX-License-Identifier: BSD-3-Clause

/* Surveys one after the other while frames come in without a pause: the real pipeline, two workers with nDPI, recorded
 * handshakes of many subscribers through a ring port, room for all that ends. No flow comes twice, all come that had begun
 * before, and once it is quiet they have every byte and packet that was credited. */

#include "control/config.h"
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
#include <string.h>

enum { N_WORKERS = 2, N_MBUFS = 2047, SURVEYS_MIN = 20 };

static char *dir;

/* --- a survey ------------------------------------------------------------------------------------- */

struct key {
	uint64_t first_ns;
	struct dp_addr src, dst;
	uint16_t sport, dport;
	uint8_t l4_proto, pad[3];
};

struct view {
	GHashTable *flows; // struct key
	uint64_t n_twice, bytes, packets;
	struct ctl_survey_reach reach;
	bool is_done;
};

static guint key_hash(gconstpointer key)
{
	const struct key *k = key;

	return (guint)(k->first_ns ^ dp_addr_half(&k->src, 1) ^ dp_addr_half(&k->dst, 1) ^
		(uint64_t)k->sport << 16 ^ k->dport);
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, sizeof(struct key)) == 0;
}

static void on_flow(void *ctx, const struct dp_record *r)
{
	struct view *view = ctx;
	struct key *key = g_new0(struct key, 1);

	*key = (struct key){.first_ns = r->note.first_ns,
		.src = r->note.src,
		.dst = r->note.dst,
		.sport = r->note.sport,
		.dport = r->note.dport,
		.l4_proto = r->note.l4_proto};
	view->bytes += r->note.bytes[0] + r->note.bytes[1];
	view->packets += r->note.packets[0] + r->note.packets[1];
	if (!g_hash_table_add(view->flows, key))
		view->n_twice++;
}

static void on_done(void *ctx, const struct ctl_survey_reach *reach)
{
	struct view *view = ctx;

	view->reach = *reach;
	view->is_done = true;
}

static struct dp_worker_stats workers(struct ctl_pipeline *p)
{
	struct dp_worker_stats sum = {0}, w;

	for (uint16_t i = 0; i < N_WORKERS; i++) {
		dp_path_worker_stats(ctl_pipeline_path(p), i, &w);
		sum.flows += w.flows;
		sum.packets += w.packets;
		sum.ip_bytes += w.ip_bytes;
		sum.flows_evicted += w.flows_evicted;
	}
	return sum;
}

/* Returns how many flows were visited. */
static uint64_t survey(struct ctl_pipeline *p, struct view *ret_view)
{
	static const struct ctl_survey_visitor visitor = {.flow = on_flow, .done = on_done};
	struct view view = {.flows = g_hash_table_new_full(key_hash, key_equal, g_free, NULL)};
	const uint64_t n_before = workers(p).flows;
	uint64_t n;

	assert_int_equal(ctl_survey_begin(ctl_pipeline_survey(p), &visitor, &view, NULL), 0);
	while (!view.is_done)
		if (!ctl_pipeline_poll(p))
			(void)sched_yield();
	n = view.reach.n_living + view.reach.n_ended;
	assert_int_equal(view.n_twice, 0);
	assert_int_equal(g_hash_table_size(view.flows), n);
	assert_int_equal(view.reach.n_overwritten, 0);
	assert_in_range(n + view.reach.n_dropped, n_before, UINT64_MAX);
	assert_in_range(n, 0, workers(p).flows);
	g_hash_table_destroy(view.flows);
	*ret_view = view;
	return n;
}

/* --- the process ---------------------------------------------------------------------------------- */

static void say_mistake(void *, const char *text)
{
	print_error("%s\n", text);
}

static struct ctl_pipeline *open_pipeline(void)
{
	const struct ctl_config_overrides overrides = {.n_workers = N_WORKERS};
	g_autofree char *path = g_build_filename(dir, "wirecue.yaml", NULL);
	struct ctl_pipeline_config pc = {0};
	struct ctl_pipeline *p;
	struct dp_err err;

	assert_int_equal(ctl_config_load(path, &overrides, say_mistake, NULL, &pc.config), 0);
	if (ctl_pipeline_open(&pc, &p, &err) < 0 || ctl_pipeline_start(p, &err) < 0)
		fail_msg("%s", err.text);
	return p;
}

static bool is_quiet(struct ctl_pipeline *p, struct sender *s)
{
	return atomic_load(&s->is_done) && sender_n_worked(s->path) == sender_n_frames() &&
		!ctl_pipeline_poll(p);
}

static void no_flow_is_missed_and_none_comes_twice_under_load(void **)
{
	struct ctl_pipeline *p = open_pipeline();
	struct sender s = {.path = ctl_pipeline_path(p),
		.pool = rte_pktmbuf_pool_create("wire", N_MBUFS, 0,
			RTE_ALIGN_CEIL(sizeof(struct dp_pkt), RTE_MBUF_PRIV_ALIGN),
			RTE_PKTMBUF_HEADROOM + SENDER_FRAME_MAX, SOCKET_ID_ANY),
		.ring = rte_ring_lookup("ETH_RXTX0_net_ring0"),
		.may_send = UINT64_MAX};
	struct dp_worker_stats sum;
	unsigned int n_surveys = 0;
	struct view view;
	pthread_t thread;
	uint64_t n;

	assert_non_null(s.pool);
	assert_non_null(s.ring);
	assert_int_equal(pthread_create(&thread, NULL, sender_run, &s), 0);
	for (; !atomic_load(&s.is_done); n_surveys++)
		(void)survey(p, &view);
	assert_int_equal(pthread_join(thread, NULL), 0);
	while (!is_quiet(p, &s))
		(void)sched_yield();
	n = survey(p, &view);
	sum = workers(p);
	print_message("%u surveys, %u flows at last, of them %u ended; %u notes dropped\n",
		n_surveys, (unsigned)n, (unsigned)view.reach.n_ended,
		(unsigned)view.reach.n_dropped);
	assert_true(n_surveys >= SURVEYS_MIN);
	assert_int_equal(n + view.reach.n_dropped, sum.flows);
	if (view.reach.n_dropped == 0) {
		assert_int_equal(view.bytes, sum.ip_bytes);
		assert_int_equal(view.packets, sum.packets);
	}
	assert_true(view.reach.n_ended > 0 && view.reach.n_living > 0);
	assert_true(ctl_pipeline_finish(p));
	rte_mempool_free(s.pool);
	ctl_pipeline_close(p);
}

static void write_file(const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	assert_true(g_file_set_contents(path, text, -1, NULL));
}

static int start(void **)
{
	dir = g_dir_make_tmp("wirecue-survey-XXXXXX", NULL);
	assert_non_null(dir);
	write_file(
		"apps.yaml", "apps: [{name: films, category: streaming, hosts: [netflix.com]}]\n");
	write_file("wirecue.yaml",
		"node: lab\n"
		"privacy: {subject: plain}\n"
		"ports: [{name: ring, device: net_ring0, role: tap}]\n"
		"tick: 100ms\n"
		"workers: {flows: 1k}\n" // the oldest ones end, to make room
		"flows: {recent: 1M}\n"
		"store: {enabled: false}\n"
		"apps: apps.yaml\n");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_flow_is_missed_and_none_comes_twice_under_load),
	};

	return cmocka_run_group_tests_name("survey_load", tests, start, stop);
}
