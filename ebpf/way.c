// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/way.h"

#include <time.h>

void ebpf_way_open(struct ebpf_way *way, struct ebpf_samples *now)
{
	way->now = now;
}

void ebpf_way_close(struct ebpf_way *way)
{
	for (size_t i = 0; i < way->n_past; i++)
		ebpf_samples_close(way->past[i].samples);
	way->n_past = 0;
}

void ebpf_way_add_past(struct ebpf_way *way, struct ebpf_past *past, const char *interface)
{
	way->n_past += ebpf_past_samples(
		past, interface, way->past + way->n_past, EBPF_WAY_PAST_MAX - way->n_past);
}

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // cannot fail for this clock
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

struct taker {
	void (*got)(void *ctx, const struct dp_offload_frame *frame);
	void *ctx;
	uint64_t offset_ns;
};

/* handed: of what the sample says, without DP_HANDED_MERGED. */
static struct dp_offload_frame frame_of(
	const struct ebpf_sample *s, const uint8_t *data, uint8_t handed)
{
	struct dp_offload_frame frame = {
		.time_ns = s->time_ns,
		.data = data,
		.cap_len = s->cap_len,
		.wire_len = s->wire_len,
		.link = (enum dp_link)s->link,
		.handed = handed,
		.head = {.flow = s->flow, .n_packets = s->n_packets, .event = s->event},
	};

	if ((handed & DP_HANDED_ENDED) != 0)
		frame.head.ended = s->ended;
	return frame;
}

static void got_sample(void *ctx, const struct ebpf_sample *s, const uint8_t *data)
{
	const struct taker *t = ctx;
	struct dp_offload_frame frame = frame_of(s, data, s->handed);

	if (s->n_packets > 1 && frame.handed != DP_HANDED_PLAIN)
		frame.handed |= DP_HANDED_MERGED;
	t->got(t->ctx, &frame);
}

/* What was handed up by those before us: we know none of their flows, and their time is over. */
static void got_past(void *ctx, const struct ebpf_sample *s, const uint8_t *data)
{
	const struct taker *t = ctx;
	struct dp_offload_frame frame = frame_of(s, data, s->handed & DP_HANDED_ENDED);

	frame.time_ns = t->offset_ns + monotonic_ns();
	frame.head.flow = 0;
	if (s->n_packets > 1 && s->handed != DP_HANDED_PLAIN)
		frame.handed |= DP_HANDED_MERGED;
	t->got(t->ctx, &frame);
}

/* The first that has any more. */
static bool take_past(struct ebpf_way *way, struct taker *t)
{
	for (size_t i = 0; i < way->n_past; i++)
		if (ebpf_samples_take(way->past[i].samples, got_past, t))
			return true;
	return false;
}

int ebpf_way_take(struct ebpf_way *way,
	void (*got)(void *ctx, const struct dp_offload_frame *frame), void *ctx)
{
	struct taker t = {.got = got, .ctx = ctx, .offset_ns = way->offset_ns};

	return take_past(way, &t) || ebpf_samples_take(way->now, got_sample, &t);
}

void ebpf_way_mark(struct ebpf_way *way, uint64_t end_ns)
{
	for (size_t i = 0; i < way->n_past; i++)
		ebpf_samples_mark(way->past[i].samples, end_ns);
	ebpf_samples_mark(way->now, end_ns);
}

void ebpf_way_release(struct ebpf_way *way, uint64_t end_ns)
{
	size_t n = 0;

	for (size_t i = 0; i < way->n_past; i++) {
		struct ebpf_past_samples *p = &way->past[i];

		ebpf_samples_release(p->samples, end_ns);
		if (!ebpf_samples_is_over(p->samples)) {
			way->past[n++] = *p;
			continue;
		}
		ebpf_samples_close(p->samples);
		(void)atomic_fetch_sub(p->n_open, 1);
	}
	way->n_past = n;
	ebpf_samples_release(way->now, end_ns);
}
