// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What one message of signalling says of a subscriber's session, whichever protocol it is.
 *
 * Readers (gtpv1c.h, gtpv2c.h, pfcp.h, radius.h) make one of a payload; sig_sessions.h makes sessions of many.
 * Input is hostile: a reader looks at no byte outside of what it was given, takes what is sound and leaves
 * the rest. Texts are printable ASCII, NUL-terminated, "" when the message does not say. Pure, any thread. */

#include "dataplane/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ctl_sig_proto {
	CTL_SIG_RADIUS,
	CTL_SIG_GTPV1C,
	CTL_SIG_GTPV2C,
	CTL_SIG_PFCP,
	CTL_SIG_PROTO_COUNT
};
extern const char *const ctl_sig_proto_names[CTL_SIG_PROTO_COUNT];

enum ctl_sig_kind {
	CTL_SIG_OTHER, // says nothing of a session
	CTL_SIG_CREATE,
	CTL_SIG_UPDATE,
	CTL_SIG_DELETE,
	CTL_SIG_RESTART, // the sender has lost, or ends, all sessions it had
};

enum {
	CTL_SIG_DIGITS = 17, // IMSI, MSISDN and IMEI: 16 digits at most
	CTL_SIG_TEXT = 128,
	CTL_SIG_ULI = 96,
	CTL_SIG_TEIDS_MAX = 16,
};

/* A tunnel's end, or a session's on the control plane: valid where addr's side gave it out. */
struct ctl_sig_end {
	uint64_t id; // TEID (32 bits) or SEID
	struct dp_addr addr;
};

struct ctl_sig {
	uint8_t proto; // enum ctl_sig_proto
	uint8_t kind; // enum ctl_sig_kind
	bool is_answer; // of GTP and PFCP; RADIUS has none that matters
	bool is_accepted; // an answer: the cause says so
	uint8_t cause;
	bool has_seq;
	bool is_leg_only; // a delete of one hop's: the session itself may live on (TS 29.274 7.2.9.1, OI)
	bool is_backbone; // told on S5/S8, where the session itself is known (TS 29.274 8.22, types 6 and 7)
	uint8_t nsapi; // of GTPv1-C: which of the contexts of one control TEID
	bool has_nsapi;
	bool is_teardown; // of a GTPv1-C delete: all contexts of the address
	uint32_t seq;
	uint64_t header_id; // TEID or SEID of the header: the receiver's; 0 where there is none yet
	uint32_t delay_s; // how long ago it happened (RFC 2866 5.2)

	uint8_t n_ends; // control plane: [0] the sender's own, [1] another node's behind it
	struct ctl_sig_end ends[2];
	uint8_t n_teids;
	struct ctl_sig_end teids[CTL_SIG_TEIDS_MAX]; // user plane

	bool has_ipv4, has_ipv6;
	struct dp_addr ipv4, ipv6; // of the subscriber; ipv6: a prefix, the rest 0
	uint8_t ipv6_len; // bits

	char imsi[CTL_SIG_DIGITS], msisdn[CTL_SIG_DIGITS], imei[CTL_SIG_DIGITS]; // digits
	char account[CTL_SIG_TEXT]; // RADIUS User-Name
	char session[CTL_SIG_TEXT]; // RADIUS Acct-Session-Id
	char apn[CTL_SIG_TEXT];
	char uli[CTL_SIG_ULI]; // "tai:26201-4660,ecgi:26201-305419": see sig_fields.h
	char mcc_mnc[7]; // serving network
	uint8_t rat; // as TS 29.274 8.17, and of NR as TS 29.061 16.4.7.2; 0: not said
};

/* In words; NULL where there are none. */
const char *ctl_sig_rat_name(uint8_t rat);

/* What the message at port sport or dport is; its first bytes tell GTP's versions apart. Returns 0, or -1
 * when no reader takes it. *ret_len: bytes of this message; more may follow (GTPv2-C piggybacks). */
[[nodiscard]] int ctl_sig_read(const uint8_t *payload, size_t len, uint16_t sport, uint16_t dport,
	struct ctl_sig *ret_sig, size_t *ret_len);
