// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/program.h"

#include "ebpf/egress.h"
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
	struct ebpf_egress_program *egress; // of a host port, else NULL
	struct ebpf_samples *samples;
	uint8_t *frame; // of a replay: what stands in front of it, then the frame
	unsigned int n_cpus; // possible ones
	bool keeps;
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

static uint32_t log2_of(uint32_t power)
{
	return 31 - (uint32_t)__builtin_clz(power);
}

/* What the program knows as constants. */
static void configure(struct ebpf_program *p, const struct ebpf_program_config *cfg)
{
	typeof(p->skeleton->rodata) ro = p->skeleton->rodata;

	ro->ebpf_action = cfg->is_tap ? XDP_DROP : XDP_PASS;
	ro->ebpf_is_replay = cfg->is_replay;
	ro->ebpf_tick_ns = cfg->tick_ns;
	ro->ebpf_n_workers = cfg->n_workers;
	ro->ebpf_n_cpus = p->n_cpus;
	ro->ebpf_entries_shift = log2_of(cfg->n_entries);
	if (cfg->ignore == NULL)
		return;
	ro->ebpf_ignores_vlans = cfg->ignore->has_vlans;
	ro->ebpf_ignores_nets = cfg->ignore->n_nets > 0;
	static_assert(sizeof(ro->ebpf_ignored_vlans) == sizeof(cfg->ignore->vlans));
	memcpy((void *)ro->ebpf_ignored_vlans, cfg->ignore->vlans, sizeof(cfg->ignore->vlans));
}

/* Each CPU's, and one for what verdicts move. */
static uint32_t rows_of(const struct ebpf_program *p, const struct ebpf_program_config *cfg)
{
	return p->n_cpus + cfg->keeps;
}

/* Maps have 32-bit keys. Returns 0 when so many CPUs fit. */
static int set_slots(
	struct ebpf_program *p, const struct ebpf_program_config *cfg, struct dp_err *reterr)
{
	const uint64_t n_lists = (uint64_t)rows_of(p, cfg) * cfg->n_workers * 2;
	int r;

	if (n_lists > (uint64_t)INT32_MAX / cfg->n_entries)
		return dp_fail(reterr, E2BIG,
			"the XDP program cannot count %u usage entries of %u workers on each of %u "
			"CPUs: fewer entries or fewer workers are right",
			cfg->n_entries, cfg->n_workers, p->n_cpus);
	r = bpf_map__set_max_entries(
		p->skeleton->maps.ebpf_slots, (uint32_t)n_lists * cfg->n_entries);
	if (r == 0)
		r = bpf_map__set_max_entries(
			p->skeleton->maps.ebpf_told, (uint32_t)n_lists * cfg->n_entries);
	if (r == 0)
		r = bpf_map__set_max_entries(p->skeleton->maps.ebpf_lists, (uint32_t)n_lists);
	if (r == 0)
		r = bpf_map__set_max_entries(
			p->skeleton->maps.ebpf_listed, (uint32_t)n_lists * cfg->n_entries);
	return r;
}

static int share(struct ebpf_program *p, const struct ebpf_program *sharer)
{
	struct bpf_map *const ours[] = {p->skeleton->maps.ebpf_flows, p->skeleton->maps.ebpf_slots,
		p->skeleton->maps.ebpf_told, p->skeleton->maps.ebpf_lists,
		p->skeleton->maps.ebpf_listed, p->skeleton->maps.ebpf_nets};
	struct bpf_map *const theirs[] = {sharer->skeleton->maps.ebpf_flows,
		sharer->skeleton->maps.ebpf_slots, sharer->skeleton->maps.ebpf_told,
		sharer->skeleton->maps.ebpf_lists, sharer->skeleton->maps.ebpf_listed,
		sharer->skeleton->maps.ebpf_nets};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(ours) / sizeof(ours[0]); i++)
		r = bpf_map__reuse_fd(ours[i], bpf_map__fd(theirs[i]));
	// Flows are asked for where they are owned.
	if (r == 0)
		r = bpf_program__set_autoload(p->skeleton->progs.ebpf_decide, false);
	if (r == 0)
		r = bpf_program__set_autoload(p->skeleton->progs.ebpf_look, false);
	if (r == 0)
		r = bpf_program__set_autoload(p->skeleton->progs.ebpf_end, false);
	return r;
}

/* The maps, before they are made. */
static int size(
	struct ebpf_program *p, const struct ebpf_program_config *cfg, struct dp_err *reterr)
{
	int r = bpf_map__set_max_entries(
		p->skeleton->maps.ebpf_samples, power_of_two(cfg->ring_bytes));

	if (r == 0 && cfg->sharer != NULL)
		r = share(p, cfg->sharer);
	else if (r == 0)
		r = bpf_map__set_max_entries(p->skeleton->maps.ebpf_flows, cfg->n_flows);
	if (r == 0 && cfg->sharer == NULL) {
		r = set_slots(p, cfg, reterr);
		if (r == -E2BIG)
			return r;
	}
	if (r < 0)
		return dp_fail(reterr, -r, "cannot set the sizes of the XDP program's maps: %m");
	return 0;
}

static int load(struct ebpf_program *p, struct dp_err *reterr)
{
	struct bpf_program *const programs[] = {p->skeleton->progs.ebpf_ingress,
		p->skeleton->progs.ebpf_decide, p->skeleton->progs.ebpf_look,
		p->skeleton->progs.ebpf_end};
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

/* What the host sends. */
static int load_egress(struct ebpf_program *p, struct dp_err *reterr)
{
	char *log = calloc(1, LOG_BYTES);
	int r = -ENOMEM;

	if (log != NULL)
		r = ebpf_egress_program_open(p->skeleton->obj, log, LOG_BYTES, &p->egress);
	if (r < 0)
		r = ebpf_refused_load(-r, log == NULL ? "" : log, reterr);
	free(log);
	return r;
}

static int make_room(
	struct ebpf_program *p, const struct ebpf_program_config *cfg, struct dp_err *reterr)
{
	p->frame = malloc(sizeof(struct ebpf_replayed) + EBPF_REPLAY_MAX);
	if (p->frame == NULL)
		return dp_fail(
			reterr, ENOMEM, "no memory for the XDP program's side in user space");
	return ebpf_samples_open(
		bpf_map__fd(p->skeleton->maps.ebpf_samples), cfg->port, 0, &p->samples, reterr);
}

static int set_prefixes(const struct bpf_map *map, const struct dp_prefix *prefixes, uint16_t n)
{
	const uint8_t yes = 1;

	for (uint16_t i = 0; i < n; i++) {
		const struct ebpf_net_key key = {
			.prefix_len = prefixes[i].len, .addr = prefixes[i].addr};

		if (bpf_map_update_elem(bpf_map__fd(map), &key, &yes, BPF_ANY) < 0)
			return -errno;
	}
	return 0;
}

static int set_nets(
	struct ebpf_program *p, const struct ebpf_program_config *cfg, struct dp_err *reterr)
{
	int r = 0;

	if (cfg->sharer == NULL)
		r = set_prefixes(p->skeleton->maps.ebpf_nets, cfg->nets->net, cfg->nets->n_nets);
	if (r < 0)
		return dp_fail(reterr, -r, "cannot tell the XDP program endpoints.networks: %m");
	if (cfg->ignore != NULL)
		r = set_prefixes(p->skeleton->maps.ebpf_ignored_nets, cfg->ignore->nets,
			cfg->ignore->n_nets);
	if (r < 0)
		return dp_fail(reterr, -r, "cannot tell the XDP program ports[].ignore: %m");
	return 0;
}

static int open_skeleton(
	struct ebpf_program *p, const struct ebpf_program_config *cfg, struct dp_err *reterr)
{
	const int n_cpus = ebpf_program_cpus();
	int r;

	if (n_cpus < 0)
		return dp_fail(reterr, -n_cpus, "cannot tell how many CPUs there are: %m");
	p->n_cpus = (unsigned int)n_cpus;
	p->keeps = cfg->keeps;
	(void)libbpf_set_print(say_nothing);
	p->skeleton = ebpf_ingress__open();
	if (p->skeleton == NULL)
		return dp_fail(reterr, errno, "cannot open the XDP program: %m");
	configure(p, cfg);
	r = size(p, cfg, reterr);
	if (r == 0)
		r = load(p, reterr);
	if (r == 0 && !cfg->is_tap && !cfg->is_replay)
		r = load_egress(p, reterr);
	if (r == 0)
		r = make_room(p, cfg, reterr);
	if (r == 0)
		r = set_nets(p, cfg, reterr);
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
	ebpf_samples_close(p->samples);
	ebpf_egress_program_close(p->egress);
	ebpf_ingress__destroy(p->skeleton);
	free(p->frame);
	free(p);
}

int ebpf_program_cpus(void)
{
	return libbpf_num_possible_cpus();
}

int ebpf_program_fd(const struct ebpf_program *p)
{
	return bpf_program__fd(p->skeleton->progs.ebpf_ingress);
}

int ebpf_program_flows_fd(const struct ebpf_program *p)
{
	return bpf_map__fd(p->skeleton->maps.ebpf_flows);
}

int ebpf_program_samples_fd(const struct ebpf_program *p)
{
	return bpf_map__fd(p->skeleton->maps.ebpf_samples);
}

int ebpf_program_egress_fd(const struct ebpf_program *p)
{
	return p->egress == NULL ? 0 : ebpf_egress_program_fd(p->egress);
}

void ebpf_program_set_offset(struct ebpf_program *p, uint64_t offset_ns)
{
	p->skeleton->bss->ebpf_offset_ns = offset_ns;
	if (p->egress != NULL)
		ebpf_egress_program_set_offset(p->egress, offset_ns);
}

void ebpf_program_slot_maps(const struct ebpf_program *p, struct ebpf_slot_maps *ret_maps)
{
	*ret_maps = (struct ebpf_slot_maps){
		.slots_fd = bpf_map__fd(p->skeleton->maps.ebpf_slots),
		.told_fd = bpf_map__fd(p->skeleton->maps.ebpf_told),
		.lists_fd = bpf_map__fd(p->skeleton->maps.ebpf_lists),
		.listed_fd = bpf_map__fd(p->skeleton->maps.ebpf_listed),
		.n_rows = p->n_cpus + p->keeps,
	};
}

/* --- frames in, frames up, verdicts in ------------------------------------------------------- */

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

struct ebpf_samples *ebpf_program_samples(struct ebpf_program *p)
{
	return p->samples;
}

/* Who holds the flow meanwhile is another CPU, and it takes no longer than a packet takes. Start value. */
enum { ASK_TRIES = 1000 };

int ebpf_program_ask(struct ebpf_program *p, enum ebpf_ask ask, struct ebpf_verdict *verdict)
{
	const struct bpf_program *const programs[EBPF_ASK_COUNT] = {
		[EBPF_ASK_DECIDE] = p->skeleton->progs.ebpf_decide,
		[EBPF_ASK_LOOK] = p->skeleton->progs.ebpf_look,
		[EBPF_ASK_END] = p->skeleton->progs.ebpf_end,
	};
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = verdict, .ctx_size_in = sizeof(*verdict));
	int r = -EAGAIN;

	memset(&verdict->counts, 0, sizeof(verdict->counts));
	verdict->keeps = p->keeps;
	for (int i = 0; r == -EAGAIN && i < ASK_TRIES; i++) {
		r = bpf_prog_test_run_opts(bpf_program__fd(programs[ask]), &run);
		if (r == 0)
			r = (int)run.retval;
	}
	return r;
}

/* --- what it counted ------------------------------------------------------------------------- */

/* Values of all CPUs of the only entry of a per-CPU map; the caller frees them. Each CPU's takes a multiple of
 * eight bytes. NULL, with a sentence. */
static void *read_per_cpu(const struct ebpf_program *p, const struct bpf_map *map,
	size_t *ret_bytes, struct dp_err *reterr)
{
	const size_t bytes = (bpf_map__value_size(map) + 7) / 8 * 8;
	void *values = calloc(p->n_cpus, bytes);
	const uint32_t entry = 0;

	if (values == NULL || bpf_map_lookup_elem(bpf_map__fd(map), &entry, values) < 0) {
		(void)dp_fail(reterr, errno, "cannot read the XDP program's map '%s': %m",
			bpf_map__name(map));
		free(values);
		return NULL;
	}
	*ret_bytes = bytes;
	return values;
}

int ebpf_program_found(struct ebpf_program *p, unsigned int cpu, struct ebpf_found *ret_found,
	struct dp_err *reterr)
{
	size_t bytes;
	void *works;

	if (cpu >= p->n_cpus)
		return dp_fail(reterr, EINVAL, "there is no CPU %u", cpu);
	works = read_per_cpu(p, p->skeleton->maps.ebpf_works, &bytes, reterr);
	if (works == NULL)
		return -EIO;
	memcpy(ret_found, (const uint8_t *)works + cpu * bytes, sizeof(*ret_found));
	free(works);
	return 0;
}

int ebpf_program_ledger(
	const struct ebpf_program *p, struct ebpf_ledger *ret_ledger, struct dp_err *reterr)
{
	enum { N_COUNTS = sizeof(struct ebpf_ledger) / sizeof(uint64_t) };
	uint64_t sums[N_COUNTS] = {0};
	size_t bytes;
	void *ledgers = read_per_cpu(p, p->skeleton->maps.ebpf_ledgers, &bytes, reterr);

	if (ledgers == NULL)
		return -EIO;
	for (unsigned int cpu = 0; cpu < p->n_cpus; cpu++) {
		const uint64_t *counts = (const void *)((const uint8_t *)ledgers + cpu * bytes);

		for (size_t i = 0; i < N_COUNTS; i++)
			sums[i] += counts[i];
	}
	free(ledgers);
	static_assert(sizeof(sums) == sizeof(*ret_ledger), "counts and nothing else");
	memcpy(ret_ledger, sums, sizeof(sums));
	return 0;
}

int ebpf_program_flow(struct ebpf_program *p, const struct ebpf_flow_key *key,
	struct ebpf_flow *ret_flow, struct dp_err *reterr)
{
	if (bpf_map_lookup_elem(bpf_map__fd(p->skeleton->maps.ebpf_flows), key, ret_flow) < 0)
		return dp_fail(reterr, errno, "cannot read a flow of the XDP program: %m");
	return 0;
}
