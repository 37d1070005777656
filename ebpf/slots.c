// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/slots.h"

#include "dataplane/usage.h"

#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static_assert((int)EBPF_ACTIVE_NS == (int)DP_USAGE_SLOT_NS, "one measure of activity");

/* What was read of a slot so far. */
struct seen {
	uint64_t packets[2], bytes[2];
};

struct seen_told {
	struct ebpf_told told;
	uint32_t n; // as struct ebpf_slot's
};

/* How far a worker has read a list. */
struct cursor {
	uint64_t n; // of struct ebpf_list's
};

struct ebpf_slots {
	struct ebpf_mapping slots, told, lists,
		listed; // arrays of struct ebpf_slot, ebpf_told, ebpf_list, ebpf_listed
	struct seen *seen; // of each slot. Untouched pages cost nothing
	struct seen_told *seen_told; // likewise
	struct cursor **cursors; // [worker][row * 2 + parity], each worker's its own allocation
	struct ebpf_keep *keep; // where what is read is noted; NULL: nowhere
	uint32_t n_rows; // of slots
	uint32_t n_workers, n_entries;
};

/* --- open and close -------------------------------------------------------------------------- */

static int map_all(struct ebpf_slots *s, const struct ebpf_slot_maps *maps, struct dp_err *reterr)
{
	const uint64_t n_lists = (uint64_t)s->n_rows * s->n_workers * 2;
	const uint64_t n_slots = n_lists * s->n_entries;
	int r = ebpf_mapping_open(
		&s->slots, maps->slots_fd, n_slots, sizeof(struct ebpf_slot), reterr);

	if (r == 0)
		r = ebpf_mapping_open(
			&s->told, maps->told_fd, n_slots, sizeof(struct ebpf_told), reterr);
	if (r == 0)
		r = ebpf_mapping_open(
			&s->lists, maps->lists_fd, n_lists, sizeof(struct ebpf_list), reterr);
	if (r == 0)
		r = ebpf_mapping_open(
			&s->listed, maps->listed_fd, n_slots, sizeof(struct ebpf_listed), reterr);
	return r;
}

/* A worker writes its cursors: on lines of their own. */
static bool make_cursors(struct ebpf_slots *s)
{
	const size_t bytes = (s->n_rows * 2 * sizeof(struct cursor) + 63) / 64 * 64;

	s->cursors = calloc(s->n_workers, sizeof(*s->cursors));
	for (uint32_t i = 0; s->cursors != NULL && i < s->n_workers; i++) {
		s->cursors[i] = aligned_alloc(64, bytes);
		if (s->cursors[i] == NULL)
			return false;
		memset(s->cursors[i], 0, bytes);
	}
	return s->cursors != NULL;
}

int ebpf_slots_open(const struct ebpf_program *program, uint16_t n_workers, uint32_t n_entries,
	struct ebpf_keep *keep, struct ebpf_slots **ret_slots, struct dp_err *reterr)
{
	struct ebpf_slots *s = calloc(1, sizeof(*s));
	struct ebpf_slot_maps maps;
	int r;

	if (s == NULL)
		return dp_fail(reterr, ENOMEM, "cannot map the XDP program's counters: %m");
	ebpf_program_slot_maps(program, &maps);
	s->n_rows = maps.n_rows;
	s->keep = keep;
	s->n_workers = n_workers;
	s->n_entries = n_entries;
	s->seen = calloc((size_t)s->n_rows * n_workers * 2 * n_entries, sizeof(*s->seen));
	s->seen_told = calloc((size_t)s->n_rows * n_workers * 2 * n_entries, sizeof(*s->seen_told));
	r = s->seen != NULL && s->seen_told != NULL && make_cursors(s)
		? map_all(s, &maps, reterr)
		: dp_fail(reterr, ENOMEM, "cannot read the XDP program's counters: %m");
	if (r < 0) {
		ebpf_slots_close(s); // copes with what is there so far
		return r;
	}
	*ret_slots = s;
	return 0;
}

void ebpf_slots_close(struct ebpf_slots *s)
{
	if (s == NULL)
		return;
	ebpf_mapping_close(&s->slots);
	ebpf_mapping_close(&s->told);
	ebpf_mapping_close(&s->lists);
	ebpf_mapping_close(&s->listed);
	for (uint32_t i = 0; s->cursors != NULL && i < s->n_workers; i++)
		free(s->cursors[i]);
	free(s->cursors);
	free(s->seen);
	free(s->seen_told);
	free(s);
}

/* --- what is noted --------------------------------------------------------------------------- */

void ebpf_slots_name(
	struct ebpf_slots *s, uint16_t worker, uint32_t entry, const struct dp_usage_key *key)
{
	if (s->keep != NULL)
		s->keep->keys[worker * s->n_entries + entry] = *key;
}

/* Of ticks that are on the disk: for who comes after us, in this order, each step again where it was cut short. */
static void settle(struct ebpf_keep *k, uint16_t worker)
{
	const uint64_t committed_ns = atomic_load_explicit(&k->committed_ns, memory_order_relaxed);
	struct ebpf_kept_log *log = &k->kept->logs[worker];

	while (log->first != log->end) {
		const struct ebpf_drained *d = ebpf_keep_drained(k, worker, log->first);

		if (d->end_ns > committed_ns)
			break;
		k->counted[d->slot] = d->counted;
		__atomic_store_n(&log->first, log->first + 1, __ATOMIC_RELEASE);
	}
}

static uint32_t log_room(const struct ebpf_keep *k, uint16_t worker)
{
	const struct ebpf_kept_log *log = &k->kept->logs[worker];

	return k->kept->n_log - (uint32_t)(log->end - log->first);
}

static void note(
	struct ebpf_slots *s, uint16_t worker, uint64_t end_ns, size_t slot, uint32_t entry)
{
	struct ebpf_keep *k = s->keep;
	struct ebpf_kept_log *log = &k->kept->logs[worker];
	const struct seen *seen = &s->seen[slot];

	*ebpf_keep_drained(k, worker, log->end) = (struct ebpf_drained){.end_ns = end_ns,
		.slot = (uint32_t)slot,
		.key = k->keys[worker * s->n_entries + entry],
		.counted = {.packets = {seen->packets[0], seen->packets[1]},
			.bytes = {seen->bytes[0], seen->bytes[1]}}};
	__atomic_store_n(&log->end, log->end + 1, __ATOMIC_RELEASE);
}

/* --- reading --------------------------------------------------------------------------------- */

/* Another thread's, the kernel's: read once, whole. */
static uint64_t get(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* What came to a count since it was read last. */
static uint64_t take(const uint64_t *count, uint64_t *seen)
{
	const uint64_t now = get(count), more = now - *seen;

	*seen = now;
	return more;
}

static uint32_t take_some(const uint32_t *count, uint32_t *seen)
{
	const uint32_t now = __atomic_load_n(count, __ATOMIC_RELAXED), more = now - *seen;

	*seen = now;
	return more;
}

static uint16_t take_few(const uint16_t *count, uint16_t *seen)
{
	const uint16_t now = __atomic_load_n(count, __ATOMIC_RELAXED);
	const uint16_t more = (uint16_t)(now - *seen);

	*seen = now;
	return more;
}

static void take_rtt(const uint64_t *count, uint64_t *seen, uint32_t *ret_n, uint64_t *ret_us)
{
	const uint64_t more = take(count, seen);

	*ret_n = (uint32_t)(more % EBPF_RTT_US);
	*ret_us = more / EBPF_RTT_US;
}

static void take_told(const struct ebpf_told *told, struct ebpf_told *seen, struct dp_quality *q)
{
	for (int i = 0; i < 2; i++) {
		take_rtt(&told->handshake_rtt[i], &seen->handshake_rtt[i], &q->n_handshake_rtt[i],
			&q->handshake_rtt_us[i]);
		take_rtt(&told->data_rtt[i], &seen->data_rtt[i], &q->n_data_rtt[i],
			&q->data_rtt_us[i]);
		q->retransmitted[i] = take_some(&told->retransmitted[i], &seen->retransmitted[i]);
		q->out_of_order[i] = take_some(&told->out_of_order[i], &seen->out_of_order[i]);
		q->zero_windows[i] = take_some(&told->zero_windows[i], &seen->zero_windows[i]);
		q->resets[i] = take_few(&told->resets[i], &seen->resets[i]);
	}
	q->handshakes_failed = take_few(&told->handshakes_failed, &seen->handshakes_failed);
}

/* A slot that was listed: from here on it may be listed again. */
static void read_slot(struct ebpf_slots *s, size_t number, struct dp_offload_usage *u)
{
	struct ebpf_slot *slot = (struct ebpf_slot *)s->slots.begin + number;
	struct seen *seen = &s->seen[number];
	struct seen_told *told = &s->seen_told[number];

	// What does not only grow is the kernel's again as soon as it lists the slot anew.
	u->last_ns = get(&slot->last_ns);
	u->active[0] = get(&slot->active[0]);
	u->active[1] = get(&slot->active[1]);
	__atomic_store_n(&slot->is_listed, 0, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_seq_cst); // see struct ebpf_slot
	for (int way = 0; way < 2; way++) {
		const uint64_t packets = take(&slot->packets[way], &seen->packets[way]);

		u->packets[way] = packets % EBPF_SEGMENT;
		u->quality.segments[way] = packets / EBPF_SEGMENT;
		u->bytes[way] = take(&slot->bytes[way], &seen->bytes[way]);
	}
	if (take_some(&slot->n_told, &told->n) != 0)
		take_told(
			(const struct ebpf_told *)s->told.begin + number, &told->told, &u->quality);
}

/* One list, up to what began at end_ns. Returns how many were written. */
static uint32_t drain_list(struct ebpf_slots *s, uint16_t worker, uint32_t list, struct cursor *c,
	uint64_t end_ns, struct dp_offload_usage *ret_usages, uint32_t max)
{
	const struct ebpf_list *l = (const struct ebpf_list *)s->lists.begin + list;
	const struct ebpf_listed *places = (const struct ebpf_listed *)s->listed.begin +
		(size_t)list * s->n_entries;
	const uint64_t n_listed = __atomic_load_n(&l->n, __ATOMIC_ACQUIRE);
	uint32_t n = 0;

	for (; c->n != n_listed && n < max; c->n++) {
		const struct ebpf_listed *e = &places[c->n & (s->n_entries - 1)];
		const size_t slot = (size_t)list * s->n_entries + e->entry;
		struct dp_offload_usage *u = &ret_usages[n];

		if (e->first_ns >= end_ns)
			break;
		*u = (struct dp_offload_usage){.id = e->entry, .first_ns = e->first_ns};
		read_slot(s, slot, u);
		// Where we are late ticks were counted together.
		if (u->last_ns >= end_ns)
			u->last_ns = end_ns - 1;
		u->quality.first_ns = u->first_ns;
		u->quality.last_ns = u->last_ns;
		if ((u->packets[0] | u->packets[1] | u->bytes[0] | u->bytes[1]) == 0)
			continue;
		if (s->keep != NULL)
			note(s, worker, end_ns, slot, e->entry);
		n++;
	}
	return n;
}

uint32_t ebpf_slots_drain(struct ebpf_slots *s, uint16_t worker, uint64_t end_ns,
	struct dp_offload_usage *ret_usages, uint32_t max)
{
	struct cursor *cursors = s->cursors[worker];
	uint32_t n = 0;

	if (s->keep != NULL) {
		uint32_t room;

		settle(s->keep, worker);
		room = log_room(s->keep, worker);
		max = max < room ? max : room; // what finds none stays in the kernel until it does
	}
	for (uint32_t row = 0; row < s->n_rows; row++) {
		for (uint32_t parity = 0; parity < 2 && n < max; parity++) {
			const uint32_t list = (row * 2 + parity) * s->n_workers + worker;

			n += drain_list(s, worker, list, &cursors[row * 2 + parity], end_ns,
				ret_usages + n, max - n);
		}
	}
	return n;
}
