// SPDX-License-Identifier: BSD-3-Clause
#include "tests/lib/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

struct pair {
	struct test_proxy *proxy;
	struct bufferevent *client, *server;
	bool has_lost; // something of it was swallowed: it must never go on
};

/* Closed by a reset: what is unread on the way is gone. */
static void pair_free(gpointer p)
{
	const struct linger reset = {.l_onoff = 1};
	struct pair *pair = p;

	(void)setsockopt(
		bufferevent_getfd(pair->client), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	bufferevent_free(pair->client);
	bufferevent_free(pair->server);
	g_free(pair);
}

static void on_event(struct bufferevent *, short what, void *arg)
{
	struct pair *pair = arg;

	if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0)
		(void)g_ptr_array_remove_fast(pair->proxy->pairs, pair);
}

static void on_client(struct bufferevent *client, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(client);
	struct pair *pair = arg;

	if (pair->proxy->swallows && !pair->has_lost) {
		pair->has_lost = true;
		pair->proxy->n_swallowed_connections++;
	}
	if (pair->has_lost)
		(void)evbuffer_drain(input, evbuffer_get_length(input));
	else
		(void)bufferevent_write_buffer(pair->server, input);
}

static void on_server(struct bufferevent *server, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(server);
	struct pair *pair = arg;
	struct test_proxy *proxy = pair->proxy;
	size_t len = evbuffer_get_length(input);

	if (proxy->n_left >= 0)
		len = MIN(len, (size_t)proxy->n_left);
	(void)evbuffer_remove_buffer(input, bufferevent_get_output(pair->client), len);
	if (proxy->n_left >= 0)
		proxy->n_left -= (long)len;
	if (evbuffer_get_length(input) == 0)
		return;
	(void)evbuffer_drain(input, evbuffer_get_length(input));
	if (!proxy->cuts)
		return;
	// What came through is written before the end: the reader sees a part and then the end.
	(void)evbuffer_write(bufferevent_get_output(pair->client), bufferevent_getfd(pair->client));
	(void)shutdown(bufferevent_getfd(pair->client), SHUT_WR);
	(void)g_ptr_array_remove_fast(proxy->pairs, pair);
}

static void on_accept(
	struct evconnlistener *, evutil_socket_t fd, struct sockaddr *, int, void *arg)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct test_proxy *proxy = arg;
	struct pair *pair = g_new0(struct pair, 1);

	(void)g_strlcpy(addr.sun_path, proxy->target, sizeof(addr.sun_path));
	pair->proxy = proxy;
	pair->client = bufferevent_socket_new(proxy->base, fd, BEV_OPT_CLOSE_ON_FREE);
	pair->server = bufferevent_socket_new(proxy->base, -1, BEV_OPT_CLOSE_ON_FREE);
	g_ptr_array_add(proxy->pairs, pair);
	bufferevent_setcb(pair->client, on_client, NULL, on_event, pair);
	bufferevent_setcb(pair->server, on_server, NULL, on_event, pair);
	(void)bufferevent_enable(pair->client, EV_READ | EV_WRITE);
	(void)bufferevent_enable(pair->server, EV_READ | EV_WRITE);
	assert_int_equal(
		bufferevent_socket_connect(pair->server, (struct sockaddr *)&addr, sizeof(addr)),
		0);
}

void test_proxy_open(struct test_proxy *proxy, struct event_base *base, const char *target)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);

	*proxy = (struct test_proxy){.base = base, .target = target, .n_left = -1};
	proxy->pairs = g_ptr_array_new_with_free_func(pair_free);
	proxy->listener = evconnlistener_new_bind(base, on_accept, proxy,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16, (struct sockaddr *)&addr,
		sizeof(addr));
	assert_non_null(proxy->listener);
	assert_int_equal(
		getsockname(evconnlistener_get_fd(proxy->listener), (struct sockaddr *)&addr, &len),
		0);
	(void)snprintf(
		proxy->url, sizeof(proxy->url), "redis://127.0.0.1:%u", ntohs(addr.sin_port));
}

void test_proxy_close(struct test_proxy *proxy)
{
	evconnlistener_free(proxy->listener);
	g_ptr_array_free(proxy->pairs, TRUE);
}

void test_proxy_limit(struct test_proxy *proxy, long n, bool cuts)
{
	proxy->n_left = n;
	proxy->cuts = cuts;
}

void test_proxy_swallow(struct test_proxy *proxy, bool swallows)
{
	proxy->swallows = swallows;
}

void test_proxy_cut(struct test_proxy *proxy)
{
	g_ptr_array_set_size(proxy->pairs, 0);
}
