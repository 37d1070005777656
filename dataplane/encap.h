// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The encapsulations that are opened, and why one was not: rows of the ledger. */

#include "dataplane/outcome.h"

#include <assert.h>
#include <stdint.h>

#define DP_ENCAPS(X) \
	X(VLAN, "vlan", "IEEE 802.1Q and 802.1ad tags") \
	X(LLC, "llc", "IEEE 802.2 LLC and SNAP") \
	X(WLAN, "wlan", "IEEE 802.11 data, with or without radiotap") \
	X(MPLS, "mpls", "MPLS labels, RFC 3032") \
	X(PSEUDOWIRE, "pseudowire", "Ethernet over MPLS, RFC 4448") \
	X(PPPOE, "pppoe", "PPPoE session, RFC 2516") \
	X(PPP, "ppp", "PPP, RFC 1661 and 1662") \
	X(IPIP, "ipip", "IPv4 in IPv4, RFC 2003") \
	X(6IN4, "6in4", "IPv6 in IPv4, RFC 4213") \
	X(4IN6, "4in6", "IPv4 in IPv6, RFC 2473") \
	X(6IN6, "6in6", "IPv6 in IPv6, RFC 2473") \
	X(GRE, "gre", "GRE, RFC 2784, 2890, 7637 and 2637") \
	X(ERSPAN, "erspan", "ERSPAN I, II and III") \
	X(L2TP, "l2tp", "L2TPv2 data, RFC 2661") \
	X(VXLAN, "vxlan", "VXLAN, RFC 7348") \
	X(GENEVE, "geneve", "GENEVE, RFC 8926") \
	X(TEREDO, "teredo", "Teredo, RFC 4380") \
	X(GTPU, "gtpu", "GTP-U T-PDU, 3GPP TS 29.281")

#define DP_ENCAP_ENUM(id, name, help) DP_ENCAP_##id,
enum dp_encap { DP_ENCAPS(DP_ENCAP_ENUM) DP_ENCAP_COUNT };
#undef DP_ENCAP_ENUM

static_assert(DP_ENCAP_COUNT <= 32, "a set of them is a uint32_t");

#define DP_REFUSALS(X) \
	X(NOT_USER_DATA, "not_user_data", \
		"signalling of the tunnel itself: echo, end marker, control") \
	X(NOT_IP, "not_ip", "no IP packet inside") \
	X(TRUNCATED, "truncated", "the captured bytes end inside its header") \
	X(MALFORMED, "malformed", "its header contradicts itself or what carries it") \
	X(UNSUPPORTED, "unsupported", \
		"a version, an option or a protocol inside that is not opened") \
	X(TOO_DEEP, "too_deep", "more layers than any operator stacks")

#define DP_REFUSAL_ENUM(id, name, help) DP_REFUSAL_##id,
enum dp_refusal { DP_REFUSALS(DP_REFUSAL_ENUM) DP_REFUSAL_COUNT };
#undef DP_REFUSAL_ENUM

extern const char *const dp_encap_names[DP_ENCAP_COUNT];
extern const char *const dp_encap_help[DP_ENCAP_COUNT];
extern const char *const dp_refusal_names[DP_REFUSAL_COUNT];
extern const char *const dp_refusal_help[DP_REFUSAL_COUNT];

/* One receiver's. A frame counts once in each encapsulation around its packet, and in at most one
 * refusal: that of the layer where the walk ended. */
struct dp_encap_counters {
	dp_counter opened[DP_ENCAP_COUNT];
	dp_counter refused[DP_ENCAP_COUNT][DP_REFUSAL_COUNT];
};
