// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How facts are made: persons first, then their addresses and identifiers at once. Private to
 * facts.c and facts_yaml.c. */

#include "control/facts.h"

/* A person held an address. */
struct ctl_claim {
	struct dp_addr addr;
	uint64_t since_ns; // inclusive; 0 = since ever
	uint64_t until_ns; // exclusive; 0 = for ever
	uint64_t person; // id
};

struct ctl_facts *ctl_facts_new(void);

/* The zone, made once per name; NULL when the tz database has none. Borrowed from the facts. */
GTimeZone *ctl_facts_zone(struct ctl_facts *facts, const char *name);

void ctl_person_free(void *person);

/* Order the plans, index the identifiers and lay out who held which address when. claims is sorted
 * by (addr, since). Persons keep their order. */
void ctl_facts_seal(struct ctl_facts *facts, const struct ctl_claim *claims, size_t n_claims);

/* "msisdn:+999..." */
char *ctl_identifier(const char *kind, const char *value);
