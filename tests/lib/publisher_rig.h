// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* An outbox and a publisher on an event base of their own, against a real private redis-server. */

#include "control/outbox.h"
#include "control/publisher.h"
#include "tests/lib/redis_server.h"

#include <event2/event.h>
#include <glib.h>

struct rig {
	struct test_redis redis;
	struct event_base *base;
	char prefix[16]; // "test:"
	struct ctl_redis_config config;
	struct ctl_outbox *outbox;
	char store_dir[32]; // "" = in memory only
	struct ctl_store *store; // NULL without
	uint64_t serial; // of the last batch given to it
	uint64_t n_retained; // with a store
	struct ctl_publisher *publisher;
	unsigned n_pushed; // triggers made so far
};

/* cmocka set-up and tear-down: *state is a struct rig *. The server is not started; the publisher
 * neither (rig_connect). Skips the test when there is no redis-server. */
int rig_setup(void **state);
int rig_teardown(void **state);

/* Queue bound 100000, Unix socket, short timeouts and retries; change rig->config before. */
void rig_outbox(struct rig *rig, size_t queue_max);
void rig_connect(struct rig *rig);
void rig_disconnect(struct rig *rig);

/* The outbox gets a store, empty, that keeps n_retained delivered entries. Before rig_connect. */
void rig_with_store(struct rig *rig, uint64_t n_retained);

/* The same with what its folder holds. */
void rig_reopen_store(struct rig *rig);

/* A tick without triggers: what was acknowledged or renumbered becomes durable. */
void rig_commit(struct rig *rig);

/* The process is gone and another one starts: nothing is left in memory, and what the store has is. */
void rig_restart_process(struct rig *rig);

/* Make n triggers, one tick. */
void rig_push(struct rig *rig, unsigned n);

/* Run the loop until the condition holds; fails the test after 10 s. */
void rig_until_waiting(struct rig *rig, size_t n_waiting);
void rig_until_state(struct rig *rig, enum ctl_redis_state state);
void rig_until_published(struct rig *rig, uint64_t n); // this publisher
void rig_until_count(
	struct rig *rig, const char *key, uint64_t n); // of ctl_publisher_json, or more
void rig_until_length(struct rig *rig, long long n); // of the stream
void rig_run_ms(struct rig *rig, int ms);

/* Does this server know the command? */
bool rig_has_command(struct rig *rig, const char *name);

/* A number of ctl_publisher_json. */
uint64_t rig_count(struct rig *rig, const char *key);

/* The stream: JSON texts (char *, owned), in order. Checks that ids grow, that the fields beside
 * the event repeat it, and that sequences go first, first + 1, … without gap per stream and type
 * (a type may begin anywhere unless first is 1). */
GPtrArray *rig_stream(struct rig *rig, uint64_t first);

/* rig_stream, and it holds the triggers first_trigger … first_trigger + n - 1, each once. */
void rig_expect(struct rig *rig, uint64_t first_sequence, unsigned first_trigger, unsigned n);
