// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/capture.h"
#include "dataplane/capture_time.h"
#include "dataplane/pcapng.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <unistd.h>

struct any {
	struct dp_capture base;
	pcap_t *pcap;
	const struct dp_pcapng *walk; // borrowed until pcap is closed
	int link_type; // of the latest record
	enum dp_link link; // the same
};

/* A pcapng file may claim any second of 64 bits: within what control's arithmetic and JSON can hold. */
static uint64_t time_of(const struct any *c, const struct pcap_pkthdr *h)
{
	int64_t ns;

	if (!c->walk->has_interface) // a pcap file
		return dp_capture_pcap_time(h->ts.tv_sec, h->ts.tv_usec);
	if (h->ts.tv_sec < 0)
		return 0;
	// With nanosecond precision tv_usec holds nanoseconds (pcap_open_offline_with_tstamp_precision).
	if (__builtin_mul_overflow((int64_t)h->ts.tv_sec, INT64_C(1000000000), &ns) ||
		__builtin_add_overflow(ns, (int64_t)h->ts.tv_usec, &ns))
		return INT64_MAX;
	return ns > 0 ? (uint64_t)ns : 0;
}

/* The interfaces of a pcapng file may be of several link types. */
static int follow_link(struct any *c, struct dp_err *reterr)
{
	const int link_type = c->walk->packet_link;

	if (!c->walk->has_interface || link_type == c->link_type)
		return 0;
	c->link_type = link_type;
	if (dp_capture_link_of(link_type, &c->link))
		return 0;
	return dp_fail(reterr, EPROTONOSUPPORT, "link type %s (%d), %s",
		dp_capture_link_name(link_type), link_type, dp_capture_links_expected);
}

/* One at a time: libpcap's buffer holds the latest record. */
static int any_next(
	struct dp_capture *base, struct dp_capture_record *ret, int, struct dp_err *reterr)
{
	struct any *c = (struct any *)base;
	struct pcap_pkthdr *header;
	int r = pcap_next_ex(c->pcap, &header, &ret->data);

	if (r == PCAP_ERROR)
		return dp_fail(reterr, EIO, "%s", pcap_geterr(c->pcap));
	if (r != 1)
		return 0;
	r = follow_link(c, reterr);
	if (r < 0)
		return r;
	ret->time_ns = time_of(c, header);
	ret->cap_len = header->caplen;
	ret->wire_len = c->walk->packet_bytes != 0 ? c->walk->packet_bytes : header->len;
	if (ret->wire_len < header->caplen)
		ret->wire_len = header->caplen;
	ret->link = c->link;
	return 1;
}

static void any_close(struct dp_capture *base)
{
	struct any *c = (struct any *)base;

	if (c->pcap != NULL)
		pcap_close(c->pcap);
	free(c);
}

int dp_capture_open_any(
	int fd, const char *path, struct dp_capture **ret_capture, struct dp_err *reterr)
{
	static const struct dp_capture_ops ops = {.next = any_next, .close = any_close};
	char errbuf[PCAP_ERRBUF_SIZE];
	struct any *c = calloc(1, sizeof(*c));
	FILE *fp;
	int r;

	if (c == NULL) {
		(void)close(fd);
		return dp_fail(reterr, ENOMEM, "cannot read '%s': %m", path);
	}
	c->base.ops = &ops;
	fp = dp_pcapng_open(fd, &c->walk);
	if (fp == NULL) {
		r = dp_fail(reterr, errno, "cannot read '%s': %m", path);
		goto fail;
	}
	c->pcap = pcap_fopen_offline_with_tstamp_precision(fp, PCAP_TSTAMP_PRECISION_NANO, errbuf);
	if (c->pcap == NULL) {
		(void)fclose(fp);
		r = dp_fail(reterr, EINVAL, "cannot read '%s': %s; expected a pcap or pcapng file",
			path, errbuf);
		goto fail;
	}
	c->link_type = pcap_datalink(c->pcap);
	if (!dp_capture_link_of(c->link_type, &c->link)) {
		r = dp_fail(reterr, EPROTONOSUPPORT, "cannot read '%s': link type %s (%d), %s",
			path, dp_capture_link_name(c->link_type), c->link_type,
			dp_capture_links_expected);
		goto fail;
	}
	*ret_capture = &c->base;
	return 0;
fail:
	any_close(&c->base);
	return r;
}
