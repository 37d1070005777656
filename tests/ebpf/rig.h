// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The kernel's side of the packet path under test: a replay through the seam that the path itself uses
 * (dataplane/offload.h), and frames to send. Where this kernel, or who runs the test, cannot have it, opening it
 * skips the test. One at a time. */

#include "dataplane/offload.h"
#include "ebpf/abi.h"
#include "ebpf/offload.h"
#include "tests/unit/frame.h"

#define RIG_S UINT64_C(1000000000)

/* 1970 has ticks, too; not 0, which nothing is expected to mean. */
#define RIG_BEGIN_NS (1000 * RIG_S)

enum { RIG_ENTRIES = 64, RIG_WORKERS = 2 };

/* What came up last. */
struct rig_up {
	struct dp_offload_frame last; // .data is below
	uint8_t data[EBPF_SAMPLE_MAX];
};

struct rig {
	struct dp_endpoint_nets nets;
	struct ebpf_offload_config cfg;
	struct dp_offload *offload;
	uint64_t now_ns; // of the frames sent next
	struct rig_up up;
};
extern struct rig rig;

/* cfg may be changed in between: all of it. */
void rig_defaults(void);
void rig_open(void);
void rig_close(void);

/* cmocka's: both above, and the one below. */
int rig_setup(void **);
int rig_teardown(void **);

/* A BPF file system that ends with the process, for rig.cfg.pins = RIG_PINS. Where there can be none, it skips the
 * test. */
#define RIG_PINS "/sys/fs/bpf/rig"
void rig_mount_pins(void);
/* What stands there. Returns 0 as cmocka's teardowns do. */
int rig_remove_pins(void);

void rig_send(struct frame *f);
void rig_send_cut(struct frame *f, uint32_t cap_len);

/* A packet; addresses of either family. */
void rig_udp(struct frame *f, const char *src, uint16_t sport, const char *dst, uint16_t dport,
	uint32_t payload_len);
void rig_tcp(struct frame *f, const char *src, uint16_t sport, const char *dst, uint16_t dport,
	uint8_t flags, uint32_t seq, uint32_t payload_len);
void rig_ip(struct frame *f, uint8_t proto, const char *src, const char *dst);

/* One frame that was handed up, into rig.up. False: none is there. */
bool rig_take(void);
/* All of them. Returns how many. */
int rig_take_all(void);

struct dp_offload_stats rig_stats(void);
/* received = handed up + kept, and the sums below it; n_up: handed up so far. */
void rig_check_ledger(uint64_t n_up);

/* A subscriber's tuple: 10.0.0.7 and a server, ports 50000 and 443. */
struct dp_five_tuple rig_tuple(uint8_t l4_proto);
/* Packets of that; of 128 bytes of IP each. */
void rig_send_up(void);
void rig_send_down(void);

/* All that is there to be drained of a worker, summed up by entry: ret[RIG_ENTRIES]. Returns how many parts. */
uint32_t rig_drain(uint16_t worker, uint64_t end_ns, struct dp_offload_usage *ret);
