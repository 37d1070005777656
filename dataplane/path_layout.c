// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/path_state.h"

#include <rte_mbuf.h>

enum {
	POOL_CACHE = DP_POOL_CACHE * 3 / 2, // a pool lets a thread keep half as many again
	WIDE_CACHE = DP_WIDE_CACHE * 3 / 2,
	POOL_SPARE = 4096,
	CAPTURE_SPARE = 256, // a reader waits; each frame here is a page fault of every start
};

enum dp_spread dp_path_spread(const struct dp_path_config *c, size_t port)
{
	if (c->captures != NULL || c->ports[port].has_thread || c->ports[port].is_offloaded)
		return DP_SPREAD_RECEIVER;
	return c->ports[port].spread;
}

bool dp_path_port_has_thread(const struct dp_path_config *c, size_t port)
{
	if (c->captures == NULL && c->ports[port].has_thread)
		return true;
	return c->n_workers > 1 && dp_path_spread(c, port) != DP_SPREAD_DEVICE;
}

static size_t n_sources(const struct dp_path_config *c)
{
	return c->captures != NULL ? 1 : c->n_ports;
}

unsigned int dp_path_lcores(const struct dp_path_config *c)
{
	unsigned int n = c->n_workers;

	for (size_t i = 0; i < n_sources(c); i++)
		n += dp_path_port_has_thread(c, i);
	return n;
}

/* With other inputs beside it, one that stands at the end of a tick fills up until they stand there too,
 * and its worker can do nothing about it. */
struct dp_path_shape dp_path_shape(const struct dp_path_config *c, size_t port, uint16_t n_queues)
{
	const bool is_pair = n_queues > 1 || !dp_path_port_has_thread(c, port);
	const unsigned int queue_len = is_pair && n_sources(c) == 1 ? DP_PAIR_QUEUE_LEN
								    : DP_QUEUE_LEN;

	return (struct dp_path_shape){
		.is_pair = is_pair,
		.n_queues = n_queues,
		.queue_len = queue_len,
		.n_wide = queue_len / 4,
	};
}

/* What a port's shape holds at most, in its driver and on the way to workers. */
static size_t n_frames_of(const struct dp_path_config *c, size_t port, uint16_t n_queues)
{
	const struct dp_path_shape s = dp_path_shape(c, port, n_queues);
	const size_t in_driver = c->captures != NULL ? 0 : DP_PORT_DESCRIPTORS;

	return n_queues * in_driver + c->n_workers * ((size_t)s.queue_len + 2 * DP_BURST);
}

static size_t n_wide_of(const struct dp_path_config *c, size_t port, uint16_t n_queues)
{
	return n_queues * (size_t)dp_path_shape(c, port, n_queues).n_wide;
}

/* Of the larger one, where only the device will say whether it spreads. */
static size_t sum(const struct dp_path_config *c,
	size_t (*of)(const struct dp_path_config *c, size_t port, uint16_t n_queues))
{
	size_t n = 0;

	for (size_t i = 0; i < n_sources(c); i++) {
		const enum dp_spread spread = dp_path_spread(c, i);
		const size_t by_device = spread != DP_SPREAD_RECEIVER ? of(c, i, c->n_workers) : 0;
		const size_t by_receiver = spread != DP_SPREAD_DEVICE ? of(c, i, 1) : 0;

		n += RTE_MAX(by_device, by_receiver);
	}
	return n;
}

/* So many that all queues can fill up while drivers still have what they ask for: a queue that is
 * full is then counted as such, and costs its worker's packets only. */
unsigned int dp_path_n_mbufs(const struct dp_path_config *c)
{
	const unsigned int spare = c->captures != NULL ? CAPTURE_SPARE : POOL_SPARE;

	return (unsigned int)(sum(c, n_frames_of) + (size_t)dp_path_lcores(c) * POOL_CACHE + spare +
		c->n_frames_kept);
}

unsigned int dp_path_n_wide(const struct dp_path_config *c)
{
	return (unsigned int)(sum(c, n_wide_of) + (size_t)dp_path_lcores(c) * WIDE_CACHE);
}

uint16_t dp_path_frame_room(const struct dp_path_config *c)
{
	uint16_t room = c->frame_room;

	if (room == 0)
		room = c->captures != NULL && c->offload == NULL ? DP_SOURCE_FILE_ROOM
								 : RTE_MBUF_DEFAULT_DATAROOM;
	return room + RTE_PKTMBUF_HEADROOM;
}

static size_t pool_bytes(unsigned int n, size_t room)
{
	return n * (sizeof(struct rte_mbuf) + DP_PRIV_BYTES + room + 128);
}

size_t dp_path_pool_bytes(const struct dp_path_config *c)
{
	return pool_bytes(dp_path_n_mbufs(c), dp_path_frame_room(c)) +
		pool_bytes(dp_path_n_wide(c), DP_WIDE_ROOM);
}
