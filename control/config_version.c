// SPDX-License-Identifier: BSD-3-Clause
#include "control/config_version.h"

#include "control/catalogue_restore.h"

#include <errno.h>

struct chooser {
	struct ctl_versions *versions; // borrowed; NULL: those of the store, which is not open yet
	const char *refused; // why no version is taken; NULL: one may be
	bool is_kept; // the one that was in force, whatever the configured file is
	struct ctl_versions_choice *choice;
};

static char *choose(void *ctx, const struct ctl_config *config)
{
	const struct chooser *chooser = ctx;
	g_autofree char *folder = config->store.enabled ? ctl_versions_folder(config->store.path)
							: NULL;

	if (chooser->versions == NULL && folder != NULL)
		ctl_versions_restore_recover(config->store.path); // of a restore that was cut short
	if (chooser->is_kept)
		ctl_versions_choose_kept(folder, chooser->choice);
	else if (chooser->versions != NULL)
		ctl_versions_choose_again(chooser->versions, config->apps_path, chooser->choice);
	else
		ctl_versions_choose(folder, config->apps_path, chooser->choice);
	if (chooser->refused != NULL)
		ctl_versions_refuse(chooser->choice, chooser->refused);
	return g_strdup(chooser->choice->path);
}

static int load(const char *path, const struct ctl_config_overrides *overrides,
	struct chooser *chooser, ctl_mistake_fn *fn, void *ctx, struct ctl_config **ret_config)
{
	struct ctl_config_overrides with_version = *overrides;

	*chooser->choice = (struct ctl_versions_choice){0};
	with_version.choose_apps = choose;
	with_version.choose_ctx = chooser;
	return ctl_config_load(path, &with_version, fn, ctx, ret_config);
}

int ctl_config_load_version(const char *path, const struct ctl_config_overrides *overrides,
	struct ctl_versions *versions, ctl_mistake_fn *fn, void *ctx,
	struct ctl_versions_choice *ret_choice, struct ctl_config **ret_config)
{
	struct chooser chooser = {.versions = versions, .choice = ret_choice};

	return load(path, overrides, &chooser, fn, ctx, ret_config);
}

static void keep(void *ctx, const char *text)
{
	g_ptr_array_add(ctx, g_strdup(text));
}

/* The configured file has these mistakes. Returns 0 when the version that was in force before can be used instead. */
static int load_kept(const char *path, const struct ctl_config_overrides *overrides,
	const GPtrArray *mistakes, struct ctl_versions_choice *ret_choice,
	struct ctl_config **ret_config)
{
	g_autoptr(GPtrArray) ignored = g_ptr_array_new_with_free_func(g_free);
	struct chooser chooser = {.is_kept = true, .choice = ret_choice};
	int r;

	ctl_versions_choice_fini(ret_choice);
	r = load(path, overrides, &chooser, keep, ignored, ret_config);
	if (r == 0 && ret_choice->version == 0) { // without one it is the configured file again
		ctl_config_free(*ret_config);
		r = -EINVAL;
	}
	if (r == 0)
		(void)dp_fail(&ret_choice->mistake, EINVAL, "%s",
			mistakes->len > 0 ? (const char *)mistakes->pdata[0] : "it cannot be read");
	return r;
}

int ctl_config_load_start(const char *path, const struct ctl_config_overrides *overrides,
	ctl_mistake_fn *fn, void *ctx, struct ctl_versions_choice *ret_choice,
	struct ctl_config **ret_config)
{
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	struct chooser chooser = {.choice = ret_choice};
	g_autofree char *why = NULL;
	int r = load(path, overrides, &chooser, keep, mistakes, ret_config);

	if (r == 0)
		return 0;
	if (ret_choice->version == 0) {
		if (load_kept(path, overrides, mistakes, ret_choice, ret_config) == 0)
			return 0;
		for (guint i = 0; i < mistakes->len; i++)
			fn(ctx, mistakes->pdata[i]);
		return r;
	}
	why = g_strdup_printf("version %u cannot be used: %s", ret_choice->version,
		mistakes->len > 0 ? (const char *)mistakes->pdata[0] : "it cannot be read");
	chooser.refused = why;
	ctl_versions_choice_fini(ret_choice);
	return load(path, overrides, &chooser, fn, ctx, ret_config);
}
