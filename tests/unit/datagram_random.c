// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/datagram_rig.h"

/* Streams of fragments by chance, the same in every run: whatever comes in which order, the bytes
 * that come out are those that went in. */

enum { N_SEEDS = 200, N_DATAGRAMS = 24, N_FRAMES_MAX = 1024 };

static uint64_t state;

static uint32_t chance(uint32_t n)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(state >> 33) % n;
}

struct stream {
	struct {
		uint8_t *bytes;
		uint32_t len;
	} frames[N_FRAMES_MAX];
	uint32_t n;
	uint64_t plain_bytes; // of IP packets, plain fragments only
	uint64_t tunnel_bytes; // of inner packets that are complete, of fragments of the others
};

static void put(struct stream *s, const uint8_t *bytes, uint32_t len)
{
	assert_true(s->n < N_FRAMES_MAX);
	s->frames[s->n].bytes = malloc(len);
	assert_non_null(s->frames[s->n].bytes);
	memcpy(s->frames[s->n].bytes, bytes, len);
	s->frames[s->n++].len = len;
}

/* Fragments of p at borders by chance, one in `lost` of them missing, one in `twice` twice. Returns
 * the bytes of those that were sent; *ret_is_complete when none is missing. */
static uint64_t cut(struct stream *s, const struct packet *p, uint32_t lost, uint32_t twice,
	bool *ret_is_complete)
{
	static uint8_t bytes[RIG_PACKET_MAX];
	const uint32_t n = packet_payload(p);
	uint64_t sum = 0;

	*ret_is_complete = true;
	for (uint32_t begin = 0, end; begin < n; begin = end) {
		end = begin + 8 * (8 + chance(100));
		end = end < n && begin > 0 ? end : begin == 0 ? n / 16 * 8 : n;

		const uint32_t len = packet_fragment(p, begin, end, end < n, bytes);

		if (lost > 0 && chance(lost) == 0) {
			*ret_is_complete = false;
			continue;
		}
		for (uint32_t i = twice > 0 && chance(twice) == 0 ? 2 : 1; i > 0; i--) {
			put(s, bytes, len);
			sum += len;
		}
	}
	return sum;
}

static void put_plain(struct stream *s, uint32_t id)
{
	static struct packet p;
	static uint8_t bytes[RIG_PACKET_MAX];
	bool is_complete;

	packet_udp(&p, chance(2) == 0, 500 + chance(3000), id);
	s->plain_bytes += cut(s, &p, 8, 8, &is_complete);
	if (chance(4) == 0) { // across what is there
		const uint32_t begin = 8 * chance(40), end = begin + 8 * (1 + chance(20));
		const uint32_t len = packet_fragment(
			&p, begin, end, begin == 0 || chance(4) > 0, bytes);

		put(s, bytes, len);
		s->plain_bytes += len;
	}
}

static void put_tunnel(struct stream *s, uint32_t id)
{
	static struct packet inner, p;
	bool is_complete;
	uint64_t sum;

	packet_udp(&inner, chance(2) == 0, 500 + chance(3000), id);
	packet_tunnel(&p, inner.bytes, inner.len, id);
	sum = cut(s, &p, 8, 0, &is_complete);
	s->tunnel_bytes += is_complete ? inner.len : sum;
}

static void shuffle(struct stream *s)
{
	for (uint32_t i = s->n; i > 1; i--) {
		const uint32_t k = chance(i);
		const typeof(s->frames[0]) f = s->frames[k];

		s->frames[k] = s->frames[i - 1];
		s->frames[i - 1] = f;
	}
}

static void make_stream(struct stream *s, uint64_t seed)
{
	state = seed;
	s->n = 0;
	s->plain_bytes = 0;
	s->tunnel_bytes = 0;
	for (uint32_t id = 1; id <= N_DATAGRAMS; id++) {
		if (chance(2) == 0)
			put_plain(s, id);
		else
			put_tunnel(s, id);
	}
	shuffle(s);
}

static void free_stream(struct stream *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		free(s->frames[i].bytes);
}

static void no_byte_is_lost_or_invented(void **)
{
	static struct stream s;

	for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
		struct rig r;

		make_stream(&s, seed);
		rig_init(&r, (struct dp_datagram_config){.n_buffers = 64});
		for (uint32_t i = 0; i < s.n; i++)
			(void)rig_send(&r, s.frames[i].bytes, s.frames[i].len);
		rig_end(&r);
		if (r.ip_bytes != s.plain_bytes + s.tunnel_bytes)
			fail_msg("seed %llu: %llu bytes came of %llu and %llu",
				(unsigned long long)seed, (unsigned long long)r.ip_bytes,
				(unsigned long long)s.plain_bytes,
				(unsigned long long)s.tunnel_bytes);
		assert_int_equal(r.n_frames, s.n);
		rig_fini(&r);
		free_stream(&s);
	}
}

/* The same streams through tables that hold next to nothing, with time passing: the ledger, which
 * rig_send() looks at behind each frame. */
static void in_a_crowd_every_frame_still_has_its_outcome(void **)
{
	static struct stream s;

	for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
		struct rig r;

		make_stream(&s, seed);
		rig_init(&r,
			(struct dp_datagram_config){.n_datagrams = UINT32_C(1) << chance(4),
				.n_buffers = 1 + chance(3),
				.drops_repeated = chance(2) == 0});
		for (uint32_t i = 0; i < s.n; i++) {
			r.now_ms += chance(4) == 0 ? chance(RIG_TIMEOUT) : 0;
			(void)rig_send(&r, s.frames[i].bytes, s.frames[i].len);
		}
		rig_end(&r);
		assert_int_equal(r.n_frames + r.n_duplicates, s.n);
		rig_fini(&r);
		free_stream(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_byte_is_lost_or_invented),
		cmocka_unit_test(in_a_crowd_every_frame_still_has_its_outcome),
	};

	return cmocka_run_group_tests_name("datagram_random", tests, NULL, NULL);
}
