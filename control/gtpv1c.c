// SPDX-License-Identifier: BSD-3-Clause
#include "control/gtpv1c.h"

#include "control/sig_fields.h"

enum {
	HEADER = 8, // what the length does not count
	OPTIONAL = 4, // sequence number, N-PDU number, next extension header: all or none
	FLAG_PT = 0x10, // TS 29.060 6: GTP, not GTP'
	FLAG_E = 0x04,
	FLAG_S = 0x02,
	FLAGS_OPTIONAL = 0x07,
	TLV = 0x80, // types from here on have a length (7.7)
	MSISDN_MIN = 2,
};

enum ie {
	IE_CAUSE = 1,
	IE_IMSI = 2,
	IE_RAI = 3,
	IE_TEID_DATA = 16,
	IE_TEID_CONTROL = 17,
	IE_TEARDOWN = 19,
	IE_NSAPI = 20,
	IE_END_USER_ADDRESS = 128,
	IE_APN = 131,
	IE_GSN_ADDRESS = 133,
	IE_MSISDN = 134,
	IE_RAT = 151,
	IE_ULI = 152,
	IE_IMEI = 154,
};

/* Lengths of the elements without one, TS 29.060 7.7 table 37; 0: not known, nothing behind it can be read. */
static const uint8_t tv_len[TLV] = {[1] = 1,
	[2] = 8,
	[3] = 6,
	[4] = 4,
	[5] = 4,
	[8] = 1,
	[9] = 28,
	[11] = 1,
	[12] = 3,
	[13] = 1,
	[14] = 1,
	[15] = 1,
	[16] = 4,
	[17] = 4,
	[18] = 5,
	[19] = 1,
	[20] = 1,
	[21] = 1,
	[22] = 9,
	[23] = 1,
	[24] = 1,
	[25] = 2,
	[26] = 2,
	[27] = 2,
	[28] = 2,
	[29] = 1,
	[127] = 4};

/* What the information elements say together: TEIDs and the addresses they are of come apart. */
struct said {
	struct ctl_sig *sig;
	uint32_t teid_data, teid_control;
	bool has_teid_control;
	struct dp_addr gsn[2]; // [0] control, [1] user plane
	unsigned int n_gsn;
};

struct element {
	uint8_t type;
	uint16_t len;
	const uint8_t *value;
};

static bool next(const uint8_t **p, const uint8_t *end, struct element *ret)
{
	if (end - *p < 1)
		return false;
	ret->type = (*p)[0];
	if (ret->type < TLV) {
		ret->len = tv_len[ret->type];
		ret->value = *p + 1;
		if (ret->len == 0)
			return false;
	} else {
		if (end - *p < 3)
			return false;
		ret->len = ctl_be16(*p + 1);
		ret->value = *p + 3;
	}
	if (end - ret->value < ret->len)
		return false;
	*p = ret->value + ret->len;
	return true;
}

/* 7.7.27: organisation and type, then the address, if there is one yet. */
static void read_address(const struct element *e, struct ctl_sig *sig)
{
	enum { IETF = 1, IPV4 = 0x21, IPV6 = 0x57, IPV4V6 = 0x8d, V6_BITS = 64 };
	const uint8_t *v = e->value;

	if (e->len < 2 || (v[0] & 15) != IETF)
		return;
	if ((v[1] == IPV4 || v[1] == IPV4V6) && e->len >= 6)
		ctl_sig_ue_ipv4(v + 2, sig);
	if (v[1] == IPV6 && e->len >= 18)
		ctl_sig_ue_ipv6(v + 2, 16, V6_BITS, sig);
	if (v[1] == IPV4V6 && e->len >= 22)
		ctl_sig_ue_ipv6(v + 6, 16, V6_BITS, sig);
	if (v[1] == IPV4V6 && e->len == 18)
		ctl_sig_ue_ipv6(v + 2, 16, V6_BITS, sig);
}

/* 7.7.51. */
static void read_uli(const struct element *e, char uli[CTL_SIG_ULI])
{
	static const enum ctl_sig_place places[] = {CTL_SIG_CGI, CTL_SIG_SAI, CTL_SIG_RAI};

	uli[0] = '\0';
	if (e->len >= 8 && e->value[0] < sizeof(places) / sizeof(places[0]))
		ctl_sig_add_place(e->value + 1, places[e->value[0]], uli);
}

/* 7.7.50, as TS 29.274 8.17 numbers them: the same. */
static void read_rat(const struct element *e, struct ctl_sig *sig)
{
	sig->rat = e->len >= 1 ? e->value[0] : 0;
}

static void read_gsn(struct said *said, const struct element *e)
{
	if (said->n_gsn >= 2)
		return; // alternatives
	if (e->len == 4)
		ctl_sig_ipv4(e->value, &said->gsn[said->n_gsn++]);
	else if (e->len == 16)
		memcpy(said->gsn[said->n_gsn++].b, e->value, 16);
}

static void read_identity(const struct element *e, struct ctl_sig *sig)
{
	switch (e->type) {
	case IE_IMSI:
		ctl_sig_tbcd(e->value, e->len, sig->imsi);
		break;
	case IE_MSISDN: // TS 29.002: nature of the address, then digits
		if (e->len >= MSISDN_MIN)
			ctl_sig_tbcd(e->value + 1, e->len - 1U, sig->msisdn);
		break;
	case IE_IMEI:
		ctl_sig_tbcd(e->value, e->len, sig->imei);
		break;
	case IE_APN:
		ctl_sig_apn(e->value, e->len, sig->apn);
		break;
	case IE_RAI: // the routing area's network is the serving one
		ctl_sig_plmn(e->value, sig->mcc_mnc);
		break;
	default:
		break;
	}
}

static void read_element(struct said *said, const struct element *e)
{
	struct ctl_sig *sig = said->sig;

	switch (e->type) {
	case IE_CAUSE: // 7.7.1: accepted is 128 to 191
		sig->cause = e->value[0];
		sig->is_accepted = sig->cause >> 6 == 2;
		break;
	case IE_TEID_DATA:
		said->teid_data = ctl_be32(e->value);
		break;
	case IE_TEID_CONTROL:
		said->teid_control = ctl_be32(e->value);
		said->has_teid_control = true;
		break;
	case IE_TEARDOWN:
		sig->is_teardown = (e->value[0] & 1) != 0;
		break;
	case IE_NSAPI:
		if (!sig->has_nsapi) // a second one is the linked one
			sig->nsapi = e->value[0] & 15;
		sig->has_nsapi = true;
		break;
	case IE_END_USER_ADDRESS:
		read_address(e, sig);
		break;
	case IE_GSN_ADDRESS:
		read_gsn(said, e);
		break;
	case IE_RAT:
		read_rat(e, sig);
		break;
	case IE_ULI:
		read_uli(e, sig->uli);
		break;
	default:
		read_identity(e, sig);
		break;
	}
}

/* 7.1. */
static enum ctl_sig_kind kind_of(uint8_t type, bool *ret_is_answer)
{
	enum { CREATE = 16, UPDATE = 18, DELETE = 20 };

	*ret_is_answer = type % 2 != 0;
	switch (type) {
	case CREATE:
	case CREATE + 1:
		return CTL_SIG_CREATE;
	case UPDATE:
	case UPDATE + 1:
		return CTL_SIG_UPDATE;
	case DELETE:
	case DELETE + 1:
		return CTL_SIG_DELETE;
	default:
		*ret_is_answer = false;
		return CTL_SIG_OTHER;
	}
}

static void conclude(const struct said *said)
{
	struct ctl_sig *sig = said->sig;

	if (said->has_teid_control && said->n_gsn > 0) {
		sig->ends[0] = (struct ctl_sig_end){said->teid_control, said->gsn[0]};
		sig->n_ends = 1;
	}
	if (said->n_gsn > 0)
		ctl_sig_add_teid(sig, said->teid_data, &said->gsn[said->n_gsn - 1]);
}

/* Behind the optional part: 6 and 6.1. Returns NULL where they do not fit. */
static const uint8_t *skip_extensions(const uint8_t *p, const uint8_t *end, uint8_t type)
{
	while (type != 0) {
		size_t len;

		if (end - p < 4)
			return NULL;
		len = 4 * (size_t)p[0];
		if (len == 0 || (size_t)(end - p) < len)
			return NULL;
		type = p[len - 1];
		p += len;
	}
	return p;
}

size_t ctl_gtpv1c_read(const uint8_t *payload, size_t len, struct ctl_sig *ret_sig)
{
	struct said said = {.sig = ret_sig};
	const uint8_t *p = payload + HEADER, *end;
	struct element e;
	size_t whole;

	*ret_sig = (struct ctl_sig){.proto = CTL_SIG_GTPV1C};
	if (len < HEADER || payload[0] >> 5 != 1 || (payload[0] & FLAG_PT) == 0)
		return 0;
	whole = HEADER + (size_t)ctl_be16(payload + 2);
	if (whole > len || ((payload[0] & FLAGS_OPTIONAL) != 0 && whole < HEADER + OPTIONAL))
		return 0;
	end = payload + whole;
	ret_sig->kind = (uint8_t)kind_of(payload[1], &ret_sig->is_answer);
	ret_sig->header_id = ctl_be32(payload + 4);
	if ((payload[0] & FLAGS_OPTIONAL) != 0) {
		ret_sig->has_seq = (payload[0] & FLAG_S) != 0;
		ret_sig->seq = ret_sig->has_seq ? ctl_be16(p) : 0;
		p = skip_extensions(p + OPTIONAL, end, (payload[0] & FLAG_E) != 0 ? p[3] : 0);
	}
	while (p != NULL && next(&p, end, &e))
		read_element(&said, &e);
	conclude(&said);
	return whole;
}
