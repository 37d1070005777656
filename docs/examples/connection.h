// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Redis as consumer.c asks it: one command, one reply. NULL or false means that it failed, the reason is
 * in the connection's error, and the connection is to be made anew. */

#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

struct connection {
	redisContext *redis; // owned; NULL = not connected
	char error[256]; // why the last command failed
};

static redisReply *taken(struct connection *c, redisReply *reply)
{
	if (reply != NULL && reply->type != REDIS_REPLY_ERROR)
		return reply;
	snprintf(c->error, sizeof(c->error), "%s", reply != NULL ? reply->str : c->redis->errstr);
	freeReplyObject(reply);
	return NULL;
}

/* One command, its reply owned by the caller. */
static redisReply *ask(struct connection *c, const char *format, ...)
{
	redisReply *reply;
	va_list args;

	va_start(args, format);
	reply = redisvCommand(c->redis, format, args);
	va_end(args);
	return taken(c, reply);
}

static bool done(redisReply *reply)
{
	freeReplyObject(reply);
	return reply != NULL;
}

/* What n appended commands reply; that of the last is the caller's. */
static redisReply *last_of(struct connection *c, int n)
{
	redisReply *last = NULL;

	while (n-- > 0) {
		void *reply = NULL;

		freeReplyObject(last);
		(void)redisGetReply(c->redis, &reply); // a failure leaves NULL
		last = taken(c, reply);
		if (last == NULL)
			return NULL;
	}
	return last;
}

static redisContext *connect_to(const char *url, long *ret_db)
{
	const struct timeval patience = {.tv_sec = 5};
	char host[256];
	int port = 6379, n = 0;

	*ret_db = 0;
	if (strncmp(url, "unix://", 7) == 0)
		return redisConnectUnixWithTimeout(url + 7, patience);
	if (sscanf(url, "redis://[%255[^]]]%n", host, &n) != 1 &&
		sscanf(url, "redis://%255[^:/]%n", host, &n) != 1)
		return NULL;
	url += n;
	if (sscanf(url, ":%d%n", &port, &n) == 1)
		url += n;
	if (*url != '\0' && sscanf(url, "/%ld", ret_db) != 1 && strcmp(url, "/") != 0)
		return NULL;
	return redisConnectWithTimeout(host, port, patience);
}

static bool open_redis(struct connection *c, const char *url, const char *user, long block_ms)
{
	const struct timeval patience = {.tv_sec = block_ms / 1000 + 5};
	const char *password = getenv("REDISCLI_AUTH");
	long db;

	c->redis = connect_to(url, &db);
	if (c->redis == NULL || c->redis->err != 0) {
		snprintf(c->error, sizeof(c->error), "%s",
			c->redis != NULL ? c->redis->errstr
					 : "not redis://HOST:PORT[/DB] or unix:///PATH");
		return false;
	}
	(void)redisSetTimeout(c->redis, patience);
	if (strncmp(url, "unix://", 7) != 0)
		(void)redisEnableKeepAlive(c->redis);
	if (user != NULL && !done(ask(c, "AUTH %s %s", user, password != NULL ? password : "")))
		return false;
	if (user == NULL && password != NULL && !done(ask(c, "AUTH %s", password)))
		return false;
	return db == 0 || done(ask(c, "SELECT %ld", db));
}
