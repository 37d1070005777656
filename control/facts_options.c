// SPDX-License-Identifier: BSD-3-Clause
#include "control/facts_options.h"

#include "control/checks.h"
#include "control/option_value.h"

#include <string.h>

/* ITU-T E.164 6: at most 15 digits, and no country code begins with 0. */
static const char *check_msisdn(const char *text)
{
	const size_t n_digits = *text == '+' ? strspn(text + 1, "0123456789") : 0;

	if (n_digits >= 4 && n_digits <= 15 && text[n_digits + 1] == '\0' && text[1] != '0')
		return NULL;
	return "expected '+' and 4 to 15 digits (E.164), in quotes";
}

/* ITU-T E.212 2.4: MCC, MNC and MSIN; 14 digits where the MSIN is short. */
static const char *check_imsi(const char *text)
{
	const size_t n_digits = strspn(text, "0123456789");

	if ((n_digits == 14 || n_digits == 15) && text[n_digits] == '\0')
		return NULL;
	return "expected 14 or 15 digits, in quotes";
}

static const char *check_account(const char *text)
{
	const size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (!g_ascii_isgraph(text[i]))
			return "expected printable ASCII characters without spaces";
	return len <= 64 ? NULL : "expected at most 64 characters";
}

static const char *check_cap(const char *text)
{
	struct ctl_value v;

	if (strcmp(text, "unlimited") == 0)
		return NULL;
	if (ctl_value_parse(CTL_OPTION_SIZE, text, &v) == 0 && v.u64 > 0)
		return NULL;
	return "expected a size with a unit such as 5GB, or unlimited";
}

uint64_t ctl_told_cap(const char *text)
{
	struct ctl_value v;

	return ctl_value_parse(CTL_OPTION_SIZE, text, &v) == 0 ? v.u64 : 0;
}

const struct ctl_option ctl_told_file_options[] = {
	{.name = "static",
		.type = CTL_OPTION_BOOL,
		.off = offsetof(struct ctl_told_file, is_static),
		.def = "false",
		.help = "The facts of this file do not age."},
	{.name = "source",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_told_file, source),
		.help = "Which system wrote the file; for people."},
	{.name = "as_of",
		.type = CTL_OPTION_TIME,
		.off = offsetof(struct ctl_told_file, as_of_ns),
		.help = "Up to when the file is complete; required unless `static: true`."},
	{.name = NULL},
};

const struct ctl_option ctl_told_plan_options[] = {
	{.name = "id",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_told_plan, id),
		.required = true,
		.help = "The operator's name of the plan; unique."},
	{.name = "cap",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_told_plan, cap),
		.required = true,
		.check = check_cap,
		.help = "Size per cycle, or `unlimited`."},
	{.name = NULL},
};

const struct ctl_option ctl_told_entry_options[] = {
	{.name = "msisdn",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_told_entry, msisdn),
		.check = check_msisdn,
		.is_private = true,
		.help = "`+` and 4 to 15 digits. At least one of msisdn, imsi, account."},
	{.name = "imsi",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_told_entry, imsi),
		.check = check_imsi,
		.is_private = true,
		.help = "14 or 15 digits, quoted."},
	{.name = "account",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_told_entry, account),
		.check = check_account,
		.is_private = true,
		.help = "1 to 64 printable ASCII characters without spaces."},
	{.name = "zone",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_told_entry, zone),
		.check = ctl_check_zone,
		.help = "Where the person lives, for `when.hours`; the first bucket's, then "
			"`zone` of wirecue.yaml when absent."},
	{.name = "segments",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct ctl_told_entry, segments),
		.help = "What `when.segment` of a rule selects by."},
	{.name = NULL},
};

const struct ctl_option ctl_told_address_options[] = {
	{.name = "address",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_told_address, address),
		.required = true,
		.is_private = true,
		.help = "IPv4 address, or IPv6 prefix of the length `endpoints.ipv6_prefix`."},
	{.name = "since",
		.type = CTL_OPTION_TIME,
		.off = offsetof(struct ctl_told_address, since_ns),
		.help = "First instant of the binding; since ever when absent."},
	{.name = "until",
		.type = CTL_OPTION_TIME,
		.off = offsetof(struct ctl_told_address, until_ns),
		.help = "First instant after it; for ever when absent."},
	{.name = NULL},
};

const struct ctl_option ctl_told_subscription_options[] = {
	{.name = "id",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_told_subscription, id),
		.required = true,
		.help = "The plan the person has."},
	{.name = "since",
		.type = CTL_OPTION_TIME,
		.off = offsetof(struct ctl_told_subscription, since_ns),
		.help = "When the person got it; since ever when absent."},
	{.name = "own_services",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct ctl_told_subscription, own_services),
		.help = "Apps of the operator the person has already."},
	{.name = "zero_rated",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct ctl_told_subscription, zero_rated),
		.help = "Apps whose bytes no bucket counts."},
	{.name = NULL},
};

const struct ctl_option ctl_told_bucket_options[] = {
	{.name = "id",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_told_bucket, id),
		.required = true,
		.help = "Name of the cap; unique in the plan."},
	{.name = "cap",
		.type = CTL_OPTION_SIZE,
		.off = offsetof(struct ctl_told_bucket, cap_bytes),
		.min = "1B",
		.required = true,
		.help = "Bytes a cycle."},
	{.name = "anchor_day",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_told_bucket, anchor_day),
		.def = "1",
		.min = "1",
		.max = "31",
		.help = "Day of the month on which the cycle begins; 31 is its last day."},
	{.name = "zone",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_told_bucket, zone),
		.check = ctl_check_zone,
		.help = "Whose midnight; the person's when absent."},
	{.name = NULL},
};

const struct ctl_option ctl_told_scope_options[] = {
	{.name = "apps",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct ctl_told_scope, apps),
		.required = true,
		.help = "Only the bytes of these apps count."},
	{.name = NULL},
};

const struct ctl_option ctl_told_line_options[] = {
	{.name = "kind",
		.type = CTL_OPTION_ENUM,
		.off = offsetof(struct ctl_told_line, kind),
		.values = ctl_line_kind_names,
		.required = true,
		.help = "What the line is for; upsell and retention only reach consumers."},
	{.name = "minor",
		.type = CTL_OPTION_BOOL,
		.off = offsetof(struct ctl_told_line, is_minor),
		.def = "false",
		.help = "The user is under age."},
	{.name = "regulated",
		.type = CTL_OPTION_BOOL,
		.off = offsetof(struct ctl_told_line, is_regulated),
		.def = "false",
		.help = "On a list that must not be addressed."},
	{.name = NULL},
};

static const char *const status_names[] = {"granted", "withdrawn", NULL};

const struct ctl_option ctl_told_consent_options[] = {
	{.name = "purpose",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_told_consent, purpose),
		.required = true,
		.check = ctl_check_tag,
		.help = "The purpose a rule names; once per person."},
	{.name = "status",
		.type = CTL_OPTION_ENUM,
		.off = offsetof(struct ctl_told_consent, status),
		.values = status_names,
		.required = true,
		.help = "What the person said."},
	{.name = "until",
		.type = CTL_OPTION_TIME,
		.off = offsetof(struct ctl_told_consent, until_ns),
		.help = "When the consent ends; never when absent."},
	{.name = "version",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_told_consent, version),
		.def = "1",
		.help = "Version of the consent record; travels with every trigger."},
	{.name = NULL},
};

const struct ctl_option ctl_told_hold_options[] = {
	{.name = "kind",
		.type = CTL_OPTION_ENUM,
		.off = offsetof(struct ctl_told_hold, kind),
		.values = ctl_hold_kind_names,
		.required = true,
		.help = "Why the person is left alone."},
	{.name = "topic",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_told_hold, topic),
		.check = ctl_check_tag,
		.help = "What a complaint is about."},
	{.name = "since",
		.type = CTL_OPTION_TIME,
		.off = offsetof(struct ctl_told_hold, since_ns),
		.required = true,
		.help = "When it began."},
	{.name = "until",
		.type = CTL_OPTION_TIME,
		.off = offsetof(struct ctl_told_hold, until_ns),
		.help = "When it ends; the gate's own default when absent."},
	{.name = "resolved",
		.type = CTL_OPTION_TIME,
		.off = offsetof(struct ctl_told_hold, resolved_ns),
		.help = "When the complaint was closed; it holds for 72 h more."},
	{.name = NULL},
};

const struct ctl_option ctl_told_cycle_options[] = {
	{.name = "start",
		.type = CTL_OPTION_TIME,
		.off = offsetof(struct ctl_told_cycle, start_ns),
		.required = true,
		.help = "First instant of a past cycle."},
	{.name = "bytes",
		.type = CTL_OPTION_SIZE,
		.off = offsetof(struct ctl_told_cycle, bytes),
		.required = true,
		.help = "What was used in it."},
	{.name = "cap",
		.type = CTL_OPTION_SIZE,
		.off = offsetof(struct ctl_told_cycle, cap_bytes),
		.min = "1B",
		.required = true,
		.help = "The cap of that cycle."},
	{.name = "day_reached",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_told_cycle, day_reached),
		.def = "0",
		.max = "31",
		.help = "Day of the cycle on which 80 % were reached; 0: never."},
	{.name = NULL},
};
