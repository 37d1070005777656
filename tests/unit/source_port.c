// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/eal.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <rte_ethdev.h>
#include <rte_ring.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	GTPU_MTU = 1500 + 56, // inner packet, IPv6 outside with an extension header
	JUMBO_MTU = 9000,
	JUMBO = 5000, // bytes of a frame that no mbuf holds
	ETHERTYPE_TEST = 0x88b5, // IEEE 802, local experiments
};

static struct rte_mempool *pool;
static char capture[] = "/tmp/wirecue_source_port_XXXXXX";
static bool has_namespace;

static void write_capture(int fd)
{
	static uint8_t frame[JUMBO];
	const struct pcap_pkthdr h = {.caplen = JUMBO, .len = JUMBO};
	pcap_t *p = pcap_open_dead(DLT_EN10MB, UINT16_MAX);
	pcap_dumper_t *out = pcap_dump_fopen(p, fdopen(fd, "we"));

	for (unsigned int i = 0; i < JUMBO; i++)
		frame[i] = (uint8_t)i;
	pcap_dump((uint8_t *)out, &h, frame);
	pcap_dump_close(out);
	pcap_close(p);
}

static int start(void **)
{
	static char with_capture[64 + sizeof(capture)];
	static char with_two[64 + 2 * sizeof(capture)];
	static const char *devices[] = {"net_null0", "net_null1", "net_null2", "net_null3",
		"net_ring0", "net_ring1", "net_ring2", "net_ring3", with_capture, with_two, NULL,
		NULL};
	struct dp_err err = {0};

	write_capture(mkstemp(capture));
	(void)snprintf(with_capture, sizeof(with_capture), "net_pcap0,rx_pcap=%s", capture);
	(void)snprintf(
		with_two, sizeof(with_two), "net_pcap1,rx_pcap=%s,rx_pcap=%s", capture, capture);
	has_namespace = unshare(CLONE_NEWNET) == 0; // takes root; gone with the process
	if (has_namespace)
		devices[10] = "net_tap0,iface=wctest0";
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
	(void)unlink(capture);
	rte_mempool_free(pool);
	dp_eal_stop();
	return 0;
}

static struct dp_source *open_port(const char *device, uint16_t mtu)
{
	const struct dp_port_config config = {.device = device, .mtu = mtu, .n_workers = 1};
	struct dp_source *source = NULL;
	struct dp_err err = {0};
	uint16_t n;

	if (dp_source_port_open(&config, pool, &source, &n, &err) < 0)
		fail_msg("%s", err.text);
	return source;
}

static int refused(const char *device, uint16_t mtu, struct dp_err *reterr)
{
	const struct dp_port_config config = {.device = device, .mtu = mtu, .n_workers = 1};
	struct dp_source *source;
	uint16_t n;

	return dp_source_port_open(&config, pool, &source, &n, reterr);
}

static struct rte_eth_rxmode rxmode_of(const char *device)
{
	struct rte_eth_conf conf;
	uint16_t id;

	assert_int_equal(rte_eth_dev_get_port_by_name(device, &id), 0);
	assert_int_equal(rte_eth_dev_conf_get(id, &conf), 0);
	return conf.rxmode;
}

/* The next frame; owned by the caller. */
static struct rte_mbuf *poll_one(struct dp_source *source)
{
	struct rte_mbuf *m = NULL;
	uint16_t n = 0;

	while (n == 0)
		assert_int_equal(source->ops->poll(source, &m, 1, &n), DP_POLL_MORE);
	return m;
}

static uint32_t wire_bytes(struct rte_mbuf *m)
{
	return ((const struct dp_pkt *)rte_mbuf_to_priv(m))->wire_bytes;
}

/* --- mtu -------------------------------------------------------------------------------------- */

static void a_port_takes_frames_with_a_tunnel_around_a_full_packet(void **)
{
	struct dp_source *source = open_port("net_null0", 0);
	const struct rte_eth_rxmode rxmode = rxmode_of("net_null0");

	assert_in_range(rxmode.mtu, GTPU_MTU, RTE_MBUF_DEFAULT_DATAROOM);
	// No VLAN_STRIP, TCP_LRO or KEEP_CRC: frames are what was on the wire.
	assert_int_equal(rxmode.offloads, 0);
	dp_source_close(source);
}

static void an_mtu_that_fits_one_buffer_is_taken_as_it_is(void **)
{
	struct dp_source *source = open_port("net_null1", 1600);

	assert_int_equal(rxmode_of("net_null1").mtu, 1600);
	assert_int_equal(rxmode_of("net_null1").offloads, 0);
	dp_source_close(source);
}

static void an_mtu_that_the_driver_cannot_take_is_refused_with_what_it_can(void **)
{
	struct dp_err err = {0};

	assert_int_equal(refused("net_null2", JUMBO_MTU, &err), -EINVAL);
	assert_non_null(strstr(err.text, "'net_null2' for an mtu of 9000: driver net_null does"));
	assert_non_null(strstr(err.text, "expected at most 2022"));
}

static void an_mtu_below_what_ethernet_has_is_refused(void **)
{
	struct dp_err err = {0};

	assert_int_equal(refused("net_ring2", 40, &err), -EINVAL);
	assert_non_null(strstr(err.text, "an mtu of 40: driver net_ring takes 46 to 65535"));
}

/* Into the ring of a net_ring port, as a driver would receive it. */
static void inject(const char *ring, struct rte_mbuf *m)
{
	struct rte_ring *r = rte_ring_lookup(ring);

	assert_non_null(r);
	assert_int_equal(rte_ring_enqueue(r, m), 0);
}

static void a_longer_mtu_takes_frames_as_chains(void **)
{
	struct dp_source *source = open_port("net_ring0", JUMBO_MTU);
	struct rte_mbuf *head = rte_pktmbuf_alloc(pool), *tail = rte_pktmbuf_alloc(pool);

	assert_int_equal(rxmode_of("net_ring0").mtu, JUMBO_MTU);
	assert_int_equal(rxmode_of("net_ring0").offloads, RTE_ETH_RX_OFFLOAD_SCATTER);
	assert_non_null(rte_pktmbuf_append(head, 2000));
	assert_non_null(rte_pktmbuf_append(tail, 1000));
	assert_int_equal(rte_pktmbuf_chain(head, tail), 0);
	inject("ETH_RXTX0_net_ring0", head);

	struct rte_mbuf *m = poll_one(source);

	assert_int_equal(wire_bytes(m), 3000);
	assert_int_equal(m->data_len, 2000);
	rte_pktmbuf_free(m);
	dp_source_close(source);
}

static void a_driver_that_makes_chains_unasked_takes_any_mtu(void **)
{
	struct dp_source *source = open_port("net_pcap0", JUMBO_MTU);
	struct rte_mbuf *m = poll_one(source);

	assert_int_equal(wire_bytes(m), JUMBO);
	assert_true(m->nb_segs > 1);
	rte_pktmbuf_free(m);
	dp_source_close(source);
}

/* To the kernel's side of the tap port. */
static void send_jumbo(const char *ifname)
{
	static uint8_t frame[JUMBO] = {2, [12] = ETHERTYPE_TEST >> 8, [13] = ETHERTYPE_TEST & 0xff};
	const struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(ifname)};
	const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_mtu = JUMBO_MTU};

	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	assert_int_equal(ioctl(fd, SIOCSIFMTU, &ifr), 0);
	assert_int_equal(
		sendto(fd, frame, JUMBO, 0, (const struct sockaddr *)&to, sizeof(to)), JUMBO);
	(void)close(fd);
}

static void a_tap_port_takes_what_its_interface_sends(void **)
{
	if (!has_namespace)
		skip();

	struct dp_source *source = open_port("net_tap0", JUMBO_MTU);
	struct rte_mbuf *m;

	send_jumbo("wctest0");
	for (m = poll_one(source); m->pkt_len != JUMBO; m = poll_one(source))
		rte_pktmbuf_free(m); // what the kernel says of its own
	assert_int_equal(wire_bytes(m), JUMBO);
	assert_int_equal(rte_pktmbuf_mtod(m, const uint8_t *)[12], ETHERTYPE_TEST >> 8);
	rte_pktmbuf_free(m);
	dp_source_close(source);
}

/* --- tags ------------------------------------------------------------------------------------- */

static struct rte_mbuf *untagged(uint64_t ol_flags)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, 60);

	memset(frame, 0, 60);
	frame[12] = 0x08;
	m->ol_flags = ol_flags;
	m->vlan_tci = 0x6064;
	return m;
}

static void a_tag_that_the_driver_took_out_goes_back_once(void **)
{
	static const uint8_t tag[] = {0x81, 0, 0x60, 0x64, 0x08, 0};
	struct dp_source *source = open_port("net_ring1", 0);
	struct rte_mbuf *m;

	inject("ETH_RXTX0_net_ring1", untagged(RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED));
	m = poll_one(source);
	assert_int_equal(wire_bytes(m), 64);
	assert_int_equal(m->pkt_len, 64);
	assert_memory_equal(rte_pktmbuf_mtod_offset(m, const uint8_t *, 12), tag, sizeof(tag));
	rte_pktmbuf_free(m);

	inject("ETH_RXTX0_net_ring1", untagged(RTE_MBUF_F_RX_VLAN)); // seen, and left in place
	m = poll_one(source);
	assert_int_equal(wire_bytes(m), 60);
	assert_int_equal(rte_pktmbuf_mtod(m, const uint8_t *)[12], 0x08);
	rte_pktmbuf_free(m);
	dp_source_close(source);
}

/* --- queues ----------------------------------------------------------------------------------- */

static void a_device_without_a_queue_for_each_worker_is_refused(void **)
{
	const struct dp_port_config config = {
		.device = "net_ring3", .spread = DP_SPREAD_DEVICE, .n_workers = 17};
	struct dp_source *sources[17];
	struct dp_err err = {0};
	uint16_t n;

	assert_int_equal(dp_source_port_open(&config, pool, sources, &n, &err), -EINVAL);
	assert_non_null(strstr(err.text,
		"'net_ring3' over 17 workers by its device: driver net_ring "
		"has 16 receive queues there"));
	assert_non_null(strstr(err.text, "spread: receiver"));
}

static void queues_that_nobody_would_read_are_refused(void **)
{
	const struct dp_port_config config = {.device = "net_pcap1", .n_workers = 1};
	struct dp_source *source;
	struct dp_err err = {0};
	uint16_t n;

	assert_int_equal(dp_source_port_open(&config, pool, &source, &n, &err), -EINVAL);
	assert_non_null(strstr(err.text,
		"has 2 receive queues there and 1 would be polled, "
		"expected spread: device with 2 workers"));
}

/* It claims hash types, and has no hash in any frame. */
static void a_claim_alone_does_not_make_a_device_spread(void **)
{
	const struct dp_port_config config = {.device = "net_null3", .n_workers = 4};
	struct dp_source *sources[4];
	struct dp_err err = {0};
	uint16_t n;

	if (dp_source_port_open(&config, pool, sources, &n, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(n, 1);
	dp_source_close(sources[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_takes_frames_with_a_tunnel_around_a_full_packet),
		cmocka_unit_test(an_mtu_that_fits_one_buffer_is_taken_as_it_is),
		cmocka_unit_test(an_mtu_that_the_driver_cannot_take_is_refused_with_what_it_can),
		cmocka_unit_test(an_mtu_below_what_ethernet_has_is_refused),
		cmocka_unit_test(a_longer_mtu_takes_frames_as_chains),
		cmocka_unit_test(a_driver_that_makes_chains_unasked_takes_any_mtu),
		cmocka_unit_test(a_tap_port_takes_what_its_interface_sends),
		cmocka_unit_test(a_device_without_a_queue_for_each_worker_is_refused),
		cmocka_unit_test(queues_that_nobody_would_read_are_refused),
		cmocka_unit_test(a_claim_alone_does_not_make_a_device_spread),
		cmocka_unit_test(a_tag_that_the_driver_took_out_goes_back_once),
	};

	return cmocka_run_group_tests_name("source_port", tests, start, stop);
}
