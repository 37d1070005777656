// SPDX-License-Identifier: BSD-3-Clause
#include "control/offload.h"

#include "ebpf/offload.h"

#include <glib.h>

enum {
	FLOWS_PER_ENTRY = 16, // a subscriber has more flows than apps; start value
	ENTRIES_MIN = 1024, // of each worker
};

static uint32_t power_of_two(uint64_t n)
{
	uint32_t power = ENTRIES_MIN;

	while (power < n && power < UINT32_C(1) << 31)
		power *= 2;
	return power;
}

void ctl_offload_sizes(
	const struct ctl_config *config, uint16_t n_workers, struct ctl_offload_sizes *ret_sizes)
{
	const struct ctl_xdp_options *o = &config->xdp;
	const uint64_t n_flows = o->n_flows > 0 ? o->n_flows : config->n_flows;
	const uint64_t n_entries = o->n_entries > 0 ? o->n_entries : n_flows / FLOWS_PER_ENTRY;

	*ret_sizes = (struct ctl_offload_sizes){.n_flows = (uint32_t)n_flows,
		.ring_bytes = (uint32_t)o->ring_bytes,
		.n_entries = power_of_two((n_entries + n_workers - 1) / n_workers)};
}

static enum ebpf_mode mode_of(const struct ctl_port *port)
{
	static const enum ebpf_mode modes[] = {
		[CTL_XDP_AUTO] = EBPF_MODE_AUTO,
		[CTL_XDP_NATIVE] = EBPF_MODE_NATIVE,
		[CTL_XDP_GENERIC] = EBPF_MODE_GENERIC,
	};

	return modes[port->xdp_mode];
}

/* Numbers are those of the path: one that is not XDP's has no interface. Returns how many are. */
static size_t describe_ports(const struct ctl_plan *plan, const struct ctl_config *config,
	struct ebpf_offload_port *ret_ports)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->path.n_ports; i++) {
		const struct ctl_port *port = &config->ports[i];

		if (!plan->ports[i].is_offloaded || plan->ports[i].refused != NULL)
			continue;
		ret_ports[i] = (struct ebpf_offload_port){.interface = plan->ways[i].interface,
			.is_tap = port->role == CTL_ROLE_TAP,
			.mode = mode_of(port),
			.ignore = &port->ignore};
		n++;
	}
	return n;
}

static int load(const struct ctl_plan *plan, const struct ctl_config *config,
	const struct ebpf_offload_port *ports, struct dp_offload **ret_offload,
	struct dp_err *reterr)
{
	const bool is_live = plan->path.captures == NULL;
	struct ctl_offload_sizes sizes;

	ctl_offload_sizes(config, plan->path.n_workers, &sizes);
	return ebpf_offload_open(&(struct ebpf_offload_config){.nets = &plan->path.nets,
					 .tick_ns = plan->path.tick_ns,
					 .n_workers = plan->path.n_workers,
					 .n_entries = sizes.n_entries,
					 .n_flows = sizes.n_flows,
					 .ring_bytes = sizes.ring_bytes,
					 .is_replay = plan->path.captures != NULL,
					 .replay_ignore = plan->path.captures_ignore,
					 .ports = ports,
					 .n_ports = plan->path.n_ports,
					 .pins = is_live ? config->xdp.pins : NULL,
					 .keeps = is_live && config->xdp.persist,
					 .watermark_ns = plan->path.not_before_ns},
		ret_offload, reterr);
}

static void refuse_ports(struct ctl_plan *plan, const struct dp_err *why)
{
	plan->refusal = g_strdup(why->text);
	for (size_t i = 0; i < plan->path.n_ports; i++)
		if (plan->ports[i].is_offloaded && plan->ports[i].refused == NULL)
			plan->ports[i].refused = plan->refusal;
}

int ctl_offload_open(struct ctl_plan *plan, const struct ctl_config *config,
	struct dp_offload **ret_offload, struct dp_err *reterr)
{
	const bool is_live = plan->path.captures == NULL;
	g_autofree struct ebpf_offload_port *ports = g_new0(
		struct ebpf_offload_port, plan->path.n_ports);
	struct dp_err err = {0};
	int r;

	*ret_offload = NULL;
	if (is_live && describe_ports(plan, config, ports) == 0)
		return 0;
	r = load(plan, config, ports, ret_offload, is_live ? &err : reterr);
	if (r < 0 && !is_live)
		return r;
	if (r < 0)
		refuse_ports(plan, &err);
	else
		plan->path.offload = *ret_offload;
	return 0;
}

/* Where its program is, or NULL. */
static const struct ebpf_attached *attached_of(
	const struct ctl_plan *plan, const struct dp_offload *offload, size_t i)
{
	if (offload == NULL || i >= plan->path.n_ports || !plan->ports[i].is_offloaded)
		return NULL;
	return ebpf_offload_attached(offload, i);
}

void ctl_offload_taken(const struct ctl_plan *plan, const struct dp_offload *offload, size_t i,
	struct ctl_taken *ret_taken)
{
	const struct ebpf_attached *attached = attached_of(plan, offload, i);
	const char *why = plan->ways[i].why;
	const char *egress;

	*ret_taken = (struct ctl_taken){0};
	if (!plan->ways[i].is_xdp)
		(void)g_strlcpy(ret_taken->path, "dpdk", sizeof(ret_taken->path));
	(void)g_strlcpy(ret_taken->why, why, sizeof(ret_taken->why));
	if (attached == NULL)
		return;
	egress = ebpf_attached_egress(attached);
	(void)g_snprintf(ret_taken->path, sizeof(ret_taken->path), "%s%s%s",
		ebpf_attached_path(attached), egress != NULL ? ", " : "",
		egress != NULL ? egress : "");
	(void)g_snprintf(
		ret_taken->why, sizeof(ret_taken->why), "%s; %s", why, ebpf_attached_why(attached));
}

const char *ctl_offload_warning(
	const struct ctl_plan *plan, const struct dp_offload *offload, size_t i, size_t n)
{
	const struct ebpf_attached *attached = attached_of(plan, offload, i);

	return attached != NULL ? ebpf_attached_warning(attached, n) : NULL;
}
