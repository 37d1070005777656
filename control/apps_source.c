// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_source.h"

#include "control/commands.h"

#include <string.h>

int ctl_apps_source_open(const char *config, const char *apps, struct ctl_apps_source *ret_source)
{
	const struct ctl_config_overrides overrides = {.apps = apps};
	struct ctl_versions_choice choice = {0};
	struct ctl_apps_source source = {0};
	int r;

	if (config == NULL || apps != NULL)
		r = ctl_config_load(config, &overrides, ctl_print_mistake, NULL, &source.config);
	else
		r = ctl_config_load_version(
			config, &overrides, NULL, ctl_print_mistake, NULL, &choice, &source.config);
	if (r == 0) {
		source.version = choice.version;
		source.path = g_strdup(
			choice.version != 0 ? choice.path : source.config->apps_path);
		if (choice.damage.text[0] != '\0')
			source.unread = g_strdup(choice.damage.text);
		*ret_source = source;
	}
	ctl_versions_choice_fini(&choice);
	return r < 0 ? CTL_EXIT_USAGE : -1;
}

void ctl_apps_source_fini(struct ctl_apps_source *source)
{
	ctl_config_free(source->config);
	g_free(source->path);
	g_free(source->unread);
	*source = (struct ctl_apps_source){0};
}

char *ctl_apps_source_line(const struct ctl_apps_source *source)
{
	if (source->version != 0)
		return g_strdup_printf(
			"# catalogue: version %u, %s", source->version, source->path);
	if (source->unread != NULL)
		return g_strdup_printf(
			"# catalogue: %s, the configured file: %s", source->path, source->unread);
	return g_strdup_printf("# catalogue: %s", source->path);
}

json_t *ctl_apps_source_json(const struct ctl_apps_source *source)
{
	return json_pack("{s:o, s:s}", "version",
		source->version != 0 ? json_integer(source->version) : json_null(), "file",
		source->path);
}
