// SPDX-License-Identifier: BSD-3-Clause

/* Answers over the control socket that take a while. */

#include "tests/integration/socket_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char later[] = "{\"cmd\":\"show\",\"what\":\"later\"}\n";
static const char deed[] = "{\"cmd\":\"do\",\"what\":\"deed\"}\n";

static void expect_answer(int fd, const char *question, const char *answer)
{
	g_autofree char *got = NULL;

	send_all(fd, question, strlen(question));
	got = receive_until(fd, "}\n{\"end\":true}\n");
	assert_string_equal(got, answer);
}

static const char asked[] = "{\"cmd\":\"show\",\"what\":\"asked\"}\n";

/* How often the handler was asked since this was asked last. */
static int times_asked(int fd)
{
	g_autofree char *got = NULL;

	send_all(fd, asked, sizeof(asked) - 1);
	got = receive_until(fd, "}\n{\"end\":true}\n");
	return atoi(got + strlen("{\"asked\":"));
}

static void wait_until_asked(int fd)
{
	while (times_asked(fd) == 0)
		;
}

static void while_one_waits_others_are_answered(void **state)
{
	struct rig *rig = *state;
	g_autofree char *first = NULL;
	int fd, other;

	assert_int_equal(start(rig), 0);
	fd = connect_raw(rig);
	other = connect_raw(rig);
	send_all(fd, later, sizeof(later) - 1);
	send_all(fd, deed, sizeof(deed) - 1); // has its turn behind the answer to the first
	wait_until_asked(other);
	wait_until_asked(other);
	expect_answer(other, deed, "{\"done_by\":0}\n{\"end\":true}\n");
	first = receive_until(fd, "\"done_by\":0}\n{\"end\":true}\n");
	assert_string_equal(g_strchug(first),
		"{\"later\":true}\n{\"end\":true}\n{\"done_by\":0}\n{\"end\":true}\n");
	(void)close(fd);
	(void)close(other);
}

static void a_client_that_waits_hears_that_the_daemon_lives(void **state)
{
	struct rig *rig = *state;
	g_autofree char *alive = NULL, *got = NULL;
	int fd, other;

	assert_int_equal(start(rig), 0);
	fd = connect_raw(rig);
	other = connect_raw(rig);
	send_all(fd, later, sizeof(later) - 1);
	(void)shutdown(fd, SHUT_WR); // as `nc -N` does
	alive = receive_until(fd, "\n");
	assert_string_equal(alive, "\n");
	expect_answer(other, deed, "{\"done_by\":0}\n{\"end\":true}\n");
	got = receive_until(fd, NULL);
	assert_string_equal(g_strchug(got), "{\"later\":true}\n{\"end\":true}\n");
	(void)close(fd);
	(void)close(other);
}

static void who_goes_away_while_waiting_is_not_asked_for_again(void **state)
{
	struct rig *rig = *state;
	int fds[CTL_SOCKET_CLIENTS_MAX - 1], other;

	assert_int_equal(start(rig), 0);
	other = connect_raw(rig);
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++) {
		fds[i] = connect_raw(rig);
		send_all(fds[i], later, sizeof(later) - 1);
	}
	wait_until_asked(other);
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
		(void)close(fds[i]);
	for (int n_quiet = 0; n_quiet < 5;) { // five times as long as it takes to be asked again
		usleep(CTL_REPLY_ASK_MS * 1000);
		n_quiet = times_asked(other) == 0 ? n_quiet + 1 : 0;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++) { // their places are free
		fds[i] = connect_raw(rig);
		assert_true(times_asked(fds[i]) == 0);
		(void)close(fds[i]);
	}
	(void)close(other);
}

static void show_waits_for_what_is_not_there_at_once(void **state)
{
	struct rig *rig = *state;
	g_autofree char *out = NULL, *err = NULL;
	pid_t pid;

	assert_int_equal(start(rig), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) { // asks for the deed once the question waits, and the daemon has said so
		const int fd = connect_raw(rig), waiting = connect_raw(rig);

		wait_until_asked(fd);
		send_all(waiting, later, sizeof(later) - 1);
		free(receive_until(waiting, "\n"));
		send_all(fd, deed, sizeof(deed) - 1);
		_exit(strlen(receive_until(fd, "end")) > 0 ? 0 : 1);
	}
	assert_int_equal(show(rig, &out, &err, WORDS("later", "--json")), 0);
	assert_string_equal(out, "{\"later\":true}\n");
	assert_string_equal(err, "");
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(while_one_waits_others_are_answered),
		RIG_TEST(a_client_that_waits_hears_that_the_daemon_lives),
		RIG_TEST(who_goes_away_while_waiting_is_not_asked_for_again),
		RIG_TEST(show_waits_for_what_is_not_there_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
