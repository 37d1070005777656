// SPDX-License-Identifier: BSD-3-Clause
#include "control/store.h"

#include "control/log.h"
#include "control/store_thread.h"
#include "control/utc.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CLOSE_NS (5ULL * 1000 * 1000 * 1000) // how long closing waits for the disk

uint64_t ctl_store_monotonic_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for this clock
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

bool ctl_store_wait(struct ctl_store *store, pthread_cond_t *cond, uint64_t deadline_ns)
{
	const struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000ULL),
		.tv_nsec = (long)(deadline_ns % 1000000000ULL)};

	return pthread_cond_timedwait(cond, &store->lock, &until) == 0;
}

static void init_locks(struct ctl_store *store)
{
	pthread_condattr_t attr;

	// None of these can fail with default attributes and a clock that exists.
	(void)pthread_rwlock_init(&store->db_lock, NULL);
	(void)pthread_mutex_init(&store->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&store->to_thread, &attr);
	(void)pthread_cond_init(&store->to_flush, &attr);
	(void)pthread_condattr_destroy(&attr);
}

static void free_store(struct ctl_store *store)
{
	g_queue_clear_full(&store->waiting, (GDestroyNotify)ctl_batch_free);
	ctl_db_close(&store->db);
	ctl_store_dir_close(&store->dir);
	if (store->fd >= 0)
		(void)close(store->fd);
	(void)pthread_cond_destroy(&store->to_flush);
	(void)pthread_cond_destroy(&store->to_thread);
	(void)pthread_mutex_destroy(&store->lock);
	(void)pthread_rwlock_destroy(&store->db_lock);
	g_free(store->node);
	g_free(store);
}

/* Signals are for the main thread. */
static int start_thread(struct ctl_store *store, struct dp_err *reterr)
{
	sigset_t all, before;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before); // cannot fail with these arguments
	r = pthread_create(&store->thread, NULL, ctl_store_thread, store);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r == 0 ? 0 : dp_fail(reterr, r, "cannot start the thread of the store: %m");
}

int ctl_store_open(
	const struct ctl_store_config *config, struct ctl_store **ret_store, struct dp_err *reterr)
{
	struct ctl_store *store = g_new0(struct ctl_store, 1);
	int r;

	assert(config->backlog_max > 0);
	store->node = g_strdup(config->node);
	store->tick_ns = config->tick_ns;
	store->size_max = store->size_wanted = config->size_max;
	store->backlog_max = config->backlog_max;
	store->backlog_bytes_max = config->backlog_bytes_max;
	store->dir.lock_fd = -1;
	g_queue_init(&store->waiting);
	init_locks(store);
	store->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (store->fd < 0) {
		r = dp_fail(reterr, errno, "cannot open the store '%s': %m", config->path);
		goto fail;
	}
	r = ctl_store_dir_open(config->path, &store->dir, reterr);
	if (r == 0)
		r = ctl_store_open_file(store, reterr);
	if (r == 0)
		r = start_thread(store, reterr);
	if (r < 0)
		goto fail;
	*ret_store = store;
	return 0;
fail:
	free_store(store);
	return r;
}

void ctl_store_close(struct ctl_store *store)
{
	if (store == NULL)
		return;
	if (!ctl_store_flush(store, CLOSE_NS))
		ctl_log(CTL_LOG_ERR, "store_unfinished", CTL_TEXT("path", store->dir.path),
			CTL_COUNT("ticks", g_queue_get_length(&store->waiting)),
			CTL_TEXT("consequence",
				"what these ticks changed is missing after the next start"));
	(void)pthread_mutex_lock(&store->lock);
	store->stop = true;
	(void)pthread_cond_signal(&store->to_thread);
	(void)pthread_mutex_unlock(&store->lock);
	(void)pthread_join(store->thread, NULL); // it is ours and joinable
	free_store(store);
}

bool ctl_store_is_new(const struct ctl_store *store)
{
	return store->is_new;
}

bool ctl_store_was_unused(const struct ctl_store *store)
{
	return store->generation == 1;
}

bool ctl_store_has_room(const struct ctl_store *store)
{
	struct ctl_store *s = (struct ctl_store *)store; // for its lock
	bool has_room;

	(void)pthread_mutex_lock(&s->lock);
	has_room = g_queue_get_length(&s->waiting) < s->backlog_max &&
		s->waiting_bytes < s->backlog_bytes_max;
	(void)pthread_mutex_unlock(&s->lock);
	return has_room;
}

void ctl_store_give(struct ctl_store *store, struct ctl_batch *given)
{
	(void)pthread_mutex_lock(&store->lock);
	assert(ctl_batch_serial(given) == store->given + 1);
	store->given = ctl_batch_serial(given);
	store->waiting_bytes += ctl_batch_bytes(given);
	g_queue_push_tail(&store->waiting, given);
	(void)pthread_cond_signal(&store->to_thread);
	(void)pthread_mutex_unlock(&store->lock);
}

void ctl_store_grow(struct ctl_store *store, uint64_t size_max)
{
	(void)pthread_mutex_lock(&store->lock);
	store->size_wanted = MAX(store->size_wanted, size_max);
	(void)pthread_cond_signal(&store->to_thread);
	(void)pthread_mutex_unlock(&store->lock);
}

uint64_t ctl_store_committed(const struct ctl_store *store)
{
	return atomic_load_explicit(&store->committed, memory_order_acquire);
}

uint64_t ctl_store_watermark(const struct ctl_store *store)
{
	return atomic_load_explicit(&store->watermark_ns, memory_order_relaxed);
}

int ctl_store_fd(const struct ctl_store *store)
{
	return store->fd;
}

void ctl_store_heard(struct ctl_store *store)
{
	uint64_t n;

	(void)!read(store->fd, &n, sizeof(n)); // EAGAIN: heard already
}

bool ctl_store_flush(struct ctl_store *store, uint64_t timeout_ns)
{
	const uint64_t deadline_ns = ctl_store_monotonic_ns() + timeout_ns;
	bool is_done, in_time = true;

	(void)pthread_mutex_lock(&store->lock);
	for (;;) {
		is_done = g_queue_is_empty(&store->waiting);
		if (is_done || !in_time)
			break;
		in_time = ctl_store_wait(store, &store->to_flush, deadline_ns);
	}
	(void)pthread_mutex_unlock(&store->lock);
	return is_done;
}

void ctl_store_stats(const struct ctl_store *store, struct ctl_store_stats *ret_stats)
{
	struct ctl_store *s = (struct ctl_store *)store; // for its lock
	struct stat st;

	(void)pthread_mutex_lock(&s->lock);
	*ret_stats = s->stats;
	ret_stats->n_waiting = g_queue_get_length(&s->waiting);
	ret_stats->waiting_bytes = s->waiting_bytes;
	ret_stats->size_max = s->size_wanted;
	(void)pthread_mutex_unlock(&s->lock);
	ret_stats->file_bytes = stat(store->dir.file, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static json_t *time_json(uint64_t t_ns)
{
	char utc[CTL_UTC_MAX];

	if (t_ns == 0)
		return json_null();
	ctl_utc_format(t_ns, utc);
	return json_string(utc);
}

json_t *ctl_store_json(const struct ctl_store *store)
{
	struct ctl_store_stats stats;
	bool is_failing;

	ctl_store_stats(store, &stats);
	is_failing = stats.failing_since_ns != 0;
	return json_pack("{s:s, s:o, s:s*, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:o}",
		"state", is_failing ? "failing" : "ok", //
		"since", time_json(stats.failing_since_ns), //
		"cause", is_failing ? stats.cause : NULL, //
		"file_bytes", (json_int_t)stats.file_bytes, //
		"used_bytes", (json_int_t)stats.used_bytes, //
		"size_max", (json_int_t)stats.size_max, //
		"waiting", (json_int_t)stats.n_waiting, //
		"waiting_bytes", (json_int_t)stats.waiting_bytes, //
		"committed", (json_int_t)stats.n_committed, //
		"failed", (json_int_t)stats.n_failed, //
		"commit_ms", (double)stats.commit_ns_last / 1e6, //
		"commit_ms_max", (double)stats.commit_ns_max / 1e6, //
		"watermark", time_json(stats.watermark_ns));
}
