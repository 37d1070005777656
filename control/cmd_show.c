// SPDX-License-Identifier: BSD-3-Clause
#include "control/commands.h"
#include "control/socket.h"
#include "control/table.h"
#include "dataplane/err.h"

#include <errno.h>
#include <getopt.h>
#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_S = 10 }; // the daemon answers from memory: start value

static const char usage[] =
	"usage: wirecue show [WHAT [ARG]] [--json] [--socket PATH]\n"
	"\n"
	"Asks the running daemon. Without WHAT: what can be shown.\n"
	"      --json         one JSON object a line\n"
	"      --socket PATH  where it answers, instead of $WIRECUE_CONTROL_SOCKET or\n"
	"                     " CTL_SOCKET_PATH "\n"
	"  -h, --help         this text\n";

struct question {
	const char *what, *arg; // NULL = not given
	const char *path;
	bool is_json;
};

/* Returns the connection as a stream, or NULL and a sentence. */
static FILE *ask_open(const char *path, struct dp_err *reterr)
{
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
		(void)dp_fail(reterr, errno,
			errno == EACCES
				? "no permission to ask the wirecue on '%s': be root, or of the "
				  "daemon's group"
				: "no wirecue answers on '%s' (%m): start it with 'wirecue run', or "
				  "name its socket with --socket",
			path);
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

static int send_question(FILE *stream, const struct question *question, const char *after)
{
	json_t *request = question->what == NULL
		? json_pack("{ss}", "cmd", "list")
		: json_pack("{ss ss s{ss* ss*}}", "cmd", "show", "what", question->what, "args",
			  "arg", question->arg, "after", after);
	char *line = json_dumps(request, JSON_COMPACT);
	size_t len;
	ssize_t n = 0;

	json_decref(request);
	if (line == NULL)
		return -ENOMEM;
	len = strlen(line);
	line[len++] = '\n'; // instead of the NUL
	for (size_t sent = 0; sent < len && n >= 0; sent += (size_t)n)
		n = send(fileno(stream), line + sent, len - sent, MSG_NOSIGNAL);
	free(line);
	return n < 0 ? -errno : 0;
}

/* One page: records go to ret_records (or to standard output), the last line is returned, owned by
 * the caller. NULL when the daemon broke off. */
static json_t *read_page(FILE *stream, bool is_json, GPtrArray *ret_records)
{
	char *line = NULL;
	size_t size = 0;
	json_t *object = NULL;

	while (getline(&line, &size, stream) > 0) {
		object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		if (!json_is_object(object)) {
			json_decref(object);
			object = NULL;
			break;
		}
		if (json_object_get(object, "end") != NULL ||
			json_object_get(object, "error") != NULL)
			break;
		if (is_json)
			(void)fputs(line, stdout); // asked for errors at the end
		else
			g_ptr_array_add(ret_records, json_incref(object));
		json_decref(object);
		object = NULL;
	}
	free(line);
	return object;
}

static void free_json(gpointer json)
{
	json_decref(json);
}

/* All pages. Returns the exit code. */
static int show_pages(FILE *stream, const struct question *question)
{
	g_autofree char *after = NULL;
	struct ctl_table table;
	int code = -1;

	ctl_table_init(&table);
	while (code < 0) {
		GPtrArray *records = g_ptr_array_new_with_free_func(free_json);
		json_t *last = NULL;
		const char *error, *next;
		const int r = send_question(stream, question, after);

		// Who is refused may find the connection closed already, and the reason in it.
		if (r == 0 || r == -EPIPE || r == -ECONNRESET)
			last = read_page(stream, question->is_json, records);
		error = json_string_value(json_object_get(last, "error"));
		next = json_string_value(json_object_get(last, "next"));
		ctl_table_print(&table, records, stdout);
		if (last == NULL) {
			(void)fprintf(stderr,
				"wirecue: the daemon on '%s' broke off its answer; see its log\n",
				question->path);
			code = 1;
		} else if (error != NULL) {
			(void)fprintf(stderr, "wirecue: %s\n", error);
			code = json_is_true(json_object_get(last, "usage")) ? 2 : 1;
		} else if (next == NULL || g_strcmp0(next, after) == 0) {
			code = 0; // complete; a page that leads to itself never would be
		} else {
			g_free(after);
			after = g_strdup(next);
		}
		json_decref(last);
		g_ptr_array_free(records, TRUE);
	}
	ctl_table_fini(&table);
	return code;
}

/* Returns -1 to go on, else the exit code. */
static int parse_args(int argc, char **argv, struct question *question)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"socket", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	optind = 0; // a new scan: the caller has done its own
	while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
		switch (c) {
		case 'j':
			question->is_json = true;
			break;
		case 's':
			question->path = optarg;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			return 0;
		default:
			return ctl_complain_option(c, argv);
		}
	}
	if (argc - optind > 2)
		return ctl_complain(CTL_EXIT_USAGE,
			"show: '%s' is too much, expected WHAT and one ARG at most",
			argv[optind + 2]);
	question->what = optind < argc ? argv[optind] : NULL;
	question->arg = optind + 1 < argc ? argv[optind + 1] : NULL;
	for (int i = optind; i < argc; i++) {
		if (g_utf8_validate(argv[i], -1, NULL))
			continue;
		(void)fprintf(stderr, "wirecue: expected words in UTF-8\n"); // for JSON
		return 2;
	}
	return -1;
}

int ctl_cmd_show(int argc, char **argv)
{
	const char *env = getenv("WIRECUE_CONTROL_SOCKET"); // as `run` reads it
	struct question question = {.path = env != NULL && env[0] != '\0' ? env : CTL_SOCKET_PATH};
	struct dp_err err;
	FILE *stream;
	int code;

	code = parse_args(argc, argv, &question);
	if (code >= 0)
		return code;
	(void)signal(SIGPIPE, SIG_DFL); // 'wirecue show apps | head' ends like any other
	stream = ask_open(question.path, &err);
	if (stream == NULL) {
		(void)fprintf(stderr, "wirecue: %s\n", err.text);
		return 1;
	}
	code = show_pages(stream, &question);
	(void)fclose(stream); // everything was flushed
	if (fflush(stdout) != 0) {
		(void)fprintf(stderr, "wirecue: cannot write the answer: %s\n", strerror(errno));
		return 1;
	}
	return code;
}
