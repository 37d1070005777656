// SPDX-License-Identifier: BSD-3-Clause
#include "control/engine_read.h"

#include "control/engine_format.h"
#include "control/profile_image.h"
#include "control/profile_sleep.h"

#include <assert.h>
#include <errno.h>

enum {
	// Read at once, though they could sleep: that images are of another version is said by the
	// start, which is refused, not by one subscriber after the other.
	SAMPLE = 64,
	NAME_MAX_LEN = 256, // of a type, rule, reason, naming
	IDS_MAX = INT32_MAX,
};

/* name and number, added to what is there; false when the table is bad. */
static bool read_counts(GHashTable *counts, struct ctl_unpack *part)
{
	while (ctl_unpack_has_more(part)) {
		char *name = ctl_unpack_text(part, NAME_MAX_LEN);
		const uint64_t count = ctl_unpack_u64(part);

		if (part->is_bad)
			g_free(name);
		else
			(void)g_hash_table_insert(counts, name, g_memdup2(&count, sizeof(count)));
	}
	return !part->is_bad;
}

static bool read_suppressed(struct ctl_engine *engine, struct ctl_unpack *part)
{
	g_autofree char *rule = ctl_unpack_text(part, NAME_MAX_LEN);

	return rule != NULL && read_counts(ctl_suppressed_of(engine, rule), part);
}

static bool read_node(struct ctl_engine *engine, struct ctl_unpack *part)
{
	engine->now_ns = ctl_unpack_u64(part);
	engine->born_ns = ctl_unpack_u64(part);
	engine->n_profiles = ctl_unpack_max(part, IDS_MAX);
	engine->sums.n_seen = ctl_unpack_u64(part);
	engine->sums.n_unbound = ctl_unpack_u64(part);
	engine->sums.n_lost = ctl_unpack_f64(part);
	engine->other_bytes[0] = ctl_unpack_u64(part);
	engine->other_bytes[1] = ctl_unpack_u64(part);
	engine->sums.n_unclassified = ctl_unpack_u64(part);
	return !part->is_bad;
}

int ctl_engine_read_meta(struct ctl_engine *engine, const void *data, size_t len, char **ret_naming,
	struct dp_err *reterr)
{
	struct ctl_unpack in = ctl_unpack_of(data, len);
	g_autofree char *naming = NULL;
	bool is_good = true, has_node = false;

	while (is_good && ctl_unpack_has_more(&in)) {
		struct ctl_unpack part;

		switch (ctl_unpack_part(&in, &part)) {
		case CTL_ENGINE_NODE:
			is_good = has_node = read_node(engine, &part);
			break;
		case CTL_ENGINE_NAMING:
			g_free(naming);
			naming = ctl_unpack_text(&part, NAME_MAX_LEN);
			is_good = naming != NULL;
			break;
		case CTL_ENGINE_TRIGGERS:
			is_good = read_counts(engine->n_triggers, &part);
			break;
		case CTL_ENGINE_SUPPRESSED:
			is_good = read_suppressed(engine, &part);
			break;
		default: // of a later version, which changes nothing of the others
			break;
		}
	}
	if (!is_good || in.is_bad || !has_node || naming == NULL)
		return dp_fail(reterr, EBADMSG,
			"the store's state of the node cannot be read, expected sums and counts");
	*ret_naming = g_steal_pointer(&naming);
	return 0;
}

int ctl_engine_read_image(struct ctl_engine *engine, uint64_t id, const void *data, size_t len,
	struct ctl_seal *seal, const struct ctl_reading *reading, struct dp_err *reterr)
{
	struct ctl_profile *profile;
	uint64_t *as_of_ns;
	int r = 0;

	if (id == 0 || id > engine->by_id->len)
		return dp_fail(reterr, EBADMSG,
			"the store has a profile %" G_GUINT64_FORMAT ", expected at most %u", id,
			engine->by_id->len);
	as_of_ns = &reading->as_of_ns[id - 1];
	if (*as_of_ns == UINT64_MAX)
		return 0;
	profile = ctl_profile_new(id);
	if (id % SAMPLE == 0 || ctl_idset_has(&reading->changed, id) ||
		!ctl_profile_read_asleep(profile, seal, data, len, engine->rule_ids,
			engine->detectors, engine->config->n_rules, as_of_ns))
		r = ctl_profile_unpack(profile, seal, data, len, as_of_ns, reterr);
	if (r < 0) {
		ctl_profile_free(profile);
		return r;
	}
	ctl_profile_unmark(profile);
	engine->by_id->pdata[id - 1] = profile;
	return 0;
}

/* The next part that is about a profile: its kind and id; 0 at the end. */
static int next_part(const struct ctl_engine *engine, struct ctl_unpack *in, uint64_t *ret_id,
	struct ctl_unpack *ret_part, struct dp_err *reterr)
{
	while (ctl_unpack_has_more(in)) {
		const uint64_t kind = ctl_unpack_part(in, ret_part);

		if (in->is_bad)
			break;
		if (kind != CTL_TICK_PROFILE && kind != CTL_TICK_FORGOTTEN)
			continue;
		*ret_id = ctl_unpack_u64(ret_part);
		if (*ret_id == 0 || *ret_id > engine->by_id->len)
			return dp_fail(reterr, EBADMSG,
				"the journal names a profile %" G_GUINT64_FORMAT
				", expected 1 to %u",
				*ret_id, engine->by_id->len);
		return (int)kind;
	}
	if (in->is_bad)
		return dp_fail(
			reterr, EBADMSG, "a value of the journal is cut off, expected whole parts");
	return 0;
}

int ctl_engine_read_ids(struct ctl_engine *engine, const void *data, size_t len,
	struct ctl_reading *reading, struct dp_err *reterr)
{
	struct ctl_unpack in = ctl_unpack_of(data, len), part;
	uint64_t id;
	int kind;

	for (;;) {
		kind = next_part(engine, &in, &id, &part, reterr);
		if (kind <= 0)
			return kind;
		if (kind == CTL_TICK_FORGOTTEN)
			reading->as_of_ns[id - 1] = UINT64_MAX;
		else
			ctl_idset_add(&reading->changed, id);
	}
}

static int apply(struct ctl_engine *engine, uint64_t id, const struct ctl_unpack *changes,
	struct ctl_seal *seal, struct dp_err *reterr)
{
	struct ctl_profile *profile = engine->by_id->pdata[id - 1];
	uint64_t as_of_ns; // of images only
	int r;

	if (profile == NULL) {
		profile = ctl_profile_new(id);
		engine->by_id->pdata[id - 1] = profile;
	}
	assert(!ctl_profile_is_asleep(profile)); // changed ones are read whole
	r = ctl_profile_unpack(profile, seal, changes->at, (size_t)(changes->end - changes->at),
		&as_of_ns, reterr);
	ctl_profile_unmark(profile);
	ctl_idset_add(&engine->unwritten, id);
	return r;
}

int ctl_engine_read_tick(struct ctl_engine *engine, uint64_t end_ns, const void *data, size_t len,
	struct ctl_seal *seal, const struct ctl_reading *reading, struct dp_err *reterr)
{
	struct ctl_unpack in = ctl_unpack_of(data, len), part;
	uint64_t id;
	int r = 0;

	engine->journal_ns = MAX(engine->journal_ns, end_ns);
	while (r == 0) {
		const int kind = next_part(engine, &in, &id, &part, reterr);

		if (kind <= 0)
			return kind;
		if (kind == CTL_TICK_PROFILE && end_ns > reading->as_of_ns[id - 1])
			r = apply(engine, id, &part, seal, reterr);
	}
	return r;
}

/* Each is somebody's, and no two are of one endpoint. */
static int enter_endpoints(struct ctl_engine *engine, struct dp_err *reterr)
{
	for (guint i = 0; i < engine->by_id->len; i++) {
		struct ctl_profile *profile = engine->by_id->pdata[i];

		if (profile == NULL || profile->who == CTL_WHO_PERSON)
			continue;
		if (profile->who != CTL_WHO_ENDPOINT ||
			!g_hash_table_insert(engine->by_endpoint, &profile->endpoint, profile))
			return dp_fail(reterr, EBADMSG,
				"profile %u of the store is nobody's, expected a person's or an "
				"endpoint's of its own",
				i + 1);
	}
	return 0;
}

int ctl_engine_read_end(
	struct ctl_engine *engine, const struct ctl_reading *reading, struct dp_err *reterr)
{
	// What changes before the next tick must not be taken for a part of the images.
	engine->journal_ns = MAX(engine->journal_ns, engine->now_ns);
	for (guint i = 0; i < engine->by_id->len; i++)
		if (reading->as_of_ns[i] != UINT64_MAX)
			engine->journal_ns = MAX(engine->journal_ns, reading->as_of_ns[i]);
	engine->round.began_ns = engine->now_ns;
	return enter_endpoints(engine, reterr);
}
