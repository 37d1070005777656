// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The inside of a store, for control/store*.c only: what waits, and the thread that commits it. */

#include "control/store.h"
#include "control/store_db.h"
#include "control/store_dir.h"

#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>

struct ctl_store {
	char *node;
	uint64_t tick_ns;
	uint64_t size_max; // the thread's, once it runs
	size_t backlog_max, backlog_bytes_max;
	struct ctl_store_dir dir;
	bool is_new;
	bool is_trimmed; // false: an earlier process has left a cut half done
	uint64_t generation; // ours; tells our serials from those of earlier processes

	pthread_rwlock_t
		db_lock; // held for reading while db is used, for writing while it is reopened
	struct ctl_db db;

	pthread_t thread;
	bool is_filling; // the thread's: it has been told
	uint64_t readers_ns; // the thread's: when dead readers were looked for
	int fd; // eventfd
	_Atomic uint64_t committed; // the thread writes, any reads
	_Atomic uint64_t watermark_ns; // of that, or of an earlier process; likewise

	pthread_mutex_t lock; // all below
	pthread_cond_t to_thread, to_flush; // CLOCK_MONOTONIC
	bool stop;
	uint64_t size_wanted; // what control wants size_max to be
	GQueue waiting; // owned struct ctl_batch, oldest first; control adds, the thread removes
	size_t waiting_bytes;
	uint64_t given; // serial of the last one
	struct ctl_store_stats stats; // but for what ctl_store_stats() counts itself
};

/* Opens the file, makes it, sets it aside; fills dir, db, is_new, generation. */
[[nodiscard]] int ctl_store_open_file(struct ctl_store *store, struct dp_err *reterr);

/* Body of the thread: until store->stop. arg: the store. */
void *ctl_store_thread(void *arg);

uint64_t ctl_store_monotonic_ns(void);

/* Until deadline_ns of ctl_store_monotonic_ns(). lock is held. False when it has passed. */
bool ctl_store_wait(struct ctl_store *store, pthread_cond_t *cond, uint64_t deadline_ns);
