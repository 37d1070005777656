// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Who spreads a port's packets over the workers.
 *
 * A receiver hashes the endpoint, so that one endpoint has one worker, and hands on by ring. A device
 * spreads what it knows, pairs of addresses or flows, over receive queues; each worker polls its own and
 * no packet changes the thread. One endpoint then has several workers, and control adds up. */

#include <stdbool.h>
#include <stdint.h>

enum dp_spread {
	DP_SPREAD_AUTO, // the device where dp_spread_offered(), else the receiver
	DP_SPREAD_DEVICE, // somebody has seen to it that each queue gets whole flows
	DP_SPREAD_RECEIVER,
	DP_SPREAD_COUNT,
};

struct rte_eth_conf;
struct rte_eth_dev_info;

/* Whether the device says that it can spread packets over n_queues by a symmetric hash of their addresses:
 * Toeplitz with a key of ours, told with each frame. Addresses only: fragments have no ports, and they
 * belong to the rest of their flow. */
bool dp_spread_hashes(const struct rte_eth_dev_info *info, uint16_t n_queues);

/* And that of tunnels it takes the innermost ones. */
bool dp_spread_offered(const struct rte_eth_dev_info *info, uint16_t n_queues);

/* Ask for that, of innermost addresses if they are offered. What it borrows in *ret_conf lives as long as the process. */
void dp_spread_configure(const struct rte_eth_dev_info *info, struct rte_eth_conf *ret_conf);

/* Deal the queues out over the started device's table. Returns 0 or what the driver says. */
[[nodiscard]] int dp_spread_deal(
	uint16_t port_id, const struct rte_eth_dev_info *info, uint16_t n_queues);
