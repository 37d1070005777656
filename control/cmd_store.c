// SPDX-License-Identifier: BSD-3-Clause
#include "control/commands.h"
#include "control/config.h"
#include "control/store_commands.h"

#include <getopt.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
	"usage: wirecue store check   [DIR | FILE] [--json]\n"
	"       wirecue store dump    [DIR | FILE] [--table TABLE] [--reveal --key-file FILE]\n"
	"       wirecue store compact [DIR]\n"
	"       wirecue store backup  [DIR] FILE [--force]\n"
	"       wirecue store restore [DIR] FILE\n"
	"\n"
	"What survives a restart. DIR is the folder of the store; without it that of --store, of\n"
	"$WIRECUE_STORE, of the configuration, or /var/lib/wirecue.\n"
	"\n"
	"  check    reads every page, checksum and value, of a store or of a backup; while wirecue runs\n"
	"  dump     prints it, one JSON object a line; while wirecue runs\n"
	"  compact  writes it anew without free pages; wirecue is stopped\n"
	"  backup   writes a copy to FILE ('-' = standard output) and checks it; while wirecue runs.\n"
	"           The versions of the catalogue are part of it, the key file is not\n"
	"  restore  puts FILE in place, after a check; what was there is set aside; wirecue is stopped.\n"
	"           Where FILE has no versions of the catalogue, those that are there stay\n"
	"\n"
	"  -c, --config FILE    the configuration that names the store\n"
	"      --store DIR      instead of store.path\n"
	"      --json           check: one JSON object\n"
	"      --table TABLE    dump: only this one (meta, journal, profiles, outbox, apps, tags, gaps)\n"
	"      --reveal         dump: who the profiles are of; a line in the log tells of it\n"
	"      --key-file FILE  dump: the key that seals identities\n"
	"      --force          backup: replace FILE\n"
	"  -h, --help           this text\n"
	"\n"
	"Whoever reads a store while wirecue runs keeps it from using freed pages again, and the file\n"
	"grows meanwhile: no command reads longer than an hour.\n"
	"\n"
	"Exit codes: 0 success; 1 damaged, or failed; 2 usage or configuration error.\n";

enum { OPT_STORE = 256, OPT_JSON, OPT_TABLE, OPT_REVEAL, OPT_KEY_FILE, OPT_FORCE };

static const struct option options[] = {
	{"config", required_argument, NULL, 'c'},
	{"store", required_argument, NULL, OPT_STORE},
	{"json", no_argument, NULL, OPT_JSON},
	{"table", required_argument, NULL, OPT_TABLE},
	{"reveal", no_argument, NULL, OPT_REVEAL},
	{"key-file", required_argument, NULL, OPT_KEY_FILE},
	{"force", no_argument, NULL, OPT_FORCE},
	{"help", no_argument, NULL, 'h'},
	{0},
};

#define BIT(option) (1U << ((option)-OPT_STORE))

static const struct task {
	const char *name;
	bool has_file;
	unsigned options; // besides those of all
	int (*run)(const struct ctl_store_call *call);
} tasks[] = {
	{"check", false, BIT(OPT_JSON), ctl_cmd_store_check},
	{"dump", false, BIT(OPT_TABLE) | BIT(OPT_REVEAL) | BIT(OPT_KEY_FILE), ctl_cmd_store_dump},
	{"compact", false, 0, ctl_cmd_store_compact},
	{"backup", true, BIT(OPT_FORCE), ctl_cmd_store_backup},
	{"restore", true, 0, ctl_cmd_store_restore},
	{NULL},
};

/* What the words say, before anything is looked up. */
struct words {
	struct ctl_store_call call;
	const struct task *task;
	const char *config, *store;
	unsigned given; // bits of options
};

static int parse_table(const char *name, struct words *words)
{
	for (int i = 0; ctl_table_names[i] != NULL; i++) {
		if (strcmp(ctl_table_names[i], name) == 0) {
			words->call.tables = 1U << i;
			return -1;
		}
	}
	return ctl_complain(CTL_EXIT_USAGE,
		"store: --table: '%s' is no table, expected one of meta, journal, profiles, "
		"outbox, apps, tags, gaps",
		name);
}

/* Returns -1 to go on, else the exit code; likewise below. */
static int parse_option(int c, char *const argv[], struct words *words)
{
	if (c >= OPT_STORE)
		words->given |= BIT(c);
	switch (c) {
	case 'c':
		words->config = optarg;
		return -1;
	case OPT_STORE:
		words->store = optarg;
		return -1;
	case OPT_JSON:
		words->call.is_json = true;
		return -1;
	case OPT_TABLE:
		return parse_table(optarg, words);
	case OPT_REVEAL:
		words->call.is_revealed = true;
		return -1;
	case OPT_KEY_FILE:
		words->call.key_file = optarg;
		return -1;
	case OPT_FORCE:
		words->call.is_forced = true;
		return -1;
	case 'h':
		(void)fputs(usage, stdout);
		return CTL_EXIT_OK;
	default:
		return ctl_complain_option(c, argv);
	}
}

/* WHAT [DIR] [FILE] */
static int parse_words(int n, char *const at[], struct words *words)
{
	const int n_files = words->task->has_file ? 1 : 0;

	if (n < n_files)
		return ctl_complain(CTL_EXIT_USAGE, "store %s: no FILE, expected %s",
			words->task->name,
			words->task->run == ctl_cmd_store_backup
				? "where to write the copy, or '-' for standard output"
				: "a copy made by 'wirecue store backup'");
	if (n > n_files + 1)
		return ctl_complain(CTL_EXIT_USAGE, "store %s: '%s' is too much, expected %s",
			words->task->name, at[n_files + 1],
			n_files == 0 ? "at most DIR" : "at most DIR and FILE");
	if (n > n_files && words->store != NULL)
		return ctl_complain(CTL_EXIT_USAGE,
			"store %s: '%s' with --store, expected one of them", words->task->name,
			at[0]);
	words->call.file = n_files == 0 ? NULL : at[n - 1];
	words->call.place = n > n_files ? at[0] : NULL;
	return -1;
}

static int parse(int argc, char **argv, struct words *words)
{
	unsigned alien;
	int c, code = -1;

	optind = 0; // a new scan: the caller has done its own
	while (code < 0 && (c = getopt_long(argc, argv, ":c:h", options, NULL)) >= 0)
		code = parse_option(c, argv, words);
	if (code >= 0)
		return code;
	if (optind == argc)
		return ctl_complain(CTL_EXIT_USAGE,
			"store: nothing to do, expected check, dump, compact, backup or restore");
	for (words->task = tasks; words->task->name != NULL; words->task++) {
		if (strcmp(words->task->name, argv[optind]) == 0)
			break;
	}
	if (words->task->name == NULL)
		return ctl_complain(CTL_EXIT_USAGE,
			"store: '%s', expected check, dump, compact, backup or restore",
			argv[optind]);
	alien = words->given & ~(words->task->options | BIT(OPT_STORE));
	for (const struct option *o = options; o->name != NULL; o++) {
		if (o->val >= OPT_STORE && (alien & BIT(o->val)) != 0)
			return ctl_complain(CTL_EXIT_USAGE,
				"store: '--%s' is no option of %s, expected one of those in "
				"'wirecue store --help'",
				o->name, words->task->name);
	}
	if (words->call.is_revealed != (words->call.key_file != NULL))
		return ctl_complain(
			CTL_EXIT_USAGE, "store dump: expected --reveal and --key-file together");
	return parse_words(argc - optind - 1, argv + optind + 1, words);
}

int ctl_cmd_store(int argc, char **argv)
{
	struct words words = {.call.tables = (1U << CTL_TABLE_COUNT) - 1};
	struct ctl_store_options store;
	g_autofree char *inside = NULL;
	int code = parse(argc, argv, &words);

	if (code >= 0)
		return code;
	if (ctl_config_load_store(words.config, words.store, ctl_print_mistake, NULL, &store) < 0)
		return CTL_EXIT_USAGE;
	if (words.call.place == NULL)
		words.call.place = store.path;
	else if (words.config == NULL) // the configuration knows better where its key is
		inside = g_build_filename(words.call.place, "identity.key", NULL);
	if (words.call.key_file == NULL)
		words.call.key_file = inside != NULL ? inside : store.key_file;
	code = words.task->run(&words.call);
	ctl_store_options_fini(&store);
	return code;
}
