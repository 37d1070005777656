// SPDX-License-Identifier: BSD-3-Clause
#include "control/commands.h"

#include "control/config.h"
#include "control/facts.h"
#include "control/reference.h"

#include <getopt.h>
#include <stdio.h>

static const char help_text[] =
	"usage: wirecue check -c FILE    report every mistake of the configuration\n"
	"       wirecue check --options  print the reference of all options\n"
	"\n"
	"  -c, --config FILE  wirecue.yaml; the catalogue and the told facts it names are checked\n"
	"                     with it\n"
	"      --options      every key with its range, default and meaning\n"
	"  -h, --help         this text\n"
	"\n"
	"Exit codes: 0 no mistake; 2 usage or configuration error.\n";

static int print_options(void)
{
	g_autoptr(GString) text = g_string_new(NULL);

	ctl_reference_print(ctl_detectors, text);
	if (fputs(text->str, stdout) == EOF || fflush(stdout) == EOF) {
		(void)fprintf(stderr, "wirecue check: cannot write the reference: %m\n");
		return 1;
	}
	return 0;
}

static int check(const char *path)
{
	struct ctl_config *config;

	if (ctl_config_load(path, NULL, ctl_print_mistake, NULL, &config) < 0)
		return CTL_EXIT_USAGE;
	(void)printf("ok: %zu apps, %zu hosts, %zu networks, %u hosts files, %zu rules, "
		     "%u subscribers, %u plans, %zu ports; catalogue %s\n",
		cls_catalogue_count(config->catalogue), config->n_hosts, config->n_networks,
		config->hosts_files->len, config->n_rules, config->facts->persons->len,
		config->facts->plans->len, config->n_ports, config->apps_path);
	ctl_config_free(config);
	return 0;
}

int ctl_cmd_check(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
		{"options", no_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	const char *path = NULL;
	bool want_options = false;
	int c;

	optind = 0; // main() has used getopt before
	while ((c = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
		if (c == 'c') {
			path = optarg;
		} else if (c == 'o') {
			want_options = true;
		} else if (c == 'h') {
			(void)fputs(help_text, stdout);
			return CTL_EXIT_OK;
		} else {
			return ctl_complain_option(c, argv);
		}
	}
	if (optind < argc)
		return ctl_complain(CTL_EXIT_USAGE,
			"check: '%s' is too much, expected options only", argv[optind]);
	if (path == NULL && !want_options)
		return ctl_complain(
			CTL_EXIT_USAGE, "check: nothing to check, expected -c FILE or --options");
	if (path != NULL && want_options)
		return ctl_complain(
			CTL_EXIT_USAGE, "check: -c with --options, expected one of them");
	return want_options ? print_options() : check(path);
}
