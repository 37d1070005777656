// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_yaml.h"
#include "control/apps_files.h"

#include "tests/fuzz/libfyaml_leak.h"

#include <assert.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/wirecue-fuzz-XXXXXX";
static char *catalogue, *hosts_file; // in it: the one is only a name

static void leave_folder(void)
{
	(void)g_unlink(hosts_file);
	(void)g_rmdir(folder);
	g_free(catalogue);
	g_free(hosts_file);
}

/* A catalogue names files: they are looked for in a folder that has nothing but `h`. */
int LLVMFuzzerInitialize(int *, char ***)
{
	if (mkdtemp(folder) == NULL)
		abort();
	catalogue = g_build_filename(folder, "f", NULL);
	hosts_file = g_build_filename(folder, "h", NULL);
	if (!g_file_set_contents(hosts_file, "h.example plans\n", -1, NULL))
		abort();
	return atexit(leave_folder);
}

static void check_line(void *, const char *text)
{
	assert(*text != '\0');
	assert(strpbrk(text, "\n\r") == NULL);
}

/* What can be asked for without loading has all the files that were claimed. */
static void check_files(const struct ctl_yaml *doc, const struct ctl_apps *apps)
{
	GPtrArray *files = ctl_apps_files(doc);

	for (guint i = 0; i < apps->files->len; i++)
		assert(g_ptr_array_find_with_equal_func(
			files, apps->files->pdata[i], g_str_equal, NULL));
	for (guint i = 0; i < files->len; i++)
		assert(ctl_check_hosts_file(files->pdata[i]) == NULL);
	g_ptr_array_unref(files);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_mistakes *mistakes = ctl_mistakes_new();
	struct ctl_dict *app_ids = ctl_dict_new(DP_APP_FIRST, UINT32_MAX - 1);
	struct ctl_dict *tag_ids = ctl_dict_new(DP_TAG_NONE + 1, UINT16_MAX);
	struct ctl_yaml *doc;
	struct ctl_apps apps;

	if (ctl_yaml_parse(catalogue, (const char *)data, size, false, mistakes, &doc) == 0) {
		const int r = ctl_apps_read(doc, app_ids, tag_ids, &apps);

		// What has no mistake is a catalogue, and what has one gives nobody an id.
		assert((r == 0) == (ctl_mistakes_count(mistakes) == 0));
		assert((r == 0) == (apps.catalogue != NULL));
		assert(r == 0 || ctl_dict_end(app_ids) == DP_APP_FIRST);
		check_files(doc, &apps);
		ctl_apps_fini(&apps);
		ctl_yaml_free(doc);
	}
	ctl_mistakes_report(mistakes, check_line, NULL);
	ctl_dict_free(app_ids);
	ctl_dict_free(tag_ids);
	ctl_mistakes_free(mistakes);
	return 0;
}
