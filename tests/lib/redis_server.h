// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A private redis-server for tests: own folder, own Unix socket and loopback port, dies with the
 * test. One thread. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct redisReply;

struct test_redis {
	char dir[64]; // temporary, removed by test_redis_fini
	char socket[96];
	char tcp_url[64]; // redis://127.0.0.1:PORT
	char unix_url[128];
	uint16_t port;
	pid_t pid; // 0 = not running
};

/* Make folder and addresses; starts nothing. */
void test_redis_init(struct test_redis *redis);
void test_redis_fini(struct test_redis *redis);

/* Is redis-server on this machine? */
bool test_redis_is_installed(void);

/* args: further words of the command line ("--appendonly", "yes", …, NULL), may be NULL. Returns when it
 * accepts connections. */
void test_redis_start(struct test_redis *redis, const char *const *args);

/* The same without waiting: the caller watches it load. */
void test_redis_launch(struct test_redis *redis, const char *const *args);

/* SIGKILL, as a crash would. Files stay. */
void test_redis_kill(struct test_redis *redis);

/* Stop (SIGSTOP) and let go on (SIGCONT): a server that hangs. */
void test_redis_freeze(struct test_redis *redis, bool is_frozen);

/* Run one command given as words; the reply is owned by the caller (freeReplyObject). Aborts when
 * there is no answer. */
struct redisReply *test_redis_words(struct test_redis *redis, int n_words, const char **words);
#define test_redis_do(redis, ...) \
	test_redis_words((redis), \
		(int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *)), \
		(const char *[]){__VA_ARGS__})

/* The same, and the reply is only checked to be no error. */
#define test_redis_run(redis, ...) test_redis_drop(test_redis_do((redis), __VA_ARGS__))
void test_redis_drop(struct redisReply *reply);
