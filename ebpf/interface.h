// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the kernel says of a network interface, as far as it matters to a program on it. Asks by ioctl and
 * netlink, in the network namespace of the process, and takes no capability. Any thread. */

#include "dataplane/err.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* Of an interface, by the names that `ethtool -k` has for them. */
enum ebpf_feature {
	EBPF_FEATURE_RX_VLAN = 1 << 0, // takes 802.1Q tags out of frames that it receives
	EBPF_FEATURE_RX_STAG = 1 << 1, // 802.1ad
	EBPF_FEATURE_TX_VLAN = 1 << 2, // sends frames whose tag does not stand in them
	EBPF_FEATURE_TX_STAG = 1 << 3,
	EBPF_FEATURE_GRO = 1 << 4, // puts received packets together
	EBPF_FEATURE_LRO = 1 << 5,
	EBPF_FEATURE_GRO_HW = 1 << 6,
	EBPF_FEATURE_TSO = 1 << 7, // is given many segments as one
	EBPF_FEATURE_TSO6 = 1 << 8,
	EBPF_FEATURE_USO = 1 << 9, // of UDP
};

struct ebpf_interface {
	int index;
	char name[IF_NAMESIZE];
	char driver[32]; // "unknown": it does not say
	uint32_t mtu; // bytes of IP
	bool is_ethernet; // its frames begin with Ethernet's addresses
	bool is_up; // by who administers it
	bool has_carrier;
	uint32_t features; // set of enum ebpf_feature: switched on
	uint32_t fixed; // likewise: as they are, nobody can switch them

	// The other end of a veth, what this one receives is sent there.
	bool is_veth;
	int peer; // index; 0: none, or in another network namespace
	bool is_peer_elsewhere;

	// One by which the host is spoken to, IPv4 or IPv6 of more than the link; "" none.
	char address[INET6_ADDRSTRLEN];
};

/* Returns 0, or -errno with a sentence: -ENODEV when there is none of that name. */
[[nodiscard]] int ebpf_interface_read(
	const char *name, struct ebpf_interface *ret_interface, struct dp_err *reterr);

/* Whether an interface is there, up, and has a carrier. */
bool ebpf_interface_is_up(int index);
