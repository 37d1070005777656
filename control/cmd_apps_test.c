// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_commands.h"
#include "control/apps_yaml.h"
#include "control/asked.h"
#include "control/config.h"
#include "control/dict.h"
#include "control/question.h"
#include "control/table.h"

#include <getopt.h>
#include <glib.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
	"usage: wirecue apps test [-c FILE | --apps FILE] [--json] HOST...\n"
	"\n"
	"Says what the catalogue makes of a host: a name (also as URL, with a port, in upper case, in\n"
	"letters that are not ASCII), an address, or a port such as udp:51820.\n"
	"\n"
	"  -c, --config FILE  the configuration that names the catalogue; without it the shipped one\n"
	"      --apps FILE    this catalogue, such as one that is not in force yet\n"
	"      --json         one JSON object a line\n"
	"  -h, --help         this text\n"
	"\n"
	"Exit codes: 0 success, whatever the app; 2 usage or configuration error, or a HOST that is none.\n";

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
	if (o->config != NULL && o->apps != NULL)
		return ctl_complain(
			CTL_EXIT_USAGE, "apps test: -c with --apps, expected one of them");
	if (optind == argc)
		return ctl_complain(CTL_EXIT_USAGE,
			"apps test: nothing to test, expected a host such as www.netflix.com");
	return -1;
}

/* All words, each wrong one with its sentence. */
static int read_words(int n, char **words, struct ctl_asked *ret_asked)
{
	struct dp_err err;
	int code = -1;

	for (int i = 0; i < n; i++) {
		if (ctl_asked_read(words[i], &ret_asked[i], &err) < 0)
			code = ctl_complain(CTL_EXIT_USAGE, "apps test: %s", err.text);
	}
	return code;
}

static int load(const struct options *o, struct cls_catalogue **ret_catalogue)
{
	struct ctl_config *config;
	struct ctl_mistakes *mistakes;
	struct ctl_apps apps;
	int r;

	if (o->apps == NULL) {
		if (ctl_config_load(o->config, NULL, ctl_print_mistake, NULL, &config) < 0)
			return CTL_EXIT_USAGE;
		*ret_catalogue = g_steal_pointer(&config->catalogue);
		ctl_config_free(config);
		return -1;
	}
	mistakes = ctl_mistakes_new();
	r = ctl_apps_load(o->apps, ctl_dict_apps(), ctl_dict_tags(), mistakes, &apps);
	if (r < 0)
		ctl_mistakes_report(mistakes, ctl_print_mistake, NULL);
	*ret_catalogue = g_steal_pointer(&apps.catalogue);
	ctl_apps_fini(&apps);
	ctl_mistakes_free(mistakes);
	return r < 0 ? CTL_EXIT_USAGE : -1;
}

static json_t *record_of(const struct cls_catalogue *catalogue, const struct ctl_asked *asked)
{
	struct cls_match m;

	if (asked->kind == CTL_ASKED_NAME)
		m = cls_match_host(catalogue, asked->text, strlen(asked->text));
	else if (asked->kind == CTL_ASKED_ADDRESS)
		m = cls_match_net(catalogue, &asked->addr);
	else
		m = cls_match_port(catalogue, asked->l4_proto, asked->port);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "host", asked->text, "app",
		cls_app_name(catalogue, m.app), "category", cls_app_category(catalogue, m.app),
		"tag", cls_tag_name(catalogue, m.tag), "evidence",
		asked->kind == CTL_ASKED_NAME ? "strong" : "weak", "read", asked->how);
}

static int print(const GPtrArray *records, bool is_json)
{
	struct ctl_table table;

	for (guint i = 0; is_json && i < records->len; i++) {
		if (json_dumpf(records->pdata[i], stdout, JSON_COMPACT) != 0 ||
			putchar('\n') == EOF)
			break;
	}
	if (!is_json) {
		ctl_table_init(&table);
		ctl_table_print(&table, records, stdout);
		ctl_table_fini(&table);
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		return ctl_complain(CTL_EXIT_FAILURE, "apps test: cannot write the answer: %m");
	return CTL_EXIT_OK;
}

int ctl_cmd_apps_test(int argc, char **argv)
{
	g_autofree struct ctl_asked *asked = NULL;
	struct cls_catalogue *catalogue;
	struct options o = {0};
	GPtrArray *records;
	int code = parse(argc, argv, &o);

	if (code >= 0)
		return code;
	argc -= optind;
	argv += optind;
	asked = g_new0(struct ctl_asked, argc);
	code = read_words(argc, argv, asked);
	if (code >= 0)
		return code;
	code = load(&o, &catalogue);
	if (code >= 0)
		return code;
	records = g_ptr_array_new_with_free_func(ctl_question_free_record);
	for (int i = 0; i < argc; i++)
		g_ptr_array_add(records, record_of(catalogue, &asked[i]));
	code = print(records, o.is_json);
	g_ptr_array_free(records, TRUE);
	cls_catalogue_free(catalogue);
	return code;
}
