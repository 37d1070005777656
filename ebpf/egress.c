// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/egress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "ebpf/egress.skel.h"

struct ebpf_egress_program {
	struct ebpf_egress *skeleton;
};

/* --- what both programs have ----------------------------------------------------------------- */

/* Where a program's constants stand, each a variable of its own. */
struct constants {
	const struct btf *btf;
	const struct btf_type *section;
	uint8_t *bytes;
};

static bool find_constants(const struct bpf_object *object, struct constants *ret)
{
	struct bpf_map *map = NULL;
	size_t n;
	int id;

	ret->btf = bpf_object__btf(object);
	id = btf__find_by_name_kind(ret->btf, ".rodata", BTF_KIND_DATASEC);
	if (id < 0)
		return false;
	ret->section = btf__type_by_id(ret->btf, (__u32)id);
	bpf_object__for_each_map(map, object)
	{
		const char *dot = bpf_map__is_internal(map) ? strchr(bpf_map__name(map), '.')
							    : NULL;

		if (dot != NULL && strcmp(dot, ".rodata") == 0)
			break;
	}
	ret->bytes = map == NULL ? NULL : (uint8_t *)bpf_map__initial_value(map, &n);
	return ret->bytes != NULL;
}

static const char *name_of(const struct constants *c, const struct btf_var_secinfo *var)
{
	return btf__name_by_offset(c->btf, btf__type_by_id(c->btf, var->type)->name_off);
}

static const struct btf_var_secinfo *find(const struct constants *c, const char *name)
{
	const struct btf_var_secinfo *var = btf_var_secinfos(c->section);

	for (int i = 0; i < btf_vlen(c->section); i++) {
		if (strcmp(name_of(c, &var[i]), name) == 0)
			return &var[i];
	}
	return NULL;
}

/* All that the programs have in common: who adds one has nothing to remember. */
static int copy_constants(const struct bpf_object *from, const struct bpf_object *to)
{
	struct constants theirs, ours;
	const struct btf_var_secinfo *var;

	if (!find_constants(from, &theirs) || !find_constants(to, &ours))
		return -EINVAL;
	var = btf_var_secinfos(ours.section);
	for (int i = 0; i < btf_vlen(ours.section); i++) {
		const struct btf_var_secinfo *their = find(&theirs, name_of(&ours, &var[i]));

		if (their == NULL)
			continue;
		if (their->size != var[i].size)
			return -EINVAL;
		memcpy(ours.bytes + var[i].offset, theirs.bytes + their->offset, var[i].size);
	}
	return 0;
}

static int share_maps(const struct bpf_object *from, const struct bpf_object *to)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, to)
	{
		const struct bpf_map *their = bpf_object__find_map_by_name(
			from, bpf_map__name(map));
		int r;

		if (bpf_map__is_internal(map))
			continue;
		if (their == NULL)
			return -EINVAL;
		r = bpf_map__reuse_fd(map, bpf_map__fd(their));
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- open and close -------------------------------------------------------------------------- */

int ebpf_egress_program_open(const struct bpf_object *beside, char *log, uint32_t log_bytes,
	struct ebpf_egress_program **ret_program)
{
	struct ebpf_egress_program *p = calloc(1, sizeof(*p));
	int r = 0;

	if (p == NULL)
		return -ENOMEM;
	p->skeleton = ebpf_egress__open();
	if (p->skeleton == NULL)
		r = -errno;
	if (r == 0)
		r = copy_constants(beside, p->skeleton->obj);
	if (r == 0)
		r = share_maps(beside, p->skeleton->obj);
	if (r == 0) {
		(void)bpf_program__set_log_buf(p->skeleton->progs.ebpf_egress, log, log_bytes);
		r = ebpf_egress__load(p->skeleton);
		(void)bpf_program__set_log_buf(p->skeleton->progs.ebpf_egress, NULL, 0);
	}
	if (r < 0) {
		ebpf_egress_program_close(p);
		return r;
	}
	*ret_program = p;
	return 0;
}

void ebpf_egress_program_close(struct ebpf_egress_program *p)
{
	if (p == NULL)
		return;
	ebpf_egress__destroy(p->skeleton);
	free(p);
}

int ebpf_egress_program_fd(const struct ebpf_egress_program *p)
{
	return bpf_program__fd(p->skeleton->progs.ebpf_egress);
}

void ebpf_egress_program_set_offset(struct ebpf_egress_program *p, uint64_t offset_ns)
{
	p->skeleton->bss->ebpf_offset_ns = offset_ns;
}
