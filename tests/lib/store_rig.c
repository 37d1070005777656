// SPDX-License-Identifier: BSD-3-Clause
#include "tests/lib/store_rig.h"

#include "control/log.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

void rig_init(struct rig *rig)
{
	g_autofree char *template = g_build_filename(g_get_tmp_dir(), "wirecue-store-XXXXXX", NULL);

	*rig = (struct rig){0};
	assert_non_null(g_mkdtemp(template));
	rig->dir = g_steal_pointer(&template);
	rig->path = g_build_filename(rig->dir, "store", NULL);
	rig->config = (struct ctl_store_config){
		.path = rig->path,
		.node = "edge1",
		.tick_ns = RIG_TICK_NS,
		.size_max = 1ULL << 30,
		.backlog_max = 64,
		.backlog_bytes_max = 64 << 20,
	};
	for (size_t i = 0; i < CTL_TABLE_COUNT; i++)
		rig->tables[i] = g_hash_table_new_full(
			g_int64_hash, g_int64_equal, g_free, (GDestroyNotify)g_bytes_unref);
	rig->log = fdopen(memfd_create("log", MFD_CLOEXEC), "w");
	assert_non_null(rig->log);
	ctl_log_redirect(rig->log, NULL);
}

static int remove_one(const char *path, const struct stat *, int, struct FTW *)
{
	return remove(path);
}

void rig_remove(const char *path)
{
	assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void rig_fini(struct rig *rig)
{
	rig_close(rig);
	rig_remove(rig->dir);
	for (size_t i = 0; i < CTL_TABLE_COUNT; i++)
		g_hash_table_destroy(rig->tables[i]);
	ctl_log_redirect(NULL, NULL);
	(void)fclose(rig->log);
	g_free(rig->path);
	g_free(rig->dir);
}

void rig_open(struct rig *rig)
{
	struct dp_err err = {""};

	if (ctl_store_open(&rig->config, &rig->store, &err) < 0)
		fail_msg("the store does not open: %s", err.text);
	rig->serial = 0;
}

void rig_close(struct rig *rig)
{
	ctl_store_close(rig->store);
	rig->store = NULL;
}

void rig_refuses(struct rig *rig, int r, const char *text)
{
	struct ctl_store *store;
	struct dp_err err = {""};
	const int got = ctl_store_open(&rig->config, &store, &err);

	if (got == 0)
		ctl_store_close(store);
	if (got != r || strstr(err.text, text) == NULL)
		fail_msg("opening gave %d, '%s', not %d with '%s'", got, err.text, r, text);
}

struct ctl_batch *rig_batch(struct rig *rig)
{
	rig->serial++;
	return ctl_batch_new(rig->serial, rig->serial * RIG_TICK_NS);
}

static uint64_t *copy_of(uint64_t key)
{
	uint64_t *copy = g_new(uint64_t, 1);

	*copy = key;
	return copy;
}

void rig_put(struct rig *rig, struct ctl_batch *batch, enum ctl_table table, uint64_t key,
	const void *value, size_t len)
{
	ctl_batch_put(batch, table, key, value, len);
	g_hash_table_replace(rig->tables[table], copy_of(key), g_bytes_new(value, len));
}

void rig_delete(struct rig *rig, struct ctl_batch *batch, enum ctl_table table, uint64_t key)
{
	ctl_batch_delete(batch, table, key);
	(void)g_hash_table_remove(rig->tables[table], &key);
}

static gboolean is_cut(gpointer key, gpointer, gpointer last)
{
	return *(const uint64_t *)key <= *(const uint64_t *)last;
}

void rig_cut(struct rig *rig, struct ctl_batch *batch, enum ctl_table table, uint64_t key)
{
	ctl_batch_cut(batch, table, key);
	(void)g_hash_table_foreach_remove(rig->tables[table], is_cut, &key);
}

GBytes *rig_bytes(uint64_t key, uint64_t seed, size_t len)
{
	uint64_t state = key * 0x9e3779b97f4a7c15ULL + seed + 1;
	uint8_t *bytes = g_malloc(len + 8);

	for (size_t i = 0; i < len; i += 8) { // xorshift64*
		state ^= state >> 12;
		state ^= state << 25;
		state ^= state >> 27;
		memcpy(bytes + i, &state, 8);
	}
	return g_bytes_new_take(bytes, len);
}

void rig_put_made(struct rig *rig, struct ctl_batch *batch, enum ctl_table table, uint64_t key,
	uint64_t seed, size_t len)
{
	GBytes *bytes = rig_bytes(key, seed, len);

	rig_put(rig, batch, table, key, g_bytes_get_data(bytes, NULL), len);
	g_bytes_unref(bytes);
}

void rig_numbered(struct rig *rig, struct ctl_batch *batch, uint64_t n)
{
	for (uint64_t i = 0; i < 10; i++)
		rig_put_made(rig, batch, CTL_TABLE_PROFILES, (n * 7 + i * i) % 200, n,
			(size_t)((n * 131 + i * 17) % 3000));
	rig_delete(rig, batch, CTL_TABLE_PROFILES, (n * 13) % 200);
	rig_put_made(rig, batch, CTL_TABLE_JOURNAL, n, n, (size_t)(n * 977 % 30000));
	if (n % 8 == 0 && n > 12)
		rig_cut(rig, batch, CTL_TABLE_JOURNAL, n - 12);
	rig_put_made(rig, batch, CTL_TABLE_OUTBOX, n, n, 500);
	if (n > 20)
		rig_delete(rig, batch, CTL_TABLE_OUTBOX, n - 20);
	rig_put(rig, batch, CTL_TABLE_GAPS, 0, &n, sizeof(n));
}

static int take_number(void *ctx, uint64_t, const void *value, size_t len)
{
	assert_int_equal(len, sizeof(uint64_t));
	memcpy(ctx, value, len);
	return 0;
}

uint64_t rig_number(struct rig *rig)
{
	uint64_t n = 0;
	struct dp_err err = {""};
	const int r = ctl_store_get(rig->store, CTL_TABLE_GAPS, 0, take_number, &n, &err);

	if (r != 0 && r != -ENOENT)
		fail_msg("%s", err.text);
	return n;
}

void rig_picture(struct rig *rig, uint64_t n)
{
	for (size_t i = 0; i < CTL_TABLE_COUNT; i++)
		g_hash_table_remove_all(rig->tables[i]);
	for (uint64_t i = 1; i <= n; i++) {
		struct ctl_batch *batch = ctl_batch_new(i, 0);

		rig_numbered(rig, batch, i);
		ctl_batch_free(batch);
	}
}

void rig_give(struct rig *rig, struct ctl_batch *given)
{
	ctl_store_give(rig->store, given);
}

void rig_flush(struct rig *rig)
{
	if (!ctl_store_flush(rig->store, RIG_WAIT_NS))
		fail_msg("the store has not committed within a minute");
	assert_int_equal(ctl_store_committed(rig->store), rig->serial);
}

struct compare {
	GHashTable *table;
	size_t n;
	uint64_t last;
};

static int compare_value(void *ctx, uint64_t key, const void *value, size_t len)
{
	struct compare *compare = ctx;
	GBytes *expected = g_hash_table_lookup(compare->table, &key);

	assert_true(compare->n == 0 || key > compare->last);
	assert_non_null(expected);
	assert_int_equal(len, g_bytes_get_size(expected));
	if (len > 0)
		assert_memory_equal(value, g_bytes_get_data(expected, NULL), len);
	compare->n++;
	compare->last = key;
	return 0;
}

void rig_compare(struct rig *rig)
{
	for (size_t i = CTL_TABLE_META + 1; i < CTL_TABLE_COUNT; i++) {
		struct compare compare = {.table = rig->tables[i]};
		struct dp_err err = {""};

		if (ctl_store_read(
			    rig->store, (enum ctl_table)i, 0, compare_value, &compare, &err) != 0)
			fail_msg("%s", err.text);
		assert_int_equal(compare.n, g_hash_table_size(rig->tables[i]));
	}
}

static char *log_text(const struct rig *rig)
{
	struct stat st;
	char *text;

	assert_int_equal(fstat(fileno(rig->log), &st), 0);
	text = g_malloc0((size_t)st.st_size + 1);
	assert_int_equal(pread(fileno(rig->log), text, (size_t)st.st_size, 0), st.st_size);
	return text;
}

bool rig_logged(const struct rig *rig, const char *event, const char *text)
{
	g_autofree char *log = log_text(rig);
	g_auto(GStrv) lines = g_strsplit(log, "\n", -1);

	for (size_t i = 0; lines[i] != NULL; i++) {
		g_auto(GStrv) words = g_strsplit(lines[i], " ", 4);

		if (g_strv_length(words) >= 3 && strcmp(words[2], event) == 0 &&
			strstr(lines[i], text) != NULL)
			return true;
	}
	return false;
}

void rig_wait_logged(const struct rig *rig, const char *event, const char *text)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	for (uint64_t ms = 0; ms < RIG_WAIT_NS / 1000000; ms++) {
		if (rig_logged(rig, event, text))
			return;
		(void)nanosleep(&moment, NULL);
	}
	fail_msg("no event %s with '%s' within a minute", event, text);
}
