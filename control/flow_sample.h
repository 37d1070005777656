// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The packets of one flow, out of captures into a small capture of their own: what shows that an app is wrong.
 *
 * Frames as they were, tunnels included. Of the first packets with payload some bytes are kept, enough for a hello;
 * of all others the headers. So a replay of the sample judges the flow as one of the captures does, and what the
 * subscriber said beyond that is not in it. Control thread only. */

#include "dataplane/addr.h"
#include "dataplane/err.h"
#include "dataplane/stage.h"

#include <stddef.h>
#include <stdint.h>

enum {
	CTL_SAMPLE_PACKETS_MAX = 1000,
	CTL_SAMPLE_WHOLE_MAX =
		24, // packets whose payload is kept: as many as nDPI may want of a UDP flow
	CTL_SAMPLE_PAYLOAD_MAX =
		2048, // bytes kept of each: a hello of several segments fits its packets
};

struct ctl_sample {
	uint64_t n_packets; // written
	uint64_t
		n_left_out; // behind CTL_SAMPLE_PACKETS_MAX, or of another link type than the first
};

/* Write the flow's packets to a new file at path, for its owner alone (0600). Fragments have no ports, so only
 * packets that are whole are found. Returns 0, -EEXIST when there is such a file, -ENOENT when the captures
 * have no such packet (and no file is left), or -errno; each with a sentence. */
[[nodiscard]] int ctl_sample_write(const char *const *captures, size_t n_captures,
	const struct dp_five_tuple *flow, const char *path, struct ctl_sample *ret_sample,
	struct dp_err *reterr);
