// SPDX-License-Identifier: BSD-3-Clause
#include "control/pack.h"

#include <assert.h>
#include <glib.h>
#include <math.h>
#include <string.h>

enum { VARINT_MAX = 10, SIZE_FIRST = 256, PART_LEN = 4 };

void ctl_pack_fini(struct ctl_pack *pack)
{
	g_free(pack->data);
	*pack = (struct ctl_pack){0};
}

void ctl_pack_clear(struct ctl_pack *pack)
{
	pack->len = 0;
}

/* Room for n bytes more, which the caller then fills. */
static uint8_t *room(struct ctl_pack *pack, size_t n)
{
	if (pack->size - pack->len < n) {
		pack->size = MAX(MAX(pack->size * 2, pack->len + n), (size_t)SIZE_FIRST);
		pack->data = g_realloc(pack->data, pack->size);
	}
	return pack->data + pack->len;
}

static size_t put_varint(uint8_t *to, uint64_t value)
{
	size_t n = 0;

	while (value >= 0x80) {
		to[n++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	to[n++] = (uint8_t)value;
	return n;
}

void ctl_pack_u64(struct ctl_pack *pack, uint64_t value)
{
	if (value < 0x80 && pack->len < pack->size) { // most are small
		pack->data[pack->len++] = (uint8_t)value;
		return;
	}
	pack->len += put_varint(room(pack, VARINT_MAX), value);
}

void ctl_pack_i64(struct ctl_pack *pack, int64_t value)
{
	ctl_pack_u64(pack, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

void ctl_pack_f64(struct ctl_pack *pack, double value)
{
	uint64_t bits;

	static_assert(sizeof(bits) == sizeof(value));
	memcpy(&bits, &value, sizeof(bits));
	bits = GUINT64_TO_LE(bits);
	memcpy(room(pack, sizeof(bits)), &bits, sizeof(bits));
	pack->len += sizeof(bits);
}

void ctl_pack_bytes(struct ctl_pack *pack, const void *data, size_t len)
{
	ctl_pack_u64(pack, len);
	if (len > 0)
		memcpy(room(pack, len), data, len);
	pack->len += len;
}

void ctl_pack_text(struct ctl_pack *pack, const char *text)
{
	ctl_pack_bytes(pack, text, strlen(text));
}

/* The length is not known yet: PART_LEN bytes are kept for it, and what is inside moves up when it
 * took fewer. */
size_t ctl_pack_open(struct ctl_pack *pack, uint64_t kind)
{
	ctl_pack_u64(pack, kind);
	(void)room(pack, PART_LEN);
	pack->len += PART_LEN;
	return pack->len;
}

void ctl_pack_close(struct ctl_pack *pack, size_t opened)
{
	const size_t len = pack->len - opened;
	uint8_t head[VARINT_MAX];
	const size_t head_len = put_varint(head, len);
	const size_t start = opened - PART_LEN;

	(void)room(pack, VARINT_MAX);
	if (head_len != PART_LEN)
		memmove(pack->data + start + head_len, pack->data + opened, len);
	memcpy(pack->data + start, head, head_len);
	pack->len = start + head_len + len;
}

static void spoil(struct ctl_unpack *unpack)
{
	unpack->is_bad = true;
	unpack->at = unpack->end;
}

/* Byte by byte, where fewer than 8 are left or the number has more. */
static uint64_t unpack_slowly(struct ctl_unpack *unpack)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && unpack->at < unpack->end; shift += 7) {
		const uint8_t byte = *unpack->at++;

		if (shift == 63 && byte > 1)
			break; // more than 64 bits
		value |= (uint64_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) != 0)
			continue;
		if (byte == 0 && shift > 0)
			break; // padded: there is one way to write a number
		return value;
	}
	spoil(unpack);
	return 0;
}

/* Bits 0-6, 8-14, ... of up to 8 bytes without those between: pairs, then fours, then all. */
static uint64_t close_up(uint64_t word)
{
	word = (word & UINT64_C(0x007f007f007f007f)) | (word & UINT64_C(0x7f007f007f007f00)) >> 1;
	word = (word & UINT64_C(0x00003fff00003fff)) | (word & UINT64_C(0x3fff00003fff0000)) >> 2;
	return (word & UINT64_C(0x000000000fffffff)) | (word & UINT64_C(0x0fffffff00000000)) >> 4;
}

/* A restart reads hundreds of millions of them, and how long the next one is cannot be guessed: so
 * without a branch on it. */
uint64_t ctl_unpack_u64(struct ctl_unpack *unpack)
{
	enum { WORD = sizeof(uint64_t) };
	const uint64_t tops = UINT64_C(0x8080808080808080);
	uint64_t word, ends;
	unsigned n_bits;

	if ((size_t)(unpack->end - unpack->at) < WORD)
		return unpack_slowly(unpack);
	memcpy(&word, unpack->at, WORD);
	word = GUINT64_FROM_LE(word);
	ends = ~word & tops;
	if (ends == 0)
		return unpack_slowly(unpack);
	n_bits = (unsigned)__builtin_ctzll(ends) + 1; // those of all its bytes
	word &= UINT64_MAX >> (64 - n_bits);
	if (n_bits > 8 && word >> (n_bits - 8) == 0)
		return unpack_slowly(unpack); // which refuses it: it is padded
	unpack->at += n_bits / 8;
	return close_up(word);
}

uint64_t ctl_unpack_max(struct ctl_unpack *unpack, uint64_t max)
{
	const uint64_t value = ctl_unpack_u64(unpack);

	if (value <= max)
		return value;
	spoil(unpack);
	return 0;
}

int64_t ctl_unpack_i64(struct ctl_unpack *unpack)
{
	const uint64_t value = ctl_unpack_u64(unpack);

	return (int64_t)((value >> 1) ^ ((value & 1) != 0 ? UINT64_MAX : 0));
}

double ctl_unpack_f64(struct ctl_unpack *unpack)
{
	uint64_t bits = 0;
	double value;

	if ((size_t)(unpack->end - unpack->at) < sizeof(bits)) {
		spoil(unpack);
		return 0;
	}
	memcpy(&bits, unpack->at, sizeof(bits));
	unpack->at += sizeof(bits);
	bits = GUINT64_FROM_LE(bits);
	memcpy(&value, &bits, sizeof(value));
	if (isfinite(value))
		return value;
	spoil(unpack);
	return 0;
}

bool ctl_unpack_bool(struct ctl_unpack *unpack)
{
	return ctl_unpack_max(unpack, 1) == 1;
}

const uint8_t *ctl_unpack_bytes(struct ctl_unpack *unpack, size_t *ret_len)
{
	const uint64_t len = ctl_unpack_u64(unpack);
	const uint8_t *data = unpack->at;

	*ret_len = 0;
	if (len > (size_t)(unpack->end - unpack->at)) {
		spoil(unpack);
		return unpack->end;
	}
	unpack->at += len;
	*ret_len = (size_t)len;
	return data;
}

char *ctl_unpack_text(struct ctl_unpack *unpack, size_t max)
{
	size_t len;
	const uint8_t *data = ctl_unpack_bytes(unpack, &len);

	if (unpack->is_bad || len > max || (len > 0 && memchr(data, '\0', len) != NULL)) {
		spoil(unpack);
		return NULL;
	}
	return g_strndup((const char *)data, len);
}

uint64_t ctl_unpack_part(struct ctl_unpack *unpack, struct ctl_unpack *ret_part)
{
	const uint64_t kind = ctl_unpack_u64(unpack);
	size_t len;
	const uint8_t *data = ctl_unpack_bytes(unpack, &len);

	*ret_part = ctl_unpack_of(data, len);
	return unpack->is_bad ? 0 : kind;
}
