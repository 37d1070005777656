// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/pcapng.h"
#include "dataplane/source.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FRAME_MAX = UINT16_MAX, // what an mbuf segment can describe; behind it nothing is parsed
	RECORD_HEADER_BYTES = 16, // pcap's; only for the progress bar
	LINKTYPE_RAW = 101, // pcap-linktype(7): DLT_RAW in a file, where it is 12 or 14 too
	LINKTYPE_RAW_OPENBSD = 14,
};

static const char EXPECTED[] =
	"expected Ethernet, raw IP, Linux cooked, PPP, PPPoE, Cisco HDLC, BSD loopback or "
	"IEEE 802.11";

struct file {
	pcap_t *pcap;
	const struct dp_pcapng *walk; // borrowed until pcap is closed
	const char *path; // borrowed
	int link_type; // of the next record
	enum dp_link link; // the same
	struct pcap_pkthdr *header; // the next record, borrowed from pcap until it is read on
	const uint8_t *data;
	uint32_t wire_len;
	uint64_t time_ns;
	uint64_t n_read; // records
	bool is_done;
};

struct source_file {
	struct dp_source base;
	struct rte_mempool *pool;
	bool is_exact;
	struct file *files;
	size_t n_files;
	uint64_t last_ns; // what was delivered last: time never runs backwards
	bool is_broken;
	dp_counter received, position;
	uint64_t size;
};

/* link_type: as libpcap says it (DLT_) or a pcapng file (LINKTYPE_), pcap-linktype(7). */
static bool link_of(int link_type, enum dp_link *ret_link)
{
	static const struct {
		int link_type;
		enum dp_link link;
	} known[] = {
		{DLT_EN10MB, DP_LINK_ETHERNET},
		{DLT_RAW, DP_LINK_RAW_IP},
		{LINKTYPE_RAW, DP_LINK_RAW_IP},
		{LINKTYPE_RAW_OPENBSD, DP_LINK_RAW_IP},
		{DLT_IPV4, DP_LINK_RAW_IP},
		{DLT_IPV6, DP_LINK_RAW_IP},
		{DLT_LINUX_SLL, DP_LINK_SLL},
		{DLT_LINUX_SLL2, DP_LINK_SLL2},
		{DLT_PPP, DP_LINK_PPP},
		{DLT_PPP_SERIAL, DP_LINK_PPP_HDLC},
		{DLT_PPP_ETHER, DP_LINK_PPPOE},
		{DLT_C_HDLC, DP_LINK_CHDLC},
		{DLT_NULL, DP_LINK_NULL},
		{DLT_LOOP, DP_LINK_NULL},
		{DLT_IEEE802_11, DP_LINK_WLAN},
		{DLT_IEEE802_11_RADIO, DP_LINK_RADIOTAP},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].link_type == link_type) {
			*ret_link = known[i].link;
			return true;
		}
	}
	return false;
}

static const char *link_name(int link_type)
{
	const char *name = pcap_datalink_val_to_name(link_type);

	return name != NULL ? name : "unknown";
}

/* A file may claim any second of 64 bits: within what control's arithmetic and JSON can hold. */
static uint64_t time_of(const struct pcap_pkthdr *h)
{
	int64_t ns;

	if (h->ts.tv_sec < 0)
		return 0;
	// With nanosecond precision tv_usec holds nanoseconds (pcap_open_offline_with_tstamp_precision).
	if (__builtin_mul_overflow((int64_t)h->ts.tv_sec, INT64_C(1000000000), &ns) ||
		__builtin_add_overflow(ns, (int64_t)h->ts.tv_usec, &ns))
		return INT64_MAX;
	return ns > 0 ? (uint64_t)ns : 0;
}

/* Nothing more of this file. The first sentence of all files stays. */
static void break_off(struct source_file *s, struct file *f, const char *why)
{
	f->is_done = true;
	if (s->is_broken)
		return;
	s->is_broken = true;
	(void)dp_fail(&s->base.err, EIO,
		"'%s' breaks off after frame %llu: %s; what was read is reported", f->path,
		(unsigned long long)f->n_read, why);
}

/* The interfaces of a pcapng file may be of several link types. */
static bool has_link(struct source_file *s, struct file *f)
{
	const int link_type = f->walk->packet_link;
	struct dp_err why;

	if (!f->walk->has_interface || link_type == f->link_type)
		return true;
	f->link_type = link_type;
	if (link_of(link_type, &f->link))
		return true;
	(void)dp_fail(&why, EPROTONOSUPPORT, "link type %s (%d), %s", link_name(link_type),
		link_type, EXPECTED);
	break_off(s, f, why.text);
	return false;
}

/* Step to the file's next record. A file that breaks off is done, and the sentence says where. */
static void advance(struct source_file *s, struct file *f)
{
	const int r = pcap_next_ex(f->pcap, &f->header, &f->data);

	if (r == 1 && has_link(s, f)) {
		f->time_ns = time_of(f->header);
		f->wire_len = f->walk->packet_bytes != 0 ? f->walk->packet_bytes : f->header->len;
		f->n_read++;
	} else if (r == PCAP_ERROR) {
		break_off(s, f, pcap_geterr(f->pcap));
	} else {
		f->is_done = true;
	}
}

static struct file *earliest(struct source_file *s)
{
	struct file *best = NULL;

	for (size_t i = 0; i < s->n_files; i++) {
		struct file *f = &s->files[i];

		if (!f->is_done && (best == NULL || f->time_ns < best->time_ns))
			best = f;
	}
	return best;
}

/* A frame outside of its mbuf. The shared info is not in the frame's block, or the frame would not
 * end where its block does. */
struct outside {
	struct rte_mbuf_ext_shared_info info;
	uint8_t *block; // owned
};

static void free_outside(void *, void *opaque)
{
	struct outside *o = opaque;

	free(o->block);
	free(o);
}

/* Copy a frame into m. Frames that fit use the mbuf's own room; larger ones, or all of them when
 * is_exact, a heap block of their size. */
static int fill(struct rte_mbuf *m, const uint8_t *data, uint16_t len, bool is_exact)
{
	if (!is_exact && len <= rte_pktmbuf_tailroom(m)) {
		memcpy(rte_pktmbuf_append(m, len), data, len);
		return 0;
	}

	struct outside *o = malloc(sizeof(*o));
	uint8_t *block = malloc(len > 0 ? len : 1);

	if (o == NULL || block == NULL) {
		free(o);
		free(block);
		return -ENOMEM;
	}
	memcpy(block, data, len);
	o->block = block;
	o->info.free_cb = free_outside;
	o->info.fcb_opaque = o;
	rte_mbuf_ext_refcnt_set(&o->info, 1);
	rte_pktmbuf_attach_extbuf(m, block, RTE_BAD_IOVA, len, &o->info);
	m->data_off = 0;
	m->data_len = len;
	m->pkt_len = len;
	return 0;
}

static struct rte_mbuf *read_frame(struct source_file *s, struct file *f)
{
	const uint32_t caplen = f->header->caplen;
	struct rte_mbuf *m = rte_pktmbuf_alloc(s->pool);

	if (m == NULL)
		return NULL; // workers still hold them all: later
	if (fill(m, f->data, (uint16_t)(caplen < FRAME_MAX ? caplen : FRAME_MAX), s->is_exact) <
		0) {
		rte_pktmbuf_free(m);
		return NULL;
	}

	struct dp_pkt *p = rte_mbuf_to_priv(m);

	if (f->time_ns > s->last_ns)
		s->last_ns = f->time_ns;
	p->time_ns = s->last_ns;
	// A record may claim fewer bytes on the wire than it holds; then what it holds is the truth.
	p->wire_bytes = f->wire_len > caplen ? f->wire_len : caplen;
	dp_count(&s->received, 1);
	dp_count(&s->position, caplen + RECORD_HEADER_BYTES);
	return m;
}

static enum dp_poll file_poll(
	struct dp_source *base, struct rte_mbuf **mbufs, uint16_t max, uint16_t *ret_n)
{
	struct source_file *s = (struct source_file *)base;
	uint16_t n = 0;

	for (; n < max; n++) {
		struct file *f = earliest(s);

		if (f == NULL)
			break;
		// One burst, one link type: the receiver parses bursts.
		if (n > 0 && f->link != base->link)
			break;
		base->link = f->link;
		mbufs[n] = read_frame(s, f);
		if (mbufs[n] == NULL)
			break;
		advance(s, f);
	}
	*ret_n = n;
	if (n > 0 || earliest(s) != NULL)
		return DP_POLL_MORE;
	return s->is_broken ? DP_POLL_BROKEN : DP_POLL_END;
}

static void file_stats(const struct dp_source *base, struct dp_source_stats *ret_stats)
{
	const struct source_file *s = (const struct source_file *)base;

	*ret_stats = (struct dp_source_stats){.received = dp_counter_get(&s->received),
		.position = dp_counter_get(&s->position),
		.size = s->size};
}

static void file_close(struct dp_source *base)
{
	struct source_file *s = (struct source_file *)base;

	for (size_t i = 0; i < s->n_files; i++) {
		if (s->files[i].pcap != NULL)
			pcap_close(s->files[i].pcap);
	}
	free(s->files);
	free(s);
}

static int open_one(struct source_file *s, struct file *f, const char *path, struct dp_err *reterr)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	struct stat st;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return dp_fail(
			reterr, errno, "cannot read '%s': %m, expected a readable capture", path);
	if (fstat(fd, &st) != 0) {
		const int e = errno;

		(void)close(fd);
		return dp_fail(reterr, e, "cannot read '%s': %m", path);
	}
	if (S_ISDIR(st.st_mode)) {
		(void)close(fd);
		return dp_fail(reterr, EISDIR,
			"cannot read '%s': a directory, expected a capture file", path);
	}
	if (S_ISREG(st.st_mode))
		s->size += (uint64_t)st.st_size;
	f->path = path;

	FILE *fp = dp_pcapng_open(fd, &f->walk);

	if (fp == NULL)
		return dp_fail(reterr, errno, "cannot read '%s': %m", path);
	f->pcap = pcap_fopen_offline_with_tstamp_precision(fp, PCAP_TSTAMP_PRECISION_NANO, errbuf);
	if (f->pcap == NULL) {
		(void)fclose(fp);
		return dp_fail(reterr, EINVAL,
			"cannot read '%s': %s; expected a pcap or pcapng file", path, errbuf);
	}

	f->link_type = pcap_datalink(f->pcap);
	if (link_of(f->link_type, &f->link))
		return 0;
	return dp_fail(reterr, EPROTONOSUPPORT, "cannot read '%s': link type %s (%d), %s", path,
		link_name(f->link_type), f->link_type, EXPECTED);
}

int dp_source_file_open(const char *const *paths, size_t n_paths, struct rte_mempool *pool,
	bool is_exact, struct dp_source **ret_source, struct dp_err *reterr)
{
	static const struct dp_source_ops ops = {
		.poll = file_poll, .stats = file_stats, .close = file_close};
	struct source_file *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return dp_fail(reterr, ENOMEM, "cannot read the captures: %m");
	s->base = (struct dp_source){.ops = &ops, .self = s, .has_time = true};
	s->pool = pool;
	s->is_exact = is_exact;
	s->files = calloc(n_paths, sizeof(*s->files));
	if (s->files == NULL) {
		free(s);
		return dp_fail(reterr, ENOMEM, "cannot read the captures: %m");
	}
	s->n_files = n_paths;
	for (size_t i = 0; i < n_paths; i++) {
		r = open_one(s, &s->files[i], paths[i], reterr);
		if (r < 0)
			goto fail;
	}
	for (size_t i = 0; i < n_paths; i++)
		advance(s, &s->files[i]);
	*ret_source = &s->base;
	return 0;
fail:
	file_close(&s->base);
	return r;
}

void dp_source_close(struct dp_source *s)
{
	if (s != NULL)
		s->ops->close(s);
}
