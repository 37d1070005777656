// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_yaml.h"

#include "tests/fuzz/libfyaml_leak.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(void *, const char *text)
{
	assert(*text != '\0');
	assert(strpbrk(text, "\n\r") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_mistakes *mistakes = ctl_mistakes_new();
	struct ctl_dict *app_ids = ctl_dict_new(DP_APP_FIRST, UINT32_MAX - 1);
	struct ctl_dict *tag_ids = ctl_dict_new(DP_TAG_NONE + 1, UINT16_MAX);
	struct ctl_yaml *doc;
	struct ctl_apps apps;

	if (ctl_yaml_parse("f", (const char *)data, size, false, mistakes, &doc) == 0) {
		const int r = ctl_apps_read(doc, app_ids, tag_ids, &apps);

		// What has no mistake is a catalogue, and what has one gives nobody an id.
		assert((r == 0) == (ctl_mistakes_count(mistakes) == 0));
		assert((r == 0) == (apps.catalogue != NULL));
		assert(r == 0 || ctl_dict_end(app_ids) == DP_APP_FIRST);
		ctl_apps_fini(&apps);
		ctl_yaml_free(doc);
	}
	ctl_mistakes_report(mistakes, check_line, NULL);
	ctl_dict_free(app_ids);
	ctl_dict_free(tag_ids);
	ctl_mistakes_free(mistakes);
	return 0;
}
