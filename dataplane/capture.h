// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* One capture file, record by record: what dataplane/source_file.c merges and puts into mbufs.
 *
 * Two readers with the same results: one over the mapped file for plain pcap files, and libpcap for
 * everything else. Opened and closed by control, read by one receiver's thread. */

#include "dataplane/err.h"
#include "dataplane/walk.h"

#include <stdbool.h>
#include <stdint.h>

struct dp_capture_record {
	uint64_t time_ns; // at most INT64_MAX; 0 for all times before 1970
	const uint8_t *data; // cap_len bytes, borrowed
	uint32_t cap_len;
	uint32_t wire_len; // a record may claim fewer bytes than it holds: then what it holds
	enum dp_link link;
};

struct dp_capture {
	const struct dp_capture_ops *ops;
	// Whether the bytes of records stay where they are until the capture is closed; else until it is
	// asked for the next ones.
	bool lasts;
};

struct dp_capture_ops {
	/* The next records in the file's order, at most max (not 0).
	 *
	 * Returns how many were written; 0 at the end; or -errno, with a sentence why the file breaks off
	 * behind what was returned before. Not called again after that. */
	int (*next)(struct dp_capture *c, struct dp_capture_record *ret, int max,
		struct dp_err *reterr);
	void (*close)(struct dp_capture *c);
};

/* A plain pcap file (pcap-savefile(5): version 2.4, microseconds or nanoseconds, either byte order) as
 * it is now, mapped. What is written to its end later is not read.
 *
 * fd     of `size` bytes; left open, and not needed by the capture
 *
 * Returns 1 and the capture; 0 when this is another kind of file, or one that cannot be mapped, and
 * nothing was read of fd. */
int dp_capture_open_pcap(int fd, uint64_t size, struct dp_capture **ret_capture);

/* Whatever libpcap reads: pcap of all variants and pcapng, from files, pipes and devices.
 *
 * fd     given; at the beginning of the file
 * path   for the sentence
 *
 * Returns 0, or -errno with a sentence: no capture, or of a link type that enum dp_link does not have. */
[[nodiscard]] int dp_capture_open_any(
	int fd, const char *path, struct dp_capture **ret_capture, struct dp_err *reterr);

/* link_type: as libpcap says it (DLT_) or a file (LINKTYPE_), pcap-linktype(7). False: not for us. */
bool dp_capture_link_of(int link_type, enum dp_link *ret_link);

/* How a capture file names it (pcap-linktype(7)): for who writes one. */
uint32_t dp_capture_link_type(enum dp_link link);

/* Pieces of sentences: what a link type is called, and what would be right. */
const char *dp_capture_link_name(int link_type);
extern const char dp_capture_links_expected[];
