// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/walk_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/plain_agrees.h"

#include <stdio.h>

static struct dp_endpoint_nets nets;
static const char *trying;

void walk_check_trying(const char *what)
{
	trying = what;
}

int walk_check_teardown(void **)
{
	if (trying != NULL)
		print_message("             %s\n", trying);
	trying = NULL;
	return 0;
}

static const struct dp_endpoint_nets *endpoint_nets(void)
{
	if (nets.n_nets == 0)
		dp_endpoint_nets_default(&nets);
	return &nets;
}

static void assert_addr(const struct dp_addr *a, const char *text)
{
	char buf[DP_ADDR_STRLEN];

	if (text != NULL)
		assert_string_equal(dp_addr_format(a, buf), text);
}

static void assert_refusal(const struct dp_walk *w, const char *want)
{
	char got[64] = "none";

	if (w->refused != DP_REFUSED_NONE)
		(void)snprintf(got, sizeof(got), "%s %s", dp_encap_names[w->refused],
			dp_refusal_names[w->reason]);
	assert_string_equal(got, want == NULL ? "none" : want);
}

/* The headers at ip.off say themselves what the walk says of them. */
static void assert_ip_as_written(const struct dp_walk *w)
{
	const struct dp_ip *ip = &w->ip;
	const uint8_t *p = w->frame + ip->off;
	const bool is_v4 = p[0] >> 4 == 4;
	const uint32_t written = is_v4 ? (uint32_t)p[2] << 8 | p[3]
				       : 40 + ((uint32_t)p[4] << 8 | p[5]);

	assert_true(p[0] >> 4 == 4 || p[0] >> 4 == 6);
	if (is_v4) {
		assert_memory_equal(ip->src.b + 12, p + 12, 4);
		assert_memory_equal(ip->dst.b + 12, p + 16, 4);
		assert_int_equal(ip->l4_off - ip->off, (p[0] & 15) * 4);
	} else {
		assert_memory_equal(ip->src.b, p + 8, 16);
		assert_memory_equal(ip->dst.b, p + 24, 16);
		assert_true(ip->l4_off - ip->off >= 40);
	}
	if (ip->is_overlong)
		assert_true(ip->bytes < written || written == (is_v4 ? 0 : 40));
	else if (written != (is_v4 ? 0 : 40)) // else a super-frame
		assert_int_equal(ip->bytes, written);
}

static void assert_ip(const struct dp_walk *w, uint32_t cap_len, uint32_t wire_len)
{
	const struct dp_ip *ip = &w->ip;

	assert_true(ip->off <= cap_len && ip->cap_bytes <= cap_len - ip->off);
	assert_true(ip->cap_bytes >= 20 && ip->cap_bytes <= ip->bytes);
	assert_true(ip->bytes <= wire_len - ip->off);
	assert_true(ip->is_fragment || (ip->frag_off == 0 && !ip->has_more));
	assert_false(ip->has_l4 && ip->frag_off != 0);
	if (ip->frag_next_off != 0)
		assert_true(ip->is_fragment && ip->frag_next_off < ip->l4_off - ip->off);
	assert_ip_as_written(w);
}

static void assert_no_ip(const struct dp_walk *w, enum dp_outcome r)
{
	static const enum dp_outcome of_reason[DP_REFUSAL_COUNT] = {
		[DP_REFUSAL_NOT_USER_DATA] = DP_OUTCOME_NOT_IP,
		[DP_REFUSAL_NOT_IP] = DP_OUTCOME_NOT_IP,
		[DP_REFUSAL_TRUNCATED] = DP_OUTCOME_TRUNCATED,
		[DP_REFUSAL_MALFORMED] = DP_OUTCOME_MALFORMED,
		[DP_REFUSAL_UNSUPPORTED] = DP_OUTCOME_UNSUPPORTED,
		[DP_REFUSAL_TOO_DEEP] = DP_OUTCOME_TOO_DEEP,
	};

	assert_int_equal(w->encaps, 0);
	if (w->refused != DP_REFUSED_NONE)
		assert_int_equal(r, of_reason[w->reason]);
	else
		assert_in_range(r, DP_OUTCOME_NOT_IP, DP_OUTCOME_TOO_DEEP);
}

static void assert_walk(
	const struct dp_walk *w, enum dp_outcome r, uint32_t cap_len, uint32_t wire_len)
{
	const uint32_t known = (uint32_t)((UINT64_C(1) << DP_ENCAP_COUNT) - 1);
	struct dp_encap_counters counters = {0};

	assert_int_equal(r == DP_OUTCOME_ACCOUNTED, w->n_ip > 0);
	assert_true(w->n_ip <= DP_WALK_IP_MAX && w->vlans.n <= DP_WALK_VLANS_MAX);
	assert_true(w->n_steps <= DP_WALK_STEPS_MAX + 1);
	assert_true(w->end <= cap_len && w->end <= w->wire_end && w->wire_end <= wire_len);
	assert_int_equal((w->encaps | w->pending) & ~known, 0);
	if (w->refused != DP_REFUSED_NONE) {
		assert_in_range(w->refused, 0, DP_ENCAP_COUNT - 1);
		assert_in_range(w->reason, 0, DP_REFUSAL_COUNT - 1);
	}
	if (w->n_ip > 0)
		assert_ip(w, cap_len, wire_len);
	else
		assert_no_ip(w, r);
	dp_walk_count(w, &counters);
	for (uint32_t i = 0; i < DP_ENCAP_COUNT; i++)
		assert_int_equal(dp_counter_get(&counters.opened[i]), w->encaps >> i & 1);
}

/* What dp_packet_of() makes of it. */
static void assert_pkt(const struct dp_walk *w, uint32_t wire_len)
{
	struct dp_pkt p = {.time_ns = 1, .hash = 2};

	dp_packet_of(w, endpoint_nets(), wire_len, &p);
	assert_int_equal(p.l3_off, w->ip.off);
	assert_int_equal(p.l3_len, w->ip.cap_bytes);
	assert_int_equal(p.ip_bytes, w->ip.bytes);
	assert_int_equal(p.wire_bytes, wire_len);
	assert_int_equal(p.encaps, w->encaps);
	assert_true(p.payload_bytes <= p.ip_bytes);
	assert_true(p.time_ns == 1 && p.hash == 2);
	assert_true((p.flags & DP_PKT_HAS_PORTS) != 0 || (p.tuple.sport | p.tuple.dport) == 0);
}

/* Of a walk that ended at a fragment whose datagram was cut in every way it can be. */
static void assert_fragment(const struct dp_walk *w)
{
	struct dp_walk copy = *w, again;

	if (!w->ip.is_fragment || !w->ip.has_l4)
		return;
	(void)dp_walk_is_tunnel(&copy);
	assert_memory_equal(&copy, w, sizeof(copy));

	const enum dp_outcome r = dp_walk_rebuilt(
		w, w->frame + w->ip.off, w->ip.cap_bytes, w->ip.bytes, &again);

	assert_walk(&again, r, w->ip.cap_bytes, w->ip.bytes);
}

__attribute__((weak)) bool walk_check_also(
	const uint8_t *frame, uint32_t cap_len, uint32_t wire_len, enum dp_link link)
{
	(void)frame, (void)cap_len, (void)wire_len, (void)link;
	return true;
}

void walk_check_sound(const uint8_t *frame, uint32_t cap_len, uint32_t wire_len, enum dp_link link)
{
	uint8_t *block = malloc(cap_len > 0 ? cap_len : 1);
	struct dp_walk w;

	assert_non_null(block);
	if (cap_len > 0)
		memcpy(block, frame, cap_len);

	const enum dp_outcome r = dp_walk(block, cap_len, wire_len, link, &w);

	bool is_plain;

	assert_walk(&w, r, cap_len, wire_len);
	if (r == DP_OUTCOME_ACCOUNTED) {
		assert_pkt(&w, wire_len);
		assert_fragment(&w);
	}
	assert_true(plain_agrees(block, cap_len, wire_len, endpoint_nets(), &is_plain));
	assert_true(walk_check_also(block, cap_len, wire_len, link));
	free(block);
}

/* Where a snap length cut, the wire still had it all: the same packet has the same bytes. */
static void assert_bytes_of_the_wire(
	const uint8_t *frame, uint32_t cap_len, uint32_t len, enum dp_link link)
{
	struct dp_walk whole, cut;

	(void)dp_walk(frame, len, len, link, &whole);
	(void)dp_walk(frame, cap_len, len, link, &cut);
	if (whole.n_ip > 0 && cut.n_ip > 0 && whole.ip.off == cut.ip.off)
		assert_int_equal(cut.ip.bytes, whole.ip.bytes);
}

void walk_check_mutants(const uint8_t *frame, uint32_t len, enum dp_link link)
{
	uint8_t *mutant = malloc(len > 0 ? len : 1);

	assert_non_null(mutant);
	memcpy(mutant, frame, len);
	for (uint32_t cut = 0; cut <= len; cut++) {
		walk_check_sound(frame, cut, len, link);
		walk_check_sound(frame, cut, cut, link);
		assert_bytes_of_the_wire(frame, cut, len, link);
	}
	for (uint32_t bit = 0; bit < len * 8; bit++) {
		mutant[bit / 8] ^= (uint8_t)(1 << bit % 8);
		walk_check_sound(mutant, len, len, link);
		walk_check_sound(mutant, bit / 8 + (len - bit / 8) / 2, len, link);
		mutant[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(mutant);
}

void walk_check_found(
	const uint8_t *frame, uint32_t len, enum dp_link link, const struct walk_want *want)
{
	struct dp_pkt p = {0};
	struct dp_walk w;

	assert_int_equal(dp_walk(frame, len, len, link, &w), DP_OUTCOME_ACCOUNTED);
	dp_packet_of(&w, endpoint_nets(), len, &p);
	assert_addr(&p.tuple.src, want->src);
	assert_addr(&p.tuple.dst, want->dst);
	assert_int_equal(p.tuple.sport, want->sport);
	assert_int_equal(p.tuple.dport, want->dport);
	if (want->proto != 0)
		assert_int_equal(p.tuple.l4_proto, want->proto);
	if (want->n_ip != 0)
		assert_int_equal(w.n_ip, want->n_ip);
	if (want->ip_bytes != 0)
		assert_int_equal(p.ip_bytes, want->ip_bytes);
	assert_int_equal(w.encaps, want->encaps);
	assert_refusal(&w, want->refusal);
	walk_check_sound(frame, len, len, link);
}

void walk_check_none(const uint8_t *frame, uint32_t len, enum dp_link link, enum dp_outcome outcome,
	const char *refusal)
{
	struct dp_walk w;

	assert_int_equal(dp_walk(frame, len, len, link, &w), outcome);
	assert_refusal(&w, refusal);
	walk_check_sound(frame, len, len, link);
}

void walk_check_one_flow(const uint8_t *there, uint32_t there_len, const uint8_t *back,
	uint32_t back_len, enum dp_link link)
{
	struct dp_pkt a = {0}, b = {0};

	assert_int_equal(dp_packet_parse(there, there_len, there_len, link, endpoint_nets(), &a),
		DP_OUTCOME_ACCOUNTED);
	assert_int_equal(dp_packet_parse(back, back_len, back_len, link, endpoint_nets(), &b),
		DP_OUTCOME_ACCOUNTED);
	assert_int_equal(dp_addr_cmp(&a.tuple.src, &b.tuple.dst), 0);
	assert_int_equal(dp_addr_cmp(&a.tuple.dst, &b.tuple.src), 0);
	assert_int_equal(a.tuple.sport, b.tuple.dport);
	assert_int_equal(a.tuple.dport, b.tuple.sport);
	assert_int_equal(a.tuple.l4_proto, b.tuple.l4_proto);
	assert_int_equal(dp_addr_cmp(&a.endpoint, &b.endpoint), 0);
	assert_int_equal((a.flags ^ b.flags) & DP_PKT_UP, DP_PKT_UP);
}
