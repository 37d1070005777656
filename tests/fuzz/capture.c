// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/capture.h"
#include "dataplane/eal.h"
#include "dataplane/source.h"

#include <fcntl.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { N_MBUFS = 255, BURST = 32 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rte_mempool *pool;
static struct dp_endpoint_nets nets;

int LLVMFuzzerInitialize(int *, char ***)
{
	struct dp_err err;

	if (dp_eal_start(&(struct dp_eal_config){.pool_bytes = 4 << 20}, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	dp_endpoint_nets_default(&nets);
	pool = rte_pktmbuf_pool_create("frames", N_MBUFS, 0,
		RTE_ALIGN_CEIL(sizeof(struct dp_pkt), RTE_MBUF_PRIV_ALIGN),
		RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (pool == NULL)
		abort();
	return 0;
}

static void check(bool is_true)
{
	if (!is_true)
		abort();
}

/* Read to the end, and describe every frame. */
static void read_all(struct dp_source *s)
{
	struct rte_mbuf *mbufs[BURST];
	enum dp_poll r = DP_POLL_MORE;
	uint64_t last_ns = 0, n_frames = 0;

	while (r == DP_POLL_MORE) {
		uint16_t n;

		r = s->ops->poll(s, mbufs, BURST, &n);
		for (uint16_t i = 0; i < n; i++) {
			struct dp_pkt *p = rte_mbuf_to_priv(mbufs[i]);

			check(p->time_ns >= last_ns && p->time_ns <= INT64_MAX);
			check(p->wire_bytes >= mbufs[i]->data_len);
			check(s->link < DP_LINK_COUNT);
			last_ns = p->time_ns;
			n_frames++;
			(void)dp_packet_parse(rte_pktmbuf_mtod(mbufs[i], const uint8_t *),
				mbufs[i]->data_len, p->wire_bytes, s->link, &nets, p);
			rte_pktmbuf_free(mbufs[i]);
		}
	}
	check(r != DP_POLL_BROKEN || s->err.text[0] != '\0');

	struct dp_source_stats st;

	s->ops->stats(s, &st);
	check(st.received == n_frames);
}

static void read_file(const char *path, bool is_exact)
{
	struct dp_source *s;
	struct dp_err err = {0};

	if (dp_source_file_open(&path, 1, pool, is_exact, &s, &err) == 0) {
		read_all(s);
		dp_source_close(s);
	} else {
		check(err.text[0] != '\0');
	}
	check(rte_mempool_avail_count(pool) == N_MBUFS);
}

static void check_same(const struct dp_capture_record *a, const struct dp_capture_record *b)
{
	check(a->time_ns == b->time_ns && a->link == b->link);
	check(a->cap_len == b->cap_len && a->wire_len == b->wire_len);
	check(memcmp(a->data, b->data, a->cap_len) == 0);
}

/* What is not left to libpcap is read as libpcap does. */
static void compare(const char *path, int fd, size_t size)
{
	struct dp_capture *ours, *theirs;
	struct dp_capture_record a[BURST], b;
	struct dp_err err;
	int n, r;

	if (dp_capture_open_pcap(fd, size, &ours) == 0)
		return;
	check(dp_capture_open_any(open(path, O_RDONLY | O_CLOEXEC), path, &theirs, &err) == 0);
	do {
		n = ours->ops->next(ours, a, BURST, &err);
		for (int i = 0; i < n; i++) {
			check(theirs->ops->next(theirs, &b, 1, &err) == 1);
			check_same(&a[i], &b);
		}
	} while (n > 0);
	r = theirs->ops->next(theirs, &b, 1, &err);
	check(r == n);
	ours->ops->close(ours);
	theirs->ops->close(theirs);
}

/* Any bytes as a capture file: each frame in a block of its own size, and as a replay reads it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	const int fd = memfd_create("capture", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_file(path, true);
	read_file(path, false);
	compare(path, fd, size);
	(void)close(fd);
	return 0;
}
