// SPDX-License-Identifier: BSD-3-Clause
#include "control/shows_node.h"

#include "control/shows.h"
#include "control/utc.h"

#include <unistd.h>

struct ctl_node_start ctl_node_start_now(void)
{
	return (struct ctl_node_start){
		.monotonic_us = g_get_monotonic_time(), .utc_ns = ctl_utc_now_ns()};
}

static json_t *time_json(uint64_t t_ns)
{
	char utc[CTL_UTC_MAX];

	if (t_ns == 0)
		return json_null();
	ctl_utc_format(t_ns, utc);
	return json_string(utc);
}

void ctl_show_node(void *ctx, const json_t *, struct ctl_reply *reply)
{
	const struct ctl_shows *s = ctx;
	const struct ctl_config *config = ctl_pipeline_config_of(s->pipeline);
	const int64_t uptime_us = g_get_monotonic_time() - s->start.monotonic_us;

	(void)ctl_reply_add(reply,
		json_pack("{ss ss sI so sI so so sI si}", "node", config->node, "version",
			WIRECUE_VERSION, "pid", (json_int_t)getpid(), "started",
			time_json(s->start.utc_ns), "uptime_us", (json_int_t)uptime_us, "now",
			time_json(ctl_utc_now_ns()), "watermark",
			time_json(ctl_pipeline_watermark(s->pipeline)), "tick_ms",
			(json_int_t)(config->tick_ns / 1000000), "workers",
			(int)ctl_pipeline_workers(s->pipeline)));
}
