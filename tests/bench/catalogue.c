// SPDX-License-Identifier: BSD-3-Clause

/* What the app catalogue costs: a name among a million hosts and beside it among a thousand, an address among a hundred
 * thousand networks, building it, reading it from files.
 *
 *   catalogue hosts PAIRS SECONDS N         names among 1,000 and among N hosts, in turns
 *   catalogue nets PAIRS SECONDS N          addresses among 1,000 and among N prefixes, in turns
 *   catalogue build HOSTS NETS              seconds and memory of cls_catalogue_new()
 *   catalogue make HOSTS NETS DIR           DIR/apps.yaml and the hosts files it names
 *   catalogue load FILE                     seconds and memory of ctl_apps_load()
 *
 * Names and networks are made from their numbers, the same in every run. Prints a line of JSON: nanoseconds of CPU
 * time of each in each pair; or seconds, and MB of the process. A look-up waits for the one before it, as in a worker,
 * which has something else to do in between. One thread. */

#include "control/apps_yaml.h"
#include "tests/bench/catalogue_made.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	PAIRS_MAX = 100,
	SIDES_MAX = 8,
	FEW = 1000,
	N_ASKED = 1 << 19, // names or addresses: no branch predictor knows them by heart
	N_APPS = 1000,
	N_FILES = 16, // apps with a list of their own
};

_Noreturn static void give_up(const char *text)
{
	(void)fprintf(stderr, "catalogue: %s\n", text);
	exit(1);
}

static void *room(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL)
		give_up("no memory");
	return p;
}

/* --- catalogues ------------------------------------------------------------------------------- */

/* What control's reader would hand over. */
struct defs {
	struct cls_app_def apps[N_APPS];
	char (*names)[16];
	struct cls_host_def *hosts;
	struct dp_prefix *nets;
	char *text; // of the hosts
};

static struct defs *defs_new(uint32_t n_hosts, uint32_t n_nets)
{
	struct defs *d = room(1, sizeof(*d));
	char *end;

	d->names = room(N_APPS, sizeof(*d->names));
	d->hosts = room(n_hosts + 1, sizeof(*d->hosts));
	d->nets = room(n_nets + 1, sizeof(*d->nets));
	d->text = end = room(n_hosts + 1, BENCH_HOST_MAX); // only what is written is there
	for (uint32_t i = 0; i < n_hosts; i++) {
		d->hosts[i].host = end;
		end += bench_host(end, i) + 1;
	}
	for (uint32_t i = 0; i < n_nets; i++)
		d->nets[i] = bench_net(i);
	for (uint32_t i = 0, host = 0, net = 0; i < N_APPS; i++) {
		const uint32_t hosts_end = (uint32_t)((i + UINT64_C(1)) * n_hosts / N_APPS);
		const uint32_t nets_end = (uint32_t)((i + UINT64_C(1)) * n_nets / N_APPS);

		(void)snprintf(d->names[i], sizeof(d->names[i]), "app-%u", i);
		d->apps[i] = (struct cls_app_def){.id = DP_APP_FIRST + i,
			.name = d->names[i],
			.category = "web",
			.hosts = d->hosts + host,
			.n_hosts = hosts_end - host,
			.nets = d->nets + net,
			.n_nets = nets_end - net};
		host = hosts_end;
		net = nets_end;
	}
	return d;
}

static void defs_free(struct defs *d)
{
	free(d->text);
	free(d->nets);
	free(d->hosts);
	free(d->names);
	free(d);
}

static struct cls_catalogue *build(const struct defs *d)
{
	struct cls_catalogue *c;
	struct dp_err err;

	if (cls_catalogue_new(d->apps, N_APPS, NULL, 0, &c, &err) < 0)
		give_up(err.text);
	return c;
}

static struct cls_catalogue *catalogue_of(uint32_t n_hosts, uint32_t n_nets)
{
	struct defs *d = defs_new(n_hosts, n_nets);
	struct cls_catalogue *c = build(d);

	defs_free(d);
	return c;
}

static const char *const kinds[] = {"hits", "misses", "deep", "mixed"};
static_assert(sizeof(kinds) / sizeof(kinds[0]) == BENCH_KIND_COUNT);

/* --- in turns --------------------------------------------------------------------------------- */

struct side {
	char name[32];
	const struct cls_catalogue *catalogue;
	char *text; // names, one behind the other
	uint32_t *ends; // of each, in text
	struct dp_addr *addrs; // or addresses
	uint32_t n_found; // in a round
};

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts); // cannot fail for this clock
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Each look-up needs the one before it: no app has that bit, which only we know. */
static uint32_t wait_for(struct cls_match m)
{
	return m.app >> 31;
}

static uint32_t ask_names(const struct side *s)
{
	uint32_t n_found = 0, begin = 0;

	for (uint32_t i = 0; i < N_ASKED; i++) {
		const uint32_t end = s->ends[i];
		const struct cls_match m = cls_match_host(
			s->catalogue, s->text + begin, end - begin);

		n_found += m.app != DP_APP_UNKNOWN;
		begin = end + wait_for(m);
	}
	return n_found;
}

static uint32_t ask_addrs(const struct side *s)
{
	uint32_t n_found = 0, next = 0;

	for (uint32_t i = 0; i < N_ASKED; i++) {
		const struct cls_match m = cls_match_net(s->catalogue, &s->addrs[next]);

		n_found += m.app != DP_APP_UNKNOWN;
		next += 1 + wait_for(m);
	}
	return n_found;
}

static double measure(struct side *s, double seconds)
{
	const uint64_t begin = cpu_ns();
	uint64_t n = 0, now;

	do {
		s->n_found = s->text != NULL ? ask_names(s) : ask_addrs(s);
		n += N_ASKED;
		now = cpu_ns();
	} while ((double)(now - begin) < seconds * 1e9);
	return (double)(now - begin) / (double)n;
}

static void in_turns(struct side *sides, uint32_t n_sides, uint32_t n_pairs, double seconds)
{
	static double ns[SIDES_MAX][PAIRS_MAX];

	for (uint32_t s = 0; s < n_sides; s++)
		(void)measure(&sides[s], 0);
	for (uint32_t i = 0; i < n_pairs; i++)
		for (uint32_t k = 0; k < n_sides; k++) {
			const uint32_t s = (i + k) % n_sides; // each is first as often

			ns[s][i] = measure(&sides[s], seconds);
		}
	for (uint32_t s = 0; s < n_sides; s++) {
		(void)printf("%s\"%s\":{\"found\":%u,\"ns\":[", s == 0 ? "{" : ",", sides[s].name,
			(uint32_t)(sides[s].n_found * UINT64_C(100) / N_ASKED));
		for (uint32_t i = 0; i < n_pairs; i++)
			(void)printf("%s%.2f", i == 0 ? "" : ",", ns[s][i]);
		(void)fputs("]}", stdout);
	}
	(void)puts("}");
}

static void side_of_names(
	struct side *s, const struct cls_catalogue *c, enum bench_kind kind, uint32_t n)
{
	char *end;

	(void)snprintf(s->name, sizeof(s->name), "%s_%u", kinds[kind], n);
	s->catalogue = c;
	s->text = end = room(N_ASKED, BENCH_NAME_MAX);
	s->ends = room(N_ASKED, sizeof(*s->ends));
	for (uint32_t i = 0; i < N_ASKED; i++) {
		end += bench_name(end, kind, i, n);
		s->ends[i] = (uint32_t)(end - s->text);
	}
}

static void run_hosts(uint32_t n_pairs, double seconds, uint32_t n)
{
	const uint32_t sizes[] = {FEW, n};
	struct side sides[2 * BENCH_KIND_COUNT] = {0};
	uint32_t n_sides = 0;

	for (uint32_t i = 0; i < 2; i++) {
		const struct cls_catalogue *c = catalogue_of(sizes[i], 0);

		for (enum bench_kind kind = 0; kind < BENCH_KIND_COUNT; kind++)
			side_of_names(&sides[n_sides++], c, kind, sizes[i]);
	}
	in_turns(sides, n_sides, n_pairs, seconds);
}

static void run_nets(uint32_t n_pairs, double seconds, uint32_t n)
{
	const uint32_t sizes[] = {FEW, n};
	struct side sides[2] = {0};

	for (uint32_t i = 0; i < 2; i++) {
		(void)snprintf(sides[i].name, sizeof(sides[i].name), "nets_%u", sizes[i]);
		sides[i].catalogue = catalogue_of(0, sizes[i]);
		sides[i].addrs = room(N_ASKED + 1, sizeof(*sides[i].addrs));
		for (uint32_t k = 0; k < N_ASKED; k++)
			sides[i].addrs[k] = bench_addr(k, sizes[i]);
	}
	in_turns(sides, 2, n_pairs, seconds);
}

/* --- building --------------------------------------------------------------------------------- */

/* A line of /proc/self/status, kB there, in MB. */
static double status_mb(const char *key)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	double mb = 0;

	if (f == NULL)
		give_up("/proc/self/status cannot be read");
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			mb = strtod(line + strlen(key) + 1, NULL) / 1024;
	(void)fclose(f); // it was only read
	return mb;
}

static void run_build(uint32_t n_hosts, uint32_t n_nets)
{
	struct defs *d = defs_new(n_hosts, n_nets);
	const double before_mb = status_mb("RssAnon");
	const double begin_ns = (double)cpu_ns();
	struct cls_catalogue *c = build(d);
	const double seconds = ((double)cpu_ns() - begin_ns) / 1e9;

	(void)printf("{\"seconds\":%.3f,\"grown_mb\":%.1f,\"peak_mb\":%.1f}\n", seconds,
		status_mb("RssAnon") - before_mb,
		status_mb("VmHWM") - status_mb("RssFile") - before_mb);
	cls_catalogue_free(c);
	defs_free(d);
}

/* --- files ------------------------------------------------------------------------------------ */

static FILE *file_new(const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	FILE *f = fopen(path, "we");

	if (f == NULL)
		give_up("a file cannot be made");
	return f;
}

static void file_end(FILE *f)
{
	if (ferror(f) != 0 || fclose(f) != 0)
		give_up("a file cannot be written");
}

/* Hosts begin to before end, one a line. */
static void make_list(const char *dir, const char *name, uint32_t begin, uint32_t end)
{
	FILE *f = file_new(dir, name);
	char host[BENCH_HOST_MAX];

	for (uint32_t i = begin; i < end; i++)
		(void)fprintf(f, "%.*s\n", (int)bench_host(host, i), host);
	file_end(f);
}

static void run_make(uint32_t n_hosts, uint32_t n_nets, const char *dir)
{
	FILE *f = file_new(dir, "apps.yaml");
	char name[32], addr[DP_ADDR_STRLEN];

	(void)fputs("apps:\n", f);
	for (uint32_t i = 0; i < N_FILES; i++) {
		(void)snprintf(name, sizeof(name), "hosts-%u.txt", i);
		make_list(dir, name, (uint32_t)(UINT64_C(1) * n_hosts * i / N_FILES),
			(uint32_t)(UINT64_C(1) * n_hosts * (i + 1) / N_FILES));
		(void)fprintf(f,
			"  - name: app-%u\n    category: web\n    hosts_file: %s\n    nets:\n", i,
			name);
		for (uint32_t k = i; k < n_nets; k += N_FILES) {
			const struct dp_prefix net = bench_net(k);

			(void)fprintf(f, "      - \"%s/%d\"\n", dp_addr_format(&net.addr, addr),
				net.len - (dp_addr_is_v4(&net.addr) ? 96 : 0));
		}
	}
	file_end(f);
}

/* VmHWM and not ru_maxrss, which begins with what the process had before exec(). */
static void run_load(const char *path)
{
	struct ctl_dict *app_ids = ctl_dict_new(DP_APP_FIRST, UINT32_MAX - 1);
	struct ctl_dict *tag_ids = ctl_dict_new(DP_TAG_NONE + 1, UINT16_MAX);
	struct ctl_mistakes *mistakes = ctl_mistakes_new();
	struct ctl_apps apps;
	const double begin_ns = (double)cpu_ns();

	if (ctl_apps_load(path, app_ids, tag_ids, mistakes, &apps) < 0)
		give_up("the catalogue cannot be read");
	(void)printf("{\"seconds\":%.3f,\"peak_mb\":%.1f,\"mb\":%.1f,\"hosts\":%zu,\"nets\":%zu}\n",
		((double)cpu_ns() - begin_ns) / 1e9, status_mb("VmHWM"), status_mb("VmRSS"),
		apps.n_hosts, apps.n_nets);
	ctl_apps_fini(&apps);
	ctl_mistakes_free(mistakes);
	ctl_dict_free(tag_ids);
	ctl_dict_free(app_ids);
}

static uint32_t number(const char *text)
{
	char *end;
	const unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n > UINT32_MAX / 4)
		give_up("expected a number");
	return (uint32_t)n;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 5 && (strcmp(what, "hosts") == 0 || strcmp(what, "nets") == 0)) {
		const uint32_t n_pairs = number(argv[2]);

		if (n_pairs == 0 || n_pairs > PAIRS_MAX)
			give_up("expected 1 to 100 pairs");
		(*what == 'h' ? run_hosts : run_nets)(
			n_pairs, strtod(argv[3], NULL), number(argv[4]));
	} else if (argc == 4 && strcmp(what, "build") == 0) {
		run_build(number(argv[2]), number(argv[3]));
	} else if (argc == 5 && strcmp(what, "make") == 0) {
		run_make(number(argv[2]), number(argv[3]), argv[4]);
	} else if (argc == 3 && strcmp(what, "load") == 0) {
		run_load(argv[2]);
	} else {
		(void)fputs("usage: catalogue hosts|nets PAIRS SECONDS N | build HOSTS NETS | "
			    "make HOSTS NETS DIR | load FILE\n",
			stderr);
		return 2;
	}
	return 0;
}
