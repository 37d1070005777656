// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the library's tables say of names and addresses, remembered.
 *
 * It walks an automaton twice for each name, and a tree for each address, byte by byte and bit by bit. Its tables are
 * finished before the first packet, so the answer depends on the question alone, and most flows of a network ask
 * the same few thousand questions. A place for each hash: the later question takes it. One worker's thread
 * at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLS_MEMO_NAME_MAX = 60 }; // longer ones are asked again: start value

struct cls_memo_protocol {
	int answer;
	uint32_t id;
	int category, breed;
};

struct cls_memo_category {
	int answer;
	int category;
};

struct cls_memo_name {
	char name[CLS_MEMO_NAME_MAX];
	uint8_t len; // 0: a free place
	bool has_protocol, has_category; // what of the following is known
	struct cls_memo_protocol protocol;
	struct cls_memo_category category;
};

struct cls_memo_addr {
	uint32_t addr_be;
	uint16_t port_be;
	bool is_known; // the answer
	uint16_t answer;
};

struct cls_memo;

/* NULL: no memory. */
struct cls_memo *cls_memo_new(void);
void cls_memo_free(struct cls_memo *memo);

/* The place of name[0..len), its own: when it was another's, nothing is known there. NULL: it is not remembered.
 * Borrowed until the next call. */
struct cls_memo_name *cls_memo_name(struct cls_memo *memo, const char *name, size_t len);
struct cls_memo_addr *cls_memo_addr(struct cls_memo *memo, uint32_t addr_be, uint16_t port_be);
