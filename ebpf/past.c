// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/past.h"

#include "ebpf/abi.h"
#include "ebpf/keep.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

enum {
	GENERATIONS_MAX = 32, // each start that was cut short leaves one
	FLOWS = 512, // read at a time; start value
};

struct generation {
	uint32_t number; // 0: it is over
	struct ebpf_kept *kept;
	struct ebpf_mapping kept_map, counted, keys, logs, slots;
	int flows_fd;
	bool is_counted; // what stands there is on the disk
	struct ebpf_samples *samples[EBPF_KEPT_PORTS]; // NULL: the receiver's, or none
	_Atomic uint32_t n_open; // of those that are not over
};

struct ebpf_past {
	struct ebpf_pins *pins; // borrowed
	uint64_t watermark_ns;
	size_t n, n_unreadable;
	struct dp_err why;
	struct generation generations[GENERATIONS_MAX];
};

/* --- open and close -------------------------------------------------------------------------- */

static void close_counts(struct generation *g)
{
	ebpf_mapping_close(&g->counted);
	ebpf_mapping_close(&g->keys);
	ebpf_mapping_close(&g->logs);
	ebpf_mapping_close(&g->slots);
	if (g->flows_fd >= 0)
		(void)close(g->flows_fd);
	g->flows_fd = -1;
}

static void close_generation(struct generation *g)
{
	for (size_t i = 0; i < EBPF_KEPT_PORTS; i++)
		ebpf_samples_close(g->samples[i]);
	close_counts(g);
	ebpf_mapping_close(&g->kept_map);
	g->kept = NULL;
}

static int open_map(const struct ebpf_past *past, const struct generation *g, const char *name,
	uint64_t n, size_t value_bytes, struct ebpf_mapping *m, struct dp_err *reterr)
{
	const int fd = ebpf_pins_get(past->pins, g->number, name);
	int r;

	if (fd < 0)
		return dp_fail(
			reterr, -fd, "cannot open '%s' of generation %u: %m", name, g->number);
	r = ebpf_mapping_open(m, fd, n, value_bytes, reterr);
	(void)close(fd);
	return r;
}

static int check_kept(const struct ebpf_kept *k, struct dp_err *reterr)
{
	if (k->format != EBPF_KEPT_FORMAT)
		return dp_fail(reterr, EPROTO,
			"what another version of wirecue left in the kernel has format %u, expected %d",
			k->format, EBPF_KEPT_FORMAT);
	if (k->n_workers == 0 || k->n_workers > EBPF_KEPT_WORKERS || k->n_entries == 0 ||
		k->n_rows == 0 || k->n_ports > EBPF_KEPT_PORTS ||
		k->n_log != k->n_entries * EBPF_DRAINED_PER_ENTRY)
		return dp_fail(reterr, EPROTO,
			"what was left in the kernel has %u workers, %u entries and %u ports",
			k->n_workers, k->n_entries, k->n_ports);
	return 0;
}

static int open_flows(const struct ebpf_past *past, struct generation *g, struct dp_err *reterr)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	g->flows_fd = ebpf_pins_get(past->pins, g->number, EBPF_PIN_FLOWS);
	if (g->flows_fd < 0)
		return dp_fail(reterr, -g->flows_fd, "cannot open the flows of generation %u: %m",
			g->number);
	if (bpf_obj_get_info_by_fd(g->flows_fd, &info, &len) < 0 ||
		info.key_size != sizeof(struct ebpf_flow_key) ||
		info.value_size != sizeof(struct ebpf_flow))
		return dp_fail(reterr, EPROTO, "flows of another version of wirecue");
	return 0;
}

static int open_samples(const struct ebpf_past *past, struct generation *g, struct dp_err *reterr)
{
	char name[32];
	int r = 0;

	for (size_t i = 0; r == 0 && i < g->kept->n_ports; i++) {
		int fd;

		if (g->kept->ports[i].interface[0] == '\0')
			continue;
		(void)snprintf(name, sizeof(name), EBPF_PIN_SAMPLES, i);
		fd = ebpf_pins_get(past->pins, g->number, name);
		if (fd < 0)
			return dp_fail(reterr, -fd, "cannot open '%s' of generation %u: %m", name,
				g->number);
		r = ebpf_samples_open(
			fd, &g->kept->ports[i], past->watermark_ns, &g->samples[i], reterr);
		(void)close(fd);
		g->n_open += r == 0;
	}
	return r;
}

static int open_generation(
	const struct ebpf_past *past, struct generation *g, struct dp_err *reterr)
{
	const struct ebpf_kept *k;
	int r = open_map(past, g, EBPF_PIN_KEPT, 1, sizeof(*k), &g->kept_map, reterr);

	if (r < 0)
		return r;
	g->kept = g->kept_map.begin;
	k = g->kept;
	r = check_kept(k, reterr);
	if (r == 0)
		r = open_map(past, g, EBPF_PIN_COUNTED, ebpf_kept_slots(k),
			sizeof(struct ebpf_counted), &g->counted, reterr);
	if (r == 0)
		r = open_map(past, g, EBPF_PIN_SLOTS, ebpf_kept_slots(k), sizeof(struct ebpf_slot),
			&g->slots, reterr);
	if (r == 0)
		r = open_map(past, g, EBPF_PIN_KEYS, (uint64_t)k->n_workers * k->n_entries,
			sizeof(struct dp_usage_key), &g->keys, reterr);
	if (r == 0)
		r = open_map(past, g, EBPF_PIN_LOGS, (uint64_t)k->n_workers * k->n_log,
			sizeof(struct ebpf_drained), &g->logs, reterr);
	if (r == 0)
		r = open_flows(past, g, reterr);
	if (r == 0)
		r = open_samples(past, g, reterr);
	return r;
}

/* It was credited in a tick that is on the disk; or it was not, and then it is to be again. */
static void judge(struct ebpf_past *past, struct generation *g)
{
	g->is_counted = g->kept->credited_ns != 0 && g->kept->credited_ns <= past->watermark_ns;
	if (!g->is_counted)
		g->kept->credited_ns = 0;
	else
		close_counts(g);
}

int ebpf_past_open(struct ebpf_pins *pins, uint64_t watermark_ns, struct ebpf_past **ret_past,
	struct dp_err *reterr)
{
	struct ebpf_past *past = calloc(1, sizeof(*past));
	uint32_t numbers[GENERATIONS_MAX];
	size_t n;

	if (past == NULL)
		return dp_fail(reterr, ENOMEM, "no memory for what was kept in the kernel");
	past->pins = pins;
	past->watermark_ns = watermark_ns;
	n = ebpf_pins_generations(pins, numbers, GENERATIONS_MAX);
	for (size_t i = 0; i < n; i++) {
		struct generation *g = &past->generations[past->n];

		*g = (struct generation){.number = numbers[i], .flows_fd = -1};
		if (open_generation(past, g, &past->why) == 0) {
			judge(past, g);
			past->n++;
			continue;
		}
		close_generation(g);
		ebpf_pins_remove(pins, numbers[i]);
		past->n_unreadable++;
	}
	*ret_past = past;
	return 0;
}

void ebpf_past_close(struct ebpf_past *past)
{
	if (past == NULL)
		return;
	for (size_t i = 0; i < past->n; i++)
		close_generation(&past->generations[i]);
	free(past);
}

size_t ebpf_past_count(const struct ebpf_past *past)
{
	return past->n;
}

size_t ebpf_past_n_unreadable(const struct ebpf_past *past, struct dp_err *ret_why)
{
	*ret_why = past->why;
	return past->n_unreadable;
}

/* --- ports ----------------------------------------------------------------------------------- */

static bool is_of(const struct ebpf_kept_port *port, const char *interface)
{
	return interface == NULL || strncmp(port->interface, interface, IF_NAMESIZE) == 0;
}

bool ebpf_past_is_flag_ours(const struct ebpf_past *past, const char *interface)
{
	for (size_t i = 0; i < past->n; i++) {
		const struct ebpf_kept *k = past->generations[i].kept;

		for (size_t j = 0; j < k->n_ports; j++)
			if (is_of(&k->ports[j], interface) && k->ports[j].is_flag_ours != 0)
				return true;
	}
	return false;
}

size_t ebpf_past_samples(struct ebpf_past *past, const char *interface,
	struct ebpf_past_samples *ret_samples, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < past->n; i++) {
		struct generation *g = &past->generations[i];

		for (size_t j = 0; j < g->kept->n_ports && n < max; j++) {
			if (g->samples[j] == NULL || !is_of(&g->kept->ports[j], interface))
				continue;
			ret_samples[n++] = (struct ebpf_past_samples){
				.samples = g->samples[j], .n_open = &g->n_open};
			g->samples[j] = NULL;
		}
	}
	return n;
}

/* --- what stands there ----------------------------------------------------------------------- */

struct crediting {
	ebpf_past_credit_fn *fn;
	void *ctx;
	struct ebpf_counted *counted; // of slots: a copy, since it may all have to be done again
};

/* What came between two states of a slot. */
static void credit_between(const struct crediting *c, const struct dp_usage_key *key,
	const struct ebpf_counted *from, const struct ebpf_counted *to)
{
	const uint64_t packets[2] = {(to->packets[0] - from->packets[0]) % EBPF_SEGMENT,
		(to->packets[1] - from->packets[1]) % EBPF_SEGMENT};
	const uint64_t bytes[2] = {to->bytes[0] - from->bytes[0], to->bytes[1] - from->bytes[1]};

	if ((packets[0] | packets[1] | bytes[0] | bytes[1]) != 0)
		c->fn(c->ctx, key, packets, bytes);
}

/* What was read and is not on the disk, for whom it was then. Brings c->counted up to what was read last. */
static void credit_log(const struct crediting *c, const struct ebpf_past *past,
	const struct generation *g, uint32_t worker)
{
	const struct ebpf_kept_log *log = &g->kept->logs[worker];
	const struct ebpf_drained *entries = (const struct ebpf_drained *)g->logs.begin +
		(size_t)worker * g->kept->n_log;

	if (log->end - log->first > g->kept->n_log)
		return;
	for (uint64_t i = log->first; i != log->end; i++) {
		const struct ebpf_drained *d = &entries[i & (g->kept->n_log - 1)];

		if (d->slot >= ebpf_kept_slots(g->kept))
			continue;
		if (d->end_ns > past->watermark_ns)
			credit_between(c, &d->key, &c->counted[d->slot], &d->counted);
		c->counted[d->slot] = d->counted;
	}
}

/* What was never read, for whom it is now. */
static void credit_slots(const struct crediting *c, const struct generation *g)
{
	const uint64_t n = ebpf_kept_slots(g->kept), n_keys = n / g->kept->n_rows / 2;
	const struct dp_usage_key *keys = g->keys.begin;
	const struct ebpf_slot *slots = g->slots.begin;

	for (uint64_t i = 0; i < n; i++) {
		const struct ebpf_counted now = {
			.packets = {slots[i].packets[0], slots[i].packets[1]},
			.bytes = {slots[i].bytes[0], slots[i].bytes[1]}};

		credit_between(c, &keys[i % n_keys], &c->counted[i], &now);
	}
}

/* Of a flow without a verdict: nobody will know any more. */
static void credit_flow(
	const struct crediting *c, const struct ebpf_flow_key *key, const struct ebpf_flow *f)
{
	const struct dp_usage_key whom = {
		.endpoint = key->addr[(f->flags & EBPF_FLOW_ENDPOINT) != 0], .app = DP_APP_UNKNOWN};
	const struct ebpf_counted none = {0},
				  all = {.packets = {f->waiting_packets[0], f->waiting_packets[1]},
					  .bytes = {f->waiting_bytes[0], f->waiting_bytes[1]}};

	if ((all.bytes[0] & EBPF_CLOSED) == 0)
		credit_between(c, &whom, &none, &all);
}

static int credit_flows(const struct crediting *c, const struct generation *g)
{
	struct ebpf_flow_key *keys = calloc(FLOWS, sizeof(*keys));
	struct ebpf_flow *flows = calloc(FLOWS, sizeof(*flows));
	int r = keys != NULL && flows != NULL ? 0 : -ENOMEM;
	uint32_t at = 0;

	for (bool is_first = true; r == 0; is_first = false) {
		uint32_t n = FLOWS;

		r = bpf_map_lookup_batch(
			g->flows_fd, is_first ? NULL : &at, &at, keys, flows, &n, NULL);
		for (uint32_t i = 0; (r == 0 || r == -ENOENT) && i < n; i++)
			credit_flow(c, &keys[i], &flows[i]);
	}
	free(keys);
	free(flows);
	return r == -ENOENT ? 0 : r; // that was the last
}

static int credit(struct crediting *c, const struct ebpf_past *past, const struct generation *g)
{
	int r;

	c->counted = malloc(g->counted.bytes);
	if (c->counted == NULL)
		return -ENOMEM;
	memcpy(c->counted, g->counted.begin, g->counted.bytes);
	for (uint32_t w = 0; w < g->kept->n_workers; w++)
		credit_log(c, past, g, w);
	credit_slots(c, g);
	r = credit_flows(c, g);
	free(c->counted);
	return r;
}

int ebpf_past_credit(
	struct ebpf_past *past, ebpf_past_credit_fn *fn, void *ctx, struct dp_err *reterr)
{
	struct crediting c = {.fn = fn, .ctx = ctx};
	int r = 0;

	for (size_t i = 0; r == 0 && i < past->n; i++)
		if (!past->generations[i].is_counted)
			r = credit(&c, past, &past->generations[i]);
	return r == 0 ? 0 : dp_fail(reterr, -r, "cannot read what was kept in the kernel: %m");
}

void ebpf_past_credited(struct ebpf_past *past, uint64_t end_ns)
{
	for (size_t i = 0; i < past->n; i++) {
		const struct generation *g = &past->generations[i];

		if (g->number != 0 && !g->is_counted && g->kept->credited_ns == 0)
			g->kept->credited_ns = end_ns;
	}
}

void ebpf_past_committed(struct ebpf_past *past, uint64_t end_ns)
{
	for (size_t i = 0; i < past->n; i++) {
		struct generation *g = &past->generations[i];

		if (g->number == 0)
			continue;
		if (!g->is_counted && g->kept->credited_ns != 0 && g->kept->credited_ns <= end_ns) {
			g->is_counted = true;
			close_counts(g);
		}
		if (!g->is_counted || atomic_load(&g->n_open) > 0)
			continue;
		ebpf_pins_remove(past->pins, g->number);
		close_generation(g);
		g->number = 0;
	}
}
