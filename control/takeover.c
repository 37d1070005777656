// SPDX-License-Identifier: BSD-3-Clause
#include "control/takeover.h"

#include "control/log.h"
#include "ebpf/offload.h"

struct taking {
	struct ctl_collect *collect;
	uint64_t now_ns, tick;
	uint64_t packets, bytes;
};

static void credit(void *ctx, const struct dp_usage_key *key, const uint64_t packets[2],
	const uint64_t bytes[2])
{
	struct taking *t = ctx;
	// When in the time behind us that was nobody knows: it counts as traffic of now that was not active.
	const struct dp_record record = {.tick = t->tick,
		.endpoint = key->endpoint,
		.app = key->app,
		.tag = key->tag,
		.kind = DP_RECORD_USAGE,
		.evidence = key->evidence,
		.is_ambiguous = key->is_ambiguous,
		.usage = {.bytes = {bytes[0], bytes[1]},
			.packets = {packets[0], packets[1]},
			.first_ns = t->now_ns,
			.last_ns = t->now_ns}};

	ctl_collect_add(t->collect, &record);
	t->packets += packets[0] + packets[1];
	t->bytes += bytes[0] + bytes[1];
}

int ctl_takeover(const struct dp_offload *offload, struct ctl_collect *collect, uint64_t now_ns,
	uint64_t tick_ns, bool *ret_is_whole, struct dp_err *reterr)
{
	struct taking t = {.collect = collect, .now_ns = now_ns, .tick = now_ns / tick_ns};
	struct ebpf_taken_over over = {0};
	int r = 0;

	if (offload != NULL)
		r = ebpf_offload_take_over(offload, credit, &t, &over, reterr);
	*ret_is_whole = over.is_whole;
	if (over.n_unreadable > 0)
		ctl_log(CTL_LOG_ERR, "takeover_lost", CTL_COUNT("starts", over.n_unreadable),
			CTL_TEXT("cause", over.why.text),
			CTL_TEXT("consequence",
				"what was counted since the last tick in the store is missing"));
	if (over.is_crowded)
		ctl_log(CTL_LOG_WARNING, "takeover_crowded",
			CTL_COUNT("starts", over.n_generations),
			CTL_TEXT("cause", "they ended before their first tick was in the store"),
			CTL_TEXT("consequence",
				"their counts are taken over, and counting ends with this process"),
			CTL_TEXT("remedy", "find out why they ended, and restart"));
	if (r == 0 && over.n_generations > 0)
		ctl_log(CTL_LOG_NOTICE, "taken_over", CTL_COUNT("packets", t.packets),
			CTL_COUNT("bytes", t.bytes),
			CTL_TEXT("cause", "counted in the kernel since the last tick in the store"),
			CTL_TEXT("consequence", "they stand in the first tick"));
	return r;
}

void ctl_takeover_tick(const struct dp_offload *offload, uint64_t end_ns)
{
	if (offload != NULL)
		ebpf_offload_credited(offload, end_ns);
}

void ctl_takeover_tend(const struct dp_offload *offload, const struct ctl_keeper *keeper)
{
	if (offload != NULL && keeper != NULL)
		ebpf_offload_committed(offload, ctl_keeper_committed(keeper));
}
