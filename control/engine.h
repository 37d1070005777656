// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Usage in, triggers out: binding, profile, detectors, gates. Knows no NIC, no Redis, no clock.
 *
 * Control thread only. Event time never runs backwards. */

#include "control/config.h"
#include "control/trigger.h"
#include "dataplane/record.h"

#include <jansson.h>

struct ctl_engine;

/* config is borrowed until the engine is freed or reloaded. */
[[nodiscard]] int ctl_engine_new(const struct ctl_config *config, ctl_trigger_fn *sink, void *ctx,
	struct ctl_engine **ret_engine, struct dp_err *reterr);
void ctl_engine_free(struct ctl_engine *engine);

struct ctl_bindings;
struct ctl_whose;

/* Signalling says whose endpoints are, too; borrowed until the engine is freed. Before the first tick. */
void ctl_engine_set_bindings(struct ctl_engine *engine, const struct ctl_bindings *bindings);

/* Whose endpoints are; borrowed. */
struct ctl_whose *ctl_engine_whose(const struct ctl_engine *engine);

/* Switch to a new configuration; profiles stay (persons are matched by their identifiers, apps by
 * their ids, rules by id). The old one is no longer referenced afterwards. */
void ctl_engine_reload(struct ctl_engine *engine, const struct ctl_config *config);

/* Shares of a window, 0..1; of the current one they travel with every trigger. */
struct ctl_coverage {
	double capture_loss, unclassified, unbound, opaque;
};

/* One closed tick: its usage and move records, merged and sorted by (endpoint, kind, app, tag,
 * evidence), among others that are skipped; end_ns is the first instant behind the tick. Fires timers (session ends, cycle changes) up to
 * end_ns after the records. Records of kind MOVE follow the usage of the same tick. */
void ctl_engine_tick(struct ctl_engine *engine, uint64_t end_ns, const struct dp_record *records,
	size_t n_records, double capture_loss);

/* Advance event time without traffic (end of the last capture file: + 10 min). */
void ctl_engine_advance(struct ctl_engine *engine, uint64_t now_ns);

/* Event time everything before which is done; ids given so far are 1..n. */
uint64_t ctl_engine_now(const struct ctl_engine *engine);
uint64_t ctl_engine_n_ids(const struct ctl_engine *engine);

/* Shares of the node since the start; opaque stays 0, since it is known of subscribers only. */
struct ctl_coverage ctl_engine_coverage(const struct ctl_engine *engine);

/* The profile of an id (1..), of a person or of an endpoint nobody is bound to; NULL when it was
 * never given, or was forgotten. Borrowed until the next tick or reload. Wakes it when nobody has
 * asked for it since the restart, which takes microseconds. */
struct ctl_profile;
struct ctl_profile *ctl_engine_profile(const struct ctl_engine *engine, uint64_t id);

/* Is the profile of an id that of a person of the facts? Wakes nobody. */
bool ctl_engine_has_person(const struct ctl_engine *engine, uint64_t id);

/* Profiles since the start whose image could not be read when they were woken: they began anew.
 * *ret_why: of the last one; left alone when there was none. */
uint64_t ctl_engine_n_unreadable(const struct ctl_engine *engine, struct dp_err *ret_why);

/* Persons' profiles that say something else than what was published of them last, or under another
 * subject: the lowest id >= from, UINT64_MAX when there is none. It outlives a restart. */
uint64_t ctl_engine_unpublished(const struct ctl_engine *engine, uint64_t from);
uint64_t ctl_engine_n_unpublished(const struct ctl_engine *engine);

/* What the profile says now has been published; or has to be. An id that was forgotten is fine. */
void ctl_engine_set_published(struct ctl_engine *engine, uint64_t id);
void ctl_engine_set_unpublished(struct ctl_engine *engine, uint64_t id);

/* Somebody mirrors profiles to Redis: from now on keep what would be lost to it, that is the last
 * bytes of a cycle that ends unpublished, and subjects that are used no more. */
void ctl_engine_keep_unpublished(struct ctl_engine *engine);

/* Cycles of the profile that were closed, up to the one that began at start_ns, are published. */
void ctl_engine_drop_closed(struct ctl_engine *engine, uint64_t id, uint64_t start_ns);

/* A subject that names nobody any more, or somebody else: renamed by a new key or facts, told no
 * more. NULL when there is none. Owned by the caller. */
char *ctl_engine_take_retired(struct ctl_engine *engine);

/* What a subscriber used of an app; all of it is borrowed. */
struct ctl_usage_row {
	const char *subscriber; // subject
	const char *app;
	uint64_t bytes[2]; // [0] up, [1] down
};

/* For reports: row() for each, sorted by subscriber, app. Bytes of endpoints nobody is bound to stand under
 * "endpoint:" + 16 base32 characters of the endpoint's pseudonym. */
void ctl_engine_usage(const struct ctl_engine *engine,
	void (*row)(void *ctx, const struct ctl_usage_row *row), void *ctx);

/* The same as [{"subscriber":SUBJECT,"app":…,"up_bytes":…,"down_bytes":…}]. Owned by the caller. */
json_t *ctl_engine_usage_json(const struct ctl_engine *engine);

/* {"type":count} and {"rule":{"G2":count}}; owned by the caller. */
json_t *ctl_engine_triggers_json(const struct ctl_engine *engine);
json_t *ctl_engine_suppressed_json(const struct ctl_engine *engine);

/* What is known of one subject, for `show subscriber`: usage, cycle state, holds, sessions; NULL
 * when unknown. Identifiers other than the subject are never part of it. */
json_t *ctl_engine_subscriber_json(const struct ctl_engine *engine, const char *subject);

/* The same of whom an identifier names ("msisdn:+999…", "imsi:…", "account:…", bare), whichever of
 * them the subject is made of. NULL when unknown; *ret_is_told: the facts know the person, but
 * nothing was seen yet. */
json_t *ctl_engine_identifier_json(
	const struct ctl_engine *engine, const char *identifier, bool *ret_is_told);

/* Pseudonym of an identifier ("msisdn:+999…", "ip:…", bare): docs/subject.md. subject holds 128.
 * Returns 0 or -EINVAL with what would be right. */
[[nodiscard]] int ctl_subject_of(const struct ctl_privacy *privacy, const char *identifier,
	char *ret_subject, struct dp_err *reterr);
