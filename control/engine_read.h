// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the store says, into an engine: the values one by one. Private to the engine, its tests and
 * its fuzzer.
 *
 * Returns 0 or -EBADMSG with a sentence; the engine is then good for freeing only. */

#include "control/engine_state.h"
#include "control/seal.h"

/* CTL_META_ENGINE. ret_naming: of the subjects when it was written; owned by the caller. */
[[nodiscard]] int ctl_engine_read_meta(struct ctl_engine *engine, const void *data, size_t len,
	char **ret_naming, struct dp_err *reterr);

/* What is known of profiles while they are read; by id, as many as ids were given. */
struct ctl_reading {
	uint64_t *as_of_ns; // by id - 1: of its image; UINT64_MAX = it is forgotten
	struct ctl_idset changed; // somewhere in the journal
};

/* CTL_TABLE_JOURNAL, all of it and first of all: who is forgotten in it, so that neither an image
 * nor what changed before is looked at, and who is changed, and so will not sleep. */
[[nodiscard]] int ctl_engine_read_ids(struct ctl_engine *engine, const void *data, size_t len,
	struct ctl_reading *reading, struct dp_err *reterr);

/* CTL_TABLE_PROFILES. engine->by_id has its final length. Several threads may do this at once for
 * different ids, each with a seal of its own. */
[[nodiscard]] int ctl_engine_read_image(struct ctl_engine *engine, uint64_t id, const void *data,
	size_t len, struct ctl_seal *seal, const struct ctl_reading *reading,
	struct dp_err *reterr);

/* CTL_TABLE_JOURNAL once more, in order: the changes that are behind an image. */
[[nodiscard]] int ctl_engine_read_tick(struct ctl_engine *engine, uint64_t end_ns, const void *data,
	size_t len, struct ctl_seal *seal, const struct ctl_reading *reading,
	struct dp_err *reterr);

/* All is read: what of it goes beyond one value. ctl_engine_bind() follows. */
[[nodiscard]] int ctl_engine_read_end(
	struct ctl_engine *engine, const struct ctl_reading *reading, struct dp_err *reterr);
