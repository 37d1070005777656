// SPDX-License-Identifier: BSD-3-Clause

/* Mutants of captures through the real packet path in one process: no crash, no hang, and the ledger
 * exact on each.
 *
 *   mutants [--seed S] [--count N] [--first I] [--keep DIR] CAPTURE|FOLDER...
 *
 * Mutant I of a seed is always the same. One that fails is written to DIR, and the line that repeats
 * it is printed; it is printed too where the process dies. */

#include "tests/mutants/ledger.h"
#include "tests/mutants/mutate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	FRAMES_READ_MAX = 400, // of a capture
	WINDOW_MAX = 60, // frames of a mutant
	FAILED_MAX = 10, // then it has been said
};

static struct {
	uint64_t seed;
	uint64_t count, first;
	const char *keep;
	char **paths;
	int n_paths;
} options = {.count = 300, .keep = "."};

struct captures {
	struct frames *v; // owned
	size_t n, room;
};

/* --- which captures ------------------------------------------------------------------------------ */

static void read_capture(struct captures *c, const char *path)
{
	struct frames frames = {0};
	struct dp_err err = {0};

	if (frames_read(&frames, path, FRAMES_READ_MAX, ledger_pool(), &err) < 0 || frames.n == 0) {
		frames_clear(&frames);
		return; // of a link type that is not read, or empty
	}
	if (c->n == c->room) {
		c->room = 2 * c->room + 16;
		c->v = realloc(c->v, c->room * sizeof(*c->v));
		if (c->v == NULL)
			exit(1);
	}
	c->v[c->n++] = frames;
}

static bool is_capture(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot != NULL &&
		(strcmp(dot, ".pcap") == 0 || strcmp(dot, ".pcapng") == 0 ||
			strcmp(dot, ".cap") == 0);
}

/* A capture, or all below a folder in the order of their names. */
static void read_path(struct captures *c, const char *path, bool is_named)
{
	struct dirent **entries;
	struct stat st;
	int n;

	if (stat(path, &st) != 0) {
		fprintf(stderr, "not ok - '%s' can be read: %s\n", path, strerror(errno));
		exit(1);
	}
	if (!S_ISDIR(st.st_mode)) {
		if (is_named || is_capture(path))
			read_capture(c, path);
		return;
	}
	n = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char below[4096];

		if (entries[i]->d_name[0] != '.' &&
			snprintf(below, sizeof(below), "%s/%s", path, entries[i]->d_name) <
				(int)sizeof(below))
			read_path(c, below, false);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

/* --- which mutant ---------------------------------------------------------------------------------- */

static struct ledger_config config_of(struct rng *rng)
{
	static const uint32_t n_flows[] = {1024, 1024, 1024, 16, 4};

	return (struct ledger_config){
		.n_workers = (uint16_t)(1 + (rng_below(rng, 4) == 0)),
		.n_flows = n_flows[rng_below(rng, 5)],
		.drops_duplicates = rng_below(rng, 3) == 0,
		.ignores = rng_below(rng, 6) == 0,
	};
}

static struct ledger_config make(const struct captures *c, uint64_t index, struct frames *mutant)
{
	struct rng rng = {options.seed * 0x9e3779b97f4a7c15ULL + index};
	const struct frames *from = &c->v[rng_next(&rng) % c->n];
	const struct frames *others = &c->v[rng_next(&rng) % c->n];
	const size_t n = from->n < WINDOW_MAX ? from->n : WINDOW_MAX;

	frames_copy(mutant, from, rng_next(&rng) % (from->n - n + 1), n);
	mutate(&rng, mutant, others);
	return config_of(&rng);
}

/* --- what is said about it --------------------------------------------------------------------------- */

static char last_words[8192]; // how to repeat the mutant that runs

static void say_last_words(void)
{
	const ssize_t n = write(STDERR_FILENO, last_words, strlen(last_words));

	(void)n; // there is nobody left to tell
}

static void die(int signal_number)
{
	say_last_words();
	(void)signal(signal_number, SIG_DFL);
	(void)raise(signal_number);
}

/* Of the sanitizers, where the program is built with them: they end it without a signal. */
[[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)(void));

static void watch_death(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

	if (__sanitizer_set_death_callback != NULL) {
		__sanitizer_set_death_callback(say_last_words);
		return;
	}
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)signal(signals[i], die);
}

static void prepare_words(uint64_t index)
{
	size_t len = (size_t)snprintf(last_words, sizeof(last_words),
		"    repeat: mutants --seed %" PRIu64 " --first %" PRIu64 " --count 1",
		options.seed, index);

	for (int i = 0; i < options.n_paths && len < sizeof(last_words); i++)
		len += (size_t)snprintf(
			last_words + len, sizeof(last_words) - len, " %s", options.paths[i]);
	if (len >= sizeof(last_words) - 1)
		len = sizeof(last_words) - 2;
	memcpy(last_words + len, "\n", 2);
}

static void keep(const struct frames *mutant, uint64_t index)
{
	for (int link = 0; link < DP_LINK_COUNT; link++) {
		char path[4096];
		int fd;

		if (!frames_have(mutant, (enum dp_link)link))
			continue;
		(void)snprintf(path, sizeof(path), "%s/mutant-%" PRIu64 "-%" PRIu64 "-%d.pcap",
			options.keep, options.seed, index, link);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (fd < 0) {
			fprintf(stderr, "    '%s' cannot be written: %s\n", path, strerror(errno));
			continue;
		}
		frames_write(mutant, (enum dp_link)link, fd);
		(void)close(fd);
		fprintf(stderr, "    kept: %s\n", path);
	}
}

/* Returns false when the mutant has faults. */
static bool run(const struct captures *c, uint64_t index, struct ledger_sums *sums)
{
	struct frames mutant = {0};
	const struct ledger_config config = make(c, index, &mutant);
	unsigned int n_faults;

	prepare_words(index);
	n_faults = ledger_run(&mutant, &config, sums);
	if (n_faults > 0) {
		printf("not ok - mutant %" PRIu64 ": %u faults (%u workers, %u flows%s%s)\n", index,
			n_faults, config.n_workers, config.n_flows,
			config.drops_duplicates ? ", drops copies" : "",
			config.ignores ? ", ignores" : "");
		(void)fflush(stdout);
		say_last_words();
		keep(&mutant, index);
	}
	frames_clear(&mutant);
	return n_faults == 0;
}

static int run_all(const struct captures *c)
{
	struct ledger_sums sums = {0};
	unsigned int n_failed = 0;
	const time_t begin = time(NULL);
	uint64_t i = 0;

	for (; i < options.count && n_failed < FAILED_MAX; i++)
		n_failed += !run(c, options.first + i, &sums);
	printf("%s - %" PRIu64 " mutants of %zu captures, seed %" PRIu64 ": the ledger is exact\n",
		n_failed > 0 ? "not ok" : "ok", i, c->n, options.seed);
	printf("    %" PRIu64 " frames, %" PRIu64 " accounted with %" PRIu64 " bytes, %" PRIu64
	       " flows, %" PRIu64 " encapsulations opened, %" PRIu64 " refused, %" PRIu64
	       " fragments; %ld s\n",
		sums.frames, sums.accounted, sums.bytes, sums.flows, sums.opened, sums.refused,
		sums.fragments, (long)(time(NULL) - begin));
	return n_failed > 0 ? 1 : 0;
}

static uint64_t number(const char *text)
{
	char *end;
	const uint64_t n = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0') {
		fprintf(stderr, "mutants: '%s' is not a number\n", text);
		exit(2);
	}
	return n;
}

_Noreturn static void usage(FILE *out, int status)
{
	fputs("usage: mutants [--seed S] [--count N] [--first I] [--keep DIR] CAPTURE|FOLDER...\n"
	      "\n"
	      "  --seed S    of the damage, 0 by default\n"
	      "  --count N   mutants, 300 by default\n"
	      "  --first I   number of the first, 0 by default; what one is depends on seed and number only\n"
	      "  --keep DIR  where a capture that fails is written; here by default\n",
		out);
	exit(status);
}

static void parse(int argc, char **argv)
{
	static const struct option known[] = {{"seed", required_argument, NULL, 's'},
		{"count", required_argument, NULL, 'n'}, {"first", required_argument, NULL, 'i'},
		{"keep", required_argument, NULL, 'k'}, {"help", no_argument, NULL, 'h'}, {0}};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 's')
			options.seed = number(optarg);
		else if (c == 'n')
			options.count = number(optarg);
		else if (c == 'i')
			options.first = number(optarg);
		else if (c == 'k')
			options.keep = optarg;
		else
			usage(c == 'h' ? stdout : stderr, c == 'h' ? 0 : 2);
	}
	options.paths = argv + optind;
	options.n_paths = argc - optind;
	if (options.n_paths == 0)
		usage(stderr, 2);
}

int main(int argc, char **argv)
{
	struct captures captures = {0};
	int r;

	parse(argc, argv);
	ledger_start();
	for (int i = 0; i < options.n_paths; i++)
		read_path(&captures, options.paths[i], true);
	if (captures.n == 0) {
		printf("not ok - there are captures that can be read\n");
		return 1;
	}
	watch_death();
	r = run_all(&captures);
	for (size_t i = 0; i < captures.n; i++)
		frames_clear(&captures.v[i]);
	free(captures.v);
	ledger_stop();
	return r;
}
