// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_commands.h"
#include "control/apps_explain.h"
#include "control/apps_source.h"
#include "control/question.h"

#include <getopt.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
	"usage: wirecue apps test [-c FILE] [--apps FILE] [--json] HOST...\n"
	"\n"
	"Says what the catalogue makes of a host: a name (also as URL, with a port, in upper case, in\n"
	"letters that are not ASCII), an address, or a port such as udp:51820. The first line has the catalogue\n"
	"that is meant.\n"
	"\n"
	"  -c, --config FILE  the configuration: the catalogue that a start with it would take, which is the\n"
	"                     version that was committed last, or the configured file when it has changed\n"
	"                     since; without it the shipped catalogue\n"
	"      --apps FILE    instead of that catalogue, such as one that is not in force yet\n"
	"      --json         one JSON object a line\n"
	"  -h, --help         this text\n"
	"\n"
	"Exit codes: 0 success, whatever the app; 2 usage or configuration error, or a HOST that is none\n"
	"(the others are answered).\n";

struct options {
	const char *config, *apps;
	bool is_json;
};

enum { OPT_APPS = 256, OPT_JSON };

/* Returns -1 to go on, else the exit code; likewise below. */
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
		{"apps", required_argument, NULL, OPT_APPS}, {"json", no_argument, NULL, OPT_JSON},
		{"help", no_argument, NULL, 'h'}, {0}};
	int c;

	optind = 0; // a new scan: the dispatcher has done its own
	while ((c = getopt_long(argc, argv, ":c:h", options, NULL)) >= 0) {
		if (c == 'c') {
			o->config = optarg;
		} else if (c == OPT_APPS) {
			o->apps = optarg;
		} else if (c == OPT_JSON) {
			o->is_json = true;
		} else if (c == 'h') {
			(void)fputs(usage, stdout);
			return CTL_EXIT_OK;
		} else {
			return ctl_complain_option(c, argv);
		}
	}
	if (optind == argc)
		return ctl_complain(CTL_EXIT_USAGE,
			"apps test: nothing to test, expected a host such as www.netflix.com");
	return -1;
}

/* Each wrong one with its sentence. Returns how many are right. */
static size_t read_words(int n, char **words, struct ctl_asked *ret_asked)
{
	struct dp_err err;
	size_t n_right = 0;

	for (int i = 0; i < n; i++) {
		if (ctl_asked_read(words[i], &ret_asked[n_right], &err) == 0)
			n_right++;
		else
			(void)ctl_complain(CTL_EXIT_USAGE, "apps test: %s", err.text);
	}
	return n_right;
}

/* What words are held against. */
struct test {
	struct ctl_apps_source source;
	struct cls_oracle *library; // owned
	struct ctl_domains *domains; // owned
};

/* Returns -1 to go on, else the exit code. */
static int load(const struct options *o, struct test *t)
{
	struct dp_err err;

	t->library = cls_oracle_new();
	if (t->library == NULL)
		return ctl_complain(
			CTL_EXIT_FAILURE, "apps test: cannot set up nDPI: it has no memory");
	if (ctl_domains_open(&t->domains, &err) < 0)
		return ctl_complain(CTL_EXIT_FAILURE, "apps test: %s", err.text);
	return ctl_apps_source_open(o->config, o->apps, &t->source);
}

/* The catalogue first, then its rules. */
static int print(const struct options *o, const struct test *t, GPtrArray *records)
{
	g_autofree char *line = ctl_apps_source_line(&t->source);

	if (o->is_json)
		g_ptr_array_insert(records, 0,
			json_pack("{s:o}", "catalogue", ctl_apps_source_json(&t->source)));
	else
		(void)puts(line); // a write error stays in the stream
	return ctl_apps_print(records, o->is_json);
}

/* Returns the exit code. */
static int test(const struct options *o, const struct ctl_asked *asked, size_t n_asked)
{
	GPtrArray *records = g_ptr_array_new_with_free_func(ctl_question_free_record);
	struct test t = {0};
	struct dp_err err;
	int code = load(o, &t);

	if (code < 0) {
		const struct ctl_explain by = {.catalogue = t.source.config->catalogue,
			.path = t.source.path,
			.library = t.library,
			.domains = t.domains};

		code = ctl_explain(&by, asked, n_asked, records, &err) < 0
			? ctl_complain(CTL_EXIT_FAILURE, "apps test: %s", err.text)
			: print(o, &t, records);
	}
	g_ptr_array_free(records, TRUE);
	cls_oracle_free(t.library);
	ctl_domains_close(t.domains);
	ctl_apps_source_fini(&t.source);
	return code;
}

int ctl_cmd_apps_test(int argc, char **argv)
{
	g_autofree struct ctl_asked *asked = NULL;
	struct options o = {0};
	int code = parse(argc, argv, &o);
	size_t n_right;

	if (code >= 0)
		return code;
	argc -= optind;
	argv += optind;
	asked = g_new0(struct ctl_asked, argc);
	n_right = read_words(argc, argv, asked);
	if (n_right == 0)
		return CTL_EXIT_USAGE;
	code = test(&o, asked, n_right);
	return code == CTL_EXIT_OK && n_right < (size_t)argc ? CTL_EXIT_USAGE : code;
}
