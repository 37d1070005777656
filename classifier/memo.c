// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/memo.h"

#include "dataplane/hash.h"

#include <stdlib.h>
#include <string.h>

enum {
	NAMES = 4096, // 400 KB, of which a worker touches what its traffic fills. Start value
	ADDRS = 16384, // 200 KB. Start value
};

struct cls_memo {
	struct cls_memo_name names[NAMES];
	struct cls_memo_addr addrs[ADDRS];
};

struct cls_memo *cls_memo_new(void)
{
	return calloc(1, sizeof(struct cls_memo));
}

void cls_memo_free(struct cls_memo *memo)
{
	free(memo);
}

struct cls_memo_name *cls_memo_name(struct cls_memo *memo, const char *name, size_t len)
{
	struct cls_memo_name *place;

	if (len == 0 || len > CLS_MEMO_NAME_MAX)
		return NULL;
	place = &memo->names[dp_hash_bytes(len, name, len) % NAMES];
	if (place->len == len && memcmp(place->name, name, len) == 0)
		return place;
	*place = (struct cls_memo_name){.len = (uint8_t)len};
	memcpy(place->name, name, len);
	return place;
}

struct cls_memo_addr *cls_memo_addr(struct cls_memo *memo, uint32_t addr_be, uint16_t port_be)
{
	struct cls_memo_addr *place = &memo->addrs[dp_hash_mix(addr_be, port_be) % ADDRS];

	if (place->addr_be != addr_be || place->port_be != port_be)
		*place = (struct cls_memo_addr){.addr_be = addr_be, .port_be = port_be};
	return place;
}
