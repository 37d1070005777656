// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What becomes durable together: all of a batch, or nothing of it.
 *
 * Made by the control thread, one a tick, given to the store (store.h), which applies its
 * operations in the order they were added. Keys are numbers and tables are ordered by them. One
 * owner at a time. */

#include <stddef.h>
#include <stdint.h>

/* The tables of the store. The numbers are part of the format. */
enum ctl_table {
	CTL_TABLE_META, // enum ctl_meta
	CTL_TABLE_JOURNAL, // by tick: what it changed (engine_store.h)
	CTL_TABLE_PROFILES, // by profile id: image (profile_image.h)
	CTL_TABLE_OUTBOX, // by number: a trigger on its way, or kept behind it (outbox.h)
	CTL_TABLE_APPS, // by id: name
	CTL_TABLE_TAGS, // by id: name
	CTL_TABLE_GAPS, // by begin, ns of event time: what was not seen (gaps.h)
	CTL_TABLE_COUNT,
};
extern const char *const ctl_table_names[]; // "meta" ..., NULL-terminated

/* Keys of CTL_TABLE_META. */
enum ctl_meta {
	CTL_META_FORMAT, // by the store itself: version, node, tick length, when it was made
	CTL_META_ENGINE, // engine_store.h: state of the whole node, as of the last tick
	CTL_META_OUTBOX, // outbox.h: numbers given last
	CTL_META_COMMITTED, // by the store itself, with each commit: what is in it
	CTL_META_ROT, // rot_image.h: what the rot alarm remembers, once an hour
};

enum ctl_op_kind {
	CTL_OP_PUT,
	CTL_OP_DELETE, // the key, which need not be there
	CTL_OP_CUT, // every key up to and with this one
};

struct ctl_op {
	enum ctl_op_kind kind;
	enum ctl_table table;
	uint64_t key;
	const void *value; // in the batch, until its next change
	size_t len;
};

struct ctl_batch;

enum { CTL_BATCH_VALUE_MAX = 1 << 30 }; // bytes of one value; more is our mistake

/* serial: 1.. in the order they are given to the store; watermark_ns: event time everything before
 * which is in it. */
struct ctl_batch *ctl_batch_new(uint64_t serial, uint64_t watermark_ns);
void ctl_batch_free(struct ctl_batch *batch); // NULL is fine

/* value is copied. */
void ctl_batch_put(
	struct ctl_batch *batch, enum ctl_table table, uint64_t key, const void *value, size_t len);
void ctl_batch_delete(struct ctl_batch *batch, enum ctl_table table, uint64_t key);
void ctl_batch_cut(struct ctl_batch *batch, enum ctl_table table, uint64_t key);

uint64_t ctl_batch_serial(const struct ctl_batch *batch);
uint64_t ctl_batch_watermark(const struct ctl_batch *batch);
size_t ctl_batch_bytes(const struct ctl_batch *batch); // of keys and values
size_t ctl_batch_n_ops(const struct ctl_batch *batch);
struct ctl_op ctl_batch_op(const struct ctl_batch *batch, size_t i);
