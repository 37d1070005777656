// SPDX-License-Identifier: BSD-3-Clause
#include "control/reference.h"

#include "control/apps_yaml.h"
#include "control/config_read.h"
#include "control/facts_options.h"

struct section {
	const char *title;
	const char *text; // what the tables do not say, or NULL
	const struct ctl_option *options[2]; // second: NULL or more keys of the same mapping
};

static const struct section wirecue_sections[] = {
	{"Top level",
		"Further keys, each a section below: `ports`, `workers`, `flows`, `endpoints`, "
		"`binding`, `told`, `rules`, `redis`, `store`, `samples`, `rot`, `xdp`, `control`, `privacy`.",
		{ctl_config_options, ctl_config_raw_options}},
	{"`ports`",
		"A list of mappings. Further key: `ignore`, a mapping as below; without it nothing is "
		"ignored.",
		{ctl_port_options}},
	{"`ports[].ignore`",
		"What of the port is not to be looked at. It ends as `ignored` in the ledger. A replay "
		"ignores what any port ignores.",
		{ctl_port_ignore_options}},
	{"`workers`", NULL, {ctl_workers_options}},
	{"`flows`", NULL, {ctl_flows_options}},
	{"`endpoints`", NULL, {ctl_endpoints_options}},
	{"`binding`",
		"Further key: `sources`, a list. `radius` (accounting), `gtpv1c`, `gtpv2c` and `pfcp`: "
		"copies of that signalling say who holds an endpoint; those named earlier are "
		"believed first. `static: FILE`: told facts whose `addresses` say it, "
		"believed before all of signalling where it stands in front of it, else where "
		"signalling knows nobody. A file may stand here "
		"and in `told.files`; it is read once, and addresses count wherever they are told.",
		{ctl_binding_options}},
	{"`told`", NULL, {ctl_told_files_options}},
	{"`rules`",
		"A list of mappings. `detect` (required) names the detector; its parameters are keys "
		"of the rule too. `when` is a mapping of its own.",
		{ctl_rule_options}},
	{"`rules[].when`", NULL, {ctl_when_options}},
	{"`redis`", NULL, {ctl_redis_options, ctl_redis_raw_options}},
	{"`store`", NULL, {ctl_store_options}},
	{"`rot`",
		"The alarm of apps whose names have been changed ([catalogue.md](catalogue.md#when-names-change)).",
		{ctl_rot_options}},
	{"`samples`", NULL, {ctl_samples_options}},
	{"`xdp`",
		"What the program in the kernel keeps for all XDP ports together: memory of "
		"the kernel, taken at start ([operations.md](operations.md#xdp)).",
		{ctl_xdp_options}},
	{"`control`", NULL, {ctl_control_options}},
	{"`privacy`", "Required.", {ctl_privacy_options, ctl_privacy_raw_options}},
};

static const struct section apps_sections[] = {
	{"`apps`",
		"A list of mappings, the only key of the file. `tags` maps a tag to a list of hosts of "
		"the app. A host, a protocol, a network and a port belong to one app. An app needs at "
		"least one of `ndpi`, `hosts`, `hosts_file`, `tags`, `nets`, `ports`.",
		{ctl_app_options, ctl_app_lists}},
};

static const struct section told_sections[] = {
	{"Top level", "Further keys: the lists `plans` and `subscribers`.",
		{ctl_told_file_options}},
	{"`plans`", "What the operator sells.", {ctl_told_plan_options}},
	{"`subscribers`",
		"A list of mappings. Further keys: `addresses` (a list of addresses, or mappings as "
		"below), `plan`, `line`, `consent`, `holds`, `cycle_history`.",
		{ctl_told_entry_options}},
	{"`addresses`", NULL, {ctl_told_address_options}},
	{"`plan`", "Further key: the list `buckets`.", {ctl_told_subscription_options}},
	{"`plan.buckets`",
		"Further key: `scope`, which is `all` (the default) or a mapping as below.",
		{ctl_told_bucket_options}},
	{"`plan.buckets[].scope`", NULL, {ctl_told_scope_options}},
	{"`line`", "Without it upsell and retention are held back (G3).", {ctl_told_line_options}},
	{"`consent`", "A list of mappings.", {ctl_told_consent_options}},
	{"`holds`", "A list of mappings.", {ctl_told_hold_options}},
	{"`cycle_history`", "A list of mappings: cycles that wirecue did not see.",
		{ctl_told_cycle_options}},
};

static void print_section(const struct section *s, GString *out)
{
	g_string_append_printf(out, "\n#### %s\n\n", s->title);
	if (s->text != NULL)
		g_string_append_printf(out, "%s\n", s->text);
	if (s->options[0] == NULL)
		return;
	if (s->text != NULL)
		g_string_append_c(out, '\n');
	ctl_options_print_head(out);
	for (size_t i = 0; i < G_N_ELEMENTS(s->options) && s->options[i] != NULL; i++)
		ctl_options_print(s->options[i], out);
}

static void print_sections(
	const char *title, const struct section *sections, size_t n, GString *out)
{
	g_string_append_printf(out, "%s### %s\n", out->len > 0 ? "\n" : "", title);
	for (size_t i = 0; i < n; i++)
		print_section(&sections[i], out);
}

void ctl_reference_print(const struct ctl_detector *const *detectors, GString *out)
{
	print_sections("wirecue.yaml", wirecue_sections, G_N_ELEMENTS(wirecue_sections), out);
	g_string_append(out, "\n### Detectors\n");
	for (; *detectors != NULL; detectors++) {
		g_autofree char *title = g_strdup_printf("`detect: %s`", (*detectors)->name);
		const struct section s = {title, (*detectors)->help, {(*detectors)->params}};

		print_section(&s, out);
	}
	print_sections("apps.yaml", apps_sections, G_N_ELEMENTS(apps_sections), out);
	print_sections("Told facts", told_sections, G_N_ELEMENTS(told_sections), out);
}
