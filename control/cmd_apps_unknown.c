// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_commands.h"

#include "control/config.h"
#include "control/flow_lines.h"
#include "control/question.h"
#include "control/sample_addrs.h"
#include "control/unknown.h"
#include "control/unknown_draft.h"
#include "control/unknown_flow.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROWS = 40, // without --top
	ROWS_MAX = 10000,
};

static const char help_text[] =
	"usage: wirecue apps unknown --on CAPTURE... [OPTION...]\n"
	"\n"
	"What has no app on captures, or one by weak evidence alone (address, port): by name,\n"
	"else by server, else by the library's protocol; most bytes first.\n"
	"\n"
	"      --on CAPTURE...  pcap or pcapng files; several are merged by time\n"
	"  -c, --config FILE    wirecue.yaml; without it: default networks, the shipped catalogue\n"
	"      --apps FILE      the catalogue, instead of the one that the configuration names\n"
	"      --top N          rows at most, 1 to 10000; 40 by default\n"
	"      --names          names as they are, though fewer than three endpoints have shown\n"
	"                       them: for captures of your own\n"
	"      --draft          entries ready to edit, and to append to the catalogue\n"
	"      --json           one JSON object a line\n"
	"      --workers N      worker threads, 1 to 64; the output does not depend on it\n"
	"  -h, --help           this text\n"
	"\n"
	"Exit codes: 0 success; 1 a capture cannot be read or breaks off; 2 usage or\n"
	"configuration error.\n";

enum { OPT_ON = 256, OPT_APPS, OPT_TOP, OPT_NAMES, OPT_DRAFT, OPT_JSON, OPT_WORKERS };

struct options {
	struct ctl_flow_lines_config replay;
	const char *on; // the first capture
	GPtrArray *captures; // const char *, borrowed
	size_t n_rows;
	bool shows_names, is_draft, is_json;
};

/* What is asked about, and what is found. */
struct task {
	const struct options *opt;
	struct ctl_config *config;
	struct ctl_domains *domains;
	struct ctl_unknown *unknown;
	struct ctl_flow_sum all;
};

/* --- options ---------------------------------------------------------------------------------- */

static int set_number(const char *option, const char *text, unsigned long max, size_t *ret)
{
	char *end;
	const unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n < 1 || n > max)
		return ctl_complain(CTL_EXIT_USAGE, "%s '%s', expected a number from 1 to %lu",
			option, text, max);
	*ret = n;
	return -1;
}

/* Returns -1 to go on, else an exit status. */
static int set_option(struct options *o, int c, char *const argv[])
{
	size_t n_workers;

	switch (c) {
	case 'c':
		o->replay.config = optarg;
		return -1;
	case OPT_ON:
		g_ptr_array_add(o->captures, optarg);
		return -1;
	case OPT_APPS:
		o->replay.apps = optarg;
		return -1;
	case OPT_TOP:
		return set_number("--top", optarg, ROWS_MAX, &o->n_rows);
	case OPT_NAMES:
		o->shows_names = true;
		return -1;
	case OPT_DRAFT:
		o->is_draft = true;
		return -1;
	case OPT_JSON:
		o->is_json = true;
		return -1;
	case OPT_WORKERS:
		o->replay.n_workers = optarg;
		return set_number("--workers", optarg, 64, &n_workers);
	case 'h':
		(void)fputs(help_text, stdout);
		return CTL_EXIT_OK;
	default:
		return ctl_complain_option(c, argv);
	}
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {{"on", required_argument, NULL, OPT_ON},
		{"config", required_argument, NULL, 'c'},
		{"apps", required_argument, NULL, OPT_APPS},
		{"top", required_argument, NULL, OPT_TOP}, {"names", no_argument, NULL, OPT_NAMES},
		{"draft", no_argument, NULL, OPT_DRAFT}, {"json", no_argument, NULL, OPT_JSON},
		{"workers", required_argument, NULL, OPT_WORKERS}, {"help", no_argument, NULL, 'h'},
		{0}};
	int c;

	optind = 0; // a new scan
	while ((c = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
		const int code = set_option(o, c, argv);

		if (code >= 0)
			return code;
	}
	if (o->captures->len == 0)
		return ctl_complain(CTL_EXIT_USAGE,
			"apps unknown: nothing to look at, expected --on CAPTURE...");
	if (o->is_draft && o->is_json)
		return ctl_complain(
			CTL_EXIT_USAGE, "apps unknown: --draft with --json, expected one of them");
	for (int i = optind; i < argc; i++) // --on takes one, and all that stand alone
		g_ptr_array_add(o->captures, argv[i]);
	o->replay.captures = (const char *const *)o->captures->pdata;
	o->replay.n_captures = o->captures->len;
	return -1;
}

/* --- flows in --------------------------------------------------------------------------------- */

/* Returns 0, or -errno with a sentence. */
static int read_flows(struct task *t, struct ctl_flow_lines *lines, struct dp_err *err)
{
	json_t *flow;
	int r;

	while ((r = ctl_flow_lines_next(lines, &flow, err)) > 0) {
		r = ctl_unknown_add_flow(t->unknown, &t->config->nets, flow, &t->all, err);
		json_decref(flow);
		if (r < 0)
			return r;
	}
	return r;
}

/* Returns the exit code; what was read is worth showing when there was any. */
static int replay(struct task *t)
{
	struct ctl_flow_lines *lines;
	struct dp_err err = {""};
	int code = CTL_EXIT_FAILURE;

	if (ctl_flow_lines_open(&t->opt->replay, &lines, &err) == 0) {
		if (read_flows(t, lines, &err) == 0)
			code = ctl_flow_lines_end(lines, &err);
		ctl_flow_lines_free(lines);
	}
	return err.text[0] != '\0' ? ctl_complain(code, "%s", err.text) : code;
}

/* --- rows out --------------------------------------------------------------------------------- */

static const char *kind_of(const struct ctl_unknown_row *row)
{
	switch (row->kind) {
	case CTL_UNKNOWN_HOST:
		return row->is_shared ? "shared" : "host";
	case CTL_UNKNOWN_SERVER:
		return strchr(row->what, '/') != NULL ? "network" : "server";
	default:
		return "protocol";
	}
}

/* "tcp:443", as the catalogue writes ports; "tcp" where there are many; null of names. */
static json_t *port_of(const struct ctl_unknown_row *row)
{
	if (row->kind == CTL_UNKNOWN_HOST)
		return json_null();
	if (row->port == 0)
		return json_string(row->l4);
	return json_sprintf("%s:%u", row->l4, row->port);
}

static json_t *examples_of(const struct ctl_unknown_row *row, bool is_json)
{
	json_t *list;

	if (!is_json) {
		g_autofree char *text = g_strjoinv(",", (char **)row->examples);

		return *text != '\0' ? json_string(text) : json_null();
	}
	list = json_array();
	for (int i = 0; row->examples[i] != NULL; i++)
		(void)json_array_append_new(list, json_string(row->examples[i]));
	return list;
}

static json_t *record_of(const struct ctl_unknown_row *row, bool is_json)
{
	const bool has_domain = is_json || g_strcmp0(row->domain, row->what) != 0;

	return json_pack("{s:I, s:I, s:I, s:I, s:s, s:s, s:o, s:s, s:s?, s:s?, s:o}", "bytes",
		(json_int_t)row->bytes, "flows", (json_int_t)row->flows, "subscribers",
		(json_int_t)row->subscribers, "weak_bytes", (json_int_t)row->weak_bytes, "kind",
		kind_of(row), "what", row->what, "port", port_of(row), "proto", row->proto, "app",
		row->app, "domain", has_domain ? row->domain : NULL, "examples",
		examples_of(row, is_json));
}

/* In the table every line has all columns, even where there is no row. */
static json_t *record_of_sum(const char *kind, const struct ctl_unknown_sum *sum, bool is_json)
{
	static const char *const of_rows[] = {"what", "port", "proto", "app", "domain", "examples"};
	json_t *record = json_pack("{s:I, s:I, s:I, s:I, s:s}", "bytes", (json_int_t)sum->bytes,
		"flows", (json_int_t)sum->flows, "subscribers", (json_int_t)sum->subscribers,
		"weak_bytes", (json_int_t)sum->weak_bytes, "kind", kind);

	for (size_t i = 0; i < G_N_ELEMENTS(of_rows) && !is_json; i++)
		(void)json_object_set_new(record, of_rows[i], json_null());
	return record;
}

static int print_rows(const struct task *t, const GPtrArray *rows,
	const struct ctl_unknown_sum *others, const struct ctl_unknown_sum *unknown)
{
	const bool is_json = t->opt->is_json;
	const struct ctl_unknown_sum all = ctl_flow_sum_of(&t->all);
	GPtrArray *records = g_ptr_array_new_with_free_func(ctl_question_free_record);
	int code;

	for (guint i = 0; i < rows->len; i++)
		g_ptr_array_add(records, record_of(rows->pdata[i], is_json));
	if (others->flows > 0)
		g_ptr_array_add(records, record_of_sum("others", others, is_json));
	g_ptr_array_add(records, record_of_sum("unknown", unknown, is_json));
	g_ptr_array_add(records, record_of_sum("all", &all, is_json));
	code = ctl_apps_print(records, is_json);
	g_ptr_array_unref(records);
	return code;
}

static int print_draft(const struct task *t, const GPtrArray *rows)
{
	g_autoptr(GString) text = g_string_new(NULL);

	ctl_unknown_draft(rows, t->config->catalogue, t->domains,
		ctl_unknown_draft_indent(t->config->apps_path), text);
	if (fputs(text->str, stdout) == EOF || fflush(stdout) != 0)
		return ctl_complain(CTL_EXIT_FAILURE, "apps unknown: cannot write the draft: %m");
	return CTL_EXIT_OK;
}

static int print(const struct task *t)
{
	struct ctl_unknown_sum others, unknown;
	GPtrArray *rows = ctl_unknown_report(t->unknown, t->opt->n_rows, &others, &unknown);
	const int code = t->opt->is_draft ? print_draft(t, rows)
					  : print_rows(t, rows, &others, &unknown);

	g_ptr_array_unref(rows);
	return code;
}

static int run(struct task *t)
{
	const struct ctl_config_overrides overrides = {.apps = t->opt->replay.apps};
	struct dp_err err;
	int code, printed;

	// Before the child reads it, so that each mistake is reported once.
	if (ctl_config_load(
		    t->opt->replay.config, &overrides, ctl_print_mistake, NULL, &t->config) < 0)
		return CTL_EXIT_USAGE;
	ctl_sample_addrs_know(&t->config->nets);
	if (ctl_domains_open(&t->domains, &err) < 0)
		return ctl_complain(CTL_EXIT_FAILURE, "apps unknown: %s", err.text);
	t->unknown = ctl_unknown_new(t->domains, CTL_UNKNOWN_KEPT);
	if (t->opt->shows_names)
		ctl_unknown_show_names(t->unknown);
	code = replay(t);
	if (code != CTL_EXIT_OK && t->all.flows == 0)
		return code;
	printed = print(t);
	return code != CTL_EXIT_OK ? code : printed;
}

int ctl_cmd_apps_unknown(int argc, char **argv)
{
	struct options opt = {.captures = g_ptr_array_new(), .n_rows = ROWS};
	struct task t = {.opt = &opt};
	int code = parse(argc, argv, &opt);

	if (code < 0)
		code = run(&t);
	ctl_flow_sum_clear(&t.all);
	ctl_unknown_free(t.unknown);
	ctl_domains_close(t.domains);
	ctl_config_free(t.config);
	g_ptr_array_unref(opt.captures);
	return code;
}
