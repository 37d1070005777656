// SPDX-License-Identifier: BSD-3-Clause
#include "control/rot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>

enum { FILMS = 10, GAMES = 11, N_ENDPOINTS = 20, SERVERS = 8, SHUFFLE = 7919 };
static const uint64_t HOUR_NS = 3600ULL * 1000000000;
static const uint64_t TICK_NS = 1000000000;
static const uint64_t BEGIN = 1772409600ULL / 3600; // 2026-03-02T00:00:00Z, in hours
static const uint64_t MB = 1000000;

/* A world that goes on hour by hour: what it had last, whoever asks. */
struct world {
	struct ctl_rot *rot;
	struct ctl_gaps *gaps;
	struct cls_catalogue *catalogue;
	uint64_t hour;
	bool is_shuffled;
	GArray *notes; // struct dp_record, of this hour
	// What happens in an hour:
	const char *films_host; // "" none, NULL: no flows
	uint32_t films_app;
	uint8_t films_evidence;
	const char *films_network; // "203.0.113"
	uint64_t films_bytes, others_bytes, stranger_bytes;
	int n_endpoints;
	// What was said:
	int n_said, n_over;
	uint8_t over;
	uint64_t said_hour, since_hour;
};

static struct cls_catalogue *catalogue_of(const char *host, const char *more)
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
	struct world *w = ctx;

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

static const struct ctl_rot_options usual = {
	.enabled = true, .share = 30, .taken = 50, .floor_bytes = 100 * 1000000, .n_endpoints = 10};

static struct world *begin(const struct ctl_rot_options *options)
{
	struct world *w = g_new0(struct world, 1);
	struct ctl_domains *domains;

	assert_int_equal(ctl_domains_open(&domains, NULL), 0);
	w->gaps = ctl_gaps_new();
	w->catalogue = catalogue_of(NULL, NULL);
	w->rot = ctl_rot_new(options, TICK_NS, domains, w->gaps, note_said, w);
	ctl_rot_catalogue(w->rot, w->catalogue);
	w->notes = g_array_new(FALSE, FALSE, sizeof(struct dp_record));
	w->hour = BEGIN;
	w->films_app = FILMS;
	w->films_evidence = DP_EVIDENCE_SNI;
	w->films_host = "www.films.example";
	w->films_network = "203.0.113";
	w->films_bytes = 20 * MB;
	w->others_bytes = 500 * MB;
	w->n_endpoints = N_ENDPOINTS;
	return w;
}

static void end(struct world *w)
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
static void add(struct world *w, int minute, int endpoint, const char *network, uint32_t app,
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

static void hour(struct world *w)
{
	const guint n_of_each = 20;

	g_array_set_size(w->notes, 0);
	for (guint i = 0; i < n_of_each; i++) {
		const int endpoint = (int)((w->hour + i) % (uint64_t)w->n_endpoints);

		if (w->films_host != NULL)
			add(w, (int)i, endpoint, w->films_network, w->films_app, w->films_evidence,
				w->films_host, w->films_bytes / n_of_each);
		if (w->stranger_bytes > 0)
			add(w, (int)i, endpoint, "203.0.113", DP_APP_UNKNOWN, DP_EVIDENCE_NONE,
				"play.stranger.example", w->stranger_bytes / n_of_each);
		if (w->others_bytes > 0)
			add(w, (int)i, endpoint, "198.51.100", GAMES, DP_EVIDENCE_SNI,
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

static void days(struct world *w, int n)
{
	for (int i = 0; i < 24 * n; i++)
		hour(w);
}

static void rename_to(struct world *w, const char *host)
{
	w->films_host = host;
	w->films_app = DP_APP_UNKNOWN;
	w->films_evidence = DP_EVIDENCE_NONE;
}

/* Of the only row. Owned by the caller. */
static json_t *row_of(const struct world *w)
{
	json_t *rows = ctl_rot_json(w->rot), *row;

	assert_int_equal(json_array_size(rows), 1);
	row = json_incref(json_array_get(rows, 0));
	json_decref(rows);
	return row;
}

static void assert_text(const json_t *row, const char *key, const char *want)
{
	assert_string_equal(json_string_value(json_object_get(row, key)), want);
}

static void assert_first(const json_t *row, const char *key, const char *want)
{
	assert_string_equal(json_string_value(json_array_get(json_object_get(row, key), 0)), want);
}

static void names_that_change_are_said_once_within_a_day(void **)
{
	struct world *w = begin(&usual);
	uint64_t since;

	days(w, 6);
	since = w->hour;
	rename_to(w, "media.fresh-cdn.example");
	days(w, 1);
	assert_int_equal(w->n_said, 1);
	assert_in_range(w->said_hour, since + 6, since + 24);
	assert_int_equal(w->since_hour, since);
	days(w, 20);
	assert_int_equal(w->n_said, 1);
	assert_int_equal(w->n_over, 0);
	assert_int_equal(ctl_rot_n_current(w->rot), 1);
	end(w);
}

static void the_row_has_what_took_over_and_a_draft_of_it(void **)
{
	struct world *w = begin(&usual);
	json_t *row;

	days(w, 6);
	rename_to(w, "media.fresh-cdn.example");
	days(w, 1);
	row = row_of(w);
	assert_text(row, "app", "films");
	assert_text(row, "state", "current");
	assert_int_equal(json_integer_value(json_object_get(row, "before_bytes")), 24 * 20 * MB);
	assert_first(row, "names", "fresh-cdn.example");
	assert_first(row, "networks", "203.0.113.0/24");
	assert_non_null(strstr(json_string_value(json_object_get(row, "draft")),
		"\n  - name: fresh-cdn\n    category: streaming\n    hosts: [fresh-cdn.example]\n"));
	json_decref(row);
	end(w);
}

static void without_names_the_servers_are_said_and_drafted_as_comments(void **)
{
	struct world *w = begin(&usual);
	json_t *row;

	days(w, 6);
	rename_to(w, "");
	days(w, 1);
	row = row_of(w);
	assert_first(row, "names", "tcp 203.0.113.0/24:443");
	assert_non_null(strstr(json_string_value(json_object_get(row, "draft")),
		"\n  #  nets: [\"203.0.113.0/24\"]\n"));
	json_decref(row);
	end(w);
}

/* As an address of the catalogue's: the app is named, but by weak evidence alone. */
static void an_app_that_only_its_addresses_tell_has_rotted(void **)
{
	struct world *w = begin(&usual);

	days(w, 6);
	w->films_host = "media.fresh-cdn.example";
	w->films_evidence = DP_EVIDENCE_ADDRESS;
	days(w, 1);
	assert_int_equal(w->n_said, 1);
	end(w);
}

static void names_that_come_back_end_it(void **)
{
	struct world *w = begin(&usual);
	json_t *row;

	days(w, 6);
	rename_to(w, "media.fresh-cdn.example");
	days(w, 3);
	w->films_host = "www.films.example";
	w->films_app = FILMS;
	w->films_evidence = DP_EVIDENCE_SNI;
	days(w, 2);
	assert_int_equal(w->n_over, 1);
	assert_int_equal(w->over, CTL_ROT_RECOVERED);
	assert_int_equal(ctl_rot_n_current(w->rot), 0);
	row = row_of(w);
	assert_text(row, "state", "recovered");
	json_decref(row);
	days(w, 10);
	assert_int_equal(w->n_said, 1);
	end(w);
}

/* The new one takes the world's place. */
static void take(struct world *w, struct cls_catalogue *catalogue)
{
	ctl_rot_catalogue(w->rot, catalogue);
	cls_catalogue_free(w->catalogue);
	w->catalogue = catalogue;
}

static void a_catalogue_that_knows_the_new_names_ends_it(void **)
{
	struct world *w = begin(&usual);

	days(w, 6);
	rename_to(w, "media.fresh-cdn.example");
	days(w, 1);
	take(w, catalogue_of(NULL, NULL));
	assert_int_equal(w->n_over, 0);
	take(w, catalogue_of(NULL, "fresh-cdn.example"));
	assert_int_equal(w->n_over, 1);
	assert_int_equal(w->over, CTL_ROT_KNOWN);
	end(w);
}

static void an_app_whose_hosts_were_changed_begins_anew(void **)
{
	struct world *w = begin(&usual);

	days(w, 6);
	take(w, catalogue_of("more.films.example", NULL));
	rename_to(w, "media.fresh-cdn.example"); // no rot: somebody took the name away
	days(w, 6);
	assert_int_equal(w->n_said, 0);
	end(w);
}

static void a_finding_of_an_app_that_is_changed_is_over(void **)
{
	struct world *w = begin(&usual);

	days(w, 6);
	rename_to(w, "media.fresh-cdn.example");
	days(w, 1);
	take(w, catalogue_of("more.films.example", NULL));
	assert_int_equal(w->over, CTL_ROT_CHANGED);
	assert_int_equal(ctl_rot_n_current(w->rot), 0);
	end(w);
}

static void an_app_that_dies_is_not_flagged(void **)
{
	struct world *w = begin(&usual);

	days(w, 6);
	w->films_host = NULL;
	days(w, 8);
	assert_int_equal(w->n_said, 0);
	end(w);
}

static void one_that_dies_beside_a_service_which_is_new_there_is_not_flagged(void **)
{
	struct world *w = begin(&usual);

	days(w, 8);
	w->stranger_bytes = 40 * MB;
	days(w, 3);
	w->films_host = NULL;
	days(w, 8);
	assert_int_equal(w->n_said, 0);
	end(w);
}

static void unknown_that_grows_where_the_app_stays_is_no_rot(void **)
{
	struct world *w = begin(&usual);

	days(w, 6);
	w->stranger_bytes = 200 * MB;
	days(w, 8);
	assert_int_equal(w->n_said, 0);
	end(w);
}

static void an_app_that_moves_and_keeps_its_names_is_not_flagged(void **)
{
	struct world *w = begin(&usual);

	days(w, 6);
	w->films_network = "192.0.2";
	w->stranger_bytes = 20 * MB;
	days(w, 8);
	assert_int_equal(w->n_said, 0);
	end(w);
}

static void names_that_change_little_by_little_are_flagged(void **)
{
	struct world *w = begin(&usual);

	days(w, 8);
	for (uint64_t day = 1; day <= 5; day++) {
		w->films_bytes = (20 - 4 * day) * MB;
		w->stranger_bytes = 4 * day * MB;
		days(w, 1);
	}
	days(w, 1);
	assert_int_equal(w->n_said, 1);
	end(w);
}

static void when_all_traffic_falls_nothing_is_said(void **)
{
	struct world *w = begin(&usual);

	days(w, 6);
	w->others_bytes = 100 * MB;
	w->films_bytes = 4 * MB;
	w->stranger_bytes = 12 * MB; // and yet some of it grows
	days(w, 1);
	assert_int_equal(w->n_said, 0);
	end(w);
}

static void hours_of_a_gap_say_nothing(void **)
{
	struct world *w = begin(&usual);
	struct ctl_gap gap = {.cause = "a test"};

	days(w, 6);
	gap.from_ns = w->hour * HOUR_NS;
	gap.to_ns = (w->hour + 30) * HOUR_NS;
	ctl_gaps_add(w->gaps, &gap, NULL);
	rename_to(w, "media.fresh-cdn.example");
	days(w, 1);
	assert_int_equal(w->n_said, 0);
	days(w, 1);
	assert_int_equal(w->n_said, 0);
	days(w, 1); // it goes on behind the gap
	assert_int_equal(w->n_said, 1);
	end(w);
}

static void what_is_small_or_of_few_is_not_judged(void **)
{
	struct ctl_rot_options options = usual;
	struct world *w;

	options.floor_bytes = 24 * 20 * MB + 1;
	w = begin(&options);
	days(w, 6);
	rename_to(w, "media.fresh-cdn.example");
	days(w, 2);
	assert_int_equal(w->n_said, 0);
	end(w);
	options = usual;
	options.n_endpoints = 3;
	w = begin(&options);
	w->n_endpoints = 2;
	days(w, 6);
	rename_to(w, "media.fresh-cdn.example");
	days(w, 2);
	assert_int_equal(w->n_said, 0);
	end(w);
}

static void until_three_days_are_known_nothing_is_said(void **)
{
	struct world *w = begin(&usual);

	days(w, 2);
	rename_to(w, "media.fresh-cdn.example");
	days(w, 1);
	assert_int_equal(w->n_said, 0);
	end(w);
}

static void turned_off_it_keeps_and_says_nothing(void **)
{
	struct ctl_rot_options options = usual;
	struct world *w;

	options.enabled = false;
	w = begin(&options);
	days(w, 6);
	rename_to(w, "media.fresh-cdn.example");
	days(w, 2);
	assert_int_equal(w->n_said, 0);
	end(w);
}

static void the_order_of_flows_in_a_tick_makes_no_difference(void **)
{
	char *texts[2];

	for (int i = 0; i < 2; i++) {
		struct world *w = begin(&usual);
		json_t *rows;

		w->is_shuffled = i == 1;
		w->stranger_bytes = 5 * MB;
		days(w, 6);
		rename_to(w, "media.fresh-cdn.example");
		days(w, 1);
		rows = ctl_rot_json(w->rot);
		assert_int_equal(json_array_size(rows), 1);
		texts[i] = json_dumps(rows, JSON_COMPACT);
		json_decref(rows);
		end(w);
	}
	assert_string_equal(texts[0], texts[1]);
	free(texts[0]);
	free(texts[1]);
}

/* More apps, networks and names than there is room for; the app that matters is found all the same. */
static void a_flood_of_apps_networks_and_names_hides_nothing(void **)
{
	struct world *w = begin(&usual);

	for (int h = 0; h < 24 * 8; h++) {
		g_array_set_size(w->notes, 0);
		for (int i = 0; i < 800; i++) {
			char network[32], host[64];

			(void)snprintf(network, sizeof(network), "198.18.%d", (h * 800 + i) % 256);
			(void)snprintf(host, sizeof(host), "www.n%d.example", h * 800 + i);
			add(w, i % 60, i % N_ENDPOINTS, network,
				100 + (uint32_t)(h * 800 + i) % 3000, DP_EVIDENCE_SNI, "", 1000);
			add(w, i % 60, i % N_ENDPOINTS, "203.0.113", DP_APP_UNKNOWN,
				DP_EVIDENCE_NONE, host, 1000);
			add(w, i % 60, i % N_ENDPOINTS, network, FILMS, DP_EVIDENCE_SNI, "", 10);
		}
		for (guint i = 0; i < w->notes->len; i++)
			ctl_rot_note(w->rot, &g_array_index(w->notes, struct dp_record, i));
		if (h == 24 * 6)
			rename_to(w, "media.fresh-cdn.example");
		hour(w);
	}
	assert_int_equal(w->n_said, 1);
	end(w);
}

static void a_jump_of_weeks_forgets_what_was(void **)
{
	struct world *w = begin(&usual);

	days(w, 6);
	w->hour += 24 * 40;
	rename_to(w, "media.fresh-cdn.example");
	days(w, 2);
	assert_int_equal(w->n_said, 0);
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_change_are_said_once_within_a_day),
		cmocka_unit_test(the_row_has_what_took_over_and_a_draft_of_it),
		cmocka_unit_test(without_names_the_servers_are_said_and_drafted_as_comments),
		cmocka_unit_test(an_app_that_only_its_addresses_tell_has_rotted),
		cmocka_unit_test(names_that_come_back_end_it),
		cmocka_unit_test(a_catalogue_that_knows_the_new_names_ends_it),
		cmocka_unit_test(an_app_whose_hosts_were_changed_begins_anew),
		cmocka_unit_test(a_finding_of_an_app_that_is_changed_is_over),
		cmocka_unit_test(an_app_that_dies_is_not_flagged),
		cmocka_unit_test(one_that_dies_beside_a_service_which_is_new_there_is_not_flagged),
		cmocka_unit_test(unknown_that_grows_where_the_app_stays_is_no_rot),
		cmocka_unit_test(an_app_that_moves_and_keeps_its_names_is_not_flagged),
		cmocka_unit_test(names_that_change_little_by_little_are_flagged),
		cmocka_unit_test(when_all_traffic_falls_nothing_is_said),
		cmocka_unit_test(hours_of_a_gap_say_nothing),
		cmocka_unit_test(what_is_small_or_of_few_is_not_judged),
		cmocka_unit_test(until_three_days_are_known_nothing_is_said),
		cmocka_unit_test(turned_off_it_keeps_and_says_nothing),
		cmocka_unit_test(the_order_of_flows_in_a_tick_makes_no_difference),
		cmocka_unit_test(a_flood_of_apps_networks_and_names_hides_nothing),
		cmocka_unit_test(a_jump_of_weeks_forgets_what_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
