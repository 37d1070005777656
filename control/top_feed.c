// SPDX-License-Identifier: BSD-3-Clause
#include "control/top_feed.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024, RETRIES_MAX = 3 };

struct ctl_top_feed {
	const char *path; // borrowed
	int fd; // -1: no round is under way
	enum ctl_top_what what; // the question that is asked
	char *after; // owned: the page that is asked for; NULL: the first
	unsigned int n_pages, n_retries;
	bool has_record; // of this question
	char *out; // owned: a request on its way
	size_t out_len, out_sent;
	GByteArray *in; // what came and is no whole line yet
	uint64_t begin_us; // 0: no step was taken yet
	struct ctl_top_sample *sample; // owned
};

struct ctl_top_feed *ctl_top_feed_new(const char *path)
{
	struct ctl_top_feed *feed = g_new0(struct ctl_top_feed, 1);

	feed->path = path;
	feed->fd = -1;
	feed->in = g_byte_array_new();
	return feed;
}

static void give_up(struct ctl_top_feed *feed)
{
	if (feed->fd >= 0)
		(void)close(feed->fd); // nothing that was written matters any more
	feed->fd = -1;
	g_free(feed->after);
	feed->after = NULL;
	free(feed->out);
	feed->out = NULL;
	(void)g_byte_array_set_size(feed->in, 0);
	ctl_top_sample_free(feed->sample);
	feed->sample = NULL;
}

void ctl_top_feed_free(struct ctl_top_feed *feed)
{
	if (feed == NULL)
		return;
	give_up(feed);
	g_byte_array_free(feed->in, TRUE);
	g_free(feed);
}

/* Put the question, or its next page, on its way. */
static int ask(struct ctl_top_feed *feed)
{
	json_t *request = json_pack("{ss ss s{ss*}}", "cmd", "show", "what",
		ctl_top_whats[feed->what], "args", "after", feed->after);
	char *line = json_dumps(request, JSON_COMPACT);

	json_decref(request);
	if (line == NULL)
		return -ENOMEM;
	free(feed->out);
	feed->out = line;
	feed->out_len = strlen(line) + 1; // with a newline instead of the NUL
	line[feed->out_len - 1] = '\n';
	feed->out_sent = 0;
	return 0;
}

static int fail_connect(const char *path, int error, struct dp_err *reterr)
{
	if (error == EACCES)
		return dp_fail(reterr, error,
			"no permission to ask the wirecue on '%s': be root, or of the daemon's "
			"group",
			path);
	if (error == EAGAIN)
		return dp_fail(reterr, error, "the wirecue on '%s' takes no more callers", path);
	errno = error; // for %m
	return dp_fail(reterr, error,
		"no wirecue answers on '%s' (%m): start it with 'wirecue run', or name its "
		"socket with --socket",
		path);
}

int ctl_top_feed_begin(struct ctl_top_feed *feed, struct dp_err *reterr)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int r;

	give_up(feed);
	if (g_strlcpy(addr.sun_path, feed->path, sizeof(addr.sun_path)) >= sizeof(addr.sun_path))
		return dp_fail(
			reterr, ENAMETOOLONG, "the path '%s' is too long for a socket", feed->path);
	feed->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (feed->fd < 0 || connect(feed->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		r = fail_connect(feed->path, errno, reterr);
		give_up(feed);
		return r;
	}
	feed->sample = ctl_top_sample_new();
	feed->what = 0;
	feed->n_pages = feed->n_retries = 0;
	feed->has_record = false;
	feed->begin_us = 0;
	r = ask(feed);
	if (r < 0) {
		give_up(feed);
		return dp_fail(reterr, -r, "cannot ask the wirecue on '%s': %m", feed->path);
	}
	return 0;
}

int ctl_top_feed_fd(const struct ctl_top_feed *feed)
{
	return feed->fd;
}

short ctl_top_feed_events(const struct ctl_top_feed *feed)
{
	return feed->out != NULL && feed->out_sent < feed->out_len ? POLLIN | POLLOUT : POLLIN;
}

/* Who is refused may find the connection closed for writing, and the reason in it: reading tells. */
static void send_some(struct ctl_top_feed *feed)
{
	ssize_t n;

	if (feed->out == NULL || feed->out_sent == feed->out_len)
		return;
	n = send(
		feed->fd, feed->out + feed->out_sent, feed->out_len - feed->out_sent, MSG_NOSIGNAL);
	if (n > 0)
		feed->out_sent += (size_t)n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		feed->out_sent = feed->out_len;
}

/* This question is answered. Returns 1 when it was the last. */
static int go_on(struct ctl_top_feed *feed)
{
	if (feed->what == CTL_TOP_AFTER_APPS && feed->n_retries < RETRIES_MAX &&
		ctl_top_sample_retry(feed->sample)) {
		feed->n_retries++;
		feed->what = CTL_TOP_APPS;
	} else {
		feed->what++;
	}
	feed->n_pages = 0;
	feed->has_record = false;
	g_free(feed->after);
	feed->after = NULL;
	return feed->what == CTL_TOP_WHAT_COUNT ? 1 : ask(feed);
}

/* The last line of a page. Of versions the newest are enough. */
static int end_page(struct ctl_top_feed *feed, const json_t *last)
{
	const char *next = json_string_value(json_object_get(last, "next"));

	feed->n_pages++;
	if (next != NULL && g_strcmp0(next, feed->after) != 0 &&
		feed->n_pages < CTL_TOP_PAGES_MAX && feed->what != CTL_TOP_HISTORY) {
		g_free(feed->after);
		feed->after = g_strdup(next);
		return ask(feed);
	}
	feed->sample->was_told[feed->what] = true;
	return go_on(feed);
}

/* An error of the first question is one of the whole round: nobody who may ask is refused it, unless
 * that wirecue does not know it. */
static int take_error(struct ctl_top_feed *feed, const char *error, struct dp_err *reterr)
{
	if (feed->what != CTL_TOP_NODE)
		return go_on(feed);
	return dp_fail(reterr, EPROTO, "the wirecue on '%s' answers: %.200s", feed->path, error);
}

static int take_line(struct ctl_top_feed *feed, const char *line, size_t len, struct dp_err *reterr)
{
	json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *error = json_string_value(json_object_get(object, "error"));
	int r = 0;

	if (!json_is_object(object))
		r = dp_fail(reterr, EPROTO,
			"what answers on '%s' is no wirecue: expected JSON objects, a line each",
			feed->path);
	else if (error != NULL)
		r = take_error(feed, error, reterr);
	else if (json_object_get(object, "end") != NULL)
		r = end_page(feed, object);
	else
		ctl_top_sample_add(feed->sample, feed->what, object);
	json_decref(object);
	return r;
}

/* Whole lines of what came, one after the other; the answer to one question asks the next. */
static int take_lines(struct ctl_top_feed *feed, struct dp_err *reterr)
{
	const uint8_t *begin = feed->in->data, *newline;
	const uint8_t *const end = begin + feed->in->len;
	int r = 0;

	for (; r == 0; begin = newline + 1) {
		newline = begin < end ? memchr(begin, '\n', (size_t)(end - begin)) : NULL;
		if (newline == NULL)
			break;
		r = take_line(feed, (const char *)begin, (size_t)(newline - begin), reterr);
	}
	if (begin > feed->in->data)
		(void)g_byte_array_remove_range(feed->in, 0, (guint)(begin - feed->in->data));
	if (r == 0 && feed->in->len > CTL_TOP_LINE_MAX)
		r = dp_fail(reterr, EMSGSIZE, "the wirecue on '%s' sends a line without end",
			feed->path);
	return r;
}

/* What is there, and no more than once around: the caller has keys to look after. */
static int read_some(struct ctl_top_feed *feed, struct dp_err *reterr)
{
	uint8_t bytes[READ_BYTES];
	const ssize_t n = recv(feed->fd, bytes, sizeof(bytes), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return dp_fail(
			reterr, ECONNRESET, "the wirecue on '%s' broke off its answer", feed->path);
	g_byte_array_append(feed->in, bytes, (guint)n);
	return take_lines(feed, reterr);
}

int ctl_top_feed_step(struct ctl_top_feed *feed, uint64_t now_us,
	struct ctl_top_sample **ret_sample, struct dp_err *reterr)
{
	int r;

	if (feed->begin_us == 0)
		feed->begin_us = now_us;
	send_some(feed);
	r = read_some(feed, reterr);
	if (r == 0 && now_us - feed->begin_us > CTL_TOP_PATIENCE_S * 1000000ULL)
		r = dp_fail(reterr, ETIMEDOUT, "the wirecue on '%s' does not answer within %d s",
			feed->path, CTL_TOP_PATIENCE_S);
	if (r == 1) {
		*ret_sample = feed->sample;
		feed->sample = NULL;
	}
	if (r != 0)
		give_up(feed);
	return r;
}
