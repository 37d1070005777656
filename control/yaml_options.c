// SPDX-License-Identifier: BSD-3-Clause
#include "control/yaml_options.h"

#include <assert.h>
#include <string.h>

void ctl_yaml_missing(const struct ctl_yaml *doc, const struct ctl_yaml_node *map, const char *key,
	const char *expected)
{
	ctl_yaml_mistake(doc, map, "'%s' missing, %s", key, expected);
}

bool ctl_yaml_is(const struct ctl_yaml *doc, const struct ctl_yaml_node *node,
	enum ctl_yaml_kind kind, const char *expected)
{
	char found[CTL_QUOTE_MAX];

	if (node == NULL)
		return false;
	if (node->kind == kind)
		return true;
	if (doc->is_private && node->kind == CTL_YAML_SCALAR && *node->text != '\0')
		ctl_yaml_mistake(doc, node, "a text, %s", expected); // it could be anything
	else
		ctl_yaml_mistake(doc, node, "%s, %s", ctl_yaml_found(doc, node, found), expected);
	return false;
}

size_t ctl_yaml_count(const struct ctl_yaml_node *node)
{
	size_t n = 0;

	if (node == NULL || node->kind == CTL_YAML_SCALAR || node->kind == CTL_YAML_REFUSED)
		return 0;
	for (CTL_YAML_EACH(child, node))
		n++;
	return n;
}

/* YAML's ways of writing nothing; none is a value here. */
static bool is_null(const struct ctl_yaml_node *node)
{
	return node->is_plain &&
		(*node->text == '\0' || strcmp(node->text, "~") == 0 ||
			strcmp(node->text, "null") == 0);
}

static void report_value(const struct ctl_yaml *doc, const struct ctl_yaml_node *value,
	const struct ctl_option *option, const char *expected)
{
	char found[CTL_QUOTE_MAX];

	if (option->is_private && value->kind == CTL_YAML_SCALAR)
		(void)g_strlcpy(found, option->name, sizeof(found));
	else
		(void)ctl_yaml_found(doc, value, found);
	ctl_yaml_mistake(doc, value, "%s, %s", found, expected);
}

static void set_scalar(const struct ctl_yaml *doc, const struct ctl_yaml_node *value,
	const struct ctl_option *option, void *base)
{
	char expected[CTL_EXPECTED_MAX];

	if (value->kind == CTL_YAML_REFUSED)
		return;
	if (value->kind != CTL_YAML_SCALAR || is_null(value))
		ctl_option_expected(option, expected);
	else if (ctl_option_set(option, value->text, base, expected) == 0)
		return;
	report_value(doc, value, option, expected);
}

void ctl_yaml_option(const struct ctl_yaml *doc, const struct ctl_yaml_node *value,
	const struct ctl_option *option, void *base)
{
	if (!ctl_option_is_list(option)) {
		set_scalar(doc, value, option, base);
		return;
	}
	ctl_option_clear(option, base);
	if (value->kind != CTL_YAML_LIST) {
		set_scalar(doc, value, option, base);
		return;
	}
	for (CTL_YAML_EACH(element, value))
		set_scalar(doc, element, option, base);
}

static void give_text(const struct ctl_yaml *doc, const struct ctl_yaml_node *value,
	const struct ctl_option *option, ctl_yaml_text_fn *fn, void *ctx)
{
	char expected[CTL_EXPECTED_MAX];
	const char *wrong = NULL;

	if (value->kind == CTL_YAML_REFUSED)
		return;
	if (value->kind != CTL_YAML_SCALAR || is_null(value) || *value->text == '\0') {
		ctl_option_expected(option, expected);
		wrong = expected;
	} else if (option->check != NULL) {
		wrong = option->check(value->text);
	}
	if (wrong != NULL)
		report_value(doc, value, option, wrong);
	else
		fn(ctx, value);
}

void ctl_yaml_texts(const struct ctl_yaml *doc, const struct ctl_yaml_node *value,
	const struct ctl_option *option, ctl_yaml_text_fn *fn, void *ctx)
{
	assert(option->type == CTL_OPTION_STRINGS);
	if (value == NULL)
		return;
	if (value->kind != CTL_YAML_LIST) {
		give_text(doc, value, option, fn, ctx);
		return;
	}
	for (CTL_YAML_EACH(element, value))
		give_text(doc, element, option, fn, ctx);
}

static const struct ctl_option *option_find(
	const struct ctl_yaml_part *parts, size_t n_parts, const char *name, void **ret_base)
{
	for (size_t i = 0; i < n_parts; i++) {
		for (const struct ctl_option *o = parts[i].options; o->name != NULL; o++) {
			if (strcmp(o->name, name) == 0) {
				*ret_base = parts[i].base;
				return o;
			}
		}
	}
	return NULL;
}

static bool is_one_of(const char *const *names, const char *name)
{
	return names != NULL && g_strv_contains(names, name);
}

/* All keys that would be right; borrowed strings, owned array. */
static const char **known_keys(
	const struct ctl_yaml_part *parts, size_t n_parts, const char *const *others)
{
	GPtrArray *keys = g_ptr_array_new();

	for (size_t i = 0; i < n_parts; i++)
		for (const struct ctl_option *o = parts[i].options; o->name != NULL; o++)
			g_ptr_array_add(keys, (void *)o->name);
	for (; others != NULL && *others != NULL; others++)
		g_ptr_array_add(keys, (void *)*others);
	g_ptr_array_add(keys, NULL);
	return (const char **)g_ptr_array_free(keys, FALSE);
}

static void report_unknown(const struct ctl_yaml *doc, const struct ctl_yaml_node *key,
	const struct ctl_yaml_part *parts, size_t n_parts, const char *const *others)
{
	g_autofree const char **keys = known_keys(parts, n_parts, others);
	const char *nearest = ctl_nearest(key->text, keys);
	g_autofree char *all = NULL;
	char word[CTL_QUOTE_MAX];

	if (nearest != NULL) {
		ctl_yaml_mistake(doc, key, "%s, expected a known key such as '%s'",
			ctl_yaml_found(doc, key, word), nearest);
		return;
	}
	all = g_strjoinv(", ", (char **)keys);
	// A private file may be keyed by number: only what is near a key of ours is shown.
	ctl_yaml_mistake(doc, key, "%s, expected a known key (%s)",
		doc->is_private ? "a key that is not shown" : ctl_yaml_found(doc, key, word), all);
}

static void report_missing(const struct ctl_yaml *doc, const struct ctl_yaml_node *map,
	const struct ctl_option *options)
{
	char expected[CTL_EXPECTED_MAX];

	for (const struct ctl_option *o = options; o->name != NULL; o++) {
		if (!o->required || ctl_yaml_get(map, o->name) != NULL)
			continue;
		ctl_option_expected(o, expected);
		ctl_yaml_missing(doc, map, o->name, expected);
	}
}

void ctl_yaml_options(const struct ctl_yaml *doc, const struct ctl_yaml_node *map,
	const struct ctl_yaml_part *parts, size_t n_parts, const char *const *others)
{
	if (!ctl_yaml_is(doc, map, CTL_YAML_MAP, "expected a mapping of keys to values"))
		return;
	for (CTL_YAML_EACH(key, map)) {
		const struct ctl_option *option;
		void *base;

		if (key->kind != CTL_YAML_SCALAR)
			continue; // reported by the parser
		option = option_find(parts, n_parts, key->text, &base);
		if (option != NULL && ctl_yaml_get(map, key->text) == key->value)
			ctl_yaml_option(doc, key->value, option, base);
		else if (option == NULL && !is_one_of(others, key->text))
			report_unknown(doc, key, parts, n_parts, others);
	}
	for (size_t i = 0; i < n_parts; i++)
		report_missing(doc, map, parts[i].options);
}
