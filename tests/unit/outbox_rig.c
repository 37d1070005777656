// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/outbox_rig.h"

#include "tests/lib/trigger_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS 1000000000ULL
#define PATIENCE_NS (20 * SECOND_NS)

static uint64_t read_wall(void)
{
	static uint64_t wall_ns = 1700000000ULL * SECOND_NS;

	wall_ns += SECOND_NS / 4; // each seal has a time of its own
	return wall_ns;
}

static int open_store(struct outbox_rig *rig, struct dp_err *reterr)
{
	const struct ctl_store_config config = {
		.path = rig->dir,
		.node = "edge1",
		.tick_ns = SECOND_NS,
		.size_max = 1ULL << 30,
		.backlog_max = 1000,
		.backlog_bytes_max = 1U << 30,
	};

	return ctl_store_open(&config, &rig->store, reterr);
}

static void count_call(void *ctx)
{
	((struct outbox_rig *)ctx)->n_calls++;
}

static int open_both(struct outbox_rig *rig, struct dp_err *reterr)
{
	int r = open_store(rig, reterr);

	assert_null(rig->outbox);
	if (r < 0)
		return r;
	rig->serial = 0;
	rig->config.store = rig->store;
	rig->outbox = ctl_outbox_new(&rig->config);
	ctl_outbox_on_ready(rig->outbox, count_call, rig);
	return ctl_outbox_restore(rig->outbox, reterr);
}

void box_open(struct outbox_rig *rig)
{
	struct dp_err err = {0};

	if (open_both(rig, &err) < 0)
		fail_msg("%s", err.text);
}

void box_open_refused(struct outbox_rig *rig, struct dp_err *ret_err)
{
	assert_true(open_both(rig, ret_err) < 0);
}

void box_kill(struct outbox_rig *rig)
{
	ctl_batch_free(rig->lost);
	rig->lost = NULL;
	ctl_outbox_free(rig->outbox);
	rig->outbox = NULL;
	ctl_store_close(rig->store);
	rig->store = NULL;
}

int box_setup(void **state)
{
	struct outbox_rig *rig = g_new0(struct outbox_rig, 1);

	(void)g_strlcpy(rig->dir, "/tmp/wirecue-outbox-XXXXXX", sizeof(rig->dir));
	assert_non_null(g_mkdtemp(rig->dir));
	rig->config = (struct ctl_outbox_config){
		.queue_max = 100000, .is_published = true, .wall_ns = read_wall};
	*state = rig;
	box_open(rig);
	return 0;
}

int box_teardown(void **state)
{
	struct outbox_rig *rig = *state;
	g_autofree char *command = g_strdup_printf("rm -r '%s'", rig->dir);

	box_kill(rig);
	assert_int_equal(system(command), 0);
	g_free(rig);
	return 0;
}

void box_seal(struct outbox_rig *rig, unsigned n)
{
	assert_null(rig->lost);
	for (unsigned i = 0; i < n; i++)
		ctl_outbox_push(rig->outbox, test_trigger(rig->n_pushed++));
	rig->lost = ctl_batch_new(rig->serial + 1, (rig->serial + 1) * SECOND_NS);
	ctl_outbox_seal(rig->outbox, rig->lost);
}

void box_give(struct outbox_rig *rig)
{
	rig->serial++;
	ctl_store_give(rig->store, rig->lost);
	rig->lost = NULL;
}

void box_commit(struct outbox_rig *rig)
{
	assert_true(ctl_store_flush(rig->store, PATIENCE_NS));
	assert_int_equal(ctl_store_committed(rig->store), rig->serial);
	ctl_outbox_committed(rig->outbox, rig->serial);
}

void box_tick(struct outbox_rig *rig, unsigned n)
{
	box_seal(rig, n);
	box_give(rig);
	box_commit(rig);
}

void box_tamper(struct outbox_rig *rig, enum ctl_table table, uint64_t key, const char *value)
{
	struct ctl_batch *batch = ctl_batch_new(rig->serial + 1, (rig->serial + 1) * SECOND_NS);

	rig->serial++;
	if (value != NULL)
		ctl_batch_put(batch, table, key, value, strlen(value));
	else
		ctl_batch_delete(batch, table, key);
	ctl_store_give(rig->store, batch);
	assert_true(ctl_store_flush(rig->store, PATIENCE_NS));
}

static int note_key(void *ctx, uint64_t key, const void *, size_t)
{
	g_array_append_val((GArray *)ctx, key);
	return 0;
}

GArray *box_keys(struct outbox_rig *rig)
{
	GArray *keys = g_array_new(FALSE, FALSE, sizeof(uint64_t));

	assert_int_equal(ctl_store_read(rig->store, CTL_TABLE_OUTBOX, 0, note_key, keys, NULL), 0);
	return keys;
}

void box_expect(struct outbox_rig *rig, size_t i, uint64_t sequence, unsigned trigger)
{
	const struct ctl_outbox_entry *entry = ctl_outbox_peek(rig->outbox, i);
	char text[64];

	assert_int_equal(entry->sequence, sequence);
	assert_int_equal(strlen(entry->event), entry->event_len);
	(void)snprintf(text, sizeof(text), "\"sequence\":\"%020" PRIu64 "\"", sequence);
	assert_non_null(strstr(entry->event, text));
	(void)snprintf(
		text, sizeof(text), "\"typesequence\":\"%020" PRIu64 "\"}", entry->typesequence);
	assert_true(g_str_has_suffix(entry->event, text));
	(void)snprintf(text, sizeof(text), "\"id\":\"%032x\"", trigger);
	assert_non_null(strstr(entry->event, text));
	assert_string_equal(entry->type, test_types[trigger % TEST_N_TYPES]);
}
