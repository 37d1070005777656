// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Fields that the protocols of signalling share, from hostile bytes. Pure, any thread. */

#include "control/sig.h"

static inline uint16_t ctl_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t ctl_be24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static inline uint32_t ctl_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | ctl_be24(p + 1);
}

static inline uint64_t ctl_be64(const uint8_t *p)
{
	return (uint64_t)ctl_be32(p) << 32 | ctl_be32(p + 4);
}

/* TBCD (3GPP TS 29.002, TBCD-STRING): the lower half first, 0xf ends. Anything but digits makes it "". */
void ctl_sig_tbcd(const uint8_t *p, size_t len, char ret_digits[CTL_SIG_DIGITS]);

/* Digits in ASCII, a leading '+' is left out; "" unless there are min to 16 digits and nothing else. */
void ctl_sig_digits(const uint8_t *p, size_t len, size_t min, char ret_digits[CTL_SIG_DIGITS]);

/* Printable ASCII, others become '?', cut to fit. A NUL ends it. */
void ctl_sig_text(const uint8_t *p, size_t len, char ret_text[CTL_SIG_TEXT]);

/* Labels with their lengths before them (RFC 1035 3.1 without the root), joined by dots. A label that
 * does not fit ends it. */
void ctl_sig_apn(const uint8_t *p, size_t len, char ret_text[CTL_SIG_TEXT]);

/* MCC and MNC of three bytes (TS 24.008 10.5.1.13); "" when they are no digits. */
void ctl_sig_plmn(const uint8_t p[3], char ret_mcc_mnc[7]);

/* Append a place: "kind:MCCMNC-area[-cell]", numbers in decimal, parts joined by commas. Unsound ones, and
 * those that do not fit, are left out. */
enum ctl_sig_place {
	CTL_SIG_CGI,
	CTL_SIG_SAI,
	CTL_SIG_RAI,
	CTL_SIG_TAI,
	CTL_SIG_ECGI,
	CTL_SIG_NCGI
};
/* Bytes of a place on the wire. */
size_t ctl_sig_place_len(enum ctl_sig_place place);
void ctl_sig_add_place(const uint8_t *p, enum ctl_sig_place place, char uli[CTL_SIG_ULI]);

void ctl_sig_ipv4(const uint8_t p[4], struct dp_addr *ret_addr);

/* The session's address: 0.0.0.0 and :: (to be given later) are none. len: bits of the prefix; bits behind
 * it are cleared. */
void ctl_sig_ue_ipv4(const uint8_t p[4], struct ctl_sig *sig);
void ctl_sig_ue_ipv6(const uint8_t *p, size_t n_bytes, uint8_t len, struct ctl_sig *sig);

/* Nothing happens where there is no room: the first ones are the ones that count. */
void ctl_sig_add_teid(struct ctl_sig *sig, uint64_t id, const struct dp_addr *addr);
