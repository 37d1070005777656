// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Generations of those who were before us (ebpf/kept.h): what their programs counted that is in no tick on the disk.
 * Once our programs have taken their places nothing changes there any more, so that it is credited in one tick, as
 * often as that takes; and what they handed up is read, as if it came now.
 *
 * Control's thread, but for samples, which belong to the receiver of their port. */

#include "dataplane/err.h"
#include "dataplane/usage.h"
#include "ebpf/pins.h"
#include "ebpf/samples.h"

#include <stdatomic.h>

struct ebpf_past;

/* Open all there are. Those that cannot be read are removed. watermark_ns: of the store. Returns 0, or -errno with a
 * sentence. */
[[nodiscard]] int ebpf_past_open(struct ebpf_pins *pins, uint64_t watermark_ns,
	struct ebpf_past **ret_past, struct dp_err *reterr);
void ebpf_past_close(struct ebpf_past *past); // NULL is fine

/* How many there are, and how many were removed; *ret_why: of the last one of these. */
size_t ebpf_past_count(const struct ebpf_past *past);
size_t ebpf_past_n_unreadable(const struct ebpf_past *past, struct dp_err *ret_why);

/* Whether one of them made the interface promiscuous. */
bool ebpf_past_is_flag_ours(const struct ebpf_past *past, const char *interface);

/* What was handed up and is to be read, the oldest first. */
struct ebpf_past_samples {
	struct ebpf_samples *samples; // the caller's, to be closed when they are over
	_Atomic uint32_t *n_open; // to be lowered by one then
};

/* Those of an interface; NULL: all that were not asked for yet. Returns how many, at most max. */
size_t ebpf_past_samples(struct ebpf_past *past, const char *interface,
	struct ebpf_past_samples *ret_samples, size_t max);

/* For whom and how much; [0] sent by the endpoint, [1] to it. */
typedef void ebpf_past_credit_fn(void *ctx, const struct dp_usage_key *key,
	const uint64_t packets[2], const uint64_t bytes[2]);

/* What stands on slots and flows, and is in no tick on the disk; the key may come several times. Their programs run no
 * more. Returns 0, or -errno with a sentence. */
[[nodiscard]] int ebpf_past_credit(
	struct ebpf_past *past, ebpf_past_credit_fn *fn, void *ctx, struct dp_err *reterr);

/* That stands in the tick that ends then, and is given to the disk next. */
void ebpf_past_credited(struct ebpf_past *past, uint64_t end_ns);

/* Ticks that end until then are on the disk: what is over is removed. */
void ebpf_past_committed(struct ebpf_past *past, uint64_t end_ns);
