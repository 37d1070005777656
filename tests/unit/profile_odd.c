// SPDX-License-Identifier: BSD-3-Clause
#include "control/profile_image.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Images that nobody wrote: what makes no sense is refused, what is not known is passed over. */

enum { AS_OF_NS = 1000 };

static struct ctl_seal *seal;

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

/* From a heap block of its size: a read past the end is seen. */
static int unpack(struct ctl_profile *profile, const uint8_t *data, size_t len,
	uint64_t *ret_as_of_ns, struct dp_err *reterr)
{
	uint8_t *copy = g_memdup2(data, len);
	const int r = ctl_profile_unpack(profile, seal, copy, len, ret_as_of_ns, reterr);

	g_free(copy);
	return r;
}

/* A part made of numbers; those behind `text` follow it, -1 ends. */
struct odd {
	enum ctl_part kind;
	const char *text, *second;
	uint64_t numbers[12];
	size_t n_numbers;
	const char *expected; // of the sentence; NULL = good
};

#define N(...) {__VA_ARGS__}, sizeof((uint64_t[]){__VA_ARGS__}) / 8

static const struct odd odds[] = {
	{CTL_PART_APPS, NULL, NULL, N(2, 6, 1, 1, 0, 1, 1), "its apps"}, // one app twice
	{CTL_PART_APPS, NULL, NULL, N(1, (uint64_t)UINT32_MAX << 1, 1, 1), "its apps"},
	{CTL_PART_APPS, NULL, NULL, N(3, 6, 1, 1), "its apps"}, // more than there is room for
	{CTL_PART_APPS, NULL, NULL, N(UINT64_MAX), "its apps"},
	{CTL_PART_APPS, NULL, NULL, N(1, 6, 1, 1, 1), "its apps"}, // a number too many
	{CTL_PART_APPS, NULL, NULL, N(2, 6, 1, 1, 2, 1, 1), NULL},
	{CTL_PART_DAYS, NULL, NULL, N(UINT64_MAX, 0, 1, 5), "its days"},
	{CTL_PART_DAYS, NULL, NULL, N(3, 4, 1, 5), "its days"}, // begins before day 0
	{CTL_PART_DAYS, NULL, NULL, N(20000, 1, 3, 5, 5, 5), "its days"}, // ends behind the newest
	{CTL_PART_DAYS, NULL, NULL, N(20000, 35, 1, 5), "its days"},
	{CTL_PART_DAYS, NULL, NULL, N(20000, 0, 0), "its days"},
	{CTL_PART_DAYS, NULL, NULL, N(20000, 1, 2, 5, 5), NULL},
	{CTL_PART_BUCKET, "x", NULL, N(0), NULL},
	{CTL_PART_BUCKET, "x", NULL, N(0, 1, 1), "its bucket"}, // no rows, but data
	{CTL_PART_BUCKET, "x", NULL, N(14), "its bucket"},
	{CTL_PART_BUCKET, "x", NULL, N(1, 2, 0, 5, 0, 2, 0, 0), NULL},
	{CTL_PART_BUCKET, "x", NULL, N(1, 2, 0, 5, 0, 0, 0, 0), "its bucket"}, // a cycle of 0 ns
	{CTL_PART_BUCKET, "x", NULL, N(1, 2, 4, 5, 0, 2, 0, 0), "its bucket"}, // flag
	{CTL_PART_BUCKET, "", NULL, N(0), "its bucket"},
	{CTL_PART_RUNNING, "x", NULL, N(5, 0, 0), "its running cycle"}, // no such bucket
	{CTL_PART_PERIOD, NULL, NULL, N(4, 2, 1, 0), "its period"}, // ends before it begins
	{CTL_PART_PERIOD, NULL, NULL, N(2, 4, (uint64_t)INT32_MAX + 1, 0), "its period"},
	{CTL_PART_PERIOD, NULL, NULL, N(2, 4, 1, 0), NULL},
	{CTL_PART_FLAGS, NULL, NULL, N(2, 0), "its flags"},
	{CTL_PART_SUMS, NULL, NULL, N(64), "its sums"}, // a sum there is not
	{CTL_PART_COOLDOWNS, NULL, NULL, N(2, 1, 1), "its cooldowns"},
	{CTL_PART_COOLDOWNS, NULL, NULL, N(1, 1, 1), NULL},
	{CTL_PART_BUCKETS, NULL, NULL, N(1), "its list of buckets"},
	{CTL_PART_STATES, NULL, NULL, N(1), "its list of states"},
	{CTL_PART_STATE, "near_cap", "r", N(1), "its state of a rule"},
	{CTL_PART_STATE, "near_cap", "r", N(0), NULL},
	{CTL_PART_STATE, "near_cap", "r", N(0, 0), "its state of a rule"},
	{CTL_PART_STATE, "app_session", "r", N(UINT64_MAX), "its state of a rule"},
	{CTL_PART_STATE, "competitor", "r", N(0, 1, 2, 1, 1, 5, 0, 0, 0), NULL},
	{CTL_PART_STATE, "competitor", "r", N(0, 1, 2, 1, 16, 5, 0, 0, 0), "its state of a rule"},
	{CTL_PART_STATE, "oracle", "r", N(1, 2, 3), NULL}, // a detector that is not ours
	{(enum ctl_part)99, NULL, NULL, N(1, 2, 3), NULL}, // a part of a later version
};

static void pack_odd(const struct odd *odd, struct ctl_pack *pack)
{
	const size_t part = ctl_pack_open(pack, odd->kind);

	if (odd->text != NULL)
		ctl_pack_text(pack, odd->text);
	if (odd->second != NULL)
		ctl_pack_text(pack, odd->second);
	for (size_t i = 0; i < odd->n_numbers; i++)
		ctl_pack_u64(pack, odd->numbers[i]);
	ctl_pack_close(pack, part);
}

static void what_makes_no_sense_is_refused_with_a_sentence(void **)
{
	for (size_t i = 0; i < G_N_ELEMENTS(odds); i++) {
		struct ctl_profile *p = ctl_profile_new(7), *q = ctl_profile_new(7);
		struct ctl_pack pack = {0};
		uint64_t as_of_ns;
		struct dp_err err = {""};
		int r;

		ctl_profile_is_endpoint(p, &(struct dp_addr){0});
		ctl_profile_pack_image(p, AS_OF_NS, seal, &pack);
		pack_odd(&odds[i], &pack);
		r = unpack(q, pack.data, pack.len, &as_of_ns, &err);
		if (r != (odds[i].expected == NULL ? 0 : -EBADMSG))
			fail_msg("odd %zu: %d %s", i, r, err.text);
		if (odds[i].expected != NULL && strstr(err.text, odds[i].expected) == NULL)
			fail_msg("odd %zu: '%s' without '%s'", i, err.text, odds[i].expected);
		ctl_profile_free(p);
		ctl_profile_free(q);
		ctl_pack_fini(&pack);
	}
}

static void without_an_identity_it_is_no_image(void **)
{
	struct ctl_profile *q = ctl_profile_new(7);
	uint64_t as_of_ns;
	struct dp_err err;

	assert_int_equal(unpack(q, NULL, 0, &as_of_ns, &err), -EBADMSG);
	assert_string_equal(err.text, "profile 7: it is nobody's, expected an identity");
	ctl_profile_free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_makes_no_sense_is_refused_with_a_sentence),
		cmocka_unit_test(without_an_identity_it_is_no_image),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
