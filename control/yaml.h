// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A YAML file as a tree whose every node knows its line and column.
 *
 * Thin layer over libfyaml's events. Accepted is the subset a configuration needs: one document,
 * scalars as text, lists, mappings with scalar keys. Refused, each with its position: anchors and
 * aliases (they hide what a line says and explode in memory), tags, duplicate keys, more than
 * CTL_YAML_DEPTH_MAX levels, CTL_YAML_NODES_MAX nodes or CTL_YAML_BYTES_MAX bytes.
 * Any thread, a document in one at a time. */

#include "control/mistakes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CTL_YAML_BYTES_MAX = 64 * 1024 * 1024, // a million hosts with what stands around them
	CTL_YAML_DEPTH_MAX = 24,
	CTL_YAML_NODES_MAX = 4 * 1024 * 1024,
};

enum ctl_yaml_kind {
	CTL_YAML_SCALAR,
	CTL_YAML_LIST,
	CTL_YAML_MAP,
	CTL_YAML_REFUSED, // an alias: its mistake is reported, no second one at this node
};

struct ctl_yaml_node {
	uint8_t kind; // enum ctl_yaml_kind
	bool is_plain; // a scalar without quotes
	uint32_t line, column; // from 1
	const char *text; // SCALAR: NUL-terminated, no NUL inside; else NULL
	struct ctl_yaml_node *first; // LIST: first element; MAP: first key
	struct ctl_yaml_node *next; // next element or key
	struct ctl_yaml_node *value; // of a key; never NULL
};

struct ctl_yaml {
	char *path; // as messages print it
	unsigned file; // index in mistakes
	bool is_private; // holds identifiers of persons: messages do not quote values
	struct ctl_mistakes *mistakes; // borrowed
	size_t n_mistakes_before; // when reading began
	const struct ctl_yaml_node *root; // NULL: empty file
	struct ctl_yaml_arena *arena; // owns the nodes
};

/* Read and parse `path`. Returns 0 and *ret_doc (owned by the caller), or -EINVAL (syntax, limits),
 * or -errno when the file cannot be read; both are then in mistakes. Lesser mistakes (duplicate
 * keys, anchors, tags) are reported and the tree is returned. */
[[nodiscard]] int ctl_yaml_load(const char *path, bool is_private, struct ctl_mistakes *mistakes,
	struct ctl_yaml **ret_doc);

/* Likewise from memory; name is what messages print as the file. */
[[nodiscard]] int ctl_yaml_parse(const char *name, const char *text, size_t len, bool is_private,
	struct ctl_mistakes *mistakes, struct ctl_yaml **ret_doc);

void ctl_yaml_free(struct ctl_yaml *doc);

/* Whether anything was reported since reading of this file began. */
bool ctl_yaml_has_mistakes(const struct ctl_yaml *doc);

/* The value of a key, NULL when the map (NULL allowed) has none. */
const struct ctl_yaml_node *ctl_yaml_get(const struct ctl_yaml_node *map, const char *key);

/* A mistake at a node: "file:line:column: " and the text. */
[[gnu::format(printf, 3, 4)]] void ctl_yaml_mistake(
	const struct ctl_yaml *doc, const struct ctl_yaml_node *node, const char *fmt, ...);

/* What was found at a node, for a message: the quoted word of a scalar, "a list", "a mapping",
 * "nothing". In a private file a word only shows when it cannot be an identifier. Returns buf. */
char *ctl_yaml_found(
	const struct ctl_yaml *doc, const struct ctl_yaml_node *node, char buf[CTL_QUOTE_MAX]);

/* path as named in the file: relative to its directory. Owned by the caller. */
char *ctl_yaml_resolve(const struct ctl_yaml *doc, const char *path);
