// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/library.h"

/* Which kind of name host_server_name holds; NONE when it is no server name (a DHCP host name is a
 * device of the subscriber and never leaves the library). */
static uint8_t name_evidence(const ndpi_protocol *p)
{
	const uint16_t both[2] = {p->master_protocol, p->app_protocol};

	for (size_t i = 0; i < 2; i++) {
		switch (both[i]) {
		case NDPI_PROTOCOL_DNS:
			return DP_EVIDENCE_DNS;
		case NDPI_PROTOCOL_QUIC:
			return DP_EVIDENCE_QUIC;
		case NDPI_PROTOCOL_TLS:
		case NDPI_PROTOCOL_DTLS:
			return DP_EVIDENCE_SNI;
		case NDPI_PROTOCOL_HTTP:
		case NDPI_PROTOCOL_HTTP_CONNECT:
		case NDPI_PROTOCOL_HTTP_PROXY:
			return DP_EVIDENCE_HTTP;
		default:
			break;
		}
	}
	return DP_EVIDENCE_NONE;
}

static bool is_tls(const ndpi_protocol *p)
{
	return p->master_protocol == NDPI_PROTOCOL_TLS || p->app_protocol == NDPI_PROTOCOL_TLS;
}

/* A name of the wire as it may be shown: lower case, nothing but name characters. */
static char shown(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c + ('a' - 'A'));
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
		c == ':')
		return c;
	return '?';
}

static void copy_host(char dst[DP_HOST_MAX], const char *src)
{
	size_t i = 0;

	for (; i + 1 < DP_HOST_MAX && src[i] != '\0'; i++)
		dst[i] = shown(src[i]);
	dst[i] = '\0';
}

static bool decide(struct dp_verdict *v, struct cls_match m, enum dp_evidence evidence)
{
	if (m.app == DP_APP_UNKNOWN)
		return false;
	v->app = m.app;
	v->tag = m.tag;
	v->evidence = (uint8_t)evidence;
	return true;
}

/* Host names before anything else; ours before the library's own table. */
static bool decide_by_name(const struct cls_catalogue *catalogue, const struct ndpi_flow_struct *f,
	const ndpi_protocol *p, struct dp_verdict *v)
{
	const uint8_t evidence = name_evidence(p);
	const bool is_named = v->host[0] != '\0' && evidence != DP_EVIDENCE_DNS;

	if (is_named && decide(v, cls_match_host(catalogue, v->host, strlen(v->host)), evidence))
		return true;
	if (is_named && f->confidence == NDPI_CONFIDENCE_DPI &&
		decide(v, cls_match_ndpi(catalogue, p->app_protocol), evidence))
		return true;
	if (!is_tls(p) || f->protos.tls_quic.server_names == NULL)
		return false;
	for (const char *n = f->protos.tls_quic.server_names; *n != '\0';) {
		const size_t len = strcspn(n, ",");
		const size_t skip = strncmp(n, "*.", 2) == 0
			? 2
			: 0; // a wildcard stands for its parent

		if (decide(v, cls_match_host(catalogue, n + skip, len - skip), DP_EVIDENCE_CERT))
			return true;
		n += len + (n[len] == ',');
	}
	return false;
}

/* What the library recognised itself. */
static bool decide_by_protocol(const struct cls_catalogue *catalogue, const ndpi_protocol *p,
	enum dp_evidence evidence, struct dp_verdict *v)
{
	// DNS.NetFlix is a look-up, not a film.
	if (name_evidence(p) == DP_EVIDENCE_DNS)
		return decide(v, cls_match_ndpi(catalogue, NDPI_PROTOCOL_DNS), evidence);
	return decide(v, cls_match_ndpi(catalogue, p->app_protocol), evidence) ||
		decide(v, cls_match_ndpi(catalogue, p->master_protocol), evidence);
}

void cls_verdict_update(struct dp_verdict *v, const struct cls_catalogue *catalogue,
	const struct ndpi_flow_struct *f, const ndpi_protocol *p)
{
	v->ndpi_master = p->master_protocol;
	v->ndpi_app = p->app_protocol;
	v->risk_bits = f->risk;
	if (name_evidence(p) != DP_EVIDENCE_NONE && strcmp(v->host, f->host_server_name) != 0)
		copy_host(v->host, f->host_server_name);
	if (is_tls(p) && f->protos.tls_quic.encrypted_sni.esni != NULL)
		v->has_ech = true;
	if (v->app == DP_APP_UNDECIDED && !decide_by_name(catalogue, f, p, v) &&
		f->confidence == NDPI_CONFIDENCE_DPI)
		(void)decide_by_protocol(catalogue, p, DP_EVIDENCE_PAYLOAD, v);
}

void cls_verdict_end(struct dp_verdict *v, const struct cls_catalogue *catalogue,
	const struct dp_stage_item *item, const struct ndpi_flow_struct *f, const ndpi_protocol *p)
{
	const struct dp_five_tuple *t = item->tuple;

	v->is_final = true;
	if (v->app != DP_APP_UNDECIDED)
		return;
	if (f->confidence != NDPI_CONFIDENCE_DPI &&
		decide_by_protocol(catalogue, p,
			f->confidence == NDPI_CONFIDENCE_MATCH_BY_IP ? DP_EVIDENCE_ADDRESS
								     : DP_EVIDENCE_PORT,
			v))
		return;
	if (decide(v, cls_match_net(catalogue, item->server_is_src ? &t->src : &t->dst),
		    DP_EVIDENCE_ADDRESS) ||
		decide(v,
			cls_match_port(
				catalogue, t->l4_proto, item->server_is_src ? t->sport : t->dport),
			DP_EVIDENCE_PORT))
		return;
	v->app = DP_APP_UNKNOWN;
	v->evidence = DP_EVIDENCE_NONE;
}
