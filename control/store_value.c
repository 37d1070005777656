// SPDX-License-Identifier: BSD-3-Clause
#include "control/store_value.h"

#include "control/engine_format.h"
#include "control/event.h"
#include "control/store_format.h"
#include "control/store_profile.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

enum { NAME_MAX_LEN = 255, COUNTS_MAX = 4096 };

/* Each reads one kind of value: into an object, where there is one to fill, and into ret_value,
 * where somebody wants it. Returns 0 or -EBADMSG. */
struct source {
	uint64_t key;
	const void *data;
	size_t len;
	struct ctl_seal *seal; // NULL: what is sealed stays so
};
typedef int reader(const struct source *source, json_t *json, struct ctl_store_value *ret_value);

static void set(json_t *json, const char *key, json_t *value)
{
	if (json != NULL)
		(void)json_object_set_new(json, key, value); // without memory a field is missing
	else
		json_decref(value);
}

static void set_count(json_t *json, const char *key, uint64_t count)
{
	set(json, key, json_integer((json_int_t)count));
}

static void set_text(json_t *json, const char *key, const char *text)
{
	set(json, key, json_string(text));
}

/* --- meta -------------------------------------------------------------------------------------- */

static int read_format(const struct source *source, json_t *json, struct ctl_store_value *)
{
	struct ctl_store_format format;
	struct dp_err err;
	int r = ctl_store_format_unpack(source->data, source->len, &format, &err);

	if (r < 0)
		return r;
	set_count(json, "format", format.version);
	set_text(json, "node", format.node);
	set_count(json, "tick_ms", format.tick_ns / 1000000);
	set(json, "created", ctl_time_json(format.created_ns));
	ctl_store_format_fini(&format);
	return 0;
}

static int read_state(const struct source *source, json_t *json, struct ctl_store_value *)
{
	struct ctl_store_state state;
	int r = ctl_store_state_unpack(source->data, source->len, &state);

	if (r < 0)
		return r;
	set_count(json, "generation", state.generation);
	set_count(json, "serial", state.serial);
	set(json, "watermark", ctl_time_json(state.watermark_ns));
	return 0;
}

static void read_node(struct ctl_unpack *in, json_t *json)
{
	set(json, "time", ctl_time_json(ctl_unpack_u64(in)));
	set(json, "begin", ctl_time_json(ctl_unpack_u64(in)));
	set_count(json, "ids", ctl_unpack_u64(in));
	set_count(json, "seen_bytes", ctl_unpack_u64(in));
	set_count(json, "unbound_bytes", ctl_unpack_u64(in));
	set(json, "lost_bytes", json_real(ctl_unpack_f64(in)));
}

/* text, u64: one behind the other. */
static json_t *read_counts(struct ctl_unpack *in)
{
	json_t *counts = json_object();

	while (ctl_unpack_has_more(in) && json_object_size(counts) < COUNTS_MAX) {
		g_autofree char *name = ctl_unpack_text(in, NAME_MAX_LEN);
		const uint64_t count = ctl_unpack_u64(in);

		if (!in->is_bad)
			set_count(counts, name, count);
	}
	return counts;
}

static int read_engine(const struct source *source, json_t *json, struct ctl_store_value *)
{
	struct ctl_unpack in = ctl_unpack_of(source->data, source->len), part;
	json_t *suppressed = json_object();
	int r = 0;

	while (ctl_unpack_has_more(&in) && r == 0) {
		g_autofree char *rule = NULL;

		switch (ctl_unpack_part(&in, &part)) {
		case CTL_ENGINE_NODE:
			read_node(&part, json);
			break;
		case CTL_ENGINE_TRIGGERS:
			set(json, "triggers", read_counts(&part));
			break;
		case CTL_ENGINE_SUPPRESSED:
			rule = ctl_unpack_text(&part, NAME_MAX_LEN);
			if (rule != NULL)
				set(suppressed, rule, read_counts(&part));
			break;
		default: // of a later version, or nothing to see
			break;
		}
		if (part.is_bad)
			r = -EBADMSG;
	}
	set(json, "suppressed", suppressed);
	return in.is_bad ? -EBADMSG : r;
}

static json_t *count_json(const struct ctl_count *count)
{
	return json_pack("{sI sI sI}", "last", (json_int_t)count->last, "acked",
		(json_int_t)count->acked, "said_last",
		(json_int_t)(count->last == 0 ? 0 : count->last + count->shift));
}

static json_t *types_json(const struct ctl_numbering *numbering)
{
	json_t *types = json_object();
	GHashTableIter i;
	gpointer type, count;

	g_hash_table_iter_init(&i, numbering->types);
	while (g_hash_table_iter_next(&i, &type, &count))
		set(types, type, count_json(count));
	return types; // written in order of names
}

static int read_numbers(const struct source *source, json_t *json, struct ctl_store_value *value)
{
	struct ctl_outbox_numbers *numbers = g_new(struct ctl_outbox_numbers, 1);
	int r;

	ctl_outbox_numbers_init(numbers);
	r = ctl_outbox_numbers_unpack(source->data, source->len, numbers);
	if (r == 0 && json != NULL) {
		g_autofree char *id = g_strdup_printf("%llu-%llu",
			(unsigned long long)numbers->last_ms, (unsigned long long)numbers->last_n);

		set(json, "all", count_json(&numbers->given.all));
		set(json, "types", types_json(&numbers->given));
		set_text(json, "last_id", id);
		set_count(json, "oldest_kept", numbers->kept);
		set_text(json, "writer", numbers->writer);
	}
	if (r == 0 && value != NULL) {
		value->numbers = numbers;
		return 0;
	}
	ctl_outbox_numbers_fini(numbers);
	g_free(numbers);
	return r;
}

/* What the rot alarm remembers takes a catalogue to be read: here it is its length and version. */
static int read_rot(const struct source *source, json_t *json, struct ctl_store_value *)
{
	struct ctl_unpack in = ctl_unpack_of(source->data, source->len);
	const uint64_t version = ctl_unpack_u64(&in);

	if (json != NULL) {
		set_count(json, "version", version);
		set_count(json, "bytes", source->len);
	}
	return in.is_bad ? -EBADMSG : 0;
}

static int read_meta(const struct source *source, json_t *json, struct ctl_store_value *value)
{
	static const struct {
		const char *name;
		reader *read;
	} metas[] = {
		[CTL_META_FORMAT] = {"format", read_format},
		[CTL_META_ENGINE] = {"engine", read_engine},
		[CTL_META_OUTBOX] = {"outbox", read_numbers},
		[CTL_META_COMMITTED] = {"committed", read_state},
		[CTL_META_ROT] = {"rot", read_rot},
	};

	if (source->key >= G_N_ELEMENTS(metas))
		return 0; // of a later version
	set_text(json, "what", metas[source->key].name);
	return metas[source->key].read(source, json, value);
}

/* --- the other tables -------------------------------------------------------------------------- */

/* "profiles": [{"id":…, "parts":[…]}, …], "forgotten": [id, …] */
static int read_journal(const struct source *source, json_t *json, struct ctl_store_value *)
{
	struct ctl_unpack in = ctl_unpack_of(source->data, source->len), part;
	json_t *changed = json_array(), *forgotten = json_array();
	int r = 0;

	while (ctl_unpack_has_more(&in) && r == 0) {
		const uint64_t kind = ctl_unpack_part(&in, &part);
		const uint64_t id = kind == CTL_TICK_PROFILE || kind == CTL_TICK_FORGOTTEN
			? ctl_unpack_u64(&part)
			: 0;

		if (kind == CTL_TICK_FORGOTTEN && json != NULL)
			(void)json_array_append_new(forgotten, json_integer((json_int_t)id));
		if (kind == CTL_TICK_PROFILE)
			r = ctl_store_changes_read(id, &part, json == NULL ? NULL : changed);
		if (part.is_bad)
			r = -EBADMSG;
	}
	set(json, "end", ctl_time_json(source->key));
	set(json, "profiles", changed);
	set(json, "forgotten", forgotten);
	return in.is_bad ? -EBADMSG : r;
}

static int read_profile(const struct source *source, json_t *json, struct ctl_store_value *)
{
	return ctl_store_profile_read(source->key, source->data, source->len, source->seal, json);
}

static json_t *text_json(const struct ctl_outbox_text *text)
{
	return json_stringn(text->at, text->len);
}

static int read_entry(const struct source *source, json_t *json, struct ctl_store_value *)
{
	struct ctl_outbox_stored entry;
	json_t *event;
	int r = ctl_outbox_entry_unpack(source->data, source->len, &entry);

	if (r < 0)
		return r;
	if (entry.number != source->key)
		return -EBADMSG;
	event = json_loadb(entry.event.at, entry.event.len, JSON_REJECT_DUPLICATES, NULL);
	if (event == NULL)
		return -EBADMSG;
	if (json != NULL) {
		g_autofree char *id = g_strdup_printf("%llu-%llu", (unsigned long long)entry.id_ms,
			(unsigned long long)entry.id_n);

		set_count(json, "typenumber", entry.typenumber);
		set(json, "entered", ctl_time_json(entry.wall_ns));
		set_text(json, "id", id);
		set(json, "type", text_json(&entry.type));
		set(json, "subject", text_json(&entry.subject));
		set(json, "event", json_incref(event));
	}
	json_decref(event);
	return 0;
}

static int read_name(const struct source *source, json_t *json, struct ctl_store_value *value)
{
	const char *name = source->data;

	if (source->len == 0 || source->len > NAME_MAX_LEN ||
		!g_utf8_validate_len(name, source->len, NULL))
		return -EBADMSG;
	set(json, "name", json_stringn(name, source->len));
	if (value != NULL)
		value->name = g_strndup(name, source->len);
	return 0;
}

/* gaps.h: until when, and why. */
static int read_gap(const struct source *source, json_t *json, struct ctl_store_value *)
{
	struct ctl_unpack in = ctl_unpack_of(source->data, source->len);
	const uint64_t to_ns = ctl_unpack_u64(&in);
	g_autofree char *cause = ctl_unpack_text(&in, NAME_MAX_LEN);

	if (in.is_bad || to_ns < source->key)
		return -EBADMSG;
	set(json, "from", ctl_time_json(source->key));
	set(json, "to", ctl_time_json(to_ns));
	set_text(json, "cause", cause);
	return 0;
}

static const struct {
	const char *what; // one of them
	reader *read;
} tables[CTL_TABLE_COUNT] = {
	[CTL_TABLE_META] = {"a description", read_meta},
	[CTL_TABLE_JOURNAL] = {"what a tick changed", read_journal},
	[CTL_TABLE_PROFILES] = {"a profile", read_profile},
	[CTL_TABLE_OUTBOX] = {"a trigger", read_entry},
	[CTL_TABLE_APPS] = {"a name", read_name},
	[CTL_TABLE_TAGS] = {"a name", read_name},
	[CTL_TABLE_GAPS] = {"a gap", read_gap},
};

static int judge(int r, enum ctl_table table, struct dp_err *reterr)
{
	return r == 0 ? 0 : dp_fail(reterr, EBADMSG, "cannot be read as %s", tables[table].what);
}

int ctl_store_value_read(enum ctl_table table, uint64_t key, const void *value, size_t len,
	struct ctl_store_value *ret_value, struct dp_err *reterr)
{
	const struct source source = {.key = key, .data = value, .len = len};
	struct ctl_store_value found = {0};
	const int r = judge(tables[table].read(&source, NULL, &found), table, reterr);

	if (r == 0)
		*ret_value = found;
	return r;
}

void ctl_store_value_fini(struct ctl_store_value *value)
{
	g_free(value->name);
	if (value->numbers != NULL)
		ctl_outbox_numbers_fini(value->numbers);
	g_free(value->numbers);
	*value = (struct ctl_store_value){0};
}

json_t *ctl_store_value_json(enum ctl_table table, uint64_t key, const void *value, size_t len,
	struct ctl_seal *seal, struct dp_err *reterr)
{
	const struct source source = {.key = key, .data = value, .len = len, .seal = seal};
	json_t *json = json_pack("{ss sI sI}", "table", ctl_table_names[table], "key",
		(json_int_t)key, "bytes", (json_int_t)len);

	if (judge(tables[table].read(&source, json, NULL), table, reterr) == 0)
		return json;
	json_decref(json);
	return NULL;
}
