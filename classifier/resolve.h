// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* From what is remembered of a flow to what it is by a catalogue: no library, no state, no packet.
 *
 * The rules are those by which flows are judged while their packets come (classifier/verdict.c uses them one by one).
 * Workers resolve decided flows by them again when the catalogue has changed, and control says with them what a
 * staged one would change. The result is what the flow would have become had the catalogue been in force from its
 * first packet on, as far as what is remembered allows (docs/design.md section 4). Pure: any thread. */

#include "classifier/catalogue.h"
#include "dataplane/said.h"

/* How the library's word and the names of a flow came about: the stage's own part of struct dp_said. */
enum cls_basis {
	CLS_BASIS_SURE =
		1 << 0, // the library recognised the flow; else it guessed by address or port
	CLS_BASIS_ADDRESS = 1 << 1, // the app of its word comes from an address
	CLS_BASIS_ALIKE =
		1 << 2, // the app of its word comes from a name that only looks like one it knows
	CLS_BASIS_LOOKED_UP =
		1 << 3, // the flow shows no name: host is what its server was looked up as
	CLS_BASIS_NAMED = 3 << 4, // where we found the name ourselves, one of:
	CLS_BASIS_SNI = 1 << 4,
	CLS_BASIS_QUIC = 2 << 4,
	CLS_BASIS_HTTP = 3 << 4,
	CLS_BASIS_CERTIFICATE = 1 << 6, // alias is a name of the certificate, not of a look-up
	CLS_BASIS_PAST = 1 << 7, // the library's word that decided is not its last
};

/* What a flow counts for. */
struct cls_decision {
	uint32_t app;
	uint16_t tag;
	uint8_t evidence; // enum dp_evidence
};

/* What is remembered of a flow; all pointers are borrowed. */
struct cls_known {
	const char *host; // lower case, "": none
	const char *alias; // likewise: the name of a look-up or a certificate
	uint16_t ndpi_master, ndpi_app; // the library's last word
	uint8_t basis; // enum cls_basis
	bool has_ech; // host is the outer name of an encrypted hello
	uint8_t l4_proto;
	uint16_t server_port; // host order
	const struct dp_addr *server; // the side that is not the endpoint
	struct cls_decision now; // what it counts for
};

/* Which kind of name a flow of these protocols of the library shows; NONE when it is no server name (a DHCP host name
 * is a device of the subscriber and never leaves the library). */
uint8_t cls_name_evidence(uint16_t ndpi_master, uint16_t ndpi_app);

/* Of a note of a flow (DP_RECORD_NOTE); borrows from it. */
struct cls_known cls_known_of_note(const struct dp_record *note);

/* What the flow is by the catalogue; DP_APP_UNKNOWN when nothing fits. */
struct cls_decision cls_resolve(
	const struct cls_catalogue *catalogue, const struct cls_known *known);

/* --- rules, strongest first: true when one fits, then *ret is written ------------------------- */

/* The name that the flow shows: by the catalogue, by the library's own table; behind a front what was looked up. */
bool cls_rule_name(const struct cls_catalogue *catalogue, const struct cls_known *known,
	struct cls_decision *ret);

/* A name of the server's certificate; one with a wildcard stands for its parent. */
bool cls_rule_certificate(const struct cls_catalogue *catalogue, const char *name, size_t len,
	struct cls_decision *ret);

/* What the server's address was looked up as, where the flow shows no name, or hides one behind another. */
bool cls_rule_lookup(const struct cls_catalogue *catalogue, const struct cls_known *known,
	struct cls_decision *ret);

/* The protocol, where the library recognised it. */
bool cls_rule_payload(const struct cls_catalogue *catalogue, const struct cls_known *known,
	struct cls_decision *ret);

/* Where the server is: by the catalogue's networks, by what the library thinks of the address, by the catalogue's ports, by
 * what the library thinks of the port. */
bool cls_rule_place(const struct cls_catalogue *catalogue, const struct cls_known *known,
	struct cls_decision *ret);
