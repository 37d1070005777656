// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/tls_name.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Byte 0 says what the bytes behind byte 1 are; byte 1 where they are cut. */
enum {
	FORM = 3 << 0, // one of:
	STREAM = 0,
	DATAGRAM = 1, // else a message
	IS_LAST = 1 << 2,

	RECORD_HEADER = 5,
	MESSAGE_MAX = 16000, // with less than a reader has room for
};

struct look {
	enum cls_name_step step;
	struct cls_name name;
};

static void check(bool is_true)
{
	if (!is_true)
		abort();
}

static void check_same(const struct look *a, const struct look *b)
{
	check(a->step == b->step);
	check(a->name.has_ech == b->name.has_ech);
	check(strcmp(a->name.host, b->name.host) == 0);
}

static struct look look(int form, const uint8_t *bytes, size_t len, bool is_last)
{
	uint8_t *copy = malloc(len > 0 ? len : 1); // exact: a read past the end is seen
	struct look l = {0};

	check(copy != NULL);
	if (len > 0)
		memcpy(copy, bytes, len);
	if (form == STREAM)
		l.step = cls_tls_name(copy, len, is_last, &l.name);
	else if (form == DATAGRAM)
		l.step = cls_dtls_name(copy, len, &l.name);
	else
		l.step = cls_hello_name(copy, len, is_last, &l.name);
	free(copy);
	check(memchr(l.name.host, '\0', sizeof(l.name.host)) != NULL);
	check((l.step == CLS_NAME_FOUND) == (l.name.host[0] != '\0' || l.name.has_ech));
	check(l.step != CLS_NAME_MORE || (!is_last && form != DATAGRAM));
	return l;
}

/* The message in records of n bytes. */
static struct look look_in_records(const uint8_t *bytes, size_t len, size_t n, bool is_last)
{
	uint8_t *stream = malloc(len + RECORD_HEADER * (len / n + 1));
	size_t n_stream = 0;
	struct look l;

	check(stream != NULL);
	for (size_t at = 0; at < len; at += n) {
		const size_t step = n < len - at ? n : len - at;
		const uint8_t header[RECORD_HEADER] = {
			22, 3, 1, (uint8_t)(step >> 8), (uint8_t)step};

		memcpy(stream + n_stream, header, sizeof(header));
		memcpy(stream + n_stream + sizeof(header), bytes + at, step);
		n_stream += sizeof(header) + step;
	}
	l = look(STREAM, stream, n_stream, is_last);
	free(stream);
	return l;
}

/* Nothing is read beyond the input, what is decided stays so when more comes, and a hello says the same in
 * records of any size. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct look all, part;

	if (size < 2)
		return -1;

	const int form = data[0] & FORM;
	const bool is_last = (data[0] & IS_LAST) != 0;
	const uint8_t *bytes = data + 2;
	const size_t len = size - 2;

	all = look(form, bytes, len, is_last);
	if (form == DATAGRAM)
		return 0;
	part = look(form, bytes, len * data[1] / 256, false);
	if (part.step != CLS_NAME_MORE)
		check_same(&part, &all);
	if (form == STREAM || len > MESSAGE_MAX)
		return 0;
	part = look_in_records(bytes, len, 1 + (size_t)data[1], is_last);
	check_same(&part, &all);
	return 0;
}
