// SPDX-License-Identifier: BSD-3-Clause
/* The shipped catalogue against full names: catalogue_hosts.yaml says for each
 * app which full names are it, which only look like it, and which neighbours are another's. */
#include "control/apps_yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

enum { N_NAMES_MIN = 2 }; // full names that an app must have in the data

struct world {
	struct ctl_dict *apps, *tags;
	struct ctl_mistakes *mistakes;
	struct ctl_apps shipped;
	struct ctl_yaml *catalogue; // the same file as text: what the lists hold
	struct ctl_yaml *names;
	unsigned n_wrong;
};

static struct ctl_yaml *document(struct world *w, const char *file)
{
	g_autofree char *path = g_build_filename(getenv("WIRECUE_TOP"), file, NULL);
	struct ctl_yaml *doc;

	assert_int_equal(ctl_yaml_load(path, false, w->mistakes, &doc), 0);
	assert_false(ctl_yaml_has_mistakes(doc));
	return doc;
}

static int world_make(void **state)
{
	static struct world w;
	g_autofree char *path = g_build_filename(
		getenv("WIRECUE_TOP"), "control/catalogue/apps.yaml", NULL);

	w = (struct world){.apps = ctl_dict_new(DP_APP_FIRST, UINT32_MAX - 1),
		.tags = ctl_dict_new(DP_TAG_NONE + 1, UINT16_MAX),
		.mistakes = ctl_mistakes_new()};
	assert_int_equal(ctl_apps_load(path, w.apps, w.tags, w.mistakes, &w.shipped), 0);
	w.catalogue = document(&w, "control/catalogue/apps.yaml");
	w.names = document(&w, "tests/unit/catalogue_hosts.yaml");
	*state = &w;
	return 0;
}

static int world_free(void **state)
{
	struct world *w = *state;

	ctl_yaml_free(w->names);
	ctl_yaml_free(w->catalogue);
	ctl_apps_fini(&w->shipped);
	ctl_mistakes_free(w->mistakes);
	ctl_dict_free(w->tags);
	ctl_dict_free(w->apps);
	return 0;
}

/* All that is wrong is printed before the test fails: the lists are long, a round each is not. */
[[gnu::format(printf, 3, 4)]] static void wrong(
	struct world *w, const struct ctl_yaml_node *node, const char *fmt, ...)
{
	va_list args;
	g_autofree char *text = NULL;

	va_start(args, fmt);
	text = g_strdup_vprintf(fmt, args);
	va_end(args);
	print_error("line %u: %s\n", node->line, text);
	w->n_wrong++;
}

static struct cls_match match(const struct world *w, const char *host)
{
	return cls_match_host(w->shipped.catalogue, host, strlen(host));
}

static const char *app_of(const struct world *w, const char *host)
{
	return cls_app_name(w->shipped.catalogue, match(w, host).app);
}

static size_t count(const struct ctl_yaml_node *list)
{
	size_t n = 0;

	for (const struct ctl_yaml_node *i = list == NULL ? NULL : list->first; i != NULL;
		i = i->next)
		n++;
	return n;
}

/* Each name of the list must be of the app. */
static void expect_all(
	struct world *w, const struct ctl_yaml_node *entry, const char *key, const char *app)
{
	const struct ctl_yaml_node *list = ctl_yaml_get(entry, key);

	for (const struct ctl_yaml_node *i = list == NULL ? NULL : list->first; i != NULL;
		i = i->next)
		if (strcmp(app_of(w, i->text), app) != 0)
			wrong(w, i, "%s is %s, expected %s", i->text, app_of(w, i->text), app);
}

static void expect_neighbours(struct world *w, const struct ctl_yaml_node *entry, const char *app)
{
	const struct ctl_yaml_node *map = ctl_yaml_get(entry, "beside");

	for (const struct ctl_yaml_node *i = map == NULL ? NULL : map->first; i != NULL;
		i = i->next) {
		const char *owner = i->value->text;

		if (strcmp(owner, app) == 0)
			wrong(w, i, "%s beside %s is no neighbour", i->text, app);
		if (strcmp(app_of(w, i->text), owner) != 0)
			wrong(w, i, "%s is %s, expected %s", i->text, app_of(w, i->text), owner);
	}
}

static void expect_distinct(struct world *w, const struct ctl_yaml_node *list)
{
	for (const struct ctl_yaml_node *i = list->first; i != NULL; i = i->next)
		for (const struct ctl_yaml_node *j = i->next; j != NULL; j = j->next)
			if (strcmp(i->text, j->text) == 0)
				wrong(w, j, "%s stands twice", j->text);
}

static bool has_names(const struct ctl_yaml_node *app)
{
	return ctl_yaml_get(app, "hosts") != NULL || ctl_yaml_get(app, "tags") != NULL;
}

static void check_app(struct world *w, const struct ctl_yaml_node *app)
{
	const char *name = ctl_yaml_get(app, "name")->text;
	const struct ctl_yaml_node *entry = ctl_yaml_get(w->names->root, name);
	const struct ctl_yaml_node *reason = entry == NULL ? NULL : ctl_yaml_get(entry, "nameless");

	if (entry == NULL) {
		wrong(w, app, "app '%s' has no names in catalogue_hosts.yaml", name);
		return;
	}
	if (has_names(app) == (reason != NULL))
		wrong(w, entry, "'%s' %s", name,
			reason != NULL ? "has hosts, expected no 'nameless'"
				       : "has no hosts, expected the reason as 'nameless'");
	if (reason != NULL)
		return;
	if (count(ctl_yaml_get(entry, "is")) < N_NAMES_MIN)
		wrong(w, entry, "'%s', expected %d names that are it", name, N_NAMES_MIN);
	else
		expect_distinct(w, ctl_yaml_get(entry, "is"));
	if (count(ctl_yaml_get(entry, "not")) == 0)
		wrong(w, entry, "'%s', expected a look-alike that is not it", name);
	expect_all(w, entry, "is", name);
	expect_all(w, entry, "not", "unknown");
	expect_neighbours(w, entry, name);
}

static const struct ctl_yaml_node *first_app(const struct world *w)
{
	return ctl_yaml_get(w->catalogue->root, "apps")->first;
}

static void each_app_is_known_by_real_names_and_by_no_look_alike(void **state)
{
	struct world *w = *state;

	w->n_wrong = 0;
	for (const struct ctl_yaml_node *app = first_app(w); app != NULL; app = app->next)
		check_app(w, app);
	for (const struct ctl_yaml_node *i = w->names->root->first; i != NULL; i = i->next)
		if (!g_hash_table_contains(w->shipped.names, i->text))
			wrong(w, i, "'%s' is no app of the catalogue", i->text);
	assert_int_equal(w->n_wrong, 0);
}

static bool is_same(struct cls_match a, struct cls_match b)
{
	return a.app == b.app && a.tag == b.tag;
}

/* A name below a host is the host's, and one that merely ends or begins like it is not. */
static void check_host(struct world *w, const struct ctl_yaml_node *host, const char *app)
{
	g_autofree char *below = g_strconcat("0-below.", host->text, NULL);
	g_autofree char *glued = g_strconcat("0glued", host->text, NULL);
	g_autofree char *in_front = g_strconcat(host->text, ".example", NULL);
	const struct cls_match m = match(w, host->text);

	if (strcmp(app_of(w, host->text), app) != 0)
		wrong(w, host, "%s is %s, expected %s", host->text, app_of(w, host->text), app);
	if (!is_same(match(w, below), m))
		wrong(w, host, "%s is %s, expected %s", below, app_of(w, below), app);
	if (is_same(match(w, glued), m))
		wrong(w, host, "%s is %s too", glued, app);
	if (match(w, in_front).app != DP_APP_UNKNOWN)
		wrong(w, host, "%s is %s, expected unknown", in_front, app_of(w, in_front));
}

static void check_hosts(struct world *w, const struct ctl_yaml_node *list, const char *app)
{
	for (const struct ctl_yaml_node *i = list == NULL ? NULL : list->first; i != NULL;
		i = i->next)
		check_host(w, i, app);
}

static void each_host_of_the_file_ends_at_a_label(void **state)
{
	struct world *w = *state;

	w->n_wrong = 0;
	for (const struct ctl_yaml_node *app = first_app(w); app != NULL; app = app->next) {
		const char *name = ctl_yaml_get(app, "name")->text;
		const struct ctl_yaml_node *tags = ctl_yaml_get(app, "tags");

		check_hosts(w, ctl_yaml_get(app, "hosts"), name);
		for (const struct ctl_yaml_node *i = tags == NULL ? NULL : tags->first; i != NULL;
			i = i->next)
			check_hosts(w, i->value, name);
	}
	assert_int_equal(w->n_wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_app_is_known_by_real_names_and_by_no_look_alike),
		cmocka_unit_test(each_host_of_the_file_ends_at_a_label),
	};

	return cmocka_run_group_tests(tests, world_make, world_free);
}
