// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What tests say about dp_walk(): the packet that is to be found, and what holds of any bytes. Each
 * call fails the running cmocka test where it does not hold. */

#include "dataplane/packet.h"

/* Set of one, to be or'ed: WALK_ENCAP(VLAN) | WALK_ENCAP(GTPU). */
#define WALK_ENCAP(name) (UINT32_C(1) << DP_ENCAP_##name)

/* Where a test goes through a table: `what` is tried now (borrowed until the next call), NULL at its
 * end. walk_check_teardown(), cmocka's, names it where the test failed. */
void walk_check_trying(const char *what);
int walk_check_teardown(void **state);

/* The innermost packet of a frame. */
struct walk_want {
	const char *src, *dst; // NULL: whatever
	uint16_t sport, dport; // 0 where the packet has none
	uint8_t proto; // 0: whatever
	uint8_t n_ip; // IP packets in each other; 0: however many
	uint32_t ip_bytes; // 0: however many
	uint32_t encaps; // set of enum dp_encap
	const char *refusal; // "gtpu not_user_data", names as in dataplane/encap.h; NULL: none
};

/* The walk of the whole frame finds that packet. */
void walk_check_found(
	const uint8_t *frame, uint32_t len, enum dp_link link, const struct walk_want *want);

/* The walk of the whole frame finds none. refusal as above. */
void walk_check_none(const uint8_t *frame, uint32_t len, enum dp_link link, enum dp_outcome outcome,
	const char *refusal);

/* What must hold of any walk and of the packet made of it holds of this one; and as an Ethernet frame the
 * bytes are the same packet both ways (tests/lib/plain_agrees.h). The frame is copied to
 * a heap block of cap_len bytes, so that ASan sees a read behind it. */
void walk_check_sound(const uint8_t *frame, uint32_t cap_len, uint32_t wire_len, enum dp_link link);

/* Whether somebody else says the same of a frame that walk_check_sound() looked at: true, where a test does
 * not have its own function of this name (tests/ebpf/walks.c). */
bool walk_check_also(const uint8_t *frame, uint32_t cap_len, uint32_t wire_len, enum dp_link link);

/* walk_check_sound() of the frame, of each truncation (by a snap length, and on the wire), and of the
 * frame with each one of its bits flipped (whole, and cut in the middle). */
void walk_check_mutants(const uint8_t *frame, uint32_t len, enum dp_link link);

/* Two frames are the two directions of one flow: tuple reversed, same endpoint, one of them sent by
 * it. */
void walk_check_one_flow(const uint8_t *there, uint32_t there_len, const uint8_t *back,
	uint32_t back_len, enum dp_link link);
