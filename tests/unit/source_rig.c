// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/source_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/eal.h"

#include <rte_mbuf.h>

struct rte_mempool *source_pool;
struct capture source_a, source_b;

int source_start(void **)
{
	struct dp_err err = {0};

	if (dp_eal_start(&(struct dp_eal_config){.pool_bytes = 4 << 20}, &err) < 0) {
		print_error("%s\n", err.text);
		return -1;
	}
	source_pool = rte_pktmbuf_pool_create("frames", SOURCE_MBUFS, 0,
		RTE_ALIGN_CEIL(sizeof(struct dp_pkt), RTE_MBUF_PRIV_ALIGN),
		RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	return source_pool != NULL ? 0 : -1;
}

int source_stop(void **)
{
	rte_mempool_free(source_pool);
	dp_eal_stop();
	return 0;
}

int source_clear(void **)
{
	memset(&source_a, 0, sizeof(source_a));
	memset(&source_b, 0, sizeof(source_b));
	return 0;
}

int source_pool_is_full(void **)
{
	assert_int_equal(rte_mempool_avail_count(source_pool), SOURCE_MBUFS);
	return 0;
}

struct dp_source *source_open(const char *const *paths, size_t n, bool is_exact)
{
	struct dp_source *s = NULL;
	struct dp_err err = {0};

	if (dp_source_file_open(paths, n, source_pool, is_exact, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

struct source_reading source_read_all(struct dp_source *s)
{
	struct source_reading r = {.end = DP_POLL_MORE};
	struct rte_mbuf *mbufs[SOURCE_BURST];

	while (r.end == DP_POLL_MORE) {
		uint16_t n;

		r.end = s->ops->poll(s, mbufs, SOURCE_BURST, &n);
		for (uint16_t i = 0; i < n; i++, r.n++) {
			const struct dp_pkt *p = rte_mbuf_to_priv(mbufs[i]);

			assert_true(r.n < SOURCE_FRAMES_MAX);
			r.time_ns[r.n] = p->time_ns;
			r.wire_bytes[r.n] = p->wire_bytes;
			r.cap_len[r.n] = mbufs[i]->data_len;
			r.link[r.n] = s->link;
			if (mbufs[i]->data_len > 0)
				r.first_byte[r.n] = *rte_pktmbuf_mtod(mbufs[i], uint8_t *);
			rte_pktmbuf_free(mbufs[i]);
		}
	}
	return r;
}

struct source_reading source_read_one(struct capture *c)
{
	const char *const path = capture_file(c);

	assert_non_null(path);

	struct dp_source *s = source_open(&path, 1, false);
	const struct source_reading r = source_read_all(s);

	dp_source_close(s);
	capture_close(c);
	return r;
}
