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

static char shown(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c + ('a' - 'A'));
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
		c == ':' || c == '[' || c == ']')
		return c;
	return '?';
}

void cls_verdict_name(struct dp_verdict *v, const char *host)
{
	size_t i = 0;

	for (; i + 1 < DP_HOST_MAX && host[i] != '\0'; i++)
		v->host[i] = shown(host[i]);
	v->host[i] = '\0';
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

/* Behind an encrypted hello stands another name than the one that is shown. A client shows its own where it
 * only pretends (RFC 9849 6.2), and else the name of the front, which says nothing of what is behind. */
static bool is_front(const struct cls_catalogue *catalogue, const struct dp_verdict *v)
{
	const struct cls_match m = cls_match_host(catalogue, v->host, strlen(v->host));

	return v->has_ech && strcmp(cls_app_category(catalogue, m.app), CLS_CATEGORY_RELAY) == 0;
}

/* What the subscriber asked for before it came here. */
static bool decide_by_hint(
	const struct cls_catalogue *catalogue, const struct cls_view *view, struct dp_verdict *v)
{
	if (view->hint == NULL ||
		!decide(v, cls_match_host(catalogue, view->hint, strlen(view->hint)),
			DP_EVIDENCE_DNS))
		return false;
	if (v->host[0] == '\0')
		cls_verdict_name(v, view->hint);
	return true;
}

/* The library's word as far as an app may rest on it. */
static ndpi_protocol word_of(const struct cls_view *view)
{
	ndpi_protocol p = view->proto;

	if (view->is_alike)
		p.app_protocol = p.master_protocol;
	return p;
}

/* Host names before anything else; ours before the library's own table. */
static bool decide_by_name(
	const struct cls_catalogue *catalogue, const struct cls_view *view, struct dp_verdict *v)
{
	const uint8_t evidence = view->named != DP_EVIDENCE_NONE ? view->named
								 : name_evidence(&view->proto);

	if (v->host[0] == '\0' || evidence == DP_EVIDENCE_NONE || evidence == DP_EVIDENCE_DNS)
		return false;
	if (is_front(catalogue, v) && decide_by_hint(catalogue, view, v))
		return true;
	if (decide(v, cls_match_host(catalogue, v->host, strlen(v->host)), evidence))
		return true;
	return view->flow->confidence == NDPI_CONFIDENCE_DPI && !view->is_guess &&
		decide(v, cls_match_ndpi(catalogue, word_of(view).app_protocol), evidence);
}

static bool decide_by_certificate(
	const struct cls_catalogue *catalogue, const struct cls_view *view, struct dp_verdict *v)
{
	if (!is_tls(&view->proto) || view->flow->protos.tls_quic.server_names == NULL)
		return false;
	for (const char *n = view->flow->protos.tls_quic.server_names; *n != '\0';) {
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
static bool decide_by_protocol(const struct cls_catalogue *catalogue, const struct cls_view *view,
	enum dp_evidence evidence, struct dp_verdict *v)
{
	const ndpi_protocol p = word_of(view);

	// DNS.NetFlix is a look-up, not a film.
	if (name_evidence(&p) == DP_EVIDENCE_DNS)
		return decide(v, cls_match_ndpi(catalogue, NDPI_PROTOCOL_DNS), evidence);
	return decide(v, cls_match_ndpi(catalogue, p.app_protocol), evidence) ||
		decide(v, cls_match_ndpi(catalogue, p.master_protocol), evidence);
}

/* The library's name of the flow, when we found none ourselves. */
static void take_name(struct dp_verdict *v, const struct cls_view *view)
{
	const char *host = view->flow->host_server_name;

	if (view->named == DP_EVIDENCE_NONE && name_evidence(&view->proto) != DP_EVIDENCE_NONE &&
		host[0] != '\0' && strcmp(v->host, host) != 0)
		cls_verdict_name(v, host);
	if (is_tls(&view->proto) && view->flow->protos.tls_quic.encrypted_sni.esni != NULL)
		v->has_ech = true;
}

void cls_verdict_update(
	struct dp_verdict *v, const struct cls_catalogue *catalogue, const struct cls_view *view)
{
	v->ndpi_master = view->proto.master_protocol;
	v->ndpi_app = view->proto.app_protocol;
	v->risk_bits = view->flow->risk;
	take_name(v, view);
	if (v->app != DP_APP_UNDECIDED || decide_by_name(catalogue, view, v) || view->is_name_open)
		return;
	if (decide_by_certificate(catalogue, view, v))
		return;
	// A name that no app has is still the name, when the address was looked up as something else; but
	// not when another one is inside.
	if ((v->host[0] == '\0' || v->has_ech) && decide_by_hint(catalogue, view, v))
		return;
	if (view->flow->confidence == NDPI_CONFIDENCE_DPI && !view->is_guess)
		(void)decide_by_protocol(catalogue, view, DP_EVIDENCE_PAYLOAD, v);
}

void cls_verdict_end(struct dp_verdict *v, const struct cls_catalogue *catalogue,
	const struct dp_stage_item *item, const struct cls_view *view)
{
	const struct dp_five_tuple *t = item->tuple;
	const bool is_by_address = view->flow->confidence == NDPI_CONFIDENCE_MATCH_BY_IP ||
		view->is_guess;

	v->is_final = true;
	if (v->app != DP_APP_UNDECIDED)
		return;
	if ((view->flow->confidence != NDPI_CONFIDENCE_DPI || is_by_address) &&
		decide_by_protocol(
			catalogue, view, is_by_address ? DP_EVIDENCE_ADDRESS : DP_EVIDENCE_PORT, v))
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
