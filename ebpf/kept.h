// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What is known in the kernel besides the programs' own maps, where counting is to go on without us (`xdp.persist`): as
 * much as who comes after us needs to credit each packet once, wherever we end. These maps are pinned; we write them,
 * and the programs do not know them.
 *
 * Whatever left the kernel has a tick in whose usage it stands, and the store says up to which tick that is on the disk
 * (its watermark, which outlives us and only grows). So three things are noted: of each slot how much of it has been
 * read in which tick, of each ring of samples how far, and for whom a slot counts. Notes of ticks that are on the disk
 * are dropped. What waits on flows goes to slots without us (struct ebpf_verdict.keeps). */

#include "dataplane/usage.h"

#include <net/if.h>
#include <stdint.h>

enum {
	EBPF_KEPT_FORMAT = 2, // of all below and of ebpf/abi.h; another one is not read
	EBPF_KEPT_PORTS = 16,
	EBPF_KEPT_WORKERS = 64,
	EBPF_MARKS = 256, // ticks that are not on the disk; the store holds fewer. A power of two
	EBPF_DRAINED_PER_ENTRY = 4, // places of a worker's log
};

/* How far a ring was read. */
struct ebpf_mark {
	uint64_t end_ns; // what stands before pos counts in ticks that end until then
	uint64_t pos; // as the ring's own positions
};

struct ebpf_kept_port {
	char interface[IF_NAMESIZE];
	uint32_t is_flag_ours; // the interface is promiscuous by us
	uint32_t pad;
	uint64_t first, end; // marks that count: [first, end), modulo EBPF_MARKS
	struct ebpf_mark marks[EBPF_MARKS];
};

/* A worker's log: entries [first, end), modulo its length. The entry is written before `end`. */
struct ebpf_kept_log {
	uint64_t first, end;
	uint64_t pad[6]; // the next one's is another thread's
};

/* Of the generation, that is of one process's programs. The only value of its map. */
struct ebpf_kept {
	uint32_t format;
	uint32_t n_rows; // of slots: CPUs, and one for what verdicts move
	uint32_t n_workers, n_entries;
	uint32_t n_log; // places of each worker's log, a power of two
	uint32_t n_ports;
	// Its programs run no more, and what stood on slots and flows stands in the tick that ends then; 0: it does
	// not.
	uint64_t credited_ns;
	uint64_t pad;
	struct ebpf_kept_log logs[EBPF_KEPT_WORKERS];
	struct ebpf_kept_port ports[EBPF_KEPT_PORTS];
};
static_assert(sizeof(struct ebpf_kept) % 8 == 0);

/* What was read of a slot, all in all, in its words. Number as the slot's. */
struct ebpf_counted {
	uint64_t packets[2], bytes[2];
};

/* An entry of a log: a slot was read. */
struct ebpf_drained {
	uint64_t end_ns; // of the tick in whose usage that stands
	uint32_t slot;
	uint32_t pad;
	struct dp_usage_key key; // for whom
	struct ebpf_counted counted;
};
static_assert(sizeof(struct ebpf_drained) == 72);
