// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A network of the test's own: interfaces, programs, frames. */

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

/* Into a network namespace that ends with the process. Where this user may not, or tools are missing, or the
 * kernel loads no programs for him, prints why and ends with 77: skipped. */
void net_enter(void);

/* Run a shell command. Returns its status. */
[[gnu::format(printf, 1, 2)]] int net_run(const char *fmt, ...);

/* va and vb, the ends of a veth, up. */
void net_make_veth(void);

/* A program that returns `action`. Returns its descriptor. */
int net_load(enum bpf_prog_type type, enum bpf_attach_type attach, int action);

/* A tc program that leaves packets alone and adds the u32 at `field` of struct __sk_buff to entry 0 of
 * the map, and 1 to entry 1. */
int net_load_sum(int map_fd, int16_t field);

/* A map for that. */
int net_make_sums(void);
uint64_t net_sum(int map_fd, uint32_t entry);

/* A tc program that puts a tag in front of each packet as the kernel does: beside the frame. */
int net_load_tagger(uint16_t vlan);

/* Put a tc program in front of all others on what an interface sends, while the descriptor that is returned is
 * open. -1: this kernel has no TCX. */
int net_attach_first(const char *interface, int prog_fd);

void net_send_frame(const char *interface, const uint8_t *frame, size_t n);

/* Send n frames of 100 bytes that no protocol wants. */
void net_send(const char *interface, unsigned int n);

struct net_stats {
	uint64_t rx_packets, tx_packets, tx_bytes; // bytes from Ethernet's addresses on
};
struct net_stats net_stats(const char *interface);

/* va into a network namespace of its own, with the address 198.51.100.1; vb has 10.0.0.7, a subscriber's. A child
 * is there. setup: a command that it runs there. */
void net_peer_begin(const char *setup);
void net_peer_end(void); // with va and vb

/* A TCP connection to the peer: n bytes there, and then n bytes back. */
void net_peer_echo(size_t n);

/* Of va. */
struct net_stats net_peer_stats(void);
