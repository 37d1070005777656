// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* DNS messages in what a server sends over TCP (RFC 1035 4.2.2, RFC 7766 8): each behind its length, several in
 * a segment, one over several, which may come in any order and twice.
 *
 * While no message is begun nothing is kept, and a segment is taken to begin with one: so it goes on behind
 * whatever was missed. A message of which a part is there waits in a buffer of a pool. What comes behind it
 * before it is whole is lost, and with it the message where a segment's beginning shows that. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLS_DNS_TCP_MAX = 4096 }; // of a message with its length; longer ones are passed over

/* Pool of a worker, its thread only. n: messages that may wait at once. NULL: no memory. */
struct cls_dns_tcp_pool;
struct cls_dns_tcp_pool *cls_dns_tcp_pool_new(uint32_t n);
void cls_dns_tcp_pool_free(struct cls_dns_tcp_pool *pool); // those taken too; NULL is fine

/* Where messages go, each without its length. */
struct cls_dns_sink {
	void (*take)(void *arg, const uint8_t *message, size_t len);
	void *arg;
};

/* bytes[0..len) of a server, the first of which has the sequence number seq. *waiting: the message of this
 * connection that waits, NULL in the beginning; it is taken from the pool and given back here. Of an empty
 * pool nothing is had: the message is lost, and counted. */
void cls_dns_tcp_put(struct cls_dns_tcp_pool *pool, void **waiting, uint32_t seq,
	const uint8_t *bytes, size_t len, const struct cls_dns_sink *sink);

/* Messages, and what began like one, that an empty pool lost. */
uint64_t cls_dns_tcp_refused(const struct cls_dns_tcp_pool *pool);

/* The connection is over: give back what waits; *waiting is NULL then, and may be. */
void cls_dns_tcp_drop(struct cls_dns_tcp_pool *pool, void **waiting);
