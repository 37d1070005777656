// SPDX-License-Identifier: BSD-3-Clause
#include "control/radius.h"

#include "control/sig_fields.h"

enum {
	HEADER = 20, // RFC 2865 3
	ACCOUNTING_REQUEST = 4, // RFC 2866 4.1
	ACCOUNTING_RESPONSE = 5,
	VENDOR_3GPP = 10415,
	MSISDN_MIN = 7, // shorter ones are extensions
	MAX_DELAY_S = 3600, // more is no delay but a clock; start value
};

enum attribute {
	USER_NAME = 1,
	FRAMED_IP_ADDRESS = 8,
	VENDOR_SPECIFIC = 26,
	CALLED_STATION_ID = 30,
	CALLING_STATION_ID = 31,
	ACCT_STATUS_TYPE = 40,
	ACCT_DELAY_TIME = 41,
	ACCT_SESSION_ID = 44,
	FRAMED_IPV6_PREFIX = 97,
	DELEGATED_IPV6_PREFIX = 123,
};

/* TS 29.061 16.4.7.2. */
enum attribute_3gpp {
	TGPP_IMSI = 1,
	TGPP_SGSN_MCC_MNC = 18,
	TGPP_IMEISV = 20,
	TGPP_RAT_TYPE = 21,
	TGPP_ULI = 22,
};

struct attribute_at {
	uint8_t type, len; // of the value
	const uint8_t *value;
};

/* Of a packet and of the 3GPP's vendor attributes: type, length with both bytes, value. */
static bool next(const uint8_t **p, const uint8_t *end, struct attribute_at *ret)
{
	if (end - *p < 2 || (*p)[1] < 2 || end - *p < (*p)[1])
		return false;
	ret->type = (*p)[0];
	ret->len = (uint8_t)((*p)[1] - 2);
	ret->value = *p + 2;
	*p = ret->value + ret->len;
	return true;
}

/* TS 29.061, 3GPP-User-Location-Info: a type, then as TS 29.274 8.21 codes it. */
static void read_uli(const struct attribute_at *a, char uli[CTL_SIG_ULI])
{
	enum { CGI = 0, SAI = 1, RAI = 2, TAI = 128, ECGI = 129, TAI_ECGI = 130, NCGI = 135 };
	static const struct {
		uint8_t type;
		uint8_t n;
		enum ctl_sig_place places[2];
	} kinds[] = {{CGI, 1, {CTL_SIG_CGI}}, {SAI, 1, {CTL_SIG_SAI}}, {RAI, 1, {CTL_SIG_RAI}},
		{TAI, 1, {CTL_SIG_TAI}}, {ECGI, 1, {CTL_SIG_ECGI}},
		{TAI_ECGI, 2, {CTL_SIG_TAI, CTL_SIG_ECGI}}, {NCGI, 1, {CTL_SIG_NCGI}}};
	size_t off = 1;

	uli[0] = '\0';
	for (size_t i = 0; a->len > 0 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].type != a->value[0])
			continue;
		for (size_t k = 0; k < kinds[i].n; k++) {
			const size_t len = ctl_sig_place_len(kinds[i].places[k]);

			if (a->len - off < len)
				return;
			ctl_sig_add_place(a->value + off, kinds[i].places[k], uli);
			off += len;
		}
	}
}

static void read_3gpp(const struct attribute_at *a, struct ctl_sig *sig)
{
	switch (a->type) {
	case TGPP_IMSI:
		ctl_sig_digits(a->value, a->len, 6, sig->imsi);
		break;
	case TGPP_SGSN_MCC_MNC: {
		char digits[CTL_SIG_DIGITS];

		ctl_sig_digits(a->value, a->len, 5, digits);
		if (strlen(digits) < sizeof(sig->mcc_mnc))
			memcpy(sig->mcc_mnc, digits, strlen(digits) + 1);
		break;
	}
	case TGPP_IMEISV:
		ctl_sig_digits(a->value, a->len, 14, sig->imei);
		break;
	case TGPP_RAT_TYPE:
		sig->rat = a->len >= 1 ? a->value[0] : 0;
		break;
	case TGPP_ULI:
		read_uli(a, sig->uli);
		break;
	default:
		break;
	}
}

static void read_vendor(const struct attribute_at *a, struct ctl_sig *sig)
{
	const uint8_t *p = a->value + 4, *end = a->value + a->len;
	struct attribute_at inner;

	if (a->len < 4 || ctl_be32(a->value) != VENDOR_3GPP)
		return;
	while (next(&p, end, &inner))
		read_3gpp(&inner, sig);
}

/* RFC 3162 2.3: reserved, length, as many bytes as it takes. */
static void read_prefix(const struct attribute_at *a, struct ctl_sig *sig)
{
	if (a->len >= 2 && a->len <= 18)
		ctl_sig_ue_ipv6(a->value + 2, a->len - 2U, a->value[1], sig);
}

/* RFC 2866 5.1. */
static enum ctl_sig_kind kind_of(uint32_t status)
{
	enum { START = 1, STOP = 2, INTERIM = 3, ON = 7, OFF = 8 };

	switch (status) {
	case START:
		return CTL_SIG_CREATE;
	case STOP:
		return CTL_SIG_DELETE;
	case INTERIM:
		return CTL_SIG_UPDATE;
	case ON:
	case OFF:
		return CTL_SIG_RESTART;
	default:
		return CTL_SIG_OTHER;
	}
}

static void read_attribute(const struct attribute_at *a, struct ctl_sig *sig)
{
	switch (a->type) {
	case USER_NAME:
		ctl_sig_text(a->value, a->len, sig->account);
		break;
	case FRAMED_IP_ADDRESS: // RFC 2865 5.8: 255.255.255.255 and ...254 are requests
		if (a->len == 4 && ctl_be32(a->value) < 0xfffffffe)
			ctl_sig_ue_ipv4(a->value, sig);
		break;
	case CALLED_STATION_ID:
		ctl_sig_text(a->value, a->len, sig->apn);
		break;
	case CALLING_STATION_ID: // fixed lines have the MAC here
		ctl_sig_digits(a->value, a->len, MSISDN_MIN, sig->msisdn);
		break;
	case ACCT_STATUS_TYPE:
		if (a->len == 4)
			sig->kind = (uint8_t)kind_of(ctl_be32(a->value));
		break;
	case ACCT_DELAY_TIME:
		if (a->len == 4 && ctl_be32(a->value) <= MAX_DELAY_S)
			sig->delay_s = ctl_be32(a->value);
		break;
	case ACCT_SESSION_ID:
		ctl_sig_text(a->value, a->len, sig->session);
		break;
	case FRAMED_IPV6_PREFIX: // that of the link; what is delegated lies behind a router
		read_prefix(a, sig);
		break;
	case DELEGATED_IPV6_PREFIX:
		if (!sig->has_ipv6)
			read_prefix(a, sig);
		break;
	case VENDOR_SPECIFIC:
		read_vendor(a, sig);
		break;
	default:
		break;
	}
}

size_t ctl_radius_read(const uint8_t *payload, size_t len, struct ctl_sig *ret_sig)
{
	const uint8_t *p = payload + HEADER;
	struct attribute_at a;
	size_t whole;

	*ret_sig = (struct ctl_sig){.proto = CTL_SIG_RADIUS};
	if (len < HEADER || (payload[0] != ACCOUNTING_REQUEST && payload[0] != ACCOUNTING_RESPONSE))
		return 0;
	whole = ctl_be16(payload + 2);
	if (whole > len || whole < HEADER)
		return 0;
	ret_sig->seq = payload[1];
	ret_sig->has_seq = true;
	ret_sig->is_answer = payload[0] ==
		ACCOUNTING_RESPONSE; // which says that it was heard, and nothing else
	while (!ret_sig->is_answer && next(&p, payload + whole, &a))
		read_attribute(&a, ret_sig);
	return whole;
}
