// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/offload.h"

#include "ebpf/flow_key.h"
#include "ebpf/program.h"
#include "ebpf/slots.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static_assert((int)EBPF_UP == 0 && (int)EBPF_DOWN == 1, "as struct dp_offload_counts has it");

struct offload {
	struct dp_offload offload; // first: what the path has
	struct ebpf_program **programs; // of each port; the first one has the flows
	struct ebpf_offload_port *ports; // as configured; NULL in a replay
	// Written by control's thread, read by any while stats are asked for.
	struct ebpf_attached *_Atomic *attached;
	size_t n_ports;
	struct ebpf_slots *slots;
};

static struct offload *self_of(void *self)
{
	return self;
}

/* --- flows ----------------------------------------------------------------------------------- */

static int ask(void *self, enum ebpf_ask what, struct ebpf_verdict *v,
	struct dp_offload_counts *ret_counts)
{
	const int r = ebpf_program_ask(self_of(self)->programs[0], what, v);

	*ret_counts = v->counts;
	return r;
}

static int decide(void *self, uint16_t worker, const struct dp_five_tuple *tuple, uint32_t flow,
	uint32_t id, bool is_watched, struct dp_offload_counts *ret_before)
{
	struct ebpf_verdict v = {.key = ebpf_key_of(tuple),
		.flow = flow,
		.slot = worker * self_of(self)->offload.n_entries + id,
		.is_watched = is_watched};

	return ask(self, EBPF_ASK_DECIDE, &v, ret_before);
}

static int look(void *self, const struct dp_five_tuple *tuple, uint32_t flow,
	struct dp_offload_counts *ret_counts)
{
	struct ebpf_verdict v = {.key = ebpf_key_of(tuple), .flow = flow};

	return ask(self, EBPF_ASK_LOOK, &v, ret_counts);
}

static int end(void *self, const struct dp_five_tuple *tuple, uint32_t flow,
	struct dp_offload_counts *ret_counts)
{
	struct ebpf_verdict v = {.key = ebpf_key_of(tuple), .flow = flow};

	return ask(self, EBPF_ASK_END, &v, ret_counts);
}

static uint32_t drain(void *self, uint16_t worker, uint64_t end_ns,
	struct dp_offload_usage *ret_usages, uint32_t max)
{
	return ebpf_slots_drain(self_of(self)->slots, worker, end_ns, ret_usages, max);
}

/* --- frames ---------------------------------------------------------------------------------- */

static int open_port(void *self, uint16_t port, uint64_t offset_ns, struct dp_err *reterr)
{
	struct offload *o = self_of(self);
	struct ebpf_attached *attached;
	int r;

	ebpf_program_set_offset(o->programs[port], offset_ns);
	if (o->ports == NULL)
		return 0;
	r = ebpf_attach(&(struct ebpf_attach_config){.interface = o->ports[port].interface,
				.mode = o->ports[port].mode,
				.is_tap = o->ports[port].is_tap,
				.ingress_fd = ebpf_program_fd(o->programs[port]),
				.egress_fd = ebpf_program_egress_fd(o->programs[port])},
		&attached, reterr);
	if (r == 0)
		o->attached[port] = attached;
	return r;
}

static void stop(void *self)
{
	struct offload *o = self_of(self);

	for (size_t i = 0; o->ports != NULL && i < o->n_ports; i++)
		ebpf_detach(atomic_exchange(&o->attached[i], NULL));
}

static int run(void *self, const struct dp_capture_record *frame, struct dp_err *reterr)
{
	uint32_t action;

	return ebpf_program_replay(self_of(self)->programs[0], frame, &action, reterr);
}

struct taker {
	void (*got)(void *ctx, const struct dp_offload_frame *frame);
	void *ctx;
};

static void got_sample(void *ctx, const struct ebpf_sample *s, const uint8_t *data)
{
	const struct taker *t = ctx;
	struct dp_offload_frame frame = {
		.time_ns = s->time_ns,
		.data = data,
		.cap_len = s->cap_len,
		.wire_len = s->wire_len,
		.link = (enum dp_link)s->link,
		.handed = s->handed,
		.head = {.flow = s->flow, .n_packets = s->n_packets},
	};

	if ((s->handed & DP_HANDED_ENDED) != 0)
		frame.head.ended = s->ended;
	if (s->n_packets > 1 && frame.handed != DP_HANDED_PLAIN)
		frame.handed |= DP_HANDED_MERGED;
	t->got(t->ctx, &frame);
}

static int take(void *self, uint16_t port,
	void (*got)(void *ctx, const struct dp_offload_frame *frame), void *ctx)
{
	struct taker t = {.got = got, .ctx = ctx};

	return ebpf_program_take(self_of(self)->programs[port], got_sample, &t);
}

static bool is_link_down(const struct offload *o, uint16_t port)
{
	const struct ebpf_attached *attached = o->ports != NULL ? o->attached[port] : NULL;

	return attached != NULL && !ebpf_attached_is_up(attached);
}

static void stats(void *self, uint16_t port, struct dp_offload_stats *ret_stats)
{
	struct ebpf_ledger l;

	memset(ret_stats, 0, sizeof(*ret_stats));
	if (ebpf_program_ledger(self_of(self)->programs[port], &l, NULL) < 0)
		return;
	ret_stats->received = l.received;
	ret_stats->is_link_down = is_link_down(self_of(self), port);
	for (int i = 0; i < DP_OUTCOME_COUNT; i++) {
		ret_stats->outcomes[i] = l.frames[i];
		ret_stats->frames += l.frames[i];
	}
	ret_stats->wire_bytes = l.wire_bytes;
	ret_stats->packets = l.packets;
	ret_stats->up_packets = l.up_packets;
	ret_stats->ip_bytes = l.ip_bytes;
	ret_stats->lost = l.lost;
	ret_stats->undecided_bytes = l.undecided_bytes;
	ret_stats->taken_bytes = l.taken_bytes;
	memcpy(ret_stats->encaps.opened, l.opened, sizeof(l.opened));
	for (int i = 0; i < DP_ENCAP_COUNT; i++)
		memcpy(ret_stats->encaps.refused[i], l.refused[i],
			sizeof(ret_stats->encaps.refused[i]));
}

static const struct dp_offload_ops ops = {
	.decide = decide,
	.look = look,
	.end = end,
	.drain = drain,
	.open_port = open_port,
	.stop = stop,
	.run = run,
	.take = take,
	.stats = stats,
};

/* --- open and close -------------------------------------------------------------------------- */

static int open_program(
	struct offload *o, const struct ebpf_offload_config *cfg, size_t i, struct dp_err *reterr)
{
	struct ebpf_program_config program = {
		.is_tap = cfg->is_replay || cfg->ports[i].is_tap,
		.is_replay = cfg->is_replay,
		.ignore = cfg->is_replay ? cfg->replay_ignore : cfg->ports[i].ignore,
		.ring_bytes = cfg->ring_bytes,
		.sharer = i > 0 ? o->programs[0] : NULL,
		.nets = cfg->nets,
		.tick_ns = cfg->tick_ns,
		.n_workers = cfg->n_workers,
		.n_entries = cfg->n_entries,
		.n_flows = cfg->n_flows,
	};

	return ebpf_program_open(&program, &o->programs[i], reterr);
}

static int open_all(struct offload *o, const struct ebpf_offload_config *cfg, struct dp_err *reterr)
{
	int r = 0;

	o->n_ports = cfg->is_replay ? 1 : cfg->n_ports;
	o->programs = calloc(o->n_ports, sizeof(struct ebpf_program *));
	o->attached = calloc(o->n_ports, sizeof(*o->attached));
	if (!cfg->is_replay)
		o->ports = calloc(o->n_ports, sizeof(*o->ports));
	if (o->programs == NULL || o->attached == NULL || (o->ports == NULL && !cfg->is_replay))
		return dp_fail(reterr, ENOMEM, "cannot load the XDP program: %m");
	if (o->ports != NULL)
		memcpy(o->ports, cfg->ports, o->n_ports * sizeof(*o->ports));
	for (size_t i = 0; r == 0 && i < o->n_ports; i++)
		r = open_program(o, cfg, i, reterr);
	if (r == 0)
		r = ebpf_slots_open(
			o->programs[0], cfg->n_workers, cfg->n_entries, &o->slots, reterr);
	return r;
}

int ebpf_offload_open(const struct ebpf_offload_config *cfg, struct dp_offload **ret_offload,
	struct dp_err *reterr)
{
	struct offload *o = calloc(1, sizeof(*o));
	int r;

	if (o == NULL)
		return dp_fail(reterr, ENOMEM, "cannot load the XDP program: %m");
	o->offload = (struct dp_offload){.ops = &ops, .self = o, .n_entries = cfg->n_entries};
	r = open_all(o, cfg, reterr);
	if (r < 0) {
		ebpf_offload_close(&o->offload); // copes with what is there so far
		return r;
	}
	*ret_offload = &o->offload;
	return 0;
}

const struct ebpf_attached *ebpf_offload_attached(const struct dp_offload *offload, size_t i)
{
	const struct offload *o = offload->self;

	return i < o->n_ports ? o->attached[i] : NULL;
}

void ebpf_offload_close(struct dp_offload *offload)
{
	struct offload *o = offload == NULL ? NULL : offload->self;

	if (o == NULL)
		return;
	if (o->attached != NULL)
		stop(o);
	ebpf_slots_close(o->slots);
	for (size_t i = 0; o->programs != NULL && i < o->n_ports; i++)
		ebpf_program_close(o->programs[i]);
	free(o->programs);
	free(o->ports);
	free(o->attached);
	free(o);
}
