// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/ndpi.h"
#include "control/commands.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

static const struct ctl_cmd commands[] = {
	{"run", "-c FILE [--dry]", "the daemon, in the foreground", ctl_cmd_run},
	{"replay", "[-c FILE] [OPTION...] CAPTURE...", "the same pipeline over capture files",
		ctl_cmd_replay},
	{"check", "-c FILE | --options", "validate configuration, catalogue and told facts",
		ctl_cmd_check},
	{"apps", "WHAT [ARGUMENT...]", "the workbench: tune the catalogue", ctl_cmd_apps},
	{"show", "WHAT [ID] [--json]", "ask the running daemon", ctl_cmd_show},
	{"top", "[--interval S | --batch]", "what the running daemon does right now", ctl_cmd_top},
	{"stream", "[resend | continue] [--json]", "how Redis and the outbox stand to each other",
		ctl_cmd_stream},
	{"subject", "[-c FILE] ID", "print the pseudonym of an identifier", ctl_cmd_subject},
	{"store", "WHAT [DIR] [FILE]", "check, dump, compact, back up or restore the store",
		ctl_cmd_store},
	{NULL},
};

static void help(FILE *out)
{
	(void)fputs("usage: wirecue COMMAND [ARGUMENT...]\n\n", out);
	for (const struct ctl_cmd *cmd = commands; cmd->name != NULL; cmd++)
		(void)fprintf(out, "  %-8s %-34s %s\n", cmd->name, cmd->args, cmd->help);
	(void)fputs(
		"\n'wirecue COMMAND --help' tells more. Exit codes: 0 success, 1 run-time failure,\n"
		"2 usage or configuration error.\n",
		out);
}

int main(int argc, char **argv)
{
	// A core would hold identifiers of subscribers; and a peer that goes away is an error to
	// handle, not a reason to die.
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		help(stderr);
		return CTL_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		strcmp(argv[1], "help") == 0) {
		help(stdout);
		return CTL_EXIT_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		(void)printf("wirecue %s (nDPI %s)\n", WIRECUE_VERSION, cls_ndpi_version());
		return CTL_EXIT_OK;
	}
	for (const struct ctl_cmd *cmd = commands; cmd->name != NULL; cmd++) {
		if (strcmp(argv[1], cmd->name) == 0)
			return cmd->run(argc - 1, argv + 1);
	}
	return ctl_complain(CTL_EXIT_USAGE,
		"'%s' is no command, expected one of run, replay, check, apps, show, top, stream, subject, store; 'wirecue --help' tells more",
		argv[1]);
}
