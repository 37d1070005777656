// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Capture files for tests, in memory and in either byte order. */

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CAPTURE_ROOM = 256 * 1024 };

struct capture {
	uint8_t bytes[CAPTURE_ROOM];
	size_t len;
	bool is_big_endian;
	char path[64]; // of capture_file()
	int fd;
};

static inline void capture_put(struct capture *c, const void *bytes, size_t n)
{
	assert(n <= CAPTURE_ROOM - c->len);
	if (n > 0)
		memcpy(c->bytes + c->len, bytes, n);
	c->len += n;
}

static inline void capture_put32(struct capture *c, uint32_t v)
{
	const uint8_t big[4] = {
		(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
	const uint8_t little[4] = {big[3], big[2], big[1], big[0]};

	capture_put(c, c->is_big_endian ? big : little, 4);
}

static inline void capture_put16(struct capture *c, uint16_t v)
{
	const uint8_t big[2] = {(uint8_t)(v >> 8), (uint8_t)v}, little[2] = {big[1], big[0]};

	capture_put(c, c->is_big_endian ? big : little, 2);
}

/* pcap-savefile(5). magic: 0xa1b2c3d4 microseconds, 0xa1b23c4d nanoseconds. */
static inline void capture_pcap(struct capture *c, uint32_t magic, uint32_t link_type)
{
	capture_put32(c, magic);
	capture_put16(c, 2);
	capture_put16(c, 4);
	capture_put32(c, 0);
	capture_put32(c, 0);
	capture_put32(c, 262144);
	capture_put32(c, link_type);
}

static inline void capture_pcap_record(struct capture *c, uint32_t s, uint32_t fraction,
	uint32_t wire_len, const void *bytes, uint32_t cap_len)
{
	capture_put32(c, s);
	capture_put32(c, fraction);
	capture_put32(c, cap_len);
	capture_put32(c, wire_len);
	capture_put(c, bytes, cap_len);
}

/* draft-ietf-opsawg-pcapng 4.1. */
static inline void capture_section(struct capture *c)
{
	capture_put32(c, 0x0a0d0d0a);
	capture_put32(c, 28);
	capture_put32(c, 0x1a2b3c4d);
	capture_put16(c, 1);
	capture_put16(c, 0);
	capture_put32(c, 0xffffffff);
	capture_put32(c, 0xffffffff);
	capture_put32(c, 28);
}

/* 4.2, with the time resolution as 10^-ts_resolution s. Returns the offset of its snap length. */
static inline size_t capture_interface(
	struct capture *c, uint16_t link_type, uint32_t snap_len, uint8_t ts_resolution)
{
	const uint8_t resolution[4] = {ts_resolution};
	const size_t begin = c->len;

	capture_put32(c, 1);
	capture_put32(c, 32);
	capture_put16(c, link_type);
	capture_put16(c, 0);
	capture_put32(c, snap_len);
	capture_put16(c, 9); // if_tsresol
	capture_put16(c, 1);
	capture_put(c, resolution, 4);
	capture_put32(c, 0); // opt_endofopt
	capture_put32(c, 32);
	return begin + 12;
}

/* 4.3, Enhanced Packet. */
static inline void capture_packet(struct capture *c, uint32_t interface, uint64_t ts,
	uint32_t wire_len, const void *bytes, uint32_t cap_len)
{
	const uint32_t padded = (cap_len + 3) / 4 * 4;
	const uint32_t block_len = 32 + padded;

	capture_put32(c, 6);
	capture_put32(c, block_len);
	capture_put32(c, interface);
	capture_put32(c, (uint32_t)(ts >> 32));
	capture_put32(c, (uint32_t)ts);
	capture_put32(c, cap_len);
	capture_put32(c, wire_len);
	capture_put(c, bytes, cap_len);
	capture_put(c, "\0\0", padded - cap_len);
	capture_put32(c, block_len);
}

/* What was put so far as a file; capture_close() ends it. */
static inline const char *capture_file(struct capture *c)
{
	c->fd = memfd_create("capture", MFD_CLOEXEC);
	if (c->fd < 0 || write(c->fd, c->bytes, c->len) != (ssize_t)c->len)
		return NULL;
	(void)snprintf(c->path, sizeof(c->path), "/proc/self/fd/%d", c->fd);
	return c->path;
}

static inline void capture_close(struct capture *c)
{
	(void)close(c->fd);
}
