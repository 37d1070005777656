// SPDX-License-Identifier: BSD-3-Clause
#include "control/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define OTHER_KEY "100102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static char *folder;

static int setup(void **)
{
	folder = g_dir_make_tmp("wirecue-seal-XXXXXX", NULL);
	return folder == NULL ? -1 : 0;
}

static char *path_of(const char *name)
{
	return g_build_filename(folder, name, NULL);
}

static int teardown(void **)
{
	const char *name;
	GDir *dir = g_dir_open(folder, 0, NULL);

	while ((name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *path = path_of(name);

		(void)g_unlink(path);
	}
	g_dir_close(dir);
	(void)g_rmdir(folder);
	g_free(folder);
	return 0;
}

/* Owned path of a file with the text. */
static char *file_with(const char *name, const char *text, int mode)
{
	char *path = path_of(name);

	assert_true(g_file_set_contents(path, text, -1, NULL));
	assert_int_equal(g_chmod(path, mode), 0);
	return path;
}

static struct ctl_seal *seal_of(const char *key)
{
	g_autofree char *path = file_with("given.key", key, 0600);
	struct ctl_seal *seal = NULL;
	struct dp_err err;

	assert_int_equal(ctl_seal_open_key(path, false, &seal, &err), 0);
	return seal;
}

static const char PLAIN[] = "msisdn:+99900000001";
enum { PLAIN_LEN = sizeof(PLAIN) - 1, SEALED_LEN = PLAIN_LEN + CTL_SEAL_OVERHEAD };

static void what_is_sealed_is_opened_again(void **)
{
	struct ctl_seal *seal = seal_of(KEY "\n");
	uint8_t sealed[SEALED_LEN];
	char plain[PLAIN_LEN];

	ctl_seal_put(seal, 7, PLAIN, PLAIN_LEN, sealed);
	assert_null(memmem(sealed, sizeof(sealed), "999000", 6));
	assert_int_equal(ctl_seal_get(seal, 7, sealed, sizeof(sealed), plain), PLAIN_LEN);
	assert_memory_equal(plain, PLAIN, PLAIN_LEN);
	ctl_seal_free(seal);
}

static void an_empty_text_has_only_the_overhead(void **)
{
	struct ctl_seal *seal = seal_of(KEY);
	uint8_t sealed[CTL_SEAL_OVERHEAD];
	char plain[1];

	ctl_seal_put(seal, 7, "", 0, sealed);
	assert_int_equal(ctl_seal_get(seal, 7, sealed, sizeof(sealed), plain), 0);
	assert_int_equal(ctl_seal_get(seal, 8, sealed, sizeof(sealed), plain), -EBADMSG);
	ctl_seal_free(seal);
}

static void it_opens_for_its_own_profile_only(void **)
{
	struct ctl_seal *seal = seal_of(KEY);
	uint8_t sealed[SEALED_LEN];
	char plain[PLAIN_LEN];

	ctl_seal_put(seal, 7, PLAIN, PLAIN_LEN, sealed);
	assert_int_equal(ctl_seal_get(seal, 8, sealed, sizeof(sealed), plain), -EBADMSG);
	ctl_seal_free(seal);
}

static void another_key_does_not_open_it_and_learns_nothing(void **)
{
	static const char nothing[PLAIN_LEN];
	struct ctl_seal *seal = seal_of(KEY);
	struct ctl_seal *other = seal_of(OTHER_KEY);
	uint8_t sealed[SEALED_LEN];
	char plain[PLAIN_LEN];

	ctl_seal_put(seal, 7, PLAIN, PLAIN_LEN, sealed);
	assert_int_equal(ctl_seal_get(other, 7, sealed, sizeof(sealed), plain), -EBADMSG);
	assert_memory_equal(plain, nothing, PLAIN_LEN);
	ctl_seal_free(seal);
	ctl_seal_free(other);
}

static void no_truncation_opens(void **)
{
	struct ctl_seal *seal = seal_of(KEY);
	uint8_t sealed[SEALED_LEN];
	char plain[PLAIN_LEN];

	ctl_seal_put(seal, 7, PLAIN, PLAIN_LEN, sealed);
	for (size_t len = 0; len < sizeof(sealed); len++) {
		uint8_t *copy = g_memdup2(sealed, len); // exact: a read past the end is seen

		assert_int_equal(ctl_seal_get(seal, 7, copy, len, plain), -EBADMSG);
		g_free(copy);
	}
	ctl_seal_free(seal);
}

static void no_flipped_bit_opens(void **)
{
	struct ctl_seal *seal = seal_of(KEY);
	uint8_t sealed[SEALED_LEN];
	char plain[PLAIN_LEN];

	ctl_seal_put(seal, 7, PLAIN, PLAIN_LEN, sealed);
	for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(ctl_seal_get(seal, 7, sealed, sizeof(sealed), plain), -EBADMSG);
		sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	assert_int_equal(ctl_seal_get(seal, 7, sealed, sizeof(sealed), plain), PLAIN_LEN);
	ctl_seal_free(seal);
}

static void no_nonce_comes_twice(void **)
{
	enum { N = 1000 };
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct ctl_seal *seal = seal_of(KEY);
	struct ctl_seal *clone = ctl_seal_clone(seal);
	uint8_t sealed[SEALED_LEN];

	for (int i = 0; i < N; i++) {
		char *nonce = g_malloc0(25);

		ctl_seal_put(i % 2 == 0 ? seal : clone, 7, PLAIN, PLAIN_LEN, sealed);
		for (int b = 0; b < 12; b++)
			(void)g_snprintf(nonce + 2 * b, 3, "%02x", sealed[b]);
		assert_true(g_hash_table_add(seen, nonce));
	}
	ctl_seal_free(seal);
	ctl_seal_free(clone);
}

static gpointer seal_many(gpointer data)
{
	struct ctl_seal *seal = data;
	uint8_t sealed[SEALED_LEN];
	char plain[PLAIN_LEN];
	uintptr_t n_good = 0;

	for (uint64_t id = 0; id < 2000; id++) {
		ctl_seal_put(seal, id, PLAIN, PLAIN_LEN, sealed);
		n_good += ctl_seal_get(seal, id, sealed, sizeof(sealed), plain) == PLAIN_LEN;
	}
	return (gpointer)n_good;
}

static void clones_work_on_threads_of_their_own(void **)
{
	struct ctl_seal *seal = seal_of(KEY);
	struct ctl_seal *clones[2] = {ctl_seal_clone(seal), ctl_seal_clone(seal)};
	GThread *threads[2];
	uint8_t sealed[SEALED_LEN];
	char plain[PLAIN_LEN];

	ctl_seal_put(seal, 7, PLAIN, PLAIN_LEN, sealed);
	ctl_seal_free(seal); // a clone has its own key
	assert_int_equal(ctl_seal_get(clones[0], 7, sealed, sizeof(sealed), plain), PLAIN_LEN);
	for (size_t i = 0; i < 2; i++)
		threads[i] = g_thread_new("seal", seal_many, clones[i]);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal((uintptr_t)g_thread_join(threads[i]), 2000);
		ctl_seal_free(clones[i]);
	}
}

static void a_missing_key_is_made_for_its_owner_only_and_kept(void **)
{
	g_autofree char *path = path_of("made.key");
	g_autofree char *text = NULL;
	struct ctl_seal *first = NULL, *second = NULL;
	uint8_t sealed[SEALED_LEN];
	char plain[PLAIN_LEN];
	struct dp_err err;
	struct stat st;
	const mode_t mask = umask(0);
	size_t len;

	assert_int_equal(ctl_seal_open_key(path, true, &first, &err), 0);
	(void)umask(mask);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 1);
	assert_true(g_file_get_contents(path, &text, &len, NULL));
	assert_int_equal(len, 2 * CTL_SEAL_KEY_LEN + 1);
	assert_int_equal(strspn(text, "0123456789abcdef"), 2 * CTL_SEAL_KEY_LEN);
	assert_int_equal(text[len - 1], '\n');

	assert_int_equal(ctl_seal_open_key(path, true, &second, &err), 0);
	ctl_seal_put(first, 7, PLAIN, PLAIN_LEN, sealed);
	assert_int_equal(ctl_seal_get(second, 7, sealed, sizeof(sealed), plain), PLAIN_LEN);
	ctl_seal_free(first);
	ctl_seal_free(second);
}

static void a_missing_key_is_not_made_unasked(void **)
{
	g_autofree char *path = path_of("missing.key");
	g_autofree char *deep = path_of("no-folder/made.key");
	struct ctl_seal *seal = NULL;
	struct dp_err err;

	assert_int_equal(ctl_seal_open_key(path, false, &seal, &err), -ENOENT);
	assert_non_null(strstr(err.text, "missing.key"));
	assert_int_equal(ctl_seal_open_key(deep, true, &seal, &err), -ENOENT);
	assert_non_null(strstr(err.text, "cannot make the key file"));
	assert_null(seal);
}

static void what_is_no_key_is_refused_and_not_replaced(void **)
{
	static const char *const texts[] = {"", "\n", KEY "0", KEY "00", KEY "\n\n", "0x" KEY,
		"g" KEY, "-" KEY,
		"z00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1 "};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *path = file_with("bad.key", texts[i], 0600);
		g_autofree char *after = NULL;
		struct ctl_seal *seal = NULL;
		struct dp_err err;

		assert_int_equal(ctl_seal_open_key(path, true, &seal, &err), -EINVAL);
		assert_non_null(strstr(err.text, "expected a key of 64 hexadecimal digits"));
		assert_null(strstr(err.text, "0102"));
		assert_true(g_file_get_contents(path, &after, NULL, NULL));
		assert_string_equal(after, texts[i]);
	}
}

static void a_key_that_others_may_read_is_refused(void **)
{
	static const int modes[] = {0644, 0604, 0660, 0602, 0777};

	for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
		g_autofree char *path = file_with("lax.key", KEY, modes[i]);
		struct ctl_seal *seal = NULL;
		struct dp_err err;

		assert_int_equal(ctl_seal_open_key(path, true, &seal, &err), -EACCES);
		assert_non_null(strstr(err.text, "expected a private file"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sealed_is_opened_again),
		cmocka_unit_test(an_empty_text_has_only_the_overhead),
		cmocka_unit_test(it_opens_for_its_own_profile_only),
		cmocka_unit_test(another_key_does_not_open_it_and_learns_nothing),
		cmocka_unit_test(no_truncation_opens),
		cmocka_unit_test(no_flipped_bit_opens),
		cmocka_unit_test(no_nonce_comes_twice),
		cmocka_unit_test(clones_work_on_threads_of_their_own),
		cmocka_unit_test(a_missing_key_is_made_for_its_owner_only_and_kept),
		cmocka_unit_test(a_missing_key_is_not_made_unasked),
		cmocka_unit_test(what_is_no_key_is_refused_and_not_replaced),
		cmocka_unit_test(a_key_that_others_may_read_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
