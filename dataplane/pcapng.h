// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Bytes of a capture file on their way to libpcap.
 *
 * libpcap (1.10) gives up a pcapng file where an interface has another snap length or another link
 * type than the first one, and where a packet is longer than the first one's snap length. This looks
 * at the beginning of each block as they stream through: every Interface Description Block then names
 * the first one's link type and no snap length, and what the packets' own interfaces really said is
 * kept here. All other bytes pass as they are, so a plain pcap file does; so does everything behind a
 * block whose length cannot be right, which libpcap then refuses in its own words. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	// Link types remembered of one section; start value. Interfaces behind them keep theirs, so
	// libpcap refuses the file where one differs from the first one's.
	DP_PCAPNG_INTERFACES_MAX = 256,
	DP_PCAPNG_HEAD_BYTES = 16, // of a block, or the next ones too where it is shorter
};

struct dp_pcapng {
	uint32_t left; // of the block at hand; 0: the next byte begins one
	uint32_t snap_len; // of the section's first interface; 0: none
	uint32_t n_links; // of the section
	uint16_t links[DP_PCAPNG_INTERFACES_MAX]; // LINKTYPE_ values, as they were read
	uint16_t link; // of the file's first interface, once has_interface
	uint16_t packet_link; // of the latest packet block
	uint32_t packet_bytes; // on the wire, of a Simple Packet Block; 0: libpcap knows
	bool is_big_endian; // the section
	bool has_section;
	bool has_interface;
	bool is_passing; // no pcapng, or not a sound one: nothing is looked at any more
};

/* The next bytes of the file, n of them at hand, changed in place. w is zeroed before the first.
 *
 * Returns how many have passed: up to n, and not beyond the end of a block. 0: a block begins and
 * fewer than DP_PCAPNG_HEAD_BYTES are at hand; more are needed, or these end the file and pass as
 * they are. Any pieces of one file give the same bytes. */
size_t dp_pcapng_pass(struct dp_pcapng *w, uint8_t *bytes, size_t n);

/* A stream that reads fd through dp_pcapng_pass(). While its reader takes one block after the other,
 * *ret_walk is about the one taken last (borrowed, until the stream is closed). fd is given: closed
 * with the stream, and when NULL is returned (errno says why). */
FILE *dp_pcapng_open(int fd, const struct dp_pcapng **ret_walk);
