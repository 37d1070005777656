// SPDX-License-Identifier: BSD-3-Clause

/* A connection that breaks in every other place: stalls, is cut in the middle of a reply, swallows
 * what is sent, dies while we write. Everything arrives, once, in order. */

#include "tests/lib/proxy.h"
#include "tests/lib/publisher_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

/* Ready, by way of the proxy. */
static void begin(struct rig *rig, struct test_proxy *proxy)
{
	test_redis_start(&rig->redis, NULL);
	test_proxy_open(proxy, rig->base, rig->redis.socket);
	rig->config.url = proxy->url;
	rig->config.reply_timeout_ns = 100000000ULL;
	rig_connect(rig);
	rig_until_state(rig, CTL_REDIS_READY);
}

static void end(struct rig *rig, struct test_proxy *proxy, unsigned n)
{
	rig_until_waiting(rig, 0);
	rig_expect(rig, 1, 0, n);
	assert_int_equal(rig_count(rig, "published") + rig_count(rig, "duplicates"), n);
	rig_disconnect(rig);
	test_proxy_close(proxy);
}

static void expect_cause(struct rig *rig, const char *cause)
{
	char sentence[512];

	rig_until_state(rig, CTL_REDIS_UNREACHABLE);
	ctl_publisher_sentence(rig->publisher, sentence, sizeof(sentence));
	if (strstr(sentence, cause) == NULL)
		fail_msg("'%s' does not say '%s'", sentence, cause);
}

/* The server has it all; so many bytes of its answers come through, then nothing. */
static void a_pipeline_whose_answers_stall_is_given_up_and_sent_again(void **state)
{
	struct rig *rig = *state;
	struct test_proxy proxy;

	begin(rig, &proxy);
	for (unsigned i = 0; i < 20; i++) {
		test_proxy_limit(&proxy, 4 * i, false); // of five answers, 17 bytes each
		rig_push(rig, 300);
		expect_cause(rig, "no reply within 100 ms");
		test_proxy_limit(&proxy, -1, false);
		rig_until_waiting(rig, 0);
	}
	assert_true(rig_count(rig, "duplicates") > 0);
	end(rig, &proxy, 6000);
}

static void an_answer_that_is_cut_in_the_middle_is_no_answer(void **state)
{
	struct rig *rig = *state;
	struct test_proxy proxy;

	begin(rig, &proxy);
	for (unsigned i = 0; i < 40; i++) {
		test_proxy_limit(&proxy, i, true);
		rig_push(rig, 300);
		rig_until_state(rig, CTL_REDIS_UNREACHABLE);
		test_proxy_limit(&proxy, -1, false);
		rig_until_waiting(rig, 0);
	}
	assert_true(rig_count(rig, "duplicates") > 0);
	end(rig, &proxy, 12000);
}

/* Half open: what we send is acknowledged by TCP and reaches nobody. */
static void what_is_swallowed_on_the_way_is_sent_again(void **state)
{
	struct rig *rig = *state;
	struct test_proxy proxy;

	begin(rig, &proxy);
	test_proxy_swallow(&proxy, true);
	rig_push(rig, 3000);
	expect_cause(rig, "no reply within 100 ms");
	assert_int_equal(rig_count(rig, "published"), 0);
	test_proxy_swallow(&proxy, false);
	end(rig, &proxy, 3000);
	// the proxy passed nothing on, so nothing could be there twice
	assert_int_equal(proxy.n_swallowed_connections > 0, 1);
}

/* The peer is gone and the socket says so by SIGPIPE, which must not end us. */
static void a_server_that_closes_while_we_write_is_an_error_and_no_death(void **state)
{
	struct rig *rig = *state;
	struct test_proxy proxy;

	begin(rig, &proxy);
	for (unsigned i = 0; i < 20; i++) {
		rig_push(rig, 1000); // more than a socket takes at once
		test_proxy_cut(&proxy);
		rig_until_waiting(rig, 0);
	}
	end(rig, &proxy, 20000);
}

static void a_server_that_hangs_is_left_and_found_again(void **state)
{
	struct rig *rig = *state;
	struct test_proxy proxy;

	begin(rig, &proxy);
	for (unsigned i = 0; i < 5; i++) {
		test_redis_freeze(&rig->redis, true);
		rig_push(rig, 2000);
		expect_cause(rig, "no reply within 100 ms");
		test_redis_freeze(&rig->redis, false);
		rig_until_waiting(rig, 0);
	}
	end(rig, &proxy, 10000);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_pipeline_whose_answers_stall_is_given_up_and_sent_again),
		RIG_TEST(an_answer_that_is_cut_in_the_middle_is_no_answer),
		RIG_TEST(what_is_swallowed_on_the_way_is_sent_again),
		RIG_TEST(a_server_that_closes_while_we_write_is_an_error_and_no_death),
		RIG_TEST(a_server_that_hangs_is_left_and_found_again),
	};

	if (!test_redis_is_installed())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
