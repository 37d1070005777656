// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/resolve.h"

#include <ndpi_api.h>
#include <string.h>

struct word {
	uint16_t master, app;
};

uint8_t cls_name_evidence(uint16_t master, uint16_t app)
{
	const uint16_t both[2] = {master, app};

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

/* The library's word as far as an app may rest on it. */
static struct word word_of(const struct cls_known *k)
{
	const bool is_alike = (k->basis & CLS_BASIS_ALIKE) != 0;

	return (struct word){k->ndpi_master, is_alike ? k->ndpi_master : k->ndpi_app};
}

static uint8_t evidence_of(const struct cls_known *k)
{
	switch (k->basis & CLS_BASIS_NAMED) {
	case CLS_BASIS_SNI:
		return DP_EVIDENCE_SNI;
	case CLS_BASIS_QUIC:
		return DP_EVIDENCE_QUIC;
	case CLS_BASIS_HTTP:
		return DP_EVIDENCE_HTTP;
	default:
		return cls_name_evidence(k->ndpi_master, k->ndpi_app);
	}
}

/* What the flow shows itself, and what its server was looked up as. */
static const char *own_name(const struct cls_known *k)
{
	return (k->basis & CLS_BASIS_LOOKED_UP) != 0 ? "" : k->host;
}

static const char *looked_up(const struct cls_known *k)
{
	if ((k->basis & CLS_BASIS_LOOKED_UP) != 0)
		return k->host;
	return (k->basis & CLS_BASIS_CERTIFICATE) != 0 ? "" : k->alias;
}

static bool decide(struct cls_match m, uint8_t evidence, struct cls_decision *ret)
{
	if (m.app == DP_APP_UNKNOWN)
		return false;
	*ret = (struct cls_decision){m.app, m.tag, evidence};
	return true;
}

static bool decide_by_lookup(
	const struct cls_catalogue *catalogue, const struct cls_known *k, struct cls_decision *ret)
{
	const char *name = looked_up(k);

	return name[0] != '\0' &&
		decide(cls_match_host(catalogue, name, strlen(name)), DP_EVIDENCE_DNS, ret);
}

/* Host names before anything else; ours before the library's own table. Behind an encrypted hello stands another
 * name than the one that is shown. A client shows its own where it only pretends (RFC 9849 6.2), and else the name
 * of the front, which says nothing of what is behind. */
bool cls_rule_name(
	const struct cls_catalogue *catalogue, const struct cls_known *k, struct cls_decision *ret)
{
	const char *host = own_name(k);
	const uint8_t evidence = evidence_of(k);

	if (host[0] == '\0' || evidence == DP_EVIDENCE_NONE || evidence == DP_EVIDENCE_DNS)
		return false;

	const struct cls_match m = cls_match_host(catalogue, host, strlen(host));

	if (k->has_ech && strcmp(cls_app_category(catalogue, m.app), CLS_CATEGORY_RELAY) == 0 &&
		decide_by_lookup(catalogue, k, ret))
		return true;
	return decide(m, evidence, ret) ||
		((k->basis & CLS_BASIS_SURE) != 0 &&
			decide(cls_match_ndpi(catalogue, word_of(k).app), evidence, ret));
}

bool cls_rule_certificate(const struct cls_catalogue *catalogue, const char *name, size_t len,
	struct cls_decision *ret)
{
	const size_t skip = len >= 2 && memcmp(name, "*.", 2) == 0 ? 2 : 0;

	return decide(cls_match_host(catalogue, name + skip, len - skip), DP_EVIDENCE_CERT, ret);
}

/* A name that no app has is still the name, when the address was looked up as something else; but not when another
 * one is inside. */
bool cls_rule_lookup(
	const struct cls_catalogue *catalogue, const struct cls_known *k, struct cls_decision *ret)
{
	return (own_name(k)[0] == '\0' || k->has_ech) && decide_by_lookup(catalogue, k, ret);
}

static bool decide_by_word(const struct cls_catalogue *catalogue, const struct cls_known *k,
	uint8_t evidence, struct cls_decision *ret)
{
	const struct word w = word_of(k);

	// DNS.NetFlix is a look-up, not a film.
	if (cls_name_evidence(w.master, w.app) == DP_EVIDENCE_DNS)
		return decide(cls_match_ndpi(catalogue, NDPI_PROTOCOL_DNS), evidence, ret);
	return decide(cls_match_ndpi(catalogue, w.app), evidence, ret) ||
		decide(cls_match_ndpi(catalogue, w.master), evidence, ret);
}

bool cls_rule_payload(
	const struct cls_catalogue *catalogue, const struct cls_known *k, struct cls_decision *ret)
{
	return (k->basis & CLS_BASIS_SURE) != 0 &&
		decide_by_word(catalogue, k, DP_EVIDENCE_PAYLOAD, ret);
}

bool cls_rule_place(
	const struct cls_catalogue *catalogue, const struct cls_known *k, struct cls_decision *ret)
{
	const bool is_guess = (k->basis & CLS_BASIS_SURE) == 0;
	const bool is_by_address = is_guess && (k->basis & CLS_BASIS_ADDRESS) != 0;

	return decide(cls_match_net(catalogue, k->server), DP_EVIDENCE_ADDRESS, ret) ||
		(is_by_address && decide_by_word(catalogue, k, DP_EVIDENCE_ADDRESS, ret)) ||
		decide(cls_match_port(catalogue, k->l4_proto, k->server_port), DP_EVIDENCE_PORT,
			ret) ||
		(is_guess && !is_by_address && decide_by_word(catalogue, k, DP_EVIDENCE_PORT, ret));
}

/* What decided is not there to be judged again: the library's word was another then, or the table of what is
 * remembered had no room (names_refused). */
static bool is_lost(const struct cls_known *k)
{
	const bool is_past = (k->basis & CLS_BASIS_PAST) != 0;

	switch (k->now.evidence) {
	case DP_EVIDENCE_SNI:
	case DP_EVIDENCE_QUIC:
	case DP_EVIDENCE_HTTP:
		return own_name(k)[0] == '\0';
	case DP_EVIDENCE_CERT:
		return (k->basis & CLS_BASIS_CERTIFICATE) == 0;
	case DP_EVIDENCE_DNS:
		return looked_up(k)[0] == '\0';
	case DP_EVIDENCE_PAYLOAD:
		return is_past || (k->basis & CLS_BASIS_SURE) == 0;
	case DP_EVIDENCE_ADDRESS:
	case DP_EVIDENCE_PORT:
		return is_past;
	default:
		return false;
	}
}

/* Then nothing weaker decides, as long as the app is there. */
static bool stays(const struct cls_catalogue *catalogue, const struct cls_known *k)
{
	return is_lost(k) && strcmp(cls_app_name(catalogue, k->now.app), "?") != 0;
}

struct cls_decision cls_resolve(const struct cls_catalogue *catalogue, const struct cls_known *k)
{
	struct cls_decision d = {.app = DP_APP_UNKNOWN};

	if (cls_rule_name(catalogue, k, &d))
		return d;
	if ((k->basis & CLS_BASIS_CERTIFICATE) != 0 &&
		cls_rule_certificate(catalogue, k->alias, strlen(k->alias), &d))
		return d;
	if (cls_rule_lookup(catalogue, k, &d))
		return d;
	if (stays(catalogue, k))
		return k->now;
	if (cls_rule_payload(catalogue, k, &d))
		return d;
	(void)cls_rule_place(catalogue, k, &d);
	return d;
}

struct cls_known cls_known_of_note(const struct dp_record *note)
{
	const struct dp_note *n = &note->note;

	return (struct cls_known){
		.host = n->host,
		.alias = n->alias,
		.ndpi_master = n->ndpi_master,
		.ndpi_app = n->ndpi_app,
		.basis = n->basis,
		.has_ech = n->has_ech,
		.l4_proto = n->l4_proto,
		.server_port = n->server_is_src ? n->sport : n->dport,
		.server = n->server_is_src ? &n->src : &n->dst,
		.now = {note->app, note->tag, note->evidence},
	};
}
