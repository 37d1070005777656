// SPDX-License-Identifier: BSD-3-Clause
#include "control/yaml.h"

#include <glib.h>
#include <string.h>

bool ctl_yaml_has_mistakes(const struct ctl_yaml *doc)
{
	return ctl_mistakes_count(doc->mistakes) > doc->n_mistakes_before;
}

const struct ctl_yaml_node *ctl_yaml_get(const struct ctl_yaml_node *map, const char *key)
{
	if (map == NULL || map->kind != CTL_YAML_MAP)
		return NULL;
	for (const struct ctl_yaml_node *k = map->first; k != NULL; k = k->next)
		if (k->kind == CTL_YAML_SCALAR && strcmp(k->text, key) == 0)
			return k->value;
	return NULL;
}

void ctl_yaml_mistake(
	const struct ctl_yaml *doc, const struct ctl_yaml_node *node, const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	if (node->kind == CTL_YAML_REFUSED)
		return;
	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	ctl_mistake(doc->mistakes, doc->file, node->line, node->column, "%s", text);
}

/* A lower-case word or a short number with a unit: what options and amounts look like, and what no
 * msisdn, imsi, address or usual account number does. */
static bool is_harmless(const char *word)
{
	const size_t n_lower = strspn(word, "abcdefghijklmnopqrstuvwxyz_");
	const size_t n_digits = strspn(word, "0123456789");

	if (word[n_lower] == '\0')
		return n_lower <= 24;
	if (n_digits == 0 || n_digits > 3)
		return false;
	word += n_digits;
	return strlen(word) <= 4 && strspn(word, "bBcdGhiKkMmnsTtu%") == strlen(word);
}

char *ctl_yaml_found(
	const struct ctl_yaml *doc, const struct ctl_yaml_node *node, char buf[CTL_QUOTE_MAX])
{
	static const char *const kinds[] = {
		[CTL_YAML_LIST] = "a list",
		[CTL_YAML_MAP] = "a mapping",
		[CTL_YAML_REFUSED] = "an alias",
	};

	if (node->kind != CTL_YAML_SCALAR)
		(void)g_strlcpy(buf, kinds[node->kind], CTL_QUOTE_MAX);
	else if (*node->text == '\0')
		(void)g_strlcpy(buf, "nothing", CTL_QUOTE_MAX);
	else if (doc->is_private && !is_harmless(node->text))
		(void)g_strlcpy(buf, "a value that is not shown", CTL_QUOTE_MAX);
	else
		(void)ctl_quote(node->text, buf);
	return buf;
}

char *ctl_yaml_resolve(const struct ctl_yaml *doc, const char *path)
{
	g_autofree char *dir = NULL;

	if (g_path_is_absolute(path))
		return g_strdup(path);
	dir = g_path_get_dirname(doc->path);
	return strcmp(dir, ".") == 0 ? g_strdup(path) : g_build_filename(dir, path, NULL);
}
