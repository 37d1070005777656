// SPDX-License-Identifier: BSD-3-Clause
#include "control/device.h"

#include <glib.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

static const char pci_shape[] = "xx:xx.d";

/* Behind the domain, where there is one. */
static const char *behind_domain(const char *text)
{
	return strlen(text) > 5 && text[4] == ':' ? text + 5 : text;
}

static bool is_pci(const char *text)
{
	const char *end = behind_domain(text);

	for (const char *c = text; end != text && c < end - 1; c++)
		if (!g_ascii_isxdigit(*c))
			return false;
	text = end;
	for (size_t i = 0; pci_shape[i] != '\0'; i++) {
		if (pci_shape[i] == 'x'		      ? !g_ascii_isxdigit(text[i])
				: pci_shape[i] == 'd' ? !g_ascii_isdigit(text[i])
						      : text[i] != pci_shape[i])
			return false;
	}
	text += sizeof(pci_shape) - 1;
	return *text == '\0' || *text == ',';
}

/* DPDK 22.11 guide, "Device Arguments": PCI address, BUS:NAME, or the name of a virtual device. */
static bool is_virtual(const char *text)
{
	static const char *const prefixes[] = {"net_", "eth_",
		"pci:", "vdev:", "auxiliary:", "vmbus:", "fslmc:", "dpaa:", "ifpga:"};

	for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++)
		if (g_str_has_prefix(text, prefixes[i]) && strlen(text) > strlen(prefixes[i]))
			return true;
	return false;
}

/* Linux, net/core/dev.c: dev_valid_name(). */
bool ctl_device_may_be_interface(const char *text)
{
	const size_t len = strlen(text);

	return len > 0 && len < IF_NAMESIZE && strcmp(text, ".") != 0 && strcmp(text, "..") != 0 &&
		text[strcspn(text, "/: \t\n\v\f\r")] == '\0';
}

enum ctl_device ctl_device_of(const char *text)
{
	if (is_pci(text))
		return CTL_DEVICE_PCI;
	if (is_virtual(text))
		return CTL_DEVICE_VIRTUAL;
	return ctl_device_may_be_interface(text) ? CTL_DEVICE_INTERFACE : CTL_DEVICE_NONE;
}

void ctl_device_pci(const char *text, char ret_address[CTL_PCI_MAX])
{
	const char *behind = behind_domain(text);

	(void)snprintf(
		ret_address, CTL_PCI_MAX, "%.5s%.7s", behind == text ? "0000:" : text, behind);
	for (char *c = ret_address; *c != '\0'; c++)
		*c = g_ascii_tolower(*c);
}
