// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Option tables onto YAML mappings: unknown keys, wrong values and missing keys become mistakes. */

#include "control/option.h"
#include "control/yaml.h"

struct ctl_yaml_part {
	const struct ctl_option *options;
	void *base; // initialised with the defaults
};

/* Write each key of map that one of the parts knows. others: keys that the caller reads itself
 * (NULL-terminated, or NULL). map NULL: nothing, not even missing keys; a node that is no mapping is
 * a mistake. */
void ctl_yaml_options(const struct ctl_yaml *doc, const struct ctl_yaml_node *map,
	const struct ctl_yaml_part *parts, size_t n_parts, const char *const *others);

/* Write one value. */
void ctl_yaml_option(const struct ctl_yaml *doc, const struct ctl_yaml_node *value,
	const struct ctl_option *option, void *base);

/* Each right text of a list of texts, or the one text that stands for a list, in its order; what is wrong
 * becomes a mistake. value NULL: nothing. Nothing is kept: a list may have a million. */
typedef void ctl_yaml_text_fn(void *ctx, const struct ctl_yaml_node *text);
void ctl_yaml_texts(const struct ctl_yaml *doc, const struct ctl_yaml_node *value,
	const struct ctl_option *option, ctl_yaml_text_fn *fn, void *ctx);

/* "'key' missing, expected ..." at the mapping. */
void ctl_yaml_missing(const struct ctl_yaml *doc, const struct ctl_yaml_node *map, const char *key,
	const char *expected);

/* Whether the node (NULL: false, no mistake) is of that kind; a mistake if not. */
bool ctl_yaml_is(const struct ctl_yaml *doc, const struct ctl_yaml_node *node,
	enum ctl_yaml_kind kind, const char *expected);

/* The number of elements or keys. */
size_t ctl_yaml_count(const struct ctl_yaml_node *node);

#define CTL_YAML_EACH(element, list) \
	const struct ctl_yaml_node *element = (list)->first; \
	element != NULL; \
	element = element->next
