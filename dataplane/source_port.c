// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/eal.h"
#include "dataplane/source.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A port and its queues. Queues are polled by different threads and share nothing that changes. */
struct port {
	uint16_t port_id;
	bool is_started;
	uint16_t n_open; // queues; the last one closes the port. Control's thread only
};

struct source_port {
	struct dp_source base;
	struct port *port;
	uint16_t port_id, queue;
};

/* What a port is set up as. */
struct plan {
	uint16_t port_id, n_queues;
	bool is_hashed; // the device spreads by a hash that we ask for
	struct rte_eth_dev_info info;
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

	*ret_n = rte_eth_rx_burst(s->port_id, s->queue, mbufs, max);
	for (uint16_t i = 0; i < *ret_n; i++) {
		struct dp_pkt *p = rte_mbuf_to_priv(mbufs[i]);

		mbufs[i] = with_tag(mbufs[i]);
		p->wire_bytes = mbufs[i]->pkt_len;
		p->handed = 0;
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

	*ret_stats = (struct dp_source_stats){0};
	if (s->queue > 0)
		return; // all of it stands with the first
	ret_stats->is_link_down = is_link_down(s->port_id);
	if (rte_eth_stats_get(s->port_id, &st) != 0)
		return;
	ret_stats->lost = st.imissed + st.ierrors + st.rx_nombuf;
	ret_stats->received = st.ipackets;
}

static void close_port(struct port *port)
{
	if (port->is_started)
		(void)rte_eth_dev_stop(port->port_id); // closing anyway
	(void)rte_eth_dev_close(port->port_id);
	free(port);
}

static void port_close(struct dp_source *base)
{
	struct source_port *s = (struct source_port *)base;

	if (--s->port->n_open == 0)
		close_port(s->port);
	free(s);
}

static bool is_driver(const struct rte_eth_dev_info *info, const char *name)
{
	return strcmp(info->driver_name, name) == 0;
}

/* Some drivers (net_tap, net_af_xdp) create their queues in pairs and refuse to start without the
 * other one. It is set up there and never used. */
static int pair_queue(uint16_t port_id, uint16_t queue, const struct rte_eth_dev_info *info)
{
	return rte_eth_tx_queue_setup(port_id, queue, 0,
		(unsigned int)rte_eth_dev_socket_id(port_id), &info->default_txconf);
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

/* Nothing but SCATTER and a hash is ever asked for: tags stay in the frame, segments are not merged, and
 * the frame's check sequence is no part of its length. */
static int configure(const struct plan *p, struct rte_eth_rxmode rxmode)
{
	struct rte_eth_conf conf = {.rxmode = rxmode};

	if (p->is_hashed)
		dp_spread_configure(&p->info, &conf);
	return rte_eth_dev_configure(
		p->port_id, p->n_queues, needs_pairs(&p->info) ? p->n_queues : 0, &conf);
}

static int configure_largest(const struct plan *p)
{
	const uint16_t mtu = mtu_of_one(&p->info);

	if (mtu > RTE_ETHER_MTU && configure(p, (struct rte_eth_rxmode){.mtu = mtu}) == 0)
		return 0;
	return configure(p, (struct rte_eth_rxmode){0}); // what the driver has
}

/* Drivers whose queues are there before we ask, each with its part of the frames. */
static bool is_split(const struct rte_eth_dev_info *info)
{
	return is_driver(info, "net_pcap") || is_driver(info, "net_af_packet") ||
		is_driver(info, "net_af_xdp");
}

/* How many queues, and who spreads. Returns 0, or -EINVAL with a sentence. */
static int plan_queues(const struct dp_port_config *c, struct plan *p, struct dp_err *reterr)
{
	const uint16_t n = c->n_workers, max = p->info.max_rx_queues;
	const bool is_offered = c->spread == DP_SPREAD_AUTO && dp_spread_offered(&p->info, n);

	p->n_queues = c->spread == DP_SPREAD_DEVICE || is_offered ? n : 1;
	p->is_hashed = p->n_queues > 1 && dp_spread_hashes(&p->info, n);
	if (p->n_queues > max)
		return dp_fail(reterr, EINVAL,
			"cannot spread port '%s' over %u workers by its device: driver %s has %u "
			"receive queues there, expected as many (rx_pcap=, qpairs=, queue_count=), "
			"fewer workers, or spread: receiver",
			c->device, n, p->info.driver_name, max);
	if (p->n_queues < max && is_split(&p->info))
		return dp_fail(reterr, EINVAL,
			"cannot read all of port '%s': driver %s has %u receive queues there and "
			"%u would be polled, expected spread: device with %u workers, or one queue",
			c->device, p->info.driver_name, max, p->n_queues, max);
	return 0;
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

static int setup_queues(const struct plan *p, struct rte_mempool *pool)
{
	const unsigned int socket = (unsigned int)rte_eth_dev_socket_id(p->port_id);
	uint16_t n_rx = DP_PORT_DESCRIPTORS, n_tx = 512;
	int r = rte_eth_dev_adjust_nb_rx_tx_desc(p->port_id, &n_rx, &n_tx);

	for (uint16_t i = 0; r == 0 && i < p->n_queues; i++) {
		r = rte_eth_rx_queue_setup(p->port_id, i, n_rx, socket, NULL, pool);
		if (r == 0 && needs_pairs(&p->info))
			r = pair_queue(p->port_id, i, &p->info);
	}
	return r;
}

static int start(struct port *port, const struct dp_port_config *c, const struct plan *p,
	size_t mark, struct dp_err *reterr)
{
	int r = rte_eth_dev_start(p->port_id);

	if (r < 0)
		return refuse(reterr, -r, mark,
			"cannot start port '%s'; is it in use by another program?", c->device);
	port->is_started = true;
	r = rte_eth_promiscuous_enable(p->port_id);
	if (r < 0 && r != -ENOTSUP) // a driver without the notion delivers everything
		return refuse(reterr, -r, mark, "cannot make port '%s' promiscuous", c->device);
	r = p->is_hashed ? dp_spread_deal(p->port_id, &p->info, p->n_queues) : 0;
	if (r < 0)
		return refuse(reterr, -r, mark,
			"cannot deal out the queues of port '%s'; spread: receiver does without",
			c->device);
	return 0;
}

static int setup(struct port *port, const struct dp_port_config *c, struct rte_mempool *pool,
	uint16_t *ret_n_queues, struct dp_err *reterr)
{
	struct rte_eth_rxmode rxmode = {0};
	struct plan p = {.port_id = port->port_id};
	const size_t mark = dp_eal_mark();
	int r = rte_eth_dev_info_get(p.port_id, &p.info);

	if (r < 0)
		return refuse(reterr, -r, mark, "cannot ask port '%s' what it can do", c->device);
	r = plan_queues(c, &p, reterr);
	if (r == 0 && c->mtu > 0)
		r = plan_mtu(c->device, c->mtu, &p.info, &rxmode, reterr);
	if (r < 0)
		return r;
	r = c->mtu > 0 ? configure(&p, rxmode) : configure_largest(&p);
	if (r < 0)
		return refuse(reterr, -r, mark, "cannot configure port '%s'", c->device);
	r = setup_queues(&p, pool);
	if (r < 0)
		return refuse(reterr, -r, mark, "cannot set up the queues of port '%s'", c->device);
	*ret_n_queues = p.n_queues;
	return start(port, c, &p, mark, reterr);
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

/* A source for each queue. Returns 0, or -ENOMEM with none of them open and the port closed. */
static int open_queues(struct port *port, uint16_t n, struct dp_source **ret_sources)
{
	static const struct dp_source_ops ops = {
		.poll = port_poll, .stats = port_stats, .close = port_close};

	port->n_open = 1; // ours, until all are there
	for (uint16_t i = 0; i < n; i++) {
		struct source_port *s = calloc(1, sizeof(*s));

		if (s == NULL) {
			while (i-- > 0)
				dp_source_close(ret_sources[i]);
			close_port(port);
			return -ENOMEM;
		}
		*s = (struct source_port){
			.base = {.ops = &ops, .self = s, .link = DP_LINK_ETHERNET},
			.port = port,
			.port_id = port->port_id,
			.queue = i};
		ret_sources[i] = &s->base;
		port->n_open++;
	}
	port->n_open--;
	return 0;
}

static int open_named(const struct dp_port_config *c, struct rte_mempool *pool,
	struct dp_source **ret_sources, uint16_t *ret_n, struct dp_err *reterr)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	struct port *port;
	uint16_t id, n = 0;
	int r;

	// What stands before the first comma is the EAL's name of it.
	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(c->device, ","), c->device);
	if (rte_eth_dev_get_port_by_name(name, &id) != 0)
		return refuse_unknown(c->device, name, reterr);
	port = calloc(1, sizeof(*port));
	if (port == NULL)
		return dp_fail(reterr, ENOMEM, "cannot open port '%s': %m", c->device);
	port->port_id = id;
	r = setup(port, c, pool, &n, reterr);
	if (r < 0) {
		close_port(port);
		return r;
	}
	if (open_queues(port, n, ret_sources) < 0)
		return dp_fail(reterr, ENOMEM, "cannot open port '%s': %m", c->device);
	*ret_n = n;
	return 0;
}

int dp_source_port_open(const struct dp_port_config *config, struct rte_mempool *pool,
	struct dp_source **ret_sources, uint16_t *ret_n, struct dp_err *reterr)
{
	struct dp_err err = {0};
	const int r = open_named(config, pool, ret_sources, ret_n, &err);

	if (r < 0 && !may_capture())
		return dp_fail(reterr, -r,
			"%.400s; a port takes root, or CAP_NET_RAW and CAP_NET_ADMIN", err.text);
	return r < 0 ? dp_fail(reterr, -r, "%s", err.text) : 0;
}
