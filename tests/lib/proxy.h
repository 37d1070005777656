// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A TCP proxy before a Unix socket, on the event base of the test: a connection that misbehaves as
 * asked. Thread of the event base. */

#include <event2/event.h>
#include <glib.h>
#include <stdbool.h>

struct test_proxy {
	char url[64]; // redis://127.0.0.1:PORT
	const char *target; // borrowed: path of the server's socket
	struct event_base *base; // borrowed
	struct evconnlistener *listener;
	GPtrArray *pairs; // of connections
	long n_left; // bytes of answers that still come through, on all of them; -1 = no limit
	bool cuts; // at the limit: close, instead of silence
	bool swallows; // what comes from the client goes nowhere
	unsigned n_swallowed_connections; // that had something swallowed
};

void test_proxy_open(struct test_proxy *proxy, struct event_base *base, const char *target);
void test_proxy_close(struct test_proxy *proxy);

/* From now on n bytes of answers come through; then nothing more does, or the connection is closed. */
void test_proxy_limit(struct test_proxy *proxy, long n, bool cuts);

/* Take what the client sends and pass nothing on. Connections made while it did stay dead. */
void test_proxy_swallow(struct test_proxy *proxy, bool swallows);

/* Close all connections, as a reset. */
void test_proxy_cut(struct test_proxy *proxy);
