// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The command line of consumer.c. */

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct settings {
	const char *url, *user, *prefix, *group, *name; // borrowed from the command line
	long share, n_shares, n_entries, block_ms, min_idle_ms, tries;
	bool acts_on_expired, tells_nothing;
};

static void usage(FILE *out)
{
	fputs("usage: consumer [OPTION...]\n\n"
	      "An offer engine's side of wirecue: a consumer group on the stream of triggers.\n\n"
	      "  --url URL          redis://HOST:PORT[/DB] or unix:///PATH (redis://127.0.0.1:6379)\n"
	      "  --user NAME        of Redis; the password is read from the environment, REDISCLI_AUTH\n"
	      "  --prefix TEXT      of all keys (wirecue:)\n"
	      "  --group NAME       consumer group (offers)\n"
	      "  --name NAME        this consumer's, the same after a restart and nobody else's (the host's)\n"
	      "  --share K/N        act only for the K-th of N equal shares of the subjects, in a group of its own\n"
	      "  --count N          entries a read (100)\n"
	      "  --block-ms N       longest wait for news (2000)\n"
	      "  --min-idle-ms N    take over what others left for so long; more than act() ever takes (60000)\n"
	      "  --tries N          then an entry that is broken, or breaks act(), is parked (3)\n"
	      "  --act-on-expired   for replays of old captures\n"
	      "  --no-feedback      tell wirecue nothing\n"
	      "  --help             this text\n",
		out);
}

static bool number_of(const char *text, long *ret_n)
{
	char *end;

	errno = 0;
	*ret_n = strtol(text, &end, 10);
	return errno == 0 && *end == '\0' && end != text && *ret_n > 0 && *ret_n < 1000000000;
}

static bool take_option(struct settings *settings, int option, const char *value)
{
	int n = 0;

	switch (option) {
	case 'u':
		return settings->url = value, true;
	case 'U':
		return settings->user = value, true;
	case 'p':
		return settings->prefix = value, true;
	case 'g':
		return settings->group = value, true;
	case 'n':
		return settings->name = value, true;
	case 's':
		return sscanf(value, "%4ld/%4ld%n", &settings->share, &settings->n_shares, &n) ==
			2 &&
			value[n] == '\0' && settings->share > 0 &&
			settings->share <= settings->n_shares;
	case 'c':
		return number_of(value, &settings->n_entries);
	case 'b':
		return number_of(value, &settings->block_ms);
	case 'i':
		return number_of(value, &settings->min_idle_ms);
	case 't':
		return number_of(value, &settings->tries);
	case 'x':
		return settings->acts_on_expired = true;
	case 'f':
		return settings->tells_nothing = true;
	default:
		return false;
	}
}

static const struct option options[] = {
	{"url", required_argument, NULL, 'u'},
	{"user", required_argument, NULL, 'U'},
	{"prefix", required_argument, NULL, 'p'},
	{"group", required_argument, NULL, 'g'},
	{"name", required_argument, NULL, 'n'},
	{"share", required_argument, NULL, 's'},
	{"count", required_argument, NULL, 'c'},
	{"block-ms", required_argument, NULL, 'b'},
	{"min-idle-ms", required_argument, NULL, 'i'},
	{"tries", required_argument, NULL, 't'},
	{"act-on-expired", no_argument, NULL, 'x'},
	{"no-feedback", no_argument, NULL, 'f'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

/* Returns -1 to go on, else the exit code. */
static int settings_read(int argc, char **argv, struct settings *settings)
{
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			return 0;
		}
		if (take_option(settings, option, optarg))
			continue;
		if (option != '?')
			fprintf(stderr, "consumer: '%s' is not what --help asks for\n", optarg);
		return 2;
	}
	if (optind == argc)
		return -1;
	usage(stderr);
	return 2;
}
