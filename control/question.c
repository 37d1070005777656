// SPDX-License-Identifier: BSD-3-Clause
#include "control/question.h"

#include "control/commands.h"
#include "control/socket.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_S = 10 }; // without a word, not even a blank line (CTL_REPLY_ALIVE_S): start value

const char *ctl_question_path(void)
{
	const char *env = getenv("WIRECUE_CONTROL_SOCKET"); // as `run` reads it

	return env != NULL && env[0] != '\0' ? env : CTL_SOCKET_PATH;
}

/* The socket's mode keeps others than user and group out before anybody is asked (control/socket.h). */
static void refused(const struct ctl_asking *asking, struct dp_err *reterr)
{
	const char *path = asking->path;

	if (errno != EACCES)
		(void)dp_fail(reterr, errno,
			"no wirecue answers on '%s' (%m): start it with 'wirecue run', or name its "
			"socket with --socket",
			path);
	else if (asking->acts)
		(void)dp_fail(reterr, EACCES,
			"no permission to change something of the wirecue on '%s': be root, or the "
			"daemon's own user",
			path);
	else
		(void)dp_fail(reterr, EACCES,
			"no permission to ask the wirecue on '%s': be root, or of the daemon's group",
			path);
}

/* Returns the connection, closed with fclose(), or NULL and a sentence. */
static FILE *open_connection(const struct ctl_asking *asking, struct dp_err *reterr)
{
	const char *path = asking->path;
	const struct timeval patience = {.tv_sec = ANSWER_S};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	FILE *stream;
	int fd;

	if (g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path)) >= sizeof(addr.sun_path)) {
		(void)dp_fail(reterr, ENAMETOOLONG, "the path '%s' is too long for a socket", path);
		return NULL;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
		connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		refused(asking, reterr);
		if (fd >= 0)
			(void)close(fd); // nothing was written
		return NULL;
	}
	stream = fdopen(fd, "r"); // for reading; questions go to the descriptor
	if (stream == NULL) {
		(void)dp_fail(reterr, errno, "cannot talk to '%s': %m", path);
		(void)close(fd); // nothing was written
	}
	return stream;
}

/* NULL: no memory, or not UTF-8. */
static json_t *request_of(const struct ctl_question *q)
{
	json_t *args;

	if (q->what == NULL)
		return json_pack("{ss}", "cmd", q->cmd);
	args = json_pack("{ss* ss* ss*}", "arg", q->arg, "after", q->after, "why", q->why);
	if (args == NULL || (q->options != NULL && json_object_update(args, q->options) != 0)) {
		json_decref(args);
		return NULL;
	}
	return json_pack("{ss ss so}", "cmd", q->cmd, "what", q->what, "args", args);
}

static int send_question(FILE *connection, const struct ctl_question *question)
{
	json_t *request = request_of(question);
	char *line = json_dumps(request, JSON_COMPACT);
	size_t len;
	ssize_t n = 0;

	json_decref(request);
	if (line == NULL)
		return -ENOMEM;
	len = strlen(line);
	line[len++] = '\n'; // instead of the NUL
	for (size_t sent = 0; sent < len && n >= 0; sent += (size_t)n)
		n = send(fileno(connection), line + sent, len - sent, MSG_NOSIGNAL);
	free(line);
	return n < 0 ? -errno : 0;
}

static json_t *read_page(FILE *connection, FILE *raw, GPtrArray *ret_records)
{
	char *line = NULL;
	size_t size = 0;
	json_t *object = NULL;
	bool is_silent;

	while (getline(&line, &size, connection) > 0) {
		if (line[0] == '\n')
			continue; // it lives, and we wait
		object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		if (!json_is_object(object)) {
			json_decref(object);
			object = NULL;
			break;
		}
		if (json_object_get(object, "end") != NULL ||
			json_object_get(object, "error") != NULL)
			break;
		if (raw != NULL)
			(void)fputs(line, raw); // asked for errors at the end
		else
			g_ptr_array_add(ret_records, json_incref(object));
		json_decref(object);
		object = NULL;
	}
	is_silent = object == NULL && ferror(connection) != 0 && errno == EAGAIN;
	free(line);
	return is_silent ? json_pack("{s:o}", "error",
				   json_sprintf("the daemon has said nothing for %d s: it is "
						"stopped, or has no CPU; see its log",
					   ANSWER_S))
			 : object;
}

json_t *ctl_question_ask(
	FILE *connection, const struct ctl_question *question, FILE *raw, GPtrArray *ret_records)
{
	const int r = send_question(connection, question);

	// Who is refused may find the connection closed already, and the reason in it.
	if (r == 0 || r == -EPIPE || r == -ECONNRESET)
		return read_page(connection, raw, ret_records);
	return NULL;
}

int ctl_question_complain(const json_t *last, const char *path)
{
	const char *error = json_string_value(json_object_get(last, "error"));

	if (last == NULL) {
		(void)fprintf(stderr,
			"wirecue: the daemon on '%s' broke off its answer; see its log\n", path);
		return 1;
	}
	if (error == NULL)
		return -1;
	(void)fprintf(stderr, "wirecue: %s\n", error);
	return json_is_true(json_object_get(last, "usage")) ? 2 : 1;
}

void ctl_question_free_record(void *record)
{
	json_decref(record);
}

enum { OPT_FIRST = 256 }; // of the further ones

/* Returns -1 to go on, else the exit code. */
static int set_option(const char *name, const char *text, json_t *options)
{
	if (json_object_set_new(options, name, json_string(text)) == 0)
		return -1;
	return ctl_complain(CTL_EXIT_USAGE, "--%s: expected a text in UTF-8", name);
}

int ctl_question_options_of(int argc, char **argv, const char *usage, const char *const *names,
	json_t *given, struct ctl_asking *ret_asking)
{
	struct option options[3 + CTL_QUESTION_NAMES + 1] = {
		{"json", no_argument, NULL, 'j'},
		{"socket", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
	};
	int c, code = -1;

	for (int i = 0; names[i] != NULL; i++)
		options[3 + i] = (struct option){names[i], required_argument, NULL, OPT_FIRST + i};
	*ret_asking = (struct ctl_asking){.path = ctl_question_path()};
	optind = 0; // a new scan: the caller has done its own
	while (code < 0 && (c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
		switch (c) {
		case 'j':
			ret_asking->is_json = true;
			break;
		case 's':
			ret_asking->path = optarg;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			return CTL_EXIT_OK;
		case ':':
		case '?':
			return ctl_complain_option(c, argv);
		default:
			code = set_option(names[c - OPT_FIRST], optarg, given);
			break;
		}
	}
	return code;
}

int ctl_question_options(int argc, char **argv, const char *usage, struct ctl_asking *ret_asking)
{
	static const char *const none[] = {NULL};

	return ctl_question_options_of(argc, argv, usage, none, NULL, ret_asking);
}

int ctl_question_run(const struct ctl_asking *asking,
	int (*ask)(FILE *connection, const struct ctl_asking *asking, const void *ctx),
	const void *ctx)
{
	struct dp_err err;
	FILE *connection;
	int code;

	(void)signal(SIGPIPE, SIG_DFL); // 'wirecue show apps | head' ends like any other
	connection = open_connection(asking, &err);
	if (connection == NULL)
		return ctl_complain(CTL_EXIT_FAILURE, "%s", err.text);
	code = ask(connection, asking, ctx);
	(void)fclose(connection); // everything was flushed
	if (fflush(stdout) != 0 || ferror(stdout)) // what failed before may be gone from the buffer
		return ctl_complain(
			CTL_EXIT_FAILURE, "cannot write the answer: %s", strerror(errno));
	return code;
}
