// SPDX-License-Identifier: BSD-3-Clause
/* A long life at random, with readers that hold on to what they see: every start finds the file
 * sound, with what was given in it. A store that is set aside without reason would be a loss. */
#include "tests/lib/store_rig.h"

#include "control/store_check.h"
#include "control/store_format.h"

#include <lmdb.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_LIVES = 40, N_TICKS = 12, N_KEYS = 3000 };

static size_t any_len(GRand *random)
{
	switch (g_rand_int_range(random, 0, 20)) {
	case 0:
		return (size_t)g_rand_int_range(random, 0, 600000);
	case 1:
	case 2:
		return (size_t)g_rand_int_range(random, 0, 20000);
	default:
		return (size_t)g_rand_int_range(random, 0, 1500);
	}
}

static enum ctl_table any_table(GRand *random)
{
	return (enum ctl_table)g_rand_int_range(random, CTL_TABLE_JOURNAL, CTL_TABLE_COUNT);
}

static void any_tick(struct rig *rig, GRand *random)
{
	struct ctl_batch *batch = rig_batch(rig);
	const int n = g_rand_int_range(random, 0, 200);

	for (int i = 0; i < n; i++) {
		const uint64_t key = (uint64_t)g_rand_int_range(random, 0, N_KEYS);

		if (g_rand_int_range(random, 0, 3) == 0)
			rig_delete(rig, batch, any_table(random), key);
		else
			rig_put_made(rig, batch, any_table(random), key, key + rig->serial,
				any_len(random));
	}
	if (g_rand_int_range(random, 0, 6) == 0)
		rig_cut(rig, batch, any_table(random),
			(uint64_t)g_rand_int_range(random, 0, N_KEYS));
	if (g_rand_int_range(random, 0, 25) == 0) // all of it
		rig_cut(rig, batch, any_table(random), N_KEYS);
	rig_give(rig, batch);
}

/* Another process, as a backup is: what it sees cannot be used again meanwhile. */
struct reader {
	pid_t pid; // 0 = none
	int end; // of a pipe: closed, the reader ends
};

static _Noreturn void read_and_wait(const char *file, int ready, int end)
{
	MDB_env *env;
	MDB_txn *txn;
	char c;

	if (mdb_env_create(&env) != 0 ||
		mdb_env_open(env, file, MDB_NOSUBDIR | MDB_RDONLY, 0) != 0 ||
		mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0)
		_exit(1);
	(void)close(ready);
	while (read(end, &c, 1) > 0)
		;
	mdb_txn_abort(txn);
	mdb_env_close(env);
	_exit(0);
}

static void hold_on(struct reader *reader, const char *file)
{
	int ready[2], end[2];
	char c;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(end), 0);
	reader->pid = fork();
	assert_true(reader->pid >= 0);
	if (reader->pid == 0) {
		(void)close(ready[0]);
		(void)close(end[1]);
		read_and_wait(file, ready[1], end[0]);
	}
	(void)close(ready[1]);
	(void)close(end[0]);
	assert_int_equal(read(ready[0], &c, 1), 0); // it has closed its end
	(void)close(ready[0]);
	reader->end = end[1];
}

/* Every other one is killed, and leaves its place in LMDB's table. */
static void let_go(struct reader *reader, bool kill_it)
{
	int status;

	if (reader->pid == 0)
		return;
	if (kill_it)
		assert_int_equal(kill(reader->pid, SIGKILL), 0);
	(void)close(reader->end);
	assert_int_equal(waitpid(reader->pid, &status, 0), reader->pid);
	assert_true(kill_it ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);
	reader->pid = 0;
}

static void any_life_leaves_a_sound_store(void **)
{
	GRand *random = g_rand_new_with_seed(5);
	struct reader reader = {0};
	struct rig rig;
	g_autofree char *file = NULL;
	uint64_t n_lost = 0, n_free = 0;

	rig_init(&rig);
	file = g_build_filename(rig.path, CTL_STORE_FILE, NULL);
	for (unsigned life = 0; life < N_LIVES; life++) {
		struct ctl_store_checked checked;
		struct dp_err err = {""};

		rig_open(&rig);
		assert_true(ctl_store_is_new(rig.store) == (life == 0));
		rig_compare(&rig);
		for (unsigned tick = 0; tick < N_TICKS; tick++) {
			any_tick(&rig, random);
			if (tick == N_TICKS / 4 && life % 3 == 0)
				hold_on(&reader, file);
			if (tick == N_TICKS / 2)
				let_go(&reader, life % 2 == 0);
			if (g_rand_int_range(random, 0, 2) == 0)
				rig_flush(&rig);
		}
		rig_flush(&rig);
		rig_compare(&rig);
		rig_close(&rig);
		if (ctl_store_check(file, "edge1", RIG_TICK_NS, &checked, &err) < 0)
			fail_msg("life %u: %s", life, err.text);
		n_lost = checked.n_lost;
		n_free = checked.n_free;
	}
	print_message("%u lives, %llu pages free at the end, %llu lost\n", N_LIVES,
		(unsigned long long)n_free, (unsigned long long)n_lost);
	assert_int_equal(n_lost, 0);
	g_rand_free(random);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_life_leaves_a_sound_store),
	};

	if (access("/dev/shm", W_OK) == 0) // durability is not what is tested here
		(void)setenv("TMPDIR", "/dev/shm", 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
