// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Writes what workers keep of flows that stay unknown (dataplane/sampler.h) into the folder samples.path, without what
 * is said in them and without who says it (control/sample_packet.h).
 *
 * A thread of its own, niced, takes, blots out and writes: neither workers nor the control thread wait for the disk.
 * While nothing can be written samples are lost and counted, the log says why once, and it goes on by itself. All
 * functions are the control thread's. */

#include "control/config.h"
#include "dataplane/path.h"

#include <jansson.h>

struct ctl_sampler;

/* path: opened with samples, borrowed until this is freed. Starts the thread; without options->path there is none, and
 * *ret_sampler is NULL. Returns 0, or -errno with a sentence; a folder that cannot be used is none, but an alarm. */
[[nodiscard]] int ctl_sampler_new(struct dp_path *path, uint16_t n_workers,
	const struct ctl_samples_options *options, struct ctl_sampler **ret_sampler,
	struct dp_err *reterr);

/* Writes what is there, and ends. NULL is fine. */
void ctl_sampler_free(struct ctl_sampler *s);

/* From now on one flow in so many, and other bounds for files. NULL is fine. */
void ctl_sampler_reload(struct ctl_sampler *s, const struct ctl_samples_options *options);

/* One record for `show samples`; NULL: there are none. Owned by the caller. */
json_t *ctl_sampler_json(struct ctl_sampler *s);
