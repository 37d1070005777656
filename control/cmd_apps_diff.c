// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_commands.h"
#include "control/apps_source.h"
#include "control/diff_answer.h"
#include "control/flow_diff.h"
#include "control/flow_lines.h"
#include "control/question.h"
#include "control/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
	"usage: wirecue apps diff [--json] [--socket PATH]\n"
	"       wirecue apps diff NEW [-c FILE] [--apps FILE] [--json] [--flows FILE] --on CAPTURE...\n"
	"\n"
	"Says which flows, bytes and subscribers would go from which app to which: by what is staged in the running\n"
	"daemon (`wirecue apps stage`), of its flows that live and that ended in the last minutes; or by the\n"
	"catalogue NEW, on captures. Each capture is replayed twice, with the catalogue that the first line names and with\n"
	"NEW.\n"
	"\n"
	"      --on CAPTURE   captures (pcap, pcapng; several are merged by time); all words behind it\n"
	"  -c, --config FILE  the configuration: the catalogue that a start with it would take, which is the\n"
	"                     version that was committed last, or the configured file when it has changed\n"
	"                     since; without it the shipped catalogue\n"
	"      --apps FILE    instead of that catalogue\n"
	"      --json         one JSON object\n"
	"      --flows FILE   write each flow that changes as NEW has it, one JSON object a line, with what\n"
	"                     it was under \"was\". With addresses, therefore for its owner alone (0600)\n"
	"      --socket PATH  where the daemon answers, instead of $WIRECUE_CONTROL_SOCKET or\n"
	"                     " CTL_SOCKET_PATH "\n"
	"  -h, --help         this text\n"
	"\n"
	"Subscribers are counted by endpoint. Examples are the domains of names, for what stands before\n"
	"may say who somebody is, or ports of servers.\n"
	"\n"
	"Exit codes: 0 success, whether anything changes or not; 1 a capture cannot be read or breaks off, no\n"
	"daemon answers, or nothing is staged; 2 usage error, or mistakes in NEW or in the configuration: then no capture is read.\n";

struct options {
	const char *new, *config, *apps, *flows, *socket; // NULL: not given
	GPtrArray *captures; // const char *
	bool is_json, has_on;
};

enum { OPT_ON = 256, OPT_APPS, OPT_JSON, OPT_FLOWS, OPT_SOCKET };

/* A word that belongs to no option. Returns -1 to go on, else the exit code; likewise below. */
static int take_word(struct options *o, const char *word)
{
	if (o->has_on)
		g_ptr_array_add(o->captures, (void *)word);
	else if (o->new == NULL)
		o->new = word;
	else
		return ctl_complain(CTL_EXIT_USAGE,
			"apps diff: '%s' is too much, expected one NEW, and captures behind --on",
			word);
	return -1;
}

static int take_option(struct options *o, int c, char *const argv[])
{
	switch (c) {
	case 1: // as RETURN_IN_ORDER gives words
		return take_word(o, optarg);
	case 'c':
		o->config = optarg;
		return -1;
	case OPT_ON:
		o->has_on = true;
		return take_word(o, optarg);
	case OPT_APPS:
		o->apps = optarg;
		return -1;
	case OPT_JSON:
		o->is_json = true;
		return -1;
	case OPT_FLOWS:
		o->flows = optarg;
		return -1;
	case OPT_SOCKET:
		o->socket = optarg;
		return -1;
	case 'h':
		(void)fputs(usage, stdout);
		return CTL_EXIT_OK;
	default:
		return ctl_complain_option(c, argv);
	}
}

static int check_offline(const struct options *o)
{
	if (o->new == NULL)
		return ctl_complain(CTL_EXIT_USAGE,
			"apps diff: no NEW, expected a catalogue such as my-apps.yaml in front of "
			"--on");
	if (o->socket != NULL)
		return ctl_complain(CTL_EXIT_USAGE,
			"apps diff: --socket with --on, expected one of them: a daemon, or captures");
	return -1;
}

static int check_live(const struct options *o)
{
	if (o->new != NULL)
		return ctl_complain(CTL_EXIT_USAGE,
			"apps diff: '%s' without --on: expected --on CAPTURE... behind it, or `wirecue "
			"apps stage %s` and then `wirecue apps diff`",
			o->new, o->new);
	if (o->config != NULL || o->apps != NULL || o->flows != NULL)
		return ctl_complain(CTL_EXIT_USAGE,
			"apps diff: %s without --on, expected NEW --on CAPTURE... as well: the running "
			"daemon knows its catalogues, and tells of no single flow",
			o->config != NULL	  ? "--config"
				: o->apps != NULL ? "--apps"
						  : "--flows");
	return -1;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {{"on", required_argument, NULL, OPT_ON},
		{"config", required_argument, NULL, 'c'},
		{"apps", required_argument, NULL, OPT_APPS}, {"json", no_argument, NULL, OPT_JSON},
		{"flows", required_argument, NULL, OPT_FLOWS},
		{"socket", required_argument, NULL, OPT_SOCKET}, {"help", no_argument, NULL, 'h'},
		{0}};
	int c, code = -1;

	optind = 0; // a new scan: the dispatcher has done its own
	while (code < 0 && (c = getopt_long(argc, argv, "-:c:h", options, NULL)) >= 0)
		code = take_option(o, c, argv);
	for (; code < 0 && optind < argc; optind++) // behind "--"
		code = take_word(o, argv[optind]);
	if (code >= 0)
		return code;
	return o->has_on ? check_offline(o) : check_live(o);
}

/* Every mistake is told before hours of capture are read. */
static int check(const char *config, const char *apps)
{
	struct ctl_apps_source source;
	const int code = ctl_apps_source_open(config, apps, &source);

	if (code < 0)
		ctl_apps_source_fini(&source);
	return code;
}

static int worse(int a, int b)
{
	return a > b ? a : b;
}

/* --- two runs --------------------------------------------------------------------------------- */

enum { BEFORE, AFTER, N_RUNS };

struct runs {
	const struct ctl_apps_source *before;
	struct ctl_flow_lines *lines[N_RUNS]; // owned
	struct ctl_flow_diff *diff; // owned
	struct ctl_domains *domains; // owned
	FILE *flows; // owned; NULL: nobody wants them
};

/* Addresses are for the owner alone, also in a file that was there; a device keeps its mode. */
static bool keep_private(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (!S_ISREG(st.st_mode) || fchmod(fd, 0600) == 0);
}

static int open_flows(const char *path, FILE **ret_flows)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd >= 0 && keep_private(fd))
		*ret_flows = fdopen(fd, "w");
	if (*ret_flows != NULL)
		return -1;
	(void)ctl_complain(CTL_EXIT_FAILURE,
		"cannot write '%s': %m, expected a path where a file can be made", path);
	if (fd >= 0)
		(void)close(fd);
	return CTL_EXIT_FAILURE;
}

/* What a replay is to take instead of the configured catalogue. NULL: nothing. */
static const char *apps_before(const struct options *o, const struct ctl_apps_source *before)
{
	return before->version != 0 ? before->path : o->apps;
}

static int open_runs(const struct options *o, struct runs *runs)
{
	struct dp_err err;

	if (ctl_domains_open(&runs->domains, &err) < 0)
		return ctl_complain(CTL_EXIT_FAILURE, "apps diff: %s", err.text);
	runs->diff = ctl_flow_diff_new(runs->domains);
	for (int i = 0; i < N_RUNS; i++) {
		const struct ctl_flow_lines_config config = {.config = o->config,
			.apps = i == AFTER ? o->new : apps_before(o, runs->before),
			.captures = (const char *const *)o->captures->pdata,
			.n_captures = o->captures->len,
			.is_silent = i == AFTER}; // what is wrong with the captures, one says

		if (ctl_flow_lines_open(&config, &runs->lines[i], &err) < 0)
			return ctl_complain(CTL_EXIT_FAILURE, "apps diff: %s", err.text);
	}
	return o->flows != NULL ? open_flows(o->flows, &runs->flows) : -1;
}

/* As the new catalogue has it, and what it was. */
static void write_flow(FILE *out, const json_t *before, json_t *after)
{
	static const char *const keys[] = {"app", "category", "tag", "evidence", "confidence"};
	json_t *was = json_object();

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		json_t *value = json_object_get(before, keys[i]);

		if (value != NULL)
			(void)json_object_set(was, keys[i], value);
	}
	(void)json_object_set_new(after, "was", was);
	// A write error stays in the stream until it is closed.
	(void)json_dumpf(after, out, JSON_COMPACT);
	(void)fputc('\n', out);
}

/* Hold a flow of one run against that of the other. Returns 0, or -errno with a sentence. */
static int compare(struct runs *runs, const json_t *before, json_t *after, struct dp_err *reterr)
{
	const int r = ctl_flow_diff_add(runs->diff, before, after, reterr);

	if (r > 0 && runs->flows != NULL)
		write_flow(runs->flows, before, after);
	return MIN(r, 0);
}

/* Until one of them has no more: ret_more says of each whether it had. Returns 0, or -errno with a sentence. */
static int compare_all(struct runs *runs, bool ret_more[N_RUNS], struct dp_err *reterr)
{
	int r = 0;

	do {
		json_t *flows[N_RUNS] = {NULL};

		for (int i = 0; i < N_RUNS && r >= 0; i++) {
			r = ctl_flow_lines_next(runs->lines[i], &flows[i], reterr);
			ret_more[i] = r > 0;
		}
		if (r >= 0 && ret_more[BEFORE] && ret_more[AFTER])
			r = compare(runs, flows[BEFORE], flows[AFTER], reterr);
		json_decref(flows[BEFORE]);
		json_decref(flows[AFTER]);
	} while (r >= 0 && ret_more[BEFORE] && ret_more[AFTER]);
	return r;
}

/* How a run that has no more flows ended. What a silent one said is told unless the other did. */
static int end_run(struct runs *runs, int i, bool is_told)
{
	struct dp_err err = {0};
	const int code = ctl_flow_lines_end(runs->lines[i], &err);

	if (err.text[0] != '\0')
		return ctl_complain(CTL_EXIT_FAILURE, "apps diff: %s", err.text);
	if (code != CTL_EXIT_OK && !is_told)
		(void)fputs(ctl_flow_lines_said(runs->lines[i]), stderr);
	return code;
}

/* Returns the exit code. */
static int run(struct runs *runs)
{
	bool has_more[N_RUNS] = {false};
	struct dp_err err;
	int code = CTL_EXIT_OK;

	if (compare_all(runs, has_more, &err) < 0)
		return ctl_complain(CTL_EXIT_FAILURE, "apps diff: %s", err.text);
	for (int i = 0; i < N_RUNS; i++) {
		if (!has_more[i])
			code = worse(code, end_run(runs, i, code != CTL_EXIT_OK));
	}
	if (code == CTL_EXIT_OK && has_more[BEFORE] != has_more[AFTER])
		return ctl_complain(CTL_EXIT_FAILURE,
			"apps diff: the run with the %s catalogue has fewer flows than the other: a "
			"fault of this program, for both see the same packets",
			has_more[BEFORE] ? "new" : "configured");
	return code;
}

/* --- the answer ------------------------------------------------------------------------------- */

static int print(const struct runs *runs, bool is_json)
{
	GPtrArray *changes = g_ptr_array_new_with_free_func(ctl_question_free_record);
	g_autofree char *head = ctl_apps_source_line(runs->before);
	json_t *keys = json_pack("{s:o}", "catalogue", ctl_apps_source_json(runs->before));
	const struct ctl_diff_answer answer = {.head = head,
		.keys = keys,
		.totals = ctl_flow_diff_totals(runs->diff),
		.changes = changes};
	int code;

	ctl_flow_diff_records(runs->diff, changes);
	code = ctl_diff_answer_print(&answer, is_json);
	json_decref(keys);
	g_ptr_array_free(changes, TRUE);
	return code;
}

static int close_flows(struct runs *runs, const char *path)
{
	FILE *flows = g_steal_pointer(&runs->flows);
	const bool is_broken = flows != NULL && ferror(flows);

	if (flows != NULL && (fclose(flows) != 0 || is_broken))
		return ctl_complain(CTL_EXIT_FAILURE, "cannot write '%s': %m", path);
	return CTL_EXIT_OK;
}

static int diff(const struct options *o, const struct ctl_apps_source *before)
{
	struct runs runs = {.before = before};
	int code = open_runs(o, &runs);

	if (code < 0) {
		code = run(&runs);
		// Of captures that break off, what was read is told.
		if (code == CTL_EXIT_OK || ctl_flow_diff_count(runs.diff) > 0)
			code = worse(code, print(&runs, o->is_json));
		code = worse(code, close_flows(&runs, o->flows));
	}
	(void)close_flows(&runs, o->flows); // left over by a failed start
	for (int i = 0; i < N_RUNS; i++)
		ctl_flow_lines_free(runs.lines[i]);
	ctl_flow_diff_free(runs.diff);
	ctl_domains_close(runs.domains);
	return code;
}

int ctl_cmd_apps_diff(int argc, char **argv)
{
	struct options o = {.captures = g_ptr_array_new()};
	struct ctl_apps_source before = {0};
	int code = parse(argc, argv, &o);

	if (code < 0 && !o.has_on)
		code = ctl_diff_ask_daemon(o.socket, o.is_json);
	if (code < 0)
		code = ctl_apps_source_open(o.config, o.apps, &before);
	if (code < 0)
		code = check(o.config, o.new);
	if (code < 0)
		code = diff(&o, &before);
	ctl_apps_source_fini(&before);
	g_ptr_array_free(o.captures, TRUE);
	return code;
}
