// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_commands.h"

#include "control/config.h"
#include "control/flow_lines.h"
#include "control/question.h"
#include "control/sample_addrs.h"
#include "control/socket.h"
#include "control/unknown.h"
#include "control/unknown_draft.h"
#include "control/unknown_flow.h"
#include "control/unknown_live.h"
#include "control/unknown_rows.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROWS = 40, // without --top
	ROWS_MAX = 10000,
};

static const char help_text[] =
	"usage: wirecue apps unknown [--top N] [--draft | --json] [--socket PATH]\n"
	"       wirecue apps unknown --on CAPTURE... [OPTION...]\n"
	"\n"
	"What has no app, or one by weak evidence alone (address, port): by name, else by server,\n"
	"else by the library's protocol; most bytes first. Of the running daemon: of the flows\n"
	"that live and of those that ended lately, by the catalogue in force.\n"
	"\n"
	"      --top N          rows at most, 1 to 10000; 40 by default\n"
	"      --draft          entries ready to edit, and to append to the catalogue\n"
	"      --json           one JSON object a line\n"
	"      --socket PATH    where the daemon answers, instead of $WIRECUE_CONTROL_SOCKET or\n"
	"                       " CTL_SOCKET_PATH "\n"
	"      --on CAPTURE...  on captures instead; several are merged by time; with it alone:\n"
	"  -c, --config FILE    wirecue.yaml; without it: default networks, the shipped catalogue\n"
	"      --apps FILE      the catalogue, instead of the one that the configuration names\n"
	"      --names          names as they are, though fewer than three endpoints have shown\n"
	"                       them: for captures of your own\n"
	"      --workers N      worker threads, 1 to 64; the output does not depend on it\n"
	"  -h, --help           this text\n"
	"\n"
	"Exit codes: 0 success; 1 a capture cannot be read or breaks off, no daemon answers;\n"
	"2 usage or configuration error.\n";

enum { OPT_ON = 256, OPT_APPS, OPT_TOP, OPT_NAMES, OPT_DRAFT, OPT_JSON, OPT_WORKERS, OPT_SOCKET };

struct options {
	struct ctl_flow_lines_config replay;
	const char *socket; // NULL: not given
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
	case OPT_SOCKET:
		o->socket = optarg;
		return -1;
	case 'h':
		(void)fputs(help_text, stdout);
		return CTL_EXIT_OK;
	default:
		return ctl_complain_option(c, argv);
	}
}

/* Returns -1 to go on, else an exit status. */
static int parse_live(int argc, char **argv, const struct options *o)
{
	const struct {
		const char *option;
		bool is_given;
	} of_captures[] = {{"-c", o->replay.config != NULL}, {"--apps", o->replay.apps != NULL},
		{"--names", o->shows_names}, {"--workers", o->replay.n_workers != NULL}};

	if (optind < argc)
		return ctl_complain(CTL_EXIT_USAGE,
			"apps unknown: '%s', expected --on in front of a capture, or nothing: the "
			"running daemon is asked",
			argv[optind]);
	for (size_t i = 0; i < G_N_ELEMENTS(of_captures); i++)
		if (of_captures[i].is_given)
			return ctl_complain(CTL_EXIT_USAGE,
				"apps unknown: %s is for captures, expected --on CAPTURE with it",
				of_captures[i].option);
	return -1;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {{"socket", required_argument, NULL, OPT_SOCKET},
		{"on", required_argument, NULL, OPT_ON}, {"config", required_argument, NULL, 'c'},
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
	if (o->is_draft && o->is_json)
		return ctl_complain(
			CTL_EXIT_USAGE, "apps unknown: --draft with --json, expected one of them");
	if (o->captures->len == 0)
		return parse_live(argc, argv, o);
	if (o->socket != NULL)
		return ctl_complain(CTL_EXIT_USAGE,
			"apps unknown: --on with --socket, expected captures or the daemon");
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

/* given. */
static void add(GPtrArray *records, json_t *given, bool is_json)
{
	if (!is_json)
		ctl_unknown_record_to_text(given);
	g_ptr_array_add(records, given);
}

static int print_rows(const struct task *t, const GPtrArray *rows,
	const struct ctl_unknown_sum *others, const struct ctl_unknown_sum *unknown)
{
	const bool is_json = t->opt->is_json;
	const struct ctl_unknown_sum all = ctl_flow_sum_of(&t->all);
	GPtrArray *records = g_ptr_array_new_with_free_func(ctl_question_free_record);
	int code;

	for (guint i = 0; i < rows->len; i++)
		add(records, ctl_unknown_record(rows->pdata[i]), is_json);
	if (others->flows > 0)
		add(records, ctl_unknown_sum_record("others", others), is_json);
	add(records, ctl_unknown_sum_record("unknown", unknown), is_json);
	add(records, ctl_unknown_sum_record("all", &all), is_json);
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

static int ask(const struct options *opt)
{
	const struct ctl_asking asking = {
		.path = opt->socket != NULL ? opt->socket : ctl_question_path(),
		.is_json = opt->is_json};

	return ctl_unknown_live(&asking, opt->n_rows, opt->is_draft);
}

int ctl_cmd_apps_unknown(int argc, char **argv)
{
	struct options opt = {.captures = g_ptr_array_new(), .n_rows = ROWS};
	struct task t = {.opt = &opt};
	int code = parse(argc, argv, &opt);

	if (code < 0)
		code = opt.captures->len > 0 ? run(&t) : ask(&opt);
	ctl_flow_sum_clear(&t.all);
	ctl_unknown_free(t.unknown);
	ctl_domains_close(t.domains);
	ctl_config_free(t.config);
	g_ptr_array_unref(opt.captures);
	return code;
}
