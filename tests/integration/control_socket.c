// SPDX-License-Identifier: BSD-3-Clause

/* `wirecue show` against the control socket of another process, and clients that misbehave. */

#include "tests/integration/socket_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <glib.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void show_prints_text_and_json(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(start(rig), 0);
	expect_show(
		rig, WORDS("echo", "two words"), 0, "word         count\n\"two words\"  1\n", "");
	expect_show(rig, WORDS("echo", "--json", "w"), 0, "{\"word\":\"w\",\"count\":1}\n", "");
	expect_show(rig, WORDS(), 0,
		"name     args             help\n"
		"asked    \"\"               \"How often\"\n"
		"echo     WORD             \"The word\"\n"
		"failing  \"\"               Nothing\n"
		"later    \"\"               \"Not at once\"\n"
		"many     \"\"               Numbers\n"
		"summed   \"[--host NAME]\"  \"With a sum\"\n",
		"");
}

static void options_are_sent_and_a_summary_stands_under_the_table(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(start(rig), 0);
	expect_show(rig, WORDS("summed", "--host", "a.example"), 0,
		"host\na.example\n# one in all\n", "");
	expect_show(rig, WORDS("summed", "--host", "a.example", "--json"), 0,
		"{\"host\":\"a.example\"}\n{\"summary\":\"one in all\",\"n\":1}\n", "");
	expect_show(rig, WORDS("many", "--host", "a.example"), 2, "",
		"wirecue: many: it has no such option; `wirecue show` lists which there are\n");
	expect_show(rig, WORDS("summed", "--app", "a"), 2, "",
		"wirecue: summed: it has no such option; `wirecue show` lists which there are\n");
	expect_show(rig, WORDS("summed", "--host", "\xff"), 2, "",
		"wirecue: --host: expected a text in UTF-8\n");
}

static void exit_codes_tell_wrong_questions_from_failures(void **state)
{
	struct rig *rig = *state;
	g_autofree char *out = NULL, *err = NULL;

	assert_int_equal(start(rig), 0);
	expect_show(rig, WORDS("failing"), 1, "", "wirecue: nothing is known yet\n");
	expect_show(rig, WORDS("echo"), 2, "", "wirecue: expected a word\n");
	expect_show(rig, WORDS("nothing"), 2, "",
		"wirecue: nothing of that name can be shown; `wirecue show` lists what can\n");
	expect_show(rig, WORDS("echo", "\xff"), 2, "", "wirecue: expected words in UTF-8\n");
	assert_int_equal(show(rig, &out, &err, WORDS("a", "b", "c")), 2);
}

static void all_pages_are_shown(void **state)
{
	struct rig *rig = *state;
	g_autofree char *out = NULL, *err = NULL;
	g_auto(GStrv) lines = NULL;

	assert_int_equal(start(rig), 0);
	assert_int_equal(show(rig, &out, &err, WORDS("many")), 0);
	lines = g_strsplit(out, "\n", 0);
	assert_int_equal(g_strv_length(lines), 50002); // header, and the empty last one
	assert_int_equal(atoi(lines[50000]), 49999);
}

static void without_a_daemon_one_sentence_says_what_to_do(void **state)
{
	struct rig *rig = *state;
	g_autofree char *nobody = g_strdup_printf(
		"wirecue: no wirecue answers on '%s' (No such file or directory): start it with "
		"'wirecue run', or name its socket with --socket\n",
		rig->path);
	g_autofree char *dead = g_strdup_printf(
		"wirecue: no wirecue answers on '%s' (Connection refused): start it with 'wirecue "
		"run', or name its socket with --socket\n",
		rig->path);

	expect_show(rig, WORDS("echo", "w"), 1, "", nobody);
	assert_int_equal(start(rig), 0);
	kill_daemon(rig);
	expect_show(rig, WORDS("echo", "w"), 1, "", dead);
}

static void a_dead_socket_is_replaced_and_a_live_one_is_not(void **state)
{
	struct rig *rig = *state;
	struct rig second = *rig;
	struct stat st;

	assert_int_equal(start(rig), 0);
	assert_int_equal(start(&second), EADDRINUSE);
	kill_daemon(&second);
	expect_show(rig, WORDS("echo", "--json", "w"), 0, "{\"word\":\"w\",\"count\":1}\n", "");
	kill_daemon(rig); // leaves its file
	assert_int_equal(stat(rig->path, &st), 0);
	assert_int_equal(start(rig), 0);
	assert_int_equal(stat(rig->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	expect_show(rig, WORDS("echo", "--json", "w"), 0, "{\"word\":\"w\",\"count\":1}\n", "");
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
	struct rig *rig = *state;
	g_autofree char *text = NULL;

	assert_true(g_file_set_contents(rig->path, "precious", -1, NULL));
	assert_int_equal(start(rig), EEXIST);
	assert_true(g_file_get_contents(rig->path, &text, NULL, NULL));
	assert_string_equal(text, "precious");
}

static void closing_removes_only_our_own_file(void **state)
{
	struct event_base *base = event_base_new();
	struct ctl_socket *sock;
	struct rig *rig = *state;

	assert_int_equal(ctl_socket_open(base, rig->path, table, NULL, &sock, NULL), 0);
	ctl_socket_close(sock);
	assert_int_equal(access(rig->path, F_OK), -1);

	assert_int_equal(ctl_socket_open(base, rig->path, table, NULL, &sock, NULL), 0);
	assert_int_equal(unlink(rig->path), 0);
	assert_true(g_file_set_contents(rig->path, "somebody else's", -1, NULL));
	ctl_socket_close(sock);
	assert_int_equal(access(rig->path, F_OK), 0);
	event_base_free(base);
}

static void questions_in_pieces_and_in_heaps_are_answered_in_order(void **state)
{
	static const char one[] = "{\"cmd\":\"show\",\"what\":\"echo\",\"args\":{\"arg\":\"1\"}}\n";
	struct rig *rig = *state;
	GString *expected = g_string_new(NULL), *heap = g_string_new(NULL);
	g_autofree char *got = NULL;
	int fd;

	assert_int_equal(start(rig), 0);
	fd = connect_raw(rig);
	for (size_t i = 0; i < sizeof(one) - 1; i++) { // a byte at a time
		send_all(fd, one + i, 1);
		usleep(500);
	}
	for (int i = 2; i <= 50; i++)
		g_string_append_printf(heap,
			"{\"cmd\":\"show\",\"what\":\"echo\",\"args\":{\"arg\":\"%d\"}}\n", i);
	send_all(fd, heap->str, heap->len);
	(void)shutdown(fd, SHUT_WR);
	for (int i = 1; i <= 50; i++)
		g_string_append_printf(
			expected, "{\"word\":\"%d\",\"count\":1}\n{\"end\":true}\n", i);
	got = receive_until(fd, NULL);
	assert_string_equal(got, expected->str);
	(void)close(fd);
	g_string_free(expected, TRUE);
	g_string_free(heap, TRUE);
}

static void a_question_without_end_is_refused_and_closed(void **state)
{
	g_autofree char *endless = g_strnfill(CTL_REQUEST_MAX, 'x'), *got = NULL;
	struct rig *rig = *state;
	int fd;

	assert_int_equal(start(rig), 0);
	fd = connect_raw(rig);
	send_all(fd, endless, CTL_REQUEST_MAX);
	got = receive_until(fd, NULL);
	assert_string_equal(got, "{\"error\":\"expected a request of at most 64 KiB\"}\n");
	(void)close(fd);
	expect_show(rig, WORDS("echo", "--json", "w"), 0, "{\"word\":\"w\",\"count\":1}\n", "");
}

/* Clients that ask for much and never read cost a page each and disturb nobody. */
static void clients_that_do_not_read_are_bounded(void **state)
{
	static const char many[] = "{\"cmd\":\"show\",\"what\":\"many\"}\n";
	struct rig *rig = *state;
	g_autofree char *got = NULL;
	int fds[CTL_SOCKET_CLIENTS_MAX];

	assert_int_equal(start(rig), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++) {
		fds[i] = connect_raw(rig);
		for (int n = 0; n < 100; n++)
			send_all(fds[i], many, sizeof(many) - 1);
	}
	const int one_more = connect_raw(rig);

	got = receive_until(one_more, NULL);
	assert_string_equal(got, "{\"error\":\"too many clients at a time, try again\"}\n");
	(void)close(one_more);
	(void)close(fds[0]);
	for (int ms = 0;; ms += 10) { // the daemon needs a round to see it
		g_autofree char *out = NULL, *err = NULL;

		if (show(rig, &out, &err, WORDS("echo", "w")) == 0)
			break;
		assert_true(ms < 2000);
		usleep(10000);
	}
	for (size_t i = 1; i < G_N_ELEMENTS(fds); i++)
		(void)close(fds[i]);
}

/* What somebody with user id uid, in our group or in none, is answered. Owned by the caller. */
static char *answer_for(struct rig *rig, uid_t uid, bool has_group, const char *line)
{
	gid_t group = getegid();
	int pipe_fds[2], status;
	char answer[256] = "";
	pid_t pid;

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (uid != 0 &&
			(setgroups(has_group, &group) != 0 || setgid(uid) != 0 || setuid(uid) != 0))
			_exit(99);
		const int fd = connect_raw(rig);

		(void)send(fd, line, strlen(line), MSG_NOSIGNAL);
		char *got = receive_until(fd, "\n");

		_exit(write(pipe_fds[1], got, strlen(got)) < 0 ? 98 : 0);
	}
	(void)close(pipe_fds[1]);
	(void)read(pipe_fds[0], answer, sizeof(answer) - 1); // "" is no answer
	(void)close(pipe_fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return g_strdup(answer);
}

static void strangers_are_not_answered_and_our_group_may_only_look(void **state)
{
	static const char list[] = "{\"cmd\":\"list\"}\n";
	static const char deed[] = "{\"cmd\":\"do\",\"what\":\"deed\"}\n";
	static const struct {
		uid_t uid;
		bool has_group;
		const char *line, *answer;
	} cases[] = {
		{65534, false, list, "\"error\":\"only root and the daemon's own user or group"},
		{65534, false, deed, "\"error\":\"only root and the daemon's own user or group"},
		{65534, true, list, "\"name\":\"echo\""},
		{65534, true, deed, "\"error\":\"only root and the daemon's own user may change"},
		{0, true, deed, "\"done_by\":0"},
	};
	struct rig *rig = *state;

	if (geteuid() != 0)
		skip(); // cannot become somebody else
	assert_int_equal(start(rig), 0);
	assert_int_equal(chmod(rig->path, 0666), 0); // the file's mode would do, too
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *got = answer_for(
			rig, cases[i].uid, cases[i].has_group, cases[i].line);

		if (strstr(got, cases[i].answer) == NULL)
			fail_msg("case %zu: '%s' does not say '%s'", i, got, cases[i].answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(show_prints_text_and_json),
		RIG_TEST(exit_codes_tell_wrong_questions_from_failures),
		RIG_TEST(all_pages_are_shown),
		RIG_TEST(options_are_sent_and_a_summary_stands_under_the_table),
		RIG_TEST(without_a_daemon_one_sentence_says_what_to_do),
		RIG_TEST(a_dead_socket_is_replaced_and_a_live_one_is_not),
		RIG_TEST(a_file_that_is_no_socket_is_left_alone),
		RIG_TEST(closing_removes_only_our_own_file),
		RIG_TEST(questions_in_pieces_and_in_heaps_are_answered_in_order),
		RIG_TEST(a_question_without_end_is_refused_and_closed),
		RIG_TEST(clients_that_do_not_read_are_bounded),
		RIG_TEST(strangers_are_not_answered_and_our_group_may_only_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
