// SPDX-License-Identifier: BSD-3-Clause
#include "control/store_record.h"

#include "control/crc32c.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

enum { KEY_LEN = 8 };

uint32_t ctl_record_n_parts(size_t len)
{
	return len == 0 ? 1 : (uint32_t)((len + CTL_RECORD_DATA_MAX - 1) / CTL_RECORD_DATA_MAX);
}

size_t ctl_record_key(uint64_t key, uint32_t part, uint8_t ret_key[CTL_RECORD_KEY_MAX])
{
	const uint64_t key_be = GUINT64_TO_BE(key);
	const uint32_t part_be = GUINT32_TO_BE(part);

	memcpy(ret_key, &key_be, sizeof(key_be));
	if (part == 0)
		return KEY_LEN;
	memcpy(ret_key + KEY_LEN, &part_be, sizeof(part_be));
	return KEY_LEN + sizeof(part_be);
}

static uint32_t checksum(enum ctl_table table, const void *key, size_t key_len, const void *data,
	size_t len, uint32_t n_follow_le)
{
	const uint8_t table_byte = (uint8_t)table;
	uint32_t crc = ctl_crc32c(0, &table_byte, sizeof(table_byte));

	crc = ctl_crc32c(crc, key, key_len);
	crc = ctl_crc32c(crc, data, len);
	return ctl_crc32c(crc, &n_follow_le, sizeof(n_follow_le));
}

void ctl_record_write(enum ctl_table table, const struct ctl_record *record, uint8_t *to)
{
	const uint32_t n_follow = GUINT32_TO_LE(record->n_follow);
	uint8_t key[CTL_RECORD_KEY_MAX];
	const size_t key_len = ctl_record_key(record->key, record->part, key);
	uint32_t crc;

	if (record->len > 0)
		memcpy(to, record->data, record->len);
	crc = GUINT32_TO_LE(checksum(table, key, key_len, to, record->len, n_follow));
	memcpy(to + record->len, &n_follow, sizeof(n_follow));
	memcpy(to + record->len + sizeof(n_follow), &crc, sizeof(crc));
}

int ctl_record_read(enum ctl_table table, const void *key, size_t key_len, const void *record,
	size_t size, struct ctl_record *ret_record)
{
	uint32_t n_follow, crc, part = 0;
	const uint8_t *data = record;
	uint64_t number;

	if ((key_len != KEY_LEN && key_len != CTL_RECORD_KEY_MAX) || size < CTL_RECORD_TRAILER)
		return -EBADMSG;
	const size_t len = size - CTL_RECORD_TRAILER;

	memcpy(&n_follow, data + len, sizeof(n_follow));
	memcpy(&crc, data + len + sizeof(n_follow), sizeof(crc));
	if (checksum(table, key, key_len, data, len, n_follow) != GUINT32_FROM_LE(crc))
		return -EBADMSG;
	memcpy(&number, key, sizeof(number));
	if (key_len > KEY_LEN)
		memcpy(&part, (const uint8_t *)key + KEY_LEN, sizeof(part));
	*ret_record = (struct ctl_record){
		.key = GUINT64_FROM_BE(number),
		.part = GUINT32_FROM_BE(part),
		.n_follow = GUINT32_FROM_LE(n_follow),
		.data = data,
		.len = len,
	};
	return 0;
}

/* --- several records as one value ------------------------------------------------------------ */

void ctl_joiner_fini(struct ctl_joiner *joiner)
{
	g_free(joiner->data);
	joiner->data = NULL;
	joiner->is_open = false;
}

static int bad(const struct ctl_joiner *joiner, const char *what, struct dp_err *reterr)
{
	return dp_fail(reterr, EBADMSG, "table '%s': %s", ctl_table_names[joiner->table], what);
}

static void append(struct ctl_joiner *joiner, const struct ctl_record *record)
{
	if (joiner->size - joiner->len < record->len) {
		joiner->size = MAX(joiner->size * 2, joiner->len + record->len);
		joiner->data = g_realloc(joiner->data, joiner->size);
	}
	memcpy(joiner->data + joiner->len, record->data, record->len);
	joiner->len += record->len;
}

/* The first record of a value. */
static int begin(struct ctl_joiner *joiner, const struct ctl_record *record, ctl_record_fn *fn,
	void *ctx, struct dp_err *reterr)
{
	if (joiner->is_open)
		return bad(joiner, "the end of a value is missing", reterr);
	if (record->part != 0)
		return bad(joiner, "the begin of a value is missing", reterr);
	if (record->n_follow == 0)
		return fn == NULL ? 0 : fn(ctx, record->key, record->data, record->len);
	joiner->is_open = true;
	joiner->key = record->key;
	joiner->part_next = 1;
	joiner->n_follow = record->n_follow;
	joiner->len = 0;
	if (fn != NULL)
		append(joiner, record);
	return 0;
}

int ctl_joiner_add(struct ctl_joiner *joiner, const void *key, size_t key_len, const void *record,
	size_t size, ctl_record_fn *fn, void *ctx, struct dp_err *reterr)
{
	struct ctl_record r;

	if (ctl_record_read(joiner->table, key, key_len, record, size, &r) < 0)
		return bad(joiner, "a record does not match its checksum", reterr);
	if (!joiner->is_open || r.part == 0)
		return begin(joiner, &r, fn, ctx, reterr);
	if (r.key != joiner->key || r.part != joiner->part_next ||
		r.n_follow != joiner->n_follow - 1)
		return bad(joiner, "the middle of a value is missing", reterr);
	joiner->part_next++;
	joiner->n_follow--;
	joiner->is_open = r.n_follow > 0;
	if (fn == NULL)
		return 0;
	append(joiner, &r);
	return joiner->is_open ? 0 : fn(ctx, joiner->key, joiner->data, joiner->len);
}

int ctl_joiner_end(const struct ctl_joiner *joiner, struct dp_err *reterr)
{
	return joiner->is_open ? bad(joiner, "the end of a value is missing", reterr) : 0;
}
