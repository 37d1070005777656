// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The addresses that a DNS answer gives for the name that was asked for (RFC 1035, RFC 3596; HTTPS and
 * SVCB records' ipv4hint and ipv6hint, RFC 9460 7.3).
 *
 * Pure; any thread. Input is hostile, any length. Compression pointers go backwards only, so every name
 * ends, and what is done for one message is bounded however its records refer to each other. */

#include "dataplane/addr.h"
#include "dataplane/record.h"

#include <stddef.h>

enum {
	CLS_DNS_ADDRS_MAX = 32, // of an answer that are looked at; start value
	CLS_DNS_RECORDS_MAX =
		64, // addresses and CNAMEs of an answer that are looked at; start value
	CLS_DNS_CNAMES_MAX = 16, // in a row that are followed; resolvers stop at 8 to 16
};

struct cls_dns_answer {
	char host
		[DP_HOST_MAX]; // the question's name, lower case, NUL-terminated; a longer one keeps its tail
	struct {
		struct dp_addr addr;
		uint32_t ttl_s; // the least on the way: of it and of the CNAMEs that lead to it
	} addrs[CLS_DNS_ADDRS_MAX];
	uint32_t n_addrs;
};

/* message[0..len): one DNS message (over TCP without its length). Only records reached from the question's
 * name by CNAMEs count, wherever in the answer section they stand; a truncated answer (TC) counts as far as
 * it goes. Returns false: no answer without error to one question of class IN for A, AAAA, HTTPS or SVCB,
 * malformed, or the name has bytes that no host has; *ret is then unspecified. True with n_addrs 0: the
 * name has none. */
bool cls_dns_answer(const uint8_t *message, size_t len, struct cls_dns_answer *ret);
