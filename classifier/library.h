// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* nDPI as the classifier needs it. ndpi.c makes every call of the library; stage.c and verdict.c
 * read the fields of its flows. A library belongs to one worker and is used from its thread. */

#include "classifier/catalogue.h"
#include "dataplane/stage.h"

#include <ndpi_api.h>
#include <stddef.h>
#include <stdint.h>

struct cls_library;

/* Any thread: modules are made and freed under one mutex, because they share the library's
 * globals. NULL: no memory. */
struct cls_library *cls_library_new(void);
void cls_library_free(struct cls_library *lib);

/* Show the flow one packet from its IP header on; what the library thinks after it. */
ndpi_protocol cls_library_look(struct cls_library *lib, struct ndpi_flow_struct *flow,
	const uint8_t *l3, size_t l3_len, uint64_t time_ns);

/* Whether no further packet of the flow can change what a verdict says: the library gave up, or it
 * recognised the flow, and what it would still like to see is nothing that we ask for. */
bool cls_library_is_done(struct cls_library *lib, struct ndpi_flow_struct *flow, ndpi_protocol p,
	bool is_app_decided);

/* What it makes of a flow that gets no more packets: guessed where nothing was recognised. */
ndpi_protocol cls_library_last_word(
	struct cls_library *lib, struct ndpi_flow_struct *flow, ndpi_protocol p);

/* Free what hangs on the flow; its own bytes are the caller's and stay as they are. */
void cls_library_drop(struct cls_library *lib, struct ndpi_flow_struct *flow);

/* What the library's own table of hosts has for a name, whoever asks for it; app_protocol NDPI_PROTOCOL_UNKNOWN: nothing. */
ndpi_protocol cls_library_listed(struct cls_library *lib, uint16_t master, const char *host);

/* Whether the library's own table of hosts has the name that the flow's client said; then the flow is recognised, as
 * detected_protocol_stack says. master: NDPI_PROTOCOL_TLS, _DTLS, _QUIC or _HTTP. */
bool cls_library_knows(
	struct cls_library *lib, struct ndpi_flow_struct *flow, uint16_t master, const char *host);

/* Whether the library has the app from an address, of either side, though it recognised what carries it and so calls its
 * word no guess. */
bool cls_library_is_guess(
	struct cls_library *lib, const struct ndpi_flow_struct *flow, const ndpi_protocol *p);

/* Whether the library has the app from a name that is only like one of its table: it takes xfilms.example, my-films.example
 * and films.example.evil.example for films.example. */
bool cls_library_is_alike(struct cls_library *lib, const ndpi_protocol *p, const char *host);

/* The shortest end of host, of whole labels, that the table says the same of. Points into host. */
const char *cls_library_found(struct cls_library *lib, const ndpi_protocol *p, const char *host);

/* Whose network the library has an IPv4 address in, and whose port it is by default; 0: nobody's. */
uint16_t cls_library_network(struct cls_library *lib, const struct dp_addr *addr);
uint16_t cls_library_port(struct cls_library *lib, uint8_t l4_proto, uint16_t port);

/* What a judgement rests on, besides the catalogue. */
struct cls_view {
	const struct ndpi_flow_struct *flow;
	ndpi_protocol proto;
	bool is_guess; // cls_library_is_guess()
	bool is_alike; // cls_library_is_alike(): its app is none
	uint8_t named; // DP_EVIDENCE_SNI, _QUIC or _HTTP of a name that we found ourselves, else _NONE
	bool is_name_open; // it may still come: nothing weaker decides yet
	const char
		*hint; // what the subscriber looked the server's address up as; NULL: nothing known
};

/* What a packet told of a flow. `v` holds what was known before, with the name where we found one: an app that
 * is decided stays. */
void cls_verdict_update(
	struct dp_verdict *v, const struct cls_catalogue *catalogue, const struct cls_view *view);

/* The last word, behind the update: where nothing better is known, address and port decide. */
void cls_verdict_end(struct dp_verdict *v, const struct cls_catalogue *catalogue,
	const struct dp_stage_item *item, const struct cls_view *view);

/* A name of the wire as it may be shown: lower case, nothing but what names consist of, '?' for the rest. */
void cls_verdict_name(struct dp_verdict *v, const char *host);
