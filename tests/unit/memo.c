// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/memo.h"
#include "classifier/plt.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <ndpi_api.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 200000, NAMES = 20000 };

static struct ndpi_detection_module_struct *nd;
static struct cls_memo *memo;

static int (*library_protocol)(
	struct ndpi_detection_module_struct *, char *, u_int, ndpi_protocol_match_result *);
static int (*library_category)(
	struct ndpi_detection_module_struct *, char *, u_int, ndpi_protocol_category_t *);
static u_int16_t (*library_network)(
	struct ndpi_detection_module_struct *, struct in_addr *, u_int16_t);

static int setup(void **)
{
	NDPI_PROTOCOL_BITMASK all;

	*(void **)&library_protocol = dlsym(RTLD_NEXT, "ndpi_match_string_subprotocol");
	*(void **)&library_category = dlsym(RTLD_NEXT, "ndpi_get_custom_category_match");
	*(void **)&library_network = dlsym(RTLD_NEXT, "ndpi_network_port_ptree_match");
	nd = ndpi_init_detection_module(ndpi_no_prefs);
	assert_non_null(nd);
	NDPI_BITMASK_SET_ALL(all);
	ndpi_set_protocol_detection_bitmask2(nd, &all);
	ndpi_finalize_initialization(nd);
	cls_plt_init(0);
	memo = cls_memo_new();
	assert_non_null(memo);
	cls_plt_use(memo);
	return 0;
}

static int teardown(void **)
{
	cls_plt_use(NULL);
	cls_memo_free(memo);
	ndpi_exit_detection_module(nd);
	return 0;
}

/* Both ask with what was there before, so that what is not written shows. */
static void same_name(char *name, u_int len)
{
	ndpi_protocol_match_result ours = {0}, theirs = {0};
	ndpi_protocol_category_t our_category = 7, their_category = 7;
	int r = ndpi_match_string_subprotocol(nd, name, len, &ours);

	assert_int_equal(r, library_protocol(nd, name, len, &theirs));
	assert_int_equal(ours.protocol_id, theirs.protocol_id);
	assert_int_equal(ours.protocol_category, theirs.protocol_category);
	assert_int_equal(ours.protocol_breed, theirs.protocol_breed);
	r = ndpi_get_custom_category_match(nd, name, len, &our_category);
	assert_int_equal(r, library_category(nd, name, len, &their_category));
	if (r != -1)
		assert_int_equal(our_category, their_category);
}

static void each_name_gets_the_librarys_answer_again_and_again(void **)
{
	static const char *const ends[] = {"netflix.com", "nflxvideo.net", "youtube.com",
		"WhatsApp.net", "facebook.com.example", "example.org", "10.1.2.3", "tiktokv.com",
		"googlevideo.com", "edu", "windowsupdate.com", "x"};
	unsigned int seed = 1;

	for (int i = 0; i < ROUNDS; i++) {
		char name[128];
		// Few names often, many seldom: more than there are places for.
		const int which = rand_r(&seed) % (i % 2 == 0 ? 50 : NAMES);
		const char *end = ends[(size_t)which % (sizeof(ends) / sizeof(ends[0]))];
		const int len = which % 3 == 0
			? snprintf(name, sizeof(name), "%s", end)
			: snprintf(name, sizeof(name), "host-%d%s.%s", which,
				  which % 7 == 0 ? "-with-a-name-too-long-to-be-remembered-at-all"
						 : "",
				  end);

		same_name(name, (u_int)len);
		same_name(name, (u_int)(rand_r(&seed) % (len + 1)));
	}
}

static void a_name_with_zeros_is_what_it_is_for_the_library(void **)
{
	char name[16] = "\0abc.com";

	same_name(name, 8);
	same_name(name, 0);
	memcpy(name, "netflix\0.com", 12);
	same_name(name, 12);
	same_name(name, 7);
}

static void each_address_gets_the_librarys_answer_again_and_again(void **)
{
	static const uint16_t ports[] = {0, 80, 443, 3478, 1935, 5222};
	unsigned int seed = 1;

	for (int i = 0; i < ROUNDS; i++) {
		const uint32_t which = (uint32_t)rand_r(&seed) % (i % 2 == 0 ? 50 : 100000);
		// All over the address space, and neighbours of each other.
		struct in_addr addr = {
			htonl(which % 2 == 0 ? which * 2654435761U : 0x17000000U + which)};
		const uint16_t port = htons(ports[which % (sizeof(ports) / sizeof(ports[0]))]);

		assert_int_equal(ndpi_network_port_ptree_match(nd, &addr, port),
			library_network(nd, &addr, port));
	}
	assert_int_equal(ndpi_network_port_ptree_match(nd, &(struct in_addr){0}, 0),
		library_network(nd, &(struct in_addr){0}, 0));
}

static void a_place_is_that_of_the_latest_name(void **)
{
	struct cls_memo_name *place = cls_memo_name(memo, "a.example", 9);

	place->has_protocol = true;
	assert_true(cls_memo_name(memo, "a.example", 9)->has_protocol);
	for (int i = 0; i < NAMES; i++) {
		char name[32];
		const int len = snprintf(name, sizeof(name), "b-%d.example", i);

		place = cls_memo_name(memo, name, (size_t)len);
		assert_false(place->has_protocol || place->has_category);
	}
	assert_false(cls_memo_name(memo, "a.example", 9)->has_protocol);
	assert_null(cls_memo_name(memo, "", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_name_gets_the_librarys_answer_again_and_again),
		cmocka_unit_test(a_name_with_zeros_is_what_it_is_for_the_library),
		cmocka_unit_test(each_address_gets_the_librarys_answer_again_and_again),
		cmocka_unit_test(a_place_is_that_of_the_latest_name),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
