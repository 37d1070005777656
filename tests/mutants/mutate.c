// SPDX-License-Identifier: BSD-3-Clause
#include "tests/mutants/mutate.h"

#include <stdlib.h>
#include <string.h>

enum {
	CHANGES_MAX = 12, // of one mutant
	HEADERS_BYTES = 128, // most changes hit these
	FRAMES_MAX = 128, // of one mutant
};

/* splitmix64 */
uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

uint32_t rng_below(struct rng *rng, uint32_t n)
{
	return n == 0 ? 0 : (uint32_t)(rng_next(rng) >> 32) % n;
}

/* --- one frame ------------------------------------------------------------------------------- */

/* Where: mostly among the headers. */
static uint32_t place(struct rng *rng, const struct frame *f)
{
	const uint32_t n = rng_below(rng, 4) > 0 && f->cap_len > HEADERS_BYTES ? HEADERS_BYTES
									       : f->cap_len;

	return rng_below(rng, n);
}

static void flip_bits(struct rng *rng, struct frame *f)
{
	for (uint32_t n = 1 + rng_below(rng, 8); n > 0 && f->cap_len > 0; n--)
		f->data[place(rng, f)] ^= (uint8_t)(1 << rng_below(rng, 8));
}

/* Types, protocols and ports that mean another layer; ends of ranges. */
static void put_interesting(struct rng *rng, struct frame *f)
{
	static const uint16_t words[] = {0, 1, 4, 8, 0x00ff, 0x0800, 0x86dd, 0x8100, 0x88a8, 0x8847,
		0x8848, 0x8863, 0x8864, 0x6558, 0x880b, 0x88be, 0x22eb, 0x0021, 0x0057, 0xaaaa,
		1701, 2152, 3544, 4789, 6081, 0x2000, 0x1fff, 0x3fff, 0x7fff, 0x8000, 0xfffe,
		0xffff};
	static const uint8_t bytes[] = {0, 1, 4, 6, 17, 41, 44, 43, 47, 50, 51, 60, 132, 0x45, 0x46,
		0x4f, 0x60, 0x30, 0x34, 0x7f, 0x80, 0xfe, 0xff};
	const uint32_t at = place(rng, f);

	if (f->cap_len == 0)
		return;
	if (rng_below(rng, 2) == 0 || at + 2 > f->cap_len) {
		f->data[at] = bytes[rng_below(rng, sizeof(bytes))];
		return;
	}

	const uint16_t word = words[rng_below(rng, sizeof(words) / sizeof(words[0]))];

	f->data[at] = (uint8_t)(word >> 8);
	f->data[at + 1] = (uint8_t)word;
}

/* Fewer bytes were captured; or there were fewer. */
static void cut(struct rng *rng, struct frame *f)
{
	f->cap_len = rng_below(rng, 2) == 0 ? place(rng, f) : rng_below(rng, f->cap_len + 1);
	if (rng_below(rng, 2) == 0)
		f->wire_len = f->cap_len + rng_below(rng, 8);
}

/* The record claims another length on the wire. */
static void claim(struct rng *rng, struct frame *f)
{
	static const uint32_t more[] = {0, 1, 1500, 9000, 65535, 65536, 1 << 20};

	f->wire_len = f->cap_len + more[rng_below(rng, sizeof(more) / sizeof(more[0]))];
}

/* The IPv4 or IPv6 header at p, n bytes. */
static void fragment_header(struct rng *rng, uint8_t *p, uint32_t n)
{
	if (p[0] >> 4 == 4 && n >= 20) {
		p[4] = 0; // few identifications, so that fragments meet
		p[5] = (uint8_t)rng_below(rng, 3);
		p[6] = (uint8_t)(rng_below(rng, 2) << 5);
		p[7] = (uint8_t)rng_below(rng, 64);
	} else if (p[0] >> 4 == 6 && n >= 48) {
		p[6] = 44; // what stood there is the Fragment header now
		p[40] = (uint8_t)(rng_below(rng, 2) == 0 ? 6 : 17);
		p[42] = (uint8_t)rng_below(rng, 2);
		p[43] = (uint8_t)(rng_below(rng, 32) << 3 | rng_below(rng, 2));
		memset(p + 44, 0, 3);
		p[47] = (uint8_t)rng_below(rng, 3);
	}
}

/* What looks like an IP header becomes one of a fragment. */
static void make_fragment(struct rng *rng, struct frame *f)
{
	const uint32_t skip = rng_below(rng, 3); // the outermost, or one inside
	uint32_t seen = 0;

	for (uint32_t i = 0; i < f->cap_len; i++) {
		if (f->data[i] != 0x45 && f->data[i] != 0x60)
			continue;
		if (seen++ < skip)
			continue;
		fragment_header(rng, f->data + i, f->cap_len - i);
		return;
	}
}

/* The head of one and the rest of the other, cut anywhere: a tunnel into it, or nonsense. */
static void splice(struct rng *rng, struct frame *f, const struct frame *other)
{
	const uint32_t head = place(rng, f);
	const uint32_t skip = rng_below(rng, 2) == 0 ? 0 : place(rng, other);
	const uint32_t n = other->cap_len - skip;
	const uint32_t len = head + n < FRAME_BYTES_MAX ? head + n : FRAME_BYTES_MAX;
	uint8_t *data = malloc(len > 0 ? len : 1);

	if (data == NULL)
		exit(1);
	if (head > 0)
		memcpy(data, f->data, head);
	if (len > head)
		memcpy(data + head, other->data + skip, len - head);
	free(f->data);
	f->data = data;
	f->cap_len = len;
	f->wire_len = len;
}

/* --- their order ------------------------------------------------------------------------------- */

static void repeat(struct rng *rng, struct frames *frames, size_t i)
{
	if (frames->n < FRAMES_MAX)
		frames_add(frames, &frames->v[i]);

	// It passes anywhere.
	const size_t to = rng_below(rng, (uint32_t)frames->n);
	const struct frame last = frames->v[frames->n - 1];

	frames->v[frames->n - 1] = frames->v[to];
	frames->v[to] = last;
}

static void swap(struct rng *rng, struct frames *frames, size_t i)
{
	const size_t to = rng_below(rng, (uint32_t)frames->n);
	const struct frame x = frames->v[i];

	frames->v[i] = frames->v[to];
	frames->v[to] = x;
}

/* Everything from here on is later: ticks end, datagrams and flows time out. */
static void wait(struct rng *rng, struct frames *frames, size_t i)
{
	static const uint64_t ms[] = {100, 1000, 5000, 31000, 130000};
	const uint64_t ns = ms[rng_below(rng, sizeof(ms) / sizeof(ms[0]))] * 1000000;

	for (; i < frames->n; i++)
		frames->v[i].time_ns += ns;
}

/* The order is the order of passing. */
static void order_times(struct frames *frames)
{
	for (size_t i = 1; i < frames->n; i++) {
		if (frames->v[i].time_ns < frames->v[i - 1].time_ns)
			frames->v[i].time_ns = frames->v[i - 1].time_ns;
	}
}

static void change(struct rng *rng, struct frames *frames, const struct frames *others)
{
	const size_t i = rng_below(rng, (uint32_t)frames->n);
	struct frame *f = &frames->v[i];

	switch (rng_below(rng, 12)) {
	case 0 ... 1:
		flip_bits(rng, f);
		break;
	case 2 ... 3:
		put_interesting(rng, f);
		break;
	case 4:
		cut(rng, f);
		break;
	case 5:
		claim(rng, f);
		break;
	case 6 ... 7:
		make_fragment(rng, f);
		break;
	case 8:
		splice(rng, f, &others->v[rng_below(rng, (uint32_t)others->n)]);
		break;
	case 9:
		repeat(rng, frames, i);
		break;
	case 10:
		swap(rng, frames, i);
		break;
	default:
		wait(rng, frames, i);
		break;
	}
}

void mutate(struct rng *rng, struct frames *frames, const struct frames *others)
{
	for (uint32_t n = 1 + rng_below(rng, CHANGES_MAX); n > 0 && frames->n > 0; n--)
		change(rng, frames, others);
	order_times(frames);
}
