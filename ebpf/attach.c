// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/attach.h"

#include "ebpf/attach_egress.h"
#include "ebpf/interface.h"
#include "ebpf/link.h"
#include "ebpf/refused.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/membarrier.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

enum {
	WARNINGS_MAX = 4,
	VLAN_RX = EBPF_FEATURE_RX_VLAN | EBPF_FEATURE_RX_STAG,
	VLAN_TX = EBPF_FEATURE_TX_VLAN | EBPF_FEATURE_TX_STAG,
	MERGES = EBPF_FEATURE_GRO | EBPF_FEATURE_LRO | EBPF_FEATURE_GRO_HW,
	SEGMENTS = EBPF_FEATURE_TSO | EBPF_FEATURE_TSO6 | EBPF_FEATURE_USO,
};

struct ebpf_attached {
	int index; // of the interface
	int ingress_fd; // the link; -1: none
	struct ebpf_egress egress;
	int promiscuous_fd; // a socket that keeps it so; -1: none
	bool is_generic;
	bool is_flag_ours; // promiscuous by its flag, which was not set before
	bool is_pinned, is_adopted;
	size_t n_warnings;
	struct dp_err why;
	struct dp_err warnings[WARNINGS_MAX];
};

[[gnu::format(printf, 2, 3)]] static void warn(struct ebpf_attached *a, const char *fmt, ...)
{
	va_list args;

	if (a->n_warnings == WARNINGS_MAX)
		return;
	va_start(args, fmt);
	(void)vsnprintf(a->warnings[a->n_warnings].text, sizeof(a->warnings[0].text), fmt, args);
	va_end(args);
	a->n_warnings++;
}

static void say_why(struct ebpf_attached *a, const char *why)
{
	(void)snprintf(a->why.text, sizeof(a->why.text), "%s", why);
}

/* --- tags that nobody would see -------------------------------------------------------------- */

/* What `ethtool -K` has to be told. */
static const char *vlan_words(uint32_t features)
{
	switch (features & (VLAN_RX | VLAN_TX)) {
	case EBPF_FEATURE_RX_VLAN:
		return "rxvlan off";
	case EBPF_FEATURE_RX_STAG:
		return "rx-vlan-stag-hw-parse off";
	case VLAN_RX:
		return "rxvlan off rx-vlan-stag-hw-parse off";
	case EBPF_FEATURE_TX_VLAN:
		return "txvlan off";
	case EBPF_FEATURE_TX_STAG:
		return "tx-vlan-stag-hw-insert off";
	default:
		return "txvlan off tx-vlan-stag-hw-insert off";
	}
}

/* A veth has no hardware: what its other end leaves to hardware stands beside the frame on this one, too. */
static int refuse_veth_tags(
	const struct ebpf_interface *i, const struct ebpf_interface *peer, struct dp_err *reterr)
{
	const uint32_t hidden = peer->features & VLAN_TX;

	if (hidden == 0)
		return 0;
	return dp_fail(reterr, EOPNOTSUPP,
		"'%s', the other end of '%s', sends VLAN tags beside the frame, where XDP does not see them: "
		"'ethtool -K %s %s'",
		peer->name, i->name, peer->name, vlan_words(hidden));
}

static int refuse_tags(
	const struct ebpf_interface *i, const struct ebpf_interface *peer, struct dp_err *reterr)
{
	const uint32_t hidden = i->features & VLAN_RX;

	if (i->is_veth)
		return refuse_veth_tags(i, peer, reterr);
	if (hidden == 0)
		return 0;
	if ((hidden & i->fixed) != 0)
		return dp_fail(reterr, EOPNOTSUPP,
			"'%s' takes VLAN tags out of the frames it receives before XDP sees them, and its "
			"driver (%s) cannot do otherwise: take this port with DPDK",
			i->name, i->driver);
	return dp_fail(reterr, EOPNOTSUPP,
		"'%s' takes VLAN tags out of the frames it receives before XDP sees them: "
		"'ethtool -K %s %s'",
		i->name, i->name, vlan_words(hidden));
}

/* What no program of ours would understand, or see whole. */
static int refuse_kind(
	const struct ebpf_interface *i, const struct ebpf_interface *peer, struct dp_err *reterr)
{
	if (!i->is_ethernet)
		return dp_fail(reterr, EOPNOTSUPP,
			"'%s' has no Ethernet frames (driver %s): take the interface below it",
			i->name, i->driver);
	return refuse_tags(i, peer, reterr);
}

/* A TAP port ends each frame: who sits at the host's other end would not hear of it again. */
static int refuse_host(const struct ebpf_interface *i, struct dp_err *reterr)
{
	if (i->address[0] == '\0')
		return 0;
	return dp_fail(reterr, EADDRINUSE,
		"'%s' has the address %s, and as TAP port it would let nothing through to the host: "
		"'role: host', or an interface of its own ('ip addr flush dev %s')",
		i->name, i->address, i->name);
}

/* --- the program on the interface ------------------------------------------------------------ */

static int create_link(int prog_fd, int index, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);

	return bpf_link_create(prog_fd, index, BPF_XDP, &opts);
}

/* The driver says no, and not the kernel in front of it. */
static bool is_drivers(int errnum)
{
	switch (errnum) {
	case EBUSY:
	case EEXIST:
	case EPERM:
	case EACCES:
	case ENODEV:
	case EBADF:
		return false;
	default:
		return true;
	}
}

/* Why the driver does not take it: a phrase. */
static void say_drivers(const struct ebpf_interface *i, int errnum, struct dp_err *ret_why)
{
	switch (errnum) {
	case EOPNOTSUPP:
		(void)dp_fail(ret_why, errnum, "the driver of '%s' (%s) has no native XDP: %m",
			i->name, i->driver);
		break;
	case ERANGE:
		(void)dp_fail(ret_why, errnum,
			"the MTU of '%s'%s, %u, is too big for native XDP (%m): 'ip link set %s mtu N' with "
			"a smaller one",
			i->name, i->is_veth ? " or of its other end" : "", i->mtu, i->name);
		break;
	case ENOSPC:
		(void)dp_fail(ret_why, errnum,
			"'%s' has too few queues for native XDP (%m): 'ethtool -L %s' with %s",
			i->name, i->name,
			i->is_veth ? "as many rx as its other end has tx" : "more of them");
		break;
	default:
		(void)dp_fail(ret_why, errnum,
			"the driver of '%s' (%s) does not take native XDP as it is set up, MTU %u: %m",
			i->name, i->driver, i->mtu);
	}
}

/* Which program is there already; 0: that cannot be told. */
static uint32_t owner_of(int index)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, found);

	if (bpf_xdp_query(index, 0, &found) < 0)
		return 0;
	if (found.prog_id != 0)
		return found.prog_id;
	return found.drv_prog_id != 0 ? found.drv_prog_id : found.skb_prog_id;
}

static int refuse_taken(const struct ebpf_interface *i, int errnum, struct dp_err *reterr)
{
	const uint32_t id = owner_of(i->index);

	if (id == 0)
		return dp_fail(reterr, EBUSY,
			"another XDP program is on '%s' (%s): 'bpftool net' says which", i->name,
			strerror(errnum));
	return dp_fail(reterr, EBUSY,
		"XDP program %u is on '%s' already: stop whose it is ('bpftool prog show id %u', "
		"'bpftool link'), or where nobody has it, 'ip link set %s xdp off'",
		id, i->name, id, i->name);
}

static int refuse(
	const struct ebpf_interface *i, enum ebpf_mode mode, int errnum, struct dp_err *reterr)
{
	struct dp_err why;

	switch (errnum) {
	case EBUSY:
	case EEXIST: // in the other mode
		return refuse_taken(i, errnum, reterr);
	case ENODEV:
		return dp_fail(reterr, errnum, "interface '%s' has just gone", i->name);
	case EPERM:
	case EACCES:
		return dp_fail(reterr, errnum,
			"cannot attach an XDP program to '%s' (%m): CAP_NET_ADMIN has to be that of the "
			"user namespace to which this network namespace belongs",
			i->name);
	default:
		break;
	}
	if (mode == EBPF_MODE_GENERIC || !is_drivers(errnum))
		return dp_fail(reterr, errnum, "cannot attach an XDP program to '%s': %m", i->name);
	say_drivers(i, errnum, &why);
	return dp_fail(reterr, errnum, "%.400s; or let it be generic", why.text);
}

/* --- the program that is received by --------------------------------------------------------- */

static int attach_generic(struct ebpf_attached *a, const struct ebpf_attach_config *cfg,
	const struct ebpf_interface *i, struct dp_err *reterr)
{
	a->ingress_fd = create_link(cfg->ingress_fd, i->index, XDP_FLAGS_SKB_MODE);
	a->is_generic = true;
	return a->ingress_fd >= 0 ? 0 : refuse(i, EBPF_MODE_GENERIC, -a->ingress_fd, reterr);
}

static int attach_new(struct ebpf_attached *a, const struct ebpf_attach_config *cfg,
	const struct ebpf_interface *i, struct dp_err *reterr)
{
	if (cfg->mode == EBPF_MODE_GENERIC) {
		say_why(a, "it is configured");
		return attach_generic(a, cfg, i, reterr);
	}
	a->ingress_fd = create_link(cfg->ingress_fd, i->index, XDP_FLAGS_DRV_MODE);
	if (a->ingress_fd >= 0) {
		say_why(a,
			cfg->mode == EBPF_MODE_NATIVE ? "it is configured" : "its driver has it");
		return 0;
	}
	if (cfg->mode == EBPF_MODE_NATIVE || !is_drivers(-a->ingress_fd))
		return refuse(i, EBPF_MODE_NATIVE, -a->ingress_fd, reterr);
	say_drivers(i, -a->ingress_fd, &a->why);
	return attach_generic(a, cfg, i, reterr);
}

static int attach_ingress(struct ebpf_attached *a, const struct ebpf_attach_config *cfg,
	const struct ebpf_interface *i, struct dp_err *reterr)
{
	int r;

	a->ingress_fd = ebpf_link_adopt(cfg, i->index, "xdp", cfg->ingress_fd);
	if (a->ingress_fd >= 0) {
		a->is_adopted = true;
		a->is_generic = ebpf_link_is_generic(i->index);
		say_why(a, "it has gone on since the last start");
		return 0;
	}
	r = attach_new(a, cfg, i, reterr);
	return r < 0 ? r : ebpf_link_pin(cfg, "xdp", a->ingress_fd, reterr);
}

static int attach_egress(struct ebpf_attached *a, const struct ebpf_attach_config *cfg,
	const struct ebpf_interface *i, struct dp_err *reterr)
{
	int r;

	a->egress.link_fd = ebpf_link_adopt(cfg, i->index, "tcx", cfg->egress_fd);
	if (a->egress.link_fd >= 0 || cfg->egress_fd <= 0)
		return 0;
	a->is_adopted = false;
	r = ebpf_egress_attach(
		&a->egress, i->index, i->name, cfg->egress_fd, cfg->is_egress_filter, reterr);
	return r < 0 ? r : ebpf_link_pin(cfg, "tcx", a->egress.link_fd, reterr);
}

/* --- frames for others ----------------------------------------------------------------------- */

/* By the flag, which a crash leaves behind: the other way takes CAP_NET_RAW. */
static int set_flag(int index, bool is_on, bool *ret_was_on)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = {0};
	int r = 0;

	if (fd < 0)
		return -errno;
	if (if_indextoname((unsigned int)index, req.ifr_name) == NULL ||
		ioctl(fd, SIOCGIFFLAGS, &req) < 0)
		r = -errno;
	if (r == 0) {
		*ret_was_on = (req.ifr_flags & IFF_PROMISC) != 0;
		req.ifr_flags = (short)((req.ifr_flags & ~IFF_PROMISC) | (is_on ? IFF_PROMISC : 0));
		if (*ret_was_on != is_on && ioctl(fd, SIOCSIFFLAGS, &req) < 0)
			r = -errno;
	}
	(void)close(fd);
	return r;
}

/* What outlives us is the flag. */
static int stay_promiscuous(struct ebpf_kept_port *port, bool was_ours,
	const struct ebpf_interface *i, struct dp_err *reterr)
{
	bool was_on = false;
	const int r = set_flag(i->index, true, &was_on);

	port->is_flag_ours = was_ours || !was_on;
	return r == 0 ? 0 : dp_fail(reterr, -r, "cannot make '%s' promiscuous: %m", i->name);
}

static int be_promiscuous(
	struct ebpf_attached *a, const struct ebpf_interface *i, struct dp_err *reterr)
{
	const struct packet_mreq all = {.mr_ifindex = i->index, .mr_type = PACKET_MR_PROMISC};
	bool was_on = false;
	int r;

	// Protocol 0: it receives nothing.
	a->promiscuous_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (a->promiscuous_fd >= 0)
		r = setsockopt(a->promiscuous_fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all,
			    sizeof(all)) < 0
			? -errno
			: 0;
	else
		r = set_flag(i->index, true, &was_on);
	if (r < 0)
		return dp_fail(reterr, -r, "cannot make '%s' promiscuous: %m", i->name);
	a->is_flag_ours = a->promiscuous_fd < 0 && !was_on;
	return 0;
}

static int set_promiscuous(struct ebpf_attached *a, const struct ebpf_attach_config *cfg,
	const struct ebpf_interface *i, struct dp_err *reterr)
{
	bool was_on;
	int r = 0;

	if (cfg->is_tap && cfg->port != NULL)
		return stay_promiscuous(cfg->port, cfg->was_flag_ours, i, reterr);
	if (cfg->is_tap)
		r = be_promiscuous(a, i, reterr);
	if (cfg->was_flag_ours && !a->is_flag_ours) // by a flag that goes on being needed it stays
		(void)set_flag(i->index, false, &was_on);
	return r;
}

/* --- what has to be said --------------------------------------------------------------------- */

/* A frame made of many has the headers of one, and so the bytes of the others' are missing. */
static void warn_merged(
	struct ebpf_attached *a, const struct ebpf_interface *i, const struct ebpf_interface *peer)
{
	if ((i->features & MERGES) != 0)
		warn(a,
			"'%s' puts packets together before generic XDP sees them, so packets and bytes are "
			"counted too low: 'ethtool -K %s gro off%s%s'",
			i->name, i->name, (i->features & EBPF_FEATURE_LRO) != 0 ? " lro off" : "",
			(i->features & EBPF_FEATURE_GRO_HW) != 0 ? " rx-gro-hw off" : "");
	if ((peer->features & SEGMENTS) != 0)
		warn(a,
			"'%s', the other end of '%s', sends many TCP segments as one, so packets and bytes are "
			"counted too low: 'ethtool -K %s tso off tx-udp-segmentation off'",
			peer->name, i->name, peer->name);
}

static void warn_of(
	struct ebpf_attached *a, const struct ebpf_interface *i, const struct ebpf_interface *peer)
{
	if (!i->is_up)
		warn(a, "'%s' is down and receives nothing: 'ip link set %s up'", i->name, i->name);
	if (i->is_peer_elsewhere)
		warn(a,
			"the other end of '%s' is in another network namespace, so nobody can tell whether VLAN "
			"tags%s are seen: there, 'ethtool -K INTERFACE txvlan off tx-vlan-stag-hw-insert "
			"off%s'",
			i->name, a->is_generic ? " and single packets" : "",
			a->is_generic ? " tso off tx-udp-segmentation off" : "");
	if (a->is_generic)
		warn_merged(a, i, peer);
}

/* --- attach and detach ----------------------------------------------------------------------- */

static int read_both(const char *name, struct ebpf_interface *i, struct ebpf_interface *peer,
	struct dp_err *reterr)
{
	char peer_name[IF_NAMESIZE];
	const int r = ebpf_interface_read(name, i, reterr);

	memset(peer, 0, sizeof(*peer));
	if (r < 0 || i->peer == 0 || if_indextoname((unsigned int)i->peer, peer_name) == NULL)
		return r;
	return ebpf_interface_read(peer_name, peer, reterr);
}

static int attach(
	struct ebpf_attached *a, const struct ebpf_attach_config *cfg, struct dp_err *reterr)
{
	struct ebpf_interface i, peer;
	int r = read_both(cfg->interface, &i, &peer, reterr);

	if (r == 0)
		r = refuse_kind(&i, &peer, reterr);
	if (r == 0 && cfg->is_tap)
		r = refuse_host(&i, reterr);
	if (r < 0)
		return r;
	a->index = i.index;
	ebpf_egress_sweep(i.index);
	r = attach_ingress(a, cfg, &i, reterr);
	if (r == 0)
		r = attach_egress(a, cfg, &i, reterr);
	if (r == 0)
		r = set_promiscuous(a, cfg, &i, reterr);
	// Again: a program changes features, of the other end, too.
	if (r == 0)
		r = read_both(cfg->interface, &i, &peer, reterr);
	if (r == 0)
		warn_of(a, &i, &peer);
	return r;
}

int ebpf_attach(const struct ebpf_attach_config *cfg, struct ebpf_attached **ret_attached,
	struct dp_err *reterr)
{
	struct ebpf_attached *a;
	int r = ebpf_refused_caps(reterr);

	if (r < 0)
		return r;
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return dp_fail(reterr, ENOMEM, "cannot attach to '%s': %m", cfg->interface);
	a->ingress_fd = -1;
	a->promiscuous_fd = -1;
	ebpf_egress_init(&a->egress);
	r = attach(a, cfg, reterr);
	if (r < 0) {
		ebpf_detach(a); // copes with what is there so far
		if (cfg->pins != NULL)
			ebpf_pins_end(cfg->pins, cfg->interface);
		return r;
	}
	a->is_pinned = cfg->port != NULL;
	*ret_attached = a;
	return 0;
}

/* Somebody else may hold the link, too: a child that was forked. */
static void end_link(int fd)
{
	if (fd < 0)
		return;
	(void)bpf_link_detach(fd);
	(void)close(fd);
}

void ebpf_detach(struct ebpf_attached *a)
{
	bool was_on;

	if (a == NULL)
		return;
	if (a->is_pinned) {
		(void)close(a->ingress_fd);
		if (a->egress.link_fd >= 0)
			(void)close(a->egress.link_fd);
		free(a);
		return;
	}
	end_link(a->ingress_fd);
	ebpf_egress_detach(&a->egress);
	if (a->promiscuous_fd >= 0)
		(void)close(a->promiscuous_fd);
	if (a->is_flag_ours)
		(void)set_flag(a->index, false, &was_on);
	ebpf_wait_for_programs();
	free(a);
}

void ebpf_wait_for_programs(void)
{
	// In the kernel this is synchronize_rcu().
	(void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

bool ebpf_attached_is_adopted(const struct ebpf_attached *a)
{
	return a->is_adopted;
}

const char *ebpf_attached_path(const struct ebpf_attached *a)
{
	return a->is_generic ? "xdp generic" : "xdp native";
}

const char *ebpf_attached_why(const struct ebpf_attached *a)
{
	return a->why.text;
}

const char *ebpf_attached_egress(const struct ebpf_attached *a)
{
	if (a->egress.link_fd >= 0)
		return "tcx";
	return a->egress.filter_index != 0 ? "clsact" : NULL;
}

const char *ebpf_attached_warning(const struct ebpf_attached *a, size_t i)
{
	return i < a->n_warnings ? a->warnings[i].text : NULL;
}

bool ebpf_attached_is_up(const struct ebpf_attached *a)
{
	return ebpf_interface_is_up(a->index);
}
