// SPDX-License-Identifier: BSD-3-Clause
#include "control/config_read.h"
#include "control/detector.h"
#include "control/yaml_options.h"

#include <string.h>

static const struct ctl_detector *detector_find(const struct ctl_config_reader *r, const char *name)
{
	for (size_t i = 0; r->detectors[i] != NULL; i++)
		if (strcmp(r->detectors[i]->name, name) == 0)
			return r->detectors[i];
	return NULL;
}

static char *detector_names(const struct ctl_config_reader *r)
{
	GString *names = g_string_new("expected one of ");

	for (size_t i = 0; r->detectors[i] != NULL; i++)
		g_string_append_printf(names, "%s%s", i == 0 ? "" : ", ", r->detectors[i]->name);
	return g_string_free(names, FALSE);
}

static const struct ctl_detector *read_detect(
	const struct ctl_config_reader *r, const struct ctl_yaml_node *map)
{
	const struct ctl_yaml_node *detect = ctl_yaml_get(map, "detect");
	g_autofree char *expected = detector_names(r);
	const struct ctl_detector *detector;
	char found[CTL_QUOTE_MAX];

	if (detect == NULL) {
		ctl_yaml_missing(r->doc, map, "detect", expected);
		return NULL;
	}
	detector = detect->kind == CTL_YAML_SCALAR ? detector_find(r, detect->text) : NULL;
	if (detector == NULL)
		ctl_yaml_mistake(
			r->doc, detect, "%s, %s", ctl_yaml_found(r->doc, detect, found), expected);
	return detector;
}

/* Without a detector nobody knows which further keys are right: none is called unknown. */
static const char **keys_of(const struct ctl_yaml_node *map)
{
	GPtrArray *keys = g_ptr_array_new();

	for (CTL_YAML_EACH(key, map))
		if (key->kind == CTL_YAML_SCALAR)
			g_ptr_array_add(keys, (void *)key->text);
	g_ptr_array_add(keys, NULL);
	return (const char **)g_ptr_array_free(keys, FALSE);
}

static void read_keys(
	struct ctl_config_reader *r, struct ctl_rule *rule, const struct ctl_yaml_node *map)
{
	static const char *const others[] = {"detect", "when", NULL};
	struct ctl_yaml_part parts[] = {{ctl_rule_options, rule}, {NULL, NULL}};
	g_autofree const char **all = NULL;

	if (rule->detector == NULL) {
		all = keys_of(map);
		ctl_yaml_options(r->doc, map, parts, 1, all);
		return;
	}
	rule->params = g_malloc0(MAX(rule->detector->params_size, 1));
	ctl_options_init(rule->detector->params, rule->params);
	parts[1] = (struct ctl_yaml_part){rule->detector->params, rule->params};
	ctl_yaml_options(r->doc, map, parts, G_N_ELEMENTS(parts), others);
}

static void read_rule(
	struct ctl_config_reader *r, struct ctl_rule *rule, const struct ctl_yaml_node *map)
{
	const struct ctl_yaml_node *when = ctl_yaml_get(map, "when");

	ctl_options_init(ctl_rule_options, rule);
	ctl_options_init(ctl_when_options, rule);
	rule->class = CTL_CLASS_COUNT; // until a right one is read: it has no default
	if (!ctl_yaml_is(r->doc, map, CTL_YAML_MAP, "expected a rule: a mapping of keys to values"))
		return;
	rule->detector = read_detect(r, map);
	read_keys(r, rule, map);
	if (when != NULL)
		ctl_yaml_options(
			r->doc, when, &(struct ctl_yaml_part){ctl_when_options, rule}, 1, NULL);
	if ((rule->class == CTL_CLASS_UPSELL || rule->class == CTL_CLASS_RETENTION) &&
		ctl_yaml_get(map, "purpose") == NULL)
		ctl_yaml_missing(r->doc, map, "purpose",
			"expected the consent that upsell and retention need, such as marketing");
}

static void check_ids(const struct ctl_config_reader *r, const struct ctl_yaml_node *rules)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	char found[CTL_QUOTE_MAX];

	for (CTL_YAML_EACH(map, rules)) {
		const struct ctl_yaml_node *id = ctl_yaml_get(map, "id"), *first;

		if (id == NULL || id->kind != CTL_YAML_SCALAR)
			continue;
		first = g_hash_table_lookup(seen, id->text);
		if (first == NULL)
			g_hash_table_insert(seen, (void *)id->text, (void *)id);
		else
			ctl_yaml_mistake(r->doc, id,
				"%s, expected each rule id once; it is also at %s:%u:%u",
				ctl_yaml_found(r->doc, id, found), r->doc->path, first->line,
				first->column);
	}
}

void ctl_config_read_rules(struct ctl_config_reader *r, const struct ctl_yaml_node *rules)
{
	struct ctl_config *config = r->config;

	if (!ctl_yaml_is(r->doc, rules, CTL_YAML_LIST, "expected a list of rules"))
		return;
	config->rules = g_new0(struct ctl_rule, ctl_yaml_count(rules));
	for (CTL_YAML_EACH(map, rules))
		read_rule(r, &config->rules[config->n_rules++], map);
	check_ids(r, rules);
}

void ctl_config_check_rules(struct ctl_config_reader *r, const struct ctl_yaml_node *rules)
{
	size_t i = 0;

	if (r->config->n_rules == 0 || r->config->catalogue == NULL)
		return;
	for (CTL_YAML_EACH(map, rules)) {
		const struct ctl_rule *rule = &r->config->rules[i++];
		const char *expected = NULL;
		char found[CTL_QUOTE_MAX];

		if (rule->detector != NULL && rule->detector->check != NULL && rule->id != NULL)
			expected = rule->detector->check(rule, r->config->catalogue);
		if (expected != NULL)
			ctl_yaml_mistake(
				r->doc, map, "%s, %s", ctl_quote(rule->id, found), expected);
	}
}

void ctl_rule_clear(struct ctl_rule *rule)
{
	ctl_options_fini(ctl_rule_options, rule);
	ctl_options_fini(ctl_when_options, rule);
	if (rule->params != NULL)
		ctl_options_fini(rule->detector->params, rule->params);
	g_free(rule->params);
}
