// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Whose an endpoint was: what the operator's facts say of addresses, and what signalling does (bindings.h).
 *
 * A subscriber that signalling names is the person of the facts with that IMSI, or else with that MSISDN
 * where no other IMSI is told of it, or that account; whom the facts do not know is *met*: a person of whom
 * nothing is told but the names. Control thread only. */

#include "control/bindings.h"
#include "control/config.h"
#include "control/facts.h"

struct ctl_whose;

/* facts are borrowed. Without bindings, as it is at first, they say all there is to say. */
struct ctl_whose *ctl_whose_new(
	const struct ctl_facts *facts, const struct ctl_binding_options *options);
void ctl_whose_free(struct ctl_whose *w); // NULL is fine

/* From now on these facts are in force, or these bindings. Borrowed. */
void ctl_whose_set_facts(struct ctl_whose *w, const struct ctl_facts *facts);
void ctl_whose_set_bindings(struct ctl_whose *w, const struct ctl_bindings *bindings);

/* As ctl_facts_credited(), by both. What is returned lives as long as the facts, or as w. */
const struct ctl_person *ctl_whose_credited(struct ctl_whose *w, const struct dp_addr *endpoint,
	uint64_t first_ns, uint64_t last_ns, bool *ret_is_one);

/* Somebody who was met has no place in the facts. */
static inline bool ctl_is_met(const struct ctl_person *person)
{
	return person->id == 0;
}

/* By a canonical identifier ("imsi:…"): of the facts, or met; NULL: nobody. */
const struct ctl_person *ctl_whose_find(const struct ctl_whose *w, const char *canonical);

/* Who was met under one of these names, surest first; names are NULL where there is none. NULL: nobody. */
const struct ctl_person *ctl_whose_met(
	const struct ctl_whose *w, const char *imsi, const char *msisdn, const char *account);
