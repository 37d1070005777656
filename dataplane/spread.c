// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/spread.h"

#include <rte_ethdev.h>

enum { KEY_BYTES = 40, LONG_KEY_BYTES = 52 };

// Both directions of a pair have one hash with it: Woo and Park, "Scalable TCP Session Monitoring with
// Symmetric Receive-side Scaling", 2012. (The driver does not write to it.)
static uint8_t symmetric_key[LONG_KEY_BYTES] = {0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
	0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d,
	0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
	0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a};

static const uint64_t ADDRESSES = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6;

bool dp_spread_hashes(const struct rte_eth_dev_info *info, uint16_t n_queues)
{
	return (info->flow_type_rss_offloads & ADDRESSES) == ADDRESSES &&
		(info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH) != 0 &&
		(info->hash_key_size == KEY_BYTES || info->hash_key_size == LONG_KEY_BYTES) &&
		info->reta_size >= n_queues && info->max_rx_queues >= n_queues;
}

bool dp_spread_offered(const struct rte_eth_dev_info *info, uint16_t n_queues)
{
	return dp_spread_hashes(info, n_queues) &&
		(info->flow_type_rss_offloads & RTE_ETH_RSS_LEVEL_INNERMOST) != 0;
}

void dp_spread_configure(const struct rte_eth_dev_info *info, struct rte_eth_conf *ret_conf)
{
	// Fragments and what is neither TCP nor UDP where the driver has names of their own for them.
	const uint64_t also = RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_FRAG_IPV6 |
		RTE_ETH_RSS_NONFRAG_IPV4_OTHER | RTE_ETH_RSS_NONFRAG_IPV6_OTHER |
		RTE_ETH_RSS_IPV6_EX | RTE_ETH_RSS_LEVEL_INNERMOST;

	ret_conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	ret_conf->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_RSS_HASH;
	ret_conf->rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){.rss_key = symmetric_key,
		.rss_key_len = info->hash_key_size,
		.rss_hf = info->flow_type_rss_offloads & (ADDRESSES | also)};
}

int dp_spread_deal(uint16_t port_id, const struct rte_eth_dev_info *info, uint16_t n_queues)
{
	struct rte_eth_rss_reta_entry64 table[RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE] =
		{0};

	if (info->reta_size > RTE_ETH_RSS_RETA_SIZE_512)
		return 0; // dealt out by the driver: rte_eth_dev_configure() promises as much
	for (uint16_t i = 0; i < info->reta_size; i++) {
		struct rte_eth_rss_reta_entry64 *group = &table[i / RTE_ETH_RETA_GROUP_SIZE];

		group->mask |= UINT64_C(1) << i % RTE_ETH_RETA_GROUP_SIZE;
		group->reta[i % RTE_ETH_RETA_GROUP_SIZE] = i % n_queues;
	}
	return rte_eth_dev_rss_reta_update(port_id, table, info->reta_size);
}
