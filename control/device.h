// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What ports[].device names, by how it is spelled: nothing of the machine is looked at. */

#include <stdbool.h>

enum ctl_device {
	CTL_DEVICE_NONE, // nothing that there could be
	CTL_DEVICE_PCI, // "0000:3b:00.0" or "3b:00.0", perhaps with arguments for DPDK's driver behind a comma
	CTL_DEVICE_VIRTUAL, // DPDK's: "net_af_packet,iface=eth1", and what has BUS: in front
	CTL_DEVICE_INTERFACE, // the kernel's: "eth1"
};

enum ctl_device ctl_device_of(const char *text);

/* Whether the kernel takes it as an interface's name. Of some, "net_0", ctl_device_of() thinks otherwise. */
bool ctl_device_may_be_interface(const char *text);

/* The address of a CTL_DEVICE_PCI as sysfs has it: "0000:3b:00.0". */
enum { CTL_PCI_MAX = 13 };
void ctl_device_pci(const char *text, char ret_address[CTL_PCI_MAX]);
