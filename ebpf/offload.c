// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/offload.h"

#include "ebpf/flow_key.h"
#include "ebpf/keep.h"
#include "ebpf/past.h"
#include "ebpf/pins.h"
#include "ebpf/program.h"
#include "ebpf/slots.h"
#include "ebpf/way.h"

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
	struct ebpf_way *ways; // of each port
	_Atomic uint64_t
		stop_ns; // 0: frames come; else the end of the last tick that they may count in
	struct ebpf_pins *pins; // NULL: there is no folder of them
	struct ebpf_past *past; // likewise
	struct ebpf_keep keep;
	bool keeps;
};

/* What as many starts leave is kept: a daemon that dies before its first tick is on the disk, again and again, would fill
 * the memory. Start value. */
enum { GENERATIONS_MAX = 8 };

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
	uint32_t id, bool is_watched, uint64_t since_ns, struct dp_offload_counts *ret_before)
{
	struct ebpf_verdict v = {.key = ebpf_key_of(tuple),
		.flow = flow,
		.slot = worker * self_of(self)->offload.n_entries + id,
		.is_watched = is_watched,
		.since_ns = since_ns};
	return ask(self, EBPF_ASK_DECIDE, &v, ret_before);
}

static int look(void *self, const struct dp_five_tuple *tuple, uint32_t flow,
	struct dp_offload_counts *ret_counts)
{
	struct ebpf_verdict v = {.key = ebpf_key_of(tuple), .flow = flow};

	return ask(self, EBPF_ASK_LOOK, &v, ret_counts);
}

static int end(void *self, uint16_t worker, const struct dp_five_tuple *tuple, uint32_t flow,
	uint32_t id, struct dp_offload_counts *ret_counts)
{
	struct ebpf_verdict v = {.key = ebpf_key_of(tuple),
		.flow = flow,
		.slot = id == 0 ? EBPF_SLOT_UNDECIDED
				: worker * self_of(self)->offload.n_entries + id};

	return ask(self, EBPF_ASK_END, &v, ret_counts);
}

static void name(void *self, uint16_t worker, uint32_t id, const struct dp_usage_key *key)
{
	ebpf_slots_name(self_of(self)->slots, worker, id, key);
}

static uint32_t drain(void *self, uint16_t worker, uint64_t end_ns,
	struct dp_offload_usage *ret_usages, uint32_t max)
{
	return ebpf_slots_drain(self_of(self)->slots, worker, end_ns, ret_usages, max);
}

/* --- frames ---------------------------------------------------------------------------------- */

static int attach(struct offload *o, uint16_t port, struct dp_err *reterr)
{
	const char *interface = o->ports[port].interface;
	struct ebpf_attached *attached;
	const int r = ebpf_attach(&(struct ebpf_attach_config){.interface = interface,
					  .mode = o->ports[port].mode,
					  .is_tap = o->ports[port].is_tap,
					  .ingress_fd = ebpf_program_fd(o->programs[port]),
					  .egress_fd = ebpf_program_egress_fd(o->programs[port]),
					  .pins = o->pins,
					  .port = o->keeps ? &o->keep.kept->ports[port] : NULL,
					  .was_flag_ours = o->past != NULL &&
						  ebpf_past_is_flag_ours(o->past, interface)},
		&attached, reterr);

	if (r == 0)
		o->attached[port] = attached;
	return r;
}

static int open_port(void *self, uint16_t port, uint64_t offset_ns, struct dp_err *reterr)
{
	struct offload *o = self_of(self);

	o->ways[port].offset_ns = offset_ns;
	ebpf_program_set_offset(o->programs[port], offset_ns);
	return o->ports == NULL ? 0 : attach(o, port, reterr);
}

static void detach(struct offload *o)
{
	for (size_t i = 0; o->ports != NULL && i < o->n_ports; i++)
		ebpf_detach(atomic_exchange(&o->attached[i], NULL));
}

static void stop(void *self, uint64_t end_ns)
{
	struct offload *o = self_of(self);
	uint64_t none = 0;

	if (o->keeps)
		(void)atomic_compare_exchange_strong(&o->stop_ns, &none, end_ns);
	else
		detach(o);
}

static int run(void *self, const struct dp_capture_record *frame, struct dp_err *reterr)
{
	uint32_t action;

	return ebpf_program_replay(self_of(self)->programs[0], frame, &action, reterr);
}

static void mark(void *self, uint16_t port, uint64_t end_ns)
{
	ebpf_way_mark(&self_of(self)->ways[port], end_ns);
}

static int take(void *self, uint16_t port,
	void (*got)(void *ctx, const struct dp_offload_frame *frame), void *ctx)
{
	struct offload *o = self_of(self);
	struct ebpf_way *way = &o->ways[port];
	const uint64_t stop_ns = atomic_load_explicit(&o->stop_ns, memory_order_acquire);

	ebpf_way_release(way, atomic_load_explicit(&o->keep.committed_ns, memory_order_relaxed));
	if (stop_ns == 0)
		return ebpf_way_take(way, got, ctx);
	ebpf_way_mark(way, stop_ns);
	return 0;
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
	.name = name,
	.drain = drain,
	.open_port = open_port,
	.stop = stop,
	.run = run,
	.take = take,
	.mark = mark,
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
		.port = o->keeps ? &o->keep.kept->ports[i] : NULL,
		.keeps = o->keeps,
		.nets = cfg->nets,
		.tick_ns = cfg->tick_ns,
		.n_workers = cfg->n_workers,
		.n_entries = cfg->n_entries,
		.n_flows = cfg->n_flows,
	};

	return ebpf_program_open(&program, &o->programs[i], reterr);
}

/* NULL: the port is not ours. */
static const char *interface_of(const struct ebpf_offload_config *cfg, size_t i)
{
	return cfg->is_replay ? "replay" : cfg->ports[i].interface;
}

/* The folder of pins, and what those before us left there. Without anything to keep it is looked for, too. */
static int open_pins(
	struct offload *o, const struct ebpf_offload_config *cfg, struct dp_err *reterr)
{
	const char *interfaces[EBPF_KEPT_PORTS];
	size_t n = 0;
	int r = ebpf_pins_open(cfg->pins, o->keeps, &o->pins, reterr);

	if (r < 0)
		return o->keeps ? r : 0;
	for (size_t i = 0; i < o->n_ports && n < EBPF_KEPT_PORTS; i++)
		if (interface_of(cfg, i) != NULL)
			interfaces[n++] = interface_of(cfg, i);
	ebpf_pins_end_others(o->pins, interfaces, n);
	r = ebpf_past_open(o->pins, cfg->watermark_ns, &o->past, reterr);
	if (r == 0 && ebpf_past_count(o->past) >= GENERATIONS_MAX)
		o->keeps = false; // they are credited, and the next start keeps again
	return r;
}

static int open_keep(
	struct offload *o, const struct ebpf_offload_config *cfg, struct dp_err *reterr)
{
	const long n_cpus = ebpf_program_cpus();
	int r;

	if (o->n_ports > EBPF_KEPT_PORTS)
		return dp_fail(reterr, E2BIG, "xdp.persist is for at most %d ports, not %zu",
			EBPF_KEPT_PORTS, o->n_ports);
	r = ebpf_keep_open(&o->keep, (uint32_t)n_cpus + 1, cfg->n_workers, cfg->n_entries, reterr);
	if (r < 0)
		return r;
	o->keep.kept->n_ports = (uint32_t)o->n_ports;
	for (size_t i = 0; i < o->n_ports; i++)
		if (interface_of(cfg, i) != NULL)
			(void)snprintf(o->keep.kept->ports[i].interface, IF_NAMESIZE, "%s",
				interface_of(cfg, i));
	return 0;
}

/* All that who comes after us needs, before any program of ours is attached. */
static int pin_all(struct offload *o, struct dp_err *reterr)
{
	struct ebpf_slot_maps maps;
	char name[32];
	int r = ebpf_pins_begin(o->pins, reterr);

	ebpf_program_slot_maps(o->programs[0], &maps);
	if (r == 0)
		r = ebpf_keep_pin(&o->keep, o->pins, reterr);
	if (r == 0)
		r = ebpf_pins_add(o->pins, EBPF_PIN_SLOTS, maps.slots_fd, reterr);
	if (r == 0)
		r = ebpf_pins_add(
			o->pins, EBPF_PIN_FLOWS, ebpf_program_flows_fd(o->programs[0]), reterr);
	for (size_t i = 0; r == 0 && i < o->n_ports; i++) {
		(void)snprintf(name, sizeof(name), EBPF_PIN_SAMPLES, i);
		r = ebpf_pins_add(o->pins, name, ebpf_program_samples_fd(o->programs[i]), reterr);
	}
	return r == 0 ? ebpf_pins_finish(o->pins, reterr) : r;
}

/* What has no port any more the first one takes. */
static void open_ways(struct offload *o, const struct ebpf_offload_config *cfg)
{
	bool is_first = true;

	for (size_t i = 0; i < o->n_ports; i++)
		ebpf_way_open(&o->ways[i], ebpf_program_samples(o->programs[i]));
	for (size_t i = 0; o->past != NULL && i < o->n_ports; i++)
		if (interface_of(cfg, i) != NULL)
			ebpf_way_add_past(&o->ways[i], o->past, interface_of(cfg, i));
	for (size_t i = 0; o->past != NULL && i < o->n_ports; i++) {
		if (interface_of(cfg, i) != NULL && is_first)
			ebpf_way_add_past(&o->ways[i], o->past, NULL);
		is_first &= interface_of(cfg, i) == NULL;
	}
}

static int make_room(
	struct offload *o, const struct ebpf_offload_config *cfg, struct dp_err *reterr)
{
	o->n_ports = cfg->is_replay ? 1 : cfg->n_ports;
	o->programs = calloc(o->n_ports, sizeof(struct ebpf_program *));
	o->attached = calloc(o->n_ports, sizeof(*o->attached));
	o->ways = calloc(o->n_ports, sizeof(*o->ways));
	if (!cfg->is_replay)
		o->ports = calloc(o->n_ports, sizeof(*o->ports));
	if (o->programs == NULL || o->attached == NULL || o->ways == NULL ||
		(o->ports == NULL && !cfg->is_replay))
		return dp_fail(reterr, ENOMEM, "cannot load the XDP program: %m");
	if (o->ports != NULL)
		memcpy(o->ports, cfg->ports, o->n_ports * sizeof(*o->ports));
	return 0;
}

static int open_all(struct offload *o, const struct ebpf_offload_config *cfg, struct dp_err *reterr)
{
	int r = make_room(o, cfg, reterr);

	o->keeps = cfg->keeps;
	if (r == 0 && cfg->pins != NULL)
		r = open_pins(o, cfg, reterr);
	if (r == 0 && o->keeps)
		r = open_keep(o, cfg, reterr);
	for (size_t i = 0; r == 0 && i < o->n_ports; i++)
		r = open_program(o, cfg, i, reterr);
	if (r == 0)
		r = ebpf_slots_open(o->programs[0], cfg->n_workers, cfg->n_entries,
			o->keeps ? &o->keep : NULL, &o->slots, reterr);
	if (r == 0 && o->keeps)
		r = pin_all(o, reterr);
	if (r == 0)
		open_ways(o, cfg);
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

/* --- what those before us left --------------------------------------------------------------- */

static bool is_whole(const struct offload *o)
{
	for (size_t i = 0; i < o->n_ports; i++)
		if (o->attached[i] == NULL || !ebpf_attached_is_adopted(o->attached[i]))
			return false;
	return ebpf_past_n_unreadable(o->past, &(struct dp_err){0}) == 0;
}

int ebpf_offload_take_over(const struct dp_offload *offload, ebpf_past_credit_fn *fn, void *ctx,
	struct ebpf_taken_over *ret_over, struct dp_err *reterr)
{
	struct offload *o = offload->self;

	*ret_over = (struct ebpf_taken_over){0};
	if (o->past == NULL)
		return 0;
	ret_over->n_generations = ebpf_past_count(o->past);
	ret_over->n_unreadable = ebpf_past_n_unreadable(o->past, &ret_over->why);
	ret_over->is_crowded = ret_over->n_generations >= GENERATIONS_MAX;
	ret_over->is_whole = ret_over->n_generations > 0 && is_whole(o);
	ebpf_wait_for_programs();
	return ebpf_past_credit(o->past, fn, ctx, reterr);
}

void ebpf_offload_credited(const struct dp_offload *offload, uint64_t end_ns)
{
	const struct offload *o = offload->self;

	if (o->past != NULL)
		ebpf_past_credited(o->past, end_ns);
}

void ebpf_offload_committed(const struct dp_offload *offload, uint64_t end_ns)
{
	struct offload *o = offload->self;

	if (end_ns == atomic_load_explicit(&o->keep.committed_ns, memory_order_relaxed) &&
		o->past == NULL)
		return;
	atomic_store_explicit(&o->keep.committed_ns, end_ns, memory_order_relaxed);
	if (o->past != NULL)
		ebpf_past_committed(o->past, end_ns);
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
		detach(o);
	ebpf_slots_close(o->slots);
	for (size_t i = 0; o->ways != NULL && i < o->n_ports; i++)
		ebpf_way_close(&o->ways[i]);
	for (size_t i = 0; o->programs != NULL && i < o->n_ports; i++)
		ebpf_program_close(o->programs[i]);
	ebpf_past_close(o->past);
	if (o->keeps)
		ebpf_keep_close(&o->keep);
	ebpf_pins_close(o->pins);
	free(o->ways);
	free(o->programs);
	free(o->ports);
	free(o->attached);
	free(o);
}
