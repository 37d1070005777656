// SPDX-License-Identifier: BSD-3-Clause
#include "tests/lib/traffic.h"

#include "tests/lib/payload.h"
#include "tests/lib/wire.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum {
	// IMIX: frames of 64, 594 and 1518 bytes as 7:4:1, without the four of the check sequence.
	IMIX_SMALL = 60,
	IMIX_MEDIUM = 590,
	IMIX_LARGE = 1514,
	ETHERNET_BYTES = 14,
	IPV4_BYTES = 20,
	IPV6_BYTES = 40,
	TCP_BYTES = 20,
	UDP_BYTES = 8,
	GTPU_BYTES = 8,
	GTPU_DOWN_BYTES = 16, // with a PDU Session Container
	NOISE_BYTES = 65536,
	PORT_FIRST = 1024,
	PORTS = 65536 - PORT_FIRST,
	VLAN_UP = 101,
	VLAN_DOWN = 102,
};

enum { DNS_PACKETS = 2 }; // of a flow: each look-up has a port of its own (RFC 5452 9.2)

enum kind { KIND_TLS, KIND_HTTP, KIND_DNS, KIND_QUIC, KIND_COUNT };
enum tcp_flag { FIN = 0x01, SYN = 0x02, PSH = 0x08, ACK = 0x10 };

/* Where a flow of TCP stands; one of UDP is always in STEP_DATA. */
enum step {
	STEP_SYN,
	STEP_SYN_ACK,
	STEP_ACK,
	STEP_REQUEST,
	STEP_DATA,
	STEP_FIN,
	STEP_FIN_BACK,
	STEP_LAST,
	STEP_COUNT
};

struct flow {
	uint32_t n_left; // packets of data
	uint32_t seq[2]; // [0] up
	uint32_t n_begun; // flows that were here before
	uint8_t kind;
	uint8_t step;
	bool is_requested; // the first payload was sent
};

struct counts {
	uint64_t packets[2], bytes[2]; // [0] up
};

struct traffic {
	struct traffic_config cfg;
	struct wire_random random;
	struct flow *flows;
	struct counts *counts; // NULL while nobody asks
	uint64_t n_flows, stride, at;
	struct payload request[KIND_COUNT], answer[KIND_COUNT];
	uint8_t noise[NOISE_BYTES + TRAFFIC_FRAME_MAX];
};

/* One packet of a flow, before it is written. */
struct packet {
	uint64_t flow_idx;
	unsigned int dir; // 0 up
	uint8_t tcp_flags;
	bool is_bulk;
	const uint8_t *payload;
	size_t payload_len;
};

static void make_payloads(struct traffic *t)
{
	payload_tls(&t->request[KIND_TLS], &t->answer[KIND_TLS], &t->random);
	payload_http(&t->request[KIND_HTTP], &t->answer[KIND_HTTP]);
	payload_dns(&t->request[KIND_DNS], &t->answer[KIND_DNS]);
	if (t->cfg.quic_len > 0)
		memcpy(t->request[KIND_QUIC].bytes, t->cfg.quic, t->cfg.quic_len);
	t->request[KIND_QUIC].len = t->cfg.quic_len;
}

/* --- flows ------------------------------------------------------------------------------------ */

static bool is_tcp(const struct flow *f)
{
	return f->kind == KIND_TLS || f->kind == KIND_HTTP;
}

static void begin_flow(struct traffic *t, struct flow *f)
{
	f->kind = (uint8_t)wire_below(&t->random, t->cfg.quic_len > 0 ? KIND_COUNT : KIND_QUIC);
	// A question and its answer are no flow that goes on and on.
	if (f->kind == KIND_DNS && t->cfg.is_begun)
		f->kind = KIND_QUIC;
	else if (f->kind == KIND_DNS && t->cfg.n_flow_packets == 0)
		f->kind = KIND_TLS;
	f->step = is_tcp(f) && !t->cfg.is_begun ? STEP_SYN : STEP_DATA;
	f->is_requested = t->cfg.is_begun;
	f->seq[0] = wire_random(&t->random);
	f->seq[1] = wire_random(&t->random);
	f->n_left = t->cfg.n_flow_packets == 0
		? 0
		: 1 + wire_below(&t->random, 2 * t->cfg.n_flow_packets - 1);
	if (f->kind == KIND_DNS && f->n_left > DNS_PACKETS)
		f->n_left = DNS_PACKETS;
}

static uint64_t coprime(uint64_t n)
{
	uint64_t stride = (uint64_t)((double)n * 0.618) | 1;

	for (;; stride += 2) {
		uint64_t a = n, b = stride;

		while (b != 0) {
			const uint64_t rest = a % b;

			a = b;
			b = rest;
		}
		if (a == 1)
			return stride;
	}
}

struct traffic *traffic_new(const struct traffic_config *config)
{
	struct traffic *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->cfg = *config;
	if (config->quic == NULL || config->quic_len > PAYLOAD_MAX)
		t->cfg.quic_len = 0;
	t->n_flows = (uint64_t)config->n_subscribers * config->n_flows;
	// Far from the one before, as packets of many subscribers are: no cache is warm by design.
	t->stride = coprime(t->n_flows);
	t->flows = calloc(t->n_flows, sizeof(*t->flows));
	if (config->truth != NULL)
		t->counts = calloc(t->n_flows, sizeof(*t->counts));
	if (t->flows == NULL || (config->truth != NULL && t->counts == NULL)) {
		traffic_free(t);
		return NULL;
	}
	wire_random_init(&t->random, config->seed);
	for (size_t i = 0; i < sizeof(t->noise); i++)
		t->noise[i] = (uint8_t)wire_random(&t->random);
	make_payloads(t);
	for (uint64_t i = 0; i < t->n_flows; i++)
		begin_flow(t, &t->flows[i]);
	return t;
}

void traffic_free(struct traffic *t)
{
	if (t == NULL)
		return;
	free(t->flows);
	free(t->counts);
	free(t);
}

static uint32_t subscriber_of(const struct traffic *t, uint64_t flow_idx)
{
	return t->cfg.first_subscriber + (uint32_t)(flow_idx / t->cfg.n_flows);
}

static bool is_ipv6(const struct traffic *t, uint32_t subscriber)
{
	return subscriber % 100 < t->cfg.ipv6_percent;
}

static uint16_t client_port(const struct traffic *t, uint64_t flow_idx)
{
	const uint64_t slot = flow_idx % t->cfg.n_flows;

	// Those that follow each other in a place never meet: each has its own ports.
	return (uint16_t)(PORT_FIRST +
		(slot + (uint64_t)t->flows[flow_idx].n_begun * t->cfg.n_flows) %
			(PORTS / t->cfg.n_flows * t->cfg.n_flows));
}

static uint16_t server_port(const struct flow *f)
{
	static const uint16_t ports[KIND_COUNT] = {443, 80, 53, 443};

	return ports[f->kind];
}

/* 198.18.0.0/15 (RFC 2544) and 2001:db8::/32. */
static uint32_t server_of(uint64_t flow_idx, const struct flow *f)
{
	return (uint32_t)((flow_idx * 2654435761 + f->n_begun) & 0x1ffff);
}

/* --- headers ---------------------------------------------------------------------------------- */

static void put_address_4(uint8_t *p, uint32_t base, uint32_t i)
{
	wire_32(p, base + i);
}

static void put_client_6(uint8_t *p, uint32_t subscriber)
{
	static const uint8_t net[4] = {0xfd, 0x00, 0x00, 0x64};

	memcpy(p, net, sizeof(net));
	wire_32(p + 4, subscriber); // a /64 each
	memset(p + 8, 0, 7);
	p[15] = 1;
}

static void put_server_6(uint8_t *p, uint32_t server)
{
	static const uint8_t net[12] = {0x20, 0x01, 0x0d, 0xb8};

	memcpy(p, net, sizeof(net));
	wire_32(p + 12, server);
}

static void put_ipv4(uint8_t *p, size_t ip_len, uint8_t proto, uint32_t id)
{
	memset(p, 0, IPV4_BYTES);
	p[0] = 0x45;
	wire_16(p + 2, (uint32_t)ip_len);
	wire_16(p + 4, id);
	p[6] = 0x40; // don't fragment
	p[8] = 64;
	p[9] = proto;
}

static uint8_t *put_ip(struct traffic *t, uint8_t *p, const struct packet *pkt, size_t ip_len)
{
	const struct flow *f = &t->flows[pkt->flow_idx];
	const uint32_t subscriber = subscriber_of(t, pkt->flow_idx);
	const uint32_t server = server_of(pkt->flow_idx, f);
	const uint8_t proto = is_tcp(f) ? IPPROTO_TCP : IPPROTO_UDP;

	if (is_ipv6(t, subscriber)) {
		wire_32(p, 0x60000000);
		wire_16(p + 4, (uint32_t)(ip_len - IPV6_BYTES));
		p[6] = proto;
		p[7] = 64;
		put_client_6(p + (pkt->dir == 0 ? 8 : 24), subscriber);
		put_server_6(p + (pkt->dir == 0 ? 24 : 8), server);
		return p + IPV6_BYTES;
	}
	put_ipv4(p, ip_len, proto, wire_random(&t->random) & 0xffff);
	put_address_4(p + (pkt->dir == 0 ? 12 : 16), 0x64400000, subscriber); // 100.64.0.0
	put_address_4(p + (pkt->dir == 0 ? 16 : 12), 0xc6120000, server); // 198.18.0.0
	wire_16(p + 10, wire_checksum(p, IPV4_BYTES));
	return p + IPV4_BYTES;
}

static uint8_t *put_l4(struct traffic *t, uint8_t *p, const struct packet *pkt)
{
	struct flow *f = &t->flows[pkt->flow_idx];
	const uint16_t client = client_port(t, pkt->flow_idx);

	wire_16(p, pkt->dir == 0 ? client : server_port(f));
	wire_16(p + 2, pkt->dir == 0 ? server_port(f) : client);
	if (!is_tcp(f)) {
		wire_16(p + 4, (uint32_t)(UDP_BYTES + pkt->payload_len));
		wire_16(p + 6, 0);
		return p + UDP_BYTES;
	}
	wire_32(p + 4, f->seq[pkt->dir]);
	wire_32(p + 8, (pkt->tcp_flags & ACK) != 0 ? f->seq[!pkt->dir] : 0);
	p[12] = 0x50;
	p[13] = pkt->tcp_flags;
	wire_16(p + 14, 65535);
	wire_32(p + 16, 0);
	f->seq[pkt->dir] += (uint32_t)pkt->payload_len +
		((pkt->tcp_flags & (SYN | FIN)) != 0); // RFC 9293 3.4: each takes a number
	return p + TCP_BYTES;
}

/* 3GPP TS 29.281 5.1; down with the PDU Session Container of TS 38.415. */
static uint8_t *put_gtpu(struct traffic *t, uint8_t *p, const struct packet *pkt, size_t inner_len)
{
	const size_t gtpu_len = pkt->dir == 0 ? GTPU_BYTES : GTPU_DOWN_BYTES;
	const size_t ip_len = IPV4_BYTES + UDP_BYTES + gtpu_len + inner_len;

	put_ipv4(p, ip_len, IPPROTO_UDP, 0);
	put_address_4(p + (pkt->dir == 0 ? 12 : 16), 0xc0000200, 1); // 192.0.2.1, a base station
	put_address_4(p + (pkt->dir == 0 ? 16 : 12), 0xc0000200, 2);
	wire_16(p + 10, wire_checksum(p, IPV4_BYTES));
	p += IPV4_BYTES;
	wire_16(p, 2152);
	wire_16(p + 2, 2152);
	wire_16(p + 4, (uint32_t)(ip_len - IPV4_BYTES));
	wire_16(p + 6, 0);
	p += UDP_BYTES;
	p[0] = pkt->dir == 0 ? 0x30 : 0x34;
	p[1] = 0xff;
	wire_16(p + 2, (uint32_t)(gtpu_len - GTPU_BYTES + inner_len));
	wire_32(p + 4, (pkt->dir == 0 ? 0x10000000 : 0x20000000) | subscriber_of(t, pkt->flow_idx));
	if (pkt->dir != 0)
		memcpy(p + 8, "\x00\x00\x00\x85\x01\x00\x09\x00", 8);
	return p + gtpu_len;
}

static uint8_t *put_link(struct traffic *t, uint8_t *p, const struct packet *pkt)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
	const bool is_6 = !t->cfg.is_gtpu && is_ipv6(t, subscriber_of(t, pkt->flow_idx));

	memcpy(p, macs, sizeof(macs));
	p += sizeof(macs);
	if (t->cfg.is_vlan) {
		wire_32(p, 0x81000000 | (pkt->dir == 0 ? VLAN_UP : VLAN_DOWN));
		p += 4;
	}
	wire_16(p, is_6 ? 0x86dd : 0x0800);
	return p + 2;
}

static size_t headers_of(const struct traffic *t, uint64_t flow_idx)
{
	const size_t ip = is_ipv6(t, subscriber_of(t, flow_idx)) ? IPV6_BYTES : IPV4_BYTES;

	return ip + (is_tcp(&t->flows[flow_idx]) ? TCP_BYTES : UDP_BYTES);
}

static size_t put_packet(struct traffic *t, uint8_t *frame, const struct packet *pkt)
{
	const size_t ip_len = headers_of(t, pkt->flow_idx) + pkt->payload_len;
	const struct flow *f = &t->flows[pkt->flow_idx];
	uint8_t *p = put_link(t, frame, pkt);

	if (t->cfg.is_gtpu)
		p = put_gtpu(t, p, pkt, ip_len);
	p = put_ip(t, p, pkt, ip_len);
	p = put_l4(t, p, pkt);
	memcpy(p, pkt->payload, pkt->payload_len);
	if (pkt->is_bulk && f->kind == KIND_QUIC && pkt->payload_len > 0)
		*p = 0x40 | (*p & 0x3f); // RFC 9000 17.3, a short header
	if (pkt->is_bulk && f->kind == KIND_TLS && pkt->payload_len > TLS_RECORD_BYTES)
		payload_tls_record(p, pkt->payload_len);
	p += pkt->payload_len;
	while (p < frame + IMIX_SMALL) // as Ethernet does
		*p++ = 0;
	if (t->counts != NULL) {
		t->counts[pkt->flow_idx].packets[pkt->dir]++;
		t->counts[pkt->flow_idx].bytes[pkt->dir] += ip_len;
	}
	return (size_t)(p - frame);
}

/* --- what comes next --------------------------------------------------------------------------- */

static size_t imix(struct wire_random *random)
{
	const uint32_t i = wire_below(random, 12);

	return i < 7 ? IMIX_SMALL : i < 11 ? IMIX_MEDIUM : IMIX_LARGE;
}

/* Of a frame of data. */
static size_t bulk_size(struct traffic *t, const struct flow *f)
{
	const size_t size = imix(&t->random);

	if (!t->cfg.has_acks_only)
		return size;
	if (is_tcp(f))
		return IMIX_SMALL;
	return size == IMIX_SMALL ? IMIX_MEDIUM : size;
}

/* Bulk: one packet of four goes up. DNS asks, is answered, and that is all. */
static struct packet data_packet(struct traffic *t, uint64_t flow_idx)
{
	struct flow *f = &t->flows[flow_idx];
	const size_t headers = ETHERNET_BYTES + headers_of(t, flow_idx), size = bulk_size(t, f);
	const uint32_t r = wire_random(&t->random);
	struct packet pkt = {.flow_idx = flow_idx, .dir = r % 4 != 0, .tcp_flags = ACK};
	const struct payload *seed = NULL;

	if (f->kind == KIND_DNS) {
		pkt.dir = f->is_requested;
		seed = pkt.dir == 0 ? &t->request[KIND_DNS] : &t->answer[KIND_DNS];
		f->is_requested = !f->is_requested;
	} else if (!f->is_requested) {
		pkt.dir = is_tcp(f); // the client's first word was STEP_REQUEST
		seed = pkt.dir == 0 ? &t->request[f->kind] : &t->answer[f->kind];
		f->is_requested = true;
	}
	pkt.is_bulk = seed == NULL;
	pkt.payload = seed != NULL ? seed->bytes : t->noise + (r >> 2) % NOISE_BYTES;
	pkt.payload_len = seed != NULL ? seed->len : size > headers ? size - headers : 0;
	if (seed == NULL && size == IMIX_SMALL && is_tcp(f))
		pkt.payload_len = 0; // an acknowledgement, and padding
	return pkt;
}

static struct packet next_packet(struct traffic *t, uint64_t flow_idx)
{
	static const struct {
		uint8_t tcp_flags, dir;
	} steps[STEP_COUNT] = {
		[STEP_SYN] = {SYN, 0},
		[STEP_SYN_ACK] = {SYN | ACK, 1},
		[STEP_ACK] = {ACK, 0},
		[STEP_REQUEST] = {PSH | ACK, 0},
		[STEP_FIN] = {FIN | ACK, 0},
		[STEP_FIN_BACK] = {FIN | ACK, 1},
		[STEP_LAST] = {ACK, 0},
	};
	const struct flow *f = &t->flows[flow_idx];
	struct packet pkt = {.flow_idx = flow_idx,
		.dir = steps[f->step].dir,
		.tcp_flags = steps[f->step].tcp_flags,
		.payload = t->noise};

	if (f->step == STEP_DATA)
		return data_packet(t, flow_idx);
	if (f->step == STEP_REQUEST) {
		pkt.payload = t->request[f->kind].bytes;
		pkt.payload_len = t->request[f->kind].len;
	}
	return pkt;
}

static void write_flow(struct traffic *t, uint64_t flow_idx)
{
	const struct flow *f = &t->flows[flow_idx];
	const struct counts *c = &t->counts[flow_idx];
	const uint32_t subscriber = subscriber_of(t, flow_idx);
	const bool is_6 = is_ipv6(t, subscriber);
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	uint8_t a[16], b[16];

	if (is_6) {
		put_client_6(a, subscriber);
		put_server_6(b, server_of(flow_idx, f));
	} else {
		put_address_4(a, 0x64400000, subscriber);
		put_address_4(b, 0xc6120000, server_of(flow_idx, f));
	}
	(void)inet_ntop(is_6 ? AF_INET6 : AF_INET, a, src, sizeof(src));
	(void)inet_ntop(is_6 ? AF_INET6 : AF_INET, b, dst, sizeof(dst));
	(void)fprintf(t->cfg.truth,
		"{\"src\":\"%s\",\"sport\":%u,\"dst\":\"%s\",\"dport\":%u,\"l4\":\"%s\","
		"\"packets\":[%llu,%llu],\"bytes\":[%llu,%llu]}\n",
		src, client_port(t, flow_idx), dst, server_port(f), is_tcp(f) ? "tcp" : "udp",
		(unsigned long long)c->packets[0], (unsigned long long)c->packets[1],
		(unsigned long long)c->bytes[0], (unsigned long long)c->bytes[1]);
}

static void end_flow(struct traffic *t, uint64_t flow_idx)
{
	if (t->counts != NULL) {
		write_flow(t, flow_idx);
		t->counts[flow_idx] = (struct counts){0};
	}
	t->flows[flow_idx].n_begun++;
	begin_flow(t, &t->flows[flow_idx]);
}

/* The packet is written: where the flow stands now. */
static void step_on(struct traffic *t, uint64_t flow_idx)
{
	struct flow *f = &t->flows[flow_idx];

	if (f->step != STEP_DATA)
		f->step++;
	else if (t->cfg.n_flow_packets != 0 && --f->n_left == 0)
		f->step = is_tcp(f) ? STEP_FIN : STEP_COUNT;
	if (f->step == STEP_COUNT)
		end_flow(t, flow_idx);
}

size_t traffic_next(struct traffic *t, uint8_t *frame)
{
	const uint64_t flow_idx = t->at;
	const struct packet pkt = next_packet(t, flow_idx);
	const size_t len = put_packet(t, frame, &pkt);

	t->at = (t->at + t->stride) % t->n_flows;
	__builtin_prefetch(&t->flows[t->at]);
	step_on(t, flow_idx);
	return len;
}

void traffic_write_rest(struct traffic *t)
{
	for (uint64_t i = 0; t->counts != NULL && i < t->n_flows; i++)
		if (t->counts[i].packets[0] + t->counts[i].packets[1] > 0)
			write_flow(t, i);
}
