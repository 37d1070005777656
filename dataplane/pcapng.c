// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/pcapng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// draft-ietf-opsawg-pcapng: 3.1 General Block Structure, 4.1 to 4.4, and the obsolete Packet Block
enum {
	SECTION_HEADER = 0x0a0d0d0a, // reads the same from both ends
	INTERFACE_DESCRIPTION = 1,
	PACKET = 2,
	SIMPLE_PACKET = 3, // of the first interface
	ENHANCED_PACKET = 6,

	BLOCK_LEN_OFF = 4,
	BODY_OFF =
		8, // of a section its byte order, of a packet its interface, of a simple one its length
	SNAP_LEN_OFF = 12, // in an Interface Description, behind the link type
	INTERFACE_MIN_BYTES = 20,
	BLOCK_MIN_BYTES = 12,
	READ_BYTES = 65536,
};

static uint16_t get16(const struct dp_pcapng *w, const uint8_t *p)
{
	return (uint16_t)(w->is_big_endian ? p[0] << 8 | p[1] : p[1] << 8 | p[0]);
}

static uint32_t get32(const struct dp_pcapng *w, const uint8_t *p)
{
	if (w->is_big_endian)
		return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static void put16(const struct dp_pcapng *w, uint8_t *p, uint16_t v)
{
	p[w->is_big_endian ? 0 : 1] = (uint8_t)(v >> 8);
	p[w->is_big_endian ? 1 : 0] = (uint8_t)v;
}

static void put32(const struct dp_pcapng *w, uint8_t *p, uint32_t v)
{
	put16(w, p + (w->is_big_endian ? 0 : 2), (uint16_t)(v >> 16));
	put16(w, p + (w->is_big_endian ? 2 : 0), (uint16_t)v);
}

/* The byte order of all blocks up to the next section. Returns false when it is none. */
static bool begin_section(struct dp_pcapng *w, const uint8_t *head)
{
	static const uint8_t big[4] = {0x1a, 0x2b, 0x3c, 0x4d},
			     little[4] = {0x4d, 0x3c, 0x2b, 0x1a};

	w->is_big_endian = memcmp(head + BODY_OFF, big, 4) == 0;
	w->has_section = w->is_big_endian || memcmp(head + BODY_OFF, little, 4) == 0;
	w->n_links = 0;
	w->snap_len = 0;
	return w->has_section;
}

static void pass_interface(struct dp_pcapng *w, uint8_t *head)
{
	const uint16_t link = get16(w, head + BODY_OFF);

	if (!w->has_interface)
		w->link = link;
	w->has_interface = true;
	if (w->n_links == 0)
		w->snap_len = get32(w, head + SNAP_LEN_OFF);
	put32(w, head + SNAP_LEN_OFF, 0);
	if (w->n_links == DP_PCAPNG_INTERFACES_MAX)
		return;
	w->links[w->n_links++] = link;
	put16(w, head + BODY_OFF, w->link);
}

/* A packet of an interface that does not exist, libpcap refuses; one that is not remembered has the
 * first one's link type. */
static void note_packet(struct dp_pcapng *w, uint32_t interface)
{
	w->packet_link = interface < w->n_links ? w->links[interface] : w->link;
	w->packet_bytes = 0;
}

/* The block has no captured length: it follows from the snap length, which libpcap does not see. */
static void pass_simple_packet(struct dp_pcapng *w, uint8_t *head)
{
	const uint32_t wire_len = get32(w, head + BODY_OFF);

	note_packet(w, 0);
	w->packet_bytes = wire_len;
	if (w->snap_len != 0 && w->snap_len < wire_len)
		put32(w, head + BODY_OFF, w->snap_len);
}

/* A block of w->left bytes, at least 16. */
static void pass_head(struct dp_pcapng *w, uint8_t *head)
{
	switch (get32(w, head)) {
	case INTERFACE_DESCRIPTION:
		if (w->left >= INTERFACE_MIN_BYTES)
			pass_interface(w, head);
		break;
	case PACKET:
		note_packet(w, get16(w, head + BODY_OFF));
		break;
	case SIMPLE_PACKET:
		pass_simple_packet(w, head);
		break;
	case ENHANCED_PACKET:
		note_packet(w, get32(w, head + BODY_OFF));
		break;
	default:
		break;
	}
}

/* The first 16 bytes from a block's first. Returns false when they are none of a sound block. */
static bool begin_block(struct dp_pcapng *w, uint8_t *head)
{
	if (get32(w, head) == SECTION_HEADER && !begin_section(w, head))
		return false;
	w->left = get32(w, head + BLOCK_LEN_OFF);
	if (!w->has_section || w->left < BLOCK_MIN_BYTES || w->left % 4 != 0)
		return false;
	if (w->left >= DP_PCAPNG_HEAD_BYTES)
		pass_head(w, head);
	return true;
}

size_t dp_pcapng_pass(struct dp_pcapng *w, uint8_t *bytes, size_t n)
{
	if (!w->is_passing && w->left == 0) {
		if (n < DP_PCAPNG_HEAD_BYTES)
			return 0;
		w->is_passing = !begin_block(w, bytes);
	}
	if (w->is_passing)
		return n;
	if (n > w->left)
		n = w->left;
	w->left -= (uint32_t)n;
	return n;
}

struct stream {
	int fd; // owned
	struct dp_pcapng walk;
	uint8_t buf[READ_BYTES];
	size_t begin; // of what the reader has not yet taken
	size_t passed; // up to here it passed the walk
	size_t end; // up to here it was read of fd
};

/* Nothing is left that passed: read until a block's beginning is there, or nothing more comes. */
static int fill(struct stream *s)
{
	if (s->end - s->begin >= DP_PCAPNG_HEAD_BYTES)
		return 0;
	memmove(s->buf, s->buf + s->begin, s->end - s->begin);
	s->end -= s->begin;
	s->begin = 0;
	while (s->end < DP_PCAPNG_HEAD_BYTES) {
		const ssize_t n = read(s->fd, s->buf + s->end, sizeof(s->buf) - s->end);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			return -1;
		s->end += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* No more than one block of a pcapng file: stdio asks again only when its reader wants more than it
 * was given, so the walk is never ahead of the reader's packet. */
static ssize_t stream_read(void *cookie, char *buf, size_t size)
{
	struct stream *s = cookie;

	if (s->begin == s->passed) {
		if (fill(s) < 0)
			return -1;

		const size_t n = s->end - s->begin;
		const size_t done = dp_pcapng_pass(&s->walk, s->buf + s->begin, n);

		s->passed = s->begin + (done > 0 ? done : n);
	}
	if (size > s->passed - s->begin)
		size = s->passed - s->begin;
	memcpy(buf, s->buf + s->begin, size);
	s->begin += size;
	return (ssize_t)size;
}

static int stream_close(void *cookie)
{
	struct stream *s = cookie;
	const int r = close(s->fd);

	free(s);
	return r;
}

FILE *dp_pcapng_open(int fd, const struct dp_pcapng **ret_walk)
{
	static const cookie_io_functions_t io = {.read = stream_read, .close = stream_close};
	struct stream *s = calloc(1, sizeof(*s));
	FILE *f = s != NULL ? fopencookie(s, "r", io) : NULL;

	if (f == NULL) {
		free(s);
		(void)close(fd);
		errno = ENOMEM;
		return NULL;
	}
	s->fd = fd;
	*ret_walk = &s->walk;
	return f;
}
