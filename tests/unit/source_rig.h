// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Capture files read to their end, for the tests of dp_source_file_open(). Each call fails the
 * running cmocka test where something does not hold. */

#include "dataplane/source.h"
#include "tests/unit/capture.h"

enum { SOURCE_MBUFS = 63, SOURCE_BURST = 32, SOURCE_FRAMES_MAX = 128, SOURCE_S = 1000000000 };

extern struct rte_mempool *source_pool;
extern struct capture source_a, source_b; // two files; large, so not on a stack

/* What was read of a source. */
struct source_reading {
	enum dp_poll end;
	unsigned int n;
	uint64_t time_ns[SOURCE_FRAMES_MAX];
	uint32_t wire_bytes[SOURCE_FRAMES_MAX];
	uint32_t cap_len[SOURCE_FRAMES_MAX];
	uint8_t first_byte[SOURCE_FRAMES_MAX];
	enum dp_link link[SOURCE_FRAMES_MAX];
};

/* Of a group of tests, and of each one: every test gives all frames back. */
int source_start(void **);
int source_stop(void **);
int source_clear(void **);
int source_pool_is_full(void **);

#define TEST(name) cmocka_unit_test_setup_teardown(name, source_clear, source_pool_is_full)

/* To be closed with dp_source_close(). */
struct dp_source *source_open(const char *const *paths, size_t n, bool is_exact);

struct source_reading source_read_all(struct dp_source *s);

/* Opens, reads, and closes what stands in c. */
struct source_reading source_read_one(struct capture *c);
