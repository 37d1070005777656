// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/tunnel_shapes.h"

#include "tests/unit/frame_l2.h"
#include "tests/unit/frame_tunnel.h"
#include "tests/unit/walk_check.h"

#include <netinet/in.h>

// Of IPv6 one side is a Teredo client each: a Teredo tunnel carries nobody else.
const char TUNNEL_V4[2][16] = {"10.0.0.7", "203.0.113.9"};
const char TUNNEL_V6[2][32] = {"fd00:1:2:3::5", "2001:0:c000:201::9"};
const char TUNNEL_OUTER_V4[2][16] = {"192.0.2.1", "198.51.100.1"};
const char TUNNEL_OUTER_V6[2][32] = {"2001:db8:1::1", "2001:0:c000:202::1"};

/* Of a tunnel's side: a network, key or session of its own. */
static const uint16_t IDS[2] = {0x0111, 0x0222};

void tunnel_inside(struct frame *f, int from, bool is_v6)
{
	frame_put(frame_new(f), "hello", 5);
	frame_udp(f, from == 0 ? 50000 : 53, from == 0 ? 53 : 50000);
	if (is_v6)
		frame_ipv6(f, IPPROTO_UDP, TUNNEL_V6[from], TUNNEL_V6[!from]);
	else
		frame_ipv4(f, IPPROTO_UDP, TUNNEL_V4[from], TUNNEL_V4[!from]);
}

void tunnel_build(const struct tunnel_shape *s, struct frame *f, int from, bool is_v6)
{
	tunnel_inside(f, from, is_v6);
	s->wrap(f, from);
}

bool tunnel_is_around(const struct tunnel_shape *s, bool is_v6)
{
	return (s->around & (is_v6 ? TUNNEL_AROUND_V6 : TUNNEL_AROUND_V4)) != 0;
}

/* --- what carries ----------------------------------------------------------------------------- */

static void in_v4(struct frame *f, int from, uint8_t proto)
{
	frame_ipv4(f, proto, TUNNEL_OUTER_V4[from], TUNNEL_OUTER_V4[!from]);
}

static void in_v6(struct frame *f, int from, uint8_t proto)
{
	frame_ipv6(f, proto, TUNNEL_OUTER_V6[from], TUNNEL_OUTER_V6[!from]);
}

static void in_udp(struct frame *f, int from, uint16_t sport, uint16_t dport)
{
	frame_udp(f, sport, dport);
	in_v4(f, from, IPPROTO_UDP);
}

static void in_ethernet(struct frame *f)
{
	frame_ethernet(f, frame_ip_type(f));
}

static void in_tagged_ethernet(struct frame *f)
{
	frame_tag(f, frame_ip_type(f), 7);
	frame_ethernet(f, 0x8100);
}

static void in_ppp(struct frame *f, bool is_short)
{
	frame_ppp(f, frame_ip_type(f) == 0x0800 ? 0x0021 : 0x0057, is_short);
}

/* --- IP in IP --------------------------------------------------------------------------------- */

static uint8_t ip_protocol(struct frame *f)
{
	return frame_ip_type(f) == 0x0800 ? IPPROTO_IPIP : IPPROTO_IPV6;
}

static void ip_in_ipv4(struct frame *f, int from)
{
	in_v4(f, from, ip_protocol(f));
}

static void ip_in_ipv4_with_options(struct frame *f, int from)
{
	frame_ipv4_with(f, ip_protocol(f), TUNNEL_OUTER_V4[from], TUNNEL_OUTER_V4[!from], 0, 10);
}

static void ip_in_ipv6(struct frame *f, int from)
{
	in_v6(f, from, ip_protocol(f));
}

/* RFC 2473 4.1.1: the encapsulation limit is a destination option. */
static void ip_in_limited_ipv6(struct frame *f, int from)
{
	uint8_t *h = frame_ipv6_ext(f, ip_protocol(f), 0);

	h[2] = 4;
	h[3] = 1;
	h[4] = 4;
	frame_ipv6_ext(f, IPPROTO_DSTOPTS, 1);
	in_v6(f, from, IPPROTO_HOPOPTS);
}

/* --- GRE, ERSPAN ------------------------------------------------------------------------------ */

static void gre(struct frame *f, int from)
{
	frame_gre(f, 0, frame_ip_type(f), 0);
	in_v4(f, from, IPPROTO_GRE);
}

static void gre_with_all_fields(struct frame *f, int from)
{
	frame_gre(f, GRE_CHECKSUM | GRE_KEY | GRE_SEQUENCE, frame_ip_type(f), IDS[from]);
	in_v4(f, from, IPPROTO_GRE);
}

static void gre_in_ipv6(struct frame *f, int from)
{
	frame_gre(f, GRE_KEY, frame_ip_type(f), IDS[from]);
	frame_ipv6_ext(f, IPPROTO_GRE, 0);
	in_v6(f, from, IPPROTO_DSTOPTS);
}

static void gre_ethernet(struct frame *f, int from)
{
	in_ethernet(f);
	frame_gre(f, GRE_CHECKSUM, 0x6558, 0);
	in_v4(f, from, IPPROTO_GRE);
}

static void nvgre(struct frame *f, int from)
{
	in_tagged_ethernet(f);
	frame_gre(f, GRE_KEY, 0x6558, (uint32_t)IDS[from] << 8);
	in_v4(f, from, IPPROTO_GRE);
}

static void gre_label(struct frame *f, int from)
{
	frame_label(f, IDS[from], true);
	frame_label(f, 16, false);
	frame_gre(f, 0, 0x8847, 0);
	in_v4(f, from, IPPROTO_GRE);
}

static void gre_ppp(struct frame *f, int from)
{
	in_ppp(f, false);
	frame_gre(f, GRE_KEY, 0x880b, IDS[from]);
	in_v4(f, from, IPPROTO_GRE);
}

static void pptp(struct frame *f, int from)
{
	in_ppp(f, false);
	frame_hdlc(f);
	frame_pptp(f, GRE_SEQUENCE, IDS[from]);
	in_v4(f, from, IPPROTO_GRE);
}

static void pptp_with_acknowledgement(struct frame *f, int from)
{
	in_ppp(f, true);
	frame_pptp(f, GRE_SEQUENCE | GRE_ACK, IDS[from]);
	in_v4(f, from, IPPROTO_GRE);
}

static void erspan1(struct frame *f, int from)
{
	in_ethernet(f);
	frame_gre(f, 0, 0x88be, 0);
	in_v4(f, from, IPPROTO_GRE);
}

static void erspan2(struct frame *f, int from)
{
	in_tagged_ethernet(f);
	frame_erspan2(f, IDS[from]);
	frame_gre(f, GRE_SEQUENCE, 0x88be, 0);
	in_v4(f, from, IPPROTO_GRE);
}

static void erspan3(struct frame *f, int from)
{
	in_ethernet(f);
	frame_erspan3(f, IDS[from], 0, false);
	frame_gre(f, GRE_SEQUENCE, 0x22eb, 0);
	in_v4(f, from, IPPROTO_GRE);
}

static void erspan3_with_subheader(struct frame *f, int from)
{
	in_ethernet(f);
	frame_erspan3(f, IDS[from], 0, true);
	frame_gre(f, GRE_SEQUENCE | GRE_KEY, 0x22eb, 0);
	in_v4(f, from, IPPROTO_GRE);
}

static void erspan3_ip(struct frame *f, int from)
{
	frame_erspan3(f, IDS[from], 2, true);
	frame_gre(f, 0, 0x22eb, 0);
	in_v4(f, from, IPPROTO_GRE);
}

/* --- in UDP ----------------------------------------------------------------------------------- */

static void vxlan(struct frame *f, int from)
{
	in_ethernet(f);
	frame_vxlan(f, IDS[from]);
	in_udp(f, from, 40000, 4789);
}

static void vxlan_of_linux(struct frame *f, int from)
{
	in_tagged_ethernet(f);
	frame_vxlan(f, IDS[from]);
	frame_udp(f, 40000, 8472);
	in_v6(f, from, IPPROTO_UDP);
}

static void vxlan_with_a_policy(struct frame *f, int from)
{
	in_ethernet(f);
	memcpy(frame_vxlan(f, IDS[from]), "\x88\x48\xff\xff", 4); // reserved in RFC 7348
	in_udp(f, from, 40000, 4789);
}

static void geneve(struct frame *f, int from)
{
	frame_geneve(f, frame_ip_type(f), IDS[from], 0);
	in_udp(f, from, 40000, 6081);
}

static void geneve_ethernet(struct frame *f, int from)
{
	in_ethernet(f);
	frame_geneve(f, 0x6558, IDS[from], 63)[1] = 0x40; // with a critical option
	in_udp(f, from, 40000, 6081);
}

static void geneve_label(struct frame *f, int from)
{
	frame_label(f, IDS[from], true);
	frame_geneve(f, 0x8847, 1, 2);
	in_udp(f, from, 40000, 6081);
}

static void teredo(struct frame *f, int from)
{
	in_udp(f, from, from == 0 ? 40000 : 3544, from == 0 ? 3544 : 40000);
}

static void teredo_origin(struct frame *f, int from)
{
	frame_teredo_origin(f);
	teredo(f, from);
}

static void teredo_authentication(struct frame *f, int from)
{
	frame_teredo_authentication(f, 0, 0);
	teredo(f, from);
}

static void teredo_all(struct frame *f, int from)
{
	frame_teredo_origin(f);
	frame_teredo_authentication(f, 3, 20);
	teredo(f, from);
}

static void l2tp(struct frame *f, int from)
{
	in_ppp(f, false);
	frame_hdlc(f);
	frame_l2tp(f, 0, IDS[from], 0);
	in_udp(f, from, 1701, 1701);
}

/* RFC 2661 8.1: the port of the side that began may be any. */
static void l2tp_with_all_fields(struct frame *f, int from)
{
	in_ppp(f, true);
	frame_l2tp(f, L2TP_LENGTH | L2TP_SEQUENCE | L2TP_OFFSET, IDS[from], 5);
	in_udp(f, from, from == 0 ? 40000 : 1701, from == 0 ? 1701 : 40000);
}

static void gtpu(struct frame *f, int from)
{
	frame_gtpu(f, IDS[from], 0);
	in_udp(f, from, 2152, 2152);
}

static void gtpu_with_extensions(struct frame *f, int from)
{
	frame_gtpu(f, IDS[from], 8);
	in_udp(f, from, from == 0 ? 40000 : 2152, from == 0 ? 2152 : 40000);
}

static void gtpu_with_sequence(struct frame *f, int from)
{
	frame_gtpu_numbered(f, IDS[from], 0x02);
	frame_udp(f, 2152, 2152);
	in_v6(f, from, IPPROTO_UDP);
}

static void gtpu_with_n_pdu(struct frame *f, int from)
{
	frame_gtpu_numbered(f, IDS[from], 0x01);
	in_udp(f, from, 2152, 2152);
}

#define E(name) WALK_ENCAP(name)
#define V4 TUNNEL_AROUND_V4
#define V6 TUNNEL_AROUND_V6
#define BOTH TUNNEL_AROUND_BOTH

const struct tunnel_shape tunnel_shapes[] = {
	{"IPv4 in IPv4", ip_in_ipv4, E(IPIP), V4},
	{"IPv6 in IPv4", ip_in_ipv4, E(6IN4), V6},
	{"IPv4 in IPv4 with options", ip_in_ipv4_with_options, E(IPIP), V4},
	{"IPv4 in IPv6", ip_in_ipv6, E(4IN6), V4},
	{"IPv6 in IPv6", ip_in_ipv6, E(6IN6), V6},
	{"IPv4 in IPv6 with a limit", ip_in_limited_ipv6, E(4IN6), V4},
	{"IPv6 in IPv6 with a limit", ip_in_limited_ipv6, E(6IN6), V6},
	{"GRE", gre, E(GRE), BOTH},
	{"GRE with all fields", gre_with_all_fields, E(GRE), BOTH},
	{"GRE in IPv6", gre_in_ipv6, E(GRE), BOTH},
	{"GRE with Ethernet", gre_ethernet, E(GRE), BOTH},
	{"NVGRE with a tag", nvgre, E(GRE) | E(VLAN), BOTH},
	{"GRE with labels", gre_label, E(GRE) | E(MPLS), BOTH},
	{"GRE with PPP", gre_ppp, E(GRE) | E(PPP), BOTH},
	{"PPTP", pptp, E(GRE) | E(PPP), BOTH},
	{"PPTP with acknowledgement", pptp_with_acknowledgement, E(GRE) | E(PPP), BOTH},
	{"ERSPAN I", erspan1, E(GRE) | E(ERSPAN), BOTH},
	{"ERSPAN II with a tag", erspan2, E(GRE) | E(ERSPAN) | E(VLAN), BOTH},
	{"ERSPAN III", erspan3, E(GRE) | E(ERSPAN), BOTH},
	{"ERSPAN III with subheader", erspan3_with_subheader, E(GRE) | E(ERSPAN), BOTH},
	{"ERSPAN III with IP", erspan3_ip, E(GRE) | E(ERSPAN), BOTH},
	{"VXLAN", vxlan, E(VXLAN), BOTH, {40000, 4789}, true},
	{"VXLAN of Linux in IPv6", vxlan_of_linux, E(VXLAN) | E(VLAN), BOTH, {40000, 8472}, true},
	{"VXLAN with a policy", vxlan_with_a_policy, E(VXLAN), BOTH, {40000, 4789}, true},
	{"GENEVE", geneve, E(GENEVE), BOTH, {40000, 6081}, true},
	{"GENEVE with Ethernet, options", geneve_ethernet, E(GENEVE), BOTH, {40000, 6081}, true},
	{"GENEVE with a label", geneve_label, E(GENEVE) | E(MPLS), BOTH, {40000, 6081}, true},
	{"Teredo", teredo, E(TEREDO), V6, {40000, 3544}, true},
	{"Teredo with origin", teredo_origin, E(TEREDO), V6, {40000, 3544}, true},
	{"Teredo with authentication", teredo_authentication, E(TEREDO), V6, {40000, 3544}, true},
	{"Teredo with both", teredo_all, E(TEREDO), V6, {40000, 3544}, true},
	{"L2TP", l2tp, E(L2TP) | E(PPP), BOTH, {1701, 1701}, true},
	{"L2TP with all fields", l2tp_with_all_fields, E(L2TP) | E(PPP), BOTH, {40000, 1701}, true},
	{"GTP-U", gtpu, E(GTPU), BOTH, {2152, 2152}, true},
	{"GTP-U with extensions", gtpu_with_extensions, E(GTPU), BOTH, {40000, 2152}, true},
	{"GTP-U with a sequence in IPv6", gtpu_with_sequence, E(GTPU), BOTH, {2152, 2152}, true},
	{"GTP-U with an N-PDU", gtpu_with_n_pdu, E(GTPU), BOTH, {2152, 2152}, true},
};

const size_t n_tunnel_shapes = sizeof(tunnel_shapes) / sizeof(tunnel_shapes[0]);

const struct tunnel_shape *tunnel_named(const char *name)
{
	size_t i = 0;

	while (strcmp(tunnel_shapes[i].name, name) != 0) {
		i++;
		assert(i < n_tunnel_shapes);
	}
	return &tunnel_shapes[i];
}
