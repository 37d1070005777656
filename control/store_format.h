// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The two values that the store keeps about itself (pack.h), and the names of its files. */

#include "control/batch.h"
#include "control/pack.h"
#include "dataplane/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CTL_STORE_FILE "wirecue.mdb" // LMDB's lock file is this and "-lock"
#define CTL_STORE_WRITER "writer.lock" // who writes holds an flock on it, and has its pid in it

enum { CTL_STORE_VERSION = 1, CTL_STORE_NODE_MAX = 255 };

/* CTL_META_FORMAT. Magic and version stay readable in every version to come. */
struct ctl_store_format {
	uint64_t version;
	char *node; // owned; NULL when the version is not ours
	uint64_t tick_ns, created_ns; // created: wall clock
};

void ctl_store_format_fini(struct ctl_store_format *format);
void ctl_store_format_pack(const struct ctl_store_format *format, struct ctl_pack *out);

/* Returns 0, or -EBADMSG with a sentence when it is none. */
[[nodiscard]] int ctl_store_format_unpack(
	const void *data, size_t len, struct ctl_store_format *ret_format, struct dp_err *reterr);

/* May this program, as this node and with this tick, work with it? Returns 0; -ENOTSUP for a newer
 * version, -EINVAL for another node or tick length; with a sentence. node NULL: any node and tick. */
[[nodiscard]] int ctl_store_format_suits(const struct ctl_store_format *format, const char *path,
	const char *node, uint64_t tick_ns, struct dp_err *reterr);

/* CTL_META_COMMITTED: changes with every commit. */
struct ctl_store_state {
	uint64_t generation; // grows with every process that writes
	uint64_t serial; // of the last batch of this generation; 0 = none yet
	uint64_t watermark_ns; // of the last batch ever
	/* Keys up to this one are deleted, though they may still be in the file: long cuts take
	 * several commits. */
	struct ctl_store_cut {
		bool is_set;
		uint64_t key;
	} cuts[CTL_TABLE_COUNT];
};

void ctl_store_state_pack(const struct ctl_store_state *state, struct ctl_pack *out);
[[nodiscard]] int ctl_store_state_unpack(
	const void *data, size_t len, struct ctl_store_state *ret_state);

/* First key a reader may see that wants those from `from` on; false = none. */
[[nodiscard]] bool ctl_store_state_first(const struct ctl_store_state *state, enum ctl_table table,
	uint64_t from, uint64_t *ret_first);
