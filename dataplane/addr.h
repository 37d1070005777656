// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Addresses, prefixes and the endpoint rule.
 *
 * One 16-byte form for both families, IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2), so that keys
 * compare with memcmp and IPv4 sorts before global IPv6. Pure: no clock, no library, any thread. */

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct dp_addr {
	uint8_t b[16]; // network order
};
static_assert(sizeof(struct dp_addr) == 16);

enum { DP_ADDR_STRLEN = 46, DP_NETS_MAX = 66 };

/* addr.b[0..len) must match; len counts bits of the 16-byte form (IPv4 /8 is 104). */
struct dp_prefix {
	struct dp_addr addr;
	uint8_t len;
};

/* Addresses low to low + span, as numbers. */
struct dp_range4 {
	uint32_t low, span;
};
struct dp_range6 {
	uint64_t low[2], span[2]; // [0] the higher half
};

/* Of the addresses that start with one byte: which of the ranges, begin to before end, hold some. */
struct dp_range_slot {
	uint8_t begin, end;
};

/* How many of the addresses that start with one byte, or with two, are inside. */
enum { DP_NETS_NONE = 0, DP_NETS_ALL = 1, DP_NETS_SOME = 2 };

enum { DP_NETS_SECONDS = 8 }; // first bytes of which the second is looked up, too; start value

/* Which addresses are the subscriber's side. Made by dp_endpoint_nets_init(), read-only from then on. */
struct dp_endpoint_nets {
	struct dp_prefix net[DP_NETS_MAX]; // as they were given
	uint16_t n_nets;
	uint8_t ipv6_prefix_len; // bits of an IPv6 endpoint, 48 to 128, 64 by default
	// The same for each packet's two questions: most often the first byte is enough, or of IPv4
	// two. first6[0] is SOME, for it may be IPv4; first4 is the row of second4 that says more.
	uint8_t first4[256], first6[256]; // DP_NETS_*
	// The rows NONE and ALL are that throughout, from SOME on they are of one first byte each; the
	// last one is SOME throughout.
	uint8_t second4[DP_NETS_SOME + DP_NETS_SECONDS][256];
	struct dp_range_slot slot4[256], slot6[256];
	struct dp_range4 range4[DP_NETS_MAX]; // ascending, apart from each other
	struct dp_range6 range6[DP_NETS_MAX];
	struct dp_addr mask6; // ipv6_prefix_len ones
};

/* DP_NETS_* of an IPv4 address by its first two bytes. Always both: whether the first is enough changes with
 * the packet's direction, and a jump on that is wrong half of the time. */
static inline unsigned int dp_nets_have4(const struct dp_endpoint_nets *nets, const uint8_t *be)
{
	return nets->second4[nets->first4[be[0]]][be[1]];
}

/* Bytes 0 to 7 (i is 0) or 8 to 15 (1) as they stand. */
static inline uint64_t dp_addr_half_be(const struct dp_addr *a, unsigned int i)
{
	uint64_t be;

	memcpy(&be, a->b + 8 * i, sizeof(be));
	return be;
}

/* The same as a number. */
static inline uint64_t dp_addr_half(const struct dp_addr *a, unsigned int i)
{
	return be64toh(dp_addr_half_be(a, i));
}

/* *a and *mask, bit by bit. */
static inline void dp_addr_mask(struct dp_addr *a, const struct dp_addr *mask)
{
	const uint64_t halves[2] = {dp_addr_half_be(a, 0) & dp_addr_half_be(mask, 0),
		dp_addr_half_be(a, 1) & dp_addr_half_be(mask, 1)};

	memcpy(a->b, halves, sizeof(halves));
}

static inline bool dp_addr_is_v4(const struct dp_addr *a)
{
	return dp_addr_half_be(a, 0) == 0 && dp_addr_half(a, 1) >> 32 == 0xffff;
}

static inline int dp_addr_cmp(const struct dp_addr *a, const struct dp_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

/* From 4 bytes in network order. */
static inline struct dp_addr dp_addr_from_v4(const uint8_t be[4])
{
	struct dp_addr a = {.b = {[10] = 0xff, [11] = 0xff}};

	memcpy(a.b + 12, be, 4);
	return a;
}

/* Text to address; NUL-terminated "10.0.0.7" or "2001:db8::7". Returns 0 or -EINVAL. */
[[nodiscard]] int dp_addr_parse(const char *text, struct dp_addr *ret_addr);

/* "10.0.0.0/8", "2001:db8::/32", or a bare address (full length). Returns 0, or -EINVAL when it is
 * no prefix, -ERANGE when the length is out of range, -EDOM when bits behind the length are set. */
[[nodiscard]] int dp_prefix_parse(const char *text, struct dp_prefix *ret_prefix);

/* Canonical text (RFC 5952) into buf[DP_ADDR_STRLEN]; returns buf. */
char *dp_addr_format(const struct dp_addr *a, char *buf);

/* As dp_addr_format, an IPv6 endpoint with its prefix length: "2001:db8:1:2::/64". buf holds
 * DP_ADDR_STRLEN + 4 bytes. */
char *dp_endpoint_format(const struct dp_addr *a, uint8_t ipv6_prefix_len, char *buf);

bool dp_prefix_contains(const struct dp_prefix *p, const struct dp_addr *a);

/* Of n_nets <= DP_NETS_MAX prefixes, copied, in any order, one inside another or not. Equal arguments
 * make equal bytes. */
void dp_endpoint_nets_init(struct dp_endpoint_nets *ret_nets, const struct dp_prefix *nets,
	uint16_t n_nets, uint8_t ipv6_prefix_len);

/* The default of endpoints.networks: RFC 1918, RFC 6598, RFC 4193; /64. */
void dp_endpoint_nets_default(struct dp_endpoint_nets *ret_nets);

/* Whether an IPv6 address is inside; that of an IPv4 one is not. */
bool dp_nets_have6(const struct dp_endpoint_nets *nets, const struct dp_addr *a);

struct dp_endpoint {
	struct dp_addr addr; // masked to ipv6_prefix_len when IPv6
	bool is_src; // the packet was sent by the endpoint: up
	bool is_ambiguous; // both or none of the addresses lie inside the networks
};

/* The endpoint of a packet: stateless and symmetric (swapping src and dst changes only is_src), so
 * that distributor, worker and XDP agree. With both or none inside, the numerically lower address. */
struct dp_endpoint dp_endpoint_of(
	const struct dp_endpoint_nets *nets, const struct dp_addr *src, const struct dp_addr *dst);
