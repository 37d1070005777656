// SPDX-License-Identifier: BSD-3-Clause
#include "control/config_read.h"
#include "control/redis_url.h"
#include "control/secret.h"
#include "control/yaml_options.h"

#include <errno.h>
#include <string.h>

enum { KEY_MIN = 16, PASSWORD_MAX = 1024 };

/* "'word', expected each X once; it is also at FILE:1:2" */
static void report_twice(const struct ctl_yaml *doc, const struct ctl_yaml_node *node,
	const struct ctl_yaml_node *first, const char *what)
{
	char found[CTL_QUOTE_MAX];

	ctl_yaml_mistake(doc, node, "%s, expected each %s once; it is also at %s:%u:%u",
		ctl_yaml_found(doc, node, found), what, doc->path, first->line, first->column);
}

void ctl_config_check_unique(
	const struct ctl_yaml *doc, const struct ctl_yaml_node *list, const char *what)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

	if (list == NULL || list->kind != CTL_YAML_LIST)
		return;
	for (CTL_YAML_EACH(node, list)) {
		const struct ctl_yaml_node *first;

		if (node->kind != CTL_YAML_SCALAR)
			continue;
		first = g_hash_table_lookup(seen, node->text);
		if (first != NULL)
			report_twice(doc, node, first, what);
		else
			g_hash_table_insert(seen, (void *)node->text, (void *)node);
	}
}

void ctl_config_check_key_unique(const struct ctl_yaml *doc, const struct ctl_yaml_node *list,
	const char *key, const char *what)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

	for (CTL_YAML_EACH(map, list)) {
		const struct ctl_yaml_node *node = ctl_yaml_get(map, key), *first;

		if (node == NULL || node->kind != CTL_YAML_SCALAR)
			continue;
		first = g_hash_table_lookup(seen, node->text);
		if (first != NULL)
			report_twice(doc, node, first, what);
		else
			g_hash_table_insert(seen, (void *)node->text, (void *)node);
	}
}

/* Of two prefixes one inside the other, the later one is the mistake. */
static void check_overlap(const struct ctl_config_reader *r, const struct ctl_yaml_node *list,
	const struct ctl_yaml_node *node, const struct dp_prefix *prefix)
{
	char found[CTL_QUOTE_MAX], other[CTL_QUOTE_MAX];

	for (const struct ctl_yaml_node *n = list->first; n != node; n = n->next) {
		struct dp_prefix before;

		if (n->kind != CTL_YAML_SCALAR || dp_prefix_parse(n->text, &before) < 0)
			continue;
		if (!dp_prefix_contains(&before, &prefix->addr) &&
			!dp_prefix_contains(prefix, &before.addr))
			continue;
		ctl_yaml_mistake(r->doc, node,
			"%s, expected prefixes that do not overlap; %s is at %s:%u:%u",
			ctl_yaml_found(r->doc, node, found), ctl_yaml_found(r->doc, n, other),
			r->doc->path, n->line, n->column);
		return;
	}
}

static void check_networks(const struct ctl_config_reader *r, const struct ctl_yaml_node *list)
{
	struct dp_prefix prefix;
	char found[CTL_QUOTE_MAX];

	if (list == NULL || list->kind != CTL_YAML_LIST)
		return;
	if (ctl_yaml_count(list) == 0 || ctl_yaml_count(list) > CTL_NETS_MAX) {
		ctl_yaml_mistake(r->doc, list, "%zu prefixes, expected 1 to %d",
			ctl_yaml_count(list), CTL_NETS_MAX);
		return; // so that comparing each with each stays cheap
	}
	for (CTL_YAML_EACH(node, list)) {
		if (node->kind != CTL_YAML_SCALAR || dp_prefix_parse(node->text, &prefix) < 0)
			continue; // reported by the table
		if (prefix.len == 0 || (dp_addr_is_v4(&prefix.addr) && prefix.len == 96))
			ctl_yaml_mistake(r->doc, node,
				"%s, expected less than all addresses: the other side is none of the "
				"subscribers'",
				ctl_yaml_found(r->doc, node, found));
		else
			check_overlap(r, list, node, &prefix);
	}
}

void ctl_config_read_endpoints(struct ctl_config_reader *r, const struct ctl_yaml_node *endpoints)
{
	struct dp_prefix nets[CTL_NETS_MAX];
	uint16_t n_nets = 0;

	ctl_options_init(ctl_endpoints_options, &r->raw);
	if (endpoints != NULL) {
		ctl_yaml_options(r->doc, endpoints,
			&(struct ctl_yaml_part){ctl_endpoints_options, &r->raw}, 1, NULL);
		check_networks(r, ctl_yaml_get(endpoints, "networks"));
	}
	for (char **text = r->raw.networks; text != NULL && *text != NULL; text++)
		if (n_nets < CTL_NETS_MAX && dp_prefix_parse(*text, &nets[n_nets]) == 0)
			n_nets++;
	dp_endpoint_nets_init(&r->config->nets, nets, n_nets, (uint8_t)r->raw.ipv6_prefix);
}

void ctl_config_add_told_path(struct ctl_config_reader *r, const char *name)
{
	char *path = ctl_yaml_resolve(r->doc, name);

	if (g_ptr_array_find_with_equal_func(r->told_paths, path, g_str_equal, NULL))
		g_free(path);
	else
		g_ptr_array_add(r->told_paths, path);
}

void ctl_config_read_told(struct ctl_config_reader *r, const struct ctl_yaml_node *told)
{
	if (told == NULL)
		return;
	ctl_yaml_options(
		r->doc, told, &(struct ctl_yaml_part){ctl_told_files_options, &r->raw}, 1, NULL);
	ctl_config_check_unique(r->doc, ctl_yaml_get(told, "files"), "file");
	for (char **file = r->raw.told_files; file != NULL && *file != NULL; file++)
		ctl_config_add_told_path(r, *file);
}

/* The content of a file named by `key` of `map`. Returns the length, or < 0 after a mistake. */
static int read_secret(struct ctl_config_reader *r, const struct ctl_yaml_node *map,
	const char *key, const char *name, uint8_t *buf, size_t size)
{
	g_autofree char *path = ctl_yaml_resolve(r->doc, name);
	struct dp_err err;
	const int len = ctl_secret_read(path, buf, size, &err);

	if (len < 0)
		ctl_yaml_mistake(r->doc, ctl_yaml_get(map, key), "%s", err.text);
	return len;
}

static void read_password(struct ctl_config_reader *r, const struct ctl_yaml_node *redis)
{
	uint8_t buf[PASSWORD_MAX];
	int len;

	if (r->raw.password_file == NULL)
		return;
	len = read_secret(r, redis, "password_file", r->raw.password_file, buf, sizeof(buf));
	if (len == 0 || (len > 0 && memchr(buf, '\0', (size_t)len) != NULL))
		ctl_yaml_mistake(r->doc, ctl_yaml_get(redis, "password_file"),
			"'%s', expected a file with one line that is not empty",
			r->raw.password_file);
	else if (len > 0)
		r->config->redis.password = g_strndup((const char *)buf, (size_t)len);
	explicit_bzero(buf, sizeof(buf));
}

/* Paths of a file are relative to it. */
static void resolve(const struct ctl_config_reader *r, char **path)
{
	char *whole = *path == NULL ? NULL : ctl_yaml_resolve(r->doc, *path);

	g_free(*path);
	*path = whole;
}

void ctl_config_read_redis(struct ctl_config_reader *r, const struct ctl_yaml_node *redis)
{
	struct ctl_redis_config *config = &r->config->redis;
	const struct ctl_yaml_part parts[] = {
		{ctl_redis_options, config}, {ctl_redis_raw_options, &r->raw}};
	const struct ctl_yaml_node *at;

	ctl_options_init(ctl_redis_options, config);
	if (redis == NULL)
		return;
	ctl_yaml_options(r->doc, redis, parts, G_N_ELEMENTS(parts), NULL);
	at = ctl_yaml_get(redis, "retry_max");
	if (at == NULL)
		at = ctl_yaml_get(redis, "retry_min");
	if (at != NULL && config->retry_min_ns > config->retry_max_ns)
		ctl_yaml_mistake(
			r->doc, at, "'%s', expected retry_min not above retry_max", at->text);
	if ((config->cert_file == NULL) != (config->tls_key_file == NULL))
		ctl_yaml_mistake(r->doc, redis,
			"redis, expected both cert_file and tls_key_file, or neither");
	resolve(r, &config->ca_file);
	resolve(r, &config->cert_file);
	resolve(r, &config->tls_key_file);
	read_password(r, redis);
}

void ctl_config_read_store(struct ctl_config_reader *r, const struct ctl_yaml_node *store)
{
	struct ctl_store_options *config = &r->config->store;

	ctl_options_init(ctl_store_options, config);
	if (store == NULL)
		return;
	ctl_yaml_options(
		r->doc, store, &(struct ctl_yaml_part){ctl_store_options, config}, 1, NULL);
	resolve(r, &config->path);
	resolve(r, &config->key_file);
}

void ctl_config_read_rot(struct ctl_config_reader *r, const struct ctl_yaml_node *rot)
{
	ctl_options_init(ctl_rot_options, &r->config->rot);
	if (rot != NULL)
		ctl_yaml_options(r->doc, rot,
			&(struct ctl_yaml_part){ctl_rot_options, &r->config->rot}, 1, NULL);
}

static void read_key(struct ctl_config_reader *r, const struct ctl_yaml_node *privacy)
{
	struct ctl_privacy *config = &r->config->privacy;
	const int len = read_secret(
		r, privacy, "key_file", r->raw.key_file, config->key, sizeof(config->key));

	if (len >= 0 && len < KEY_MIN)
		ctl_yaml_mistake(r->doc, ctl_yaml_get(privacy, "key_file"),
			"'%s' holds %d bytes, expected a key of %d to %zu bytes (openssl rand -hex 32)",
			r->raw.key_file, len, KEY_MIN, sizeof(config->key));
	if (len >= 0)
		config->key_len = (size_t)len;
}

void ctl_config_read_privacy(struct ctl_config_reader *r, const struct ctl_yaml_node *privacy)
{
	struct ctl_privacy *config = &r->config->privacy;
	const struct ctl_yaml_part parts[] = {
		{ctl_privacy_options, config}, {ctl_privacy_raw_options, &r->raw}};
	static const char expected[] =
		"expected a file with the key of the pseudonyms (or subject: plain in a laboratory)";

	ctl_options_init(ctl_privacy_options, config);
	if (privacy != NULL)
		ctl_yaml_options(r->doc, privacy, parts, G_N_ELEMENTS(parts), NULL);
	if (r->raw.key_file != NULL)
		read_key(r, privacy);
	else if (privacy == NULL)
		ctl_yaml_missing(
			r->doc, r->doc->root, "privacy", "expected a mapping with key_file");
	else if (privacy->kind == CTL_YAML_MAP && config->subject != CTL_SUBJECT_PLAIN &&
		ctl_yaml_get(privacy, "key_file") == NULL)
		ctl_yaml_missing(r->doc, privacy, "key_file", expected);
}
