// SPDX-License-Identifier: BSD-3-Clause
#include "tests/lib/store_fixture.h"

#include "control/engine_format.h"
#include "control/outbox_entry.h"
#include "control/profile_image.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)
#define BEGIN_NS (UINT64_C(1772323200) * SECOND_NS) // 2026-03-01T00:00:00Z
static const char type[] = "wirecue.app.watched.v1";

[[gnu::noreturn]] static void give_up(const struct dp_err *err)
{
	(void)fprintf(stderr, "store_fixture: %s\n", err->text);
	exit(1);
}

void store_fixture_open(
	struct store_fixture *fixture, const char *folder, const char *key, uint64_t size_max)
{
	const struct ctl_store_config config = {
		.path = folder,
		.node = "lab",
		.tick_ns = SECOND_NS,
		.size_max = size_max == 0 ? 64 << 20 : size_max,
		.backlog_max = 64,
		.backlog_bytes_max = 64 << 20,
	};
	struct dp_err err;

	*fixture = (struct store_fixture){0};
	if (ctl_store_open(&config, &fixture->store, &err) < 0)
		give_up(&err);
	if (ctl_seal_open_key(key, true, &fixture->seal, &err) < 0)
		give_up(&err);
}

void store_fixture_close(struct store_fixture *fixture)
{
	ctl_store_close(fixture->store);
	ctl_seal_free(fixture->seal);
	*fixture = (struct store_fixture){0};
}

static struct ctl_profile *profile_new(uint64_t id, uint64_t n_bytes)
{
	struct ctl_profile *profile = ctl_profile_new(id);
	g_autofree char *msisdn = g_strdup_printf("+999%08llu", (unsigned long long)id);
	g_autofree char *imsi = g_strdup_printf("00101%010llu", (unsigned long long)id);

	ctl_profile_is_person(profile, NULL, imsi, msisdn);
	profile->sums.n_own = n_bytes;
	for (uint32_t app = 3; app < 6; app++)
		ctl_profile_app(profile, app)->bytes[1] = n_bytes + app;
	return profile;
}

static void put_profile(struct store_fixture *fixture, struct ctl_batch *batch, uint64_t id)
{
	struct ctl_profile *profile = profile_new(id, fixture->serial);
	struct ctl_pack pack = {0};

	ctl_profile_pack_image(profile, ctl_batch_watermark(batch), fixture->seal, &pack);
	ctl_batch_put(batch, CTL_TABLE_PROFILES, id, pack.data, pack.len);
	ctl_pack_fini(&pack);
	ctl_profile_free(profile);
}

static void put_names(struct ctl_batch *batch)
{
	static const char *const apps[] = {"film", "series", "chat"};

	for (size_t i = 0; i < G_N_ELEMENTS(apps); i++)
		ctl_batch_put(batch, CTL_TABLE_APPS, 3 + i, apps[i], strlen(apps[i]));
	ctl_batch_put(batch, CTL_TABLE_TAGS, 1, "plans", 5);
}

static void put_gap(struct ctl_batch *batch)
{
	struct ctl_pack pack = {0};

	ctl_pack_u64(&pack, BEGIN_NS - SECOND_NS);
	ctl_pack_text(&pack, "stopped");
	ctl_batch_put(batch, CTL_TABLE_GAPS, BEGIN_NS - 2 * SECOND_NS, pack.data, pack.len);
	ctl_pack_fini(&pack);
}

static void put_journal(struct store_fixture *fixture, struct ctl_batch *batch, uint64_t id)
{
	struct ctl_profile *profile = profile_new(id, fixture->serial);
	struct ctl_pack pack = {0};
	size_t part = ctl_pack_open(&pack, CTL_TICK_PROFILE);

	ctl_pack_u64(&pack, id);
	ctl_profile_pack_changes(profile, fixture->seal, &pack);
	ctl_pack_close(&pack, part);
	part = ctl_pack_open(&pack, CTL_TICK_FORGOTTEN);
	ctl_pack_u64(&pack, STORE_FIXTURE_PROFILES + fixture->serial);
	ctl_pack_close(&pack, part);
	ctl_batch_put(batch, CTL_TABLE_JOURNAL, ctl_batch_watermark(batch), pack.data, pack.len);
	ctl_pack_fini(&pack);
	ctl_profile_free(profile);
}

static void put_trigger(const struct store_fixture *fixture, struct ctl_batch *batch)
{
	g_autofree char *event = g_strdup_printf("{\"type\":\"%s\",\"data\":{\"tick\":%llu}}", type,
		(unsigned long long)fixture->serial);
	const struct ctl_outbox_stored entry = {
		.number = fixture->serial,
		.typenumber = fixture->serial,
		.wall_ns = ctl_batch_watermark(batch),
		.id_ms = ctl_batch_watermark(batch) / 1000000,
		.type = {type, strlen(type)},
		.subject = {"abcdefghijklmnop", 16},
		.event = {event, strlen(event)},
	};
	struct ctl_pack pack = {0};

	ctl_outbox_entry_pack(&pack, &entry);
	ctl_batch_put(batch, CTL_TABLE_OUTBOX, entry.number, pack.data, pack.len);
	ctl_pack_fini(&pack);
}

/* All but the last two are delivered. */
static void put_numbers(const struct store_fixture *fixture, struct ctl_batch *batch)
{
	const uint64_t last = fixture->serial, acked = last < 2 ? 0 : last - 2;
	const uint64_t gone = acked < STORE_FIXTURE_RETAINED ? 0 : acked - STORE_FIXTURE_RETAINED;
	struct ctl_outbox_numbers numbers;
	struct ctl_pack pack = {0};

	ctl_outbox_numbers_init(&numbers);
	numbers.given.all = (struct ctl_count){.last = last, .acked = acked};
	*ctl_numbering_type(&numbers.given, type) = numbers.given.all;
	numbers.last_ms = ctl_batch_watermark(batch) / 1000000;
	numbers.kept = gone + 1;
	(void)g_strlcpy(numbers.writer, "fixture", sizeof(numbers.writer));
	ctl_outbox_numbers_pack(&pack, &numbers);
	ctl_batch_put(batch, CTL_TABLE_META, CTL_META_OUTBOX, pack.data, pack.len);
	if (gone > 0)
		ctl_batch_cut(batch, CTL_TABLE_OUTBOX, gone);
	ctl_pack_fini(&pack);
	ctl_outbox_numbers_fini(&numbers);
}

static void put_node(const struct store_fixture *fixture, struct ctl_batch *batch)
{
	struct ctl_pack pack = {0};
	size_t part = ctl_pack_open(&pack, CTL_ENGINE_NODE);

	ctl_pack_u64(&pack, ctl_batch_watermark(batch));
	ctl_pack_u64(&pack, BEGIN_NS);
	ctl_pack_u64(&pack, STORE_FIXTURE_PROFILES);
	ctl_pack_u64(&pack, fixture->serial);
	ctl_pack_u64(&pack, 0);
	ctl_pack_f64(&pack, 0);
	ctl_pack_u64(&pack, 0);
	ctl_pack_u64(&pack, 0);
	ctl_pack_close(&pack, part);
	part = ctl_pack_open(&pack, CTL_ENGINE_TRIGGERS);
	ctl_pack_text(&pack, type);
	ctl_pack_u64(&pack, fixture->serial);
	ctl_pack_close(&pack, part);
	ctl_batch_put(batch, CTL_TABLE_META, CTL_META_ENGINE, pack.data, pack.len);
	ctl_pack_fini(&pack);
}

void store_fixture_tick(struct store_fixture *fixture)
{
	const uint64_t serial = ++fixture->serial;
	struct ctl_batch *batch = ctl_batch_new(serial, BEGIN_NS + serial * SECOND_NS);

	if (serial == 1) {
		put_names(batch);
		put_gap(batch);
		for (uint64_t id = 1; id <= STORE_FIXTURE_PROFILES; id++)
			put_profile(fixture, batch, id);
	}
	put_journal(fixture, batch, 1 + serial % STORE_FIXTURE_PROFILES);
	put_trigger(fixture, batch);
	put_numbers(fixture, batch);
	put_node(fixture, batch);
	put_profile(fixture, batch, 1 + serial % STORE_FIXTURE_PROFILES);
	ctl_store_give(fixture->store, batch);
}

void store_fixture_flush(struct store_fixture *fixture)
{
	const struct dp_err err = {.text = "the store does not commit"};

	if (!ctl_store_flush(fixture->store, 10 * SECOND_NS))
		give_up(&err);
}
