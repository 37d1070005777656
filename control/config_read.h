// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How wirecue.yaml is read. Private to the config*.c files, tests and fuzz targets. */

#include "control/config.h"
#include "control/yaml.h"

/* What a table reads but the configuration does not keep. */
struct ctl_config_raw {
	char **networks;
	uint64_t ipv6_prefix;
	char *apps;
	char **told_files;
	char *password_file;
	char *key_file;
};

struct ctl_config_reader {
	struct ctl_config *config; // being filled
	struct ctl_config_raw raw;
	const struct ctl_yaml *doc; // wirecue.yaml; NULL for the built-in default
	struct ctl_mistakes *mistakes;
	const struct ctl_detector *const *detectors; // NULL-terminated
	GPtrArray *told_paths; // char *, each file once
	bool is_xdp; // captures will run through XDP
};

/* Tables, for the reader and for the reference. */
extern const struct ctl_option ctl_config_options[]; // top level, over struct ctl_config
extern const struct ctl_option ctl_config_raw_options[]; // top level, over struct ctl_config_raw
extern const struct ctl_option ctl_port_options[];
extern const struct ctl_option ctl_port_ignore_options[]; // over struct ctl_port, too
extern const struct ctl_option ctl_workers_options[];
extern const struct ctl_option ctl_flows_options[];
extern const struct ctl_option ctl_xdp_options[];
extern const struct ctl_option ctl_endpoints_options[];
extern const struct ctl_option ctl_binding_options[];
extern const struct ctl_option ctl_told_files_options[];
extern const struct ctl_option ctl_rule_options[];
extern const struct ctl_option ctl_when_options[];
extern const struct ctl_option ctl_redis_options[];
extern const struct ctl_option ctl_redis_raw_options[];
extern const struct ctl_option ctl_store_options[];
extern const struct ctl_option ctl_rot_options[];
extern const struct ctl_option ctl_samples_options[];
extern const struct ctl_option ctl_control_options[];
extern const struct ctl_option ctl_privacy_options[];
extern const struct ctl_option ctl_privacy_raw_options[];

/* Sections; node NULL: absent, the defaults stay. */
void ctl_config_read_ports(struct ctl_config_reader *r, const struct ctl_yaml_node *ports);
void ctl_config_read_xdp(struct ctl_config_reader *r, const struct ctl_yaml_node *xdp);
void ctl_config_read_endpoints(struct ctl_config_reader *r, const struct ctl_yaml_node *endpoints);
void ctl_config_read_binding(struct ctl_config_reader *r, const struct ctl_yaml_node *binding);
void ctl_config_read_told(struct ctl_config_reader *r, const struct ctl_yaml_node *told);
void ctl_config_read_rules(struct ctl_config_reader *r, const struct ctl_yaml_node *rules);
void ctl_config_read_redis(struct ctl_config_reader *r, const struct ctl_yaml_node *redis);
void ctl_config_read_store(struct ctl_config_reader *r, const struct ctl_yaml_node *store);
void ctl_config_read_rot(struct ctl_config_reader *r, const struct ctl_yaml_node *rot);
void ctl_config_read_samples(struct ctl_config_reader *r, const struct ctl_yaml_node *samples);
void ctl_config_read_privacy(struct ctl_config_reader *r, const struct ctl_yaml_node *privacy);

/* One file may be named as a source of bindings and as told facts: it is read once. */
void ctl_config_add_told_path(struct ctl_config_reader *r, const char *name);

/* What driver, device and role of a port say of its other keys (map: its mapping), and of workers'. */
void ctl_config_check_way(const struct ctl_config_reader *r, const struct ctl_port *port,
	const struct ctl_yaml_node *map);
void ctl_config_check_duplicates(
	const struct ctl_config_reader *r, const struct ctl_yaml_node *workers);

/* What a rule says of apps, once the catalogue is known. */
void ctl_config_check_rules(struct ctl_config_reader *r, const struct ctl_yaml_node *rules);

/* Report scalars of the list (NULL: none) that an earlier one equals, or likewise for one key of a
 * list of mappings: "'word', expected each WHAT once; it is also at FILE:1:2". */
void ctl_config_check_unique(
	const struct ctl_yaml *doc, const struct ctl_yaml_node *list, const char *what);
void ctl_config_check_key_unique(const struct ctl_yaml *doc, const struct ctl_yaml_node *list,
	const char *key, const char *what);

void ctl_port_clear(struct ctl_port *port);
void ctl_rule_clear(struct ctl_rule *rule);

/* Like ctl_config_load, with another table of detectors. */
[[nodiscard]] int ctl_config_load_with(const char *path,
	const struct ctl_config_overrides *overrides, const struct ctl_detector *const *detectors,
	ctl_mistake_fn *fn, void *ctx, struct ctl_config **ret_config);

/* The mistakes of wirecue.yaml alone, from memory: catalogue and told facts are not opened. Returns
 * their number. */
size_t ctl_config_check_text(const char *text, size_t len,
	const struct ctl_detector *const *detectors, ctl_mistake_fn *fn, void *ctx);

/* The catalogue used when none is named: $WIRECUE_DATADIR, the installed one, the source tree's.
 * Owned by the caller. */
char *ctl_config_shipped_apps(void);
