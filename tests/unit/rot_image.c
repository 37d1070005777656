// SPDX-License-Identifier: BSD-3-Clause
#include "control/rot_image.h"

#include "tests/unit/rot_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

static char *shown(const struct rot_world *w)
{
	json_t *rows = ctl_rot_json(w->rot);
	char *text = json_dumps(rows, JSON_COMPACT);

	json_decref(rows);
	return text;
}

static void what_was_learned_outlives_a_restart(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);

	rot_world_days(w, 6);
	rot_world_restart(w);
	rot_world_rename(w, "media.fresh-cdn.example");
	rot_world_days(w, 1);
	assert_int_equal(w->n_said, 1);
	rot_world_end(w);
}

static void a_collapse_that_has_begun_is_found_behind_a_restart(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);

	rot_world_days(w, 6);
	rot_world_rename(w, "media.fresh-cdn.example");
	for (int i = 0; i < 8; i++)
		rot_world_hour(w);
	assert_int_equal(w->n_said, 0);
	rot_world_restart(w);
	rot_world_days(w, 1);
	assert_int_equal(w->n_said, 1);
	rot_world_end(w);
}

static void a_finding_is_what_it_was_and_is_not_said_again(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);
	char *before, *after;

	rot_world_days(w, 6);
	rot_world_rename(w, "media.fresh-cdn.example");
	rot_world_days(w, 1);
	assert_int_equal(w->n_said, 1);
	before = shown(w);
	rot_world_restart(w);
	after = shown(w);
	assert_string_equal(after, before);
	rot_world_days(w, 5);
	assert_int_equal(w->n_said, 1);
	assert_int_equal(ctl_rot_n_current(w->rot), 1);
	rot_world_take(w, rot_catalogue_of(NULL, "fresh-cdn.example"));
	assert_int_equal(w->over, CTL_ROT_KNOWN);
	free(before);
	free(after);
	rot_world_end(w);
}

static void an_image_of_the_image_is_the_same(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual), *next = rot_world_begin(&rot_usual);
	struct ctl_pack first = {0}, second = {0};

	w->stranger_bytes = ROT_MB;
	rot_world_days(w, 6);
	rot_world_rename(w, "media.fresh-cdn.example");
	rot_world_days(w, 1);
	ctl_rot_pack(w->rot, &first);
	assert_int_equal(ctl_rot_unpack(next->rot, first.data, first.len), 0);
	ctl_rot_pack(next->rot, &second);
	assert_int_equal(second.len, first.len);
	ctl_pack_fini(&first);
	ctl_pack_fini(&second);
	rot_world_end(w);
	rot_world_end(next);
}

static void hours_that_are_missing_do_not_count(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);

	rot_world_days(w, 6);
	rot_world_restart(w);
	w->hour += 30;
	rot_world_days(w, 2);
	assert_int_equal(w->n_said, 0);
	rot_world_rename(w, "media.fresh-cdn.example");
	rot_world_days(w, 1);
	assert_int_equal(w->n_said, 1);
	rot_world_end(w);
}

/* A replay that was killed reads its captures again. */
static void what_comes_again_does_not_count_again(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual);
	char *before, *after;

	rot_world_days(w, 6);
	rot_world_rename(w, "media.fresh-cdn.example");
	rot_world_days(w, 1);
	before = shown(w);
	rot_world_restart(w);
	w->hour -= 10;
	for (int i = 0; i < 10; i++)
		rot_world_hour(w);
	after = shown(w);
	assert_string_equal(after, before);
	free(before);
	free(after);
	rot_world_end(w);
}

static void an_app_that_another_catalogue_has_changed_meanwhile_begins_anew(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual), *next = rot_world_begin(&rot_usual);
	struct ctl_pack pack = {0};

	rot_world_days(w, 6);
	rot_world_rename(w, "media.fresh-cdn.example");
	rot_world_days(w, 1);
	ctl_rot_pack(w->rot, &pack);
	rot_world_take(next, rot_catalogue_of("more.films.example", NULL));
	assert_int_equal(ctl_rot_unpack(next->rot, pack.data, pack.len), 0);
	assert_int_equal(ctl_rot_n_current(next->rot), 0);
	assert_int_equal(next->over, CTL_ROT_CHANGED);
	ctl_pack_fini(&pack);
	rot_world_end(next);
	rot_world_end(w);
}

/* Each cut, from a block of its own; and each byte other than it was, which is refused or is an image. */
static void what_is_cut_is_refused_and_what_is_damaged_harms_nobody(void **)
{
	struct rot_world *w = rot_world_begin(&rot_usual), *next = rot_world_begin(&rot_usual);
	struct ctl_pack pack = {0};

	w->stranger_bytes = ROT_MB;
	rot_world_days(w, 4);
	rot_world_rename(w, "media.fresh-cdn.example");
	rot_world_days(w, 1);
	ctl_rot_pack(w->rot, &pack);
	for (size_t len = 0; len < pack.len; len++) {
		uint8_t *cut = g_memdup2(pack.data, len);

		assert_int_equal(ctl_rot_unpack(next->rot, cut, len), -EBADMSG);
		assert_int_equal(ctl_rot_n_current(next->rot), 0);
		g_free(cut);
	}
	rot_world_end(next);
	for (size_t i = 0; i < pack.len; i += 3) {
		next = rot_world_begin(&rot_usual);
		next->is_deaf = true;
		pack.data[i] ^= 0x55;
		(void)ctl_rot_unpack(next->rot, pack.data, pack.len);
		rot_world_hour(next);
		pack.data[i] ^= 0x55;
		rot_world_end(next);
	}
	ctl_pack_fini(&pack);
	rot_world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_learned_outlives_a_restart),
		cmocka_unit_test(a_collapse_that_has_begun_is_found_behind_a_restart),
		cmocka_unit_test(a_finding_is_what_it_was_and_is_not_said_again),
		cmocka_unit_test(an_image_of_the_image_is_the_same),
		cmocka_unit_test(hours_that_are_missing_do_not_count),
		cmocka_unit_test(what_comes_again_does_not_count_again),
		cmocka_unit_test(an_app_that_another_catalogue_has_changed_meanwhile_begins_anew),
		cmocka_unit_test(what_is_cut_is_refused_and_what_is_damaged_harms_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
