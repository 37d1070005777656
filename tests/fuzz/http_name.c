// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/http_name.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_true)
{
	if (!is_true)
		abort();
}

static enum cls_name_step look(const uint8_t *bytes, size_t len, struct cls_name *name)
{
	uint8_t *copy = malloc(len > 0 ? len : 1); // exact: a read past the end is seen
	enum cls_name_step step;

	check(copy != NULL);
	if (len > 0)
		memcpy(copy, bytes, len);
	*name = (struct cls_name){0};
	step = cls_http_name(copy, len, name);
	free(copy);
	check(memchr(name->host, '\0', sizeof(name->host)) != NULL);
	check((step == CLS_NAME_FOUND) == (name->host[0] != '\0'));
	check(!name->has_ech);
	for (const char *c = name->host; *c != '\0'; c++)
		check(*c > ' ' && *c < 0x7f && strchr("/@?#\\\"<>", *c) == NULL);
	return step;
}

/* Byte 0 says where the stream is cut, which follows. Nothing is read beyond it, a host has no byte that no host
 * has, and what is decided stays so when more comes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cls_name name, of_part;
	enum cls_name_step step, step_of_part;

	if (size < 1)
		return -1;
	step = look(data + 1, size - 1, &name);
	step_of_part = look(data + 1, (size - 1) * data[0] / 256, &of_part);
	if (step_of_part != CLS_NAME_MORE) {
		check(step_of_part == step);
		check(strcmp(of_part.host, name.host) == 0);
	}
	return 0;
}
