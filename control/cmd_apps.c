// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_commands.h"
#include "control/table.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* In the order of --help. Arguments name every long option: the manual page is held against them. */
static const struct ctl_cmd tasks[] = {
	{"diff",
		"[--json] [--socket PATH] | NEW [-c FILE] [--apps FILE] [--json] [--flows FILE] --on CAPTURE...",
		"what is staged would change now, or the catalogue NEW on captures",
		ctl_cmd_apps_diff},
	{"test", "[-c FILE] [--apps FILE] [--json] HOST...",
		"every rule that fits a host, and why the winner wins", ctl_cmd_apps_test},
	{"unknown",
		"[--top N] [--draft | --json] [--socket PATH] [--on CAPTURE... [-c FILE] [--apps FILE] [--names] [--workers N]]",
		"what has no app, by bytes; entries for it", ctl_cmd_apps_unknown},
	{"wrong",
		"FLOW APP [--apps FILE] [--json] [--socket PATH] | FLOW APP --to DIR [-c FILE] [--apps FILE] [--json] --on CAPTURE...",
		"why a flow got the wrong app, and the rule that would be right",
		ctl_cmd_apps_wrong},
	{"stage", "[--json] [--socket PATH] FILE",
		"the daemon reads a catalogue and looks at it; nothing changes yet",
		ctl_cmd_apps_stage},
	{"commit", "[--why TEXT] [--json] [--socket PATH]", "what is staged is in force",
		ctl_cmd_apps_commit},
	{"rollback", "[VERSION] [--why TEXT] [--json] [--socket PATH]",
		"the version before, or that one, is in force again", ctl_cmd_apps_rollback},
	{"history", "[--json] [--socket PATH]", "which version was in force, who, when and why",
		ctl_cmd_apps_history},
	{NULL},
};

static void help(void)
{
	(void)fputs("usage: wirecue apps WHAT [ARGUMENT...]\n"
		    "\n"
		    "The workbench: what makes an app, and what a change would do.\n"
		    "\n",
		stdout);
	for (const struct ctl_cmd *task = tasks; task->name != NULL; task++)
		(void)printf("  apps %s %s\n      %s\n", task->name, task->args, task->help);
	(void)fputs("\n"
		    "  -h, --help  this text; 'wirecue apps WHAT --help' tells more\n"
		    "\n"
		    "Exit codes: 0 success; 1 run-time failure; 2 usage or configuration error.\n",
		stdout);
}

/* "diff, test" */
static char *names(void)
{
	GString *text = g_string_new(NULL);

	for (const struct ctl_cmd *task = tasks; task->name != NULL; task++)
		g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "", task->name);
	return g_string_free(text, FALSE);
}

/* Options in front of WHAT: there is --help only. Returns -1 to go on, else the exit code. */
static int parse(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
	int c;

	optind = 0; // a new scan
	while ((c = getopt_long(argc, argv, "+:h", options, NULL)) >= 0) {
		if (c != 'h')
			return ctl_complain_option(c, argv);
		help();
		return CTL_EXIT_OK;
	}
	return -1;
}

int ctl_apps_print(const GPtrArray *records, bool is_json)
{
	struct ctl_table table;

	if (is_json) {
		// A write error stays in the stream.
		for (guint i = 0; i < records->len; i++) {
			(void)json_dumpf(g_ptr_array_index(records, i), stdout, JSON_COMPACT);
			(void)putchar('\n');
		}
	} else {
		ctl_table_init(&table);
		ctl_table_print(&table, records, stdout);
		ctl_table_fini(&table);
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		return ctl_complain(CTL_EXIT_FAILURE, "apps: cannot write the answer: %m");
	return CTL_EXIT_OK;
}

int ctl_cmd_apps(int argc, char **argv)
{
	g_autofree char *known = names();
	g_autofree char *name = NULL;
	const int code = parse(argc, argv);

	if (code >= 0)
		return code;
	if (optind == argc)
		return ctl_complain(
			CTL_EXIT_USAGE, "apps: nothing to do, expected one of %s", known);
	argc -= optind;
	argv += optind;
	for (const struct ctl_cmd *task = tasks; task->name != NULL; task++) {
		if (strcmp(argv[0], task->name) != 0)
			continue;
		argv[0] = name = g_strdup_printf("apps %s", task->name);
		return task->run(argc, argv);
	}
	return ctl_complain(CTL_EXIT_USAGE,
		"apps: '%s', expected one of %s; 'wirecue apps --help' tells more", argv[0], known);
}
