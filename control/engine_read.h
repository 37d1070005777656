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

/* CTL_TABLE_PROFILES. engine->by_id has its final length. Several threads may do this at once for
 * different ids, each with a seal of its own. */
[[nodiscard]] int ctl_engine_read_image(struct ctl_engine *engine, uint64_t id, const void *data,
	size_t len, struct ctl_seal *seal, uint64_t *as_of_ns, struct dp_err *reterr);

/* CTL_TABLE_JOURNAL, twice: first who is forgotten in it, of all values, so that what was changed
 * before is not looked at (its image is gone); then the changes, in order. as_of_ns: of the images,
 * by id - 1, as many as ids were given. What is changed is behind its image then. */
[[nodiscard]] int ctl_engine_read_forgotten(struct ctl_engine *engine, const void *data, size_t len,
	uint64_t *as_of_ns, struct dp_err *reterr);
[[nodiscard]] int ctl_engine_read_tick(struct ctl_engine *engine, uint64_t end_ns, const void *data,
	size_t len, struct ctl_seal *seal, const uint64_t *as_of_ns, struct dp_err *reterr);
