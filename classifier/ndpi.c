// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/ndpi.h"

#include <errno.h>
#include <ndpi_api.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <strings.h>

static_assert(NDPI_MAJOR == 4 && NDPI_MINOR == 2, "this adapter speaks nDPI 4.2");

enum {
	PROTO_NAMES_MAX = 1024,
	/* Packets of a flow, empty ones included, after which the library is asked for its last
	 * word: what nDPI's own reader uses (24 and 80). The library looks at 32 by itself. */
	UDP_PACKETS_MAX = 24,
	TCP_PACKETS_MAX = 80,
	POOL_MAX = 65536, // flows in dissection per worker: 45 MB of states; start value
};

/* nDPI's modules share library globals while they are made and freed. */
static pthread_mutex_t module_mutex = PTHREAD_MUTEX_INITIALIZER;

/* Cross-flow caches would make a verdict depend on which flows one worker saw before, so on the
 * number of workers. The library calls these two through its PLT; ours come first. */
u_int8_t ndpi_lru_find_cache(
	struct ndpi_lru_cache *, u_int32_t, u_int16_t *, u_int8_t /* clean_key_when_found */)
{
	return 0;
}

void ndpi_lru_add_to_cache(struct ndpi_lru_cache *, u_int32_t, u_int16_t)
{
}

struct pooled_flow {
	struct ndpi_flow_struct flow; // first: the library sees only this
	struct pooled_flow *next_free;
	bool is_decided; // app was told to the worker
	struct dp_verdict verdict;
};

struct stage {
	struct ndpi_detection_module_struct *nd;
	const struct cls_catalogue *catalogue; // of this call
	_Atomic(const struct cls_catalogue *) next_catalogue; // written by control
	struct pooled_flow *scratch; // where a flow's first packet is tried
	struct pooled_flow *free_list;
	size_t n_pooled;
};

static struct ndpi_detection_module_struct *module_new(void)
{
	NDPI_PROTOCOL_BITMASK all;

	pthread_mutex_lock(&module_mutex);

	struct ndpi_detection_module_struct *nd = ndpi_init_detection_module(ndpi_no_prefs);

	if (nd != NULL) {
		NDPI_BITMASK_SET_ALL(all);
		ndpi_set_protocol_detection_bitmask2(nd, &all);
		ndpi_finalize_initialization(nd);
	}
	pthread_mutex_unlock(&module_mutex);
	return nd;
}

static void module_free(struct ndpi_detection_module_struct *nd)
{
	pthread_mutex_lock(&module_mutex);
	ndpi_exit_detection_module(nd);
	pthread_mutex_unlock(&module_mutex);
}

/* The library's names, read once: a module costs 10 ms and 5 MB. */
static struct {
	pthread_once_t once;
	char name[PROTO_NAMES_MAX][32];
	size_t n;
} protos = {.once = PTHREAD_ONCE_INIT};

static void load_names(void)
{
	struct ndpi_detection_module_struct *nd = module_new();

	if (nd == NULL)
		return;
	protos.n = ndpi_get_num_supported_protocols(nd);
	if (protos.n > PROTO_NAMES_MAX)
		protos.n = PROTO_NAMES_MAX;
	for (size_t i = 0; i < protos.n; i++)
		(void)snprintf(protos.name[i], sizeof(protos.name[i]), "%s",
			ndpi_get_proto_name(nd, (u_int16_t)i));
	module_free(nd);
}

int cls_ndpi_proto_by_name(const char *name)
{
	(void)pthread_once(&protos.once, load_names);
	for (size_t i = 0; i < protos.n; i++) {
		if (strcasecmp(protos.name[i], name) == 0)
			return (int)i;
	}
	return -ENOENT;
}

const char *cls_ndpi_name(size_t proto)
{
	(void)pthread_once(&protos.once, load_names);
	return proto < protos.n ? protos.name[proto] : NULL;
}

char *cls_proto_name(uint16_t master, uint16_t app, char *buf, size_t size)
{
	(void)pthread_once(&protos.once, load_names);

	const char *m = master < protos.n ? protos.name[master] : "?";
	const char *a = app < protos.n ? protos.name[app] : "?";

	if (master == NDPI_PROTOCOL_UNKNOWN || master == app)
		(void)snprintf(buf, size, "%s", a);
	else if (app == NDPI_PROTOCOL_UNKNOWN)
		(void)snprintf(buf, size, "%s", m);
	else
		(void)snprintf(buf, size, "%s.%s", m, a);
	return buf;
}

const char *cls_ndpi_version(void)
{
	return ndpi_revision();
}

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
static void copy_host(char dst[DP_HOST_MAX], const char *src)
{
	size_t i = 0;

	for (; i + 1 < DP_HOST_MAX && src[i] != '\0'; i++) {
		const char c = src[i];

		if (c >= 'A' && c <= 'Z')
			dst[i] = (char)(c + ('a' - 'A'));
		else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
			c == '_' || c == ':')
			dst[i] = c;
		else
			dst[i] = '?';
	}
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
static bool decide_by_name(const struct stage *s, const struct ndpi_flow_struct *f,
	const ndpi_protocol *p, struct dp_verdict *v)
{
	const uint8_t evidence = name_evidence(p);
	const bool is_named = v->host[0] != '\0' && evidence != DP_EVIDENCE_DNS;

	if (is_named && decide(v, cls_match_host(s->catalogue, v->host, strlen(v->host)), evidence))
		return true;
	if (is_named && f->confidence == NDPI_CONFIDENCE_DPI &&
		decide(v, cls_match_ndpi(s->catalogue, p->app_protocol), evidence))
		return true;
	if (!is_tls(p) || f->protos.tls_quic.server_names == NULL)
		return false;
	for (const char *n = f->protos.tls_quic.server_names; *n != '\0';) {
		const size_t len = strcspn(n, ",");
		const size_t skip = strncmp(n, "*.", 2) == 0
			? 2
			: 0; // a wildcard stands for its parent

		if (decide(v, cls_match_host(s->catalogue, n + skip, len - skip), DP_EVIDENCE_CERT))
			return true;
		n += len + (n[len] == ',');
	}
	return false;
}

/* What the library recognised itself; weak kinds only as the last word. */
static bool decide_by_protocol(const struct stage *s, const struct ndpi_flow_struct *f,
	const ndpi_protocol *p, bool is_last_word, struct dp_verdict *v)
{
	enum dp_evidence evidence;

	switch (f->confidence) {
	case NDPI_CONFIDENCE_DPI:
		evidence = DP_EVIDENCE_PAYLOAD;
		break;
	case NDPI_CONFIDENCE_MATCH_BY_IP:
		evidence = DP_EVIDENCE_ADDRESS;
		break;
	default:
		evidence = DP_EVIDENCE_PORT;
		break;
	}
	if (evidence != DP_EVIDENCE_PAYLOAD && !is_last_word)
		return false;
	// DNS.NetFlix is a look-up, not a film.
	if (name_evidence(p) == DP_EVIDENCE_DNS)
		return decide(v, cls_match_ndpi(s->catalogue, NDPI_PROTOCOL_DNS), evidence);
	return decide(v, cls_match_ndpi(s->catalogue, p->app_protocol), evidence) ||
		decide(v, cls_match_ndpi(s->catalogue, p->master_protocol), evidence);
}

static void resolve(const struct stage *s, const struct dp_stage_item *item, struct pooled_flow *pf,
	const ndpi_protocol *p, bool is_last_word)
{
	struct dp_verdict *v = &pf->verdict;
	const struct ndpi_flow_struct *f = &pf->flow;
	const struct dp_five_tuple *t = item->tuple;

	v->ndpi_master = p->master_protocol;
	v->ndpi_app = p->app_protocol;
	v->risk_bits = f->risk;
	v->is_final = is_last_word;
	if (name_evidence(p) != DP_EVIDENCE_NONE)
		copy_host(v->host, f->host_server_name);
	if (is_tls(p) && f->protos.tls_quic.encrypted_sni.esni != NULL)
		v->has_ech = true;
	if (v->app != DP_APP_UNDECIDED)
		return;
	if (decide_by_name(s, f, p, v) || decide_by_protocol(s, f, p, is_last_word, v))
		return;
	if (!is_last_word)
		return;
	if (decide(v, cls_match_net(s->catalogue, item->server_is_src ? &t->src : &t->dst),
		    DP_EVIDENCE_ADDRESS) ||
		decide(v,
			cls_match_port(s->catalogue, t->l4_proto,
				item->server_is_src ? t->sport : t->dport),
			DP_EVIDENCE_PORT))
		return;
	v->app = DP_APP_UNKNOWN;
	v->evidence = DP_EVIDENCE_NONE;
}

/* Back to the state of a flow never seen. */
static void wipe(struct pooled_flow *pf)
{
	ndpi_free_flow_data(&pf->flow);
	memset(pf, 0, sizeof(*pf));
}

static void give_back(struct stage *s, struct dp_stage_item *item, struct pooled_flow *pf)
{
	wipe(pf);
	if (pf == s->scratch)
		return;
	pf->next_free = s->free_list;
	s->free_list = pf;
	*item->state = NULL;
}

/* A state for a flow that needs more than one packet; NULL when the pool is at its bound. */
static struct pooled_flow *take(struct stage *s)
{
	struct pooled_flow *pf = s->free_list;

	if (pf != NULL) {
		s->free_list = pf->next_free;
		pf->next_free = NULL;
		return pf;
	}
	if (s->n_pooled == POOL_MAX)
		return NULL;
	pf = calloc(1, sizeof(*pf));
	if (pf != NULL)
		s->n_pooled++;
	return pf;
}

/* The scratch state moves into the pool: the library keeps no pointer to the struct itself. */
static struct pooled_flow *keep_scratch(struct stage *s, struct dp_stage_item *item)
{
	struct pooled_flow *pf = take(s);

	if (pf == NULL)
		return NULL;
	*pf = *s->scratch;
	memset(s->scratch, 0, sizeof(*s->scratch));
	*item->state = pf;
	return pf;
}

static ndpi_protocol last_word(struct stage *s, struct pooled_flow *pf, ndpi_protocol p)
{
	u_int8_t was_guessed;

	if (p.app_protocol == NDPI_PROTOCOL_UNKNOWN)
		return ndpi_detection_giveup(s->nd, &pf->flow, 1, &was_guessed);
	return p;
}

static bool has_enough(const struct dp_stage_item *item)
{
	switch (item->tuple->l4_proto) {
	case IPPROTO_UDP:
		return item->n_packets > UDP_PACKETS_MAX;
	case IPPROTO_TCP:
		return item->n_packets > TCP_PACKETS_MAX;
	default:
		return false;
	}
}

static void dissect(struct stage *s, struct dp_stage_item *item)
{
	struct pooled_flow *pf = *item->state != NULL ? *item->state : s->scratch;
	ndpi_protocol p = ndpi_detection_process_packet(s->nd, &pf->flow, item->l3,
		(uint16_t)(item->l3_len < UINT16_MAX ? item->l3_len : UINT16_MAX),
		item->time_ns / 1000000);
	const bool is_enough = has_enough(item) || pf->flow.fail_with_unknown;
	bool is_last_word = is_enough ||
		(p.app_protocol != NDPI_PROTOCOL_UNKNOWN &&
			!ndpi_extra_dissection_possible(s->nd, &pf->flow));

	if (!is_last_word && pf == s->scratch) {
		pf = keep_scratch(s, item);
		if (pf == NULL) { // pool at its bound: what one packet told is all there will be
			pf = s->scratch;
			is_last_word = true;
			pf->verdict.is_cut = true;
		}
	}
	if (is_last_word)
		p = last_word(s, pf, p);
	resolve(s, item, pf, &p, is_last_word);
	item->verdict = pf->verdict;
	if (is_last_word)
		give_back(s, item, pf);
}

static void adopt_catalogue(struct stage *s)
{
	s->catalogue = atomic_load_explicit(&s->next_catalogue, memory_order_acquire);
}

void cls_stage_set_catalogue(struct dp_stage *stage, const struct cls_catalogue *catalogue)
{
	struct stage *s = stage->self;

	atomic_store_explicit(&s->next_catalogue, catalogue, memory_order_release);
}

static void stage_burst(void *stage, struct dp_stage_item *items, uint16_t n)
{
	adopt_catalogue(stage);
	for (uint16_t i = 0; i < n; i++)
		dissect(stage, &items[i]);
}

/* Headers as the flow's first packet had them: enough for the library to guess by address and port
 * where no payload ever came. Returns its length. */
static uint16_t headers_of(const struct dp_five_tuple *t, uint8_t buf[64])
{
	const bool is_v4 = dp_addr_is_v4(&t->src);
	const uint16_t l4_off = is_v4 ? 20 : 40;
	const uint16_t l4_len = t->l4_proto == IPPROTO_TCP ? 20 : 8;
	uint8_t *l4 = buf + l4_off;

	memset(buf, 0, 64);
	if (is_v4) { // RFC 791 3.1
		buf[0] = 0x45;
		buf[3] = (uint8_t)(l4_off + l4_len);
		buf[8] = 64;
		buf[9] = t->l4_proto;
		memcpy(buf + 12, t->src.b + 12, 4);
		memcpy(buf + 16, t->dst.b + 12, 4);
	} else { // RFC 8200 3
		buf[0] = 0x60;
		buf[5] = (uint8_t)l4_len;
		buf[6] = t->l4_proto;
		buf[7] = 64;
		memcpy(buf + 8, t->src.b, 16);
		memcpy(buf + 24, t->dst.b, 16);
	}
	l4[0] = (uint8_t)(t->sport >> 8);
	l4[1] = (uint8_t)t->sport;
	l4[2] = (uint8_t)(t->dport >> 8);
	l4[3] = (uint8_t)t->dport;
	if (t->l4_proto == IPPROTO_TCP) { // RFC 9293 3.1
		l4[12] = 0x50;
		l4[13] = 0x02; // SYN
	} else {
		l4[5] = (uint8_t)l4_len; // RFC 768, Length
	}
	return (uint16_t)(l4_off + l4_len);
}

/* A flow's last word. Where the library never took a packet (no payload, or each was cut by a snap
 * length) it is shown the headers, so that it can still guess. */
static void stage_finish(void *stage, struct dp_stage_item *item)
{
	struct stage *s = stage;
	struct pooled_flow *pf = *item->state != NULL ? *item->state : s->scratch;
	ndpi_protocol p = {
		.app_protocol = pf->verdict.ndpi_app, .master_protocol = pf->verdict.ndpi_master};

	adopt_catalogue(s); // a round may end flows without a burst before
	if (!pf->flow.protocol_id_already_guessed) {
		uint8_t buf[64];
		const uint16_t len = headers_of(item->tuple, buf);

		p = ndpi_detection_process_packet(
			s->nd, &pf->flow, buf, len, item->time_ns / 1000000);
	}
	p = last_word(s, pf, p);
	resolve(s, item, pf, &p, true);
	item->verdict = pf->verdict;
	give_back(s, item, pf);
}

static void stage_free(void *stage)
{
	struct stage *s = stage;

	if (s == NULL)
		return;
	while (s->free_list != NULL) {
		struct pooled_flow *pf = s->free_list;

		s->free_list = pf->next_free;
		free(pf);
	}
	free(s->scratch);
	if (s->nd != NULL)
		module_free(s->nd);
	free(s);
}

int cls_stage_new(
	const struct cls_catalogue *catalogue, struct dp_stage *ret_stage, struct dp_err *reterr)
{
	static const struct dp_stage_ops ops = {
		.burst = stage_burst, .finish = stage_finish, .free = stage_free};
	struct stage *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return dp_fail(reterr, ENOMEM, "cannot set up the classifier: %m");
	atomic_init(&s->next_catalogue, catalogue);
	s->scratch = calloc(1, sizeof(*s->scratch));
	s->nd = module_new();
	if (s->scratch == NULL || s->nd == NULL) {
		stage_free(s);
		return dp_fail(reterr, ENOMEM, "cannot set up nDPI %s: %m", ndpi_revision());
	}
	*ret_stage = (struct dp_stage){.ops = &ops, .self = s};
	return 0;
}
