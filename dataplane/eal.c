// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/eal.h"

#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum {
	ARGS_MAX = 256,
	BASE_MB = 64, // EAL's own needs, rings and mempool headers
};

struct args {
	char *v[ARGS_MAX];
	int n;
	bool failed;
};

static struct {
	struct args args; // the EAL keeps pointers into them
	char log[16384]; // what was printed since the start, as far as it fits
	size_t log_len;
	FILE *log_stream;
	bool is_up;
	bool shares_cpus;
	bool devices_copy;
} eal;

[[gnu::format(printf, 2, 3)]] static void add(struct args *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (a->n == ARGS_MAX - 1 || vasprintf(&a->v[a->n], fmt, ap) < 0)
		a->failed = true;
	else
		a->n++;
	va_end(ap);
}

static void args_free(struct args *a)
{
	for (int i = 0; i < a->n; i++)
		free(a->v[i]);
	*a = (struct args){0};
}

static size_t free_hugepages(const char *path)
{
	FILE *f = fopen(path, "re");
	size_t n = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%zu", &n) != 1)
		n = 0;
	(void)fclose(f);
	return n;
}

/* Of both sizes: a host set up for DPDK often has those of 1 GB alone. */
static size_t free_hugepage_mb(void)
{
	return 2 * free_hugepages("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") +
		1024 *
		free_hugepages("/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages");
}

/* The CPUs this process may use. */
static unsigned int allowed_cpus(int cpus[CPU_SETSIZE])
{
	cpu_set_t set;
	unsigned int n = 0;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 0;
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &set))
			cpus[n++] = i;
	}
	return n;
}

static bool is_chosen_by_user(const struct dp_eal_config *config, unsigned int lcore)
{
	return config->cpus != NULL && config->cpus[lcore][0] != '\0';
}

/* The CPUs that are left for lcores without a choice: those that the user gave to no other, or all
 * where none is left. */
static unsigned int free_cpus(const struct dp_eal_config *config, int cpus[CPU_SETSIZE])
{
	const unsigned int n_allowed = allowed_cpus(cpus);
	unsigned int n = 0;

	for (unsigned int i = 0; i < n_allowed; i++) {
		bool is_taken = false;

		for (unsigned int lcore = 0; lcore <= config->n_lcores && !is_taken; lcore++)
			is_taken = is_chosen_by_user(config, lcore) &&
				atoi(config->cpus[lcore]) == cpus[i];
		if (!is_taken)
			cpus[n++] = cpus[i];
	}
	return n > 0 ? n : allowed_cpus(cpus);
}

/* Those without a choice are dealt out over the CPUs that are left, main last so that it has one to itself
 * where there are enough. */
void dp_eal_cpu(
	const struct dp_eal_config *config, unsigned int lcore, char ret_cpu[DP_EAL_CPU_MAX])
{
	int cpus[CPU_SETSIZE];
	const unsigned int n_cpus = free_cpus(config, cpus);
	unsigned int turn = 0;

	if (is_chosen_by_user(config, lcore)) {
		(void)snprintf(ret_cpu, DP_EAL_CPU_MAX, "%s", config->cpus[lcore]);
		return;
	}
	for (unsigned int i = 1; i < (lcore == 0 ? config->n_lcores + 1 : lcore); i++)
		turn += !is_chosen_by_user(config, i);
	(void)snprintf(ret_cpu, DP_EAL_CPU_MAX, "%d", n_cpus > 0 ? cpus[turn % n_cpus] : 0);
}

/* "0@1,1@2": lcore 0 is main. */
static void add_lcores(struct args *a, const struct dp_eal_config *config)
{
	char text[4096], cpu[DP_EAL_CPU_MAX];
	size_t len = 0;

	for (unsigned int i = 0; i <= config->n_lcores && len < sizeof(text); i++) {
		dp_eal_cpu(config, i, cpu);
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%s%u@%s", i > 0 ? "," : "", i, cpu);
	}
	if (len >= sizeof(text))
		a->failed = true;
	add(a, "--lcores=%s", text);
}

static bool is_pci(const char *device)
{
	unsigned int domain, bus, dev, function;
	int end = 0;

	// "0000:3b:00.0" or "3b:00.0", perhaps followed by driver arguments
	if (sscanf(device, "%x:%x:%x.%x%n", &domain, &bus, &dev, &function, &end) == 4 && end > 0)
		return true;
	end = 0;
	return sscanf(device, "%x:%x.%x%n", &bus, &dev, &function, &end) == 3 && end > 0;
}

static bool copies(const char *device)
{
	static const char *const drivers[] = {"net_pcap", "net_af_packet", "net_tap", "net_null"};

	for (size_t i = 0; i < RTE_DIM(drivers); i++) {
		if (strncmp(device, drivers[i], strlen(drivers[i])) == 0)
			return true;
	}
	return false;
}

static bool devices_copy(const struct dp_eal_config *config)
{
	size_t i = 0;

	while (config->devices != NULL && config->devices[i] != NULL && copies(config->devices[i]))
		i++;
	return (config->devices == NULL || config->devices[i] == NULL) &&
		(config->extra == NULL || config->extra[0] == NULL); // which may name others
}

static void build(struct args *a, const struct dp_eal_config *config)
{
	const size_t need_mb = BASE_MB + config->pool_bytes / (1024 * 1024);
	bool has_pci = false;

	add(a, "wirecue");
	add_lcores(a, config);
	if (free_hugepage_mb() >= need_mb + need_mb / 4) {
		add(a, "--in-memory");
	} else {
		add(a, "--no-huge");
		add(a, "--no-shconf");
		// A pool lets no element cross the border of two pages, and of 4 KB pages each holds
		// one mbuf of 2.5 KB. Addresses only: what is not used is never had.
		add(a, "-m");
		add(a, "%zu", 2 * need_mb);
	}
	add(a, "--no-telemetry");
	add(a, "--iova-mode=va");
	add(a, "--log-level=lib.*:error");
	add(a, "--log-level=pmd.*:warning");
	for (size_t i = 0; config->devices != NULL && config->devices[i] != NULL; i++) {
		const bool pci = is_pci(config->devices[i]);

		has_pci |= pci;
		add(a, pci ? "-a" : "--vdev");
		add(a, "%s", config->devices[i]);
	}
	if (!has_pci)
		add(a, "--no-pci");
	for (size_t i = 0; config->extra != NULL && config->extra[i] != NULL; i++)
		add(a, "%s", config->extra[i]);
}

char *dp_eal_describe(const struct dp_eal_config *config)
{
	struct args a = {0};
	char *text = NULL;
	size_t len = 0;

	build(&a, config);

	FILE *f = open_memstream(&text, &len);

	if (f != NULL) {
		for (int i = 1; i < a.n; i++)
			(void)fprintf(f, "%s%s", i > 1 ? " " : "", a.v[i]);
		(void)fclose(f);
	}
	args_free(&a);
	return text;
}

/* Keep what is said while ports are opened. Drivers go on talking for as long as the process lives;
 * that is not for the operator and is let go. Called with the stream's lock. */
static ssize_t log_write(void *, const char *text, size_t len)
{
	const size_t room = sizeof(eal.log) - 1 - eal.log_len;
	const size_t n = len < room ? len : room;

	memcpy(eal.log + eal.log_len, text, n);
	eal.log_len += n;
	eal.log[eal.log_len] = '\0';
	return (ssize_t)len;
}

/* All that was printed so far. */
static const char *said(void)
{
	if (eal.log_stream != NULL)
		(void)fflush(eal.log_stream);
	return eal.log;
}

/* One line without its speaker: "open_iface_live(): Couldn't …", "EAL: Cannot …". */
static void copy_line(const char *line, char *ret_text, size_t size)
{
	const size_t speaker = strcspn(line, " \n");

	if (speaker >= 3 && strncmp(line + speaker - 3, "():", 3) == 0)
		line += speaker + strspn(line + speaker, " ");
	else if (strncmp(line, "EAL: ", 5) == 0)
		line += 5;
	(void)snprintf(ret_text, size, "%.*s", (int)strcspn(line, "\n"), line);
}

/* The last line, which is what stopped it. */
static void last_words(char *ret_text, size_t size)
{
	const char *line = said(), *next = line;

	while ((next = strchr(next, '\n')) != NULL && *++next != '\0')
		line = next;
	copy_line(line, ret_text, size);
}

void dp_eal_refusal(const char *name, char *ret_text, size_t size)
{
	const char *begin = said(), *line = begin;

	ret_text[0] = '\0';
	while (*line != '\0') {
		char text[256], refused[128];
		const char *end = line + strcspn(line, "\n");

		copy_line(line, text, sizeof(text));
		(void)snprintf(refused, sizeof(refused), "failed to initialize %s device", name);
		if (strcmp(text, refused) == 0) {
			if (line != begin)
				copy_line(begin, ret_text, size);
			return;
		}
		line = end + (*end == '\n');
		if (strncmp(text, "failed to initialize ", 21) == 0)
			begin = line; // what follows is about the next device
	}
}

size_t dp_eal_mark(void)
{
	return strlen(said());
}

void dp_eal_said_since(size_t mark, char *ret_text, size_t size)
{
	copy_line(said() + mark, ret_text, size);
}

static bool cpus_are_shared(void)
{
	rte_cpuset_t seen, both;
	unsigned int lcore;

	CPU_ZERO(&seen);
	RTE_LCORE_FOREACH(lcore)
	{
		const rte_cpuset_t set = rte_lcore_cpuset(lcore);

		CPU_AND(&both, &seen, &set);
		if (CPU_COUNT(&both) > 0)
			return true;
		CPU_OR(&seen, &seen, &set);
	}
	return false;
}

/* The EAL and drivers' libraries print alarms and usage past the log stream. They are heard, not
 * shown: whoever calls says one sentence. (Both are variables: glibc, "Standard Streams".) */
static int init(const struct args *args)
{
	FILE *const out = stdout, *const err = stderr;
	char *argv[ARGS_MAX];
	int r;

	// The EAL permutes the vector it is given; ours stays as it was for freeing.
	memcpy(argv, args->v, sizeof(argv));
	if (eal.log_stream != NULL)
		stdout = stderr = eal.log_stream;
	r = rte_eal_init(args->n, argv);
	stdout = out;
	stderr = err;
	return r;
}

/* The first CPU that was asked for and cannot be had, or NULL: the EAL would only say that its
 * arguments are wrong. */
static const char *missing_cpu(const struct dp_eal_config *config)
{
	int cpus[CPU_SETSIZE];
	const unsigned int n = allowed_cpus(cpus);

	for (size_t i = 0; config->cpus != NULL && config->cpus[i] != NULL; i++) {
		const long cpu = strtol(config->cpus[i], NULL, 10);
		unsigned int at = 0;

		while (at < n && cpus[at] != cpu)
			at++;
		if (at == n)
			return config->cpus[i];
	}
	return NULL;
}

int dp_eal_start(const struct dp_eal_config *config, struct dp_err *reterr)
{
	const char *cpu = missing_cpu(config);

	if (cpu != NULL)
		return dp_fail(reterr, EINVAL,
			"CPU %s is not there, or this process may not use it; see cpus: of ports and "
			"workers",
			cpu);
	build(&eal.args, config);
	if (eal.args.failed)
		return dp_fail(
			reterr, E2BIG, "cannot start DPDK: more than %d EAL arguments", ARGS_MAX);
	eal.log_stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = log_write});
	if (eal.log_stream != NULL)
		(void)rte_openlog_stream(eal.log_stream);
	if (init(&eal.args) < 0) {
		const int e = rte_errno != 0 ? rte_errno : EIO;
		char *line = dp_eal_describe(config);
		char words[200];

		last_words(words, sizeof(words));
		(void)dp_fail(reterr, e, "cannot start DPDK: %s (%m); arguments were: %s",
			words[0] != '\0' ? words : "it gave no reason", line != NULL ? line : "?");
		free(line);
		return -e;
	}
	eal.is_up = true;
	eal.shares_cpus = cpus_are_shared();
	eal.devices_copy = devices_copy(config);
	return 0;
}

bool dp_eal_shares_cpus(void)
{
	return eal.shares_cpus;
}

bool dp_eal_devices_copy(void)
{
	return eal.devices_copy;
}

void dp_eal_stop(void)
{
	if (eal.is_up)
		(void)rte_eal_cleanup(); // the process ends next
	eal.is_up = false;
	(void)rte_openlog_stream(NULL);
	if (eal.log_stream != NULL)
		(void)fclose(eal.log_stream);
	args_free(&eal.args);
	eal.log_stream = NULL;
}
