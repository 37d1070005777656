// SPDX-License-Identifier: BSD-3-Clause
#include "tests/integration/socket_rig.h"

#include "control/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <event2/event.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

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

static const struct ctl_show_option summed_options[] = {{"host", "NAME"}, {NULL}};

/* A page of rows, then what they are about. */
static void run_summed(void *, const json_t *args, struct ctl_reply *reply)
{
	const char *host = ctl_args_text(args, "host");

	if (ctl_args_text(args, "after") == NULL) {
		(void)ctl_reply_add(reply, json_pack("{ss*}", "host", host));
		ctl_reply_next(reply, "1");
	} else {
		(void)ctl_reply_add(reply, json_pack("{ss si}", "summary", "one in all", "n", 1));
	}
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

const struct ctl_show table[] = {
	{"asked", "", "How often", run_asked},
	{"deed", "", "Changes something", run_deed, .acts = true},
	{"echo", "WORD", "The word", run_echo},
	{"failing", "", "Nothing", run_failing},
	{"later", "", "Not at once", run_later},
	{"many", "", "Numbers", run_many},
	{"summed", "", "With a sum", run_summed, .options = summed_options},
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
int start(struct rig *rig)
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

void kill_daemon(struct rig *rig)
{
	if (rig->daemon <= 0)
		return;
	(void)kill(rig->daemon, SIGKILL);
	(void)waitpid(rig->daemon, NULL, 0);
	rig->daemon = 0;
}

int setup(void **state)
{
	struct rig *rig = g_new0(struct rig, 1);

	(void)g_strlcpy(rig->dir, "/tmp/wirecue-socket-XXXXXX", sizeof(rig->dir));
	assert_non_null(mkdtemp(rig->dir));
	assert_int_equal(chmod(rig->dir, 0755), 0); // another user shall reach it
	(void)snprintf(rig->path, sizeof(rig->path), "%s/control.sock", rig->dir);
	*state = rig;
	return 0;
}

int teardown(void **state)
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
int show(struct rig *rig, char **ret_out, char **ret_err, const char *const *words)
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

void expect_show(
	struct rig *rig, const char *const *words, int code, const char *out, const char *err)
{
	g_autofree char *got_out = NULL, *got_err = NULL;
	const int got = show(rig, &got_out, &got_err, words);

	assert_string_equal(got_out, out);
	assert_string_equal(got_err, err);
	assert_int_equal(got, code);
}

int connect_raw(const struct rig *rig)
{
	const struct timeval patience = {.tv_sec = 5};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)g_strlcpy(addr.sun_path, rig->path, sizeof(addr.sun_path));
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	return fd;
}

void send_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		const ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		assert_true(n > 0);
		text += n;
		len -= (size_t)n;
	}
}

/* Read until the peer closes or text has come; owned by the caller. */
char *receive_until(int fd, const char *text)
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
