// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/program.h"

#include "ebpf/refused.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ebpf/ingress.skel.h"

enum { LOG_BYTES = 1 << 16 }; // the verifier's last words; a longer log is cut at its beginning

struct ebpf_program {
	struct ebpf_ingress *skeleton;
	struct ring_buffer *ring; // of samples
	uint8_t *frame; // of a replay: what stands in front of it, then the frame
	void *per_cpu; // one entry of a map, each CPU's value
	unsigned int n_cpus;
	const struct ebpf_sample_taker *taker; // borrowed, while samples are taken
	void *taker_ctx;
};

/* --- open and close -------------------------------------------------------------------------- */

/* libbpf has a printer for the whole process; what it says stands in our sentence. */
static int say_nothing(enum libbpf_print_level, const char *, va_list)
{
	return 0;
}

static uint32_t power_of_two(uint32_t n)
{
	uint32_t power = (uint32_t)sysconf(_SC_PAGESIZE);

	while (power < n && power < 1U << 31)
		power *= 2;
	return power;
}

/* What is fixed once it is loaded. */
static int configure(
	struct ebpf_program *p, const struct ebpf_program_config *cfg, struct dp_err *reterr)
{
	int r;

	p->skeleton->rodata->ebpf_action = cfg->is_tap ? XDP_DROP : XDP_PASS;
	p->skeleton->rodata->ebpf_is_replay = cfg->is_replay;
	r = bpf_map__set_max_entries(p->skeleton->maps.ebpf_flows, cfg->n_flows);
	if (r == 0)
		r = bpf_map__set_max_entries(p->skeleton->maps.ebpf_slots, cfg->n_slots + 1);
	if (r == 0)
		r = bpf_map__set_max_entries(
			p->skeleton->maps.ebpf_samples, power_of_two(cfg->ring_bytes));
	if (r < 0)
		return dp_fail(reterr, -r, "cannot set the sizes of the XDP program's maps: %m");
	return 0;
}

static int load(struct ebpf_program *p, struct dp_err *reterr)
{
	struct bpf_program *const programs[] = {
		p->skeleton->progs.ebpf_ingress, p->skeleton->progs.ebpf_decide};
	enum { N_PROGRAMS = sizeof(programs) / sizeof(programs[0]) };
	char *log = calloc(1, LOG_BYTES); // of the one that fails: the last to write there
	int r;

	if (log == NULL)
		return dp_fail(reterr, ENOMEM, "cannot load the XDP program: %m");
	for (size_t i = 0; i < N_PROGRAMS; i++)
		(void)bpf_program__set_log_buf(programs[i], log, LOG_BYTES);
	r = ebpf_ingress__load(p->skeleton);
	if (r < 0)
		r = ebpf_refused_load(-r, log, reterr);
	for (size_t i = 0; i < N_PROGRAMS; i++)
		(void)bpf_program__set_log_buf(programs[i], NULL, 0);
	free(log);
	return r;
}

static int take_sample(void *ctx, void *data, size_t size)
{
	const struct ebpf_program *p = ctx;
	const struct ebpf_sample *s = data;

	if (size >= sizeof(*s) && s->cap_len <= size - sizeof(*s))
		p->taker->take(p->taker_ctx, s, (const uint8_t *)(s + 1));
	return 0;
}

/* Values of per-CPU maps are handed out in multiples of eight bytes. */
static size_t per_cpu_bytes(const struct bpf_map *map)
{
	return (bpf_map__value_size(map) + 7) / 8 * 8;
}

static int make_room(struct ebpf_program *p, struct dp_err *reterr)
{
	const int n_cpus = libbpf_num_possible_cpus();

	if (n_cpus < 0)
		return dp_fail(reterr, -n_cpus, "cannot tell how many CPUs there are: %m");
	p->n_cpus = (unsigned int)n_cpus;
	// The work area is the largest of what is read per CPU.
	p->per_cpu = calloc(p->n_cpus, per_cpu_bytes(p->skeleton->maps.ebpf_works));
	p->frame = malloc(sizeof(struct ebpf_replayed) + EBPF_REPLAY_MAX);
	if (p->per_cpu == NULL || p->frame == NULL)
		return dp_fail(
			reterr, ENOMEM, "no memory for the XDP program's side in user space");
	p->ring = ring_buffer__new(
		bpf_map__fd(p->skeleton->maps.ebpf_samples), take_sample, p, NULL);
	if (p->ring == NULL)
		return dp_fail(reterr, errno, "cannot map the XDP program's samples: %m");
	return 0;
}

/* The networks of endpoints, looked up for a flow's first packet. */
static int set_nets(
	struct ebpf_program *p, const struct dp_endpoint_nets *nets, struct dp_err *reterr)
{
	const int fd = bpf_map__fd(p->skeleton->maps.ebpf_nets);
	const uint8_t yes = 1;

	for (uint16_t i = 0; i < nets->n_nets; i++) {
		const struct ebpf_net_key key = {
			.prefix_len = nets->net[i].len, .addr = nets->net[i].addr};

		if (bpf_map_update_elem(fd, &key, &yes, BPF_ANY) < 0)
			return dp_fail(reterr, errno,
				"cannot tell the XDP program endpoints.networks: %m");
	}
	return 0;
}

static int open_skeleton(
	struct ebpf_program *p, const struct ebpf_program_config *cfg, struct dp_err *reterr)
{
	int r;

	(void)libbpf_set_print(say_nothing);
	p->skeleton = ebpf_ingress__open();
	if (p->skeleton == NULL)
		return dp_fail(reterr, errno, "cannot open the XDP program: %m");
	r = configure(p, cfg, reterr);
	if (r == 0)
		r = load(p, reterr);
	if (r == 0)
		r = make_room(p, reterr);
	if (r == 0)
		r = set_nets(p, cfg->nets, reterr);
	return r;
}

int ebpf_program_open(const struct ebpf_program_config *cfg, struct ebpf_program **ret_program,
	struct dp_err *reterr)
{
	struct ebpf_program *p;
	int r = ebpf_refused_caps(reterr);

	if (r < 0)
		return r;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return dp_fail(reterr, ENOMEM, "cannot load the XDP program: %m");
	r = open_skeleton(p, cfg, reterr);
	if (r < 0) {
		ebpf_program_close(p); // copes with what is there so far
		return r;
	}
	*ret_program = p;
	return 0;
}

void ebpf_program_close(struct ebpf_program *p)
{
	if (p == NULL)
		return;
	ring_buffer__free(p->ring);
	ebpf_ingress__destroy(p->skeleton);
	free(p->per_cpu);
	free(p->frame);
	free(p);
}

/* --- frames in, samples out, verdicts in ----------------------------------------------------- */

int ebpf_program_replay(struct ebpf_program *p, const struct dp_capture_record *frame,
	uint32_t *ret_action, struct dp_err *reterr)
{
	const struct ebpf_replayed before = {
		.time_ns = frame->time_ns, .wire_len = frame->wire_len, .link = frame->link};
	struct xdp_md ctx = {
		.data = sizeof(before), .data_end = (uint32_t)sizeof(before) + frame->cap_len};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = p->frame, .data_size_in = ctx.data_end,
		.ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 1);
	int r;

	if (frame->cap_len < EBPF_REPLAY_MIN || frame->cap_len > EBPF_REPLAY_MAX)
		return dp_fail(reterr, EMSGSIZE,
			"XDP can not replay a frame of %u bytes, only of %d to %d", frame->cap_len,
			EBPF_REPLAY_MIN, EBPF_REPLAY_MAX);
	memcpy(p->frame, &before, sizeof(before));
	memcpy(p->frame + sizeof(before), frame->data, frame->cap_len);
	r = bpf_prog_test_run_opts(bpf_program__fd(p->skeleton->progs.ebpf_ingress), &run);
	if (r < 0)
		return dp_fail(reterr, -r, "the kernel does not run a frame of %u bytes: %m",
			frame->cap_len);
	*ret_action = run.retval;
	return 0;
}

int ebpf_program_samples(struct ebpf_program *p, const struct ebpf_sample_taker *taker, void *ctx,
	struct dp_err *reterr)
{
	int n;

	p->taker = taker;
	p->taker_ctx = ctx;
	n = ring_buffer__consume(p->ring);
	p->taker = NULL;
	if (n < 0)
		return dp_fail(reterr, -n, "cannot read the XDP program's samples: %m");
	return n;
}

int ebpf_program_decide(
	struct ebpf_program *p, const struct ebpf_verdict *verdict, struct dp_err *reterr)
{
	struct ebpf_verdict ctx = *verdict;
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx));
	int r = bpf_prog_test_run_opts(bpf_program__fd(p->skeleton->progs.ebpf_decide), &run);

	if (r == 0)
		r = (int)run.retval;
	return r == 0 ? 0 : dp_fail(reterr, -r, "cannot give the XDP program a verdict: %m");
}

/* --- counters -------------------------------------------------------------------------------- */

/* Values of all CPUs of one entry. */
static int read_per_cpu(
	struct ebpf_program *p, const struct bpf_map *map, uint32_t entry, struct dp_err *reterr)
{
	if (bpf_map_lookup_elem(bpf_map__fd(map), &entry, p->per_cpu) < 0)
		return dp_fail(reterr, errno, "cannot read the XDP program's map '%s': %m",
			bpf_map__name(map));
	return 0;
}

/* An entry that is n counts, of all CPUs together. */
static int read_sums(struct ebpf_program *p, const struct bpf_map *map, uint32_t entry,
	uint64_t *ret_sums, size_t n, struct dp_err *reterr)
{
	const int r = read_per_cpu(p, map, entry, reterr);

	if (r < 0)
		return r;
	memset(ret_sums, 0, n * sizeof(*ret_sums));
	for (unsigned int cpu = 0; cpu < p->n_cpus; cpu++) {
		const uint64_t *counts = (const void *)((const uint8_t *)p->per_cpu +
			cpu * per_cpu_bytes(map));

		for (size_t i = 0; i < n; i++)
			ret_sums[i] += counts[i];
	}
	return 0;
}

int ebpf_program_found(struct ebpf_program *p, unsigned int cpu, struct ebpf_found *ret_found,
	struct dp_err *reterr)
{
	const struct bpf_map *works = p->skeleton->maps.ebpf_works;
	int r;

	if (cpu >= p->n_cpus)
		return dp_fail(reterr, EINVAL, "there is no CPU %u", cpu);
	r = read_per_cpu(p, works, 0, reterr);
	if (r == 0)
		memcpy(ret_found, (const uint8_t *)p->per_cpu + cpu * per_cpu_bytes(works),
			sizeof(*ret_found));
	return r;
}

int ebpf_program_ledger(
	struct ebpf_program *p, struct ebpf_ledger *ret_ledger, struct dp_err *reterr)
{
	uint64_t sums[sizeof(struct ebpf_ledger) / sizeof(uint64_t)];
	const int r = read_sums(
		p, p->skeleton->maps.ebpf_ledgers, 0, sums, sizeof(sums) / sizeof(sums[0]), reterr);

	static_assert(sizeof(sums) == sizeof(*ret_ledger), "counts and nothing else");
	if (r == 0)
		memcpy(ret_ledger, sums, sizeof(sums));
	return r;
}

int ebpf_program_slot(
	struct ebpf_program *p, uint32_t slot, struct ebpf_slot *ret_slot, struct dp_err *reterr)
{
	uint64_t sums[sizeof(struct ebpf_slot) / sizeof(uint64_t)];
	const int r = read_sums(p, p->skeleton->maps.ebpf_slots, slot, sums,
		sizeof(sums) / sizeof(sums[0]), reterr);

	static_assert(sizeof(sums) == sizeof(*ret_slot), "counts and nothing else");
	if (r == 0)
		memcpy(ret_slot, sums, sizeof(sums));
	return r;
}

int ebpf_program_flow(struct ebpf_program *p, const struct ebpf_flow_key *key,
	struct ebpf_flow *ret_flow, struct dp_err *reterr)
{
	if (bpf_map_lookup_elem(bpf_map__fd(p->skeleton->maps.ebpf_flows), key, ret_flow) < 0)
		return dp_fail(reterr, errno, "cannot read a flow of the XDP program: %m");
	return 0;
}
