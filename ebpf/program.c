// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/program.h"

#include "ebpf/refused.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ebpf/ingress.skel.h"

enum {
	LOG_BYTES = 1 << 16, // the verifier's last words; a longer log is cut at its beginning
};

struct ebpf_program {
	struct ebpf_ingress *skeleton;
	uint8_t *frame; // of a replay: what stands in front of it, then the frame
	void *per_cpu; // a map's value of each CPU
	size_t work_bytes; // of one CPU's work area, as the kernel gives it
	size_t ledger_bytes;
	unsigned int n_cpus;
};

/* libbpf has a printer for the whole process; what it says stands in our sentence. */
static int say_nothing(enum libbpf_print_level, const char *, va_list)
{
	return 0;
}

/* Values of per-CPU maps are handed out in multiples of eight bytes. */
static size_t per_cpu_bytes(const struct bpf_map *map)
{
	return (bpf_map__value_size(map) + 7) / 8 * 8;
}

static int load(struct ebpf_program *p, struct dp_err *reterr)
{
	char *log = calloc(1, LOG_BYTES);
	int r;

	if (log == NULL)
		return dp_fail(reterr, ENOMEM, "cannot load the XDP program: %m");
	(void)bpf_program__set_log_buf(p->skeleton->progs.ebpf_ingress, log, LOG_BYTES);
	r = ebpf_ingress__load(p->skeleton);
	if (r < 0)
		r = ebpf_refused_load(-r, log, reterr);
	(void)bpf_program__set_log_buf(p->skeleton->progs.ebpf_ingress, NULL, 0);
	free(log);
	return r;
}

static int make_room(struct ebpf_program *p, struct dp_err *reterr)
{
	const int n_cpus = libbpf_num_possible_cpus();

	if (n_cpus < 0)
		return dp_fail(reterr, -n_cpus, "cannot tell how many CPUs there are: %m");
	p->n_cpus = (unsigned int)n_cpus;
	p->work_bytes = per_cpu_bytes(p->skeleton->maps.ebpf_works);
	p->ledger_bytes = per_cpu_bytes(p->skeleton->maps.ebpf_ledgers);
	p->per_cpu = calloc(
		p->n_cpus, p->work_bytes > p->ledger_bytes ? p->work_bytes : p->ledger_bytes);
	p->frame = malloc(sizeof(struct ebpf_replayed) + EBPF_REPLAY_MAX);
	if (p->per_cpu == NULL || p->frame == NULL)
		return dp_fail(
			reterr, ENOMEM, "no memory for the XDP program's side in user space");
	return 0;
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
	(void)libbpf_set_print(say_nothing);
	p->skeleton = ebpf_ingress__open();
	if (p->skeleton == NULL) {
		r = dp_fail(reterr, errno, "cannot open the XDP program: %m");
		goto fail;
	}
	p->skeleton->rodata->ebpf_action = cfg->is_tap ? XDP_DROP : XDP_PASS;
	p->skeleton->rodata->ebpf_is_replay = cfg->is_replay;
	r = load(p, reterr);
	if (r == 0)
		r = make_room(p, reterr);
	if (r < 0)
		goto fail;
	*ret_program = p;
	return 0;
fail:
	ebpf_program_close(p);
	return r;
}

void ebpf_program_close(struct ebpf_program *p)
{
	if (p == NULL)
		return;
	ebpf_ingress__destroy(p->skeleton);
	free(p->per_cpu);
	free(p->frame);
	free(p);
}

int ebpf_program_replay(struct ebpf_program *p, const struct dp_capture_record *frame,
	uint32_t *ret_action, struct dp_err *reterr)
{
	const struct ebpf_replayed before = {
		.time_ns = frame->time_ns, .wire_len = frame->wire_len, .link = frame->link};
	struct xdp_md ctx = {.data = sizeof(before)};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = p->frame, .ctx_in = &ctx,
		.ctx_size_in = sizeof(ctx), .repeat = 1);
	int r;

	if (frame->cap_len < EBPF_REPLAY_MIN || frame->cap_len > EBPF_REPLAY_MAX)
		return dp_fail(reterr, EMSGSIZE,
			"XDP can not replay a frame of %u bytes, only of %d to %d", frame->cap_len,
			EBPF_REPLAY_MIN, EBPF_REPLAY_MAX);
	memcpy(p->frame, &before, sizeof(before));
	memcpy(p->frame + sizeof(before), frame->data, frame->cap_len);
	ctx.data_end = (uint32_t)sizeof(before) + frame->cap_len;
	run.data_size_in = ctx.data_end;
	r = bpf_prog_test_run_opts(bpf_program__fd(p->skeleton->progs.ebpf_ingress), &run);
	if (r < 0)
		return dp_fail(reterr, -r, "the kernel does not run a frame of %u bytes: %m",
			frame->cap_len);
	*ret_action = run.retval;
	return 0;
}

/* Values of all CPUs of the map's only entry. */
static int read_per_cpu(struct ebpf_program *p, const struct bpf_map *map, struct dp_err *reterr)
{
	const uint32_t only = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(map), &only, p->per_cpu) < 0)
		return dp_fail(reterr, errno, "cannot read the XDP program's map '%s': %m",
			bpf_map__name(map));
	return 0;
}

int ebpf_program_found(struct ebpf_program *p, unsigned int cpu, struct ebpf_found *ret_found,
	struct dp_err *reterr)
{
	int r;

	if (cpu >= p->n_cpus)
		return dp_fail(reterr, EINVAL, "there is no CPU %u", cpu);
	r = read_per_cpu(p, p->skeleton->maps.ebpf_works, reterr);
	if (r == 0)
		memcpy(ret_found, (const uint8_t *)p->per_cpu + cpu * p->work_bytes,
			sizeof(*ret_found));
	return r;
}

int ebpf_program_ledger(
	struct ebpf_program *p, struct ebpf_ledger *ret_ledger, struct dp_err *reterr)
{
	enum { N_COUNTS = sizeof(struct ebpf_ledger) / sizeof(uint64_t) };
	uint64_t sums[N_COUNTS] = {0};
	const int r = read_per_cpu(p, p->skeleton->maps.ebpf_ledgers, reterr);

	if (r < 0)
		return r;
	for (unsigned int cpu = 0; cpu < p->n_cpus; cpu++) {
		const uint64_t *counts = (const void *)((const uint8_t *)p->per_cpu +
			cpu * p->ledger_bytes);

		for (size_t i = 0; i < N_COUNTS; i++)
			sums[i] += counts[i];
	}
	static_assert(sizeof(sums) == sizeof(*ret_ledger), "counts and nothing else");
	memcpy(ret_ledger, sums, sizeof(sums));
	return 0;
}
