// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the tables of the told files read into. Private to the facts_*.c files. */

#include "control/facts.h"
#include "control/option.h"

struct ctl_told_file {
	bool is_static;
	char *source;
	uint64_t as_of_ns;
};

struct ctl_told_plan {
	char *id;
	char *cap; // a size or "unlimited"
};

struct ctl_told_entry {
	char *msisdn, *imsi, *account, *zone;
	char **segments;
};

struct ctl_told_address {
	char *address;
	uint64_t since_ns, until_ns;
};

struct ctl_told_subscription {
	char *id;
	uint64_t since_ns;
	char **own_services, **zero_rated;
};

struct ctl_told_bucket {
	char *id;
	uint64_t cap_bytes;
	uint64_t anchor_day;
	char *zone;
};

struct ctl_told_line {
	int kind; // enum ctl_line_kind
	bool is_minor, is_regulated;
};

struct ctl_told_consent {
	char *purpose;
	int status; // 0 granted, 1 withdrawn
	uint64_t until_ns;
	uint64_t version;
};

struct ctl_told_hold {
	int kind; // enum ctl_hold_kind
	char *topic;
	uint64_t since_ns, until_ns, resolved_ns;
};

struct ctl_told_cycle {
	uint64_t start_ns, bytes, cap_bytes, day_reached;
};

struct ctl_told_scope {
	char **apps;
};

extern const struct ctl_option ctl_told_file_options[];
extern const struct ctl_option ctl_told_plan_options[];
extern const struct ctl_option ctl_told_entry_options[];
extern const struct ctl_option ctl_told_address_options[];
extern const struct ctl_option ctl_told_subscription_options[];
extern const struct ctl_option ctl_told_bucket_options[];
extern const struct ctl_option ctl_told_scope_options[];
extern const struct ctl_option ctl_told_line_options[];
extern const struct ctl_option ctl_told_consent_options[];
extern const struct ctl_option ctl_told_hold_options[];
extern const struct ctl_option ctl_told_cycle_options[];

/* "unlimited" is 0. The text was checked by the table. */
uint64_t ctl_told_cap(const char *text);
