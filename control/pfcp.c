// SPDX-License-Identifier: BSD-3-Clause
#include "control/pfcp.h"

#include "control/sig_fields.h"

enum {
	HEADER = 4, // what the length does not count
	FLAG_S = 0x01, // TS 29.244 7.2.2: there is a SEID
	CAUSE_ACCEPTED = 1, // 8.2.1
	DEPTH_MAX = 4,
};

enum ie {
	IE_CREATE_PDR = 1,
	IE_PDI = 2,
	IE_CREATE_FAR = 3,
	IE_FORWARDING = 4,
	IE_CREATED_PDR = 8,
	IE_UPDATE_PDR = 9,
	IE_UPDATE_FAR = 10,
	IE_UPDATE_FORWARDING = 11,
	IE_CAUSE = 19,
	IE_FTEID = 21,
	IE_NETWORK_INSTANCE = 22,
	IE_FSEID = 57,
	IE_OUTER_HEADER = 84,
	IE_UE_ADDRESS = 93,
	IE_USER_ID = 141,
	IE_DNN = 159,
};

struct element {
	uint16_t type, len;
	const uint8_t *value;
};

static bool next(const uint8_t **p, const uint8_t *end, struct element *ret)
{
	if (end - *p < 4)
		return false;
	ret->type = ctl_be16(*p); // from 32768 on a vendor's: nothing here asks for those
	ret->len = ctl_be16(*p + 2);
	ret->value = *p + 4;
	if (end - ret->value < ret->len)
		return false;
	*p = ret->value + ret->len;
	return true;
}

/* 8.2.62. A prefix is 64 bits where its length is not said. */
static void read_address(const struct element *e, struct ctl_sig *sig)
{
	enum { V6 = 0x01, V4 = 0x02, V6_DELEGATED = 0x08, V6_LENGTH = 0x40 };
	const uint8_t *v = e->value;
	uint8_t len = 64;
	size_t off = 1;

	if (e->len >= off + 4 && (v[0] & V4) != 0) {
		ctl_sig_ue_ipv4(v + off, sig);
		off += 4;
	}
	if ((v[0] & V6) == 0 || e->len < off + 16)
		return;
	if ((v[0] & V6_DELEGATED) != 0 && e->len >= off + 17 && v[off + 16] < len)
		len = (uint8_t)(len - v[off + 16]);
	else if ((v[0] & V6_LENGTH) != 0 && e->len >= off + 17)
		len = v[off + 16];
	ctl_sig_ue_ipv6(v + off, 16, len, sig);
}

/* TEID, IPv4 and IPv6 address at v + 1; the flags say which addresses there are. */
static void read_teid(
	const uint8_t *v, size_t len, bool has_ipv4, bool has_ipv6, struct ctl_sig *sig)
{
	struct dp_addr addr = {0};

	if (has_ipv4 && len >= 8)
		ctl_sig_ipv4(v + 4, &addr);
	else if (has_ipv6 && !has_ipv4 && len >= 20)
		memcpy(addr.b, v + 4, 16);
	else
		return;
	ctl_sig_add_teid(sig, ctl_be32(v), &addr);
}

/* 8.2.3: not where the other side is to choose. */
static void read_fteid(const struct element *e, struct ctl_sig *sig)
{
	enum { V4 = 0x01, V6 = 0x02, CHOOSE = 0x04 };

	if (e->len >= 1 && (e->value[0] & CHOOSE) == 0)
		read_teid(e->value + 1, e->len - 1U, (e->value[0] & V4) != 0,
			(e->value[0] & V6) != 0, sig);
}

/* 8.2.56: where packets are sent to. */
static void read_outer_header(const struct element *e, struct ctl_sig *sig)
{
	enum { GTPU_V4 = 0x01, GTPU_V6 = 0x02 };

	if (e->len >= 2)
		read_teid(e->value + 2, e->len - 2U, (e->value[0] & GTPU_V4) != 0,
			(e->value[0] & GTPU_V6) != 0, sig);
}

/* 8.2.37. */
static void read_fseid(const struct element *e, struct ctl_sig *sig)
{
	enum { V6 = 0x01, V4 = 0x02 };
	struct ctl_sig_end end = {0};

	if (e->len < 9)
		return;
	end.id = ctl_be64(e->value + 1);
	if ((e->value[0] & V4) != 0 && e->len >= 13)
		ctl_sig_ipv4(e->value + 9, &end.addr);
	else if ((e->value[0] & V6) != 0 && e->len >= 25)
		memcpy(end.addr.b, e->value + 9, 16);
	else
		return;
	sig->ends[0] = end;
	sig->n_ends = 1;
}

/* 8.2.101: each field behind its length. */
static void read_user_id(const struct element *e, struct ctl_sig *sig)
{
	enum { IMSI = 0x01, IMEI = 0x02, MSISDN = 0x04 };
	static const uint8_t order[] = {IMSI, IMEI, MSISDN};
	size_t off = 1;

	for (size_t i = 0; i < sizeof(order) && e->len > off; i++) {
		const size_t len = e->value[off];
		const uint8_t *field = e->value + off + 1;

		if ((e->value[0] & order[i]) == 0)
			continue;
		if (len > e->len - off - 1)
			return;
		ctl_sig_tbcd(field, len,
			order[i] == IMSI	   ? sig->imsi
				: order[i] == IMEI ? sig->imei
						   : sig->msisdn);
		off += 1 + len;
	}
}

static void read_elements(
	const uint8_t *p, const uint8_t *end, unsigned int depth, struct ctl_sig *sig)
{
	struct element e;

	while (next(&p, end, &e)) {
		switch (e.type) {
		case IE_CREATE_PDR:
		case IE_PDI:
		case IE_CREATE_FAR:
		case IE_FORWARDING:
		case IE_CREATED_PDR:
		case IE_UPDATE_PDR:
		case IE_UPDATE_FAR:
		case IE_UPDATE_FORWARDING:
			if (depth < DEPTH_MAX)
				read_elements(e.value, e.value + e.len, depth + 1, sig);
			break;
		case IE_CAUSE:
			sig->cause = e.len >= 1 ? e.value[0] : 0;
			sig->is_accepted = sig->cause == CAUSE_ACCEPTED;
			break;
		case IE_FTEID:
			read_fteid(&e, sig);
			break;
		case IE_OUTER_HEADER:
			read_outer_header(&e, sig);
			break;
		case IE_FSEID:
			read_fseid(&e, sig);
			break;
		case IE_UE_ADDRESS:
			if (e.len >= 1)
				read_address(&e, sig);
			break;
		case IE_USER_ID:
			if (e.len >= 1)
				read_user_id(&e, sig);
			break;
		case IE_DNN:
			ctl_sig_apn(e.value, e.len, sig->apn);
			break;
		case IE_NETWORK_INSTANCE: // text or labels: it only stands in where no DNN is told
			if (sig->apn[0] == '\0' && e.len > 0 && e.value[0] < ' ')
				ctl_sig_apn(e.value, e.len, sig->apn);
			break;
		default:
			break;
		}
	}
}

/* 7.3. A node that associates anew has no sessions (6.2.6.2.2). */
static enum ctl_sig_kind kind_of(uint8_t type, bool *ret_is_answer)
{
	enum {
		ASSOCIATION_SETUP = 5,
		ASSOCIATION_RELEASE = 9,
		ESTABLISH = 50,
		MODIFY = 52,
		DELETE = 54
	};

	*ret_is_answer = type == ESTABLISH + 1 || type == MODIFY + 1 || type == DELETE + 1;
	switch (type) {
	case ASSOCIATION_SETUP:
	case ASSOCIATION_RELEASE:
		return CTL_SIG_RESTART;
	case ESTABLISH:
	case ESTABLISH + 1:
		return CTL_SIG_CREATE;
	case MODIFY:
	case MODIFY + 1:
		return CTL_SIG_UPDATE;
	case DELETE:
	case DELETE + 1:
		return CTL_SIG_DELETE;
	default:
		return CTL_SIG_OTHER;
	}
}

size_t ctl_pfcp_read(const uint8_t *payload, size_t len, struct ctl_sig *ret_sig)
{
	const uint8_t *p = payload + HEADER;
	size_t whole;

	*ret_sig = (struct ctl_sig){.proto = CTL_SIG_PFCP};
	if (len < HEADER + 4 || payload[0] >> 5 != 1)
		return 0;
	whole = HEADER + (size_t)ctl_be16(payload + 2);
	if (whole > len || whole < HEADER + ((payload[0] & FLAG_S) != 0 ? 12U : 4U))
		return 0;
	ret_sig->kind = (uint8_t)kind_of(payload[1], &ret_sig->is_answer);
	if ((payload[0] & FLAG_S) != 0) {
		ret_sig->header_id = ctl_be64(p);
		p += 8;
	}
	ret_sig->seq = ctl_be24(p);
	ret_sig->has_seq = true;
	read_elements(p + 4, payload + whole, 0, ret_sig);
	return whole;
}
