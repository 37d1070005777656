// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the library's own tables have for a name, an address or a port, without any packet: for who
 * explains a verdict. No worker's; one thread at a time, 5 MB each. */

#include "dataplane/addr.h"

#include <stdbool.h>
#include <stdint.h>

struct cls_oracle;

/* NULL: no memory. */
struct cls_oracle *cls_oracle_new(void);
void cls_oracle_free(struct cls_oracle *oracle);

struct cls_oracle_word {
	uint16_t
		proto; // number of the library's protocol (cls_ndpi_name); 0: the table has nothing
	bool is_alike; // the name only looks like what the table has: no app rests on it
	const char *
		found; // the shortest end of the name that the table says the same of; points into it
};

/* Of a server's name in lower case, in TLS; QUIC and HTTP ask the same table. */
struct cls_oracle_word cls_oracle_name(struct cls_oracle *oracle, const char *name);

/* Whose network the library takes an address for, or whose port; 0: nobody's. Guesses: it takes them only
 * for flows that it recognised nothing of. Its networks are of IPv4. */
uint16_t cls_oracle_addr(struct cls_oracle *oracle, const struct dp_addr *addr);
uint16_t cls_oracle_port(struct cls_oracle *oracle, uint8_t l4_proto, uint16_t port);
