// SPDX-License-Identifier: BSD-3-Clause
#include "control/top_feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The daemon's end, in the same thread: nothing of the feed waits. */
struct peer {
	char folder[64], path[96];
	int listener, fd;
	struct ctl_top_feed *feed;
};

static struct peer peer;
static struct dp_err err;

static int set_up(void **)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	peer = (struct peer){.folder = "/tmp/wirecue-top-XXXXXX", .fd = -1};
	assert_non_null(mkdtemp(peer.folder));
	(void)snprintf(peer.path, sizeof(peer.path), "%s/s", peer.folder);
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", peer.path);
	peer.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(peer.listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(peer.listener, 4), 0);
	peer.feed = ctl_top_feed_new(peer.path);
	return 0;
}

static int tear_down(void **)
{
	ctl_top_feed_free(peer.feed);
	if (peer.fd >= 0)
		(void)close(peer.fd);
	(void)close(peer.listener);
	(void)unlink(peer.path);
	(void)rmdir(peer.folder);
	return 0;
}

/* Begin a round; the peer has the connection. */
static void begin(void)
{
	assert_int_equal(ctl_top_feed_begin(peer.feed, &err), 0);
	peer.fd = accept(peer.listener, NULL, NULL);
	assert_true(peer.fd >= 0);
	assert_true(ctl_top_feed_fd(peer.feed) >= 0);
}

static int step(struct ctl_top_sample **ret_sample)
{
	return ctl_top_feed_step(peer.feed, 1000000, ret_sample, &err);
}

/* What the feed has asked, "" when nothing. */
static const char *asked(void)
{
	static char line[1024];
	const ssize_t n = recv(peer.fd, line, sizeof(line) - 1, MSG_DONTWAIT);

	line[n > 0 ? n : 0] = '\0';
	return line;
}

static void answer(const char *text)
{
	assert_int_equal(send(peer.fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void a_round_asks_everything_and_gives_a_sample(void **)
{
	struct ctl_top_sample *sample = NULL;
	int r = 0, n_questions = 0;

	begin();
	while (r == 0) {
		r = step(&sample);
		if (r != 0)
			break;
		const char *question = asked();

		n_questions += *question != '\0';
		if (strstr(question, "\"node\"") != NULL)
			answer("{\"node\":\"lab\",\"pid\":7}\n{\"end\":true}\n");
		else if (strstr(question, "\"apps\"") != NULL)
			answer(strstr(question, "\"after\":\"1\"") != NULL
					? "{\"app\":\"b\"}\n{\"end\":true}\n"
					: "{\"app\":\"a\"}\n{\"end\":true,\"next\":\"1\"}\n");
		else if (*question != '\0')
			answer("{\"end\":true}\n");
	}
	assert_int_equal(r, 1);
	assert_int_equal(n_questions, CTL_TOP_WHAT_COUNT + 1);
	assert_string_equal(sample->node.name, "lab");
	assert_int_equal(sample->apps->len, 2);
	assert_true(sample->was_told[CTL_TOP_STAGED]);
	assert_int_equal(ctl_top_feed_fd(peer.feed), -1);
	ctl_top_sample_free(sample);
}

static void apps_are_asked_again_when_a_tick_came_between(void **)
{
	static const char *const ticks[] = {"00", "01", "02", "02"};
	struct ctl_top_sample *sample = NULL;
	int r = 0, n_nodes = 0, n_apps = 0;

	begin();
	for (r = step(&sample); r == 0; r = step(&sample)) {
		const char *question = asked();
		char node[128];

		if (strstr(question, "\"node\"") != NULL) {
			(void)snprintf(node, sizeof(node),
				"{\"watermark\":\"2026-03-01T18:00:%s.000Z\"}\n{\"end\":true}\n",
				ticks[MIN(n_nodes, 3)]);
			n_nodes++;
			answer(node);
		} else if (strstr(question, "\"apps\"") != NULL) {
			n_apps++;
			answer("{\"app\":\"a\"}\n{\"end\":true}\n");
		} else if (*question != '\0') {
			answer("{\"end\":true}\n");
		}
	}
	assert_int_equal(r, 1);
	assert_int_equal(n_apps, 2);
	assert_int_equal(sample->apps->len, 1);
	assert_true(sample->counted_ns[0] == sample->counted_ns[1] && sample->counted_ns[0] > 0);
	ctl_top_sample_free(sample);
}

/* The sentence that ends the round. */
static void fails_with(const char *sentence)
{
	struct ctl_top_sample *sample = NULL;
	int r = 0;

	for (int i = 0; i < 100 && r == 0; i++)
		r = step(&sample);
	assert_true(r < 0);
	assert_null(sample);
	assert_non_null(strstr(err.text, sentence));
	assert_int_equal(ctl_top_feed_fd(peer.feed), -1);
}

static void nobody_there_is_a_sentence(void **)
{
	(void)unlink(peer.path);
	assert_true(ctl_top_feed_begin(peer.feed, &err) < 0);
	assert_non_null(strstr(err.text, "no wirecue answers on"));
}

static void who_breaks_off_is_told(void **)
{
	begin();
	answer("{\"node\":\"la");
	(void)shutdown(peer.fd, SHUT_RDWR);
	fails_with("broke off");
}

static void what_is_no_json_is_no_wirecue(void **)
{
	begin();
	answer("220 mail.example ESMTP\n");
	fails_with("is no wirecue");
}

static void a_refusal_is_said_as_it_came(void **)
{
	begin();
	answer("{\"error\":\"only root may ask\"}\n");
	(void)shutdown(peer.fd, SHUT_RDWR);
	fails_with("answers: only root may ask");
}

static void a_line_without_end_is_not_kept(void **)
{
	struct ctl_top_sample *sample = NULL;
	char block[4096];
	int r = 0;

	memset(block, 'x', sizeof(block));
	begin();
	for (size_t sent = 0; sent < 2 * (size_t)CTL_TOP_LINE_MAX && r == 0;
		sent += sizeof(block)) {
		(void)send(peer.fd, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);
		r = step(&sample);
	}
	assert_true(r < 0);
	assert_non_null(strstr(err.text, "a line without end"));
}

static void who_does_not_answer_is_given_up(void **)
{
	struct ctl_top_sample *sample = NULL;

	begin();
	assert_int_equal(ctl_top_feed_step(peer.feed, 5000000, &sample, &err), 0);
	assert_int_equal(ctl_top_feed_step(peer.feed, 5000000 + CTL_TOP_PATIENCE_S * 1000000ULL,
				 &sample, &err),
		0);
	assert_true(ctl_top_feed_step(peer.feed, 5000001 + CTL_TOP_PATIENCE_S * 1000000ULL, &sample,
			    &err) < 0);
	assert_non_null(strstr(err.text, "does not answer within"));
}

/* A page that leads to itself, or pages without end, end the answer. */
static void pages_come_to_an_end(void **)
{
	struct ctl_top_sample *sample = NULL;
	int n_ports = 0, r;

	begin();
	for (r = step(&sample); r == 0; r = step(&sample)) {
		const char *question = asked();
		char page[64];

		if (strstr(question, "\"ports\"") != NULL) {
			(void)snprintf(
				page, sizeof(page), "{\"end\":true,\"next\":\"%d\"}\n", n_ports++);
			answer(page);
		} else if (*question != '\0') {
			answer("{\"end\":true,\"next\":\"same\"}\n");
		}
	}
	assert_int_equal(r, 1);
	assert_int_equal(n_ports, CTL_TOP_PAGES_MAX);
	ctl_top_sample_free(sample);
}

static void a_question_that_is_not_known_is_left_out(void **)
{
	struct ctl_top_sample *sample = NULL;
	int r;

	begin();
	for (r = step(&sample); r == 0; r = step(&sample)) {
		const char *question = asked();

		if (strstr(question, "\"quality\"") != NULL)
			answer("{\"error\":\"nothing of that name can be shown\",\"usage\":true}\n");
		else if (*question != '\0')
			answer("{\"end\":true}\n");
	}
	assert_int_equal(r, 1);
	assert_false(sample->was_told[CTL_TOP_QUALITY]);
	assert_true(sample->was_told[CTL_TOP_STAGED]);
	ctl_top_sample_free(sample);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_round_asks_everything_and_gives_a_sample),
		T(apps_are_asked_again_when_a_tick_came_between),
		T(nobody_there_is_a_sentence),
		T(who_breaks_off_is_told),
		T(what_is_no_json_is_no_wirecue),
		T(a_refusal_is_said_as_it_came),
		T(a_line_without_end_is_not_kept),
		T(who_does_not_answer_is_given_up),
		T(pages_come_to_an_end),
		T(a_question_that_is_not_known_is_left_out),
	};

	return cmocka_run_group_tests_name("top_feed", tests, NULL, NULL);
}
