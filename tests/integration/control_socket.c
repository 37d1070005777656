// SPDX-License-Identifier: BSD-3-Clause

/* `wirecue show` against the control socket of another process, and clients that misbehave. */

#include "control/commands.h"
#include "control/socket.h"

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

struct rig {
	char dir[64];
	char path[96];
	pid_t daemon;
};

static unsigned int n_later; // asked since the last question about it

/* Waits until somebody asks for a deed. */
static bool is_done;

static void run_later(void *, const json_t *, struct ctl_reply *reply)
{
	n_later++;
	if (is_done)
		(void)ctl_reply_add(reply, json_pack("{sb}", "later", 1));
	else
		ctl_reply_wait(reply);
}

static void run_asked(void *, const json_t *, struct ctl_reply *reply)
{
	(void)ctl_reply_add(reply, json_pack("{si}", "asked", n_later));
	n_later = 0;
}

static void run_many(void *, const json_t *args, struct ctl_reply *reply)
{
	const char *after = ctl_args_text(args, "after");
	char cursor[16];

	for (int i = after != NULL ? atoi(after) : 0; i < 50000; i++) {
		if (ctl_reply_add(reply, json_pack("{si ss}", "number", i, "what", "n")))
			continue;
		(void)snprintf(cursor, sizeof(cursor), "%d", i);
		ctl_reply_next(reply, cursor);
		return;
	}
}

static void run_echo(void *, const json_t *args, struct ctl_reply *reply)
{
	const char *arg = ctl_args_text(args, "arg");

	if (arg == NULL)
		ctl_reply_fail(reply, true, "expected a word");
	else
		(void)ctl_reply_add(reply, json_pack("{ss si}", "word", arg, "count", 1));
}

static void run_failing(void *, const json_t *, struct ctl_reply *reply)
{
	ctl_reply_fail(reply, false, "nothing is known yet");
}

static void run_deed(void *, const json_t *, struct ctl_reply *reply)
{
	is_done = true;
	(void)ctl_reply_add(
		reply, json_pack("{sI}", "done_by", (json_int_t)ctl_reply_asker(reply)->uid));
}

static const struct ctl_show table[] = {
	{"asked", "", "How often", run_asked},
	{"deed", "", "Changes something", run_deed, .acts = true},
	{"echo", "WORD", "The word", run_echo},
	{"failing", "", "Nothing", run_failing},
	{"later", "", "Not at once", run_later},
	{"many", "", "Numbers", run_many},
	{.name = NULL},
};

/* Listen at path; tell the parent by a byte: 0 or the errno of the failure. */
[[gnu::noreturn]] static void be_daemon(const char *path, int ready_fd)
{
	struct event_base *base = event_base_new();
	struct ctl_socket *sock = NULL;
	const int r = ctl_socket_open(base, path, table, NULL, &sock, NULL);
	const char byte = (char)-r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(ready_fd, &byte, 1) != 1 || r < 0)
		_exit(1);
	(void)event_base_dispatch(base);
	_exit(0);
}

/* Returns 0 or the errno with which the daemon gave up. */
static int start(struct rig *rig)
{
	int pipe_fds[2];
	char byte = 0;

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	rig->daemon = fork();
	assert_true(rig->daemon >= 0);
	if (rig->daemon == 0)
		be_daemon(rig->path, pipe_fds[1]);
	(void)close(pipe_fds[1]);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	(void)close(pipe_fds[0]);
	return byte;
}

static void kill_daemon(struct rig *rig)
{
	if (rig->daemon <= 0)
		return;
	(void)kill(rig->daemon, SIGKILL);
	(void)waitpid(rig->daemon, NULL, 0);
	rig->daemon = 0;
}

static int setup(void **state)
{
	struct rig *rig = g_new0(struct rig, 1);

	(void)g_strlcpy(rig->dir, "/tmp/wirecue-socket-XXXXXX", sizeof(rig->dir));
	assert_non_null(mkdtemp(rig->dir));
	assert_int_equal(chmod(rig->dir, 0755), 0); // another user shall reach it
	(void)snprintf(rig->path, sizeof(rig->path), "%s/control.sock", rig->dir);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	kill_daemon(rig);
	(void)unlink(rig->path);
	(void)rmdir(rig->dir);
	g_free(rig);
	return 0;
}

/* Run `show WORDS…` with its output in *ret_out and *ret_err (owned by the caller). The last word is
 * NULL. */
static int show(struct rig *rig, char **ret_out, char **ret_err, const char *const *words)
{
	char *argv[16] = {(char *)"show", (char *)"--socket", rig->path};
	g_autofree char *out_path = g_strdup_printf("%s.out", rig->dir);
	g_autofree char *err_path = g_strdup_printf("%s.err", rig->dir);
	int argc = 3, status;
	pid_t pid;

	for (; *words != NULL; words++)
		argv[argc++] = (char *)*words;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (freopen(out_path, "w", stdout) == NULL ||
			freopen(err_path, "w", stderr) == NULL)
			_exit(99);
		const int code = ctl_cmd_show(argc, argv);

		(void)fflush(NULL);
		_exit(code);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(g_file_get_contents(out_path, ret_out, NULL, NULL));
	assert_true(g_file_get_contents(err_path, ret_err, NULL, NULL));
	(void)unlink(out_path);
	(void)unlink(err_path);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void expect_show(
	struct rig *rig, const char *const *words, int code, const char *out, const char *err)
{
	g_autofree char *got_out = NULL, *got_err = NULL;
	const int got = show(rig, &got_out, &got_err, words);

	assert_string_equal(got_out, out);
	assert_string_equal(got_err, err);
	assert_int_equal(got, code);
}

static void show_prints_text_and_json(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(start(rig), 0);
	expect_show(
		rig, WORDS("echo", "two words"), 0, "word         count\n\"two words\"  1\n", "");
	expect_show(rig, WORDS("echo", "--json", "w"), 0, "{\"word\":\"w\",\"count\":1}\n", "");
	expect_show(rig, WORDS(), 0,
		"name     args  help\n"
		"asked    \"\"    \"How often\"\n"
		"echo     WORD  \"The word\"\n"
		"failing  \"\"    Nothing\n"
		"later    \"\"    \"Not at once\"\n"
		"many     \"\"    Numbers\n",
		"");
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

static int connect_raw(const struct rig *rig)
{
	const struct timeval patience = {.tv_sec = 5};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)g_strlcpy(addr.sun_path, rig->path, sizeof(addr.sun_path));
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	return fd;
}

static void send_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		const ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		assert_true(n > 0);
		text += n;
		len -= (size_t)n;
	}
}

/* Read until the peer closes or text has come; owned by the caller. */
static char *receive_until(int fd, const char *text)
{
	GString *got = g_string_new(NULL);
	char chunk[4096];
	ssize_t n;

	while (text == NULL || strstr(got->str, text) == NULL) {
		n = recv(fd, chunk, sizeof(chunk), 0);
		if (n <= 0)
			break;
		g_string_append_len(got, chunk, n);
	}
	return g_string_free(got, FALSE);
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
	g_autofree char *first = NULL, *second = NULL;
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

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(show_prints_text_and_json),
		RIG_TEST(exit_codes_tell_wrong_questions_from_failures),
		RIG_TEST(all_pages_are_shown),
		RIG_TEST(without_a_daemon_one_sentence_says_what_to_do),
		RIG_TEST(a_dead_socket_is_replaced_and_a_live_one_is_not),
		RIG_TEST(a_file_that_is_no_socket_is_left_alone),
		RIG_TEST(closing_removes_only_our_own_file),
		RIG_TEST(questions_in_pieces_and_in_heaps_are_answered_in_order),
		RIG_TEST(a_question_without_end_is_refused_and_closed),
		RIG_TEST(clients_that_do_not_read_are_bounded),
		RIG_TEST(while_one_waits_others_are_answered),
		RIG_TEST(a_client_that_waits_hears_that_the_daemon_lives),
		RIG_TEST(who_goes_away_while_waiting_is_not_asked_for_again),
		RIG_TEST(show_waits_for_what_is_not_there_at_once),
		RIG_TEST(strangers_are_not_answered_and_our_group_may_only_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
