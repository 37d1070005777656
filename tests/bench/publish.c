// SPDX-License-Identifier: BSD-3-Clause

/* publish [--count N]: triggers a second from the outbox into the stream of a private
 * redis-server, and beside it what one hiredis connection gets into a stream by pipelined XADD alone:
 * same events, same server, same run. The delivery does more for each: counters, two channels, one
 * step. Best of three, alternating. */

#include "control/log.h"
#include "control/outbox.h"
#include "control/publisher.h"
#include "tests/lib/redis_server.h"
#include "tests/lib/trigger_sample.h"

#include <event2/event.h>
#include <getopt.h>
#include <glib.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_ROUNDS = 3, PIPELINE = 1024, PATIENCE_S = 300 };

static double seconds_since(gint64 begin_us)
{
	return (double)(g_get_monotonic_time() - begin_us) / 1e6;
}

[[gnu::noreturn]] static void die(const char *what)
{
	(void)fprintf(stderr, "publish: %s\n", what);
	exit(1);
}

static struct ctl_outbox *filled_outbox(unsigned n)
{
	const struct ctl_outbox_config config = {.queue_max = n, .is_published = true};
	const struct ctl_outbox_mark none = {0};
	struct ctl_outbox *outbox = ctl_outbox_new(&config);

	ctl_outbox_resume(outbox, &none);
	for (unsigned i = 0; i < n; i++)
		ctl_outbox_push(outbox, test_trigger(i));
	ctl_outbox_seal(outbox, NULL);
	return outbox;
}

/* From the first connection to the last acknowledgement. */
static double publish(struct test_redis *redis, struct ctl_outbox *outbox, unsigned n)
{
	const struct ctl_redis_config config = {
		.url = redis->unix_url,
		.prefix = (char *)(uintptr_t) "bench:",
		.connect_timeout_ns = 5000000000ULL,
		.reply_timeout_ns = 30000000000ULL,
		.retry_min_ns = 10000000ULL,
		.retry_max_ns = 100000000ULL,
	};
	const struct ctl_publisher_config pc = {
		.redis = &config, .node = "bench", .outbox = outbox};
	struct event_base *base = event_base_new();
	struct ctl_publisher *publisher;
	struct dp_err err;
	gint64 begin_us;
	double s;

	test_redis_run(redis, "FLUSHALL");
	begin_us = g_get_monotonic_time();
	if (ctl_publisher_new(base, &pc, &publisher, &err) < 0)
		die(err.text);
	if (ctl_publisher_flush(publisher, PATIENCE_S * 1000000000ULL) > 0)
		die("not everything was delivered");
	s = seconds_since(begin_us);
	ctl_publisher_free(publisher);
	event_base_free(base);
	return n / s;
}

static void take_replies(redisContext *c, unsigned n)
{
	redisReply *reply;

	for (unsigned i = 0; i < n; i++) {
		if (redisGetReply(c, (void **)&reply) != REDIS_OK ||
			reply->type == REDIS_REPLY_ERROR)
			die("XADD was refused");
		freeReplyObject(reply);
	}
}

/* The same texts, PIPELINE of them at a time. */
static double plain(struct test_redis *redis, const struct ctl_outbox *outbox, unsigned n)
{
	redisContext *c = redisConnectUnix(redis->socket);
	unsigned n_unread = 0;
	gint64 begin_us;
	double s;

	test_redis_run(redis, "FLUSHALL");
	if (c == NULL || c->err != 0)
		die("no connection");
	begin_us = g_get_monotonic_time();
	for (unsigned i = 0; i < n; i++) {
		const struct ctl_outbox_entry *e = ctl_outbox_peek(outbox, i);
		char id[48];

		(void)snprintf(id, sizeof(id), "%llu-%llu", (unsigned long long)e->id_ms,
			(unsigned long long)e->id_n);
		const char *argv[] = {"XADD", "bench:plain", id, "event", e->event, "type", e->type,
			"subject", e->subject};
		if (redisAppendCommandArgv(c, G_N_ELEMENTS(argv), argv, NULL) != REDIS_OK)
			die("no memory");
		if (++n_unread == PIPELINE) {
			take_replies(c, n_unread);
			n_unread = 0;
		}
	}
	take_replies(c, n_unread);
	s = seconds_since(begin_us);
	redisFree(c);
	return n / s;
}

int main(int argc, char **argv)
{
	unsigned n = 50000;
	double published = 0, added = 0;
	struct test_redis redis;

	if (argc == 3 && strcmp(argv[1], "--count") == 0)
		n = (unsigned)strtoul(argv[2], NULL, 10);
	else if (argc != 1)
		n = 0;
	if (n == 0) {
		(void)fprintf(stderr, "usage: publish [--count N]\n");
		return 2;
	}
	if (!test_redis_is_installed()) {
		printf("publish: no redis-server here\n");
		return 0;
	}
	ctl_log_set_level(CTL_LOG_ERR);
	test_redis_init(&redis);
	test_redis_start(&redis, NULL);
	for (int i = 0; i < N_ROUNDS; i++) {
		struct ctl_outbox *outbox = filled_outbox(n);

		const double n_added = plain(&redis, outbox, n);
		const double n_published = publish(&redis, outbox, n);

		added = MAX(added, n_added);
		published = MAX(published, n_published);
		ctl_outbox_free(outbox);
	}
	test_redis_fini(&redis);
	printf("%-44s %10s\n", "to a local redis-server, best of three", "a second");
	printf("%-44s %10.0f\n", "triggers, outbox to stream and channels", published);
	printf("%-44s %10.0f\n", "  beside it plain pipelined XADD", added);
	return 0;
}
