// SPDX-License-Identifier: BSD-3-Clause
#include "control/checks.h"
#include "control/config_read.h"
#include "control/device.h"
#include "control/yaml_options.h"
#include "dataplane/err.h"

#include <errno.h>
#include <string.h>

static const char *check_cpu(const char *text)
{
	const size_t len = strlen(text);

	if (len <= 4 && strspn(text, "0123456789") == len)
		return NULL;
	return "expected the number of a CPU such as 2";
}

static const char *check_device(const char *text)
{
	if (strlen(text) > 255 || text[strcspn(text, " \t\n\r")] != '\0')
		return "expected a device without spaces, at most 255 characters";
	if (ctl_device_of(text) != CTL_DEVICE_NONE)
		return NULL;
	return "expected a kernel interface such as eth1, a PCI address such as 0000:3b:00.0 or a "
	       "virtual device such as \"net_af_packet,iface=eth1\"";
}

/* "100" or "200-299"; ids have 12 bits (IEEE 802.1Q 9.6). */
static bool parse_vlans(const char *text, unsigned *ret_first, unsigned *ret_last)
{
	unsigned ids[2] = {0};
	size_t n = 0;

	for (;; text++) {
		const char *begin = text;

		for (; g_ascii_isdigit(*text) && text - begin < 4; text++)
			ids[n] = ids[n] * 10 + (unsigned)(*text - '0');
		if (text == begin || ids[n] >= DP_VLAN_IDS)
			return false;
		n++;
		if (n == G_N_ELEMENTS(ids) || *text != '-')
			break;
	}
	if (*text != '\0' || (n == 2 && ids[0] > ids[1]))
		return false;
	*ret_first = ids[0];
	*ret_last = ids[n - 1];
	return true;
}

static const char *check_vlans(const char *text)
{
	unsigned first, last;

	return parse_vlans(text, &first, &last)
		? NULL
		: "expected a VLAN id from 0 to 4095 or a range such as 200-299";
}

static const char *const driver_names[] = {
	[CTL_DRIVER_AUTO] = "auto",
	[CTL_DRIVER_DPDK] = "dpdk",
	[CTL_DRIVER_XDP] = "xdp",
	NULL,
};

static const char *const role_names[] = {
	[CTL_ROLE_TAP] = "tap",
	[CTL_ROLE_HOST] = "host",
	NULL,
};

static const char *const xdp_mode_names[] = {
	[CTL_XDP_AUTO] = "auto",
	[CTL_XDP_NATIVE] = "native",
	[CTL_XDP_GENERIC] = "generic",
	NULL,
};

static const char *const spread_names[] = {
	[DP_SPREAD_AUTO] = "auto",
	[DP_SPREAD_DEVICE] = "device",
	[DP_SPREAD_RECEIVER] = "receiver",
	NULL,
};

const struct ctl_option ctl_port_options[] = {
	{.name = "name",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_port, name),
		.required = true,
		.check = ctl_check_name,
		.help = "Name in reports and counters; unique."},
	{.name = "device",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_port, device),
		.required = true,
		.check = check_device,
		.help = "Interface of the kernel such as `eth1`; PCI address; or virtual device of DPDK "
			"with its arguments."},
	{.name = "role",
		.type = CTL_OPTION_ENUM,
		.off = offsetof(struct ctl_port, role),
		.def = "tap",
		.values = role_names,
		.help = "`tap`: copies of traffic come in and end here; `host`: the traffic is the "
			"host's own and goes on, and what the host sends counts, too (XDP only). "
			"Nothing is ever sent by wirecue."},
	{.name = "driver",
		.type = CTL_OPTION_ENUM,
		.off = offsetof(struct ctl_port, driver),
		.def = "auto",
		.values = driver_names,
		.help = "`xdp`: a program in the kernel; `dpdk`; `auto`: XDP for interfaces of the "
			"kernel, DPDK for virtual devices and for PCI devices that it can have."},
	{.name = "xdp_mode",
		.type = CTL_OPTION_ENUM,
		.off = offsetof(struct ctl_port, xdp_mode),
		.def = "auto",
		.values = xdp_mode_names,
		.help = "XDP: where the program runs. `native`: in the driver; `generic`: behind it, "
			"for any interface, slower; `auto`: native where the driver can."},
	{.name = "cpus",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct ctl_port, cpus),
		.check = check_cpu,
		.help = "CPU that receives from this port (of several the first), on a thread of its "
			"own; chosen when absent, and with one worker that one receives."},
	{.name = "mtu",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_port, mtu),
		.min = "576",
		.max = "16000",
		.help = "Bytes of the longest packet that the port is set to take: 9000 for jumbo "
			"frames; what fits one buffer (about 2000) when absent."},
	{.name = "spread",
		.type = CTL_OPTION_ENUM,
		.off = offsetof(struct ctl_port, spread),
		.def = "auto",
		.values = spread_names,
		.help = "Who spreads packets over the workers: `receiver` by endpoint; `device` over as "
			"many queues as workers, each with whole flows; `auto` the device where it offers "
			"a symmetric hash of innermost addresses."},
	{.name = NULL},
};

const struct ctl_option ctl_port_ignore_options[] = {
	{.name = "vlans",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct ctl_port, ignored_vlans),
		.check = check_vlans,
		.help = "VLAN ids, 0 to 4095, and ranges such as `200-299`: frames with one of them "
			"among their tags, however deep."},
	{.name = "networks",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct ctl_port, ignored_networks),
		.check = ctl_check_prefix,
		.help = "At most 64 prefixes: frames whose innermost packet comes from there or goes "
			"there."},
	{.name = NULL},
};

static const char *const duplicates_names[] = {
	[DP_DUPLICATES_OFF] = "off",
	[DP_DUPLICATES_WATCH] = "watch",
	[DP_DUPLICATES_DROP] = "drop",
	NULL,
};

const struct ctl_option ctl_workers_options[] = {
	{.name = "cpus",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct ctl_config, worker_cpus),
		.check = check_cpu,
		.help = "CPUs of the workers, one each; chosen when absent."},
	{.name = "flows",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_config, n_flows),
		.def = "1M",
		.min = "1k",
		.max = "256M",
		.help = "Flows that are tracked at once, over all workers; memory is taken at start."},
	{.name = "endpoints",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_config, n_endpoints),
		.def = "256k",
		.min = "1k",
		.max = "64M",
		.help = "Endpoints that are counted at once, over all workers."},
	{.name = "duplicates",
		.type = CTL_OPTION_ENUM,
		.off = offsetof(struct ctl_config, duplicates),
		.def = "watch",
		.values = duplicates_names,
		.help = "Packets that a mirror delivers twice: `watch` looks at the packets of one "
			"endpoint in 64 and counts, `drop` looks at all and credits one of the two."},
	{.name = "duplicate_window",
		.type = CTL_OPTION_DURATION,
		.off = offsetof(struct ctl_config, duplicate_window_ns),
		.def = "2ms",
		.min = "0.1ms",
		.max = "100ms",
		.help = "How long after a packet the same one is a copy: longer than the way between "
			"the two places that are mirrored, shorter than a round trip."},
	{.name = "eal_extra",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct ctl_config, eal_extra),
		.help = "Arguments for DPDK's EAL, after those that are derived."},
	{.name = NULL},
};

const struct ctl_option ctl_flows_options[] = {
	{.name = "recent",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_config, n_recent),
		.def = "131072",
		.min = "0",
		.max = "16M",
		.help = "Flows that ended and are kept for `wirecue show flows`, `show unknown` and "
			"`apps diff` of the running daemon, those that ended last; some 344 bytes each, "
			"taken as they come; 0 keeps none."},
	{.name = NULL},
};

void ctl_port_clear(struct ctl_port *port)
{
	ctl_options_fini(ctl_port_options, port);
	ctl_options_fini(ctl_port_ignore_options, port);
}

static void check_ignored_networks(
	const struct ctl_config_reader *r, const struct ctl_yaml_node *list)
{
	struct dp_prefix prefix;
	char found[CTL_QUOTE_MAX];

	if (list == NULL || list->kind != CTL_YAML_LIST)
		return;
	if (ctl_yaml_count(list) > DP_IGNORE_NETS_MAX)
		ctl_yaml_mistake(r->doc, list, "%zu prefixes, expected at most %d",
			ctl_yaml_count(list), DP_IGNORE_NETS_MAX);
	for (CTL_YAML_EACH(node, list)) {
		if (node->kind != CTL_YAML_SCALAR || dp_prefix_parse(node->text, &prefix) < 0)
			continue; // reported by the table
		if (prefix.len == 0 || (dp_addr_is_v4(&prefix.addr) && prefix.len == 96))
			ctl_yaml_mistake(r->doc, node,
				"%s, expected less than all addresses: nothing would be left of "
				"the port",
				ctl_yaml_found(r->doc, node, found));
	}
}

/* What the texts say, for the packet path. Wrong ones were reported. */
static void settle_ignore(struct ctl_port *port)
{
	struct dp_ignore *ignore = &port->ignore;
	unsigned first, last;

	for (char **text = port->ignored_vlans; text != NULL && *text != NULL; text++) {
		if (!parse_vlans(*text, &first, &last))
			continue;
		for (unsigned id = first; id <= last; id++)
			dp_ignore_vlan(ignore, (uint16_t)id);
	}
	for (char **text = port->ignored_networks; text != NULL && *text != NULL; text++)
		if (ignore->n_nets < DP_IGNORE_NETS_MAX &&
			dp_prefix_parse(*text, &ignore->nets[ignore->n_nets]) == 0)
			ignore->n_nets++;
}

/* Each queue of a device that spreads is its worker's. */
static void check_spread(const struct ctl_config_reader *r, const struct ctl_port *port,
	const struct ctl_yaml_node *map)
{
	const struct ctl_yaml_node *cpus = ctl_yaml_get(map, "cpus");
	char found[CTL_QUOTE_MAX];

	if (port->spread == DP_SPREAD_DEVICE && cpus != NULL)
		ctl_yaml_mistake(r->doc, cpus,
			"%s, expected no cpus with spread: device, whose queues the workers read",
			ctl_yaml_found(r->doc, cpus, found));
}

static void read_ignore(
	struct ctl_config_reader *r, struct ctl_port *port, const struct ctl_yaml_node *ignore)
{
	if (ignore == NULL)
		return;
	ctl_yaml_options(
		r->doc, ignore, &(struct ctl_yaml_part){ctl_port_ignore_options, port}, 1, NULL);
	if (ignore->kind != CTL_YAML_MAP)
		return;
	ctl_config_check_unique(r->doc, ctl_yaml_get(ignore, "vlans"), "VLAN id");
	ctl_config_check_unique(r->doc, ctl_yaml_get(ignore, "networks"), "prefix");
	check_ignored_networks(r, ctl_yaml_get(ignore, "networks"));
	settle_ignore(port);
}

void ctl_config_read_ports(struct ctl_config_reader *r, const struct ctl_yaml_node *ports)
{
	static const char *const others[] = {"ignore", NULL};
	struct ctl_config *config = r->config;

	if (!ctl_yaml_is(r->doc, ports, CTL_YAML_LIST, "expected a list of ports"))
		return;
	config->ports = g_new0(struct ctl_port, ctl_yaml_count(ports));
	for (CTL_YAML_EACH(map, ports)) {
		struct ctl_port *port = &config->ports[config->n_ports++];

		ctl_options_init(ctl_port_options, port);
		ctl_yaml_options(
			r->doc, map, &(struct ctl_yaml_part){ctl_port_options, port}, 1, others);
		ctl_config_check_unique(r->doc, ctl_yaml_get(map, "cpus"), "CPU of a port");
		if (map->kind == CTL_YAML_MAP) {
			check_spread(r, port, map);
			ctl_config_check_way(r, port, map);
		}
		read_ignore(r, port, ctl_yaml_get(map, "ignore"));
	}
	ctl_config_check_key_unique(r->doc, ports, "name", "port name");
	ctl_config_check_key_unique(r->doc, ports, "device", "device");
}

static bool has_prefix(const struct dp_ignore *ignore, const struct dp_prefix *prefix)
{
	for (uint16_t i = 0; i < ignore->n_nets; i++)
		if (ignore->nets[i].len == prefix->len &&
			dp_addr_cmp(&ignore->nets[i].addr, &prefix->addr) == 0)
			return true;
	return false;
}

int ctl_config_ignored(
	const struct ctl_config *config, struct dp_ignore *ret_ignore, struct dp_err *reterr)
{
	struct dp_ignore all = {0};

	for (size_t p = 0; p < config->n_ports; p++) {
		const struct dp_ignore *one = &config->ports[p].ignore;

		for (size_t i = 0; i < G_N_ELEMENTS(all.vlans); i++)
			all.vlans[i] |= one->vlans[i];
		all.has_vlans |= one->has_vlans;
		for (uint16_t i = 0; i < one->n_nets; i++) {
			if (has_prefix(&all, &one->nets[i]))
				continue;
			if (all.n_nets == DP_IGNORE_NETS_MAX)
				return dp_fail(reterr, E2BIG,
					"the ports together ignore more than %d networks, which is "
					"what a replay can: expected fewer under ports[].ignore",
					DP_IGNORE_NETS_MAX);
			all.nets[all.n_nets++] = one->nets[i];
		}
	}
	*ret_ignore = all;
	return 0;
}
