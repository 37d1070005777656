// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/engine_fixture.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)

static const char HEAD[] = "node: edge1\n"
			   "tick: 1s\n"
			   "zone: Europe/Berlin\n"
			   "apps: apps.yaml\n"
			   "binding: {sources: [static: facts.yaml]}\n"
			   "told: {files: [facts.yaml]}\n"
			   "privacy: {subject: msisdn, key_file: pseudonym.key}\n";
const char *fixture_head;

static const char APPS[] =
	"apps:\n"
	"  - {name: film, category: streaming, hosts: [film.example]}\n"
	"  - {name: series, category: streaming, hosts: [series.example]}\n"
	"  - {name: chat, category: messaging, hosts: [chat.example]}\n"
	"  - {name: tunnel, category: vpn, hosts: [tunnel.example]}\n"
	"  - {name: casino, category: gambling, hosts: [casino.example]}\n"
	"  - {name: own-tv, category: own, hosts: [own.example]}\n"
	"  - name: rival\n"
	"    category: competitor\n"
	"    hosts: [rival.example]\n"
	"    tags: {port_in: [switch.rival.example], plans: [plans.rival.example],\n"
	"           store_locator: [shops.rival.example]}\n"
	"  - {name: other-rival, category: competitor, hosts: [other-rival.example]}\n";

const char FIXTURE_FACTS[] =
	"plans:\n"
	"  - {id: s, cap: 1GB}\n"
	"  - {id: m, cap: 5GB}\n"
	"  - {id: xl, cap: unlimited}\n"
	"subscribers:\n"
	"  - msisdn: \"+99900000001\"\n"
	"    addresses: [10.20.0.11]\n"
	"    zone: Europe/Berlin\n"
	"    plan: {id: s, buckets: [{id: data, cap: 1GB, anchor_day: 1, zone: Europe/Berlin}]}\n"
	"    line: {kind: consumer}\n"
	"    consent: [{purpose: marketing, status: granted, version: 3},\n"
	"              {purpose: retention, status: granted, version: 4}]\n"
	"    segments: [family]\n";

static void mistake(void *, const char *text)
{
	print_error("%s\n", text);
}

static void write_file(const struct fixture *f, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(f->folder, name, NULL);

	assert_true(g_file_set_contents(path, text, -1, NULL));
	assert_int_equal(g_chmod(path, 0600), 0); // a key that others may read is refused
}

/* Returns the path of wirecue.yaml, owned by the caller. */
static char *write_files(const struct fixture *f, const char *rules, const char *facts)
{
	g_autofree char *yaml = g_strconcat(fixture_head == NULL ? HEAD : fixture_head,
		rules == NULL ? "" : "rules:\n", rules == NULL ? "" : rules, NULL);
	g_autofree char *told = g_strconcat(
		facts != NULL && strncmp(facts, "static:", 7) == 0 ? "" : "static: true\n",
		"source: test\n", facts == NULL ? FIXTURE_FACTS : facts, NULL);

	write_file(f, "apps.yaml", APPS);
	write_file(f, "facts.yaml", told);
	write_file(
		f, "pseudonym.key", f->key == NULL ? "0123456789abcdef0123456789abcdef" : f->key);
	write_file(f, "wirecue.yaml", yaml);
	return g_build_filename(f->folder, "wirecue.yaml", NULL);
}

static struct ctl_config *load(const struct fixture *f, const char *rules, const char *facts)
{
	g_autofree char *path = write_files(f, rules, facts);
	struct ctl_config *config = NULL;

	assert_int_equal(ctl_config_load(path, NULL, mistake, NULL, &config), 0);
	return config;
}

/* The outbox adds what depends on delivery; so does this. */
static void write_event(const struct ctl_trigger *trigger, guint i)
{
	const char *path = g_getenv("WIRECUE_EVENTS");
	json_t *event;
	FILE *file;
	char number[32];

	if (path == NULL)
		return;
	(void)g_snprintf(number, sizeof(number), "%020u", i + 1);
	event = json_copy(trigger->event);
	json_object_set_new(event, "sequence", json_string(number));
	json_object_set_new(event, "typesequence", json_string(number));
	json_object_set(event, "recordedtime", json_object_get(event, "time"));
	file = fopen(path, "a");
	assert_non_null(file);
	assert_int_equal(json_dumpf(event, file, JSON_COMPACT), 0);
	assert_int_equal(fputc('\n', file), '\n');
	assert_int_equal(fclose(file), 0);
	json_decref(event);
}

static void sink(void *ctx, struct ctl_trigger *given)
{
	struct fixture *f = ctx;

	write_event(given, f->triggers->len);
	g_ptr_array_add(f->triggers, given);
}

static void trigger_destroy(gpointer trigger)
{
	ctl_trigger_free(trigger);
}

void fixture_open(struct fixture *f, const char *rules, const char *facts)
{
	struct dp_err err;

	*f = (struct fixture){.folder = g_dir_make_tmp("wirecue-engine-XXXXXX", NULL)};
	assert_non_null(f->folder);
	f->triggers = g_ptr_array_new_with_free_func(trigger_destroy);
	f->config = load(f, rules, facts);
	assert_int_equal(ctl_engine_new(f->config, sink, f, &f->engine, &err), 0);
}

void fixture_reload(struct fixture *f, const char *rules, const char *facts)
{
	struct ctl_config *config = load(f, rules, facts);

	ctl_engine_reload(f->engine, config);
	ctl_config_free(f->config);
	f->config = config;
}

void fixture_restart(struct fixture *f)
{
	struct dp_err err;

	ctl_engine_free(f->engine);
	assert_int_equal(ctl_engine_new(f->config, sink, f, &f->engine, &err), 0);
}

void fixture_configure(struct fixture *f, const char *rules, const char *facts)
{
	struct ctl_config *old = f->config;

	f->config = load(f, rules, facts);
	fixture_restart(f);
	ctl_config_free(old);
}

static void keep_mistake(void *ctx, const char *text)
{
	g_string_append(ctx, strrchr(text, '/') + 1);
	g_string_append_c(ctx, '\n');
}

void assert_refused(const struct fixture *f, const char *rules, const char *expected)
{
	g_autofree char *path = write_files(f, rules, NULL);
	GString *mistakes = g_string_new(NULL);
	struct ctl_config *config = NULL;

	assert_int_equal(ctl_config_load(path, NULL, keep_mistake, mistakes, &config), -EINVAL);
	assert_string_equal(mistakes->str, expected);
	g_string_free(mistakes, TRUE);
}

void fixture_close(struct fixture *f)
{
	static const char *const files[] = {
		"apps.yaml", "facts.yaml", "pseudonym.key", "wirecue.yaml"};

	ctl_engine_free(f->engine);
	ctl_config_free(f->config);
	g_ptr_array_unref(f->triggers);
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path = g_build_filename(f->folder, files[i], NULL);

		(void)g_unlink(path);
	}
	(void)g_rmdir(f->folder);
	g_free(f->folder);
}

uint64_t at(const char *text)
{
	g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
	g_autoptr(GDateTime) t = g_date_time_new_from_iso8601(text, utc);

	assert_non_null(t);
	return (uint64_t)g_date_time_to_unix(t) * SECOND_NS +
		(uint64_t)g_date_time_get_microsecond(t) * 1000;
}

static uint32_t app_of(const struct fixture *f, const char *name)
{
	uint32_t app;

	if (strcmp(name, "undecided") == 0)
		return DP_APP_UNDECIDED;
	if (strcmp(name, "unknown") == 0)
		return DP_APP_UNKNOWN;
	app = cls_app_by_name(f->config->catalogue, name);
	assert_int_not_equal(app, DP_APP_UNKNOWN);
	return app;
}

static uint16_t tag_of(const struct fixture *f, const char *name)
{
	uint16_t tag = 0;

	while (strcmp(cls_tag_name(f->config->catalogue, tag), name) != 0) {
		tag++;
		assert_in_range(tag, 1, 100);
	}
	return tag;
}

struct dp_record fixture_record(const struct fixture *f, const struct use *use)
{
	const uint64_t first_ns = at(use->from);
	const uint64_t last_ns = first_ns + use->ms * 1000000;
	struct dp_record r = {
		.tick = last_ns / SECOND_NS,
		.app = app_of(f, use->app),
		.tag = use->tag == NULL ? 0 : tag_of(f, use->tag),
		.kind = use->is_move ? DP_RECORD_MOVE : DP_RECORD_USAGE,
		.evidence = (uint8_t)use->evidence,
		.is_ambiguous = use->is_ambiguous,
		.usage =
			{
				.bytes = {use->up_bytes, use->bytes},
				.packets = {1, 1},
				.first_ns = first_ns,
				.last_ns = last_ns,
				.n_new_flows = use->n_flows,
				.active_ms = use->is_move ? 0 : 100,
			},
	};

	if (use->evidence == DP_EVIDENCE_NONE && r.app >= DP_APP_FIRST)
		r.evidence = DP_EVIDENCE_SNI;
	assert_int_equal(
		dp_addr_parse(use->endpoint == NULL ? "10.20.0.11" : use->endpoint, &r.endpoint),
		0);
	return r;
}

/* The order in which control gives them. */
static int record_cmp(const void *pa, const void *pb)
{
	const struct dp_record *a = pa, *b = pb;
	int r = (a->kind > b->kind) - (a->kind < b->kind);

	if (r == 0)
		r = dp_addr_cmp(&a->endpoint, &b->endpoint);
	if (r == 0)
		r = (a->app > b->app) - (a->app < b->app);
	if (r == 0)
		r = (a->tag > b->tag) - (a->tag < b->tag);
	return r != 0 ? r : (a->evidence > b->evidence) - (a->evidence < b->evidence);
}

void fixture_tick(struct fixture *f, const struct use *uses, size_t n_uses)
{
	g_autofree struct dp_record *records = g_new0(struct dp_record, n_uses + 1);
	uint64_t tick = 0;

	for (size_t i = 0; i < n_uses; i++) {
		records[i] = fixture_record(f, &uses[i]);
		tick = MAX(tick, records[i].tick);
	}
	qsort(records, n_uses, sizeof(records[0]), record_cmp);
	ctl_engine_tick(f->engine, (tick + 1) * SECOND_NS, records, n_uses, f->loss);
}

void fixture_play(struct fixture *f, const struct use *uses, size_t n_uses)
{
	for (size_t i = 0; i < n_uses; i++)
		fixture_tick(f, &uses[i], 1);
}

void fixture_watch(struct fixture *f, const struct use *use, uint64_t seconds)
{
	const uint64_t n_records = seconds / 10;
	struct dp_record r = fixture_record(f, use);

	r.usage.bytes[0] /= n_records;
	r.usage.bytes[1] /= n_records;
	r.usage.n_new_flows = MAX(r.usage.n_new_flows, 1);
	for (uint64_t i = 0; i <= n_records; i++) {
		ctl_engine_tick(f->engine, (r.tick + 1) * SECOND_NS, &r, 1, f->loss);
		r.tick += 10;
		r.usage.first_ns += 10 * SECOND_NS;
		r.usage.last_ns += 10 * SECOND_NS;
		r.usage.n_new_flows = 0;
	}
}

void fixture_advance(struct fixture *f, const char *to)
{
	ctl_engine_advance(f->engine, at(to));
}

char *fixture_events(struct fixture *f, bool forget)
{
	GString *names = g_string_new(NULL);

	for (guint i = 0; i < f->triggers->len; i++) {
		const struct ctl_trigger *t = f->triggers->pdata[i];
		g_auto(GStrv) parts = g_strsplit(t->type, ".", 4);

		g_string_append_printf(names, "%s%s", i == 0 ? "" : " ", parts[2]);
	}
	if (forget)
		g_ptr_array_set_size(f->triggers, 0);
	return g_string_free(names, FALSE);
}

void assert_events(struct fixture *f, const char *expected)
{
	g_autofree char *events = fixture_events(f, true);

	assert_string_equal(events, expected);
}

static void assert_json(json_t *given, const char *expected)
{
	char *text = json_dumps(given, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

void assert_suppressed(const struct fixture *f, const char *expected)
{
	json_t *suppressed = ctl_engine_suppressed_json(f->engine);

	assert_json(suppressed, expected);
	json_decref(suppressed);
}

static json_t *event(const struct fixture *f, size_t i)
{
	assert_in_range(i + 1, 1, f->triggers->len);
	return ((struct ctl_trigger *)f->triggers->pdata[i])->event;
}

void assert_data(const struct fixture *f, size_t i, const char *member, const char *expected)
{
	assert_json(json_object_get(json_object_get(event(f, i), "data"), member), expected);
}

void assert_envelope(const struct fixture *f, size_t i, const char *member, const char *expected)
{
	assert_json(json_object_get(event(f, i), member), expected);
}
