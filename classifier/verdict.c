// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/library.h"
#include "classifier/resolve.h"

static_assert((int)CLS_BASIS_SNI == DP_EVIDENCE_SNI << 4 &&
	(int)CLS_BASIS_QUIC == DP_EVIDENCE_QUIC << 4 &&
	(int)CLS_BASIS_HTTP == DP_EVIDENCE_HTTP << 4);

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

/* Another name of the server, for who judges the flow again: a longer one keeps the labels that fit, and a wildcard
 * stands for its parent. */
static void take_alias(struct dp_verdict *v, const char *name, size_t len)
{
	const char *end = name + len;
	size_t n = 0;

	if (len >= 2 && memcmp(name, "*.", 2) == 0)
		name += 2;
	while (end - name >= DP_ALIAS_MAX) {
		const char *dot = memchr(name, '.', (size_t)(end - name));

		name = dot != NULL ? dot + 1 : end;
	}
	for (; name < end; name++)
		v->alias[n++] = shown(*name);
	v->alias[n] = '\0';
}

/* --- what is known ---------------------------------------------------------------------------- */

/* The library's name of the flow, when we found none ourselves. */
static void take_name(struct dp_verdict *v, const struct cls_view *view)
{
	const ndpi_protocol *p = &view->proto;
	const char *host = view->flow->host_server_name;

	if (view->named == DP_EVIDENCE_NONE &&
		cls_name_evidence(p->master_protocol, p->app_protocol) != DP_EVIDENCE_NONE &&
		host[0] != '\0' && strcmp(v->host, host) != 0) {
		cls_verdict_name(v, host);
		v->basis &= (uint8_t)~CLS_BASIS_LOOKED_UP;
	}
	if (is_tls(p) && view->flow->protos.tls_quic.encrypted_sni.esni != NULL)
		v->has_ech = true;
}

/* Whether the library's word has become another one for our rules: DNS.NetFlix is a look-up as DNS is. */
static bool is_new_word(const struct dp_verdict *v, unsigned int basis, const ndpi_protocol *p)
{
	const uint8_t before = cls_name_evidence(v->ndpi_master, v->ndpi_app);
	const uint8_t now = cls_name_evidence(p->master_protocol, p->app_protocol);

	if (basis != v->basis)
		return true;
	return (v->ndpi_master != p->master_protocol || v->ndpi_app != p->app_protocol) &&
		(before != DP_EVIDENCE_DNS || now != DP_EVIDENCE_DNS);
}

/* What the library thinks by now, and how it came to that. */
static void take_word(struct dp_verdict *v, const struct cls_view *view)
{
	const uint8_t confidence = view->flow->confidence;
	unsigned int basis = v->basis & ~(CLS_BASIS_SURE | CLS_BASIS_ADDRESS | CLS_BASIS_NAMED);

	basis |= (unsigned int)view->named << 4;
	if (confidence == NDPI_CONFIDENCE_DPI && !view->is_guess)
		basis |= CLS_BASIS_SURE;
	if (confidence == NDPI_CONFIDENCE_MATCH_BY_IP || view->is_guess)
		basis |= CLS_BASIS_ADDRESS;
	if (v->app == DP_APP_UNDECIDED)
		basis = (basis & ~CLS_BASIS_ALIKE) | (view->is_alike ? CLS_BASIS_ALIKE : 0);
	else if (v->evidence >= DP_EVIDENCE_PAYLOAD && is_new_word(v, basis, &view->proto))
		basis |= CLS_BASIS_PAST;
	v->basis = (uint8_t)basis;
	v->ndpi_master = view->proto.master_protocol;
	v->ndpi_app = view->proto.app_protocol;
	v->risk_bits = view->flow->risk;
}

/* For the rules. The server is the item's, for that of the place. */
static struct cls_known known_of(const struct dp_verdict *v, const struct cls_view *view)
{
	return (struct cls_known){
		.host = v->host,
		.alias = view->hint != NULL ? view->hint : "",
		.ndpi_master = v->ndpi_master,
		.ndpi_app = v->ndpi_app,
		.basis = v->basis,
		.has_ech = v->has_ech,
	};
}

/* The first name of the certificate that names an app. */
static bool decide_by_certificate(const struct cls_catalogue *catalogue,
	const struct cls_view *view, struct dp_verdict *v, struct cls_decision *ret)
{
	if (!is_tls(&view->proto) || view->flow->protos.tls_quic.server_names == NULL)
		return false;
	for (const char *n = view->flow->protos.tls_quic.server_names; *n != '\0';) {
		const size_t len = strcspn(n, ",");

		if (cls_rule_certificate(catalogue, n, len, ret)) {
			take_alias(v, n, len);
			v->basis |= CLS_BASIS_CERTIFICATE;
			return true;
		}
		n += len + (n[len] == ',');
	}
	return false;
}

/* --- the verdict ------------------------------------------------------------------------------ */

static bool decide(const struct cls_catalogue *catalogue, const struct cls_view *view,
	struct dp_verdict *v, struct cls_decision *ret)
{
	const struct cls_known known = known_of(v, view);

	if (cls_rule_name(catalogue, &known, ret))
		return true;
	if (view->is_name_open)
		return false;
	return decide_by_certificate(catalogue, view, v, ret) ||
		cls_rule_lookup(catalogue, &known, ret) || cls_rule_payload(catalogue, &known, ret);
}

static void take(struct dp_verdict *v, const struct cls_view *view, const struct cls_decision *d)
{
	v->app = d->app;
	v->tag = d->tag;
	v->evidence = d->evidence;
	if (d->evidence != DP_EVIDENCE_DNS || v->host[0] != '\0')
		return;
	cls_verdict_name(v, view->hint);
	v->basis |= CLS_BASIS_LOOKED_UP;
}

void cls_verdict_update(
	struct dp_verdict *v, const struct cls_catalogue *catalogue, const struct cls_view *view)
{
	struct cls_decision d;

	take_word(v, view);
	take_name(v, view);
	if (v->app == DP_APP_UNDECIDED && decide(catalogue, view, v, &d))
		take(v, view, &d);
}

/* What the server is called besides, where that may decide when the flow is judged again. */
static void keep_alias(struct dp_verdict *v, const struct cls_view *view)
{
	const char *names = view->flow->protos.tls_quic.server_names;
	const bool is_nameless = v->host[0] == '\0';

	if ((v->basis & CLS_BASIS_CERTIFICATE) != 0 || (!is_nameless && !v->has_ech))
		return;
	if (view->hint != NULL && (v->basis & CLS_BASIS_LOOKED_UP) == 0) {
		take_alias(v, view->hint, strlen(view->hint));
	} else if (is_nameless && is_tls(&view->proto) && names != NULL && names[0] != '\0') {
		take_alias(v, names, strcspn(names, ","));
		v->basis |= CLS_BASIS_CERTIFICATE;
	}
}

void cls_verdict_end(struct dp_verdict *v, const struct cls_catalogue *catalogue,
	const struct dp_stage_item *item, const struct cls_view *view)
{
	const struct dp_five_tuple *t = item->tuple;
	struct cls_decision d = {.app = DP_APP_UNKNOWN};

	v->is_final = true;
	v->basis = (uint8_t)((v->basis & ~CLS_BASIS_ALIKE) |
		(view->is_alike ? CLS_BASIS_ALIKE : 0));
	if (v->app == DP_APP_UNDECIDED) {
		struct cls_known known = known_of(v, view);

		known.l4_proto = t->l4_proto;
		known.server = item->server_is_src ? &t->src : &t->dst;
		known.server_port = item->server_is_src ? t->sport : t->dport;
		(void)cls_rule_place(catalogue, &known, &d);
		take(v, view, &d);
	}
	keep_alias(v, view);
}
