// SPDX-License-Identifier: BSD-3-Clause
#include "control/profile_image.h"

#include "control/cap_said.h"
#include "control/detector.h"
#include "control/image_fields.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BEGIN_NS (UINT64_C(1735689600) * CTL_SECOND_NS) // 2025-01-01T00:00:00Z
#define AS_OF_NS (BEGIN_NS + 400 * CTL_DAY_NS + 7)
#define MONTH_NS (31 * CTL_DAY_NS)
#define MB UINT64_C(1000000)

static struct ctl_seal *seal;
static struct cls_catalogue *const no_catalogue; // no app has to be resolved

static int setup(void **)
{
	g_autofree char *folder = g_dir_make_tmp("wirecue-seal-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "seal.key", NULL);
	const int r = ctl_seal_open_key(path, true, &seal, NULL);

	return r < 0 || g_unlink(path) < 0 || g_rmdir(folder) < 0 ? -1 : 0;
}

static int teardown(void **)
{
	ctl_seal_free(seal);
	return 0;
}

static struct ctl_bucket told_bucket = {
	.id = (char[]){"data"}, .cap_bytes = 1000 * MB, .anchor_day = 1};
static struct ctl_person told_person = {
	.id = 1,
	.msisdn = (char[]){"+99900000001"},
	.imsi = (char[]){"001010000000001"},
	.buckets = &told_bucket,
	.n_buckets = 1,
};

/* One session under way, as app_session saves it. */
static void pack_session(struct ctl_pack *pack)
{
	struct ctl_sums since = {.n_seen = UINT64_C(900) << 40,
		.n_unbound = UINT64_C(3) << 30,
		.n_own = 30000 * MB,
		.n_unclassified = 900 * MB};
	struct ctl_evidence evidence = {0};

	evidence.bytes[DP_EVIDENCE_SNI] = 400 * MB;
	ctl_pack_u64(pack, 1);
	ctl_pack_u64(pack, 12);
	ctl_pack_u64(pack, true);
	ctl_pack_span(pack, AS_OF_NS - 1801234567890, AS_OF_NS - 123456789);
	ctl_pack_u64(pack, 400 * MB);
	ctl_pack_u64(pack, 1200000);
	ctl_pack_u64(pack, AS_OF_NS / CTL_SECOND_NS);
	ctl_pack_u64(pack, 900);
	ctl_pack_u64(pack, 14);
	ctl_pack_evidence(pack, &evidence);
	ctl_pack_sums(pack, &since);
}

static void add_session(struct ctl_profile *profile)
{
	void *state = ctl_profile_state(profile, &ctl_det_app_session, g_intern_string("films"));
	struct ctl_pack pack = {0};
	struct ctl_unpack in;

	pack_session(&pack);
	in = ctl_unpack_of(pack.data, pack.len);
	assert_true(ctl_det_app_session.load(state, &in));
	ctl_pack_fini(&pack);
}

static void assert_session(const struct ctl_profile *profile)
{
	const void *state = ctl_profile_state_find(
		profile, &ctl_det_app_session, g_intern_string("films"));
	struct ctl_pack given = {0}, expected = {0};

	pack_session(&expected);
	ctl_det_app_session.save(state, &given);
	assert_int_equal(given.len, expected.len);
	assert_memory_equal(given.data, expected.data, expected.len);
	ctl_pack_fini(&given);
	ctl_pack_fini(&expected);
}

static void add_use(struct ctl_profile *profile, uint32_t app, uint64_t n_bytes)
{
	struct ctl_app_use *use = ctl_profile_app(profile, app);

	use->bytes[0] += n_bytes / 20;
	use->bytes[1] += n_bytes;
	use->period_bytes[0] += n_bytes / 60;
	use->period_bytes[1] += n_bytes / 3;
	profile->sums.n_own += n_bytes / 20 + n_bytes;
	(void)ctl_profile_touch(profile, CTL_MARK_SUMS);
}

static void add_cycles(struct ctl_profile *profile)
{
	struct ctl_bucket_use *b = &profile->buckets[0];

	for (uint64_t i = 0; i < CTL_CYCLES_MAX; i++) {
		assert_true(ctl_bucket_roll(b, BEGIN_NS + i * MONTH_NS, BEGIN_NS));
		ctl_bucket_charge(b, ctl_bucket_running(b), BEGIN_NS + i * MONTH_NS,
			(int64_t)((700 + i * 20) * MB + i));
	}
	b->evidence.bytes[DP_EVIDENCE_SNI] = 600 * MB;
	b->evidence.bytes[DP_EVIDENCE_QUIC] = 200 * MB;
	b->since = (struct ctl_sums){UINT64_C(800) << 40, UINT64_C(2) << 30, 0, 20000 * MB};
	profile->period = b->cycle;
	profile->period_no = CTL_CYCLES_MAX;
	profile->since = b->since;
}

/* A subscriber of a year: 20 apps, a bucket with 13 cycles, 35 days, a session under way, what was
 * said about the cap. */
static struct ctl_profile *typical(void)
{
	struct ctl_profile *profile = ctl_profile_new(1234567);
	struct ctl_cap_said *said;

	ctl_profile_tell(profile, &told_person, no_catalogue);
	add_cycles(profile);
	for (uint32_t app = 0; app < 20; app++)
		add_use(profile, app * 17 % 101, (100 + app * app * 7) * MB + app);
	profile->sums.n_unclassified = 900 * MB;
	for (int32_t day = 0; day < CTL_DAYS_MAX; day++)
		ctl_profile_add_day(profile, (int32_t)(AS_OF_NS / CTL_DAY_NS) - day,
			(30 + (uint64_t)day) * MB + 12345);
	add_session(profile);
	said = ctl_cap_said_of(
		ctl_profile_state(profile, &ctl_det_near_cap, g_intern_string("cap")),
		profile->buckets[0].id);
	*said = (struct ctl_cap_said){.bucket = said->bucket,
		.cycle_start_ns = profile->buckets[0].cycle.start_ns,
		.reached_ns = AS_OF_NS - 5 * CTL_DAY_NS,
		.step = 90,
		.is_nudged = true};
	ctl_profile_cool(profile, UINT64_C(0xfedcba9876543210), AS_OF_NS - CTL_DAY_NS);
	return profile;
}

/* From a heap block of its size: a read past the end is seen. */
static int unpack(struct ctl_profile *profile, const uint8_t *data, size_t len,
	uint64_t *ret_as_of_ns, struct dp_err *reterr)
{
	uint8_t *copy = g_memdup2(data, len);
	const int r = ctl_profile_unpack(profile, seal, copy, len, ret_as_of_ns, reterr);

	g_free(copy);
	return r;
}

static struct ctl_profile *image_and_back(const struct ctl_profile *profile)
{
	struct ctl_profile *again = ctl_profile_new(profile->id);
	struct ctl_pack image = {0};
	uint64_t as_of_ns = 0;
	struct dp_err err;

	ctl_profile_pack_image(profile, AS_OF_NS, seal, &image);
	assert_int_equal(unpack(again, image.data, image.len, &as_of_ns, &err), 0);
	assert_int_equal(as_of_ns, AS_OF_NS);
	assert_int_equal(again->marks, 0);
	ctl_pack_fini(&image);
	return again;
}

static void assert_same_use(const struct ctl_profile *a, const struct ctl_profile *b, uint32_t app)
{
	const struct ctl_app_use *x = ctl_profile_app_find(a, app);
	const struct ctl_app_use *y = ctl_profile_app_find(b, app);

	assert_non_null(x);
	assert_non_null(y);
	assert_memory_equal(x->bytes, y->bytes, sizeof(x->bytes));
	assert_memory_equal(x->period_bytes, y->period_bytes, sizeof(x->period_bytes));
	assert_int_equal(ctl_profile_period_bytes(a, x), ctl_profile_period_bytes(b, y));
}

static void an_image_is_the_whole_profile(void **)
{
	struct ctl_profile *p = typical();
	struct ctl_profile *q = image_and_back(p);
	const struct ctl_cap_said *said;

	assert_int_equal(q->who, CTL_WHO_PERSON);
	assert_null(q->identity->account);
	assert_string_equal(q->identity->imsi, told_person.imsi);
	assert_string_equal(q->identity->msisdn, told_person.msisdn);
	assert_memory_equal(&q->sums, &p->sums, sizeof(p->sums));
	assert_memory_equal(&q->since, &p->since, sizeof(p->since));
	assert_memory_equal(&q->period, &p->period, sizeof(p->period));
	assert_int_equal(q->period_no, p->period_no);
	assert_int_equal(q->n_apps, 20);
	for (uint32_t app = 0; app < 20; app++)
		assert_same_use(p, q, app * 17 % 101);
	for (int32_t day = p->last_day - 40; day <= p->last_day + 1; day++)
		assert_int_equal(ctl_profile_day(q, day), ctl_profile_day(p, day));
	assert_int_equal(q->n_buckets, 1);
	assert_ptr_equal(q->buckets[0].id, p->buckets[0].id);
	assert_null(q->buckets[0].told);
	assert_int_equal(q->n_states, 2);
	assert_session(q);
	said = ctl_cap_said_find(
		ctl_profile_state_find(q, &ctl_det_near_cap, g_intern_string("cap")),
		g_intern_string("data"));
	assert_true(said->step == 90 && said->is_nudged && !said->is_judged);
	assert_int_equal(said->reached_ns, AS_OF_NS - 5 * CTL_DAY_NS);
	assert_int_equal(
		ctl_profile_cooldown(q, UINT64_C(0xfedcba9876543210)), AS_OF_NS - CTL_DAY_NS);
	ctl_profile_free(p);
	ctl_profile_free(q);
}

static void a_bucket_that_was_read_goes_on_when_it_is_told(void **)
{
	struct ctl_profile *p = typical();
	struct ctl_profile *q = image_and_back(p);
	const struct ctl_bucket_use *a = &p->buckets[0], *b;

	ctl_profile_tell(q, &told_person, no_catalogue);
	assert_int_equal(q->marks, 0); // nothing that was not known
	b = &q->buckets[0];
	assert_ptr_equal(b->told, &told_bucket);
	assert_memory_equal(&b->cycle, &a->cycle, sizeof(a->cycle));
	assert_memory_equal(&b->since, &a->since, sizeof(a->since));
	assert_memory_equal(&b->evidence, &a->evidence, sizeof(a->evidence));
	assert_int_equal(b->n_rows, CTL_CYCLES_MAX);
	for (uint32_t i = 0; i < b->n_rows; i++) {
		assert_int_equal(b->rows[i].start_ns, a->rows[i].start_ns);
		assert_int_equal(b->rows[i].bytes, a->rows[i].bytes);
		assert_int_equal(b->rows[i].cap_bytes, a->rows[i].cap_bytes);
		assert_int_equal(b->rows[i].day_reached, a->rows[i].day_reached);
		assert_int_equal(b->rows[i].is_partial, a->rows[i].is_partial);
	}
	assert_false(ctl_bucket_roll(&q->buckets[0], b->cycle.end_ns - 1, BEGIN_NS));
	assert_true(ctl_bucket_roll(&q->buckets[0], b->cycle.end_ns, BEGIN_NS));
	ctl_profile_free(p);
	ctl_profile_free(q);
}

static void another_cap_is_a_change_of_the_bucket(void **)
{
	struct ctl_bucket larger = told_bucket;
	struct ctl_person person = told_person;
	struct ctl_profile *p = typical(), *q = image_and_back(p);
	struct ctl_pack changes = {0};
	uint64_t as_of_ns;
	struct dp_err err;

	larger.cap_bytes = 5000 * MB;
	person.buckets = &larger;
	ctl_profile_pack_changes(p, seal, &changes);
	ctl_pack_clear(&changes);
	ctl_profile_tell(p, &person, no_catalogue);
	assert_int_equal(p->marks, CTL_MARK_BUCKET);
	ctl_profile_pack_changes(p, seal, &changes);
	assert_int_equal(unpack(q, changes.data, changes.len, &as_of_ns, &err), 0);
	assert_int_equal(as_of_ns, 0);
	assert_int_equal(ctl_bucket_running(&q->buckets[0])->cap_bytes, 5000 * MB);
	ctl_profile_free(p);
	ctl_profile_free(q);
	ctl_pack_fini(&changes);
}

static void an_endpoint_comes_back(void **)
{
	struct ctl_profile *p = ctl_profile_new(7), *q;
	struct dp_addr endpoint;

	assert_int_equal(dp_addr_parse("2001:db8:1:2::", &endpoint), 0);
	ctl_profile_is_endpoint(p, &endpoint);
	q = image_and_back(p);
	assert_int_equal(q->who, CTL_WHO_ENDPOINT);
	assert_null(q->identity);
	assert_int_equal(dp_addr_cmp(&q->endpoint, &endpoint), 0);
	ctl_profile_free(p);
	ctl_profile_free(q);
}

static void a_profile_outlives_its_facts(void **)
{
	struct ctl_profile *p = typical(), *q;
	struct ctl_pack changes = {0};

	ctl_profile_pack_changes(p, seal, &changes);
	ctl_profile_untell(p, AS_OF_NS);
	assert_int_equal(p->marks, CTL_MARK_FLAGS);
	q = image_and_back(p);
	assert_int_equal(q->untold_since_ns, AS_OF_NS);
	assert_string_equal(q->identity->msisdn, "+99900000001");
	ctl_profile_tell(q, &told_person, no_catalogue);
	assert_int_equal(q->untold_since_ns, 0);
	assert_int_equal(q->marks, CTL_MARK_FLAGS);
	assert_int_equal(q->buckets[0].n_rows, CTL_CYCLES_MAX);
	ctl_profile_free(p);
	ctl_profile_free(q);
	ctl_pack_fini(&changes);
}

static void bytes_of_a_period_that_is_over_are_not_kept(void **)
{
	struct ctl_profile *p = typical(), *q;

	p->period_no++;
	add_use(p, 500, 3 * MB);
	q = image_and_back(p);
	assert_int_equal(ctl_profile_app_find(q, 17)->period_bytes[1], 0);
	assert_int_equal(
		ctl_profile_app_find(q, 17)->bytes[1], ctl_profile_app_find(p, 17)->bytes[1]);
	assert_same_use(p, q, 500);
	ctl_profile_free(p);
	ctl_profile_free(q);
}

static void what_is_kept_is_small(void **)
{
	struct ctl_profile *p = typical();
	struct ctl_pack pack = {0};

	ctl_profile_pack_image(p, AS_OF_NS, seal, &pack);
	print_message("image %zu bytes\n", pack.len);
	assert_in_range(pack.len, 1, 1000);
	ctl_pack_clear(&pack);
	ctl_profile_pack_changes(p, seal, &pack); // of a new profile: all of it
	ctl_pack_clear(&pack);
	for (uint32_t app = 0; app < 3; app++)
		add_use(p, app * 17 % 101, 2 * MB);
	ctl_profile_add_day(p, p->last_day, 6 * MB);
	ctl_bucket_charge(&p->buckets[0], ctl_bucket_running(&p->buckets[0]), AS_OF_NS, 7 * MB);
	(void)ctl_profile_touch(p, CTL_MARK_BUCKET);
	(void)ctl_profile_state(p, &ctl_det_app_session, g_intern_string("films"));
	ctl_profile_pack_changes(p, seal, &pack);
	print_message("changes %zu bytes\n", pack.len);
	assert_in_range(pack.len, 1, 250);
	ctl_pack_clear(&pack);
	ctl_profile_pack_changes(p, seal, &pack);
	assert_int_equal(pack.len, 0); // nothing since
	ctl_profile_free(p);
	ctl_pack_fini(&pack);
}

/* Only where a part ends, and only behind who it is of, is a truncated image one. */
static void every_truncation_is_refused_or_whole_parts(void **)
{
	struct ctl_profile *p = typical();
	struct ctl_pack image = {0};
	struct ctl_unpack in, part;
	size_t n_good = 0, n_parts = 0;

	ctl_profile_pack_image(p, AS_OF_NS, seal, &image);
	for (size_t len = 0; len < image.len; len++) {
		struct ctl_profile *q = ctl_profile_new(p->id);
		uint64_t as_of_ns;
		struct dp_err err = {""};
		const int r = unpack(q, image.data, len, &as_of_ns, &err);

		assert_true(r == 0 || r == -EBADMSG);
		assert_true(r == 0 || strstr(err.text, "expected") != NULL);
		n_good += r == 0;
		ctl_profile_free(q);
	}
	for (in = ctl_unpack_of(image.data, image.len); ctl_unpack_has_more(&in); n_parts++)
		(void)ctl_unpack_part(&in, &part);
	assert_int_equal(n_good, n_parts - 2); // the head alone and all are not among them
	ctl_profile_free(p);
	ctl_pack_fini(&image);
}

static void an_image_opens_for_its_own_profile_only(void **)
{
	struct ctl_profile *p = typical();
	struct ctl_profile *q = ctl_profile_new(p->id + 1);
	struct ctl_pack image = {0};
	uint64_t as_of_ns;
	struct dp_err err;

	ctl_profile_pack_image(p, AS_OF_NS, seal, &image);
	assert_int_equal(unpack(q, image.data, image.len, &as_of_ns, &err), -EBADMSG);
	assert_string_equal(err.text,
		"profile 1234568: its identity cannot be opened, expected the key it was sealed "
		"with and an unaltered store");
	assert_null(memmem(image.data, image.len, "0000000", 7)); // no number in the clear
	ctl_profile_free(p);
	ctl_profile_free(q);
	ctl_pack_fini(&image);
}

static void numbers_can_be_read_without_the_key(void **)
{
	struct ctl_profile *p = ctl_profile_new(7), *q = ctl_profile_new(7);
	struct ctl_pack pack = {0};
	uint64_t as_of_ns;

	ctl_profile_is_person(p, NULL, "001010000000001", NULL);
	add_use(p, 12, 5 * MB);
	ctl_profile_pack_image(p, AS_OF_NS, seal, &pack);
	assert_int_equal(ctl_profile_unpack(q, NULL, pack.data, pack.len, &as_of_ns, NULL), 0);
	assert_int_equal(as_of_ns, AS_OF_NS);
	assert_int_equal(q->sums.n_own, p->sums.n_own);
	assert_same_use(p, q, 12);
	assert_int_equal(q->who, CTL_WHO_NOBODY);
	assert_null(q->identity);
	ctl_profile_free(p);
	ctl_profile_free(q);
	ctl_pack_fini(&pack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_is_the_whole_profile),
		cmocka_unit_test(a_bucket_that_was_read_goes_on_when_it_is_told),
		cmocka_unit_test(another_cap_is_a_change_of_the_bucket),
		cmocka_unit_test(an_endpoint_comes_back),
		cmocka_unit_test(a_profile_outlives_its_facts),
		cmocka_unit_test(bytes_of_a_period_that_is_over_are_not_kept),
		cmocka_unit_test(what_is_kept_is_small),
		cmocka_unit_test(every_truncation_is_refused_or_whole_parts),
		cmocka_unit_test(an_image_opens_for_its_own_profile_only),
		cmocka_unit_test(numbers_can_be_read_without_the_key),
	};

	told_bucket.tz = g_time_zone_new_utc();
	return cmocka_run_group_tests(tests, setup, teardown);
}
