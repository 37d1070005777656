// SPDX-License-Identifier: BSD-3-Clause
#include "control/yaml.h"

#include "control/file.h"
#include "control/yaml_arena.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <libfyaml.h>
#include <string.h>
#include <unistd.h>

/* A list or mapping that is still open. */
struct frame {
	struct ctl_yaml_node *node;
	struct ctl_yaml_node **tail; // where the next child is linked
	struct ctl_yaml_node *key; // of a mapping: waits for its value
	size_t n_children;
};

struct builder {
	struct ctl_yaml *doc;
	struct frame stack[CTL_YAML_DEPTH_MAX];
	size_t depth;
	size_t n_nodes;
	size_t n_documents;
	uint32_t line, column; // of the last event that had a position: empty values have none
};

/* libfyaml marks the first character of the text, behind a quote or an asterisk. */
static uint32_t lead_in(const struct fy_event *event)
{
	enum fy_scalar_style style;

	if (event->type == FYET_ALIAS)
		return 1;
	if (event->type != FYET_SCALAR || event->scalar.value == NULL)
		return 0;
	style = fy_token_scalar_style(event->scalar.value);
	return style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
}

/* A value that is not there: it stands where its key does. (libfyaml 0.8 has a token for it, of no text, 0.7 none.) */
static bool is_absent(struct fy_event *event)
{
	size_t len;

	return event->type == FYET_SCALAR &&
		(event->scalar.value == NULL ||
			(fy_token_scalar_style(event->scalar.value) == FYSS_PLAIN &&
				fy_token_get_text(event->scalar.value, &len) != NULL && len == 0));
}

static struct ctl_yaml_node *node_new(
	struct builder *b, enum ctl_yaml_kind kind, struct fy_event *event)
{
	struct ctl_yaml_node *node = ctl_yaml_arena_alloc(b->doc->arena, sizeof(*node));
	const struct fy_mark *mark = fy_event_start_mark(event);

	if (mark != NULL && !is_absent(event)) {
		b->line = (uint32_t)mark->line + 1;
		b->column = MAX((uint32_t)mark->column + 1 - lead_in(event), 1);
	}
	*node = (struct ctl_yaml_node){.kind = (uint8_t)kind, .line = b->line, .column = b->column};
	return node;
}

static const struct ctl_yaml_node *key_find(
	const struct ctl_yaml_node *map, const struct ctl_yaml_node *end, const char *name)
{
	for (const struct ctl_yaml_node *k = map->first; k != end; k = k->next)
		if (k->kind == CTL_YAML_SCALAR && strcmp(k->text, name) == 0)
			return k;
	return NULL;
}

static void report_duplicate(const struct ctl_yaml *doc, const struct ctl_yaml_node *key,
	const struct ctl_yaml_node *first)
{
	char word[CTL_QUOTE_MAX];

	ctl_yaml_mistake(doc, key, "%s, expected each key once; it is also at %s:%u:%u",
		ctl_yaml_found(doc, key, word), doc->path, first->line, first->column);
}

/* Small mappings by comparison, large ones by hash: a file cannot make it quadratic. */
static void check_duplicates(const struct ctl_yaml *doc, const struct frame *f)
{
	enum { HASH_FROM = 16 };
	const bool is_large = f->n_children >= HASH_FROM;
	g_autoptr(GHashTable) seen = is_large ? g_hash_table_new(g_str_hash, g_str_equal) : NULL;

	for (struct ctl_yaml_node *k = f->node->first; k != NULL; k = k->next) {
		const struct ctl_yaml_node *first;

		if (k->kind != CTL_YAML_SCALAR)
			continue;
		first = is_large ? g_hash_table_lookup(seen, k->text)
				 : key_find(f->node, k, k->text);
		if (first != NULL)
			report_duplicate(doc, k, first);
		else if (is_large)
			g_hash_table_insert(seen, (void *)k->text, k);
	}
}

static void attach(struct builder *b, struct ctl_yaml_node *node)
{
	struct frame *f = b->depth == 0 ? NULL : &b->stack[b->depth - 1];

	if (f == NULL) {
		b->doc->root = node;
		return;
	}
	if (f->node->kind == CTL_YAML_MAP && f->key != NULL) {
		f->key->value = node;
		f->key = NULL;
		return;
	}
	*f->tail = node;
	f->tail = &node->next;
	f->n_children++;
	if (f->node->kind == CTL_YAML_MAP) {
		f->key = node;
		if (node->kind != CTL_YAML_SCALAR)
			ctl_yaml_mistake(b->doc, node, "expected a word as the key of a mapping");
	}
}

static void check_event(struct builder *b, struct ctl_yaml_node *node, struct fy_event *event)
{
	if (fy_event_get_anchor_token(event) != NULL)
		ctl_yaml_mistake(
			b->doc, node, "an anchor, expected each value written where it is used");
	if (fy_event_get_tag_token(event) != NULL)
		ctl_yaml_mistake(b->doc, node, "a tag, expected a value without one");
}

static int on_scalar(struct builder *b, struct fy_event *event)
{
	struct ctl_yaml_node *node = node_new(b, CTL_YAML_SCALAR, event);
	struct fy_token *token = event->scalar.value;
	size_t len = 0;
	const char *text = token == NULL ? "" : fy_token_get_text(token, &len);

	if (text == NULL)
		return -EINVAL;
	node->text = ctl_yaml_arena_text(b->doc->arena, text, len);
	node->is_plain = token == NULL || fy_token_scalar_style(token) == FYSS_PLAIN;
	check_event(b, node, event);
	if (strlen(node->text) != len)
		ctl_yaml_mistake(b->doc, node, "a text with a NUL character, expected none");
	attach(b, node);
	return 0;
}

static int on_open(struct builder *b, enum ctl_yaml_kind kind, struct fy_event *event)
{
	struct ctl_yaml_node *node = node_new(b, kind, event);

	check_event(b, node, event);
	if (b->depth == CTL_YAML_DEPTH_MAX) {
		ctl_yaml_mistake(b->doc, node, "more than %d levels, expected a flatter file",
			CTL_YAML_DEPTH_MAX);
		return -EINVAL;
	}
	attach(b, node);
	b->stack[b->depth++] = (struct frame){.node = node, .tail = &node->first};
	return 0;
}

static void on_close(struct builder *b)
{
	const struct frame *f = &b->stack[--b->depth];

	if (f->node->kind == CTL_YAML_MAP)
		check_duplicates(b->doc, f);
}

static void on_alias(struct builder *b, struct fy_event *event)
{
	struct ctl_yaml_node *node = node_new(b, CTL_YAML_SCALAR, event);

	ctl_yaml_mistake(b->doc, node, "an alias, expected the value itself");
	node->kind = CTL_YAML_REFUSED;
	attach(b, node);
}

static int on_document(struct builder *b, struct fy_event *event)
{
	struct ctl_yaml_node *node;

	if (b->n_documents++ == 0)
		return 0;
	node = node_new(b, CTL_YAML_SCALAR, event);
	ctl_yaml_mistake(b->doc, node, "a second document, expected one in a file");
	return -EINVAL;
}

static int on_event(struct builder *b, struct fy_event *event)
{
	if (++b->n_nodes > CTL_YAML_NODES_MAX) {
		ctl_mistake(b->doc->mistakes, b->doc->file, b->line, b->column,
			"more than %d values, expected a smaller file", CTL_YAML_NODES_MAX);
		return -EINVAL;
	}
	switch (event->type) {
	case FYET_SCALAR:
		return on_scalar(b, event);
	case FYET_SEQUENCE_START:
		return on_open(b, CTL_YAML_LIST, event);
	case FYET_MAPPING_START:
		return on_open(b, CTL_YAML_MAP, event);
	case FYET_SEQUENCE_END:
	case FYET_MAPPING_END:
		on_close(b);
		return 0;
	case FYET_ALIAS:
		on_alias(b, event);
		return 0;
	case FYET_DOCUMENT_START:
		return on_document(b, event);
	default:
		return 0;
	}
}

/* libfyaml quotes parts of the file in some of its texts. */
static void report_syntax(const struct ctl_yaml *doc, struct fy_diag *diag)
{
	void *iter = NULL;
	const struct fy_diag_error *e = fy_diag_errors_iterate(diag, &iter);
	const bool is_hidden = e != NULL && doc->is_private && strchr(e->msg, '\'') != NULL;

	if (e == NULL || e->line < 1) {
		ctl_mistake(doc->mistakes, doc->file, 1, 1, "expected valid YAML");
		return;
	}
	ctl_mistake(doc->mistakes, doc->file, (uint32_t)e->line, (uint32_t)MAX(e->column, 1),
		"%s, expected valid YAML", is_hidden ? "syntax error" : e->msg);
}

static int build(struct ctl_yaml *doc, struct fy_parser *parser, struct fy_diag *diag)
{
	struct builder b = {.doc = doc, .line = 1, .column = 1};
	bool is_complete = false;
	int r = 0;

	while (r == 0 && !is_complete) {
		struct fy_event *event = fy_parser_parse(parser);

		if (event == NULL) {
			report_syntax(doc, diag);
			return -EINVAL;
		}
		is_complete = event->type == FYET_STREAM_END;
		r = on_event(&b, event);
		fy_parser_event_free(parser, event);
	}
	return r;
}

/* YAML 1.2.2 5.1: libfyaml would take UTF-16 and stop at a NUL without a word. */
static int check_characters(const struct ctl_yaml *doc, const char *text, size_t len)
{
	const char *bad, *line_start = text;
	uint32_t line = 1;

	if (g_utf8_validate_len(text, len, &bad)) {
		for (bad = text; bad < text + len; bad++)
			if (g_ascii_iscntrl(*bad) && strchr("\t\n\r", *bad) == NULL)
				break;
			else if (*bad == '\0')
				break;
		if (bad == text + len)
			return 0;
	}
	for (const char *p = text; p < bad; p++) {
		if (*p == '\n') {
			line++;
			line_start = p + 1;
		}
	}
	ctl_mistake(doc->mistakes, doc->file, line,
		(uint32_t)g_utf8_strlen(line_start, bad - line_start) + 1,
		"a byte 0x%02x, expected UTF-8 text without control characters",
		(unsigned char)*bad);
	return -EINVAL;
}

/* libfyaml reads a flow list to its end before it gives the first event (it could be a key), with
 * some 350 bytes for each open bracket: 16 MiB of '[' cost 5.6 GB and half a minute (measured with
 * 0.7.12). So too many are refused before. Brackets in quotes and comments count as well: nobody
 * leaves that many open there. */
static int check_brackets(const struct ctl_yaml *doc, const char *text, size_t len)
{
	enum { OPEN_MAX = 4096 };
	size_t n_open = 0;

	for (size_t i = 0; i < len && n_open <= OPEN_MAX; i++) {
		if (text[i] == '[' || text[i] == '{')
			n_open++;
		else if ((text[i] == ']' || text[i] == '}') && n_open > 0)
			n_open--;
	}
	if (n_open <= OPEN_MAX)
		return 0;
	ctl_mistake(doc->mistakes, doc->file, 0, 0,
		"more than %d open brackets, expected at most %d levels", OPEN_MAX,
		CTL_YAML_DEPTH_MAX);
	return -EINVAL;
}

static int parse(struct ctl_yaml *doc, const char *text, size_t len)
{
	struct fy_diag_cfg diag_cfg;
	struct fy_parse_cfg cfg = {
		.flags = FYPCF_QUIET | FYPCF_JSON_NONE | FYPCF_SLOPPY_FLOW_INDENTATION};
	struct fy_parser *parser;
	int r = -ENOMEM;

	if (len > CTL_YAML_BYTES_MAX) {
		ctl_mistake(doc->mistakes, doc->file, 0, 0, "expected a file of at most %d MiB",
			CTL_YAML_BYTES_MAX / 1024 / 1024);
		return -EINVAL;
	}
	if (check_characters(doc, text, len) < 0 || check_brackets(doc, text, len) < 0)
		return -EINVAL;
	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	cfg.diag = fy_diag_create(&diag_cfg);
	fy_diag_set_collect_errors(cfg.diag, true);
	parser = fy_parser_create(&cfg);
	if (parser != NULL && fy_parser_set_string(parser, text, len) == 0)
		r = build(doc, parser, cfg.diag);
	fy_parser_destroy(parser);
	fy_diag_destroy(cfg.diag);
	return r;
}

static struct ctl_yaml *doc_new(const char *name, bool is_private, struct ctl_mistakes *mistakes)
{
	struct ctl_yaml *doc = g_new0(struct ctl_yaml, 1);

	doc->path = g_strdup(name);
	doc->file = ctl_mistakes_add_file(mistakes, name);
	doc->is_private = is_private;
	doc->mistakes = mistakes;
	doc->n_mistakes_before = ctl_mistakes_count(mistakes);
	doc->arena = ctl_yaml_arena_new();
	return doc;
}

int ctl_yaml_parse(const char *name, const char *text, size_t len, bool is_private,
	struct ctl_mistakes *mistakes, struct ctl_yaml **ret_doc)
{
	struct ctl_yaml *doc = doc_new(name, is_private, mistakes);
	const int r = parse(doc, text, len);

	if (r < 0) {
		ctl_yaml_free(doc);
		return r;
	}
	*ret_doc = doc;
	return 0;
}

static int read_file(const char *path, GByteArray *ret_bytes)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = ctl_file_read(fd, CTL_YAML_BYTES_MAX, ret_bytes); // longer: the parser says so
	(void)close(fd); // nothing was written
	return r;
}

int ctl_yaml_load(
	const char *path, bool is_private, struct ctl_mistakes *mistakes, struct ctl_yaml **ret_doc)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	const int r = read_file(path, bytes);

	if (r < 0) {
		ctl_mistake(mistakes, ctl_mistakes_add_file(mistakes, path), 0, 0,
			"cannot be read (%s), expected a readable YAML file", g_strerror(-r));
		return r;
	}
	return ctl_yaml_parse(
		path, (const char *)bytes->data, bytes->len, is_private, mistakes, ret_doc);
}

void ctl_yaml_free(struct ctl_yaml *doc)
{
	if (doc == NULL)
		return;
	ctl_yaml_arena_free(doc->arena);
	g_free(doc->path);
	g_free(doc);
}
