// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Bytes of a capture file on their way to libpcap.
 *
 * libpcap (1.10) gives up a pcapng file where an interface has another snap length than the first
 * one, though no packet depends on it. This walks over the blocks as they stream through and lets
 * every Interface Description Block name the first one's. All other bytes pass as they are, so a
 * plain pcap file does; so does everything behind a block whose length cannot be right, which
 * libpcap then refuses in its own words. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct dp_pcapng {
	uint8_t head[16]; // first bytes of the block at hand, as they were read
	uint32_t pos; // in the block at hand
	uint32_t len; // of it; 0 until its header is complete
	uint32_t snap_len; // of the first interface, once has_interface
	bool is_big_endian; // the section
	bool has_section;
	bool has_interface;
	bool is_passing; // no pcapng, or not a sound one: nothing is looked at any more
};

/* The next n bytes of the file, changed in place. w is zeroed before the first. Any pieces of one
 * file give the same bytes. */
void dp_pcapng_pass(struct dp_pcapng *w, uint8_t *bytes, size_t n);

/* A stream that reads fd through dp_pcapng_pass(). fd is given: closed with the stream, and when
 * NULL is returned (errno says why). */
FILE *dp_pcapng_open(int fd);
