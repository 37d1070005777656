// SPDX-License-Identifier: BSD-3-Clause
#include "control/profile_image.h"
#include "control/detector.h"
#include "control/profile_sleep.h"
#include "tests/fuzz/sealed.h"

#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ID = 7, AS_OF_NS = 1000 };

int LLVMFuzzerInitialize(int *, char ***)
{
	sealed_init();
	return 0;
}

static struct ctl_profile *new_profile(void)
{
	struct ctl_profile *profile = ctl_profile_new(ID);

	ctl_profile_is_endpoint(profile, &(struct dp_addr){0});
	return profile;
}

/* Part by part, but for what is sealed: no nonce comes twice. */
static void must_equal(const struct ctl_pack *a, const struct ctl_pack *b)
{
	struct ctl_unpack in_a = ctl_unpack_of(a->data, a->len), part_a;
	struct ctl_unpack in_b = ctl_unpack_of(b->data, b->len), part_b;

	while (ctl_unpack_has_more(&in_a)) {
		const uint64_t kind = ctl_unpack_part(&in_a, &part_a);
		const size_t len = (size_t)(part_a.end - part_a.at);

		must(ctl_unpack_part(&in_b, &part_b) == kind && !in_b.is_bad);
		must((size_t)(part_b.end - part_b.at) == len);
		must(kind == CTL_PART_WHO || len == 0 || memcmp(part_a.at, part_b.at, len) == 0);
	}
	must(!in_a.is_bad && !ctl_unpack_has_more(&in_b));
}

/* An image that sleeps is when it is woken what reading it at once makes of it: a profile, the same,
 * or none. */
static void must_wake_as_read(const uint8_t *data, size_t size)
{
	const char *const rules[] = {g_intern_string("n"), g_intern_string("s")};
	const struct ctl_detector *const detectors[] = {&ctl_det_near_cap, &ctl_det_app_session};
	struct ctl_profile *sleeper = ctl_profile_new(ID), *read = ctl_profile_new(ID);
	struct ctl_pack a = {0}, b = {0};
	uint64_t as_of_ns = 0, as_of_asleep_ns = 0;

	if (ctl_profile_read_asleep(sleeper, seal, data, size, rules, detectors,
		    G_N_ELEMENTS(rules), &as_of_asleep_ns)) {
		const bool is_good = ctl_profile_unpack(read, seal, data, size, &as_of_ns, NULL) ==
			0;

		must(sleeper->marks == 0);
		must((ctl_profile_wake(sleeper, NULL) == 0) == is_good);
		if (is_good) {
			must(as_of_ns == as_of_asleep_ns && sleeper->marks == 0);
			must(g_strcmp0(sleeper->subject, read->subject) == 0);
			ctl_profile_pack_image(sleeper, AS_OF_NS, seal, &a);
			ctl_profile_pack_image(read, AS_OF_NS, seal, &b);
			must_equal(&a, &b);
		}
	}
	ctl_profile_free(sleeper);
	ctl_profile_free(read);
	ctl_pack_fini(&a);
	ctl_pack_fini(&b);
}

/* Any bytes over a profile: when they are read, the profile can be written and read again, and is
 * the same; and nothing of it counts as changed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_profile *profile = new_profile();
	struct ctl_profile *again = ctl_profile_new(ID);
	struct ctl_pack image = {0}, second = {0};
	uint64_t as_of_ns = 0;

	if (ctl_profile_unpack(profile, seal, data, size, &as_of_ns, NULL) == 0) {
		ctl_profile_pack_image(profile, AS_OF_NS, seal, &image);
		must(ctl_profile_unpack(again, seal, image.data, image.len, &as_of_ns, NULL) == 0);
		must(as_of_ns == AS_OF_NS);
		ctl_profile_pack_image(again, AS_OF_NS, seal, &second);
		must_equal(&image, &second);
		ctl_pack_clear(&second);
		ctl_profile_pack_changes(again, seal, &second);
		must(second.len == 0);
	}
	must_wake_as_read(data, size);
	ctl_profile_free(profile);
	ctl_profile_free(again);
	ctl_pack_fini(&image);
	ctl_pack_fini(&second);
	sealed_forget();
	return 0;
}
