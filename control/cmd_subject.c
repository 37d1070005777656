// SPDX-License-Identifier: BSD-3-Clause
#include "control/commands.h"
#include "control/config.h"
#include "control/engine.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
	"usage: wirecue subject ID [-c FILE]\n"
	"\n"
	"Prints the pseudonym of an identifier: what triggers call that subscriber.\n"
	"  ID                 msisdn:+…, imsi:…, account:…, or the bare value of the configured kind\n"
	"  -c, --config FILE  with the kind and the key; without it the built-in test key is used\n"
	"  -h, --help         this text\n";

int ctl_cmd_subject(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct ctl_config *config = NULL;
	const char *path = NULL;
	char subject[128];
	struct dp_err err;
	int c, r;

	optind = 0; // a new scan: the caller has done its own
	while ((c = getopt_long(argc, argv, ":c:h", options, NULL)) >= 0) {
		if (c == 'c') {
			path = optarg;
		} else if (c == 'h') {
			(void)fputs(usage, stdout);
			return CTL_EXIT_OK;
		} else {
			return ctl_complain_option(c, argv);
		}
	}
	if (optind == argc)
		return ctl_complain(CTL_EXIT_USAGE,
			"subject: no identifier, expected one such as msisdn:+999...");
	if (argc - optind > 1)
		return ctl_complain(CTL_EXIT_USAGE,
			"subject: more than one word, expected one identifier (in quotes where it "
			"has blanks)");
	if (ctl_config_load(path, NULL, ctl_print_mistake, NULL, &config) < 0)
		return 2;
	r = ctl_subject_of(&config->privacy, argv[optind], subject, &err);
	ctl_config_free(config);
	if (r < 0) {
		(void)fprintf(stderr, "wirecue: %s\n", err.text);
		return 2;
	}
	if (puts(subject) < 0 || fflush(stdout) != 0) {
		(void)fprintf(stderr, "wirecue: cannot write the answer: %m\n");
		return 1;
	}
	return 0;
}
