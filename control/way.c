// SPDX-License-Identifier: BSD-3-Clause
#include "control/way.h"

#include "control/device.h"

#include <string.h>

/* What the machine says of a PCI device. */
struct pci {
	char address[CTL_PCI_MAX];
	bool is_there;
	char driver[64]; // that it is bound to; "" none
	char interface[IF_NAMESIZE]; // the kernel's, the first of several by name; "" none
};

enum ctl_way_told ctl_way_told(const struct ctl_port *port)
{
	const enum ctl_device device = ctl_device_of(port->device);

	if (port->driver != CTL_DRIVER_AUTO)
		return port->driver == CTL_DRIVER_XDP ? CTL_WAY_XDP : CTL_WAY_DPDK;
	if (port->role == CTL_ROLE_HOST || device == CTL_DEVICE_INTERFACE)
		return CTL_WAY_XDP;
	return device == CTL_DEVICE_PCI ? CTL_WAY_OF_MACHINE : CTL_WAY_DPDK;
}

static void look_for_interface(struct pci *pci, const char *folder)
{
	g_autofree char *path = g_build_filename(folder, "net", NULL);
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL)
		if (ctl_device_may_be_interface(name) &&
			(pci->interface[0] == '\0' || strcmp(name, pci->interface) < 0))
			(void)g_strlcpy(pci->interface, name, sizeof(pci->interface));
	if (dir != NULL)
		g_dir_close(dir);
}

static void look_at(const char *device, const char *sysfs, struct pci *ret_pci)
{
	g_autofree char *folder = NULL, *driver = NULL, *target = NULL, *base = NULL;

	*ret_pci = (struct pci){0};
	ctl_device_pci(device, ret_pci->address);
	folder = g_build_filename(sysfs, "bus/pci/devices", ret_pci->address, NULL);
	ret_pci->is_there = g_file_test(folder, G_FILE_TEST_IS_DIR);
	driver = g_build_filename(folder, "driver", NULL);
	target = g_file_read_link(driver, NULL);
	base = target != NULL ? g_path_get_basename(target) : NULL;
	(void)g_strlcpy(ret_pci->driver, base != NULL ? base : "", sizeof(ret_pci->driver));
	look_for_interface(ret_pci, folder);
}

/* Kernel drivers beside which DPDK's work, on the same device (DPDK 22.11 guide, "Bifurcated Driver"). */
static bool shares_with_dpdk(const struct pci *pci)
{
	return strcmp(pci->driver, "mlx4_core") == 0 || strcmp(pci->driver, "mlx5_core") == 0;
}

/* Drivers that keep a device for programs in user space. */
static bool is_for_user_space(const struct pci *pci)
{
	static const char *const drivers[] = {"vfio-pci", "igb_uio", "uio_pci_generic", NULL};

	return g_strv_contains(drivers, pci->driver);
}

static void say_why(struct ctl_way *way, const char *word, const char *more)
{
	(void)g_snprintf(way->why, sizeof(way->why), "%s%s", word, more);
}

/* A PCI device of which nothing is told. */
static void choose(const struct ctl_config *config, const struct pci *pci, struct ctl_way *way)
{
	way->is_xdp = false;
	if (!pci->is_there)
		say_why(way, "there is no such PCI device here", "");
	else if (pci->driver[0] == '\0')
		say_why(way, "it is bound to no driver", "");
	else if (is_for_user_space(pci))
		say_why(way, "it is bound to ", pci->driver);
	else if (shares_with_dpdk(pci))
		say_why(way, pci->driver, " shares it with DPDK");
	else if (config->duplicates == DP_DUPLICATES_DROP)
		say_why(way, "duplicates: drop has to see each packet", "");
	else if (pci->interface[0] == '\0')
		say_why(way, pci->driver, " has no interface of it");
	else
		way->is_xdp = true;
	if (way->is_xdp)
		say_why(way, "it belongs to the kernel's ", pci->driver);
}

/* An XDP port on a PCI device. */
static void take_interface(const struct pci *pci, struct ctl_way *way)
{
	(void)g_strlcpy(way->interface, pci->interface, sizeof(way->interface));
	if (pci->interface[0] != '\0')
		return;
	if (!pci->is_there)
		(void)g_snprintf(way->refused, sizeof(way->refused),
			"cannot find PCI device %s, expected one that stands under "
			"/sys/bus/pci/devices",
			pci->address);
	else
		(void)g_snprintf(way->refused, sizeof(way->refused),
			"PCI device %s has no interface for XDP: it is bound to %s, expected its "
			"own driver of the kernel (driverctl unset-override %s), or driver: dpdk",
			pci->address, pci->driver[0] != '\0' ? pci->driver : "no driver",
			pci->address);
}

static const char *told_by(const struct ctl_port *port)
{
	if (port->driver != CTL_DRIVER_AUTO)
		return port->driver == CTL_DRIVER_XDP ? "driver: xdp" : "driver: dpdk";
	if (port->role == CTL_ROLE_HOST)
		return "role: host";
	return ctl_device_of(port->device) == CTL_DEVICE_INTERFACE
		? "it is an interface of the kernel"
		: "it is a device of DPDK's";
}

void ctl_way_of(const struct ctl_config *config, const struct ctl_port *port, const char *sysfs,
	struct ctl_way *ret_way)
{
	const enum ctl_way_told told = ctl_way_told(port);
	const bool is_pci = ctl_device_of(port->device) == CTL_DEVICE_PCI;
	struct pci pci;

	*ret_way = (struct ctl_way){.is_xdp = told == CTL_WAY_XDP};
	if (is_pci && told != CTL_WAY_DPDK)
		look_at(port->device, sysfs, &pci);
	if (told == CTL_WAY_OF_MACHINE)
		choose(config, &pci, ret_way);
	else
		say_why(ret_way, told_by(port), "");
	if (!ret_way->is_xdp)
		return;
	if (is_pci)
		take_interface(&pci, ret_way);
	else
		(void)g_strlcpy(ret_way->interface, port->device, sizeof(ret_way->interface));
}
