// SPDX-License-Identifier: BSD-3-Clause
#include "control/store_format.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <string.h>

static const char magic[] = "wirecue store";

void ctl_store_format_fini(struct ctl_store_format *format)
{
	g_free(format->node);
	*format = (struct ctl_store_format){0};
}

void ctl_store_format_pack(const struct ctl_store_format *format, struct ctl_pack *out)
{
	ctl_pack_text(out, magic);
	ctl_pack_u64(out, format->version);
	ctl_pack_text(out, format->node);
	ctl_pack_u64(out, format->tick_ns);
	ctl_pack_u64(out, format->created_ns);
}

int ctl_store_format_unpack(
	const void *data, size_t len, struct ctl_store_format *ret_format, struct dp_err *reterr)
{
	struct ctl_unpack in = ctl_unpack_of(data, len);
	g_autofree char *found = ctl_unpack_text(&in, sizeof(magic));
	struct ctl_store_format format = {.version = ctl_unpack_u64(&in)};

	if (in.is_bad || strcmp(found, magic) != 0 || format.version == 0)
		return dp_fail(reterr, EBADMSG, "it is no store of wirecue");
	if (format.version <= CTL_STORE_VERSION) {
		format.node = ctl_unpack_text(&in, CTL_STORE_NODE_MAX);
		format.tick_ns = ctl_unpack_u64(&in);
		format.created_ns = ctl_unpack_u64(&in);
	}
	if (in.is_bad) {
		ctl_store_format_fini(&format);
		return dp_fail(reterr, EBADMSG, "its description is incomplete");
	}
	*ret_format = format;
	return 0;
}

int ctl_store_format_suits(const struct ctl_store_format *format, const char *path,
	const char *node, uint64_t tick_ns, struct dp_err *reterr)
{
	if (format->version > CTL_STORE_VERSION)
		return dp_fail(reterr, ENOTSUP,
			"the store '%s' has format %" PRIu64
			", this wirecue knows %d: run the newer "
			"one that wrote it, or give another folder",
			path, format->version, CTL_STORE_VERSION);
	if (node == NULL)
		return 0;
	if (strcmp(format->node, node) != 0)
		return dp_fail(reterr, EINVAL,
			"the store '%s' is of node '%s', not of '%s': set 'node' back, or give this "
			"node a folder of its own (store.path)",
			path, format->node, node);
	if (format->tick_ns != tick_ns)
		return dp_fail(reterr, EINVAL,
			"the store '%s' was made with a tick of %" PRIu64 " ms, not of %" PRIu64
			" ms: set 'tick' back, or begin anew in another folder (store.path)",
			path, format->tick_ns / 1000000, tick_ns / 1000000);
	return 0;
}

void ctl_store_state_pack(const struct ctl_store_state *state, struct ctl_pack *out)
{
	ctl_pack_u64(out, state->generation);
	ctl_pack_u64(out, state->serial);
	ctl_pack_u64(out, state->watermark_ns);
	for (size_t i = 0; i < CTL_TABLE_COUNT; i++) {
		if (!state->cuts[i].is_set)
			continue;
		ctl_pack_u64(out, i);
		ctl_pack_u64(out, state->cuts[i].key);
	}
}

int ctl_store_state_unpack(const void *data, size_t len, struct ctl_store_state *ret_state)
{
	struct ctl_unpack in = ctl_unpack_of(data, len);
	struct ctl_store_state state = {0};

	state.generation = ctl_unpack_u64(&in);
	state.serial = ctl_unpack_u64(&in);
	state.watermark_ns = ctl_unpack_u64(&in);
	while (ctl_unpack_has_more(&in)) {
		struct ctl_store_cut *cut = &state.cuts[ctl_unpack_max(&in, CTL_TABLE_COUNT - 1)];

		cut->is_set = true;
		cut->key = ctl_unpack_u64(&in);
	}
	if (in.is_bad)
		return -EBADMSG;
	*ret_state = state;
	return 0;
}

bool ctl_store_state_first(const struct ctl_store_state *state, enum ctl_table table, uint64_t from,
	uint64_t *ret_first)
{
	const struct ctl_store_cut *cut = &state->cuts[table];

	if (cut->is_set && cut->key == UINT64_MAX)
		return false;
	*ret_first = cut->is_set && cut->key >= from ? cut->key + 1 : from;
	return true;
}
