// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/eal.h"
#include "dataplane/source.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct source_port {
	struct dp_source base;
	uint16_t port_id;
	bool is_started;
};

/* A tag that the driver took out although nobody asked it to goes back: the frame is what was on the
 * wire. (net_af_packet has put its tag back itself by then, and the flag is gone.) */
static struct rte_mbuf *with_tag(struct rte_mbuf *m)
{
	if ((m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0)
		(void)rte_vlan_insert(&m); // no room for it, or no frame at all: as it is
	return m;
}

static enum dp_poll port_poll(
	struct dp_source *base, struct rte_mbuf **mbufs, uint16_t max, uint16_t *ret_n)
{
	const struct source_port *s = (const struct source_port *)base;

	*ret_n = rte_eth_rx_burst(s->port_id, 0, mbufs, max);
	for (uint16_t i = 0; i < *ret_n; i++) {
		struct dp_pkt *p = rte_mbuf_to_priv(mbufs[i]);

		mbufs[i] = with_tag(mbufs[i]);
		p->wire_bytes = mbufs[i]->pkt_len;
	}
	return DP_POLL_MORE;
}

/* A driver without the notion, or one that does not answer, is taken to be up: frames tell. */
static bool is_link_down(uint16_t port_id)
{
	struct rte_eth_link link;

	return rte_eth_link_get_nowait(port_id, &link) == 0 &&
		link.link_status == RTE_ETH_LINK_DOWN;
}

static void port_stats(const struct dp_source *base, struct dp_source_stats *ret_stats)
{
	const struct source_port *s = (const struct source_port *)base;
	struct rte_eth_stats st;

	*ret_stats = (struct dp_source_stats){.is_link_down = is_link_down(s->port_id)};
	if (rte_eth_stats_get(s->port_id, &st) != 0)
		return;
	ret_stats->lost = st.imissed + st.ierrors + st.rx_nombuf;
	ret_stats->received = st.ipackets;
}

static void port_close(struct dp_source *base)
{
	struct source_port *s = (struct source_port *)base;

	if (s->is_started)
		(void)rte_eth_dev_stop(s->port_id); // closing anyway
	(void)rte_eth_dev_close(s->port_id);
	free(s);
}

static bool is_driver(const struct rte_eth_dev_info *info, const char *name)
{
	return strcmp(info->driver_name, name) == 0;
}

/* Some drivers (net_tap, net_af_xdp) create their queues in pairs and refuse to start without the
 * other one. It is set up there and never used. */
static int pair_queue(uint16_t port_id, const struct rte_eth_dev_info *info)
{
	return rte_eth_tx_queue_setup(
		port_id, 0, 0, (unsigned int)rte_eth_dev_socket_id(port_id), &info->default_txconf);
}

static bool needs_pairs(const struct rte_eth_dev_info *info)
{
	return is_driver(info, "net_tap") || is_driver(info, "net_af_xdp");
}

/* What a frame has beyond its MTU, as the ethdev library reckons (rte_ethdev.c). */
static uint32_t overhead_of(const struct rte_eth_dev_info *info)
{
	const bool is_known = info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu;

	return is_known ? info->max_rx_pktlen - info->max_mtu
			: RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
}

static uint16_t mtu_for(
	const struct rte_eth_dev_info *info, uint32_t frame_len, uint32_t header_len)
{
	return (uint16_t)RTE_MIN(
		frame_len > header_len ? frame_len - header_len : 0, info->max_mtu);
}

/* The largest MTU whose frames fit one mbuf. The usual 1500 is not enough on a core link, where a
 * tunnel's headers come on top (3GPP TS 29.281: 36 to 56 bytes): a NIC drops what is longer. Larger
 * frames need chains, which costs drivers their vector path: only where the operator says so. */
static uint16_t mtu_of_one(const struct rte_eth_dev_info *info)
{
	const uint32_t most = RTE_MIN(info->max_rx_pktlen, RTE_MBUF_DEFAULT_DATAROOM);

	// Drivers reckon with two tags.
	return mtu_for(info, most, overhead_of(info) + 2 * RTE_VLAN_HLEN);
}

static uint16_t mtu_max(const struct rte_eth_dev_info *info)
{
	return mtu_for(info, info->max_rx_pktlen, overhead_of(info));
}

/* The mtu that the operator wants. Returns 0 and what to configure, or -EINVAL with a sentence. */
static int plan_mtu(const char *device, uint16_t mtu, const struct rte_eth_dev_info *info,
	struct rte_eth_rxmode *ret_rxmode, struct dp_err *reterr)
{
	const bool can_scatter = (info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0;
	const bool is_tap = is_driver(info, "net_tap"); // the kernel's MTU counts, whatever it says
	const bool is_pcap = is_driver(info, "net_pcap"); // makes chains unasked
	const uint16_t of_one = mtu_of_one(info);

	if (mtu < info->min_mtu || (mtu > mtu_max(info) && !is_tap))
		return dp_fail(reterr, EINVAL,
			"cannot set up port '%s' for an mtu of %u: driver %s takes %u to %u",
			device, mtu, info->driver_name, info->min_mtu, mtu_max(info));
	if (mtu > of_one && !can_scatter && !is_pcap)
		return dp_fail(reterr, EINVAL,
			"cannot set up port '%s' for an mtu of %u: driver %s does not spread a "
			"frame over several buffers, expected at most %u, which fits one",
			device, mtu, info->driver_name, of_one);
	ret_rxmode->mtu = is_tap && mtu > mtu_max(info) ? 0 : mtu;
	if (mtu > of_one && can_scatter)
		ret_rxmode->offloads = RTE_ETH_RX_OFFLOAD_SCATTER;
	return 0;
}

/* Nothing but SCATTER is ever asked for: tags stay in the frame, segments are not merged, and the
 * frame's check sequence is no part of its length. */
static int configure(uint16_t port_id, uint16_t n_pairs, struct rte_eth_rxmode rxmode)
{
	const struct rte_eth_conf conf = {.rxmode = rxmode};

	return rte_eth_dev_configure(port_id, 1, n_pairs, &conf);
}

static int configure_largest(
	uint16_t port_id, uint16_t n_pairs, const struct rte_eth_dev_info *info)
{
	const uint16_t mtu = mtu_of_one(info);

	if (mtu > RTE_ETHER_MTU &&
		configure(port_id, n_pairs, (struct rte_eth_rxmode){.mtu = mtu}) == 0)
		return 0;
	return configure(port_id, n_pairs, (struct rte_eth_rxmode){0}); // what the driver has
}

/* What a step of the set-up was refused with, in the driver's words as well. */
[[gnu::format(printf, 4, 5)]] static int refuse(
	struct dp_err *reterr, int errnum, size_t mark, const char *fmt, ...)
{
	struct dp_err sentence;
	char words[160];
	va_list ap;

	dp_eal_said_since(mark, words, sizeof(words));
	va_start(ap, fmt);
	(void)vsnprintf(sentence.text, sizeof(sentence.text), fmt, ap);
	va_end(ap);
	return dp_fail(reterr, errnum, "%.300s: %m%s%s", sentence.text,
		words[0] != '\0' ? "; the driver says: " : "", words);
}

static int setup(struct source_port *s, const char *device, uint16_t mtu, struct rte_mempool *pool,
	struct dp_err *reterr)
{
	struct rte_eth_rxmode rxmode = {0};
	const uint16_t id = s->port_id;
	const size_t mark = dp_eal_mark();
	struct rte_eth_dev_info info;
	uint16_t n_rx = DP_PORT_DESCRIPTORS, n_tx = 512;
	int r = rte_eth_dev_info_get(id, &info);

	if (r < 0)
		return refuse(reterr, -r, mark, "cannot ask port '%s' what it can do", device);

	const uint16_t n_pairs = needs_pairs(&info) ? 1 : 0;

	r = mtu > 0 ? plan_mtu(device, mtu, &info, &rxmode, reterr) : 0;
	if (r < 0)
		return r;
	r = mtu > 0 ? configure(id, n_pairs, rxmode) : configure_largest(id, n_pairs, &info);
	if (r == 0)
		r = rte_eth_dev_adjust_nb_rx_tx_desc(id, &n_rx, &n_tx);
	if (r < 0)
		return refuse(reterr, -r, mark, "cannot configure port '%s'", device);
	r = rte_eth_rx_queue_setup(
		id, 0, n_rx, (unsigned int)rte_eth_dev_socket_id(id), NULL, pool);
	if (r == 0 && n_pairs > 0)
		r = pair_queue(id, &info);
	if (r < 0)
		return refuse(reterr, -r, mark, "cannot set up the queue of port '%s'", device);
	r = rte_eth_dev_start(id);
	if (r < 0)
		return refuse(reterr, -r, mark,
			"cannot start port '%s'; is it in use by another program?", device);
	s->is_started = true;
	r = rte_eth_promiscuous_enable(id);
	if (r < 0 && r != -ENOTSUP) // a driver without the notion delivers everything
		return refuse(reterr, -r, mark, "cannot make port '%s' promiscuous", device);
	return 0;
}

static bool may_capture(void)
{
	const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		(void)close(fd); // nothing was sent
	return fd >= 0 || errno != EPERM;
}

/* The EAL did not take it. */
static int refuse_unknown(const char *device, const char *name, struct dp_err *reterr)
{
	const bool is_pci = strncmp(name, "net_", 4) != 0;
	char words[200];

	dp_eal_refusal(name, words, sizeof(words));
	return dp_fail(reterr, ENODEV, "cannot open port '%s': %s", device,
		words[0] != '\0' ? words
			: is_pci
			? "there is no such PCI device, or none that is bound to a driver "
			  "of DPDK's such as vfio-pci"
			: "its driver refused it and gave no reason; are its arguments right, such as "
			  "iface=eth1?");
}

static int open_named(const char *device, uint16_t mtu, struct rte_mempool *pool,
	struct dp_source **ret_source, struct dp_err *reterr)
{
	static const struct dp_source_ops ops = {
		.poll = port_poll, .stats = port_stats, .close = port_close};
	char name[RTE_ETH_NAME_MAX_LEN];
	struct source_port *s;
	uint16_t id;
	int r;

	// What stands before the first comma is the EAL's name of it.
	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(device, ","), device);
	if (rte_eth_dev_get_port_by_name(name, &id) != 0)
		return refuse_unknown(device, name, reterr);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return dp_fail(reterr, ENOMEM, "cannot open port '%s': %m", device);
	s->base = (struct dp_source){.ops = &ops, .self = s, .link = DP_LINK_ETHERNET};
	s->port_id = id;
	r = setup(s, device, mtu, pool, reterr);
	if (r < 0) {
		port_close(&s->base);
		return r;
	}
	*ret_source = &s->base;
	return 0;
}

int dp_source_port_open(const char *device, uint16_t mtu, struct rte_mempool *pool,
	struct dp_source **ret_source, struct dp_err *reterr)
{
	struct dp_err err = {0};
	const int r = open_named(device, mtu, pool, ret_source, &err);

	if (r < 0 && !may_capture())
		return dp_fail(reterr, -r,
			"%.400s; a port takes root, or CAP_NET_RAW and CAP_NET_ADMIN", err.text);
	return r < 0 ? dp_fail(reterr, -r, "%s", err.text) : 0;
}
