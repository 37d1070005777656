// SPDX-License-Identifier: BSD-3-Clause
/* XDP and DPDK: what one of them cannot do is a mistake where it is asked of a port of theirs. */
#include "control/config_read.h"
#include "control/device.h"
#include "control/way.h"
#include "control/yaml_options.h"

#include <string.h>

static const char *check_pins(const char *text)
{
	return text[0] == '/' && strlen(text) < 200 ? NULL
						    : "expected an absolute path below 200 bytes";
}

const struct ctl_option ctl_xdp_options[] = {
	{.name = "flows",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_xdp_options, n_flows),
		.min = "1k",
		.max = "256M",
		.help = "Flows that it knows at once; `workers.flows` when absent. Beyond, those that "
			"were idle longest are forgotten, and asked about again."},
	{.name = "entries",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_xdp_options, n_entries),
		.min = "1k",
		.max = "64M",
		.help = "Pairs of endpoint and app that it counts, over all workers; a sixteenth of "
			"`flows` when absent. Packets of others are handed up and count there."},
	{.name = "ring",
		.type = CTL_OPTION_SIZE,
		.off = offsetof(struct ctl_xdp_options, ring_bytes),
		.def = "16MiB",
		.min = "256KiB",
		.max = "1GiB",
		.help = "Frames on their way up, of each port. With `persist` they stay until they "
			"are on the disk, two ticks or so."},
	{.name = "persist",
		.type = CTL_OPTION_BOOL,
		.off = offsetof(struct ctl_xdp_options, persist),
		.def = "false",
		.help = "Programs go on counting while the daemon is away, and the next start takes "
			"that over. Takes the store."},
	{.name = "pins",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_xdp_options, pins),
		.def = "/sys/fs/bpf/wirecue",
		.check = check_pins,
		.help = "Folder for that in a BPF file system; made when it is missing. Each daemon "
			"of a host needs its own."},
	{.name = NULL},
};

/* A mistake at a key, where it is written. */
static void refuse(const struct ctl_config_reader *r, const struct ctl_yaml_node *map,
	const char *key, const char *expected)
{
	const struct ctl_yaml_node *value = ctl_yaml_get(map, key);
	char found[CTL_QUOTE_MAX];

	if (value != NULL)
		ctl_yaml_mistake(
			r->doc, value, "%s, %s", ctl_yaml_found(r->doc, value, found), expected);
}

void ctl_config_read_xdp(struct ctl_config_reader *r, const struct ctl_yaml_node *xdp)
{
	struct ctl_xdp_options *o = &r->config->xdp;

	ctl_options_init(ctl_xdp_options, o);
	ctl_yaml_options(r->doc, xdp, &(struct ctl_yaml_part){ctl_xdp_options, o}, 1, NULL);
	if (o->persist && !r->config->store.enabled)
		refuse(r, xdp, "persist",
			"expected `store.enabled: true` with it: what was counted is taken over once "
			"because the store says how far it has come");
}

static void check_xdp(const struct ctl_config_reader *r, const struct ctl_port *port,
	const struct ctl_yaml_node *map)
{
	const enum ctl_device device = ctl_device_of(port->device);

	if (port->driver == CTL_DRIVER_AUTO && device == CTL_DEVICE_VIRTUAL)
		refuse(r, map, "role",
			"expected tap: DPDK has this device, and only XDP lets frames go on to the "
			"host");
	else if (strchr(port->device, ',') != NULL ||
		(device != CTL_DEVICE_PCI && !ctl_device_may_be_interface(port->device)))
		refuse(r, map, "device",
			"expected an interface of the kernel such as eth1, or a PCI address without "
			"arguments: XDP has this port");
	if (port->mtu > 0)
		refuse(r, map, "mtu",
			"expected none with XDP, which takes the interface as it is (ip link set dev "
			"eth1 mtu 9000)");
	if (port->spread == DP_SPREAD_DEVICE)
		refuse(r, map, "spread", "expected receiver or auto: XDP has this port");
}

static void check_dpdk(const struct ctl_config_reader *r, const struct ctl_port *port,
	const struct ctl_yaml_node *map)
{
	if (ctl_device_of(port->device) == CTL_DEVICE_INTERFACE)
		refuse(r, map, "device",
			"expected a PCI address or a virtual device such as "
			"\"net_af_packet,iface=eth1\" with driver: dpdk");
	if (port->role == CTL_ROLE_HOST)
		refuse(r, map, "role",
			"expected tap with driver: dpdk: only XDP lets frames go on to the host");
	refuse(r, map, "xdp_mode", "expected none: DPDK has this port");
}

void ctl_config_check_way(const struct ctl_config_reader *r, const struct ctl_port *port,
	const struct ctl_yaml_node *map)
{
	if (port->device == NULL)
		return; // reported
	switch (ctl_way_told(port)) {
	case CTL_WAY_XDP:
		check_xdp(r, port, map);
		break;
	case CTL_WAY_DPDK:
		check_dpdk(r, port, map);
		break;
	case CTL_WAY_OF_MACHINE:
		break;
	}
}

/* Somebody whose packets XDP would not show, or NULL. */
static const char *blind_one(const struct ctl_config_reader *r)
{
	for (size_t i = 0; i < r->config->n_ports; i++) {
		const struct ctl_port *port = &r->config->ports[i];

		if (port->name != NULL && port->device != NULL && ctl_way_told(port) == CTL_WAY_XDP)
			return port->name;
	}
	return r->is_xdp ? "--source xdp" : NULL;
}

void ctl_config_check_duplicates(
	const struct ctl_config_reader *r, const struct ctl_yaml_node *workers)
{
	const struct ctl_yaml_node *value = workers != NULL && workers->kind == CTL_YAML_MAP
		? ctl_yaml_get(workers, "duplicates")
		: NULL;
	const char *who = blind_one(r);
	char found[CTL_QUOTE_MAX];

	if (value != NULL && who != NULL && r->config->duplicates == DP_DUPLICATES_DROP)
		ctl_yaml_mistake(r->doc, value,
			"%s, expected watch or off: XDP (%s) keeps packets that would have to be "
			"compared",
			ctl_yaml_found(r->doc, value, found), who);
}
