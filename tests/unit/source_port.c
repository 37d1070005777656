// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/eal.h"

#include <rte_ethdev.h>

enum { GTPU_MTU = 1500 + 56 }; // inner packet, IPv6 outside with an extension header

static struct rte_mempool *pool;

static int start(void **)
{
	static const char *const devices[] = {"net_null0", NULL};
	struct dp_err err = {0};

	if (dp_eal_start(&(struct dp_eal_config){.devices = devices, .pool_bytes = 32 << 20},
		    &err) < 0) {
		print_error("%s\n", err.text);
		return -1;
	}
	pool = rte_pktmbuf_pool_create("frames", 8191, 0,
		RTE_ALIGN_CEIL(sizeof(struct dp_pkt), RTE_MBUF_PRIV_ALIGN),
		RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	return pool != NULL ? 0 : -1;
}

static int stop(void **)
{
	rte_mempool_free(pool);
	dp_eal_stop();
	return 0;
}

static void a_port_takes_frames_with_a_tunnel_around_a_full_packet(void **)
{
	struct dp_source *source;
	struct dp_err err = {0};
	uint16_t id, mtu = 0;

	assert_int_equal(rte_eth_dev_get_port_by_name("net_null0", &id), 0);
	if (dp_source_port_open("net_null0", 0, pool, &source, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(rte_eth_dev_get_mtu(id, &mtu), 0);
	assert_in_range(mtu, GTPU_MTU, RTE_MBUF_DEFAULT_DATAROOM);
	dp_source_close(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_takes_frames_with_a_tunnel_around_a_full_packet),
	};

	return cmocka_run_group_tests_name("source_port", tests, start, stop);
}
