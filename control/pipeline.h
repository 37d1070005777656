// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Everything between the capture and the outbox, wired: path, collector, engine, flow log, outbox.
 *
 * replay and run share it; what differs is who drives it and where the triggers go. Control thread
 * only. */

#include "control/config.h"
#include "control/gaps.h"
#include "control/outbox.h"
#include "control/survey.h"
#include "control/way.h"
#include "dataplane/path.h"

#include <jansson.h>

struct ctl_pipeline;
struct ctl_bindings_file;
struct ctl_rot;
struct ctl_sessions;

struct ctl_pipeline_config {
	struct ctl_config *config; // given; a reload replaces it
	const char *const *captures; // NULL: live, from config->ports
	size_t n_captures;
	bool is_xdp; // captures run through the program in the kernel
	bool is_exact; // each frame in a heap block of its own size
	struct ctl_trigger_file *trigger_file; // borrowed; NULL: none
	bool is_published; // triggers wait in the outbox for a publisher
	struct ctl_bindings_file *bindings_file; // borrowed; NULL: none
	bool has_store; // what is known outlives the process, in config->store
};

/* Starts the EAL and opens the path. Returns 0, or -errno with a sentence; config is taken in
 * either case. */
[[nodiscard]] int ctl_pipeline_open(const struct ctl_pipeline_config *config,
	struct ctl_pipeline **ret_pipeline, struct dp_err *reterr);
void ctl_pipeline_close(struct ctl_pipeline *p); // NULL is fine

[[nodiscard]] int ctl_pipeline_start(struct ctl_pipeline *p, struct dp_err *reterr);

/* Take what the workers have; complete ticks run through the engine into the outbox. Returns true
 * when anything was taken. */
bool ctl_pipeline_poll(struct ctl_pipeline *p);

/* The captures ended and everything of them has been processed. */
bool ctl_pipeline_is_done(const struct ctl_pipeline *p);

/* While nothing is polled yet: what the store has committed goes on its way. */
void ctl_pipeline_tend(struct ctl_pipeline *p);

/* Make everything durable that was worked and acknowledged. Returns true at once without a store,
 * false when the disk did not take it. */
[[nodiscard]] bool ctl_pipeline_keep(struct ctl_pipeline *p);

/* Live: stop receiving, and take in what was received until now. False when the workers did not
 * deliver it within 5 seconds. */
[[nodiscard]] bool ctl_pipeline_finish(struct ctl_pipeline *p);

/* Judge by a new configuration from here on: rules, told facts, catalogue, privacy. What belongs
 * to the start (ports, workers, tick, networks) stays as it was. config is given; the old one is
 * freed once no worker reads its catalogue. */
void ctl_pipeline_reload(struct ctl_pipeline *p, struct ctl_config *config);

struct ctl_apps;

/* Likewise by another catalogue alone, that of apps; what is left there is the caller's to end. */
void ctl_pipeline_set_apps(struct ctl_pipeline *p, struct ctl_apps *apps);

const struct ctl_config *ctl_pipeline_config_of(const struct ctl_pipeline *p);
struct ctl_outbox *ctl_pipeline_outbox(struct ctl_pipeline *p);
struct dp_path *ctl_pipeline_path(struct ctl_pipeline *p);
struct ctl_engine *ctl_pipeline_engine(struct ctl_pipeline *p);
struct ctl_sampler *ctl_pipeline_sampler(struct ctl_pipeline *p); // NULL without samples
struct ctl_keeper *ctl_pipeline_keeper(struct ctl_pipeline *p); // NULL without a store
const struct ctl_gaps *ctl_pipeline_gaps(const struct ctl_pipeline *p);
struct ctl_survey *ctl_pipeline_survey(struct ctl_pipeline *p); // NULL in replay
const struct ctl_rot *ctl_pipeline_rot(const struct ctl_pipeline *p);
struct ctl_flowlog *ctl_pipeline_flowlog(struct ctl_pipeline *p); // NULL when live
struct ctl_sessions *ctl_pipeline_sessions(
	struct ctl_pipeline *p); // NULL where no signalling is read
uint16_t ctl_pipeline_workers(const struct ctl_pipeline *p);
uint64_t ctl_pipeline_watermark(const struct ctl_pipeline *p);

/* Live usage per app since the start: [{"app":…,"category":…,"bytes":…,"packets":…,"flows":…,
 * "up_bytes":…,"down_bytes":…}], most bytes first. Owned by the caller. */
json_t *ctl_pipeline_apps_json(const struct ctl_pipeline *p);

/* How TCP fares on the node, a row a side: since the start, and in the last minute. Owned by the
 * caller. */
json_t *ctl_pipeline_quality_json(const struct ctl_pipeline *p);

/* Of a live port, i as in the configuration: control/offload.h. */
void ctl_pipeline_taken(const struct ctl_pipeline *p, size_t i, struct ctl_taken *ret_taken);
const char *ctl_pipeline_warning(const struct ctl_pipeline *p, size_t i, size_t n);

/* Of each subscriber; NULL when live. Borrowed. */
const struct ctl_qualities *ctl_pipeline_qualities(const struct ctl_pipeline *p);
