// SPDX-License-Identifier: BSD-3-Clause
#include "control/redis_link.h"

#include "control/hiredis_compat.h"
#include "control/log.h"
#include "control/redis_state.h"
#include "control/redis_tls.h"
#include "control/redis_url.h"

#include <assert.h>
#include <errno.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <glib.h>
#include <inttypes.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>

enum phase {
	PHASE_WAITING, // for the next attempt
	PHASE_CONNECTING, // resolve, connect: connect_timeout over both and all addresses
	PHASE_UP, // reply_timeout while something is unanswered
};

struct ctl_redis_link {
	struct event_base *base; // borrowed
	const struct ctl_redis_config *config; // borrowed
	const struct ctl_redis_link_ops *ops; // borrowed
	void *ctx;
	struct ctl_redis_url url;
	struct ctl_redis_tls *tls; // NULL without
	char endpoint[300]; // "host:port" or path, for people

	enum phase phase;
	struct event *timer; // what the phase waits for
	redisAsyncContext *ac; // hiredis frees it; NULL = none of ours
	size_t n_unanswered;
	uint64_t retry_ns; // wait before the next attempt

	struct evdns_base *dns; // NULL until a name has to be resolved
	struct evdns_getaddrinfo_request *dns_request; // in flight
	struct evutil_addrinfo *addrs, *next_addr; // owned list and its rest

	struct ctl_redis_status status;
};

static void attempt_begin(struct ctl_redis_link *link);
static void address_next(struct ctl_redis_link *link);

static void timer_set(struct ctl_redis_link *link, uint64_t delay_ns)
{
	const struct timeval delay = {
		.tv_sec = (time_t)(delay_ns / 1000000000ULL),
		.tv_usec = (suseconds_t)(delay_ns / 1000 % 1000000),
	};

	(void)evtimer_add(link->timer, &delay); // fails on a NULL event or no memory only
}

/* Forget the connection and everything on it. Safe in every callback but hiredis' connect. */
static void drop(struct ctl_redis_link *link)
{
	redisAsyncContext *ac = link->ac;

	link->ac = NULL; // callbacks that redisAsyncFree still makes know by this
	link->n_unanswered = 0;
	if (ac != NULL)
		redisAsyncFree(ac);
	if (link->dns_request != NULL)
		evdns_getaddrinfo_cancel(link->dns_request); // calls back with EVUTIL_EAI_CANCEL
	link->dns_request = NULL;
	if (link->addrs != NULL)
		evutil_freeaddrinfo(link->addrs);
	link->addrs = link->next_addr = NULL;
}

void ctl_redis_link_fail(struct ctl_redis_link *link, enum ctl_redis_state state, const char *cause)
{
	const uint64_t wait_ns = link->retry_ns;

	ctl_redis_status_set(&link->status, state, cause, link->endpoint, wait_ns / 1000000);
	drop(link);
	link->phase = PHASE_WAITING;
	link->retry_ns = MIN(2 * wait_ns, link->config->retry_max_ns);
	timer_set(link, wait_ns);
}

void ctl_redis_link_hold(struct ctl_redis_link *link, enum ctl_redis_state state, const char *cause)
{
	ctl_redis_status_set(&link->status, state, cause, link->endpoint, 0);
}

void ctl_redis_link_now(struct ctl_redis_link *link)
{
	if (link->phase == PHASE_WAITING)
		timer_set(link, 0);
}

/* As above, when the owner does not know yet. */
static void lost(struct ctl_redis_link *link, const char *cause)
{
	const bool was_up = link->phase == PHASE_UP;

	ctl_redis_link_fail(link, CTL_REDIS_UNREACHABLE, cause);
	if (was_up)
		link->ops->down(link->ctx);
}

static void on_timer(evutil_socket_t, short, void *arg)
{
	struct ctl_redis_link *link = arg;
	char cause[80];

	switch (link->phase) {
	case PHASE_WAITING:
		attempt_begin(link);
		break;
	case PHASE_CONNECTING:
		(void)snprintf(cause, sizeof(cause), "no connection within %" PRIu64 " ms",
			link->config->connect_timeout_ns / 1000000);
		lost(link, cause);
		break;
	case PHASE_UP:
		(void)snprintf(cause, sizeof(cause), "no reply within %" PRIu64 " ms",
			link->config->reply_timeout_ns / 1000000);
		lost(link, cause);
		break;
	}
}

/* Book a reply. False when it is none of the present connection's: dropped by us, or about to be
 * reported by on_disconnect. */
static bool reply_book(struct ctl_redis_link *link, const redisAsyncContext *ac, const void *reply)
{
	if (link->ac != ac || reply == NULL)
		return false;
	assert(link->n_unanswered > 0);
	link->n_unanswered--;
	if (link->n_unanswered > 0)
		timer_set(link, link->config->reply_timeout_ns);
	else
		(void)evtimer_del(link->timer); // fails on a NULL event only
	return true;
}

static void on_reply(redisAsyncContext *ac, void *reply, void *arg)
{
	struct ctl_redis_link *link = ac->data;
	const struct ctl_redis_call *call = arg;

	if (reply_book(link, ac, reply))
		call->reply(link->ctx, reply);
}

static void send_argv(struct ctl_redis_link *link, redisCallbackFn *fn, const void *arg, int n_args,
	const char *const *argv)
{
	if (link->ac == NULL)
		return;
	if (redisAsyncCommandArgv(link->ac, fn, (void *)arg, n_args, (const char **)argv, NULL) !=
		REDIS_OK)
		return; // being closed: on_disconnect follows
	if (link->n_unanswered++ == 0)
		timer_set(link, link->config->reply_timeout_ns);
}

void ctl_redis_link_send(struct ctl_redis_link *link, const struct ctl_redis_call *call, int n_args,
	const char *const *argv)
{
	send_argv(link, on_reply, call, n_args, argv);
}

/* AUTH and SELECT: the last good answer opens the link to its owner. */
static void on_hello(redisAsyncContext *ac, void *data, void *arg)
{
	struct ctl_redis_link *link = ac->data;
	const redisReply *reply = data;
	const bool is_auth = arg != NULL;

	if (!reply_book(link, ac, reply))
		return;
	if (reply->type == REDIS_REPLY_ERROR)
		ctl_redis_link_fail(link,
			is_auth ? CTL_REDIS_DENIED : ctl_redis_state_of(reply->str), reply->str);
	else if (link->n_unanswered == 0)
		link->ops->up(link->ctx);
}

static void hello(struct ctl_redis_link *link)
{
	const struct ctl_redis_config *config = link->config;
	const char *auth[3] = {"AUTH"}, *select[2] = {"SELECT"};
	char db[16];
	int n = 1;

	if (config->user != NULL)
		auth[n++] = config->user;
	if (config->password != NULL) {
		auth[n++] = config->password;
		send_argv(link, on_hello, "AUTH", n, auth);
	}
	if (link->url.db != 0) {
		(void)snprintf(db, sizeof(db), "%" PRIu32, link->url.db);
		select[1] = db;
		send_argv(link, on_hello, NULL, 2, select);
	}
	if (link->n_unanswered == 0)
		link->ops->up(link->ctx);
}

static void on_connect(const redisAsyncContext *ac, int status)
{
	struct ctl_redis_link *link = ac->data;
	char cause[sizeof(ac->c.errstr)];

	if (link->ac != ac)
		return;
	if (status == REDIS_OK) {
		link->phase = PHASE_UP;
		(void)evtimer_del(link->timer); // fails on a NULL event only
		ctl_redis_status_connected(&link->status);
		hello(link);
		return;
	}
	(void)g_strlcpy(cause, ac->errstr, sizeof(cause));
	link->ac = NULL; // hiredis frees it after this callback
	if (link->next_addr != NULL)
		address_next(link);
	else
		lost(link, cause);
}

static void on_disconnect(const redisAsyncContext *ac, int)
{
	struct ctl_redis_link *link = ac->data;
	const char *tls_cause = ctl_redis_tls_cause(link->tls);
	char cause[sizeof(ac->c.errstr)];

	if (link->ac != ac)
		return;
	if (tls_cause == NULL)
		tls_cause = ac->err != 0 ? ac->errstr : "connection closed";
	(void)g_strlcpy(cause, tls_cause, sizeof(cause));
	link->ac = NULL; // hiredis frees it after this callback
	lost(link, cause);
}

/* Takes ac, which may be NULL or failed already. */
static void connection_begin(struct ctl_redis_link *link, redisAsyncContext *ac)
{
	char cause[sizeof(ac->c.errstr)] = "out of memory";

	if (ac == NULL || ac->err != 0 || ctl_redis_tls_start(link->tls, ac) < 0 ||
		redisLibeventAttach(ac, link->base) != REDIS_OK) {
		if (ac != NULL) {
			(void)g_strlcpy(cause, ac->errstr, sizeof(cause));
			redisAsyncFree(ac); // no callback is set: nobody hears of it
		}
		if (link->next_addr != NULL)
			address_next(link);
		else
			lost(link, cause);
		return;
	}
	link->ac = ac;
	ac->data = link;
	(void)redisAsyncSetConnectCallback(ac, on_connect); // fail when set twice only
	(void)redisAsyncSetDisconnectCallback(ac, on_disconnect);
}

/* Try the next address of the name. */
static void address_next(struct ctl_redis_link *link)
{
	const struct evutil_addrinfo *addr = link->next_addr;
	char numeric[NI_MAXHOST];

	link->next_addr = addr->ai_next;
	if (getnameinfo(addr->ai_addr, (socklen_t)addr->ai_addrlen, numeric, sizeof(numeric), NULL,
		    0, NI_NUMERICHOST) != 0)
		numeric[0] = '\0'; // fails to connect, with a sentence
	connection_begin(link, redisAsyncConnect(numeric, link->url.port));
}

static void on_resolved(int result, struct evutil_addrinfo *addrs, void *arg)
{
	struct ctl_redis_link *link = arg;
	char cause[160];

	if (result == EVUTIL_EAI_CANCEL)
		return; // the link may be gone
	link->dns_request = NULL;
	if (result != 0 || addrs == NULL) {
		(void)snprintf(cause, sizeof(cause), "cannot resolve the name: %s",
			evutil_gai_strerror(result));
		lost(link, cause);
		return;
	}
	link->addrs = link->next_addr = addrs;
	address_next(link);
}

/* Names go through libevent's resolver, since hiredis would block in getaddrinfo(3). It is made
 * anew for each attempt: resolv.conf may have changed since. */
static void resolve(struct ctl_redis_link *link)
{
	const struct evutil_addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = EVUTIL_AI_ADDRCONFIG,
	};
	struct evdns_getaddrinfo_request *request;

	if (link->dns != NULL)
		evdns_base_free(link->dns, 0);
	link->dns = evdns_base_new(
		link->base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (link->dns == NULL) {
		lost(link, "cannot resolve the name: /etc/resolv.conf names no server");
		return;
	}
	request = evdns_getaddrinfo(link->dns, link->url.host, NULL, &hints, on_resolved, link);
	if (request != NULL) // else on_resolved was called already
		link->dns_request = request;
}

static void attempt_begin(struct ctl_redis_link *link)
{
	unsigned char binary[sizeof(struct in6_addr)];

	link->phase = PHASE_CONNECTING;
	timer_set(link, link->config->connect_timeout_ns);
	if (link->url.is_unix)
		connection_begin(link, redisAsyncConnectUnix(link->url.path));
	else if (evutil_inet_pton(AF_INET, link->url.host, binary) == 1 ||
		evutil_inet_pton(AF_INET6, link->url.host, binary) == 1)
		connection_begin(link, redisAsyncConnect(link->url.host, link->url.port));
	else
		resolve(link);
}

int ctl_redis_link_new(struct event_base *base, const struct ctl_redis_config *config,
	const struct ctl_redis_link_ops *ops, void *ctx, struct ctl_redis_link **ret_link,
	struct dp_err *reterr)
{
	struct ctl_redis_tls *tls = NULL;
	struct ctl_redis_link *link;
	struct ctl_redis_url url;
	int r;

	r = ctl_redis_url_parse(config->url, &url, reterr);
	if (r < 0)
		return r;
	if (url.is_tls)
		r = ctl_redis_tls_new(config, url.host, &tls, reterr);
	if (r < 0)
		return r;
	link = g_new0(struct ctl_redis_link, 1);
	link->tls = tls;
	link->base = base;
	link->config = config;
	link->ops = ops;
	link->ctx = ctx;
	link->url = url;
	link->retry_ns = config->retry_min_ns;
	link->timer = evtimer_new(base, on_timer, link);
	if (url.is_unix)
		(void)g_strlcpy(link->endpoint, url.path, sizeof(link->endpoint));
	else
		(void)snprintf(link->endpoint, sizeof(link->endpoint),
			strchr(url.host, ':') != NULL ? "[%s]:%u" : "%s:%u", url.host, url.port);
	ctl_redis_status_init(&link->status);
	link->status.is_quiet = ops->is_quiet;
	(void)signal(SIGPIPE, SIG_IGN); // cannot fail for a valid signal

	link->phase = PHASE_WAITING;
	timer_set(link, 0); // not from here: the owner is not complete yet
	*ret_link = link;
	return 0;
}

void ctl_redis_link_free(struct ctl_redis_link *link)
{
	if (link == NULL)
		return;
	drop(link);
	if (link->dns != NULL)
		evdns_base_free(link->dns, 0);
	event_free(link->timer);
	ctl_redis_tls_free(link->tls);
	g_free(link);
}

void ctl_redis_link_ready(struct ctl_redis_link *link)
{
	ctl_redis_status_set(&link->status, CTL_REDIS_READY, NULL, link->endpoint, 0);
}

void ctl_redis_link_progress(struct ctl_redis_link *link)
{
	link->retry_ns = link->config->retry_min_ns;
}

enum ctl_redis_state ctl_redis_link_state(const struct ctl_redis_link *link)
{
	return link->status.state;
}

const char *ctl_redis_link_cause(const struct ctl_redis_link *link)
{
	return link->status.cause;
}

void ctl_redis_link_sentence(const struct ctl_redis_link *link, char *ret_text, size_t size)
{
	ctl_redis_status_sentence(&link->status, link->endpoint, ret_text, size);
}

void ctl_redis_link_json(const struct ctl_redis_link *link, json_t *object)
{
	ctl_redis_status_json(&link->status, link->endpoint, object);
}
