// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/rot_rig.h"

#include "control/rot_image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>

static const uint64_t HOUR_NS = 3600ULL * 1000000000;
static const uint64_t TICK_NS = 1000000000;
static const uint64_t BEGIN = 1772409600ULL / 3600; // 2026-03-02T00:00:00Z, in hours

struct cls_catalogue *rot_catalogue_of(const char *host, const char *more)
{
	static const char *const tags[] = {""};
	const struct cls_host_def films[] = {{"films.example", 0}, {host, 0}};
	const struct cls_host_def games[] = {{"games.example", 0}};
	const struct cls_host_def fresh[] = {{more, 0}};
	const struct cls_app_def apps[] = {
		{.id = FILMS,
			.name = "films",
			.category = "streaming",
			.hosts = films,
			.n_hosts = host != NULL ? 2 : 1},
		{.id = GAMES, .name = "games", .category = "games", .hosts = games, .n_hosts = 1},
		{.id = 12, .name = "fresh", .category = "streaming", .hosts = fresh, .n_hosts = 1},
	};
	struct cls_catalogue *c;
	struct dp_err err;

	assert_int_equal(cls_catalogue_new(apps, more != NULL ? 3 : 2, tags, 1, &c, &err), 0);
	return c;
}

static void note_said(void *ctx, const struct ctl_rot_finding *f)
{
	struct rot_world *w = ctx;

	if (w->is_deaf)
		return;
	assert_string_equal(f->app, "films");
	if (f->over != CTL_ROT_CURRENT) {
		w->n_over++;
		w->over = f->over;
		return;
	}
	w->n_said++;
	w->said_hour = w->hour;
	w->since_hour = f->since_ns / HOUR_NS;
}

const struct ctl_rot_options rot_usual = {
	.enabled = true, .share = 30, .taken = 50, .floor_bytes = 100 * 1000000, .n_endpoints = 10};

static struct ctl_rot *alarm_of(struct rot_world *w, const struct ctl_rot_options *options)
{
	struct ctl_domains *domains;
	struct ctl_rot *rot;

	assert_int_equal(ctl_domains_open(&domains, NULL), 0);
	rot = ctl_rot_new(options, TICK_NS, domains, w->gaps, note_said, w);
	ctl_rot_catalogue(rot, w->catalogue);
	return rot;
}

struct rot_world *rot_world_begin(const struct ctl_rot_options *options)
{
	struct rot_world *w = g_new0(struct rot_world, 1);

	w->gaps = ctl_gaps_new();
	w->catalogue = rot_catalogue_of(NULL, NULL);
	w->rot = alarm_of(w, options);
	w->notes = g_array_new(FALSE, FALSE, sizeof(struct dp_record));
	w->hour = BEGIN;
	w->films_app = FILMS;
	w->films_evidence = DP_EVIDENCE_SNI;
	w->films_host = "www.films.example";
	w->films_network = "203.0.113";
	w->films_bytes = 20 * ROT_MB;
	w->others_bytes = 500 * ROT_MB;
	w->n_endpoints = N_ENDPOINTS;
	return w;
}

void rot_world_end(struct rot_world *w)
{
	ctl_rot_free(w->rot);
	ctl_gaps_free(w->gaps);
	cls_catalogue_free(w->catalogue);
	g_array_unref(w->notes);
	g_free(w);
}

static struct dp_addr addr(const char *text)
{
	struct dp_addr a;

	assert_int_equal(dp_addr_parse(text, &a), 0);
	return a;
}

/* A flow of the hour's minute. */
void rot_world_add(struct rot_world *w, int minute, int endpoint, const char *network, uint32_t app,
	uint8_t evidence, const char *host, uint64_t bytes)
{
	char from[32], to[32];
	const uint64_t at_ns = w->hour * HOUR_NS + (uint64_t)minute * 60 * 1000000000;
	struct dp_record r = {.kind = DP_RECORD_NOTE, .app = app, .evidence = evidence};

	(void)snprintf(from, sizeof(from), "10.0.0.%d", endpoint + 1);
	(void)snprintf(to, sizeof(to), "%s.%d", network, 1 + minute % SERVERS);
	r.endpoint = addr(from);
	r.tick = (at_ns + 90000000000) / TICK_NS; // it is over a while after its last packet
	r.note = (struct dp_note){.src = r.endpoint,
		.dst = addr(to),
		.sport = (uint16_t)(50000 + minute),
		.dport = 443,
		.l4_proto = IPPROTO_TCP,
		.why = DP_NOTE_END,
		.packets = {1, 1},
		.bytes = {bytes / 10, bytes - bytes / 10},
		.first_ns = at_ns,
		.last_ns = at_ns + 1000,
		.ndpi_master = 91};
	(void)g_strlcpy(r.note.host, host, sizeof(r.note.host));
	g_array_append_val(w->notes, r);
}

void rot_world_hour(struct rot_world *w)
{
	const guint n_of_each = 20;

	g_array_set_size(w->notes, 0);
	for (guint i = 0; i < n_of_each; i++) {
		const int endpoint = (int)((w->hour + i) % (uint64_t)w->n_endpoints);

		if (w->films_host != NULL)
			rot_world_add(w, (int)i, endpoint, w->films_network, w->films_app,
				w->films_evidence, w->films_host, w->films_bytes / n_of_each);
		if (w->stranger_bytes > 0)
			rot_world_add(w, (int)i, endpoint, "203.0.113", DP_APP_UNKNOWN,
				DP_EVIDENCE_NONE, "play.stranger.example",
				w->stranger_bytes / n_of_each);
		if (w->others_bytes > 0)
			rot_world_add(w, (int)i, endpoint, "198.51.100", GAMES, DP_EVIDENCE_SNI,
				"www.games.example", w->others_bytes / n_of_each);
	}
	for (guint i = 0; i < w->notes->len; i++) // SHUFFLE and the length have no factor in common
		ctl_rot_note(w->rot,
			&g_array_index(w->notes, struct dp_record,
				w->is_shuffled ? i * SHUFFLE % w->notes->len : i));
	w->hour++;
	ctl_rot_tick(w->rot, (w->hour - 1) * HOUR_NS + HOUR_NS / 2);
	ctl_rot_tick(w->rot, w->hour * HOUR_NS);
}

void rot_world_days(struct rot_world *w, int n)
{
	for (int i = 0; i < 24 * n; i++)
		rot_world_hour(w);
}

void rot_world_rename(struct rot_world *w, const char *host)
{
	w->films_host = host;
	w->films_app = DP_APP_UNKNOWN;
	w->films_evidence = DP_EVIDENCE_NONE;
}

/* The new one takes the world's place. */
void rot_world_take(struct rot_world *w, struct cls_catalogue *catalogue)
{
	ctl_rot_catalogue(w->rot, catalogue);
	cls_catalogue_free(w->catalogue);
	w->catalogue = catalogue;
}

void rot_world_restart(struct rot_world *w)
{
	struct ctl_pack pack = {0};

	ctl_rot_pack(w->rot, &pack);
	ctl_rot_free(w->rot);
	w->rot = alarm_of(w, &rot_usual);
	assert_int_equal(ctl_rot_unpack(w->rot, pack.data, pack.len), 0);
	ctl_pack_fini(&pack);
}
