// SPDX-License-Identifier: BSD-3-Clause

/* What it costs to read a capture: user and system CPU time a frame.
 *
 *   reader [--room BYTES] CAPTURE...
 *
 * source    frames in mbufs, their first bytes looked at, given back: all that a replay pays for reading
 * records   the records alone, as the mapped reader finds them
 * libpcap   the same, as libpcap reads them
 *
 * The median of five rounds in which the three take turns. --room: of an mbuf, with its headroom. */

#include "dataplane/capture.h"
#include "dataplane/eal.h"
#include "dataplane/source.h"

#include <fcntl.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROUNDS = 5, BURST = 32, N_MBUFS = 8191, POOL_CACHE = 256, LOOK_OFF = 12 };

static struct rte_mempool *pool;
static volatile uint64_t seen; // so that nothing is optimised away

static double cpu_ns(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u); // cannot fail for self
	return ((double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec) * 1e9 +
		((double)u.ru_utime.tv_usec + (double)u.ru_stime.tv_usec) * 1e3;
}

static void die(const char *text)
{
	fprintf(stderr, "reader: %s\n", text);
	exit(1);
}

static void look(struct rte_mbuf **mbufs, uint16_t n)
{
	uint64_t sum = 0;

	for (uint16_t i = 0; i < n; i++) {
		const struct dp_pkt *p = rte_mbuf_to_priv(mbufs[i]);

		sum += p->wire_bytes;
		if (mbufs[i]->data_len > LOOK_OFF)
			sum += rte_pktmbuf_mtod(mbufs[i], const uint8_t *)[LOOK_OFF];
	}
	seen += sum;
}

static uint64_t read_source(const char *path)
{
	struct rte_mbuf *mbufs[BURST];
	enum dp_poll r = DP_POLL_MORE;
	struct dp_source *s;
	struct dp_err err;
	uint64_t n_frames = 0;

	if (dp_source_file_open(&path, 1, pool, false, &s, &err) < 0)
		die(err.text);
	while (r == DP_POLL_MORE) {
		uint16_t n;

		r = s->ops->poll(s, mbufs, BURST, &n);
		look(mbufs, n);
		rte_pktmbuf_free_bulk(mbufs, n);
		n_frames += n;
	}
	if (r == DP_POLL_BROKEN)
		die(s->err.text);
	dp_source_close(s);
	return n_frames;
}

static uint64_t read_records(const char *path, bool is_mapped)
{
	static struct dp_capture_record records[BURST];
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct dp_capture *c;
	struct dp_err err;
	struct stat st;
	uint64_t n_frames = 0, sum = 0;
	int n;

	if (fd < 0 || fstat(fd, &st) != 0)
		die(path);
	if (is_mapped) {
		if (!dp_capture_open_pcap(fd, (uint64_t)st.st_size, &c))
			return 0;
		(void)close(fd);
	} else if (dp_capture_open_any(fd, path, &c, &err) < 0) {
		die(err.text);
	}
	for (;;) {
		n = c->ops->next(c, records, BURST, &err);
		if (n <= 0)
			break;
		for (int i = 0; i < n; i++)
			sum += records[i].cap_len > LOOK_OFF ? records[i].data[LOOK_OFF] : 0;
		n_frames += (uint64_t)n;
	}
	if (n < 0)
		die(err.text);
	seen += sum;
	c->ops->close(c);
	return n_frames;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void measure(const char *path)
{
	static const char *const names[] = {"source", "records", "libpcap"};
	double ns[3][ROUNDS];
	uint64_t n = 0;

	for (int round = 0; round < ROUNDS; round++) {
		for (int way = 0; way < 3; way++) {
			const double begin = cpu_ns();

			n = way == 0 ? read_source(path) : read_records(path, way == 1);
			ns[way][round] = n > 0 ? (cpu_ns() - begin) / (double)n : 0;
		}
	}
	printf("%s: %llu frames\n", path, (unsigned long long)n);
	for (int way = 0; way < 3; way++) {
		qsort(ns[way], ROUNDS, sizeof(ns[way][0]), compare);
		if (ns[way][ROUNDS / 2] > 0)
			printf("  %-8s %7.1f ns a frame (%.1f to %.1f)\n", names[way],
				ns[way][ROUNDS / 2], ns[way][0], ns[way][ROUNDS - 1]);
	}
}

int main(int argc, char **argv)
{
	unsigned long room = RTE_MBUF_DEFAULT_BUF_SIZE;
	struct dp_err err;
	int first = 1;

	if (argc > 2 && strcmp(argv[1], "--room") == 0) {
		room = strtoul(argv[2], NULL, 10);
		first = 3;
	}
	if (argc <= first || room < RTE_PKTMBUF_HEADROOM || room > UINT16_MAX) {
		fprintf(stderr, "usage: reader [--room BYTES] CAPTURE...\n");
		return 2;
	}
	if (dp_eal_start(&(struct dp_eal_config){.pool_bytes = 64 << 20}, &err) < 0)
		die(err.text);
	pool = rte_pktmbuf_pool_create("frames", N_MBUFS, POOL_CACHE,
		RTE_ALIGN_CEIL(sizeof(struct dp_pkt), RTE_MBUF_PRIV_ALIGN), (uint16_t)room,
		SOCKET_ID_ANY);
	if (pool == NULL)
		die("cannot get memory for frames");
	for (int i = first; i < argc; i++)
		measure(argv[i]);
	rte_mempool_free(pool);
	dp_eal_stop();
	return 0;
}
