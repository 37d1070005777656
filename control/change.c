// SPDX-License-Identifier: BSD-3-Clause
#include "control/change.h"

#include "control/config_version.h"
#include "control/detector.h"
#include "control/dict.h"
#include "control/facts.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

void ctl_change_init(struct ctl_change *change)
{
	change->mistakes = g_ptr_array_new_with_free_func(g_free);
}

void ctl_change_fini(struct ctl_change *change)
{
	if (change->mistakes == NULL)
		return;
	g_ptr_array_unref(change->mistakes);
	ctl_apps_fini(&change->apps);
	ctl_config_free(change->loaded);
	g_free(change->who);
	g_free(change->why);
	g_free(change->path);
	*change = (struct ctl_change){0};
}

/* Asking for a name may ask a directory on the network: nothing for the control loop. */
static char *name_of(uint64_t uid)
{
	char buf[4096];
	struct passwd entry, *found = NULL;

	if (getpwuid_r((uid_t)uid, &entry, buf, sizeof(buf), &found) == 0 && found != NULL &&
		g_utf8_validate(found->pw_name, -1, NULL))
		return g_strdup(found->pw_name);
	return g_strdup_printf("%" G_GUINT64_FORMAT, uid);
}

static void add_mistake(void *ctx, const char *text)
{
	struct ctl_change *c = ctx;

	g_ptr_array_add(c->mistakes, g_utf8_make_valid(text, -1)); // goes out as JSON
}

/* The copy was read, the original is what people know. */
static void rename_copy(struct ctl_change *c, const char *copy)
{
	g_autofree char *from = g_path_get_dirname(copy), *to = g_path_get_dirname(c->path);

	for (guint i = 0; i < c->mistakes->len; i++) {
		GString *text = g_string_new(c->mistakes->pdata[i]);

		(void)g_string_replace(text, from, to, 0);
		g_free(c->mistakes->pdata[i]);
		c->mistakes->pdata[i] = g_string_free(text, FALSE);
	}
}

/* --- what is in force must get on with the catalogue ---------------------------------------- */

struct uses {
	struct ctl_mistakes *mistakes;
	unsigned file; // wirecue.yaml
	const struct ctl_apps *apps;
	GHashTable *missing; // names that were reported
};

static void check_names(struct uses *u, char *const *names)
{
	for (; names != NULL && *names != NULL; names++) {
		char found[CTL_QUOTE_MAX];

		if (g_hash_table_contains(u->apps->names, *names) ||
			!g_hash_table_add(u->missing, *names))
			continue;
		ctl_mistake(u->mistakes, u->file, 0, 0,
			"%s, named by told facts, expected an app of the catalogue",
			ctl_quote(*names, found));
	}
}

static void check_told(struct uses *u, const struct ctl_facts *facts)
{
	for (guint i = 0; i < facts->persons->len; i++) {
		const struct ctl_person *person = facts->persons->pdata[i];

		check_names(u, person->own_services);
		check_names(u, person->zero_rated);
		for (size_t k = 0; k < person->n_buckets; k++)
			check_names(u, person->buckets[k].apps);
	}
}

static void check_rules(struct uses *u, const struct ctl_config *config)
{
	for (size_t i = 0; i < config->n_rules; i++) {
		const struct ctl_rule *rule = &config->rules[i];
		char found[CTL_QUOTE_MAX];
		const char *expected = rule->detector->check == NULL
			? NULL
			: rule->detector->check(rule, u->apps->catalogue);

		if (expected != NULL)
			ctl_mistake(u->mistakes, u->file, 0, 0, "rule %s, %s",
				ctl_quote(rule->id, found), expected);
	}
}

/* As a restart would see it. */
static void check_uses(
	struct ctl_change *c, const struct ctl_apps *apps, struct ctl_mistakes *mistakes)
{
	struct uses u = {.mistakes = mistakes,
		.file = ctl_mistakes_add_file(mistakes, c->config->path),
		.apps = apps,
		.missing = g_hash_table_new(g_str_hash, g_str_equal)};

	check_rules(&u, c->config);
	check_told(&u, c->config->facts);
	g_hash_table_unref(u.missing);
}

static bool has_uses(struct ctl_change *c, const struct ctl_apps *apps)
{
	struct ctl_mistakes *mistakes = ctl_mistakes_new();

	check_uses(c, apps, mistakes);
	ctl_mistakes_report(mistakes, add_mistake, c);
	ctl_mistakes_free(mistakes);
	return c->mistakes->len == 0;
}

/* Returns whether it has no mistake. */
static bool read_apps(struct ctl_change *c, const char *path)
{
	struct ctl_mistakes *mistakes = ctl_mistakes_new();

	if (ctl_apps_load(path, ctl_dict_apps(), ctl_dict_tags(), mistakes, &c->apps) == 0)
		check_uses(c, &c->apps, mistakes);
	ctl_mistakes_report(mistakes, add_mistake, c);
	ctl_mistakes_free(mistakes);
	return c->mistakes->len == 0;
}

/* --- each kind -------------------------------------------------------------------------------- */

/* A file is missing or cannot be read: the original tells of that, and of all else that is wrong. But what is no file
 * is not opened: a FIFO would wait for somebody to write. */
static void complain_of_source(struct ctl_change *c)
{
	struct stat st;

	if (stat(c->path, &st) < 0 || S_ISREG(st.st_mode))
		(void)read_apps(c, c->path);
	if (c->mistakes->len == 0)
		add_mistake(c, c->err.text);
	c->state = CTL_CHANGE_REFUSED;
}

static void count(struct ctl_change *c)
{
	const struct cls_catalogue *before = c->config->catalogue;
	GHashTableIter iter;
	gpointer name;

	c->counts = (struct ctl_change_counts){
		.apps = cls_catalogue_count(c->apps.catalogue),
		.hosts = c->apps.n_hosts,
		.hosts_before = c->config->n_hosts,
		.nets = c->apps.n_nets,
		.nets_before = c->config->n_networks,
	};
	g_hash_table_iter_init(&iter, c->apps.names);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		c->counts.apps_new += cls_app_by_name(before, name) == DP_APP_UNKNOWN;
	c->counts.apps_gone = cls_catalogue_count(before) + c->counts.apps_new - c->counts.apps;
	if (ctl_versions_is_in_force(c->versions, c->sha256))
		c->same_as = c->was;
}

static void run_stage(struct ctl_change *c)
{
	g_autofree char *copy = NULL, *file = NULL;
	bool is_source, is_good;
	int r = ctl_versions_stage_begin(c->versions, c->path, &copy, &is_source, &c->err);

	if (r < 0) {
		c->state = CTL_CHANGE_FAILED;
		if (is_source)
			complain_of_source(c);
		return;
	}
	is_good = read_apps(c, copy);
	rename_copy(c, copy);
	c->state = is_good ? CTL_CHANGE_DONE : CTL_CHANGE_REFUSED;
	if (ctl_versions_stage_end(c->versions, is_good, &c->err) < 0)
		c->state = CTL_CHANGE_FAILED;
	if (c->state != CTL_CHANGE_DONE)
		return;
	(void)ctl_versions_staged(c->versions, c->sha256, &file);
	count(c);
}

static void run_commit(struct ctl_change *c)
{
	g_autofree char *file = NULL;

	(void)ctl_versions_staged(c->versions, c->sha256, &file);
	if (!has_uses(c, c->staged)) // they may have changed since it was staged
		c->state = CTL_CHANGE_REFUSED;
	else if (ctl_versions_commit(c->versions, c->who, c->why, &c->version, &c->err) < 0)
		c->state = CTL_CHANGE_FAILED;
	else
		c->state = CTL_CHANGE_DONE;
}

static int find_version(struct ctl_change *c, char **ret_copy)
{
	if (c->version == 0)
		c->version = ctl_versions_before(c->versions);
	if (c->version == 0)
		return dp_fail(&c->err, ENOENT, "there is no version before the one in force");
	if (c->version == c->was)
		return dp_fail(&c->err, EALREADY, "version %u is in force already", c->version);
	return ctl_versions_find(c->versions, c->version, ret_copy, c->sha256, &c->err);
}

static void run_rollback(struct ctl_change *c)
{
	g_autofree char *copy = NULL;

	if (find_version(c, &copy) < 0)
		c->state = CTL_CHANGE_FAILED;
	else if (!read_apps(c, copy))
		c->state = CTL_CHANGE_REFUSED;
	else if (ctl_versions_roll_back(c->versions, c->version, c->who, c->why, &c->err) < 0)
		c->state = CTL_CHANGE_FAILED;
	else
		c->state = CTL_CHANGE_DONE;
}

static void take(struct ctl_change *c, const struct ctl_versions_choice *choice)
{
	if (ctl_versions_take(c->versions, choice, c->loaded->apps_path, &c->unkept) == 0)
		c->unkept.text[0] = '\0';
	c->version = ctl_versions_in_force(c->versions);
	c->state = CTL_CHANGE_DONE;
}

static void run_reload(struct ctl_change *c)
{
	struct ctl_versions_choice choice;
	const int r = ctl_config_load_version(
		c->config_path, c->overrides, c->versions, add_mistake, c, &choice, &c->loaded);

	if (r < 0) {
		c->state = CTL_CHANGE_REFUSED;
	} else if (ctl_config_needs_restart(c->config, c->loaded, c->fixed)) {
		c->state = CTL_CHANGE_FAILED;
	} else if (choice.damage.text[0] != '\0') {
		// What is in force is sound in memory: better that than another one unasked.
		c->err = choice.damage;
		c->state = CTL_CHANGE_FAILED;
	} else {
		take(c, &choice);
	}
	ctl_versions_choice_fini(&choice);
}

void ctl_change_run(void *ctx)
{
	static void (*const runs[])(struct ctl_change *) = {
		[CTL_CHANGE_RELOAD] = run_reload,
		[CTL_CHANGE_STAGE] = run_stage,
		[CTL_CHANGE_COMMIT] = run_commit,
		[CTL_CHANGE_ROLLBACK] = run_rollback,
	};
	struct ctl_change *c = ctx;

	if (c->kind != CTL_CHANGE_RELOAD)
		c->who = name_of(c->uid);
	c->was = ctl_versions_in_force(c->versions);
	runs[c->kind](c);
}
