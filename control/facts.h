// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What only the operator's systems know, told by a file (docs/configuration.md, "Told facts").
 *
 * A person is one subscriber; its id is our own and never leaves the process. All times are event
 * time in ns since the epoch, UTC; 0 = not given. Read-only after loading: any thread. */

#include "dataplane/addr.h"

#include <glib.h>
#include <stdint.h>

enum ctl_line_kind {
	CTL_LINE_CONSUMER,
	CTL_LINE_M2M,
	CTL_LINE_CORPORATE,
	CTL_LINE_STAFF,
	CTL_LINE_TEST
};
extern const char *const ctl_line_kind_names[];

enum ctl_hold_kind { CTL_HOLD_COMPLAINT, CTL_HOLD_BILL_SHOCK, CTL_HOLD_DO_NOT_CONTACT };
extern const char *const ctl_hold_kind_names[];

enum ctl_bucket_scope { CTL_SCOPE_ALL, CTL_SCOPE_APPS };

/* One cap of a plan. The cycle starts at local midnight of anchor_day (31 = last day of the month). */
struct ctl_bucket {
	char *id;
	uint64_t cap_bytes;
	int scope; // enum ctl_bucket_scope
	char **apps; // CTL_SCOPE_APPS: app names
	uint8_t anchor_day; // 1..31
	char *zone; // tz name
	GTimeZone *tz; // borrowed from the facts
};

struct ctl_consent {
	char *purpose;
	bool is_granted; // else withdrawn
	uint64_t until_ns; // 0 = no end
	uint64_t version; // of the consent record, travels as basis.record_version
};

struct ctl_hold {
	int kind; // enum ctl_hold_kind
	uint64_t since_ns;
	uint64_t until_ns; // 0 = open: the gate's default applies
	uint64_t resolved_ns; // complaint: closed at; G8 holds 72 h longer
	char *topic; // of a complaint, NULL when not told
};

/* A past cycle that wirecue did not see. */
struct ctl_past_cycle {
	uint64_t start_ns;
	uint64_t bytes;
	uint64_t cap_bytes;
	int32_t day_reached; // day of the cycle on which 80 % were reached, 1..; 0 = never
};

struct ctl_person {
	uint64_t id; // 1.. in file order
	char *msisdn, *imsi, *account; // canonical digits or text; NULL when not told
	int line; // enum ctl_line_kind
	bool is_minor, is_regulated;
	char *plan; // id, NULL
	uint64_t plan_since_ns; // 0 = since ever
	struct ctl_bucket *buckets;
	size_t n_buckets;
	char **own_services, **zero_rated; // app names, NULL-terminated or NULL
	struct ctl_consent *consents;
	size_t n_consents;
	struct ctl_hold *holds;
	size_t n_holds;
	char **segments;
	struct ctl_past_cycle *past; // oldest first
	size_t n_past;
	char *zone; // of the person, for hours; falls back to the bucket's, then the default; never NULL
	GTimeZone *tz; // borrowed from the facts
	bool has_line_facts; // a `line` entry was told; without it G3 fails closed
};

/* A plan the operator sells; used for would_fit. */
struct ctl_plan {
	char *id;
	uint64_t cap_bytes; // 0 = unlimited
};

struct ctl_facts {
	GPtrArray *persons; // struct ctl_person *, by id - 1
	GArray *plans; // struct ctl_plan, by cap ascending, unlimited last
	GHashTable *by_address; // private to facts.c, like the next four
	GHashTable *by_identifier;
	GHashTable *zones;
	struct ctl_holder *holders;
	struct ctl_holding *holdings;
	bool is_static; // all files are marked static: facts do not age
	uint64_t as_of_ns; // oldest of the files when not static
};

/* Whom something between first_ns and last_ns is credited to: NULL when its ends do not lie in one
 * binding (then *ret_is_one is false), or in that of nobody. */
const struct ctl_person *ctl_facts_credited(const struct ctl_facts *facts,
	const struct dp_addr *endpoint, uint64_t first_ns, uint64_t last_ns, bool *ret_is_one);

/* Who held the endpoint at time t; NULL when nobody or when two persons claim it (then
 * *ret_is_ambiguous is true). Addresses of a file are valid always unless they carry since/until. */
const struct ctl_person *ctl_facts_binding(const struct ctl_facts *facts,
	const struct dp_addr *endpoint, uint64_t t_ns, bool *ret_is_ambiguous);

/* NULL allowed. */
void ctl_facts_free(struct ctl_facts *facts);

/* "msisdn:+999…", "imsi:…", "account:…", or bare text tried as each; NULL when not told. */
const struct ctl_person *ctl_facts_find(const struct ctl_facts *facts, const char *identifier);
