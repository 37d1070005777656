// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/offload_traffic.h"

#include "tests/unit/frame.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum { ETHERNET = 1, SNAP_LEN = 262144 };

static const uint64_t S = 1000000000, BEGIN_S = 1772740800;

struct tuple {
	char inside[INET6_ADDRSTRLEN], outside[INET6_ADDRSTRLEN];
	uint16_t inside_port, outside_port;
	uint8_t proto;
	bool is_ipv6;
	uint32_t seq[2]; // next of each side
	uint32_t syn_seq;
};

struct maker {
	struct offload_traffic_config cfg;
	FILE *file;
	uint64_t random;
	uint64_t now_ns;
	uint64_t n_frames;
	struct tuple *tuples; // owned
	uint32_t busy; // the tuples around it are the ones that send now
	uint16_t ip_id;
};

/* xorshift64*; below n. */
static uint32_t chance(struct maker *m, uint32_t n)
{
	m->random ^= m->random >> 12;
	m->random ^= m->random << 25;
	m->random ^= m->random >> 27;
	return (uint32_t)(m->random * 0x2545f4914f6cdd1dULL >> 33) % n;
}

static void must(bool is_ok)
{
	if (!is_ok)
		abort();
}

/* --- the file ---------------------------------------------------------------------------------- */

static void put32(FILE *file, uint32_t v)
{
	must(fwrite(&v, sizeof(v), 1, file) == 1);
}

static void put_header(FILE *file)
{
	put32(file, 0xa1b23c4d); // pcap-savefile(5): nanoseconds
	put32(file, 4U << 16 | 2);
	put32(file, 0);
	put32(file, 0);
	put32(file, SNAP_LEN);
	put32(file, ETHERNET);
}

static void put_frame(struct maker *m, struct frame *f)
{
	const uint32_t len = frame_len(f);
	uint32_t cap_len = len;

	if (m->cfg.oddities > 0 && chance(m, 4 * m->cfg.oddities) == 0)
		cap_len = 1 + chance(m, len);
	put32(m->file, (uint32_t)(m->now_ns / S));
	put32(m->file, (uint32_t)(m->now_ns % S));
	put32(m->file, cap_len);
	put32(m->file, len);
	must(fwrite(frame_bytes(f), cap_len, 1, m->file) == 1);
	m->n_frames++;
}

/* --- frames ------------------------------------------------------------------------------------ */

static uint8_t *put_ip(
	struct frame *f, const struct tuple *t, bool is_down, uint8_t proto, uint16_t frag)
{
	const char *src = is_down ? t->outside : t->inside, *dst = is_down ? t->inside : t->outside;

	if (t->is_ipv6)
		return frame_ipv6(f, proto, src, dst);
	return frame_ipv4_with(f, proto, src, dst, frag, 0);
}

/* Below IP: sometimes in a tunnel or behind tags. */
static void put_link(struct maker *m, struct frame *f, bool is_ipv6)
{
	uint16_t type = is_ipv6 ? 0x86dd : 0x0800;

	if (chance(m, 12) == 0) {
		frame_gtpu(f, 7, chance(m, 2));
		frame_udp(f, 2152, 2152);
		frame_ipv4(f, IPPROTO_UDP, "192.0.2.1", "192.0.2.2");
		type = 0x0800;
	}
	if (chance(m, 10) == 0) {
		frame_tag(f, type, chance(m, 3) == 0 ? OFFLOAD_TRAFFIC_VLAN : 100);
		type = 0x8100;
	}
	frame_ethernet(f, type);
}

static void put_payload(struct maker *m, struct frame *f, uint32_t n)
{
	uint8_t bytes[256];

	for (uint32_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)chance(m, 256);
	frame_put(f, bytes, n);
}

static uint32_t payload_len(struct maker *m)
{
	return 1 + chance(m, 160);
}

/* --- packets ----------------------------------------------------------------------------------- */

/* What a TCP says next; mostly data and its acknowledgements, now and then a beginning or an end. */
static uint8_t tcp_flags(struct maker *m)
{
	static const uint8_t rare[] = {SYN, SYN, SYN | ACK, FIN | ACK, FIN | ACK, RST, RST | ACK,
		FIN | SYN | ACK, SYN | RST, 0};

	return chance(m, 6) == 0 ? rare[chance(m, sizeof(rare))] : ACK;
}

static uint32_t seq_of(struct maker *m, struct tuple *t, bool is_down, uint8_t flags)
{
	if ((flags & (SYN | ACK)) != SYN)
		return t->seq[is_down];
	// The same handshake once more, or another one with the same ports.
	if (t->syn_seq == 0 || chance(m, 2) == 0)
		t->syn_seq = 1 + chance(m, 1U << 30);
	t->seq[is_down] = t->syn_seq;
	return t->syn_seq;
}

static void put_tcp(struct maker *m, struct tuple *t, bool is_down)
{
	const uint8_t flags = tcp_flags(m);
	const bool has_data = flags == ACK ? chance(m, 3) > 0 : chance(m, 8) == 0;
	const uint32_t len = has_data ? payload_len(m) : 0, seq = seq_of(m, t, is_down, flags);
	struct frame f;

	put_payload(m, frame_new(&f), len);
	frame_tcp(&f, is_down ? t->outside_port : t->inside_port,
		is_down ? t->inside_port : t->outside_port, flags, seq);
	frame_set32(frame_bytes(&f) + 8, t->seq[!is_down]);
	put_ip(&f, t, is_down, IPPROTO_TCP, 0);
	put_link(m, &f, t->is_ipv6);
	put_frame(m, &f);
	t->seq[is_down] = seq + len + ((flags & (SYN | FIN)) != 0);
}

static void put_udp(struct maker *m, const struct tuple *t, bool is_down)
{
	struct frame f;

	put_payload(m, frame_new(&f), chance(m, 10) == 0 ? 0 : payload_len(m));
	if (t->proto == IPPROTO_UDP)
		frame_udp(&f, is_down ? t->outside_port : t->inside_port,
			is_down ? t->inside_port : t->outside_port);
	put_ip(&f, t, is_down, t->proto, 0);
	put_link(m, &f, t->is_ipv6);
	put_frame(m, &f);
}

/* A datagram in two or three fragments, in any order, and sometimes one is missing. */
static void put_fragments(struct maker *m, const struct tuple *t, bool is_down)
{
	const unsigned int n = 2 + chance(m, 2), missing = chance(m, 12), turn = chance(m, n);
	const uint16_t id = ++m->ip_id;
	struct frame f;

	for (unsigned int k = 0; k < n; k++) {
		const unsigned int i = (k + turn) % n;
		uint8_t *ip;

		if (i == missing)
			continue;
		put_payload(m, frame_new(&f), i == 0 ? 56 : 64);
		if (i == 0) { // its header says how long all of it is
			frame_udp(&f, is_down ? t->outside_port : t->inside_port,
				is_down ? t->inside_port : t->outside_port);
			frame_set16(frame_bytes(&f) + 4, n * 64);
		}
		ip = put_ip(
			&f, t, is_down, IPPROTO_UDP, (uint16_t)(i * 8 | (i + 1 < n ? 0x2000 : 0)));
		frame_set16(ip + 4, id);
		put_link(m, &f, false);
		put_frame(m, &f);
		m->now_ns += chance(m, 5) == 0 ? 6 * S : chance(m, 1000000);
	}
}

static void put_odd(struct maker *m, const struct tuple *t, bool is_down)
{
	struct frame f;

	switch (chance(m, 4)) {
	case 0:
		put_payload(m, frame_new(&f), 46);
		frame_ethernet(&f, 0x0806);
		put_frame(m, &f);
		break;
	case 1:
		put_payload(m, frame_new(&f), 40);
		put_ip(&f, t, is_down, t->proto, 0)[0] = 0x41; // shorter than a header
		frame_ethernet(&f, t->is_ipv6 ? 0x86dd : 0x0800);
		put_frame(m, &f);
		break;
	default:
		if (!t->is_ipv6 && t->proto == IPPROTO_UDP)
			put_fragments(m, t, is_down);
		break;
	}
}

/* --- all of it --------------------------------------------------------------------------------- */

static void make_tuple(struct maker *m, struct tuple *t)
{
	static const uint16_t servers[] = {53, 53, 80, 443, 443, 8805, 8080};
	static const uint8_t protos[] = {
		IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP, IPPROTO_ICMP};
	const uint32_t client = 1 + chance(m, 6), kind = chance(m, 12);

	*t = (struct tuple){.proto = protos[chance(m, sizeof(protos))],
		.inside_port = (uint16_t)(40000 + chance(m, 40)),
		.outside_port = servers[chance(m, 7)],
		.is_ipv6 = kind >= 8 && kind < 10};
	if (t->is_ipv6) { // both in one /64, or apart
		(void)snprintf(
			t->inside, sizeof(t->inside), "fd00::%u:0:0:0:%u", 1 + client % 2, client);
		(void)snprintf(t->outside, sizeof(t->outside), "2001:db8::%u", 1 + chance(m, 4));
		return;
	}
	(void)snprintf(t->inside, sizeof(t->inside), "10.0.0.%u", client);
	(void)snprintf(t->outside, sizeof(t->outside), "203.0.113.%u", 1 + chance(m, 4));
	if (kind == 10) // both are endpoints, or one that talks to itself
		(void)snprintf(t->outside, sizeof(t->outside), "10.0.0.%u", 1 + chance(m, 6));
	if (kind == 11) // none is
		(void)snprintf(t->inside, sizeof(t->inside), "198.51.100.%u", client);
	if (chance(m, 16) == 0)
		t->inside_port = t->outside_port;
}

/* Just before a life span has passed, or just behind. */
static uint64_t pause_ns(struct maker *m)
{
	static const uint32_t lives_s[] = {
		9, 10, 11, 59, 60, 61, 179, 180, 181, 299, 300, 301, 1, 3, 700, 3600};

	return lives_s[chance(m, sizeof(lives_s) / sizeof(lives_s[0]))] * S +
		chance(m, 2) * (S / 2);
}

static void go_on(struct maker *m)
{
	m->now_ns += 1000ULL * chance(m, 2 * m->cfg.step_us + 1);
	if (m->cfg.pauses > 0 && chance(m, m->cfg.pauses) == 0)
		m->now_ns += pause_ns(m);
	if (chance(m, 60) == 0)
		m->busy = chance(m, m->cfg.n_tuples);
}

static void put_next(struct maker *m)
{
	const uint32_t i = chance(m, 4) == 0 ? chance(m, m->cfg.n_tuples) : m->busy + chance(m, 3);
	struct tuple *t = &m->tuples[i % m->cfg.n_tuples];
	const bool is_down = chance(m, 2) == 0;

	go_on(m);
	if (m->cfg.oddities > 0 && chance(m, m->cfg.oddities) == 0)
		put_odd(m, t, is_down);
	else if (t->proto == IPPROTO_TCP)
		put_tcp(m, t, is_down);
	else
		put_udp(m, t, is_down);
}

void offload_traffic_init(
	struct offload_traffic *ret_traffic, const struct offload_traffic_config *config)
{
	struct maker m = {.cfg = *config,
		.random = config->seed * 0x9e3779b97f4a7c15ULL | 1,
		.now_ns = BEGIN_S * S};
	const int fd = memfd_create("traffic", MFD_CLOEXEC);
	int written_fd;

	must(fd >= 0);
	written_fd = dup(fd);
	must(written_fd >= 0);
	m.file = fdopen(written_fd, "w");
	m.tuples = calloc(config->n_tuples, sizeof(*m.tuples));
	must(m.file != NULL && m.tuples != NULL);
	put_header(m.file);
	for (uint32_t i = 0; i < config->n_tuples; i++)
		make_tuple(&m, &m.tuples[i]);
	while (m.n_frames < config->n_frames)
		put_next(&m);
	must(fclose(m.file) == 0);
	free(m.tuples);
	*ret_traffic = (struct offload_traffic){
		.fd = fd, .n_frames = m.n_frames, .begin_ns = BEGIN_S * S, .end_ns = m.now_ns};
	(void)snprintf(ret_traffic->path, sizeof(ret_traffic->path), "/proc/self/fd/%d", fd);
}

void offload_traffic_fini(struct offload_traffic *t)
{
	(void)close(t->fd);
}
