// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/interface.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* linux/netdev_features.h is not for user space: the kernel tells the names instead. */
static const struct {
	const char *name;
	enum ebpf_feature feature;
} names[] = {
	{"rx-vlan-hw-parse", EBPF_FEATURE_RX_VLAN},
	{"rx-vlan-stag-hw-parse", EBPF_FEATURE_RX_STAG},
	{"tx-vlan-hw-insert", EBPF_FEATURE_TX_VLAN},
	{"tx-vlan-stag-hw-insert", EBPF_FEATURE_TX_STAG},
	{"rx-gro", EBPF_FEATURE_GRO},
	{"rx-lro", EBPF_FEATURE_LRO},
	{"rx-gro-hw", EBPF_FEATURE_GRO_HW},
	{"tx-tcp-segmentation", EBPF_FEATURE_TSO},
	{"tx-tcp6-segmentation", EBPF_FEATURE_TSO6},
	{"tx-udp-segmentation", EBPF_FEATURE_USO},
};

enum {
	FEATURES_MAX = 1024, // of a kernel; 6.18 has 64
	REPLY_BYTES = 1 << 15, // a link with all its attributes
};

static int ask(int fd, unsigned long what, const char *name, void *data)
{
	struct ifreq req = {.ifr_data = data};

	(void)snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	return ioctl(fd, what, &req) < 0 ? -errno : 0;
}

/* --- features -------------------------------------------------------------------------------- */

/* How many features the kernel has; 0: it does not say. */
static uint32_t n_features(int fd, const char *name)
{
	union {
		struct ethtool_sset_info info;
		uint32_t words[sizeof(struct ethtool_sset_info) / sizeof(uint32_t) + 1];
	} set = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_FEATURES}};

	if (ask(fd, SIOCETHTOOL, name, &set) < 0 || set.info.sset_mask == 0)
		return 0;
	return set.info.data[0] < FEATURES_MAX ? set.info.data[0] : FEATURES_MAX;
}

static uint32_t feature_of(const char *name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncmp(name, names[i].name, ETH_GSTRING_LEN) == 0)
			return names[i].feature;
	}
	return 0;
}

static int read_blocks(
	int fd, uint32_t n, struct ebpf_interface *i, const struct ethtool_gstrings *strings)
{
	const uint32_t n_blocks = (n + 31) / 32;
	struct ethtool_gfeatures *got = calloc(
		1, sizeof(*got) + n_blocks * sizeof(got->features[0]));
	int r;

	if (got == NULL)
		return -ENOMEM;
	got->cmd = ETHTOOL_GFEATURES;
	got->size = n_blocks;
	r = ask(fd, SIOCETHTOOL, i->name, got);
	for (uint32_t bit = 0; r == 0 && bit < n; bit++) {
		const struct ethtool_get_features_block *b = &got->features[bit / 32];
		const uint32_t feature = feature_of(
			(const char *)strings->data + (size_t)bit * ETH_GSTRING_LEN);

		if ((b->active >> bit % 32 & 1) != 0)
			i->features |= feature;
		if ((b->available >> bit % 32 & 1) == 0)
			i->fixed |= feature;
	}
	free(got);
	return r;
}

static int read_features(int fd, struct ebpf_interface *i)
{
	const uint32_t n = n_features(fd, i->name);
	struct ethtool_gstrings *strings = calloc(
		1, sizeof(*strings) + (size_t)n * ETH_GSTRING_LEN);
	int r;

	if (strings == NULL)
		return -ENOMEM;
	strings->cmd = ETHTOOL_GSTRINGS;
	strings->string_set = ETH_SS_FEATURES;
	strings->len = n;
	r = n == 0 ? -EOPNOTSUPP : ask(fd, SIOCETHTOOL, i->name, strings);
	if (r == 0)
		r = read_blocks(fd, n, i, strings);
	free(strings);
	return r;
}

static void read_driver(int fd, struct ebpf_interface *i)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};

	static_assert(sizeof(i->driver) == sizeof(info.driver));
	if (ask(fd, SIOCETHTOOL, i->name, &info) < 0 || info.driver[0] == '\0')
		memcpy(info.driver, "unknown", sizeof("unknown"));
	(void)snprintf(i->driver, sizeof(i->driver), "%.31s", info.driver);
	i->is_veth = strcmp(i->driver, "veth") == 0;
}

/* --- the other end of a veth ----------------------------------------------------------------- */

static void read_peer_attributes(struct nlmsghdr *reply, struct ebpf_interface *i)
{
	struct ifinfomsg *link = NLMSG_DATA(reply);
	int left = (int)IFLA_PAYLOAD(reply);

	for (struct rtattr *a = IFLA_RTA(link); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_LINK && RTA_PAYLOAD(a) == sizeof(i->peer))
			memcpy(&i->peer, RTA_DATA(a), sizeof(i->peer));
		if (a->rta_type == IFLA_LINK_NETNSID)
			i->is_peer_elsewhere = true;
	}
	if (i->is_peer_elsewhere)
		i->peer = 0; // an index over there
}

/* Its index, or that it is in another network namespace: only netlink tells both. */
static int read_peer(struct ebpf_interface *i)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
	} req = {.head = {.nlmsg_len = sizeof(req),
			 .nlmsg_type = RTM_GETLINK,
			 .nlmsg_flags = NLM_F_REQUEST},
		.link = {.ifi_index = i->index}};
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct nlmsghdr *reply = malloc(REPLY_BYTES);
	ssize_t n = -1;

	if (fd >= 0 && reply != NULL && send(fd, &req, sizeof(req), 0) == sizeof(req))
		n = recv(fd, reply, REPLY_BYTES, 0);
	if (n > 0 && NLMSG_OK(reply, (size_t)n) && reply->nlmsg_type == RTM_NEWLINK)
		read_peer_attributes(reply, i);
	else
		n = -1;
	free(reply);
	if (fd >= 0)
		(void)close(fd);
	return n < 0 ? -EIO : 0;
}

/* --- all of it ------------------------------------------------------------------------------- */

static bool is_up(int fd, const char *name, bool *ret_has_carrier)
{
	struct ifreq req = {0};

	(void)snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFFLAGS, &req) < 0)
		return false;
	*ret_has_carrier = (req.ifr_flags & IFF_RUNNING) != 0;
	return (req.ifr_flags & IFF_UP) != 0;
}

bool ebpf_interface_is_up(int index)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool has_carrier = false, is = false;
	char name[IF_NAMESIZE];

	if (fd < 0)
		return false;
	if (if_indextoname((unsigned int)index, name) != NULL)
		is = is_up(fd, name, &has_carrier) && has_carrier;
	(void)close(fd);
	return is;
}

static bool read_address(const struct sockaddr *from, char to[INET6_ADDRSTRLEN])
{
	const struct sockaddr_in6 *v6 = (const void *)from;
	const struct sockaddr_in *v4 = (const void *)from;

	if (from->sa_family == AF_INET)
		return inet_ntop(AF_INET, &v4->sin_addr, to, INET6_ADDRSTRLEN) != NULL;
	return from->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) &&
		inet_ntop(AF_INET6, &v6->sin6_addr, to, INET6_ADDRSTRLEN) != NULL;
}

/* The first that is there. */
static int read_addresses(struct ebpf_interface *i)
{
	struct ifaddrs *all;

	if (getifaddrs(&all) < 0)
		return -errno;
	for (const struct ifaddrs *a = all; a != NULL && i->address[0] == '\0'; a = a->ifa_next) {
		if (a->ifa_addr == NULL || strcmp(a->ifa_name, i->name) != 0 ||
			!read_address(a->ifa_addr, i->address))
			i->address[0] = '\0';
	}
	freeifaddrs(all);
	return 0;
}

static int read_all(int fd, struct ebpf_interface *i, struct dp_err *reterr)
{
	struct ifreq req = {0};
	int r;

	memcpy(req.ifr_name, i->name, sizeof(req.ifr_name));
	if (ioctl(fd, SIOCGIFMTU, &req) < 0)
		return dp_fail(reterr, errno, "cannot read the MTU of '%s': %m", i->name);
	i->mtu = (uint32_t)req.ifr_mtu;
	if (ioctl(fd, SIOCGIFHWADDR, &req) < 0)
		return dp_fail(
			reterr, errno, "cannot read what kind of interface '%s' is: %m", i->name);
	i->is_ethernet = req.ifr_hwaddr.sa_family == ARPHRD_ETHER ||
		req.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
	i->is_up = is_up(fd, i->name, &i->has_carrier);
	read_driver(fd, i);
	r = read_features(fd, i);
	if (r < 0)
		return dp_fail(reterr, -r, "cannot read the features of '%s': %m", i->name);
	r = i->is_veth ? read_peer(i) : 0;
	if (r < 0)
		return dp_fail(reterr, -r, "cannot find the other end of '%s': %m", i->name);
	r = read_addresses(i);
	if (r < 0)
		return dp_fail(reterr, -r, "cannot read the addresses of '%s': %m", i->name);
	return 0;
}

int ebpf_interface_read(
	const char *name, struct ebpf_interface *ret_interface, struct dp_err *reterr)
{
	struct ebpf_interface i = {0};
	int fd, r;

	i.index = (int)if_nametoindex(name);
	if (i.index == 0)
		return dp_fail(reterr, ENODEV,
			"there is no interface '%s' in this network namespace: 'ip link' shows those "
			"there are",
			name);
	(void)snprintf(i.name, sizeof(i.name), "%s", name);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return dp_fail(reterr, errno, "cannot ask about interface '%s': %m", name);
	r = read_all(fd, &i, reterr);
	(void)close(fd);
	if (r == 0)
		*ret_interface = i;
	return r;
}
