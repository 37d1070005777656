// SPDX-License-Identifier: BSD-3-Clause

/* From the end of a tick until a consumer can read its triggers: commit, sync, script, stream.
 *
 *   latency [--triggers N] [--ticks N] [--append always|everysec|no]
 *
 * A real store in a folder of its own, a real redis-server on a Unix socket, and a consumer on a
 * connection of its own that waits with XREAD BLOCK. Each second a tick of N triggers (1000) is
 * sealed; printed is the time from there until the consumer has each entry. */

#include "control/hiredis_compat.h"
#include "control/outbox.h"
#include "control/publisher.h"
#include "control/store.h"
#include "tests/lib/redis_server.h"
#include "tests/lib/trigger_sample.h"

#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_NS UINT64_C(1000000000)

static struct {
	unsigned n_triggers, n_ticks;
	const char *append;
} opt = {.n_triggers = 1000, .n_ticks = 30, .append = "no"};

static struct {
	struct test_redis redis;
	struct event_base *base;
	struct ctl_store *store;
	struct ctl_outbox *outbox;
	struct ctl_publisher *publisher;
	uint64_t serial;
	_Atomic uint64_t *sealed_ns; // by tick
	double *seconds; // by entry, in order of the stream
	_Atomic unsigned n_read;
} bench;

_Noreturn static void give_up(const char *what, const char *why)
{
	fprintf(stderr, "latency: %s: %s\n", what, why);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // cannot fail for this clock
	return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

/* --- the consumer ------------------------------------------------------------------------------ */

/* XREAD's reply: [[key, [[id, fields] ...]]]. Returns the last id, borrowed from the reply. */
static const char *book(const redisReply *reply)
{
	const redisReply *entries = reply->element[0]->element[1];
	const uint64_t at = now_ns();

	for (size_t i = 0; i < entries->elements; i++) {
		const unsigned n = atomic_load(&bench.n_read);

		bench.seconds[n] = (double)(at -
					   atomic_load(&bench.sealed_ns[n / opt.n_triggers])) /
			1e9;
		atomic_store(&bench.n_read, n + 1);
	}
	return entries->element[entries->elements - 1]->element[0]->str;
}

static void *consume(void *)
{
	redisContext *c = redisConnectUnix(bench.redis.socket);
	char last[64] = "0-0";

	if (c == NULL || c->err != 0)
		give_up("the consumer", "cannot connect");
	while (atomic_load(&bench.n_read) < opt.n_triggers * opt.n_ticks) {
		redisReply *reply = redisCommand(
			c, "XREAD BLOCK 1000 STREAMS bench:triggers:{0} %s", last);

		if (reply == NULL)
			give_up("the consumer", c->errstr);
		if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0)
			(void)g_strlcpy(last, book(reply), sizeof(last));
		freeReplyObject(reply);
	}
	redisFree(c);
	return NULL;
}

/* --- the control thread ------------------------------------------------------------------------- */

static void on_kept(evutil_socket_t, short, void *)
{
	ctl_store_heard(bench.store);
	ctl_outbox_committed(bench.outbox, ctl_store_committed(bench.store));
}

static void run_until(uint64_t until_ns)
{
	while (now_ns() < until_ns) {
		(void)event_base_loop(bench.base, EVLOOP_NONBLOCK);
		(void)g_usleep(200); // the daemon waits in the kernel; this is as good for a mean
	}
}

static void seal(unsigned tick)
{
	struct ctl_batch *batch = ctl_batch_new(++bench.serial, (tick + 1) * SECOND_NS);

	for (unsigned i = 0; i < opt.n_triggers; i++)
		ctl_outbox_push(bench.outbox, test_trigger(tick * opt.n_triggers + i));
	atomic_store(&bench.sealed_ns[tick], now_ns());
	ctl_outbox_seal(bench.outbox, batch);
	ctl_store_give(bench.store, batch);
}

static void open_all(const char *dir, struct ctl_redis_config *redis, struct event **ret_kept)
{
	const struct ctl_store_config sc = {.path = dir,
		.node = "bench",
		.tick_ns = SECOND_NS,
		.size_max = UINT64_C(8000000000),
		.backlog_max = 64,
		.backlog_bytes_max = 256 << 20};
	struct dp_err err = {0};

	if (ctl_store_open(&sc, &bench.store, &err) < 0)
		give_up("the store", err.text);
	bench.outbox = ctl_outbox_new(&(struct ctl_outbox_config){
		.queue_max = 10000000, .store = bench.store, .is_published = true});
	if (ctl_outbox_restore(bench.outbox, &err) < 0)
		give_up("the outbox", err.text);
	bench.base = event_base_new();
	*ret_kept = event_new(
		bench.base, ctl_store_fd(bench.store), EV_READ | EV_PERSIST, on_kept, NULL);
	if (*ret_kept == NULL || event_add(*ret_kept, NULL) != 0)
		give_up("the event loop", strerror(errno));
	if (ctl_publisher_new(bench.base,
		    &(struct ctl_publisher_config){
			    .redis = redis, .node = "bench", .outbox = bench.outbox},
		    &bench.publisher, &err) < 0)
		give_up("the publisher", err.text);
}

static int double_cmp(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void report(void)
{
	const size_t n = (size_t)opt.n_triggers * opt.n_ticks;

	qsort(bench.seconds, n, sizeof(*bench.seconds), double_cmp);
	printf("%-44s %9s %9s %9s\n", "ms from the end of a tick", "median", "p99", "max");
	printf("until an entry is read (%u a second, AOF %s) %8.2f %9.2f %9.2f\n", opt.n_triggers,
		opt.append, bench.seconds[n / 2] * 1e3, bench.seconds[n * 99 / 100] * 1e3,
		bench.seconds[n - 1] * 1e3);
}

static void measure(const char *dir)
{
	struct ctl_redis_config redis = {.url = bench.redis.unix_url,
		.prefix = (char[]){"bench:"},
		.queue_max = 10000000,
		.connect_timeout_ns = 2 * SECOND_NS,
		.reply_timeout_ns = 5 * SECOND_NS,
		.retry_min_ns = SECOND_NS / 10,
		.retry_max_ns = SECOND_NS};
	struct event *kept;
	pthread_t consumer;
	uint64_t begin_ns;

	open_all(dir, &redis, &kept);
	if (pthread_create(&consumer, NULL, consume, NULL) != 0)
		give_up("the consumer", "cannot start");
	run_until(now_ns() + SECOND_NS); // connected
	begin_ns = now_ns();
	for (unsigned tick = 0; tick < opt.n_ticks; tick++) {
		seal(tick);
		run_until(begin_ns + (tick + 1) * SECOND_NS);
	}
	while (atomic_load(&bench.n_read) < opt.n_triggers * opt.n_ticks)
		run_until(now_ns() + SECOND_NS / 10);
	(void)pthread_join(consumer, NULL); // of a thread that is there
	report();
	ctl_publisher_free(bench.publisher);
	ctl_outbox_free(bench.outbox);
	event_free(kept);
	event_base_free(bench.base);
	ctl_store_close(bench.store);
}

static unsigned number(const char *text)
{
	char *end;
	const unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n == 0 || n > 1000000)
		give_up(text, "expected a number from 1 to 1000000");
	return (unsigned)n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"triggers", required_argument, NULL, 'n'},
		{"ticks", required_argument, NULL, 't'}, {"append", required_argument, NULL, 'a'},
		{NULL}};
	g_autofree char *dir = g_dir_make_tmp("wirecue-bench-XXXXXX", NULL);
	g_autofree char *store = g_build_filename(dir == NULL ? "." : dir, "store", NULL);
	g_autofree char *tidy = g_strdup_printf("rm -rf -- '%s'", dir == NULL ? "" : dir);
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'n')
			opt.n_triggers = number(optarg);
		else if (c == 't')
			opt.n_ticks = number(optarg);
		else if (c == 'a')
			opt.append = optarg;
		else
			return 2;
	}
	if (dir == NULL)
		give_up("a temporary folder", strerror(errno));
	bench.sealed_ns = g_new0(_Atomic uint64_t, opt.n_ticks);
	bench.seconds = g_new0(double, (size_t)opt.n_triggers *opt.n_ticks);
	test_redis_init(&bench.redis);
	test_redis_start(&bench.redis,
		strcmp(opt.append, "no") == 0 ? NULL
					      : (const char *[]){"--appendonly", "yes",
							"--appendfsync", opt.append, NULL});
	measure(store);
	test_redis_fini(&bench.redis);
	return system(tidy) == 0 ? 0 : 1;
}
