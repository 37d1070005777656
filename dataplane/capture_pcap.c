// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/capture.h"
#include "dataplane/capture_map.h"
#include "dataplane/capture_time.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// pcap-savefile(5)
enum {
	FILE_HEADER_BYTES = 24,
	VERSION_OFF = 4, // major and minor
	SNAP_LEN_OFF = 16,
	LINK_TYPE_OFF = 20,
	LINK_TYPE_MASK =
		0x03ffffff, // above it: length of the check sequence, which is not ours to cut

	RECORD_HEADER_BYTES = 16,
	FRACTION_OFF = 4,
	CAP_LEN_OFF = 8,
	WIRE_LEN_OFF = 12,

	CAP_LEN_MAX = 262144, // libpcap's for our link types; a larger one is a damaged file

	CACHE_LINE_BYTES = 64,
	// Lengths are the way from record to record, so each step waits for memory: the lines are asked
	// for so far ahead. tests/bench/reader: 2048 takes a sixth longer, none at all more than twice as long.
	PREFETCH_BYTES = 4096,
};

static const uint32_t MAGIC_US = 0xa1b2c3d4, MAGIC_NS = 0xa1b23c4d;

struct pcap_map {
	struct dp_capture base;
	struct dp_capture_map map;
	size_t off; // of the next record
	uint32_t snap_len;
	uint32_t ns_per_fraction;
	enum dp_link link;
	bool is_swapped; // written in the other byte order
};

static uint32_t get32(const uint8_t *p, bool is_swapped)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return is_swapped ? __builtin_bswap32(v) : v;
}

static uint64_t time_of(const struct pcap_map *c, const uint8_t *head)
{
	const uint32_t fraction = get32(head + FRACTION_OFF, c->is_swapped);

	return dp_capture_pcap_time(
		get32(head, c->is_swapped), (int64_t)fraction * c->ns_per_fraction);
}

/* No sound record begins here: this is the end, or what is wrong with it. */
static int end(const struct pcap_map *c, struct dp_err *reterr)
{
	const size_t left = c->map.size - c->off;
	uint32_t cap_len;

	if (left == 0)
		return 0;
	if (left < RECORD_HEADER_BYTES)
		return dp_fail(reterr, EIO, "%zu bytes of a record's header, expected %d", left,
			RECORD_HEADER_BYTES);
	cap_len = get32(c->map.bytes + c->off + CAP_LEN_OFF, c->is_swapped);
	if (cap_len > CAP_LEN_MAX)
		return dp_fail(reterr, EIO, "a captured length of %u, expected at most %d", cap_len,
			CAP_LEN_MAX);
	return dp_fail(
		reterr, EIO, "%zu of %u captured bytes", left - RECORD_HEADER_BYTES, cap_len);
}

static void prefetch(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i += CACHE_LINE_BYTES)
		__builtin_prefetch(p + i);
}

static int pcap_map_next(
	struct dp_capture *base, struct dp_capture_record *ret, int max, struct dp_err *reterr)
{
	struct pcap_map *c = (struct pcap_map *)base;
	size_t off = c->off;
	int n = 0;

	dp_capture_map_advance(&c->map, off);
	for (; n < max && c->map.size - off >= RECORD_HEADER_BYTES; n++) {
		const uint8_t *head = c->map.bytes + off;
		const uint32_t cap_len = get32(head + CAP_LEN_OFF, c->is_swapped);

		if (cap_len > CAP_LEN_MAX || cap_len > c->map.size - off - RECORD_HEADER_BYTES)
			break;
		off += RECORD_HEADER_BYTES + cap_len;
		prefetch(head + PREFETCH_BYTES, RECORD_HEADER_BYTES + cap_len);
		ret[n].time_ns = time_of(c, head);
		ret[n].data = head + RECORD_HEADER_BYTES;
		ret[n].cap_len = cap_len < c->snap_len ? cap_len : c->snap_len;
		ret[n].wire_len = get32(head + WIRE_LEN_OFF, c->is_swapped);
		if (ret[n].wire_len < ret[n].cap_len)
			ret[n].wire_len = ret[n].cap_len;
		ret[n].link = c->link;
	}
	// What was read may be zeros.
	if (atomic_load_explicit(&c->map.is_torn, memory_order_acquire))
		return dp_fail(
			reterr, EIO, "the file was cut short while it was read, or its disk fails");
	c->off = off;
	return n > 0 ? n : end(c, reterr);
}

static void pcap_map_close(struct dp_capture *base)
{
	struct pcap_map *c = (struct pcap_map *)base;

	dp_capture_map_close(&c->map);
	free(c);
}

/* False: not a header of the kind that is read here. */
static bool read_header(struct pcap_map *c, const uint8_t *head)
{
	static const uint16_t version[2] = {2, 4};
	const uint32_t magic = get32(head, false);
	uint16_t major, minor;
	bool is_ns;

	c->is_swapped = magic == __builtin_bswap32(MAGIC_US) ||
		magic == __builtin_bswap32(MAGIC_NS);
	is_ns = get32(head, c->is_swapped) == MAGIC_NS;
	if (!is_ns && get32(head, c->is_swapped) != MAGIC_US)
		return false;
	c->ns_per_fraction = is_ns ? 1 : 1000;
	memcpy(&major, head + VERSION_OFF, sizeof(major));
	memcpy(&minor, head + VERSION_OFF + sizeof(major), sizeof(minor));
	if (c->is_swapped) {
		major = __builtin_bswap16(major);
		minor = __builtin_bswap16(minor);
	}
	if (major != version[0] || minor != version[1])
		return false;
	c->snap_len = get32(head + SNAP_LEN_OFF, c->is_swapped);
	if (c->snap_len == 0 || c->snap_len > INT32_MAX)
		c->snap_len = CAP_LEN_MAX; // as libpcap does
	if (!dp_capture_link_of(
		    (int)(get32(head + LINK_TYPE_OFF, c->is_swapped) & LINK_TYPE_MASK), &c->link))
		return false;
	// libpcap turns some bytes of such frames.
	return !c->is_swapped || c->link != DP_LINK_SLL;
}

int dp_capture_open_pcap(int fd, uint64_t size, struct dp_capture **ret_capture)
{
	static const struct dp_capture_ops ops = {.next = pcap_map_next, .close = pcap_map_close};
	uint8_t head[FILE_HEADER_BYTES];
	struct pcap_map *c = calloc(1, sizeof(*c));

	if (c == NULL || size < sizeof(head) || size > SIZE_MAX ||
		pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
		!read_header(c, head) || dp_capture_map_open(fd, (size_t)size, &c->map) < 0) {
		free(c);
		return 0;
	}
	c->base = (struct dp_capture){.ops = &ops, .lasts = true};
	c->off = FILE_HEADER_BYTES;
	*ret_capture = &c->base;
	return 1;
}
