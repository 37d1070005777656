// SPDX-License-Identifier: BSD-3-Clause
#include "control/config_read.h"
#include "control/detector.h"

#include "tests/fuzz/libfyaml_leak.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct params {
	uint64_t duration_ns, rate;
	char **apps;
	GArray *steps;
	struct ctl_hours hours;
};

static const struct ctl_option options[] = {
	{.name = "min_duration",
		.type = CTL_OPTION_DURATION,
		.off = offsetof(struct params, duration_ns),
		.def = "10min",
		.help = "."},
	{.name = "min_rate",
		.type = CTL_OPTION_RATE,
		.off = offsetof(struct params, rate),
		.def = "200kbit",
		.help = "."},
	{.name = "apps",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct params, apps),
		.help = "."},
	{.name = "steps",
		.type = CTL_OPTION_PERCENTS,
		.off = offsetof(struct params, steps),
		.def = "[80%, 90%]",
		.help = "."},
	{.name = "at",
		.type = CTL_OPTION_HOURS,
		.off = offsetof(struct params, hours),
		.help = "."},
	{.name = NULL},
};

static const struct ctl_detector watching = {.name = "app_session",
	.help = ".",
	.params = options,
	.params_size = sizeof(struct params)};
static const struct ctl_detector *const detectors[] = {&watching, NULL};

/* What a log takes as one line must be one. */
static void check_line(void *, const char *text)
{
	assert(*text != '\0');
	assert(strpbrk(text, "\n\r") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)ctl_config_check_text((const char *)data, size, detectors, check_line, NULL);
	return 0;
}
