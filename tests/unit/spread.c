// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/spread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <rte_ethdev.h>
#include <rte_thash.h>

static const uint64_t BOTH = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6;

/* What a NIC says that can all of it: cnxk, mlx5 and their like. */
static struct rte_eth_dev_info able(void)
{
	return (struct rte_eth_dev_info){.flow_type_rss_offloads = BOTH | RTE_ETH_RSS_FRAG_IPV4 |
			RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_LEVEL_MASK,
		.rx_offload_capa = RTE_ETH_RX_OFFLOAD_RSS_HASH,
		.hash_key_size = 40,
		.reta_size = 128,
		.max_rx_queues = 16};
}

static void a_device_spreads_only_when_it_can_all_of_it(void **)
{
	struct rte_eth_dev_info info = able();

	assert_true(dp_spread_offered(&info, 16));
	info.hash_key_size = 52;
	assert_true(dp_spread_offered(&info, 16));
	info.hash_key_size = 0;
	assert_false(dp_spread_hashes(&info, 16));
	info = able();
	info.flow_type_rss_offloads &= ~RTE_ETH_RSS_IPV6;
	assert_false(dp_spread_hashes(&info, 16));
	info = able();
	info.rx_offload_capa =
		0; // net_null and net_pcap: they claim types, and no frame has a hash
	assert_false(dp_spread_hashes(&info, 16));
	info = able();
	info.reta_size = 0;
	assert_false(dp_spread_hashes(&info, 16));
	info = able();
	assert_false(dp_spread_hashes(&info, 17));
}

/* All of a tunnel would be one worker's. */
static void a_hash_of_outer_addresses_is_the_operator_s_choice(void **)
{
	struct rte_eth_dev_info info = able();

	info.flow_type_rss_offloads &= ~RTE_ETH_RSS_LEVEL_MASK;
	assert_true(dp_spread_hashes(&info, 4));
	assert_false(dp_spread_offered(&info, 4));
	info.flow_type_rss_offloads |= RTE_ETH_RSS_LEVEL_OUTERMOST;
	assert_false(dp_spread_offered(&info, 4));
}

static void only_what_is_offered_is_asked_for_and_no_port_is_hashed(void **)
{
	struct rte_eth_dev_info info = able();
	struct rte_eth_conf conf = {0};

	dp_spread_configure(&info, &conf);
	assert_int_equal(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_RSS);
	assert_int_equal(conf.rxmode.offloads, RTE_ETH_RX_OFFLOAD_RSS_HASH);
	assert_int_equal(conf.rx_adv_conf.rss_conf.rss_hf,
		BOTH | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_LEVEL_INNERMOST);
	assert_int_equal(conf.rx_adv_conf.rss_conf.rss_key_len, 40);
}

/* As a NIC reckons it (Toeplitz, in software by DPDK's library). */
static void both_directions_of_a_pair_have_one_hash(void **)
{
	struct rte_eth_dev_info info = able();
	struct rte_eth_conf conf = {0};
	uint32_t there[8], back[8];
	const uint8_t *key;

	info.hash_key_size = 52;
	dp_spread_configure(&info, &conf);
	key = conf.rx_adv_conf.rss_conf.rss_key;
	for (uint32_t i = 0; i < 8; i++) {
		there[i] = 0x0a000001 * (i + 1);
		back[(i + 4) % 8] = there[i];
	}
	assert_int_equal(rte_softrss(there, 8, key), rte_softrss(back, 8, key)); // IPv6
	back[0] = there[1];
	back[1] = there[0];
	assert_int_equal(rte_softrss(there, 2, key), rte_softrss(back, 2, key)); // IPv4
	there[1]++;
	assert_int_not_equal(rte_softrss(there, 2, key), rte_softrss(back, 2, key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_spreads_only_when_it_can_all_of_it),
		cmocka_unit_test(a_hash_of_outer_addresses_is_the_operator_s_choice),
		cmocka_unit_test(only_what_is_offered_is_asked_for_and_no_port_is_hashed),
		cmocka_unit_test(both_directions_of_a_pair_have_one_hash),
	};

	return cmocka_run_group_tests_name("spread", tests, NULL, NULL);
}
