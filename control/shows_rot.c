// SPDX-License-Identifier: BSD-3-Clause
#include "control/shows_rot.h"

#include "control/rot.h"
#include "control/utc.h"

#include <string.h>

/* That nothing is found is to look like health, and not like an alarm that is off. */
static json_t *status_row(const struct ctl_pipeline *pipeline)
{
	const struct ctl_rot_status status = ctl_rot_status(ctl_pipeline_rot(pipeline));
	const char *state = !ctl_pipeline_config_of(pipeline)->rot.enabled ? "off"
		: status.is_learning					   ? "learning"
									   : "watching";
	char since[CTL_UTC_MAX];

	ctl_utc_format(status.since_ns, since);
	return json_pack("{s:n, s:n, s:s, s:o, s:n, s:n, s:n, s:n, s:n, s:[], s:[]}", "app",
		"category", "state", state, "since",
		status.since_ns != 0 ? json_string(since) : json_null(), "said", "over",
		"before_bytes", "now_bytes", "unknown_bytes", "names", "networks");
}

json_t *ctl_rot_rows(const struct ctl_pipeline *pipeline, const char *app)
{
	json_t *findings = ctl_rot_json(ctl_pipeline_rot(pipeline)), *finding;
	json_t *rows = json_array();
	size_t i;

	if (app == NULL)
		(void)json_array_append_new(rows, status_row(pipeline));
	json_array_foreach(findings, i, finding)
	{
		const char *name = json_string_value(json_object_get(finding, "app"));

		if (app == NULL || strcmp(name, app) == 0)
			(void)json_array_append(rows, finding);
	}
	json_decref(findings);
	return rows;
}
