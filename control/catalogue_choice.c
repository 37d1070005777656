// SPDX-License-Identifier: BSD-3-Clause
#include "control/catalogue_choice.h"

#include <errno.h>
#include <string.h>

char *ctl_versions_folder(const char *store_path)
{
	return g_build_filename(store_path, "catalogues", NULL);
}

char *ctl_choice_copy(const char *folder, const struct ctl_history_line *line)
{
	return g_strdup_printf("%s/%06u/%s", folder, line->version, ctl_history_file_name(line));
}

int ctl_choice_look(const char *path, const struct ctl_history_line *line, struct dp_err *reterr)
{
	char sha256[CTL_SHA256_MAX];
	struct dp_err why;

	if (ctl_catalogue_digest(path, true, sha256, &why) < 0)
		return dp_fail(reterr, EBADMSG, "the copy of version %u is damaged: %s",
			line->version, why.text);
	if (strcmp(sha256, line->sha256) != 0)
		return dp_fail(reterr, EBADMSG,
			"the copy of version %u is damaged: its bytes are not those that were kept",
			line->version);
	return 0;
}

void ctl_versions_refuse(struct ctl_versions_choice *choice, const char *why)
{
	(void)dp_fail(&choice->damage, EINVAL, "%s", why);
	g_clear_pointer(&choice->path, g_free);
	choice->version = 0;
	choice->what = CTL_HISTORY_FILE;
}

void ctl_choice_take(
	struct ctl_versions_choice *choice, const char *folder, const struct ctl_history_line *line)
{
	struct dp_err err;

	choice->version = line->version;
	choice->path = ctl_choice_copy(folder, line);
	if (ctl_choice_look(choice->path, line, &err) < 0)
		ctl_versions_refuse(choice, err.text);
}

void ctl_choice_configured(struct ctl_versions_choice *choice, const char *path)
{
	struct dp_err err; // whoever reads it says why it cannot be read

	*choice = (struct ctl_versions_choice){.what = CTL_HISTORY_FILE};
	if (ctl_catalogue_digest(path, false, choice->configured, &err) < 0)
		choice->configured[0] = '\0';
}

void ctl_versions_choose(
	const char *folder, const char *configured_path, struct ctl_versions_choice *ret_choice)
{
	const struct ctl_history_line *line;
	struct ctl_history history;
	struct dp_err err;

	ctl_choice_configured(ret_choice, configured_path);
	ctl_history_init(&history);
	if (folder != NULL && ctl_history_read(&history, folder, &err) < 0)
		ctl_versions_refuse(ret_choice, err.text);
	else if (history.is_end_damaged)
		ctl_versions_refuse(
			ret_choice, "the last line of the catalogue's history cannot be read");
	line = ctl_history_in_force(&history);
	if (line != NULL && strcmp(line->configured, ret_choice->configured) == 0)
		ctl_choice_take(ret_choice, folder, line);
	else if (line == NULL && ret_choice->damage.text[0] == '\0')
		ret_choice->what = CTL_HISTORY_STARTED;
	ctl_history_fini(&history);
}

void ctl_versions_choose_kept(const char *folder, struct ctl_versions_choice *ret_choice)
{
	const struct ctl_history_line *line = NULL;
	struct ctl_history history;
	struct dp_err err; // told when it was chosen at first

	*ret_choice = (struct ctl_versions_choice){.what = CTL_HISTORY_FILE};
	ctl_history_init(&history);
	if (folder != NULL && ctl_history_read(&history, folder, &err) == 0)
		line = ctl_history_in_force(&history);
	if (line != NULL) {
		(void)g_strlcpy(
			ret_choice->configured, line->configured, sizeof(ret_choice->configured));
		ctl_choice_take(ret_choice, folder, line);
	}
	ctl_history_fini(&history);
}

void ctl_versions_choice_fini(struct ctl_versions_choice *choice)
{
	g_clear_pointer(&choice->path, g_free);
}
