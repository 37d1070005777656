// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Frames that a port's program hands up, read: its ring buffer, mapped as linux/bpf.h (BPF_MAP_TYPE_RINGBUF) describes
 * it. Without libbpf's reader, which gives back the room of each record as soon as it was read: where what was read
 * has to outlive us (ebpf/kept.h), it is given back when it is on the disk, and a reader that comes after us begins
 * there.
 *
 * One thread, but for open and close. */

#include "dataplane/err.h"
#include "ebpf/abi.h"
#include "ebpf/kept.h"

#include <stdatomic.h>
#include <stdbool.h>

struct ebpf_samples; // owns its mappings, which outlive the program

/* fd: of the map, borrowed for the call. port: its marks, borrowed until it is closed; NULL: what is read is gone.
 * from_ns: with marks, what counts in ticks that end until then was read and is on the disk. Returns 0, or -errno with
 * a sentence. */
[[nodiscard]] int ebpf_samples_open(int fd, struct ebpf_kept_port *port, uint64_t from_ns,
	struct ebpf_samples **ret_samples, struct dp_err *reterr);
void ebpf_samples_close(struct ebpf_samples *samples); // NULL is fine

/* Take the next one, in order.
 *
 * got    called with it, sample->cap_len bytes of frame; both borrowed for the call
 *
 * Returns whether there was one. */
bool ebpf_samples_take(struct ebpf_samples *samples,
	void (*got)(void *ctx, const struct ebpf_sample *sample, const uint8_t *frame), void *ctx);

/* What was taken so far, without the one that got() has just been given, counts in ticks that end until end_ns. Where
 * EBPF_MARKS of them wait to be released, nothing is taken meanwhile, so that there is always room for one more. */
void ebpf_samples_mark(struct ebpf_samples *samples, uint64_t end_ns);

/* What counts in ticks that end until end_ns is on the disk. */
void ebpf_samples_release(struct ebpf_samples *samples, uint64_t end_ns);

/* Of a program that runs no more: all was taken and released. */
bool ebpf_samples_is_over(const struct ebpf_samples *samples);
