// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/versions_rig.h"

#include "control/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

char *rig_path(const struct rig *rig, const char *name)
{
	return g_build_filename(rig->dir, name, NULL);
}

void rig_put(const struct rig *rig, const char *name, const char *text)
{
	g_autofree char *path = rig_path(rig, name);
	g_autofree char *folder = g_path_get_dirname(path);

	assert_int_equal(g_mkdir_with_parents(folder, 0700), 0);
	(void)unlink(path);
	assert_true(g_file_set_contents(path, text, -1, NULL));
}

char *rig_get(const struct rig *rig, const char *name)
{
	g_autofree char *path = rig_path(rig, name);
	char *text = NULL;

	(void)g_file_get_contents(path, &text, NULL, NULL);
	return text;
}

int rig_setup(void **state)
{
	struct rig *rig = g_new0(struct rig, 1);

	rig->dir = g_dir_make_tmp("wirecue-versions-XXXXXX", NULL);
	rig->store = rig_path(rig, "store");
	rig->configured = rig_path(rig, "etc/apps.yaml");
	rig_put(rig, "etc/apps.yaml", "first");
	*state = rig;
	return g_mkdir(rig->store, 0700);
}

void rig_shut(struct rig *rig)
{
	ctl_versions_close(rig->versions);
	rig->versions = NULL;
}

int rig_teardown(void **state)
{
	struct rig *rig = *state;

	rig_shut(rig);
	ctl_folder_remove(rig->dir);
	g_free(rig->dir);
	g_free(rig->store);
	g_free(rig->configured);
	g_free(rig);
	return 0;
}

/* What a start does. Returns what it has taken. */
struct ctl_versions_choice rig_begin(struct rig *rig)
{
	g_autofree char *folder = ctl_versions_folder(rig->store);
	struct ctl_versions_choice choice;
	struct dp_err err = {""};

	ctl_versions_choose(folder, rig->configured, &choice);
	if (ctl_versions_open(rig->store, &rig->versions, &err) < 0 ||
		ctl_versions_take(rig->versions, &choice, rig->configured, &err) < 0)
		fail_msg("%s", err.text);
	ctl_versions_choice_fini(&choice);
	return choice;
}

/* What a start would take, without one. */
uint32_t rig_chosen(const struct rig *rig, char **ret_text)
{
	g_autofree char *folder = ctl_versions_folder(rig->store);
	struct ctl_versions_choice choice;

	ctl_versions_choose(folder, rig->configured, &choice);
	if (choice.version == 0)
		*ret_text = NULL;
	else
		assert_true(g_file_get_contents(choice.path, ret_text, NULL, NULL));
	ctl_versions_choice_fini(&choice);
	return choice.version;
}

int rig_stage(struct rig *rig, const char *name, struct dp_err *reterr)
{
	g_autofree char *path = rig_path(rig, name), *copy = NULL;
	bool is_source;
	int r = ctl_versions_stage_begin(rig->versions, path, &copy, &is_source, reterr);

	return r < 0 ? r : ctl_versions_stage_end(rig->versions, true, reterr);
}

/* Put that text in force. Returns its version. */
uint32_t rig_commit(struct rig *rig, const char *text)
{
	struct dp_err err = {""};
	uint32_t version = 0;

	rig_put(rig, "work/mine.yaml", text);
	if (rig_stage(rig, "work/mine.yaml", &err) < 0 ||
		ctl_versions_commit(rig->versions, "tester", "why not", &version, &err) < 0)
		fail_msg("%s", err.text);
	return version;
}

void rig_assert_chosen(const struct rig *rig, uint32_t version, const char *text)
{
	g_autofree char *found = NULL;

	assert_int_equal(rig_chosen(rig, &found), version);
	assert_string_equal(found, text);
}

bool rig_has(const struct rig *rig, const char *name)
{
	g_autofree char *path = rig_path(rig, name);
	struct stat st;

	return lstat(path, &st) == 0;
}

void rig_roll_back(struct rig *rig, uint32_t version)
{
	char sha256[CTL_SHA256_MAX];
	g_autofree char *copy = NULL;
	struct dp_err err = {""};

	if (ctl_versions_find(rig->versions, version, &copy, sha256, &err) < 0 ||
		ctl_versions_roll_back(rig->versions, version, "tester", "", &err) < 0)
		fail_msg("%s", err.text);
}

void rig_replace(const struct rig *rig, const char *name, const char *target)
{
	g_autofree char *path = rig_path(rig, name);

	ctl_folder_remove(path);
	if (target != NULL)
		assert_int_equal(symlink(target, path), 0);
}
