// SPDX-License-Identifier: BSD-3-Clause
#include "tests/integration/reload_sender.h"

#include "tests/lib/wire.h"

#include <glib.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <sched.h>
#include <stdlib.h>

enum {
	N_COPIES = 8, // of each recording at a time, each of a subscriber of its own
	N_WAVES = 10,
	N_IN_FLIGHT = 768, // frames: no queue is ever full, none is ever empty for long
	IP_LEN = 14 + 2, // in an Ethernet frame
	IP_PROTO = 14 + 9,
	IP_SRC = 14 + 12,
	IP_DST = 14 + 16,
	UDP_LEN = 14 + 20 + 4,
};

static const char *const recordings[] = {"tls-netflix", "tls-music", "tls-chat", "tls-web",
	"tls-rival", "quic-video", "dns", "http-web", "http-download", "tls12-news"};
enum { N_RECORDINGS = sizeof(recordings) / sizeof(recordings[0]) };

static GArray *recorded[N_RECORDINGS]; // struct frame

struct frame {
	uint16_t len;
	uint8_t bytes[SENDER_FRAME_MAX];
};

/* The recording host saw segments before they were cut to the wire's size. */
static void cut(struct frame *f, size_t len)
{
	f->len = (uint16_t)MIN(len, SENDER_FRAME_MAX);
	if (len <= SENDER_FRAME_MAX)
		return;
	wire_16(f->bytes + IP_LEN, SENDER_FRAME_MAX - 14);
	if (f->bytes[IP_PROTO] == IPPROTO_UDP)
		wire_16(f->bytes + UDP_LEN, SENDER_FRAME_MAX - 14 - 20);
}

/* NULL when it cannot be read. */
static GArray *read_recording(const char *name)
{
	g_autofree char *file = g_strdup_printf(
		"%s/pcaps/recorded/%s.pcap", getenv("WIRECUE_TOP"), name);
	GArray *frames = g_array_new(FALSE, FALSE, sizeof(struct frame));
	char errbuf[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(file, errbuf);
	struct pcap_pkthdr *header;
	const u_char *bytes;

	while (pcap != NULL && pcap_next_ex(pcap, &header, &bytes) == 1) {
		struct frame f = {0};

		if (header->caplen <= UDP_LEN)
			break;
		memcpy(f.bytes, bytes, MIN(header->caplen, SENDER_FRAME_MAX));
		cut(&f, header->len);
		g_array_append_val(frames, f);
	}
	if (pcap != NULL)
		pcap_close(pcap);
	if (frames->len > 0)
		return frames;
	g_array_free(frames, TRUE);
	return NULL;
}

bool sender_read(void)
{
	for (size_t i = 0; i < N_RECORDINGS; i++) {
		recorded[i] = read_recording(recordings[i]);
		if (recorded[i] == NULL)
			return false;
	}
	return true;
}

void sender_forget(void)
{
	for (size_t i = 0; i < N_RECORDINGS && recorded[i] != NULL; i++)
		g_array_free(recorded[i], TRUE);
}

/* The recorded subscriber becomes another one; who reads frames checks no checksum. */
static void set_subscriber(uint8_t *frame, uint32_t n)
{
	static const uint8_t recorded_prefix[2] = {10, 20};
	const uint8_t addr[4] = {10, 99, (uint8_t)(n >> 8), (uint8_t)n};

	for (size_t at = IP_SRC; at <= IP_DST; at += IP_DST - IP_SRC)
		if (memcmp(frame + at, recorded_prefix, sizeof(recorded_prefix)) == 0)
			memcpy(frame + at, addr, sizeof(addr));
}

uint64_t sender_n_worked(const struct dp_path *path)
{
	struct dp_path_stats s;
	uint64_t n = 0;

	dp_path_stats(path, &s);
	for (int i = 0; i < DP_OUTCOME_COUNT; i++)
		n += s.outcomes[i];
	return n;
}

static void flush(struct sender *s)
{
	const uint64_t n_sent = atomic_load(&s->n_sent);
	unsigned int n = 0;

	while (n_sent + s->n_burst > atomic_load(&s->may_send) ||
		n_sent + s->n_burst > sender_n_worked(s->path) + N_IN_FLIGHT)
		(void)sched_yield();
	while (n < s->n_burst)
		n += rte_ring_enqueue_burst(
			s->ring, (void *const *)s->burst + n, s->n_burst - n, NULL);
	atomic_store(&s->n_sent, n_sent + n);
	s->n_burst = 0;
}

static void send_frame(struct sender *s, const struct frame *f, uint32_t subscriber)
{
	struct rte_mbuf *m;

	while ((m = rte_pktmbuf_alloc(s->pool)) == NULL)
		flush(s);
	memcpy(rte_pktmbuf_append(m, f->len), f->bytes, f->len);
	set_subscriber(rte_pktmbuf_mtod(m, uint8_t *), subscriber);
	s->burst[s->n_burst++] = m;
	if (s->n_burst == SENDER_BURST)
		flush(s);
}

/* Frame i of every recording and copy, then frame i + 1: each flow lives as long as the wave. */
static void send_wave(struct sender *s, uint32_t wave)
{
	bool is_any = true;

	for (guint i = 0; is_any; i++) {
		is_any = false;
		for (uint32_t k = 0; k < N_RECORDINGS * N_COPIES; k++) {
			const GArray *frames = recorded[k % N_RECORDINGS];

			if (i >= frames->len)
				continue;
			is_any = true;
			send_frame(s, &g_array_index(frames, struct frame, i),
				wave * N_RECORDINGS * N_COPIES + k);
		}
	}
}

void *sender_run(void *arg)
{
	struct sender *s = arg;

	for (uint32_t wave = 0; wave < N_WAVES; wave++)
		send_wave(s, wave);
	flush(s);
	atomic_store(&s->is_done, true);
	return NULL;
}

uint64_t sender_n_frames(void)
{
	uint64_t n = 0;

	for (size_t i = 0; i < N_RECORDINGS; i++)
		n += recorded[i]->len;
	return n * N_COPIES * N_WAVES;
}
