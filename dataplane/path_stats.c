// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/path_state.h"

#include <rte_cycles.h>

/* What the receiver's reassembly counts; a datagram for which no wide mbuf was free was not rebuilt
 * either. */
static struct dp_datagram_stats datagrams_of(const struct dp_receiver *r)
{
	const struct dp_datagram_counters *c = dp_datagrams_counters(r->datagrams);

	return (struct dp_datagram_stats){.fragments = dp_counter_get(&c->fragments),
		.rebuilt = dp_counter_get(&c->rebuilt),
		.overlapped = dp_counter_get(&c->overlapped),
		.expired = dp_counter_get(&c->expired),
		.evicted = dp_counter_get(&c->evicted),
		.crowded = dp_counter_get(&c->crowded) + dp_counter_get(&r->counters.crowded),
		.repeated = dp_counter_get(&c->repeated),
		.held = dp_counter_get(&c->held)};
}

static void sum_outcomes(
	uint64_t sum[DP_OUTCOME_COUNT], const dp_counter outcomes[DP_OUTCOME_COUNT])
{
	for (int i = 0; i < DP_OUTCOME_COUNT; i++)
		sum[i] += dp_counter_get(&outcomes[i]);
}

static void sum_encaps(struct dp_encap_stats *sum, const struct dp_encap_counters *c)
{
	for (int e = 0; e < DP_ENCAP_COUNT; e++) {
		sum->opened[e] += dp_counter_get(&c->opened[e]);
		for (int i = 0; i < DP_REFUSAL_COUNT; i++)
			sum->refused[e][i] += dp_counter_get(&c->refused[e][i]);
	}
}

static void sum_datagrams(struct dp_datagram_stats *sum, const struct dp_datagram_stats *s)
{
	sum->fragments += s->fragments;
	sum->rebuilt += s->rebuilt;
	sum->overlapped += s->overlapped;
	sum->expired += s->expired;
	sum->evicted += s->evicted;
	sum->crowded += s->crowded;
	sum->repeated += s->repeated;
	sum->held += s->held;
}

/* What an offload has kept of the source. */
static void sum_kept(struct dp_path_stats *sum, const struct dp_source *source)
{
	struct dp_offload_stats kept;

	if (source->ops->kept == NULL)
		return;
	source->ops->kept(source, &kept);
	sum->frames += kept.frames;
	sum->wire_bytes += kept.wire_bytes;
	sum->ip_bytes += kept.ip_bytes;
	sum->accounted_bytes += kept.ip_bytes - (kept.undecided_bytes - kept.taken_bytes);
	sum->undecided_bytes += kept.undecided_bytes;
	sum->taken_bytes += kept.taken_bytes;
	sum->n_handed_lost += kept.lost;
	for (int i = 0; i < DP_OUTCOME_COUNT; i++)
		sum->outcomes[i] += kept.outcomes[i];
	for (int e = 0; e < DP_ENCAP_COUNT; e++) {
		sum->encaps.opened[e] += kept.encaps.opened[e];
		for (int i = 0; i < DP_REFUSAL_COUNT; i++)
			sum->encaps.refused[e][i] += kept.encaps.refused[e][i];
	}
}

static void sum_receiver(struct dp_path_stats *sum, const struct dp_receiver *r)
{
	const struct dp_datagram_stats datagrams = datagrams_of(r);
	struct dp_source_stats source;

	r->source->ops->stats(r->source, &source);
	sum->frames += dp_counter_get(&r->counters.frames);
	sum->wire_bytes += dp_counter_get(&r->counters.wire_bytes);
	sum->ip_bytes += dp_counter_get(&r->counters.ip_bytes);
	sum->lost += source.lost;
	sum->position += source.position;
	sum->size += source.size;
	sum_outcomes(sum->outcomes, r->counters.outcomes);
	sum_encaps(&sum->encaps, &r->counters.encaps);
	sum_datagrams(&sum->datagrams, &datagrams);
	sum_kept(sum, r->source);
}

static uint64_t tsc_ns(uint64_t tsc)
{
	const uint64_t hz = rte_get_tsc_hz();

	return tsc / hz * 1000000000 + tsc % hz * 1000000000 / hz;
}

static void sum_worker(struct dp_path_stats *sum, const struct dp_worker_counters *c)
{
	sum->accounted_bytes += dp_counter_get(&c->ip_bytes);
	sum->flows += dp_counter_get(&c->flows);
	sum->flows_evicted += dp_counter_get(&c->flows_evicted);
	sum->classified_packets += dp_counter_get(&c->classified_packets);
	sum->postponed += dp_counter_get(&c->postponed);
	sum->notes_dropped += dp_counter_get(&c->notes_dropped);
	sum->signalling += dp_counter_get(&c->signalling);
	sum->signalling_dropped += dp_counter_get(&c->signalling_dropped);
	sum->names_refused += dp_counter_get(&c->names_refused);
	sum->quality_refused += dp_counter_get(&c->quality_refused);
	sum->copies_looked += dp_counter_get(&c->copies_looked);
	sum->copies_seen += dp_counter_get(&c->copies_seen);
	sum->copies_forgotten += dp_counter_get(&c->copies_forgotten);
	sum->tcp_ended += dp_counter_get(&c->tcp_ended);
	sum->tcp_one_way[0] += dp_counter_get(&c->tcp_one_way[0]);
	sum->tcp_one_way[1] += dp_counter_get(&c->tcp_one_way[1]);
	sum->hellos += dp_counter_get(&c->hellos);
	sum->hellos_ech += dp_counter_get(&c->hellos_ech);
	sum->hints_forgotten += dp_counter_get(&c->hints_forgotten);
	sum->verdicts_cut += dp_counter_get(&c->verdicts_cut);
	sum->worker_busy_ns += tsc_ns(dp_counter_get(&c->stretches.busy_tsc));
	sum_outcomes(sum->outcomes, c->outcomes);
}

void dp_path_stats(const struct dp_path *path, struct dp_path_stats *ret_stats)
{
	*ret_stats = (struct dp_path_stats){0};
	for (uint16_t i = 0; i < path->n_receivers; i++)
		sum_receiver(ret_stats, path->receivers[i]);
	for (uint16_t i = 0; i < path->n_workers; i++)
		sum_worker(ret_stats, dp_worker_counters(path->workers[i]));
}

static struct dp_time_stats time_of(const struct dp_stretch_counters *c)
{
	return (struct dp_time_stats){.busy_ns = tsc_ns(dp_counter_get(&c->busy_tsc)),
		.longest_ns = tsc_ns(dp_counter_get(&c->longest_tsc)),
		.n_long = dp_stretch_longer(c, DP_LONG_NS),
		.n_disturbed = dp_counter_get(&c->disturbed)};
}

void dp_path_worker_stats(
	const struct dp_path *path, uint16_t worker, struct dp_worker_stats *ret_stats)
{
	const struct dp_worker_counters *c = dp_worker_counters(path->workers[worker]);

	*ret_stats = (struct dp_worker_stats){
		.packets = dp_counter_get(&c->packets),
		.ip_bytes = dp_counter_get(&c->ip_bytes),
		.flows = dp_counter_get(&c->flows),
		.flows_evicted = dp_counter_get(&c->flows_evicted),
		.classified_packets = dp_counter_get(&c->classified_packets),
		.hellos = dp_counter_get(&c->hellos),
		.hellos_ech = dp_counter_get(&c->hellos_ech),
		.hints_forgotten = dp_counter_get(&c->hints_forgotten),
		.verdicts_cut = dp_counter_get(&c->verdicts_cut),
		.names_refused = dp_counter_get(&c->names_refused),
		.quality_refused = dp_counter_get(&c->quality_refused),
		.postponed = dp_counter_get(&c->postponed),
		.catalogues = dp_counter_get(&c->catalogues),
		.to_resolve = dp_counter_get(&c->to_resolve),
		.resolved_again = dp_counter_get(&c->resolved_again),
		.resolve_refused = dp_counter_get(&c->resolve_refused),
		.time = time_of(&c->stretches),
	};
	sum_outcomes(ret_stats->outcomes, c->outcomes);
}

static void add_kept(struct dp_port_stats *port, const struct dp_source *source)
{
	const struct dp_offload_stats *kept = &port->offload;

	if (source->ops->kept == NULL)
		return;
	port->is_offloaded = true;
	source->ops->kept(source, &port->offload);
	port->frames += kept->frames;
	port->wire_bytes += kept->wire_bytes;
	port->packets += kept->packets;
	port->up_packets += kept->up_packets;
	port->ip_bytes += kept->ip_bytes;
	for (int i = 0; i < DP_OUTCOME_COUNT; i++)
		port->outcomes[i] += kept->outcomes[i];
}

static void add_receiver(struct dp_port_stats *port, const struct dp_receiver *r)
{
	const struct dp_datagram_stats datagrams = datagrams_of(r);
	struct dp_source_stats source;

	r->source->ops->stats(r->source, &source);
	port->is_link_down |= source.is_link_down;
	port->received += source.received;
	port->lost += source.lost;
	port->position += source.position;
	port->size += source.size;
	port->frames += dp_counter_get(&r->counters.frames);
	port->wire_bytes += dp_counter_get(&r->counters.wire_bytes);
	port->handed_on += dp_counter_get(&r->counters.handed_on);
	port->packets += dp_counter_get(&r->counters.packets);
	port->up_packets += dp_counter_get(&r->counters.up_packets);
	port->ip_bytes += dp_counter_get(&r->counters.ip_bytes);
	sum_datagrams(&port->datagrams, &datagrams);
	sum_outcomes(port->outcomes, r->counters.outcomes);
	add_kept(port, r->source);
}

size_t dp_path_ports(const struct dp_path *path, struct dp_port_stats *ret_ports, size_t max)
{
	size_t n = 0;

	for (; n < path->n_ports && n < max; n++) {
		struct dp_port_stats *port = &ret_ports[n];

		*port = (struct dp_port_stats){0};
		memcpy(port->name, path->ports[n].name, sizeof(port->name));
		memcpy(port->down, path->ports[n].down, sizeof(port->down));
		port->n_queues = path->ports[n].n;
		if (port->n_queues == 1) // more are workers'
			port->time = time_of(
				&path->receivers[path->ports[n].first]->counters.stretches);
		for (uint16_t i = 0; i < path->ports[n].n; i++)
			add_receiver(port, path->receivers[path->ports[n].first + i]);
	}
	return n;
}
