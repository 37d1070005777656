// SPDX-License-Identifier: BSD-3-Clause
#include "control/profile_image.h"
#include "control/intern.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Known inputs hold identities that are sealed with it, for profile 7. */
static const char KEY[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
enum { ID = 7, AS_OF_NS = 1000 };

static struct ctl_seal *seal;
static GHashTable *interned;

/* In place of GLib's, which keeps every text for good: of the ids of a configuration those are few,
 * of the inputs of an hour they are all the memory. Emptied after each input. */
const char *g_intern_string(const char *text)
{
	const char *known = g_hash_table_lookup(interned, text);
	char *copy;

	if (known != NULL)
		return known;
	copy = g_strdup(text);
	(void)g_hash_table_add(interned, copy);
	return copy;
}

/* And what remembers texts of GLib's. */
const char *ctl_intern(const char *text)
{
	return g_intern_string(text);
}

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

int LLVMFuzzerInitialize(int *, char ***)
{
	const int fd = memfd_create("key", MFD_CLOEXEC);
	char path[32];

	interned = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	must(fd >= 0 && fchmod(fd, 0600) == 0 &&
		write(fd, KEY, sizeof(KEY) - 1) == sizeof(KEY) - 1);
	must(snprintf(path, sizeof(path), "/proc/self/fd/%d", fd) < (int)sizeof(path));
	must(ctl_seal_open_key(path, false, &seal, NULL) == 0);
	must(close(fd) == 0);
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
	ctl_profile_free(profile);
	ctl_profile_free(again);
	ctl_pack_fini(&image);
	ctl_pack_fini(&second);
	g_hash_table_remove_all(interned);
	return 0;
}
