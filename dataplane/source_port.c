// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/source.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <stdlib.h>

struct source_port {
	struct dp_source base;
	uint16_t port_id;
	bool is_started;
};

static enum dp_poll port_poll(
	struct dp_source *base, struct rte_mbuf **mbufs, uint16_t max, uint16_t *ret_n)
{
	const struct source_port *s = (const struct source_port *)base;

	*ret_n = rte_eth_rx_burst(s->port_id, 0, mbufs, max);
	for (uint16_t i = 0; i < *ret_n; i++) {
		struct dp_pkt *p = rte_mbuf_to_priv(mbufs[i]);

		p->wire_bytes = mbufs[i]->pkt_len;
	}
	return DP_POLL_MORE;
}

static void port_stats(const struct dp_source *base, struct dp_source_stats *ret_stats)
{
	const struct source_port *s = (const struct source_port *)base;
	struct rte_eth_stats st;

	*ret_stats = (struct dp_source_stats){0};
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

/* Some drivers (net_tap, net_af_xdp) create their queues in pairs and refuse to start without the
 * other one. It is set up there and never used. */
static int pair_queue(uint16_t port_id, const struct rte_eth_dev_info *info)
{
	return rte_eth_tx_queue_setup(
		port_id, 0, 0, (unsigned int)rte_eth_dev_socket_id(port_id), &info->default_txconf);
}

static bool needs_pairs(const struct rte_eth_dev_info *info)
{
	return strcmp(info->driver_name, "net_tap") == 0 ||
		strcmp(info->driver_name, "net_af_xdp") == 0;
}

/* The largest MTU whose frames fit one mbuf. The usual 1500 is not enough on a core link, where a
 * tunnel's headers come on top (3GPP TS 29.281: 36 to 56 bytes): a NIC drops what is longer. Larger
 * frames would need chains, which costs drivers their vector path. */
static uint16_t mtu_of(const struct rte_eth_dev_info *info)
{
	const bool is_known = info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu;
	const uint32_t header_len = is_known ? info->max_rx_pktlen - info->max_mtu
					     : RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
	const uint32_t most = RTE_MIN(info->max_rx_pktlen, RTE_MBUF_DEFAULT_DATAROOM);
	const uint32_t need = header_len + 2 * RTE_VLAN_HLEN; // drivers reckon with two tags

	return (uint16_t)RTE_MIN(most > need ? most - need : 0, info->max_mtu);
}

static int configure(uint16_t port_id, uint16_t n_pairs, const struct rte_eth_dev_info *info)
{
	struct rte_eth_conf conf = {.rxmode = {.mtu = mtu_of(info)}};

	if (conf.rxmode.mtu > RTE_ETHER_MTU &&
		rte_eth_dev_configure(port_id, 1, n_pairs, &conf) == 0)
		return 0;
	conf.rxmode.mtu = 0; // what the driver has
	return rte_eth_dev_configure(port_id, 1, n_pairs, &conf);
}

static int setup(
	struct source_port *s, const char *name, struct rte_mempool *pool, struct dp_err *reterr)
{
	const uint16_t id = s->port_id;
	struct rte_eth_dev_info info;
	uint16_t n_rx = DP_PORT_DESCRIPTORS, n_tx = 512;
	int r = rte_eth_dev_info_get(id, &info);

	if (r < 0)
		return dp_fail(reterr, -r, "cannot ask port '%s' what it can do: %m", name);

	const uint16_t n_pairs = needs_pairs(&info) ? 1 : 0;

	r = configure(id, n_pairs, &info);
	if (r == 0)
		r = rte_eth_dev_adjust_nb_rx_tx_desc(id, &n_rx, &n_tx);
	if (r < 0)
		return dp_fail(reterr, -r, "cannot configure port '%s' (driver %s): %m", name,
			info.driver_name);
	r = rte_eth_rx_queue_setup(
		id, 0, n_rx, (unsigned int)rte_eth_dev_socket_id(id), NULL, pool);
	if (r == 0 && n_pairs > 0)
		r = pair_queue(id, &info);
	if (r < 0)
		return dp_fail(reterr, -r, "cannot set up the queue of port '%s' (driver %s): %m",
			name, info.driver_name);
	r = rte_eth_dev_start(id);
	if (r < 0)
		return dp_fail(reterr, -r,
			"cannot start port '%s' (driver %s): %m; is it in use by another program?",
			name, info.driver_name);
	s->is_started = true;
	r = rte_eth_promiscuous_enable(id);
	if (r < 0 && r != -ENOTSUP) // a driver without the notion delivers everything
		return dp_fail(reterr, -r, "cannot make port '%s' promiscuous: %m", name);
	return 0;
}

int dp_source_port_open(uint16_t port_id, const char *name, struct rte_mempool *pool,
	struct dp_source **ret_source, struct dp_err *reterr)
{
	static const struct dp_source_ops ops = {
		.poll = port_poll, .stats = port_stats, .close = port_close};
	struct source_port *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return dp_fail(reterr, ENOMEM, "cannot open port '%s': %m", name);
	s->base = (struct dp_source){.ops = &ops, .self = s, .link = DP_LINK_ETHERNET};
	s->port_id = port_id;
	r = setup(s, name, pool, reterr);
	if (r < 0) {
		port_close(&s->base);
		return r;
	}
	*ret_source = &s->base;
	return 0;
}
