// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/rot_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t HOUR_NS = 3600ULL * 1000000000;

/* Of the only row. Owned by the caller. */
static json_t *row_of(const struct rot_world *w)
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
	struct rot_world *w = rot_world_begin(&rot_usual);
	uint64_t since;

	rot_world_days(w, 6);
	since = w->hour;
	rot_world_rename(w, "media.fresh-cdn.example");
	rot_world_days(w, 1);
	assert_int_equal(w->n_said, 1);
	assert_in_range(w->said_hour, since + 6, since + 24);
	assert_int_equal(w->since_hour, since);
	rot_world_days(w, 20);
	assert_int_equal(w->n_said, 1);
	assert_int_equal(w->n_over, 0);
	assert_int_equal(ctl_rot_n_current(w->rot), 1);
	rot_world_end(w);
}

static void the_row_has_what_took_over_and_a_draft_of_it(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);
	json_t *row;

	rot_world_days(w, 6);
	rot_world_rename(w, "media.fresh-cdn.example");
	rot_world_days(w, 1);
	row = row_of(w);
	assert_text(row, "app", "films");
	assert_text(row, "state", "current");
	assert_int_equal(
		json_integer_value(json_object_get(row, "before_bytes")), 24 * 20 * ROT_MB);
	assert_first(row, "names", "fresh-cdn.example");
	assert_first(row, "networks", "203.0.113.0/24");
	assert_non_null(strstr(json_string_value(json_object_get(row, "draft")),
		"\n  - name: fresh-cdn\n    category: streaming\n    hosts: [fresh-cdn.example]\n"));
	json_decref(row);
	rot_world_end(w);
}

static void without_names_the_servers_are_said_and_drafted_as_comments(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);
	json_t *row;

	rot_world_days(w, 6);
	rot_world_rename(w, "");
	rot_world_days(w, 1);
	row = row_of(w);
	assert_first(row, "names", "tcp 203.0.113.0/24:443");
	assert_non_null(strstr(json_string_value(json_object_get(row, "draft")),
		"\n  #  nets: [\"203.0.113.0/24\"]\n"));
	json_decref(row);
	rot_world_end(w);
}

/* As an address of the catalogue's: the app is named, but by weak evidence alone. */
static void an_app_that_only_its_addresses_tell_has_rotted(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);

	rot_world_days(w, 6);
	w->films_host = "media.fresh-cdn.example";
	w->films_evidence = DP_EVIDENCE_ADDRESS;
	rot_world_days(w, 1);
	assert_int_equal(w->n_said, 1);
	rot_world_end(w);
}

static void names_that_come_back_end_it(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);
	json_t *row;

	rot_world_days(w, 6);
	rot_world_rename(w, "media.fresh-cdn.example");
	rot_world_days(w, 3);
	w->films_host = "www.films.example";
	w->films_app = FILMS;
	w->films_evidence = DP_EVIDENCE_SNI;
	rot_world_days(w, 2);
	assert_int_equal(w->n_over, 1);
	assert_int_equal(w->over, CTL_ROT_RECOVERED);
	assert_int_equal(ctl_rot_n_current(w->rot), 0);
	row = row_of(w);
	assert_text(row, "state", "recovered");
	json_decref(row);
	rot_world_days(w, 10);
	assert_int_equal(w->n_said, 1);
	rot_world_end(w);
}

static void a_catalogue_that_knows_the_new_names_ends_it(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);

	rot_world_days(w, 6);
	rot_world_rename(w, "media.fresh-cdn.example");
	rot_world_days(w, 1);
	rot_world_take(w, rot_catalogue_of(NULL, NULL));
	assert_int_equal(w->n_over, 0);
	rot_world_take(w, rot_catalogue_of(NULL, "fresh-cdn.example"));
	assert_int_equal(w->n_over, 1);
	assert_int_equal(w->over, CTL_ROT_KNOWN);
	rot_world_end(w);
}

static void an_app_whose_hosts_were_changed_begins_anew(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);

	rot_world_days(w, 6);
	rot_world_take(w, rot_catalogue_of("more.films.example", NULL));
	rot_world_rename(w, "media.fresh-cdn.example"); // no rot: somebody took the name away
	rot_world_days(w, 6);
	assert_int_equal(w->n_said, 0);
	rot_world_end(w);
}

static void a_finding_of_an_app_that_is_changed_is_over(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);

	rot_world_days(w, 6);
	rot_world_rename(w, "media.fresh-cdn.example");
	rot_world_days(w, 1);
	rot_world_take(w, rot_catalogue_of("more.films.example", NULL));
	assert_int_equal(w->over, CTL_ROT_CHANGED);
	assert_int_equal(ctl_rot_n_current(w->rot), 0);
	rot_world_end(w);
}

static void an_app_that_dies_is_not_flagged(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);

	rot_world_days(w, 6);
	w->films_host = NULL;
	rot_world_days(w, 8);
	assert_int_equal(w->n_said, 0);
	rot_world_end(w);
}

static void one_that_dies_beside_a_service_which_is_new_there_is_not_flagged(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);

	rot_world_days(w, 8);
	w->stranger_bytes = 40 * ROT_MB;
	rot_world_days(w, 3);
	w->films_host = NULL;
	rot_world_days(w, 8);
	assert_int_equal(w->n_said, 0);
	rot_world_end(w);
}

static void unknown_that_grows_where_the_app_stays_is_no_rot(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);

	rot_world_days(w, 6);
	w->stranger_bytes = 200 * ROT_MB;
	rot_world_days(w, 8);
	assert_int_equal(w->n_said, 0);
	rot_world_end(w);
}

static void an_app_that_moves_and_keeps_its_names_is_not_flagged(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);

	rot_world_days(w, 6);
	w->films_network = "192.0.2";
	w->stranger_bytes = 20 * ROT_MB;
	rot_world_days(w, 8);
	assert_int_equal(w->n_said, 0);
	rot_world_end(w);
}

static void names_that_change_little_by_little_are_flagged(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);

	rot_world_days(w, 8);
	for (uint64_t day = 1; day <= 5; day++) {
		w->films_bytes = (20 - 4 * day) * ROT_MB;
		w->stranger_bytes = 4 * day * ROT_MB;
		rot_world_days(w, 1);
	}
	rot_world_days(w, 1);
	assert_int_equal(w->n_said, 1);
	rot_world_end(w);
}

static void when_all_traffic_falls_nothing_is_said(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);

	rot_world_days(w, 6);
	w->others_bytes = 100 * ROT_MB;
	w->films_bytes = 4 * ROT_MB;
	w->stranger_bytes = 12 * ROT_MB; // and yet some of it grows
	rot_world_days(w, 1);
	assert_int_equal(w->n_said, 0);
	rot_world_end(w);
}

static void hours_of_a_gap_say_nothing(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);
	struct ctl_gap gap = {.cause = "a test"};

	rot_world_days(w, 6);
	gap.from_ns = w->hour * HOUR_NS;
	gap.to_ns = (w->hour + 30) * HOUR_NS;
	ctl_gaps_add(w->gaps, &gap, NULL);
	rot_world_rename(w, "media.fresh-cdn.example");
	rot_world_days(w, 1);
	assert_int_equal(w->n_said, 0);
	rot_world_days(w, 1);
	assert_int_equal(w->n_said, 0);
	rot_world_days(w, 1); // it goes on behind the gap
	assert_int_equal(w->n_said, 1);
	rot_world_end(w);
}

static void what_is_small_or_of_few_is_not_judged(void **)
{
	struct ctl_rot_options options = rot_usual;
	struct rot_world *w;

	options.floor_bytes = 24 * 20 * ROT_MB + 1;
	w = rot_world_begin(&options);
	rot_world_days(w, 6);
	rot_world_rename(w, "media.fresh-cdn.example");
	rot_world_days(w, 2);
	assert_int_equal(w->n_said, 0);
	rot_world_end(w);
	options = rot_usual;
	options.n_endpoints = 3;
	w = rot_world_begin(&options);
	w->n_endpoints = 2;
	rot_world_days(w, 6);
	rot_world_rename(w, "media.fresh-cdn.example");
	rot_world_days(w, 2);
	assert_int_equal(w->n_said, 0);
	rot_world_end(w);
}

static void until_three_days_are_known_nothing_is_said(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);

	rot_world_days(w, 2);
	rot_world_rename(w, "media.fresh-cdn.example");
	rot_world_days(w, 1);
	assert_int_equal(w->n_said, 0);
	rot_world_end(w);
}

static void turned_off_it_keeps_and_says_nothing(void **)
{
	struct ctl_rot_options options = rot_usual;
	struct rot_world *w;

	options.enabled = false;
	w = rot_world_begin(&options);
	rot_world_days(w, 6);
	rot_world_rename(w, "media.fresh-cdn.example");
	rot_world_days(w, 2);
	assert_int_equal(w->n_said, 0);
	rot_world_end(w);
}

static void the_order_of_flows_in_a_tick_makes_no_difference(void **)
{
	char *texts[2];

	for (int i = 0; i < 2; i++) {
		struct rot_world *w = rot_world_begin(&rot_usual);
		json_t *rows;

		w->is_shuffled = i == 1;
		w->stranger_bytes = 5 * ROT_MB;
		rot_world_days(w, 6);
		rot_world_rename(w, "media.fresh-cdn.example");
		rot_world_days(w, 1);
		rows = ctl_rot_json(w->rot);
		assert_int_equal(json_array_size(rows), 1);
		texts[i] = json_dumps(rows, JSON_COMPACT);
		json_decref(rows);
		rot_world_end(w);
	}
	assert_string_equal(texts[0], texts[1]);
	free(texts[0]);
	free(texts[1]);
}

/* More apps, networks and names than there is room for; the app that matters is found all the same. */
static void a_flood_of_apps_networks_and_names_hides_nothing(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);

	for (int h = 0; h < 24 * 8; h++) {
		g_array_set_size(w->notes, 0);
		for (int i = 0; i < 800; i++) {
			char network[32], host[64];

			(void)snprintf(network, sizeof(network), "198.18.%d", (h * 800 + i) % 256);
			(void)snprintf(host, sizeof(host), "www.n%d.example", h * 800 + i);
			rot_world_add(w, i % 60, i % N_ENDPOINTS, network,
				100 + (uint32_t)(h * 800 + i) % 3000, DP_EVIDENCE_SNI, "", 1000);
			rot_world_add(w, i % 60, i % N_ENDPOINTS, "203.0.113", DP_APP_UNKNOWN,
				DP_EVIDENCE_NONE, host, 1000);
			rot_world_add(w, i % 60, i % N_ENDPOINTS, network, FILMS, DP_EVIDENCE_SNI,
				"", 10);
		}
		for (guint i = 0; i < w->notes->len; i++)
			ctl_rot_note(w->rot, &g_array_index(w->notes, struct dp_record, i));
		if (h == 24 * 6)
			rot_world_rename(w, "media.fresh-cdn.example");
		rot_world_hour(w);
	}
	assert_int_equal(w->n_said, 1);
	rot_world_end(w);
}

static void a_jump_of_weeks_forgets_what_was(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);

	rot_world_days(w, 6);
	w->hour += 24 * 40;
	rot_world_rename(w, "media.fresh-cdn.example");
	rot_world_days(w, 2);
	assert_int_equal(w->n_said, 0);
	rot_world_end(w);
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
