// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_entries.h"

#include "control/apps_files.h"
#include "control/yaml_options.h"

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

struct walk {
	const struct ctl_yaml *doc;
	struct ctl_entry entry; // the app's part of it stays
	ctl_entry_fn *fn;
	void *ctx;
};

static const char *text_of(const struct ctl_yaml_node *map, const char *key)
{
	const struct ctl_yaml_node *node = ctl_yaml_get(map, key);

	return node != NULL && node->kind == CTL_YAML_SCALAR ? node->text : "";
}

/* Each scalar of a list, or the one scalar. */
static void walk_list(
	struct walk *w, enum ctl_entry_kind kind, const char *tag, const struct ctl_yaml_node *list)
{
	const bool is_list = list != NULL && list->kind == CTL_YAML_LIST;

	for (const struct ctl_yaml_node *node = is_list ? list->first : list; node != NULL;
		node = is_list ? node->next : NULL) {
		if (node->kind != CTL_YAML_SCALAR)
			continue;
		w->entry.kind = kind;
		w->entry.tag = tag;
		w->entry.text = node->text;
		w->entry.file = w->doc->path;
		w->entry.line = node->line;
		w->entry.column = node->column;
		w->fn(w->ctx, &w->entry);
	}
}

/* The word at *p, cut out of the text; NULL: the line has no more, or a comment. */
static char *next_word(char **p)
{
	char *word = *p + strspn(*p, " \t");
	const size_t len = strcspn(word, " \t");

	if (*word == '\0' || *word == '#')
		return NULL;
	*p = word + len;
	if (**p != '\0')
		*(*p)++ = '\0';
	return word;
}

/* One host a line, behind it perhaps its tag (control/apps_hosts.h). */
static void walk_line(struct walk *w, char *line)
{
	char *p = line;
	const char *host = next_word(&p);

	if (host == NULL)
		return;
	w->entry.kind = CTL_ENTRY_HOST;
	w->entry.text = host;
	w->entry.tag = next_word(&p);
	w->entry.column = (uint32_t)(host - line) + 1; // only blanks stand before it
	w->fn(w->ctx, &w->entry);
}

static void walk_file(struct walk *w, const char *name)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	g_autofree char *path = ctl_yaml_resolve(w->doc, name);
	g_autofree char *text = NULL;
	const ssize_t len = ctl_apps_file_read(
		w->doc->path, name, CTL_HOSTS_BYTES_MAX, &text, NULL);
	char *line, *next;

	if (len < 0)
		return;
	text[len] = '\0';
	line = g_str_has_prefix(text, byte_order_mark) ? text + strlen(byte_order_mark) : text;
	w->entry.file = path;
	w->entry.line = 1;
	for (; line != NULL; line = next, w->entry.line++) {
		next = strchr(line, '\n');
		if (next != NULL) {
			next[next > line && next[-1] == '\r' ? -1 : 0] = '\0';
			next++;
		}
		walk_line(w, line);
	}
}

static void walk_app(struct walk *w, const struct ctl_yaml_node *app)
{
	const struct ctl_yaml_node *tags = ctl_yaml_get(app, "tags");

	w->entry.app = text_of(app, "name");
	w->entry.category = text_of(app, "category");
	walk_list(w, CTL_ENTRY_NDPI, NULL, ctl_yaml_get(app, "ndpi"));
	walk_list(w, CTL_ENTRY_HOST, NULL, ctl_yaml_get(app, "hosts"));
	if (tags != NULL && tags->kind == CTL_YAML_MAP) {
		for (CTL_YAML_EACH(key, tags))
			walk_list(w, CTL_ENTRY_HOST, key->text, key->value);
	}
	if (*text_of(app, "hosts_file") != '\0')
		walk_file(w, text_of(app, "hosts_file"));
	walk_list(w, CTL_ENTRY_NET, NULL, ctl_yaml_get(app, "nets"));
	walk_list(w, CTL_ENTRY_PORT, NULL, ctl_yaml_get(app, "ports"));
}

int ctl_entries_read(const char *path, ctl_entry_fn *fn, void *ctx, struct dp_err *reterr)
{
	struct ctl_mistakes *mistakes = ctl_mistakes_new();
	struct ctl_yaml *doc = NULL;
	const int r = ctl_yaml_load(path, false, mistakes, &doc);
	const struct ctl_yaml_node *apps = r < 0 ? NULL : ctl_yaml_get(doc->root, "apps");
	struct walk w = {.doc = doc, .fn = fn, .ctx = ctx};

	if (apps != NULL && apps->kind == CTL_YAML_LIST) {
		for (CTL_YAML_EACH(app, apps))
			walk_app(&w, app);
	}
	ctl_yaml_free(doc);
	ctl_mistakes_free(mistakes);
	return r < 0 ? dp_fail(reterr, -r, "cannot read '%s' again: %m", path) : 0;
}
