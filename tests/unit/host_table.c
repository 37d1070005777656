// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/host_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

/* Hosts and names by chance, the same in every run, beside a search that looks at every rule. Hosts are of few labels, so
 * that most lie in each other; some are as long and as deep as hosts can be. */

enum { N_SEEDS = 60, N_HOSTS = 300, N_NAMES = 600, NAME_MAX = 600 };

struct hosts {
	char text[N_HOSTS][CLS_HOST_MAX + 1];
	size_t n;
};

static uint64_t state;

static uint32_t chance(uint32_t n)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((state >> 33) % n);
}

/* Any byte of a name but a dot and, as hosts are C strings, NUL; upper case at times. */
static char any_byte(void)
{
	static const char odd[] = "\x80\xff\xc3\xe1\x01 _-@[`{*";
	const uint32_t kind = chance(8);

	if (kind == 0)
		return odd[chance(sizeof(odd) - 1)];
	return (char)((kind < 3 ? 'A' : 'a') + chance(26));
}

static size_t put_label(char *buf)
{
	static const char *const few[] = {"a", "b", "ab", "example", "com", "12345678", "1234567",
		"123456789", "X", "eXample"};
	size_t len = 0;

	if (chance(4) != 0)
		return (size_t)sprintf(buf, "%s", few[chance(10)]);
	for (uint32_t n = 1 + chance(chance(8) == 0 ? 63 : 12); n > 0; n--)
		buf[len++] = any_byte();
	return len;
}

/* Labels in front of what is there, while they fit. */
static size_t put_labels(char *buf, size_t len, uint32_t n_labels, size_t room)
{
	char label[80];

	for (; n_labels > 0; n_labels--) {
		size_t n = put_label(label);

		if (len > 0)
			label[n++] = '.';
		if (len + n > room)
			break;
		memmove(buf + n, buf, len);
		memcpy(buf, label, n);
		len += n;
	}
	return len;
}

/* Of one byte each: 127 labels have 253. */
static size_t put_deep(char *buf, uint32_t n_labels)
{
	for (uint32_t i = 0; i < n_labels; i++) {
		buf[2 * i] = (char)('a' + chance(2));
		buf[2 * i + 1] = '.';
	}
	return 2 * (size_t)n_labels - 1;
}

static size_t put_host(char *buf)
{
	switch (chance(12)) {
	case 0:
		return put_deep(buf, 1 + chance(CLS_HOST_LABELS_MAX));
	case 1:
		return put_labels(buf, 0, CLS_HOST_LABELS_MAX, CLS_HOST_MAX);
	case 2: // to the last byte
		memset(buf, 'a' + (int)chance(3), CLS_HOST_MAX);
		for (uint32_t i = chance(4); i > 0; i--)
			buf[1 + chance(CLS_HOST_MAX - 2)] = '.';
		return CLS_HOST_MAX;
	default:
		return put_labels(buf, 0, 1 + chance(6), CLS_HOST_MAX);
	}
}

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool same(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

/* What the header says of a rule and a name, byte by byte. */
static bool fits(const char *host, const char *name, size_t len)
{
	const size_t host_len = strlen(host);

	if (len > 0 && name[len - 1] == '.')
		len--;
	return len >= host_len && same(name + (len - host_len), host, host_len) &&
		(len == host_len || name[len - host_len - 1] == '.');
}

static void hosts_draw(struct hosts *h)
{
	h->n = 0;
	for (uint32_t i = 0; i < N_HOSTS; i++) {
		char *text = h->text[h->n];
		bool is_new = true;

		text[put_host(text)] = '\0';
		for (size_t k = 0; k < h->n && is_new; k++)
			is_new = strlen(h->text[k]) != strlen(text) ||
				!same(h->text[k], text, strlen(text));
		h->n += is_new;
	}
}

/* A name that lies in a host, or nearly, or anything. */
static size_t name_draw(const struct hosts *h, char *buf)
{
	size_t len = 0;

	if (chance(6) != 0) {
		const char *host = h->text[chance((uint32_t)h->n)];

		len = strlen(host);
		memcpy(buf, host, len);
	}
	len = put_labels(buf, len, chance(chance(10) == 0 ? 200 : 4), NAME_MAX - 8);
	if (chance(8) == 0) { // a byte more in front: the boundary is inside a label
		memmove(buf + 1, buf, len++);
		buf[0] = any_byte();
	}
	if (len > 0 && chance(4) == 0)
		buf[chance((uint32_t)len)] = (char)(chance(2) == 0 ? '.' : any_byte());
	if (len > 0 && chance(20) == 0)
		buf[chance((uint32_t)len)] = '\0';
	for (size_t i = 0; i < len && chance(2) == 0; i++)
		buf[i] = (char)(buf[i] >= 'a' && buf[i] <= 'z' ? buf[i] - ('a' - 'A') : buf[i]);
	for (uint32_t dots = chance(6) == 0 ? 1 + chance(3) : 0; dots > 0; dots--)
		buf[len++] = '.';
	return len;
}

static void check_name(
	const struct cls_host_table *t, const struct hosts *h, const char *name, size_t len)
{
	struct cls_host_rule rules[CLS_HOST_LABELS_MAX];
	const size_t n = cls_host_table_rules(t, name, len, rules, CLS_HOST_LABELS_MAX);
	const struct cls_match m = cls_host_table_find(t, name, len);
	size_t n_fit = 0;

	for (size_t i = 0; i < h->n; i++)
		n_fit += fits(h->text[i], name, len);
	assert_int_equal(n, n_fit);
	for (size_t i = 0; i < n; i++) {
		const char *host = h->text[rules[i].tag];

		assert_true(fits(host, name, len));
		assert_int_equal(rules[i].app, DP_APP_FIRST + rules[i].tag % 7);
		assert_int_equal(strlen(rules[i].host), strlen(host));
		assert_true(same(rules[i].host, host, strlen(host)));
		assert_true(i == 0 || strlen(rules[i - 1].host) > strlen(host));
	}
	assert_int_equal(m.app, n > 0 ? rules[0].app : DP_APP_UNKNOWN);
	assert_int_equal(m.tag, n > 0 ? rules[0].tag : DP_TAG_NONE);
}

/* Each name from a block of its own: a read around it is seen. */
static void check_names(const struct cls_host_table *t, const struct hosts *h, uint32_t n_names)
{
	char name[NAME_MAX];

	for (uint32_t i = 0; i < n_names; i++) {
		const size_t len = name_draw(h, name);
		char *block = malloc(len > 0 ? len : 1);

		assert_non_null(block);
		memcpy(block, name, len);
		check_name(t, h, block, len);
		free(block);
	}
}

/* All of the hosts in a table that has room for just them; with_key: as it has drawn it, or one with which each name has the
 * same hash. */
static void fill(struct cls_host_table *t, const struct hosts *h, bool with_key)
{
	struct cls_match first;
	size_t n_bytes = 0;

	for (size_t i = 0; i < h->n; i++)
		n_bytes += strlen(h->text[i]);
	assert_int_equal(cls_host_table_init(t, h->n, n_bytes), 0);
	if (!with_key)
		memset(t->key, 0, sizeof(t->key));
	for (size_t i = 0; i < h->n; i++) {
		const struct cls_match m = {DP_APP_FIRST + i % 7, (uint16_t)i};

		assert_int_equal(
			cls_host_table_add(t, h->text[i], strlen(h->text[i]), m, &first), 0);
	}
	for (size_t i = 0; i < h->n; i++) {
		assert_int_equal(cls_host_table_add(t, h->text[i], strlen(h->text[i]),
					 (struct cls_match){0}, &first),
			-EEXIST);
		assert_int_equal(first.tag, i);
	}
}

static void a_search_of_every_rule_finds_the_same(void **)
{
	static struct hosts h;
	struct cls_host_table t;

	for (uint32_t seed = 0; seed < N_SEEDS; seed++) {
		state = seed;
		hosts_draw(&h);
		fill(&t, &h, true);
		check_names(&t, &h, N_NAMES);
		cls_host_table_fini(&t);
	}
}

/* Fewer than a group of slots, more, and all of them. */
static void names_of_one_hash_are_told_apart(void **)
{
	static struct hosts h;
	struct cls_host_table t;

	for (size_t n = 1; n <= N_HOSTS; n += n < 12 ? 1 : 72) {
		state = n;
		hosts_draw(&h);
		h.n = n < h.n ? n : h.n;
		fill(&t, &h, false);
		check_names(&t, &h, N_NAMES);
		cls_host_table_fini(&t);
	}
}

static void a_table_without_hosts_knows_no_name(void **)
{
	struct hosts none = {.n = 0};
	struct cls_host_table t;

	fill(&t, &none, true);
	none.n = 1; // names are made from it
	memcpy(none.text[0], "films.example", sizeof("films.example"));
	for (uint32_t i = 0; i < N_NAMES; i++) {
		char name[NAME_MAX];
		const size_t len = name_draw(&none, name);

		assert_int_equal(cls_host_table_find(&t, name, len).app, DP_APP_UNKNOWN);
	}
	cls_host_table_fini(&t);
}

static void a_host_has_255_bytes_and_127_labels_at_most(void **)
{
	static const struct cls_match m = {DP_APP_FIRST, 0};
	char name[CLS_HOST_MAX + 1];
	struct cls_match first;
	struct cls_host_table t;

	assert_int_equal(cls_host_table_init(&t, 4, 4 * CLS_HOST_MAX), 0);
	memset(name, 'x', sizeof(name));
	assert_int_equal(cls_host_table_add(&t, name, CLS_HOST_MAX + 1, m, &first), -EINVAL);
	assert_int_equal(cls_host_table_add(&t, name, CLS_HOST_MAX, m, &first), 0);
	assert_int_equal(cls_host_table_find(&t, name, CLS_HOST_MAX).app, DP_APP_FIRST);
	assert_int_equal(cls_host_table_find(&t, name, CLS_HOST_MAX + 1).app, DP_APP_UNKNOWN);
	assert_int_equal(cls_host_table_add(&t, name, put_deep(name, 128), m, &first), -EINVAL);
	assert_int_equal(cls_host_table_add(&t, name, put_deep(name, 127), m, &first), 0);
	assert_int_equal(cls_host_table_find(&t, name, 253).app, DP_APP_FIRST);
	assert_int_equal(cls_host_table_find(&t, name + 2, 251).app, DP_APP_UNKNOWN);
	assert_int_equal(cls_host_table_add(&t, "", 0, m, &first), -EINVAL);
	assert_int_equal(cls_host_table_add(&t, ".", 1, m, &first), -EINVAL);
	assert_int_equal(cls_host_table_add(&t, "..", 2, m, &first), 0); // one dot is ignored
	assert_int_equal(cls_host_table_find(&t, "x..", 3).app, DP_APP_UNKNOWN);
	assert_int_equal(cls_host_table_find(&t, "x...", 4).app, DP_APP_FIRST);
	cls_host_table_fini(&t);
}

static void more_hosts_than_there_are_places_are_refused(void **)
{
	struct cls_host_table t;

	for (size_t n = (size_t)1 << 27; n != 0; n <<= 1)
		assert_int_equal(cls_host_table_init(&t, n, 0), -EFBIG);
	assert_int_equal(cls_host_table_init(&t, SIZE_MAX, SIZE_MAX), -EFBIG);
	assert_int_equal(cls_host_table_init(&t, 1, (size_t)1 << 40), -EFBIG);
	assert_int_equal(cls_host_table_init(&t, 1, SIZE_MAX), -EFBIG);
	cls_host_table_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_search_of_every_rule_finds_the_same),
		cmocka_unit_test(names_of_one_hash_are_told_apart),
		cmocka_unit_test(a_table_without_hosts_knows_no_name),
		cmocka_unit_test(a_host_has_255_bytes_and_127_labels_at_most),
		cmocka_unit_test(more_hosts_than_there_are_places_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
