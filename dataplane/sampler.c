// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/sampler.h"

#include "dataplane/hash.h"
#include "dataplane/pages.h"

#include <errno.h>
#include <netinet/in.h>
#include <rte_common.h>
#include <rte_ring.h>
#include <stdlib.h>

/* What is known of a flow, by its index: a slot's number from 1 on, or one of these. */
enum { NOT_ASKED = 0, DONE = UINT16_MAX };
static_assert((int)DP_SAMPLER_SLOTS_MAX < (int)DONE);

struct dp_sampler {
	struct dp_sampler_config cfg; // but for one_in
	_Atomic uint32_t one_in;
	uint32_t n_flows;
	uint16_t *flows; // [n_flows + 1]
	uint8_t *slots;
	size_t slot_bytes;
	uint16_t n_slots;
	uint16_t n_free;
	uint16_t free_list[DP_SAMPLER_SLOTS_MAX];
	struct rte_ring *full, *empty; // to the writer and back: each has room for all slots
	struct dp_sampler_counters counters;
};

/* --- life ------------------------------------------------------------------------------------- */

static struct rte_ring *new_ring(void)
{
	const unsigned int n = DP_SAMPLER_SLOTS_MAX * 2; // one place of a ring stays free
	const ssize_t size = rte_ring_get_memsize(n);
	struct rte_ring *ring = size < 0
		? NULL
		: aligned_alloc(
			  RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL((size_t)size, RTE_CACHE_LINE_SIZE));

	if (ring != NULL && rte_ring_init(ring, "samples", n, RING_F_SP_ENQ | RING_F_SC_DEQ) == 0)
		return ring;
	free(ring);
	return NULL;
}

static size_t slot_bytes(const struct dp_sampler_config *c)
{
	return RTE_ALIGN_CEIL(sizeof(struct dp_sample) + (size_t)c->n_packets * c->snap_bytes,
		RTE_CACHE_LINE_SIZE);
}

static uint16_t slots_of(size_t bytes)
{
	const size_t n = DP_SAMPLER_BYTES / bytes;

	return (uint16_t)RTE_MIN(
		RTE_MAX(n, (size_t)DP_SAMPLER_SLOTS_MIN), (size_t)DP_SAMPLER_SLOTS_MAX);
}

int dp_sampler_new(
	const struct dp_sampler_config *c, uint32_t n_flows, struct dp_sampler **ret_sampler)
{
	struct dp_sampler *s = aligned_alloc(
		RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(sizeof(*s), RTE_CACHE_LINE_SIZE));

	if (s == NULL)
		return -ENOMEM;
	*s = (struct dp_sampler){.cfg = *c, .n_flows = n_flows, .slot_bytes = slot_bytes(c)};
	atomic_init(&s->one_in, c->one_in);
	s->n_slots = slots_of(s->slot_bytes);
	s->flows = calloc((size_t)n_flows + 1, sizeof(*s->flows));
	s->slots = aligned_alloc(RTE_CACHE_LINE_SIZE, s->n_slots * s->slot_bytes);
	s->full = new_ring();
	s->empty = new_ring();
	if (s->flows == NULL || s->slots == NULL || s->full == NULL || s->empty == NULL) {
		dp_sampler_free(s);
		return -ENOMEM;
	}
	while (s->n_free < s->n_slots) {
		s->free_list[s->n_free] = (uint16_t)(s->n_slots - s->n_free);
		s->n_free++;
	}
	*ret_sampler = s;
	return 0;
}

void dp_sampler_free(struct dp_sampler *s)
{
	if (s == NULL)
		return;
	free(s->flows);
	free(s->slots);
	free(s->full);
	free(s->empty);
	free(s);
}

void dp_sampler_make_resident(struct dp_sampler *s)
{
	// A whole pass: malloc's blocks begin and end within pages.
	memset(s->flows, 0, ((size_t)s->n_flows + 1) * sizeof(*s->flows));
	memset(s->slots, 0, s->n_slots * s->slot_bytes);
}

void dp_sampler_set_rate(struct dp_sampler *s, uint32_t one_in)
{
	atomic_store_explicit(&s->one_in, one_in, memory_order_relaxed);
}

const struct dp_sampler_counters *dp_sampler_counters(const struct dp_sampler *s)
{
	return &s->counters;
}

/* --- slots ------------------------------------------------------------------------------------ */

static struct dp_sample *slot(const struct dp_sampler *s, uint16_t number)
{
	return (struct dp_sample *)(s->slots + (size_t)(number - 1) * s->slot_bytes);
}

/* 0: none is free. */
static uint16_t get_slot(struct dp_sampler *s)
{
	void *back;

	if (s->n_free > 0)
		return s->free_list[--s->n_free];
	if (rte_ring_sc_dequeue(s->empty, &back) != 0)
		return 0;
	return (uint16_t)(uintptr_t)back;
}

static bool has_slot(uint16_t state)
{
	return state != NOT_ASKED && state != DONE;
}

static void free_slot(struct dp_sampler *s, uint32_t flow)
{
	const uint16_t state = s->flows[flow];

	if (!has_slot(state))
		return;
	s->free_list[s->n_free++] = state;
	dp_count(&s->counters.known, 1);
}

/* --- which flows ------------------------------------------------------------------------------ */

struct barred {
	uint16_t first, last; // inclusive
};

/* Of TCP and UDP alike, IANA's registry unless noted. */
static const struct barred barred[] = {
	{20, 21}, // FTP: names and passwords in clear, and files behind them
	{23, 23}, // Telnet
	{25, 25}, // SMTP
	{53, 53}, // DNS
	{67, 69}, // DHCP: hardware addresses and names of devices; TFTP
	{88, 88}, // Kerberos: names of people
	{109, 110}, // POP
	{119, 119}, // NNTP
	{137, 139}, // NetBIOS: names of people and devices
	{143, 143}, // IMAP
	{161, 162}, // SNMP: communities
	{194, 194}, // IRC
	{220, 220}, // IMAP3
	{389, 389}, // LDAP
	{445, 445}, // SMB
	{465, 465}, // submission over TLS: whose mail server says who
	{512, 515}, // rexec, rlogin, rsh, syslog, printers
	{546, 547}, // DHCPv6
	{587, 587}, // submission
	{601, 601}, // syslog
	{636, 636}, // LDAP over TLS
	{853, 853}, // DNS over TLS and QUIC
	{873, 873}, // rsync
	{989, 995}, // FTP, Telnet, IMAP, IRC, POP over TLS
	{1645, 1646}, // RADIUS, as it was
	{1812, 1813}, // RADIUS: subscribers
	{2123, 2123}, // GTP-C: subscribers
	{2152, 2152}, // GTP-U that could not be opened: a subscriber's packet inside
	{2904, 2905}, // M2UA, M3UA
	{3386, 3386}, // GTP'
	{3799, 3799}, // RADIUS, dynamic authorisation
	{3868, 3868}, // Diameter: subscribers
	{5060, 5061}, // SIP: telephone numbers
	{5222, 5223}, // XMPP
	{5269, 5269}, // XMPP
	{5353, 5355}, // multicast DNS, LLMNR
	{5658, 5658}, // Diameter over TLS
	{6514, 6514}, // syslog over TLS
	{6660, 6669}, // IRC, in use
	{8805, 8805}, // PFCP: subscribers
	{14001, 14001}, // SUA
};

static bool is_port_barred(uint16_t port)
{
	for (size_t i = 0; i < RTE_DIM(barred); i++) {
		if (port >= barred[i].first && port <= barred[i].last)
			return true;
	}
	return false;
}

bool dp_sampler_is_barred(const struct dp_five_tuple *t)
{
	// An ICMP error carries its cause, addresses included; SCTP is the signalling of operators; the rest
	// is the library's to name.
	if (t->l4_proto != IPPROTO_TCP && t->l4_proto != IPPROTO_UDP)
		return true;
	return is_port_barred(t->sport) || is_port_barred(t->dport);
}

/* One in so many, by who talks to whom since when: what nobody without the key can foresee. */
static bool is_chosen(const struct dp_sampler *s, const struct dp_sampler_flow *of)
{
	const uint64_t one_in = atomic_load_explicit(&s->one_in, memory_order_relaxed);
	const struct dp_five_tuple *t = of->tuple;
	const uint64_t ports = (uint64_t)t->l4_proto << 32 | (uint64_t)t->sport << 16 | t->dport;
	uint64_t h;

	if (one_in == 0)
		return false;
	h = dp_hash_bytes(of->first_ns, t->src.b, sizeof(t->src.b));
	h = dp_hash_mix(dp_hash_bytes(h, t->dst.b, sizeof(t->dst.b)), ports);
	return (h >> 32) * one_in >> 32 == 0;
}

static uint16_t choose(struct dp_sampler *s, const struct dp_sampler_flow *of)
{
	struct dp_sample *sample;
	uint16_t number;

	if (!is_chosen(s, of))
		return DONE;
	if (of->is_ambiguous || dp_sampler_is_barred(of->tuple)) {
		dp_count(&s->counters.barred, 1);
		return DONE;
	}
	number = get_slot(s);
	if (number == 0) {
		dp_count(&s->counters.no_slot, 1);
		return DONE;
	}
	dp_count(&s->counters.chosen, 1);
	sample = slot(s, number);
	sample->tuple = *of->tuple;
	sample->endpoint = *of->endpoint;
	sample->server_is_src = of->server_is_src;
	sample->n_packets = 0;
	sample->snap_bytes = s->cfg.snap_bytes;
	return number;
}

/* --- packets ---------------------------------------------------------------------------------- */

bool dp_sampler_is_done(const struct dp_sampler *s, uint32_t flow)
{
	return s->flows[flow] == DONE;
}

void dp_sampler_add(struct dp_sampler *s, uint32_t flow, const struct dp_sampler_flow *of,
	const struct dp_stage_item *item, uint32_t ip_bytes)
{
	struct dp_sample *sample;
	struct dp_sample_packet *p;

	if (s->flows[flow] == NOT_ASKED)
		s->flows[flow] = choose(s, of);
	if (s->flows[flow] == DONE)
		return;
	sample = slot(s, s->flows[flow]);
	if (sample->n_packets == s->cfg.n_packets)
		return;
	p = &sample->packets[sample->n_packets];
	*p = (struct dp_sample_packet){.time_ns = item->time_ns,
		.ip_bytes = ip_bytes,
		.len = (uint16_t)RTE_MIN(item->l3_len, (uint32_t)s->cfg.snap_bytes),
		.is_from_dst = item->is_from_dst};
	memcpy(dp_sample_bytes(sample, sample->n_packets), item->l3, p->len);
	sample->n_packets++;
}

void dp_sampler_drop(struct dp_sampler *s, uint32_t flow)
{
	free_slot(s, flow);
	s->flows[flow] = DONE;
}

void dp_sampler_hand_over(
	struct dp_sampler *s, uint32_t flow, uint16_t ndpi_master, uint16_t ndpi_app)
{
	const uint16_t state = s->flows[flow];

	s->flows[flow] = DONE;
	if (!has_slot(state))
		return;
	slot(s, state)->ndpi_master = ndpi_master;
	slot(s, state)->ndpi_app = ndpi_app;
	(void)rte_ring_sp_enqueue(s->full, (void *)(uintptr_t)state); // has room for all
	dp_count(&s->counters.handed_over, 1);
}

void dp_sampler_forget(struct dp_sampler *s, uint32_t flow)
{
	free_slot(s, flow);
	s->flows[flow] = NOT_ASKED;
}

/* --- the writer ------------------------------------------------------------------------------- */

struct dp_sample *dp_sampler_take(struct dp_sampler *s)
{
	void *number;

	return rte_ring_sc_dequeue(s->full, &number) == 0 ? slot(s, (uint16_t)(uintptr_t)number)
							  : NULL;
}

void dp_sampler_give_back(struct dp_sampler *s, struct dp_sample *sample)
{
	const uintptr_t i = (uintptr_t)((uint8_t *)sample - s->slots) / s->slot_bytes;

	(void)rte_ring_sp_enqueue(s->empty, (void *)(i + 1)); // has room for all
}
