// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/capture.h"

#include <pcap/pcap.h>

enum {
	LINKTYPE_RAW = 101, // pcap-linktype(7): DLT_RAW in a file, where it is 12 or 14 too
	LINKTYPE_RAW_OPENBSD = 14,
};

const char dp_capture_links_expected[] =
	"expected Ethernet, raw IP, Linux cooked, PPP, PPPoE, Cisco HDLC, BSD loopback or "
	"IEEE 802.11";

bool dp_capture_link_of(int link_type, enum dp_link *ret_link)
{
	static const struct {
		int link_type;
		enum dp_link link;
	} known[] = {
		{DLT_EN10MB, DP_LINK_ETHERNET},
		{DLT_RAW, DP_LINK_RAW_IP},
		{LINKTYPE_RAW, DP_LINK_RAW_IP},
		{LINKTYPE_RAW_OPENBSD, DP_LINK_RAW_IP},
		{DLT_IPV4, DP_LINK_RAW_IP},
		{DLT_IPV6, DP_LINK_RAW_IP},
		{DLT_LINUX_SLL, DP_LINK_SLL},
		{DLT_LINUX_SLL2, DP_LINK_SLL2},
		{DLT_PPP, DP_LINK_PPP},
		{DLT_PPP_SERIAL, DP_LINK_PPP_HDLC},
		{DLT_PPP_ETHER, DP_LINK_PPPOE},
		{DLT_C_HDLC, DP_LINK_CHDLC},
		{DLT_NULL, DP_LINK_NULL},
		{DLT_LOOP, DP_LINK_NULL},
		{DLT_IEEE802_11, DP_LINK_WLAN},
		{DLT_IEEE802_11_RADIO, DP_LINK_RADIOTAP},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].link_type == link_type) {
			*ret_link = known[i].link;
			return true;
		}
	}
	return false;
}

uint32_t dp_capture_link_type(enum dp_link link)
{
	static const uint32_t types[DP_LINK_COUNT] = {
		[DP_LINK_ETHERNET] = DLT_EN10MB,
		[DP_LINK_RAW_IP] = LINKTYPE_RAW,
		[DP_LINK_SLL] = DLT_LINUX_SLL,
		[DP_LINK_SLL2] = DLT_LINUX_SLL2,
		[DP_LINK_PPP] = DLT_PPP,
		[DP_LINK_PPP_HDLC] = DLT_PPP_SERIAL,
		[DP_LINK_PPPOE] = DLT_PPP_ETHER,
		[DP_LINK_NULL] = DLT_NULL,
		[DP_LINK_CHDLC] = DLT_C_HDLC,
		[DP_LINK_WLAN] = DLT_IEEE802_11,
		[DP_LINK_RADIOTAP] = DLT_IEEE802_11_RADIO,
	};

	return types[link];
}

const char *dp_capture_link_name(int link_type)
{
	const char *name = pcap_datalink_val_to_name(link_type);

	return name != NULL ? name : "unknown";
}
