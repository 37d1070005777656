// SPDX-License-Identifier: BSD-3-Clause
#include "control/flow_sample.h"

#include "control/flow_name.h"
#include "control/pcap_file.h"
#include "dataplane/capture.h"
#include "dataplane/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RECORDS = 64 };

struct writer {
	const struct dp_five_tuple *flow;
	struct dp_endpoint_nets nets; // whose side is whose does not matter here
	FILE *out;
	enum dp_link link; // of the first packet; the file has one
	unsigned int n_whole;
	struct ctl_sample sample;
};

static void put(struct writer *w, const void *bytes, size_t len)
{
	(void)fwrite(bytes, 1, len, w->out); // an error stays in the stream
}

static void put_head(struct writer *w, enum dp_link link)
{
	uint8_t head[CTL_PCAP_HEAD_BYTES];

	w->link = link;
	ctl_pcap_head(link, head);
	put(w, head, sizeof(head));
}

static void put_record(struct writer *w, const struct dp_capture_record *r, uint32_t cap_len)
{
	uint8_t head[CTL_PCAP_RECORD_BYTES];

	ctl_pcap_record(r->time_ns, cap_len, r->wire_len, head);
	put(w, head, sizeof(head));
	put(w, r->data, cap_len);
}

/* How much of the frame is kept: its headers, and of the payload what may still be. */
static uint32_t kept(struct writer *w, const struct dp_pkt *pkt, uint32_t cap_len)
{
	const uint32_t payload_off = pkt->l3_off + (pkt->ip_bytes - pkt->payload_bytes);
	uint32_t len = payload_off;

	if (pkt->payload_bytes > 0 && w->n_whole < CTL_SAMPLE_WHOLE_MAX) {
		w->n_whole++;
		len += MIN(pkt->payload_bytes, (uint32_t)CTL_SAMPLE_PAYLOAD_MAX);
	}
	return MIN(len, cap_len);
}

static void take(struct writer *w, const struct dp_capture_record *r)
{
	struct dp_pkt pkt;

	if (dp_packet_parse(r->data, r->cap_len, r->wire_len, r->link, &w->nets, &pkt) !=
			DP_OUTCOME_ACCOUNTED ||
		!ctl_flow_name_is(&pkt.tuple, w->flow))
		return;
	if (w->sample.n_packets == 0)
		put_head(w, r->link);
	if (r->link != w->link || w->sample.n_packets == CTL_SAMPLE_PACKETS_MAX) {
		w->sample.n_left_out++;
		return;
	}
	w->sample.n_packets++;
	put_record(w, r, kept(w, &pkt, r->cap_len));
}

static int open_capture(const char *path, struct dp_capture **ret_capture, struct dp_err *reterr)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		const int e = errno;

		if (fd >= 0)
			(void)close(fd);
		return dp_fail(
			reterr, e, "cannot read '%s': %m, expected a readable capture", path);
	}
	if (!S_ISREG(st.st_mode) || !dp_capture_open_pcap(fd, (uint64_t)st.st_size, ret_capture))
		return dp_capture_open_any(fd, path, ret_capture, reterr);
	(void)close(fd); // the mapping stays
	return 0;
}

/* Where a capture breaks off its packets end: the replay before has said so. */
static int read_capture(struct writer *w, const char *path, struct dp_err *reterr)
{
	struct dp_capture_record records[RECORDS];
	struct dp_capture *capture;
	int n, r = open_capture(path, &capture, reterr);

	if (r < 0)
		return r;
	while ((n = capture->ops->next(capture, records, RECORDS, NULL)) > 0) {
		for (int i = 0; i < n; i++)
			take(w, &records[i]);
	}
	capture->ops->close(capture);
	return 0;
}

static int open_file(const char *path, FILE **ret_out, struct dp_err *reterr)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	*ret_out = fd < 0 ? NULL : fdopen(fd, "w");
	if (*ret_out == NULL)
		return dp_fail(reterr, errno, "cannot write '%s': %m, expected a new file", path);
	return 0;
}

int ctl_sample_write(const char *const *captures, size_t n_captures,
	const struct dp_five_tuple *flow, const char *path, struct ctl_sample *ret_sample,
	struct dp_err *reterr)
{
	struct writer w = {.flow = flow};
	int r = open_file(path, &w.out, reterr);
	bool is_broken;

	if (r < 0)
		return r;
	dp_endpoint_nets_default(&w.nets);
	for (size_t i = 0; i < n_captures && r == 0; i++)
		r = read_capture(&w, captures[i], reterr);
	if (r == 0 && w.sample.n_packets == 0)
		r = dp_fail(reterr, ENOENT,
			"the captures have no whole packet of that flow, expected one that is not in "
			"fragments");
	is_broken = ferror(w.out);
	if ((fclose(w.out) != 0 || is_broken) && r == 0)
		r = dp_fail(reterr, EIO, "cannot write '%s': %m", path);
	if (r < 0)
		(void)unlink(path);
	else
		*ret_sample = w.sample;
	return r;
}
