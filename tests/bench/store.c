// SPDX-License-Identifier: BSD-3-Clause
/* What a commit costs, beside a file that the same bytes are appended to and synced; what checking
 * and reading a store cost. Prints figures, judges nothing. */
#include "control/store.h"
#include "control/crc32c.h"
#include "control/store_check.h"
#include "control/store_format.h"

#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum {
	N_KEPT = 60, // ticks in the journal
	N_SWEPT = 1700, // profiles written anew a tick
	JOURNAL_LEN = 2 << 20,
	PROFILE_LEN = 1000,
	N_THREADS = 2,
	WINDOW_MAX = 4096,
};

static struct {
	char *dir; // owned
	unsigned n_ticks; // of the long run
	uint64_t n_profiles;
	uint8_t *noise; // owned, JOURNAL_LEN bytes
	uint64_t random;
} bench;

static _Noreturn void give_up(const char *what)
{
	(void)fprintf(stderr, "store: %s\n", what);
	exit(1);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now); // cannot fail for these clocks
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static uint64_t cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static uint64_t next_random(void)
{
	bench.random ^= bench.random << 13;
	bench.random ^= bench.random >> 7;
	bench.random ^= bench.random << 17;
	return bench.random;
}

/* --- times ----------------------------------------------------------------------------------- */

struct times {
	uint64_t ns[WINDOW_MAX];
	size_t n;
};

static int compare_ns(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void add_time(struct times *times, uint64_t ns)
{
	if (times->n < WINDOW_MAX)
		times->ns[times->n++] = ns;
}

static void print_times(const char *what, struct times *times, const char *behind)
{
	const size_t n = times->n;

	if (n == 0)
		return;
	qsort(times->ns, n, sizeof(times->ns[0]), compare_ns);
	printf("%-34s %9.2f %9.2f %9.2f  %s\n", what, (double)times->ns[n / 2] / 1e6,
		(double)times->ns[n * 99 / 100] / 1e6, (double)times->ns[n - 1] / 1e6, behind);
	(void)fflush(stdout);
	times->n = 0;
}

/* --- the store ------------------------------------------------------------------------------- */

static struct ctl_store *open_store(void)
{
	const struct ctl_store_config config = {.path = bench.dir,
		.node = "bench",
		.tick_ns = 1000000000,
		.size_max = 64ULL << 30,
		.backlog_max = 64,
		.backlog_bytes_max = 1 << 30};
	struct ctl_store *store;
	struct dp_err err;

	if (ctl_store_open(&config, &store, &err) < 0)
		give_up(err.text);
	return store;
}

static void commit(struct ctl_store *store, struct ctl_batch *given)
{
	ctl_store_give(store, given);
	if (!ctl_store_flush(store, 600ULL * 1000000000))
		give_up("a commit took ten minutes");
}

static void put_profile(struct ctl_batch *batch, uint64_t id)
{
	ctl_batch_put(batch, CTL_TABLE_PROFILES, id,
		bench.noise + next_random() % (JOURNAL_LEN - PROFILE_LEN), PROFILE_LEN);
}

static uint64_t fill(struct ctl_store *store)
{
	const uint64_t begin = now_ns();
	uint64_t serial = 0;

	for (uint64_t id = 0; id < bench.n_profiles;) {
		struct ctl_batch *batch = ctl_batch_new(++serial, 0);

		for (unsigned i = 0; i < 20000 && id < bench.n_profiles; i++)
			put_profile(batch, id++);
		commit(store, batch);
	}
	printf("%-34s %9.0f puts/s of %d bytes, 20000 a commit\n", "filling",
		(double)bench.n_profiles * 1e9 / (double)(now_ns() - begin), PROFILE_LEN);
	return serial;
}

/* What a busy node does: megabytes of journal a tick, images of profiles here and there. */
static void live(struct ctl_store *store, uint64_t serial)
{
	const unsigned window = MAX(bench.n_ticks / 5, 1U);
	struct times times = {.n = 0};
	struct ctl_store_stats stats;
	char what[64], behind[64];

	for (unsigned tick = 1; tick <= bench.n_ticks; tick++) {
		struct ctl_batch *batch = ctl_batch_new(++serial, tick);

		ctl_batch_put(batch, CTL_TABLE_JOURNAL, tick, bench.noise, JOURNAL_LEN);
		for (unsigned i = 0; i < N_SWEPT; i++)
			put_profile(batch, next_random() % bench.n_profiles);
		if (tick > N_KEPT)
			ctl_batch_cut(batch, CTL_TABLE_JOURNAL, tick - N_KEPT);
		commit(store, batch);
		ctl_store_stats(store, &stats);
		add_time(&times, stats.commit_ns_last);
		if (tick % window == 0) {
			(void)snprintf(
				what, sizeof(what), "ticks %u to %u", tick - window + 1, tick);
			(void)snprintf(behind, sizeof(behind), "file %" PRIu64 " MB, used %" PRIu64,
				stats.file_bytes >> 20, stats.used_bytes >> 20);
			print_times(what, &times, behind);
		}
	}
}

static void small_ticks(struct ctl_store *store, uint64_t serial)
{
	enum { N_OPS = 10000, LEN = 200 };
	struct times times = {.n = 0};
	const uint64_t begin = now_ns();
	unsigned n = 0;
	char behind[64];

	for (; n < 100; n++) {
		struct ctl_batch *batch = ctl_batch_new(++serial, 0);
		struct ctl_store_stats stats;

		for (unsigned i = 0; i < N_OPS; i++)
			ctl_batch_put(batch, CTL_TABLE_OUTBOX, (uint64_t)n * N_OPS + i,
				bench.noise + i, LEN);
		commit(store, batch);
		ctl_store_stats(store, &stats);
		add_time(&times, stats.commit_ns_last);
	}
	(void)snprintf(behind, sizeof(behind), "%.0f puts/s",
		(double)n * N_OPS * 1e9 / (double)(now_ns() - begin));
	print_times("10000 puts of 200 bytes", &times, behind);
}

/* --- beside it ------------------------------------------------------------------------------- */

/* The same bytes appended to a file: what the disk costs whoever writes to it. */
static void raw(const char *what, size_t n_bytes, unsigned n)
{
	g_autofree char *name = g_build_filename(bench.dir, "raw", NULL);
	const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct times times = {.n = 0};

	if (fd < 0)
		give_up("cannot make a file");
	for (unsigned i = 0; i < n; i++) {
		const uint64_t begin = now_ns();

		for (size_t left = n_bytes; left > 0;) {
			const size_t part = MIN(left, (size_t)JOURNAL_LEN);

			if (write(fd, bench.noise, part) != (ssize_t)part)
				give_up("cannot write");
			left -= part;
		}
		if (fdatasync(fd) < 0)
			give_up("cannot sync");
		add_time(&times, now_ns() - begin);
	}
	(void)close(fd);
	(void)unlink(name);
	print_times(what, &times, "write + fdatasync");
}

static void checksums(void)
{
	enum { ROUNDS = 100 };
	uint32_t sum = 0;
	uint64_t begin = cpu_ns(), ours, portable, zlib;

	for (unsigned i = 0; i < ROUNDS; i++)
		sum ^= ctl_crc32c(i, bench.noise, JOURNAL_LEN);
	ours = cpu_ns() - begin;
	begin = cpu_ns();
	for (unsigned i = 0; i < ROUNDS; i++)
		sum ^= ctl_crc32c_portable(i, bench.noise, JOURNAL_LEN);
	portable = cpu_ns() - begin;
	begin = cpu_ns();
	for (unsigned i = 0; i < ROUNDS; i++)
		sum ^= (uint32_t)crc32(i, bench.noise, JOURNAL_LEN);
	zlib = cpu_ns() - begin;
	printf("%-34s %9.2f GB/s, portable %.2f, beside it zlib's crc32 %.2f (%08x)\n", "checksum",
		(double)ROUNDS * JOURNAL_LEN / (double)ours,
		(double)ROUNDS * JOURNAL_LEN / (double)portable,
		(double)ROUNDS * JOURNAL_LEN / (double)zlib, sum);
}

static int sum_bytes(void *ctx, uint64_t, const void *, size_t len)
{
	*(uint64_t *)ctx += len;
	return 0;
}

/* What a restart pays. */
static void restart(void)
{
	g_autofree char *file = g_build_filename(bench.dir, CTL_STORE_FILE, NULL);
	uint64_t begin = now_ns(), sums[N_THREADS] = {0};
	void *ctxs[N_THREADS] = {&sums[0], &sums[1]};
	struct ctl_store_checked checked;
	struct ctl_store *store;
	struct dp_err err;

	if (ctl_store_check(file, NULL, 0, &checked, &err) < 0)
		give_up(err.text);
	printf("%-34s %9.2f s for %.2f GB, %" PRIu64 " records; free %.2f GB, lost %" PRIu64
	       " pages\n",
		"check", (double)(now_ns() - begin) / 1e9, (double)checked.n_used * 4096 / 1e9,
		checked.n_records, (double)checked.n_free * 4096 / 1e9, checked.n_lost);
	begin = now_ns();
	store = open_store();
	printf("%-34s %9.2f s, the check in it\n", "open", (double)(now_ns() - begin) / 1e9);
	begin = now_ns();
	if (ctl_store_read_parallel(store, CTL_TABLE_PROFILES, N_THREADS, sum_bytes, ctxs, &err) <
		0)
		give_up(err.text);
	printf("%-34s %9.2f s for %.2f GB by %d threads\n", "read all profiles",
		(double)(now_ns() - begin) / 1e9, (double)(sums[0] + sums[1]) / 1e9, N_THREADS);
	ctl_store_close(store);
}

int main(int argc, char **argv)
{
	g_autofree char *remove = NULL;
	struct ctl_store *store;
	uint64_t serial;

	bench.n_ticks = argc > 1 ? (unsigned)atoi(argv[1]) : 100;
	bench.n_profiles = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000;
	if (argc > 3 || bench.n_ticks == 0 || bench.n_profiles == 0) {
		(void)fputs("usage: store [TICKS [PROFILES]]\n", stderr);
		return 2;
	}
	bench.dir = g_build_filename(g_get_tmp_dir(), "wirecue-bench-XXXXXX", NULL);
	if (g_mkdtemp(bench.dir) == NULL)
		give_up("cannot make a folder");
	bench.random = 88172645463325252ULL;
	bench.noise = g_malloc(JOURNAL_LEN);
	for (size_t i = 0; i < JOURNAL_LEN; i += sizeof(uint64_t))
		memcpy(bench.noise + i, &(uint64_t){next_random()}, sizeof(uint64_t));

	checksums();
	store = open_store();
	serial = fill(store);
	printf("\n%-34s %9s %9s %9s\n", "a commit", "median ms", "p99 ms", "max ms");
	live(store, serial);
	raw("  beside it the same bytes", JOURNAL_LEN + (size_t)N_SWEPT * PROFILE_LEN,
		MIN(bench.n_ticks, 100));
	small_ticks(store, serial + bench.n_ticks);
	raw("  beside it the same bytes", 10000 * 208, 100);
	raw("  beside it one page", 4096, 100);
	ctl_store_close(store);
	(void)putchar('\n');
	restart();
	remove = g_strdup_printf("rm -rf -- '%s'", bench.dir);
	return system(remove) == 0 ? 0 : 1;
}
