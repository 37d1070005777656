// SPDX-License-Identifier: BSD-3-Clause
#include "control/batch.h"

#include <assert.h>
#include <glib.h>
#include <string.h>

enum { OPS_FIRST = 64, DATA_FIRST = 4096, KEY_LEN = 8 };

const char *const ctl_table_names[] = {
	[CTL_TABLE_META] = "meta",
	[CTL_TABLE_JOURNAL] = "journal",
	[CTL_TABLE_PROFILES] = "profiles",
	[CTL_TABLE_OUTBOX] = "outbox",
	[CTL_TABLE_APPS] = "apps",
	[CTL_TABLE_TAGS] = "tags",
	[CTL_TABLE_GAPS] = "gaps",
	[CTL_TABLE_COUNT] = NULL,
};

/* 24 bytes: a tick has tens of thousands of them. */
struct entry {
	uint64_t key;
	size_t off; // of the value in data
	uint32_t len;
	uint8_t kind, table;
};

struct ctl_batch {
	uint64_t serial, watermark_ns;
	struct entry *ops;
	size_t n_ops, n_ops_max;
	uint8_t *data; // values, one behind the other
	size_t len, size;
};

struct ctl_batch *ctl_batch_new(uint64_t serial, uint64_t watermark_ns)
{
	struct ctl_batch *batch = g_new0(struct ctl_batch, 1);

	batch->serial = serial;
	batch->watermark_ns = watermark_ns;
	return batch;
}

void ctl_batch_free(struct ctl_batch *batch)
{
	if (batch == NULL)
		return;
	g_free(batch->ops);
	g_free(batch->data);
	g_free(batch);
}

static struct entry *add(
	struct ctl_batch *batch, enum ctl_op_kind kind, enum ctl_table table, uint64_t key)
{
	struct entry *op;

	assert(table < CTL_TABLE_COUNT);
	if (batch->n_ops == batch->n_ops_max) {
		batch->n_ops_max = MAX(batch->n_ops_max * 2, (size_t)OPS_FIRST);
		batch->ops = g_renew(struct entry, batch->ops, batch->n_ops_max);
	}
	op = &batch->ops[batch->n_ops++];
	*op = (struct entry){.key = key, .kind = (uint8_t)kind, .table = (uint8_t)table};
	return op;
}

void ctl_batch_put(
	struct ctl_batch *batch, enum ctl_table table, uint64_t key, const void *value, size_t len)
{
	struct entry *op = add(batch, CTL_OP_PUT, table, key);

	assert(len <= CTL_BATCH_VALUE_MAX);
	if (batch->size - batch->len < len) {
		batch->size = MAX(MAX(batch->size * 2, batch->len + len), (size_t)DATA_FIRST);
		batch->data = g_realloc(batch->data, batch->size);
	}
	op->off = batch->len;
	op->len = (uint32_t)len;
	if (len > 0) // an empty value may come as NULL
		memcpy(batch->data + batch->len, value, len);
	batch->len += len;
}

void ctl_batch_delete(struct ctl_batch *batch, enum ctl_table table, uint64_t key)
{
	(void)add(batch, CTL_OP_DELETE, table, key);
}

void ctl_batch_cut(struct ctl_batch *batch, enum ctl_table table, uint64_t key)
{
	(void)add(batch, CTL_OP_CUT, table, key);
}

uint64_t ctl_batch_serial(const struct ctl_batch *batch)
{
	return batch->serial;
}

uint64_t ctl_batch_watermark(const struct ctl_batch *batch)
{
	return batch->watermark_ns;
}

size_t ctl_batch_bytes(const struct ctl_batch *batch)
{
	return batch->len + batch->n_ops * KEY_LEN;
}

size_t ctl_batch_n_ops(const struct ctl_batch *batch)
{
	return batch->n_ops;
}

struct ctl_op ctl_batch_op(const struct ctl_batch *batch, size_t i)
{
	const struct entry *op = &batch->ops[i];

	assert(i < batch->n_ops);
	return (struct ctl_op){
		.kind = (enum ctl_op_kind)op->kind,
		.table = (enum ctl_table)op->table,
		.key = op->key,
		.value = op->kind == CTL_OP_PUT && batch->data != NULL ? batch->data + op->off
								       : NULL,
		.len = op->len,
	};
}
