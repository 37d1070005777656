// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The server name in the Initial packets of a QUIC connection (RFC 9000, 9001, 9369; the drafts 22 to 34 and that
 * of version 2 as far as they differ, and Facebook's names of them; Google's Q050, T050 and T051, and Q024 to
 * Q046, whose hello is a CHLO of tags in clear).
 *
 * An Initial is encrypted by a key that anybody can derive from the connection id its client chose first.
 * CRYPTO frames may come in any order, over several packets in any order, and packets coalesced in a datagram.
 * Behind a Retry the client chooses keys anew. */

#include "classifier/join.h"
#include "classifier/name.h"
#include "classifier/quic_keys.h"

enum {
	CLS_QUIC_PACKETS_MAX = 16
}; // Initials, and datagrams without one, of one flow that are looked at; start value

/* Ciphers of one worker, fetched once; its thread only. NULL: no memory, or the crypto library has none of
 * AES-128-GCM, AES-128-ECB, SHA-256. The pool is borrowed until cls_quic_free(). */
struct cls_quic;
struct cls_quic *cls_quic_new(struct cls_join_pool *pool);
void cls_quic_free(struct cls_quic *q); // NULL is fine

/* Of one flow that is not decided; all 0 in the beginning. */
struct cls_quic_flow {
	struct cls_join *crypto; // NULL: none is needed yet
	uint32_t version; // of the first packet, of the last one that was opened; 0: none was seen
	struct cls_quic_cid dcid; // the keys derive from it
	bool has_dcid; // a packet was opened with it
	uint8_t n_packets; // opened or tried
};

/* A datagram of the flow, from the client or the server; what a server sends tells no name and is MORE.
 * FOUND or NONE at a whole hello, or at what is there of it when more cannot come or no join is left in the
 * pool; NONE also when the datagram is no QUIC (of versions known here) or too much was tried. All allocation is from
 * the pool; a hello in one packet takes none. */
enum cls_name_step cls_quic_name(struct cls_quic *q, struct cls_quic_flow *flow,
	const uint8_t *datagram, size_t len, bool is_from_client, struct cls_name *ret_name);

/* No more will come: what stands in the part that is there. FOUND or NONE. */
enum cls_name_step cls_quic_last(
	struct cls_quic *q, struct cls_quic_flow *flow, struct cls_name *ret_name);

/* Give back what the flow holds; it is all 0 then. */
void cls_quic_drop(struct cls_quic *q, struct cls_quic_flow *flow);
