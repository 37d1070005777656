// SPDX-License-Identifier: BSD-3-Clause
#include "control/config_read.h"
#include "control/yaml_options.h"

#include <string.h>

static const char *check_path(const char *text)
{
	return *text != '\0' && strlen(text) <= 3900 ? NULL : "expected the path of a folder";
}

/* Bounds: DP_SAMPLE_PACKETS_MAX, DP_SAMPLE_SNAP_MAX; a file has room for a whole flow. */
const struct ctl_option ctl_samples_options[] = {
	{.name = "path",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_samples_options, path),
		.check = check_path,
		.help = "Folder for captures of flows that stay unknown, made when it is missing; when "
			"absent nothing is kept."},
	{.name = "one_in",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_samples_options, one_in),
		.def = "100",
		.max = "1G",
		.help = "One flow in so many is looked at; 0: none, until a reload says otherwise."},
	{.name = "packets",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_samples_options, n_packets),
		.def = "8",
		.min = "1",
		.max = "32",
		.help = "Its first packets with payload, so many at most."},
	{.name = "snap",
		.type = CTL_OPTION_SIZE,
		.off = offsetof(struct ctl_samples_options, snap_bytes),
		.def = "256B",
		.min = "64B",
		.max = "2048B",
		.help = "Of each so many bytes at most, from the IP header on."},
	{.name = "file_size",
		.type = CTL_OPTION_SIZE,
		.off = offsetof(struct ctl_samples_options, file_bytes),
		.def = "16MB",
		.min = "100kB",
		.max = "1GB",
		.help = "Then another file is begun, and after a 24th of `age`, an hour at most."},
	{.name = "total",
		.type = CTL_OPTION_SIZE,
		.off = offsetof(struct ctl_samples_options, total_bytes),
		.def = "256MB",
		.min = "100kB",
		.max = "1TB",
		.help = "All files together: the oldest go. At least `file_size`."},
	{.name = "age",
		.type = CTL_OPTION_DURATION,
		.off = offsetof(struct ctl_samples_options, age_ns),
		.def = "24h",
		.min = "1min",
		.max = "30d",
		.help = "A file that was begun so long ago goes."},
	{.name = NULL},
};

void ctl_config_read_samples(struct ctl_config_reader *r, const struct ctl_yaml_node *samples)
{
	struct ctl_samples_options *config = &r->config->samples;
	const struct ctl_yaml_node *at;
	char *path;

	ctl_options_init(ctl_samples_options, config);
	if (samples == NULL)
		return;
	ctl_yaml_options(
		r->doc, samples, &(struct ctl_yaml_part){ctl_samples_options, config}, 1, NULL);
	at = ctl_yaml_get(samples, "total");
	if (at == NULL)
		at = ctl_yaml_get(samples, "file_size");
	if (at != NULL && config->total_bytes < config->file_bytes)
		ctl_yaml_mistake(r->doc, at, "'%s', expected total not below file_size", at->text);
	path = config->path == NULL ? NULL : ctl_yaml_resolve(r->doc, config->path);
	g_free(config->path);
	config->path = path;
}
