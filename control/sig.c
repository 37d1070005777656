// SPDX-License-Identifier: BSD-3-Clause
#include "control/sig.h"

#include "control/gtpv1c.h"
#include "control/gtpv2c.h"
#include "control/pfcp.h"
#include "control/radius.h"
#include "dataplane/signalling.h"

const char *const ctl_sig_proto_names[CTL_SIG_PROTO_COUNT] = {
	[CTL_SIG_RADIUS] = "radius",
	[CTL_SIG_GTPV1C] = "gtpv1c",
	[CTL_SIG_GTPV2C] = "gtpv2c",
	[CTL_SIG_PFCP] = "pfcp",
};

const char *ctl_sig_rat_name(uint8_t rat)
{
	// TS 29.274 8.17; 51 to 57 of TS 29.061 16.4.7.2
	static const char *const names[] = {[1] = "utran",
		[2] = "geran",
		[3] = "wlan",
		[4] = "gan",
		[5] = "hspa",
		[6] = "eutran",
		[7] = "virtual",
		[8] = "nb-iot",
		[9] = "lte-m",
		[10] = "nr",
		[51] = "nr"};

	return rat < sizeof(names) / sizeof(names[0]) ? names[rat] : NULL;
}

static size_t read_port(uint16_t port, const uint8_t *payload, size_t len, struct ctl_sig *ret_sig)
{
	switch (port) {
	case DP_PORT_RADIUS_ACCOUNTING:
	case DP_PORT_RADIUS_ACCOUNTING_OLD:
		return ctl_radius_read(payload, len, ret_sig);
	case DP_PORT_PFCP:
		return ctl_pfcp_read(payload, len, ret_sig);
	case DP_PORT_GTPC:
		return len > 0 && payload[0] >> 5 == 2 ? ctl_gtpv2c_read(payload, len, ret_sig)
						       : ctl_gtpv1c_read(payload, len, ret_sig);
	default:
		return 0;
	}
}

int ctl_sig_read(const uint8_t *payload, size_t len, uint16_t sport, uint16_t dport,
	struct ctl_sig *ret_sig, size_t *ret_len)
{
	*ret_len = read_port(dport, payload, len, ret_sig);
	if (*ret_len == 0)
		*ret_len = read_port(sport, payload, len, ret_sig);
	return *ret_len > 0 ? 0 : -1;
}
