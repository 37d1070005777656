// SPDX-License-Identifier: BSD-3-Clause
#include "control/share.h"

#include <glib.h>

enum { THREADS_MAX = 64, SHARE_MIN = 1024 }; // fewer items are not worth a thread

struct share {
	ctl_share_fn *fn;
	void *ctx;
	size_t begin, end;
	GThread *thread; // NULL: the caller does it
};

static gpointer work(gpointer arg)
{
	const struct share *share = arg;

	share->fn(share->ctx, share->begin, share->end);
	return NULL;
}

void ctl_share(unsigned n_threads, size_t n_items, ctl_share_fn *fn, void *ctx)
{
	const size_t n_most = MAX(MIN(n_threads, (unsigned)THREADS_MAX), 1U);
	const size_t n = MIN(n_most, n_items / SHARE_MIN + 1);
	struct share shares[THREADS_MAX];

	for (size_t i = 0; i < n; i++) {
		shares[i] = (struct share){
			.fn = fn,
			.ctx = ctx,
			.begin = n_items * i / n,
			.end = n_items * (i + 1) / n,
		};
		if (i > 0)
			shares[i].thread = g_thread_try_new("share", work, &shares[i], NULL);
	}
	for (size_t i = 0; i < n; i++)
		if (shares[i].thread == NULL)
			(void)work(&shares[i]);
	for (size_t i = 0; i < n; i++)
		if (shares[i].thread != NULL)
			(void)g_thread_join(shares[i].thread);
}
