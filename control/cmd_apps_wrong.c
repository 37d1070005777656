// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_commands.h"
#include "control/apps_explain.h"
#include "control/apps_remedy.h"
#include "control/checks.h"
#include "control/config.h"
#include "control/flow_lines.h"
#include "control/flow_name.h"
#include "control/flow_sample.h"
#include "control/question.h"
#include "control/socket.h"
#include "control/table.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SAMPLES_MAX = 100 }; // of one app and instant

static const char usage[] =
	"usage: wirecue apps wrong FLOW APP [--apps FILE] [--json] [--socket PATH]\n"
	"       wirecue apps wrong FLOW APP --to DIR [-c FILE] [--apps FILE] [--json] --on CAPTURE...\n"
	"\n"
	"A flow got the wrong app: says why, and drafts the rule that would have made it APP. FLOW is one of the\n"
	"running daemon, as `wirecue show flows` has it, which lives or has ended in the last minutes; or one of\n"
	"captures, whose packets are kept as a capture of their own: tcp:10.0.0.7:50312-203.0.113.9:443, either\n"
	"side first, IPv6 addresses in brackets. APP is one of the catalogue, or a new name.\n"
	"\n"
	"      --on CAPTURE   captures with the flow (pcap, pcapng); all words behind it\n"
	"      --to DIR       folder of samples, made when it is not there: a file each, for its owner alone\n"
	"                     (0600), with the bytes of its first packets and the headers of all others\n"
	"  -c, --config FILE  the configuration that names the catalogue; without it the shipped one\n"
	"      --apps FILE    instead of that catalogue, or of the one in force\n"
	"      --json         one JSON object\n"
	"      --socket PATH  where the daemon answers, instead of $WIRECUE_CONTROL_SOCKET or\n"
	"                     " CTL_SOCKET_PATH "\n"
	"  -h, --help         this text\n"
	"\n"
	"Exit codes: 0 success; 1 there is no such flow, or it is APP already; 2 usage or configuration error.\n";

struct options {
	const char *config, *apps, *dir, *flow, *app, *socket; // NULL: not given
	GPtrArray *captures; // const char *
	bool is_json, has_on;
};

enum { OPT_ON = 256, OPT_TO, OPT_APPS, OPT_JSON, OPT_SOCKET };

/* A word that belongs to no option. Returns -1 to go on, else the exit code; likewise below. */
static int take_word(struct options *o, const char *word)
{
	if (o->has_on)
		g_ptr_array_add(o->captures, (void *)word);
	else if (o->flow == NULL)
		o->flow = word;
	else if (o->app == NULL)
		o->app = word;
	else
		return ctl_complain(CTL_EXIT_USAGE,
			"apps wrong: '%s' is too much, expected FLOW and APP, and captures behind --on",
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
	case OPT_TO:
		o->dir = optarg;
		return -1;
	case OPT_APPS:
		o->apps = optarg;
		return -1;
	case OPT_JSON:
		o->is_json = true;
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
	if (o->dir == NULL)
		return ctl_complain(
			CTL_EXIT_USAGE, "apps wrong: no folder for the sample, expected --to DIR");
	if (o->socket != NULL)
		return ctl_complain(CTL_EXIT_USAGE,
			"apps wrong: --socket with --on, expected one of them: a daemon, or captures");
	return -1;
}

static int check_live(const struct options *o)
{
	if (o->dir != NULL)
		return ctl_complain(CTL_EXIT_USAGE,
			"apps wrong: --to without --on: packets that have passed cannot be kept; expected "
			"--on CAPTURE... as well, or the section `samples` of the configuration, which "
			"keeps some");
	if (o->config != NULL)
		return ctl_complain(CTL_EXIT_USAGE,
			"apps wrong: --config without --on, expected --on CAPTURE... as well: the running "
			"daemon knows its catalogue");
	return -1;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {{"on", required_argument, NULL, OPT_ON},
		{"to", required_argument, NULL, OPT_TO}, {"config", required_argument, NULL, 'c'},
		{"apps", required_argument, NULL, OPT_APPS}, {"json", no_argument, NULL, OPT_JSON},
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
	if (o->app == NULL)
		return ctl_complain(CTL_EXIT_USAGE, "apps wrong: no %s, expected FLOW and APP",
			o->flow == NULL ? "FLOW" : "APP");
	if (ctl_check_name(o->app) != NULL)
		return ctl_complain(
			CTL_EXIT_USAGE, "apps wrong: '%s', %s", o->app, ctl_check_name(o->app));
	if (strcmp(o->app, "unknown") == 0 || strcmp(o->app, "undecided") == 0)
		return ctl_complain(CTL_EXIT_USAGE,
			"apps wrong: '%s' is what has no app, expected the app that would be right",
			o->app);
	return o->has_on ? check_offline(o) : check_live(o);
}

/* What is known, and what is said of it. */
struct wrong {
	struct dp_five_tuple tuple;
	struct ctl_config *config; // owned
	struct ctl_domains *domains; // owned
	struct cls_oracle *library; // owned
	json_t *answer; // owned: of the daemon; NULL: there was none
	json_t *flow; // owned; its line
	GPtrArray *why; // json_t *, owned
	struct ctl_remedy remedy;
	struct ctl_sample sample;
	char *path; // owned; of the sample; NULL: there is none
};

/* The daemon's flow, and the catalogue that it was judged by. */
static int fetch(struct options *o, struct wrong *w)
{
	const int code = ctl_wrong_ask_daemon(o->socket, o->flow, &w->answer);

	if (code >= 0)
		return code;
	w->flow = json_incref(json_object_get(w->answer, "flow"));
	if (o->apps == NULL)
		o->apps = json_string_value(json_object_get(w->answer, "catalogue"));
	return json_is_object(w->flow) && o->apps != NULL
		? -1
		: ctl_complain(CTL_EXIT_FAILURE, "apps wrong: the daemon's answer has no flow");
}

static int load(const struct options *o, struct wrong *w)
{
	const struct ctl_config_overrides overrides = {.apps = o->apps};
	struct dp_err err;

	if (o->has_on && ctl_flow_name_read(o->flow, &w->tuple, &err) < 0)
		return ctl_complain(CTL_EXIT_USAGE, "apps wrong: %s", err.text);
	if (ctl_config_load(o->config, &overrides, ctl_print_mistake, NULL, &w->config) < 0)
		return CTL_EXIT_USAGE;
	if (ctl_domains_open(&w->domains, &err) < 0)
		return ctl_complain(CTL_EXIT_FAILURE, "apps wrong: %s", err.text);
	w->library = cls_oracle_new();
	return w->library != NULL ? -1
				  : ctl_complain(CTL_EXIT_FAILURE,
					    "apps wrong: cannot set up nDPI: it has no memory");
}

static json_int_t bytes_of(const json_t *flow)
{
	const json_t *bytes = json_object_get(flow, "bytes");

	return json_integer_value(json_array_get(bytes, 0)) +
		json_integer_value(json_array_get(bytes, 1));
}

/* A tuple may have several flows, one behind the other: the one with most bytes. */
static void consider(struct wrong *w, json_t *flow)
{
	struct dp_five_tuple t;

	if (ctl_flow_name_of_line(flow, &t) && ctl_flow_name_is(&t, &w->tuple) &&
		(w->flow == NULL || bytes_of(flow) > bytes_of(w->flow))) {
		json_decref(w->flow);
		w->flow = json_incref(flow);
	}
}

static int find(const struct options *o, struct wrong *w)
{
	const struct ctl_flow_lines_config config = {.config = o->config,
		.apps = o->apps,
		.captures = (const char *const *)o->captures->pdata,
		.n_captures = o->captures->len};
	struct ctl_flow_lines *lines;
	struct dp_err err = {0};
	json_t *flow;
	int r, code = CTL_EXIT_FAILURE;

	r = ctl_flow_lines_open(&config, &lines, &err);
	if (r < 0)
		return ctl_complain(CTL_EXIT_FAILURE, "apps wrong: %s", err.text);
	while ((r = ctl_flow_lines_next(lines, &flow, &err)) > 0) {
		consider(w, flow);
		json_decref(flow);
	}
	if (r == 0)
		code = ctl_flow_lines_end(lines, &err);
	ctl_flow_lines_free(lines);
	if (err.text[0] != '\0')
		return ctl_complain(CTL_EXIT_FAILURE, "apps wrong: %s", err.text);
	if (code == CTL_EXIT_OK && w->flow == NULL)
		return ctl_complain(CTL_EXIT_FAILURE,
			"apps wrong: the captures have no such flow, expected one of 'wirecue replay "
			"--flows'");
	return w->flow != NULL ? -1 : code;
}

static const char *text_of(const json_t *flow, const char *key)
{
	const char *text = json_string_value(json_object_get(flow, key));

	return text != NULL ? text : "";
}

/* Why the name is what it is, and what would make it another. */
static int explain(struct wrong *w)
{
	const struct ctl_explain by = {.catalogue = w->config->catalogue,
		.library = w->library,
		.domains = w->domains,
		.path = w->config->apps_path};
	struct ctl_asked asked;
	struct dp_err err;

	// A name of the wire may be none that can be asked for.
	if (ctl_asked_read(text_of(w->flow, "host"), &asked, NULL) == 0 &&
		ctl_explain(&by, &asked, 1, w->why, &err) < 0)
		return ctl_complain(CTL_EXIT_FAILURE, "apps wrong: %s", err.text);
	ctl_remedy_of(w->flow, w->why, w->config->catalogue, w->domains, &w->remedy);
	return -1;
}

/* Flows may begin in the same instant: the n-th of that name, from 1 on. Owned by the caller. */
static char *sample_path(const struct options *o, const struct wrong *w, int n)
{
	const json_int_t first_ns = json_integer_value(json_object_get(w->flow, "first_ns"));
	g_autofree char *number = n > 1 ? g_strdup_printf("-%d", n) : g_strdup("");

	return g_strdup_printf(
		"%s/wrong-%s-%" JSON_INTEGER_FORMAT "%s.pcap", o->dir, o->app, first_ns, number);
}

static bool is_same(const char *path, const char *other)
{
	g_autofree char *bytes = NULL, *other_bytes = NULL;
	size_t len, other_len;

	return g_file_get_contents(path, &bytes, &len, NULL) &&
		g_file_get_contents(other, &other_bytes, &other_len, NULL) && len == other_len &&
		memcmp(bytes, other_bytes, len) == 0;
}

/* Of n, the last is new: who asks for a flow again gets the sample that is there. */
static void drop_copy(const struct options *o, struct wrong *w, int n)
{
	for (int i = 1; i < n; i++) {
		g_autofree char *before = sample_path(o, w, i);

		if (!is_same(before, w->path))
			continue;
		(void)unlink(w->path);
		g_free(w->path);
		w->path = g_steal_pointer(&before);
		return;
	}
}

static int keep_sample(const struct options *o, struct wrong *w)
{
	struct dp_err err;
	int n = 0, r;

	if (mkdir(o->dir, 0700) < 0 && errno != EEXIST)
		return ctl_complain(CTL_EXIT_FAILURE,
			"apps wrong: cannot make '%s': %m, expected a folder for samples", o->dir);
	do {
		g_free(w->path);
		w->path = sample_path(o, w, ++n);
		r = ctl_sample_write((const char *const *)o->captures->pdata, o->captures->len,
			&w->tuple, w->path, &w->sample, &err);
	} while (r == -EEXIST && n < SAMPLES_MAX);
	if (r < 0)
		return ctl_complain(CTL_EXIT_FAILURE, "apps wrong: %s", err.text);
	drop_copy(o, w, n);
	return -1;
}

/* --- the answer ------------------------------------------------------------------------------- */

static int print_json(const struct options *o, const struct wrong *w)
{
	const struct ctl_remedy *r = &w->remedy;
	json_t *why = json_array(), *answer, *sample = json_null();

	if (w->path != NULL)
		sample = json_pack("{s:s, s:I, s:I}", "file", w->path, "packets",
			(json_int_t)w->sample.n_packets, "left_out",
			(json_int_t)w->sample.n_left_out);

	for (guint i = 0; i < w->why->len; i++)
		(void)json_array_append(why, w->why->pdata[i]);
	answer = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:{s:s?, s:s?, s:s?, s:b, s:s}, s:o}", "app",
		text_of(w->flow, "app"), "category", text_of(w->flow, "category"), "evidence",
		text_of(w->flow, "evidence"), "proto", text_of(w->flow, "proto"), "host",
		text_of(w->flow, "host"), "should_be", o->app, "rules", why, "remedy", "do",
		r->kind == CTL_REMEDY_NONE	    ? NULL
			: r->kind == CTL_REMEDY_ADD ? "add"
						    : "move",
		"key", r->key, "value", r->key != NULL ? r->value : NULL, "weak", r->is_weak, "why",
		r->why, "sample", sample);
	(void)json_dumpf(answer, stdout, JSON_COMPACT); // a write error stays in the stream
	(void)putchar('\n');
	json_decref(answer);
	return CTL_EXIT_OK;
}

/* The table of rules, each line a comment. */
static void print_rules(const struct wrong *w)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct ctl_table table;

	if (out == NULL)
		return;
	ctl_table_init(&table);
	ctl_table_print(&table, w->why, out);
	ctl_table_fini(&table);
	if (fclose(out) == 0) {
		g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

		for (char **line = lines; *line != NULL && **line != '\0'; line++)
			(void)printf("# %s\n", *line);
	}
	free(text);
}

/* What is to be written into the catalogue. */
static void print_remedy(const char *app, const struct wrong *w)
{
	const struct ctl_remedy *r = &w->remedy;
	const bool is_new = cls_app_by_name(w->config->catalogue, app) == DP_APP_UNKNOWN;
	const char *quote = strchr(r->value, ':') != NULL ? "\"" : ""; // an IPv6 address

	(void)printf("# %s: %s\n", app, r->why);
	if (r->is_weak)
		(void)puts(
			"# weak: it counts bytes, no trigger rests on it, and all that is stronger "
			"goes before it");
	if (r->kind == CTL_REMEDY_NONE)
		return;
	if (r->kind == CTL_REMEDY_MOVE)
		(void)puts("# take it away from the app that has it, too");
	if (is_new)
		(void)printf("  - name: %s\n    category: web # edit\n", app);
	else
		(void)printf("# to the app '%s':\n", app);
	(void)printf("    %s: [%s%s%s]\n", r->key, quote, r->value, quote);
}

static int print_text(const struct options *o, const struct wrong *w)
{
	const char *host = text_of(w->flow, "host"), *evidence = text_of(w->flow, "evidence");
	const bool is_known = strcmp(evidence, "none") != 0;

	(void)printf("# the flow is %s%s%s%s%s; nDPI says %s\n", text_of(w->flow, "app"),
		is_known ? ", by " : "", is_known ? evidence : "", *host != '\0' ? ": " : "", host,
		text_of(w->flow, "proto"));
	print_rules(w);
	print_remedy(o->app, w);
	if (w->path == NULL) {
		(void)puts("# no sample: its packets have passed; the section `samples` of the "
			   "configuration keeps some, or --on CAPTURE has them");
		return CTL_EXIT_OK;
	}
	(void)printf("# sample: %s, %" PRIu64 " packets", w->path, w->sample.n_packets);
	if (w->sample.n_left_out > 0)
		(void)printf(", %" PRIu64 " left out", w->sample.n_left_out);
	(void)putchar('\n');
	return CTL_EXIT_OK;
}

static int answer(const struct options *o, struct wrong *w)
{
	int code;

	if (strcmp(text_of(w->flow, "app"), o->app) == 0)
		return ctl_complain(CTL_EXIT_FAILURE,
			"apps wrong: the flow is '%s' already, by %s, expected another app", o->app,
			text_of(w->flow, "evidence"));
	code = explain(w);
	if (code < 0 && o->has_on)
		code = keep_sample(o, w);
	if (code < 0)
		code = o->is_json ? print_json(o, w) : print_text(o, w);
	if (code == CTL_EXIT_OK && (fflush(stdout) != 0 || ferror(stdout)))
		code = ctl_complain(CTL_EXIT_FAILURE, "apps wrong: cannot write the answer: %m");
	return code;
}

int ctl_cmd_apps_wrong(int argc, char **argv)
{
	struct options o = {.captures = g_ptr_array_new()};
	struct wrong w = {.why = g_ptr_array_new_with_free_func(ctl_question_free_record)};
	int code = parse(argc, argv, &o);

	if (code < 0 && !o.has_on)
		code = fetch(&o, &w);
	if (code < 0)
		code = load(&o, &w);
	if (code < 0 && o.has_on)
		code = find(&o, &w);
	if (code < 0)
		code = answer(&o, &w);
	g_free(w.path);
	json_decref(w.flow);
	json_decref(w.answer);
	g_ptr_array_free(w.why, TRUE);
	cls_oracle_free(w.library);
	ctl_domains_close(w.domains);
	ctl_config_free(w.config);
	g_ptr_array_free(o.captures, TRUE);
	return code;
}
