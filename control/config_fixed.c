// SPDX-License-Identifier: BSD-3-Clause
#include "control/config_read.h"

#include <string.h>

static bool same_strings(char *const *a, char *const *b)
{
	static char *const none[] = {NULL};

	return g_strv_equal((const char *const *)(a != NULL ? a : none),
		(const char *const *)(b != NULL ? b : none));
}

/* Of the types that a start reads. */
static bool same_value(const struct ctl_option *o, const void *base_a, const void *base_b)
{
	const void *a = (const char *)base_a + o->off;
	const void *b = (const char *)base_b + o->off;

	switch (o->type) {
	case CTL_OPTION_STRING:
		return g_strcmp0(*(char *const *)a, *(char *const *)b) == 0;
	case CTL_OPTION_STRINGS:
		return same_strings(*(char **const *)a, *(char **const *)b);
	case CTL_OPTION_ENUM:
		return *(const int *)a == *(const int *)b;
	case CTL_OPTION_BOOL:
		return *(const bool *)a == *(const bool *)b;
	default:
		return *(const uint64_t *)a == *(const uint64_t *)b;
	}
}

struct section {
	const char *name; // NULL: top level
	const struct ctl_option *options;
	const char *const *only; // these of them; NULL: all
	size_t off; // of the struct they fill, in the configuration
};

static const char *const fixed_top[] = {"node", "tick", NULL};
// endpoints bounds what control remembers, which may change at any time
static const char *const fixed_workers[] = {
	"cpus", "flows", "duplicates", "duplicate_window", "eal_extra", NULL};
// the others say what becomes of what workers bring
static const char *const fixed_samples[] = {"path", "packets", "snap", NULL};
static const char *const fixed_store[] = {"enabled", "path", "key_file", NULL};

static const struct section sections[] = {
	{NULL, ctl_config_options, fixed_top, 0},
	{"workers", ctl_workers_options, fixed_workers, 0},
	{"flows", ctl_flows_options, NULL, 0},
	{"redis", ctl_redis_options, NULL, offsetof(struct ctl_config, redis)},
	{"store", ctl_store_options, fixed_store, offsetof(struct ctl_config, store)},
	{"samples", ctl_samples_options, fixed_samples, offsetof(struct ctl_config, samples)},
	{"binding", ctl_binding_options, NULL, offsetof(struct ctl_config, binding)},
	{"xdp", ctl_xdp_options, NULL, offsetof(struct ctl_config, xdp)},
	{"control", ctl_control_options, NULL, 0},
};

/* The first option whose value differs, or NULL. */
static const struct ctl_option *first_change(
	const struct ctl_option *options, const char *const *only, const void *a, const void *b)
{
	for (; options->name != NULL; options++)
		if ((only == NULL || g_strv_contains(only, options->name)) &&
			!same_value(options, a, b))
			return options;
	return NULL;
}

static bool ports_changed(
	const struct ctl_config *a, const struct ctl_config *b, char ret_key[CTL_FIXED_KEY_MAX])
{
	static const struct {
		const char *prefix;
		const struct ctl_option *options;
	} tables[] = {{"ports", ctl_port_options}, {"ports.ignore", ctl_port_ignore_options}};

	for (size_t i = 0; i < MIN(a->n_ports, b->n_ports); i++) {
		for (size_t t = 0; t < G_N_ELEMENTS(tables); t++) {
			const struct ctl_option *change = first_change(
				tables[t].options, NULL, &a->ports[i], &b->ports[i]);

			if (change == NULL)
				continue;
			(void)g_snprintf(ret_key, CTL_FIXED_KEY_MAX, "%s.%s", tables[t].prefix,
				change->name);
			return true;
		}
	}
	if (a->n_ports == b->n_ports)
		return false;
	(void)g_strlcpy(ret_key, "ports", CTL_FIXED_KEY_MAX);
	return true;
}

bool ctl_config_needs_restart(
	const struct ctl_config *a, const struct ctl_config *b, char ret_key[CTL_FIXED_KEY_MAX])
{
	for (size_t i = 0; i < G_N_ELEMENTS(sections); i++) {
		const struct section *s = &sections[i];
		const struct ctl_option *change = first_change(
			s->options, s->only, (const char *)a + s->off, (const char *)b + s->off);

		if (change == NULL)
			continue;
		(void)g_snprintf(ret_key, CTL_FIXED_KEY_MAX, "%s%s%s",
			s->name != NULL ? s->name : "", s->name != NULL ? "." : "", change->name);
		return true;
	}
	if (ports_changed(a, b, ret_key))
		return true;
	if (memcmp(&a->nets, &b->nets, sizeof(a->nets)) != 0) {
		(void)g_strlcpy(ret_key, "endpoints", CTL_FIXED_KEY_MAX);
		return true;
	}
	if (a->binding.protos != b->binding.protos ||
		a->binding.is_static_first != b->binding.is_static_first ||
		memcmp(a->binding.ranks, b->binding.ranks, sizeof(a->binding.ranks)) != 0) {
		(void)g_strlcpy(ret_key, "binding.sources", CTL_FIXED_KEY_MAX);
		return true;
	}
	if (g_strcmp0(a->redis.password, b->redis.password) != 0) {
		(void)g_strlcpy(ret_key, "redis.password_file", CTL_FIXED_KEY_MAX);
		return true;
	}
	return false;
}
