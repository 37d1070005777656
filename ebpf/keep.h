// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* This process's generation of what is kept (ebpf/kept.h): its maps made, mapped and pinned. */

#include "dataplane/err.h"
#include "ebpf/kept.h"
#include "ebpf/mapping.h"
#include "ebpf/pins.h"

#include <stdatomic.h>
#include <stddef.h>

struct ebpf_keep {
	struct ebpf_kept *kept;
	struct ebpf_counted *counted; // by slot
	struct dp_usage_key *keys; // [worker * n_entries + entry]
	struct ebpf_drained *logs; // [worker * n_log + place]
	_Atomic uint64_t committed_ns; // ticks that end until then are on the disk
	struct { // private
		struct ebpf_mapping kept, counted, keys, logs;
		int kept_fd, counted_fd, keys_fd, logs_fd;
	} maps;
};

/* Names of its maps; those of the programs beside them, and for each port one of its samples (EBPF_PIN_SAMPLES). */
#define EBPF_PIN_KEPT "kept"
#define EBPF_PIN_COUNTED "counted"
#define EBPF_PIN_KEYS "keys"
#define EBPF_PIN_LOGS "logs"
#define EBPF_PIN_FLOWS "flows"
#define EBPF_PIN_SLOTS "slots"
#define EBPF_PIN_SAMPLES "samples%zu"

/* Make its maps. Returns 0, or -errno with a sentence. */
[[nodiscard]] int ebpf_keep_open(struct ebpf_keep *keep, uint32_t n_rows, uint16_t n_workers,
	uint32_t n_entries, struct dp_err *reterr);
void ebpf_keep_close(struct ebpf_keep *keep); // pins stay; one that is all 0 is fine

/* Pin them in the generation that has begun. */
[[nodiscard]] int ebpf_keep_pin(
	const struct ebpf_keep *keep, struct ebpf_pins *pins, struct dp_err *reterr);

static inline uint64_t ebpf_kept_slots(const struct ebpf_kept *kept)
{
	return (uint64_t)kept->n_rows * kept->n_workers * kept->n_entries * 2;
}

static inline struct ebpf_drained *ebpf_keep_drained(
	const struct ebpf_keep *keep, uint16_t worker, uint64_t number)
{
	const uint32_t n_log = keep->kept->n_log;

	return &keep->logs[(size_t)worker * n_log + (number & (n_log - 1))];
}
