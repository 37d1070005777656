// SPDX-License-Identifier: BSD-3-Clause
#include "tests/lib/redis_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define REDIS_SERVER "/usr/bin/redis-server"

enum { N_ARGS_MAX = 64, START_MS_MAX = 10000 };

[[gnu::noreturn, gnu::format(printf, 1, 2)]] static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	abort();
}

/* A port nobody has now. Another process could take it before we do; the start fails then. */
static uint16_t free_port(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0 ||
		getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		die("no free loopback port: %s", strerror(errno));
	(void)close(fd);
	return ntohs(addr.sin_port);
}

bool test_redis_is_installed(void)
{
	return access(REDIS_SERVER, X_OK) == 0;
}

void test_redis_init(struct test_redis *redis)
{
	*redis = (struct test_redis){.dir = "/tmp/wirecue-redis-XXXXXX"};
	if (mkdtemp(redis->dir) == NULL)
		die("cannot make '%s': %s", redis->dir, strerror(errno));
	redis->port = free_port();
	(void)snprintf(redis->socket, sizeof(redis->socket), "%s/redis.sock", redis->dir);
	(void)snprintf(redis->unix_url, sizeof(redis->unix_url), "unix://%s", redis->socket);
	(void)snprintf(redis->tcp_url, sizeof(redis->tcp_url), "redis://127.0.0.1:%u", redis->port);
}

void test_redis_fini(struct test_redis *redis)
{
	char command[128];

	test_redis_kill(redis);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", redis->dir);
	if (system(command) != 0)
		(void)fprintf(stderr, "left behind: %s\n", redis->dir);
}

[[gnu::noreturn]] static void become_server(const struct test_redis *redis, const char *const *args)
{
	char port[8], log[128];
	const char *argv[N_ARGS_MAX] = {REDIS_SERVER, "--port", port, "--bind", "127.0.0.1",
		"--unixsocket", redis->socket, "--dir", redis->dir, "--logfile", log, "--save", "",
		"--enable-debug-command", "local"};
	int n = 15;

	(void)snprintf(port, sizeof(port), "%u", redis->port);
	(void)snprintf(log, sizeof(log), "%s/redis.log", redis->dir);
	for (; args != NULL && *args != NULL && n < N_ARGS_MAX - 1; args++)
		argv[n++] = *args;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	execv(REDIS_SERVER, (char **)argv);
	_exit(127);
}

void test_redis_launch(struct test_redis *redis, const char *const *args)
{
	(void)unlink(redis->socket); // what a killed one left
	redis->pid = fork();
	if (redis->pid < 0)
		die("cannot fork: %s", strerror(errno));
	if (redis->pid == 0)
		become_server(redis, args);
}

void test_redis_start(struct test_redis *redis, const char *const *args)
{
	test_redis_launch(redis, args);
	for (int ms = 0; ms < START_MS_MAX; ms += 10) {
		redisContext *c = redisConnectUnix(redis->socket);
		redisReply *reply = c != NULL && c->err == 0 ? redisCommand(c, "PING") : NULL;
		const bool is_up = reply != NULL && strstr(reply->str, "LOADING") == NULL;

		freeReplyObject(reply);
		if (c != NULL)
			redisFree(c);
		if (is_up)
			return;
		if (waitpid(redis->pid, NULL, WNOHANG) == redis->pid)
			die("redis-server ended at once, see %s/redis.log", redis->dir);
		(void)usleep(10000);
	}
	die("redis-server does not answer within %d ms", START_MS_MAX);
}

void test_redis_kill(struct test_redis *redis)
{
	if (redis->pid <= 0)
		return;
	(void)kill(redis->pid, SIGKILL);
	(void)waitpid(redis->pid, NULL, 0);
	redis->pid = 0;
}

void test_redis_freeze(struct test_redis *redis, bool is_frozen)
{
	if (kill(redis->pid, is_frozen ? SIGSTOP : SIGCONT) != 0)
		die("cannot signal redis-server: %s", strerror(errno));
}

struct redisReply *test_redis_words(struct test_redis *redis, int n_words, const char **words)
{
	redisContext *c = redisConnectUnix(redis->socket);
	redisReply *reply = c != NULL && c->err == 0 ? redisCommandArgv(c, n_words, words, NULL)
						     : NULL;

	if (reply == NULL)
		die("no answer to %s", words[0]);
	redisFree(c);
	return reply;
}

void test_redis_drop(struct redisReply *reply)
{
	if (reply->type == REDIS_REPLY_ERROR)
		die("redis-server refuses: %s", reply->str);
	freeReplyObject(reply);
}
