// SPDX-License-Identifier: BSD-3-Clause
/* A store whose file was cut, or has a wrong bit anywhere: it is set aside, or nothing is wrong
 * with what is read from it. Never a crash, never a wrong value. */
#include "tests/lib/store_rig.h"

#include "control/store_check.h"
#include "control/store_format.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAGE = 4096, HEAD = 16, META_END = 152, N_RANDOM = 1000, N_CLUSTERS = 300 };

struct sample {
	struct rig rig;
	char *file; // where the store has it
	uint8_t *bytes; // of the whole file, owned
	size_t len;
	unsigned n_clean, n_damaged;
};

/* The same content again and again, so that the picture of it holds; but every page of it moves. */
static void rewrite(struct rig *rig)
{
	struct ctl_batch *batch = rig_batch(rig);

	for (uint64_t key = 0; key < 60; key++) {
		rig_put_made(rig, batch, CTL_TABLE_PROFILES, key, 0, 300 + key * 37);
		ctl_batch_put(batch, CTL_TABLE_OUTBOX, 1000 + key, "passing", 7);
		ctl_batch_delete(batch, CTL_TABLE_OUTBOX, 1000 + key);
	}
	rig_put_made(rig, batch, CTL_TABLE_JOURNAL, 7, 0, 9000);
	rig_put_made(rig, batch, CTL_TABLE_APPS, 5, 0, 12);
	rig_give(rig, batch);
	rig_flush(rig);
}

static void make_sample(struct sample *sample)
{
	struct rig *rig = &sample->rig;

	rig_init(rig);
	sample->file = g_build_filename(rig->path, CTL_STORE_FILE, NULL);
	rig_open(rig);
	for (uint64_t round = 0; round < 4; round++) {
		struct ctl_batch *batch = rig_batch(rig);

		for (uint64_t key = 0; key < 200; key++)
			rig_put_made(rig, batch, CTL_TABLE_PROFILES, key * 3 + round, round,
				(size_t)(key * 5 + round));
		rig_put_made(rig, batch, CTL_TABLE_JOURNAL, round, round, 20000);
		rig_put_made(rig, batch, CTL_TABLE_OUTBOX, round, round, 900);
		rig_put_made(rig, batch, CTL_TABLE_TAGS, round, round, 12);
		rig_put_made(rig, batch, CTL_TABLE_GAPS, round, round, 16);
		rig_give(rig, batch);
		rig_flush(rig);
		batch = rig_batch(rig);
		for (uint64_t key = 0; key < 200; key += 2)
			rig_delete(rig, batch, CTL_TABLE_PROFILES, key * 3 + round);
		rig_cut(rig, batch, CTL_TABLE_JOURNAL, round < 2 ? 0 : round - 2);
		rig_give(rig, batch);
		rig_flush(rig);
	}
	rewrite(rig);
	rig_close(rig);
	assert_true(g_file_get_contents(sample->file, (char **)&sample->bytes, &sample->len, NULL));
	sample->n_clean = 0;
	sample->n_damaged = 0;
}

static void free_sample(struct sample *sample)
{
	g_free(sample->bytes);
	g_free(sample->file);
	rig_fini(&sample->rig);
}

/* It was set aside: as it was, byte for byte, with an alarm; what is there now is new. */
static void is_set_aside(struct sample *sample, const uint8_t *bytes, size_t len)
{
	g_autoptr(GDir) dir = g_dir_open(sample->rig.path, 0, NULL);
	g_autofree char *kept = NULL, *where = NULL;
	const char *name;
	size_t kept_len;

	assert_non_null(dir);
	while ((name = g_dir_read_name(dir)) != NULL) {
		if (g_str_has_prefix(name, "damaged-"))
			where = g_build_filename(sample->rig.path, name, CTL_STORE_FILE, NULL);
	}
	assert_non_null(where);
	assert_true(g_file_get_contents(where, &kept, &kept_len, NULL));
	assert_int_equal(kept_len, len);
	assert_true(len == 0 || memcmp(kept, bytes, len) == 0);
}

/* Open a file of these bytes. What opens without alarm has to be right, and stay right. */
static bool opens_clean(struct sample *sample, const uint8_t *bytes, size_t len)
{
	struct rig *rig = &sample->rig;
	bool is_clean;

	rig_remove(rig->path);
	assert_int_equal(mkdir(rig->path, 0700), 0);
	assert_true(g_file_set_contents_full(sample->file, (const char *)bytes, (gssize)len,
		G_FILE_SET_CONTENTS_NONE, 0600, NULL));
	rig_open(rig);
	is_clean = !ctl_store_is_new(rig->store);
	if (is_clean) {
		struct dp_err err = {""};

		sample->n_clean++;
		rig_compare(rig);
		rewrite(rig);
		rig_compare(rig);
		rig_close(rig);
		if (ctl_store_check(sample->file, "edge1", RIG_TICK_NS, NULL, &err) < 0)
			fail_msg("after it was written to: %s", err.text);
	} else {
		is_set_aside(sample, bytes, len);
		sample->n_damaged++;
	}
	rig_close(rig);
	return is_clean;
}

static void told(const struct sample *sample, const char *what)
{
	print_message(
		"%s: %u set aside, %u without harm\n", what, sample->n_damaged, sample->n_clean);
}

static void every_truncation_is_set_aside_or_harmless(void **)
{
	struct sample sample;
	size_t last_clean = SIZE_MAX;

	make_sample(&sample);
	for (size_t len = 0; len <= sample.len; len += 512) {
		const bool is_clean = opens_clean(&sample, sample.bytes, len);

		// Once a used page is gone, so it is with all shorter ones.
		if (is_clean && last_clean == SIZE_MAX)
			last_clean = len;
		assert_true(is_clean == (len >= last_clean));
	}
	for (size_t border = 0; border <= sample.len; border += PAGE) {
		for (size_t off = 1; off < 5; off += 3) {
			if (border >= off)
				(void)opens_clean(&sample, sample.bytes, border - off);
			if (border + off <= sample.len)
				(void)opens_clean(&sample, sample.bytes, border + off);
		}
	}
	told(&sample, "truncations");
	assert_true(sample.n_damaged > 0);
	assert_true(sample.n_clean > 0); // the whole one
	free_sample(&sample);
}

static void flip(struct sample *sample, size_t bit)
{
	sample->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

static void try_flip(struct sample *sample, size_t bit)
{
	flip(sample, bit);
	(void)opens_clean(sample, sample->bytes, sample->len);
	flip(sample, bit);
}

static void every_bit_of_the_heads_may_be_wrong(void **)
{
	struct sample sample;

	make_sample(&sample);
	for (size_t page = 0; page < 2; page++) {
		for (size_t bit = 0; bit < (size_t)META_END * 8; bit++)
			try_flip(&sample, page * PAGE * 8 + bit);
	}
	told(&sample, "bits of the two heads");
	free_sample(&sample);
}

static void the_head_of_every_page_may_be_wrong(void **)
{
	GRand *random = g_rand_new_with_seed(1);
	struct sample sample;

	make_sample(&sample);
	for (size_t page = 2; page < sample.len / PAGE; page++) {
		for (unsigned i = 0; i < 6; i++)
			try_flip(&sample,
				page * PAGE * 8 + (size_t)g_rand_int_range(random, 0, 64 * 8));
	}
	told(&sample, "bits of the heads of pages");
	g_rand_free(random);
	free_sample(&sample);
}

static void any_bit_may_be_wrong(void **)
{
	GRand *random = g_rand_new_with_seed(2);
	struct sample sample;

	make_sample(&sample);
	for (unsigned i = 0; i < N_RANDOM; i++)
		try_flip(&sample, (size_t)g_rand_int_range(random, 0, (gint32)(sample.len * 8)));
	told(&sample, "bits anywhere");
	g_rand_free(random);
	free_sample(&sample);
}

/* A sector with something else in it: zeros, another sector of the file, noise. */
static void any_sector_may_be_another(void **)
{
	GRand *random = g_rand_new_with_seed(3);
	struct sample sample;
	uint8_t *bytes;

	make_sample(&sample);
	bytes = g_malloc(sample.len);
	for (unsigned i = 0; i < N_CLUSTERS; i++) {
		const size_t at = (size_t)g_rand_int_range(random, 0, (gint32)(sample.len / 512)) *
			512;
		const size_t from = (size_t)g_rand_int_range(
					    random, 0, (gint32)(sample.len / 512)) *
			512;

		memcpy(bytes, sample.bytes, sample.len);
		switch (i % 3) {
		case 0:
			memset(bytes + at, 0, 512);
			break;
		case 1:
			memcpy(bytes + at, sample.bytes + from, 512);
			break;
		default:
			for (size_t k = 0; k < 512; k++)
				bytes[at + k] = (uint8_t)g_rand_int(random);
		}
		(void)opens_clean(&sample, bytes, sample.len);
	}
	told(&sample, "sectors");
	g_free(bytes);
	g_rand_free(random);
	free_sample(&sample);
}

static void an_older_head_that_seems_newer_is_found(void **)
{
	struct sample sample;
	uint64_t txn[2];
	size_t at[2];

	make_sample(&sample);
	for (size_t i = 0; i < 2; i++) {
		at[i] = i * PAGE + META_END - sizeof(txn[0]);
		memcpy(&txn[i], sample.bytes + at[i], sizeof(txn[i]));
	}
	const size_t newest = txn[0] < txn[1];

	txn[newest] -= 2; // as a head that a commit did not reach
	memcpy(sample.bytes + at[newest], &txn[newest], sizeof(txn[0]));
	assert_false(opens_clean(&sample, sample.bytes, sample.len));
	assert_true(rig_logged(&sample.rig, "store_damaged", "wrong order"));
	free_sample(&sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_truncation_is_set_aside_or_harmless),
		cmocka_unit_test(every_bit_of_the_heads_may_be_wrong),
		cmocka_unit_test(the_head_of_every_page_may_be_wrong),
		cmocka_unit_test(any_bit_may_be_wrong),
		cmocka_unit_test(any_sector_may_be_another),
		cmocka_unit_test(an_older_head_that_seems_newer_is_found),
	};

	// Durability is not what is tested here: thousands of new stores, each synced, take a while.
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
