// SPDX-License-Identifier: BSD-3-Clause
#include "control/gtpv2c.h"

#include "control/sig_fields.h"

enum {
	HEADER = 4, // what the length does not count
	FLAG_T = 0x08, // TS 29.274 5.1
	FTEID_V4 = 0x80, // 8.22
	FTEID_V6 = 0x40,
	FTEID_TYPE = 0x3f,
	CAUSE_MIN = 16, // 8.4: accepted, wholly or in part, up to 63
	CAUSE_MAX = 63,
	INDICATION_OI = 0x08, // 8.12: octet 5, bit 4
};

enum ie {
	IE_IMSI = 1,
	IE_CAUSE = 2,
	IE_APN = 71,
	IE_EBI = 73,
	IE_MEI = 75,
	IE_MSISDN = 76,
	IE_INDICATION = 77,
	IE_PAA = 79,
	IE_RAT = 82,
	IE_SERVING_NETWORK = 83,
	IE_ULI = 86,
	IE_FTEID = 87,
	IE_BEARER_CONTEXT = 93,
};

/* F-TEID interface types of the control plane, 8.22. */
enum { TYPE_S5_SGW_C = 6, TYPE_S5_PGW_C = 7, TYPE_S11_MME = 10, TYPE_S11_SGW = 11 };

/* What the information elements say together. */
struct said {
	struct ctl_sig *sig;
	bool has_linked_ebi, has_oi;
};

struct element {
	uint8_t type, instance;
	uint16_t len;
	const uint8_t *value;
};

/* The one at *p, which is moved behind it. Returns false at the end, or where it does not fit. */
static bool next(const uint8_t **p, const uint8_t *end, struct element *ret)
{
	if (end - *p < 4)
		return false;
	ret->type = (*p)[0];
	ret->len = ctl_be16(*p + 1);
	ret->instance = (*p)[3] & 15;
	ret->value = *p + 4;
	if (end - ret->value < ret->len)
		return false;
	*p = ret->value + ret->len;
	return true;
}

static void read_uli(const struct element *e, char uli[CTL_SIG_ULI])
{
	static const struct {
		uint8_t flag;
		enum ctl_sig_place place;
	} parts[] = {{0x01, CTL_SIG_CGI}, {0x02, CTL_SIG_SAI}, {0x04, CTL_SIG_RAI},
		{0x08, CTL_SIG_TAI}, {0x10, CTL_SIG_ECGI}}; // 8.21: in this order
	size_t off = 1;

	uli[0] = '\0';
	for (size_t i = 0; e->len > 0 && i < sizeof(parts) / sizeof(parts[0]); i++) {
		const size_t len = ctl_sig_place_len(parts[i].place);

		if ((e->value[0] & parts[i].flag) == 0)
			continue;
		if (e->len - off < len)
			return;
		ctl_sig_add_place(e->value + off, parts[i].place, uli);
		off += len;
	}
}

/* 8.14. */
static void read_paa(const struct element *e, struct ctl_sig *sig)
{
	enum { IPV4 = 1, IPV6 = 2, IPV4V6 = 3 };
	const uint8_t *v = e->value;
	const unsigned int type = e->len > 0 ? v[0] & 7 : 0;

	if (type == IPV4 && e->len >= 5)
		ctl_sig_ue_ipv4(v + 1, sig);
	if ((type == IPV6 || type == IPV4V6) && e->len >= 18)
		ctl_sig_ue_ipv6(v + 2, 16, v[1], sig);
	if (type == IPV4V6 && e->len >= 22)
		ctl_sig_ue_ipv4(v + 18, sig);
}

/* Returns the interface type, or -1 when it is not sound. */
static int read_fteid(const struct element *e, struct ctl_sig_end *ret_end)
{
	const uint8_t *v = e->value;

	if (e->len < 9)
		return -1;
	ret_end->id = ctl_be32(v + 1);
	if ((v[0] & FTEID_V4) != 0)
		ctl_sig_ipv4(v + 5, &ret_end->addr);
	else if ((v[0] & FTEID_V6) != 0 && e->len >= 21)
		memcpy(ret_end->addr.b, v + 5, 16);
	else
		return -1;
	return v[0] & FTEID_TYPE;
}

static void read_control_end(struct said *said, const struct element *e)
{
	struct ctl_sig *sig = said->sig;
	struct ctl_sig_end end = {0};
	const int type = read_fteid(e, &end);

	if (type < 0 || e->instance > 1)
		return;
	sig->ends[e->instance] = end;
	if (sig->n_ends <= e->instance)
		sig->n_ends = (uint8_t)(e->instance + 1);
	if (e->instance == 0 && (type == TYPE_S5_SGW_C || type == TYPE_S5_PGW_C))
		sig->is_backbone = true;
}

static void read_bearer(const struct element *context, struct ctl_sig *sig)
{
	const uint8_t *p = context->value, *end = p + context->len;
	struct element e;

	while (next(&p, end, &e)) {
		struct ctl_sig_end teid = {0};

		if (e.type == IE_FTEID && read_fteid(&e, &teid) >= 0)
			ctl_sig_add_teid(sig, teid.id, &teid.addr);
	}
}

static void read_identity(const struct element *e, struct ctl_sig *sig)
{
	switch (e->type) {
	case IE_IMSI:
		ctl_sig_tbcd(e->value, e->len, sig->imsi);
		break;
	case IE_MSISDN:
		ctl_sig_tbcd(e->value, e->len, sig->msisdn);
		break;
	case IE_MEI:
		ctl_sig_tbcd(e->value, e->len, sig->imei);
		break;
	case IE_APN:
		ctl_sig_apn(e->value, e->len, sig->apn);
		break;
	default:
		break;
	}
}

static void read_element(struct said *said, const struct element *e)
{
	struct ctl_sig *sig = said->sig;

	switch (e->type) {
	case IE_CAUSE:
		if (e->len >= 1) {
			sig->cause = e->value[0];
			sig->is_accepted = sig->cause >= CAUSE_MIN && sig->cause <= CAUSE_MAX;
		}
		break;
	case IE_PAA:
		read_paa(e, sig);
		break;
	case IE_RAT:
		sig->rat = e->len >= 1 ? e->value[0] : 0;
		break;
	case IE_SERVING_NETWORK:
		if (e->len >= 3)
			ctl_sig_plmn(e->value, sig->mcc_mnc);
		break;
	case IE_ULI:
		read_uli(e, sig->uli);
		break;
	case IE_FTEID:
		read_control_end(said, e);
		break;
	case IE_BEARER_CONTEXT:
		read_bearer(e, sig);
		break;
	case IE_EBI:
		said->has_linked_ebi |= e->instance == 0;
		break;
	case IE_INDICATION:
		said->has_oi |= e->len >= 1 && (e->value[0] & INDICATION_OI) != 0;
		break;
	default:
		read_identity(e, sig);
		break;
	}
}

/* TS 29.274 6.1. */
static enum ctl_sig_kind kind_of(uint8_t type, bool *ret_is_answer)
{
	enum {
		CREATE_SESSION = 32,
		MODIFY_BEARER = 34,
		DELETE_SESSION = 36,
		CREATE_BEARER = 95,
		UPDATE_BEARER = 97,
		DELETE_BEARER = 99,
	};

	switch (type) {
	case CREATE_SESSION:
	case CREATE_SESSION + 1:
		*ret_is_answer = type != CREATE_SESSION;
		return CTL_SIG_CREATE;
	case MODIFY_BEARER:
	case MODIFY_BEARER + 1:
		*ret_is_answer = type != MODIFY_BEARER;
		return CTL_SIG_UPDATE;
	case CREATE_BEARER:
	case CREATE_BEARER + 1:
	case UPDATE_BEARER:
	case UPDATE_BEARER + 1:
		*ret_is_answer = type != CREATE_BEARER && type != UPDATE_BEARER;
		return CTL_SIG_UPDATE;
	case DELETE_SESSION:
	case DELETE_SESSION + 1:
	case DELETE_BEARER:
	case DELETE_BEARER + 1:
		*ret_is_answer = type != DELETE_SESSION && type != DELETE_BEARER;
		return CTL_SIG_DELETE;
	default:
		*ret_is_answer = false;
		return CTL_SIG_OTHER;
	}
}

/* What depends on several elements. */
static void conclude(uint8_t type, struct said *said)
{
	enum { DELETE_SESSION = 36, DELETE_BEARER = 99 };

	struct ctl_sig *sig = said->sig;

	// An answer of the PGW on S5/S8 has its own number where one on S11 has the PGW's behind the SGW's (7.2.2).
	if (sig->is_answer && sig->n_ends == 2 && sig->ends[0].id == 0) {
		sig->ends[0] = sig->ends[1];
		sig->n_ends = 1;
	}
	// A dedicated bearer goes, the session stays: 7.2.9.2.
	if (type == DELETE_BEARER && !said->has_linked_ebi)
		sig->kind = CTL_SIG_UPDATE;
	sig->is_leg_only = type == DELETE_SESSION && !said->has_oi;
}

size_t ctl_gtpv2c_read(const uint8_t *payload, size_t len, struct ctl_sig *ret_sig)
{
	struct said said = {.sig = ret_sig};
	const uint8_t *p = payload + HEADER, *end;
	struct element e;
	size_t whole;

	*ret_sig = (struct ctl_sig){.proto = CTL_SIG_GTPV2C};
	if (len < HEADER + 4 || payload[0] >> 5 != 2)
		return 0;
	whole = HEADER + (size_t)ctl_be16(payload + 2);
	if (whole > len || whole < HEADER + ((payload[0] & FLAG_T) != 0 ? 8U : 4U))
		return 0;
	end = payload + whole;
	ret_sig->kind = (uint8_t)kind_of(payload[1], &ret_sig->is_answer);
	if ((payload[0] & FLAG_T) != 0) {
		ret_sig->header_id = ctl_be32(p);
		p += 4;
	}
	ret_sig->seq = ctl_be24(p);
	ret_sig->has_seq = true;
	p += 4;
	while (next(&p, end, &e))
		read_element(&said, &e);
	conclude(payload[1], &said);
	return whole;
}
