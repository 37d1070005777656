// SPDX-License-Identifier: BSD-3-Clause
#include "control/engine_read.h"
#include "control/engine_store.h"

#include <errno.h>

enum { THREADS_MAX = 64 };

/* One thread's reading. */
struct reader {
	struct ctl_engine *engine;
	struct ctl_seal *seal; // owned
	struct ctl_reading *reading; // of all
	char *naming;
	struct dp_err err;
};

static int on_meta(void *ctx, uint64_t, const void *value, size_t len)
{
	struct reader *r = ctx;

	return ctl_engine_read_meta(r->engine, value, len, &r->naming, &r->err);
}

static int on_image(void *ctx, uint64_t id, const void *value, size_t len)
{
	struct reader *r = ctx;

	return ctl_engine_read_image(r->engine, id, value, len, r->seal, r->reading, &r->err);
}

static int on_tick_ids(void *ctx, uint64_t, const void *value, size_t len)
{
	struct reader *r = ctx;

	return ctl_engine_read_ids(r->engine, value, len, r->reading, &r->err);
}

static int on_tick(void *ctx, uint64_t end_ns, const void *value, size_t len)
{
	struct reader *r = ctx;

	return ctl_engine_read_tick(r->engine, end_ns, value, len, r->seal, r->reading, &r->err);
}

/* The sentence of whoever failed: a reader, or else the store, which wrote reterr. */
static int blame(int r, const struct reader *readers, unsigned n_readers, struct dp_err *reterr)
{
	for (unsigned i = 0; r < 0 && i < n_readers; i++) {
		if (readers[i].err.text[0] == '\0')
			continue;
		*reterr = readers[i].err;
		break;
	}
	return r;
}

static int read_images(const struct reader *model, struct ctl_store *store, unsigned n_threads,
	struct dp_err *reterr)
{
	struct reader readers[THREADS_MAX];
	void *ctxs[THREADS_MAX];
	int r;

	n_threads = CLAMP(n_threads, 1, THREADS_MAX);
	for (unsigned i = 0; i < n_threads; i++) {
		readers[i] = *model;
		readers[i].seal = ctl_seal_clone(model->seal);
		ctxs[i] = &readers[i];
	}
	r = ctl_store_read_parallel(store, CTL_TABLE_PROFILES, n_threads, on_image, ctxs, reterr);
	r = blame(r, readers, n_threads, reterr);
	for (unsigned i = 0; i < n_threads; i++)
		ctl_seal_free(readers[i].seal);
	return r;
}

static int read_all(
	struct reader *reader, struct ctl_store *store, unsigned n_threads, struct dp_err *reterr)
{
	struct ctl_engine *engine = reader->engine;
	int r = ctl_store_get(store, CTL_TABLE_META, CTL_META_ENGINE, on_meta, reader, reterr);

	r = blame(r, reader, 1, reterr);
	if (r < 0)
		return r;
	g_ptr_array_set_size(engine->by_id, (gint)engine->n_profiles);
	reader->reading->as_of_ns = g_new0(uint64_t, engine->n_profiles + 1);
	r = ctl_store_read(store, CTL_TABLE_JOURNAL, 0, on_tick_ids, reader, reterr);
	if (r == 0)
		r = read_images(reader, store, n_threads, reterr);
	if (r == 0)
		r = ctl_store_read(store, CTL_TABLE_JOURNAL, 0, on_tick, reader, reterr);
	r = blame(r, reader, 1, reterr);
	return r < 0 ? r : ctl_engine_read_end(engine, reader->reading, reterr);
}

int ctl_engine_restore(struct ctl_engine *engine, struct ctl_store *store, struct ctl_seal *seal,
	unsigned n_threads, uint64_t *ret_watermark_ns, struct dp_err *reterr)
{
	struct ctl_reading reading = {0};
	struct reader reader = {.engine = engine, .seal = seal, .reading = &reading};
	struct dp_err err = {0};
	int r = read_all(&reader, store, n_threads, &err);

	if (r == 0) {
		ctl_engine_bind(engine, n_threads,
			g_strcmp0(reader.naming, engine->naming) != 0 ? CTL_BIND_RENAMED : 0);
	}
	*ret_watermark_ns = engine->now_ns;
	ctl_idset_fini(&reading.changed);
	g_free(reading.as_of_ns);
	g_free(reader.naming);
	if (r == -ENOENT)
		return 0;
	if (r < 0 && reterr != NULL)
		*reterr = err;
	return r;
}
