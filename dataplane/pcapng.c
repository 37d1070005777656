// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/pcapng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// draft-ietf-opsawg-pcapng: 3.1 General Block Structure, 4.1 Section Header, 4.2 Interface Description
enum {
	SECTION_HEADER = 0x0a0d0d0a, // reads the same from both ends
	INTERFACE_DESCRIPTION = 1,
	MAGIC_OFF = 8, // in a Section Header: the byte order of everything up to the next one
	SNAP_LEN_OFF = 12, // in an Interface Description
	INTERFACE_MIN_BYTES = 20,
	BLOCK_MIN_BYTES = 12,
};

static uint32_t get32(const uint8_t *p, bool is_big_endian)
{
	if (is_big_endian)
		return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static bool is_section_header(const struct dp_pcapng *w)
{
	return get32(w->head, true) == SECTION_HEADER;
}

static bool is_interface(const struct dp_pcapng *w)
{
	return w->len >= INTERFACE_MIN_BYTES &&
		get32(w->head, w->is_big_endian) == INTERFACE_DESCRIPTION;
}

/* The first bytes of the block are here: how long is it? */
static void read_header(struct dp_pcapng *w)
{
	if (is_section_header(w)) {
		static const uint8_t big[4] = {0x1a, 0x2b, 0x3c, 0x4d};
		static const uint8_t little[4] = {0x4d, 0x3c, 0x2b, 0x1a};

		if (w->pos < MAGIC_OFF + 4)
			return; // the length's byte order stands behind the length
		w->is_big_endian = memcmp(w->head + MAGIC_OFF, big, 4) == 0;
		w->is_passing = !w->is_big_endian && memcmp(w->head + MAGIC_OFF, little, 4) != 0;
		w->has_section = true;
	}
	w->len = get32(w->head + 4, w->is_big_endian);
	if (!w->has_section || w->len < BLOCK_MIN_BYTES || w->len % 4 != 0 || w->len < w->pos)
		w->is_passing = true;
}

/* Byte `pos` of the block, one of the first 16. Returns what it is to be. */
static uint8_t head_byte(struct dp_pcapng *w, uint8_t byte)
{
	const uint32_t i = w->pos++;

	w->head[i] = byte;
	if (w->len == 0) {
		if (w->pos >= 8)
			read_header(w);
		return byte;
	}
	if (i < SNAP_LEN_OFF || !is_interface(w))
		return byte;
	if (w->has_interface) {
		const unsigned int n = i - SNAP_LEN_OFF;

		return (uint8_t)(w->snap_len >> 8 * (w->is_big_endian ? 3 - n : n));
	}
	if (w->pos == SNAP_LEN_OFF + 4) {
		w->snap_len = get32(w->head + SNAP_LEN_OFF, w->is_big_endian);
		w->has_interface = true;
	}
	return byte;
}

void dp_pcapng_pass(struct dp_pcapng *w, uint8_t *bytes, size_t n)
{
	while (n > 0 && !w->is_passing) {
		size_t step = 1;

		if (w->pos < sizeof(w->head)) {
			*bytes = head_byte(w, *bytes);
		} else {
			step = w->len - w->pos < n ? w->len - w->pos : n;
			w->pos += (uint32_t)step;
		}
		bytes += step;
		n -= step;
		if (w->len > 0 && w->pos == w->len) {
			w->pos = 0;
			w->len = 0;
		}
	}
}

struct stream {
	int fd; // owned
	struct dp_pcapng walk;
};

static ssize_t stream_read(void *cookie, char *buf, size_t size)
{
	struct stream *s = cookie;
	ssize_t n;

	do
		n = read(s->fd, buf, size);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		dp_pcapng_pass(&s->walk, (uint8_t *)buf, (size_t)n);
	return n;
}

static int stream_close(void *cookie)
{
	struct stream *s = cookie;
	const int r = close(s->fd);

	free(s);
	return r;
}

FILE *dp_pcapng_open(int fd)
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
	return f;
}
