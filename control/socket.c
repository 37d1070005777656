// SPDX-License-Identifier: BSD-3-Clause
#include "control/socket.h"

#include "control/log.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct client {
	struct ctl_socket *socket; // borrowed
	struct bufferevent *bev; // owned, and the connection with it
	struct client *next, **link; // in ctl_socket.clients
	struct ctl_asker asker;
	bool is_last; // close when the answer is written
	struct ctl_request *waiting; // owned; NULL: nothing is being waited for
	struct event *again; // owned: asks the handler that waits
	gint64 give_up_us, alive_us; // monotonic: then the wait is over, the next blank line is due
};

struct ctl_socket {
	struct event_base *base; // borrowed
	const struct ctl_show *table; // borrowed
	void *ctx;
	char *path; // owned
	dev_t dev; // the file we made
	ino_t ino;
	struct evconnlistener *listener; // owned, and its descriptor
	struct client *clients;
	size_t n_clients;
};

static void client_free(struct client *client)
{
	*client->link = client->next;
	if (client->next != NULL)
		client->next->link = client->link;
	client->socket->n_clients--;
	ctl_request_free(client->waiting);
	if (client->again != NULL)
		event_free(client->again);
	bufferevent_free(client->bev);
	g_free(client);
}

/* Answer and hear nothing more from that client until it has read the answer. */
static void answer(struct client *client, const char *text, size_t len)
{
	(void)bufferevent_disable(client->bev, EV_READ); // fails on no bufferevent only
	if (bufferevent_write(client->bev, text, len) != 0)
		client->is_last = true; // no memory: the empty buffer closes it
}

static void refuse(struct client *client, const char *sentence)
{
	g_autofree char *line = g_strdup_printf("{\"error\":\"%s\"}\n", sentence);

	client->is_last = true;
	answer(client, line, strlen(line));
}

/* --- a handler that waits ----------------------------------------------------------------------- */

static gint64 seconds(int n)
{
	return n * G_USEC_PER_SEC;
}

/* Nobody is there any more. One that only writes nothing more (`nc -N`) still gets its answer. */
static bool has_gone(const struct client *client)
{
	struct pollfd fd = {.fd = bufferevent_getfd(client->bev)};

	return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLHUP | POLLERR)) != 0;
}

/* Answer what is asked, or ask again in a while. */
static void ask(struct client *client)
{
	static const struct timeval pause = {.tv_usec = CTL_REPLY_ASK_MS * 1000};
	size_t len;
	char *text = ctl_request_answer(
		client->waiting, client->socket->table, client->socket->ctx, &len);

	if (text == NULL && g_get_monotonic_time() >= client->give_up_us)
		text = ctl_request_give_up(client->waiting, &len);
	if (text == NULL && event_add(client->again, &pause) == 0)
		return;
	if (text == NULL) // no memory
		text = ctl_request_give_up(client->waiting, &len);
	g_clear_pointer(&client->waiting, ctl_request_free);
	answer(client, text, len);
	g_free(text);
}

static void on_again(evutil_socket_t, short, void *arg)
{
	struct client *client = arg;
	const gint64 now_us = g_get_monotonic_time();

	if (has_gone(client)) {
		client_free(client);
		return;
	}
	if (now_us >= client->alive_us) {
		client->alive_us = now_us + seconds(CTL_REPLY_ALIVE_S);
		(void)bufferevent_write(client->bev, "\n", 1); // the next one may have memory
	}
	ask(client);
}

/* The request is given. */
static void begin(struct client *client, struct ctl_request *given)
{
	const gint64 now_us = g_get_monotonic_time();

	client->waiting = given;
	client->give_up_us = now_us + seconds(CTL_REPLY_WAIT_S);
	client->alive_us = now_us + seconds(CTL_REPLY_ALIVE_S);
	(void)bufferevent_disable(client->bev, EV_READ); // fails on no bufferevent only
	ask(client);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(bev);
	struct client *client = arg;
	const struct evbuffer_ptr end = evbuffer_search_eol(input, NULL, NULL, EVBUFFER_EOL_LF);
	size_t line_len;
	char *line;

	if (end.pos > CTL_REQUEST_MAX ||
		(end.pos < 0 && evbuffer_get_length(input) >= CTL_REQUEST_MAX)) {
		refuse(client, "expected a request of at most 64 KiB");
		return;
	}
	if (end.pos < 0)
		return; // not complete yet
	line = evbuffer_readln(input, &line_len, EVBUFFER_EOL_LF);
	if (line == NULL) {
		refuse(client, "out of memory");
		return;
	}
	begin(client, ctl_request_new(&client->asker, line, line_len));
	free(line);
}

/* The answer is written. */
static void on_written(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;

	if (client->waiting != NULL)
		return; // it was a blank line
	if (client->is_last) {
		client_free(client);
		return;
	}
	(void)bufferevent_enable(bev, EV_READ); // fails on no bufferevent only
	if (evbuffer_get_length(bufferevent_get_input(bev)) > 0)
		on_read(bev, client); // asked before the answer was read
}

/* Closed, broken, too slow. A half-closed client (`nc -N`) still gets its answer. */
static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct client *client = arg;
	const bool is_writing = evbuffer_get_length(bufferevent_get_output(bev)) > 0;

	if ((what & BEV_EVENT_EOF) != 0 && (is_writing || client->waiting != NULL))
		client->is_last = true;
	else
		client_free(client);
}

/* Is our group among those the peer had when it connected? */
static bool is_of_our_group(int fd, const struct ucred *peer)
{
	gid_t groups[256];
	socklen_t groups_len = sizeof(groups);

	if (peer->gid == getegid())
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_len) < 0)
		return false; // of more than 256 groups: not one of ours, then
	for (size_t i = 0; i < groups_len / sizeof(groups[0]); i++) {
		if (groups[i] == getegid())
			return true;
	}
	return false;
}

/* Root and our user are answered everything, our group what changes nothing, others nothing. */
static bool is_allowed(int fd, struct ctl_asker *ret_asker)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	*ret_asker = (struct ctl_asker){
		.uid = peer.uid, .may_act = peer.uid == 0 || peer.uid == geteuid()};
	return ret_asker->may_act || is_of_our_group(fd, &peer);
}

static void on_accept(
	struct evconnlistener *, evutil_socket_t fd, struct sockaddr *, int, void *arg)
{
	const struct timeval idle = {.tv_sec = CTL_SOCKET_IDLE_S};
	const struct timeval write = {.tv_sec = CTL_SOCKET_WRITE_S};
	struct ctl_socket *sock = arg;
	struct client *client;
	struct bufferevent *bev;

	bev = bufferevent_socket_new(sock->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (bev == NULL) {
		(void)close(fd); // nothing was written yet
		return;
	}
	client = g_new0(struct client, 1);
	*client = (struct client){
		.socket = sock, .bev = bev, .next = sock->clients, .link = &sock->clients};
	client->again = evtimer_new(sock->base, on_again, client);
	if (client->next != NULL)
		client->next->link = &client->next;
	sock->clients = client;
	sock->n_clients++;
	bufferevent_setcb(bev, on_read, on_written, on_event, client);
	bufferevent_setwatermark(bev, EV_READ, 0, CTL_REQUEST_MAX);
	(void)bufferevent_set_timeouts(bev, &idle, &write); // sockets have them
	if (!is_allowed(fd, &client->asker)) {
		ctl_log(CTL_LOG_WARNING, "control_refused",
			CTL_TEXT("cause", "not root, nor the daemon's user or group"));
		refuse(client, "only root and the daemon's own user or group are answered");
	} else if (sock->n_clients > CTL_SOCKET_CLIENTS_MAX) {
		refuse(client, "too many clients at a time, try again");
	} else if (client->again == NULL) {
		refuse(client, "out of memory");
	} else {
		(void)bufferevent_enable(bev, EV_READ); // fails on no bufferevent only
	}
}

/* Is somebody listening at addr? */
static bool is_answered(const struct sockaddr_un *addr)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool is_yes;

	if (fd < 0)
		return true; // cannot tell: better not to remove it
	is_yes = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ||
		errno != ECONNREFUSED;
	(void)close(fd); // nothing was written
	return is_yes;
}

/* Make room for our file. */
static int path_clear(const struct sockaddr_un *addr, struct dp_err *reterr)
{
	struct stat st;

	if (lstat(addr->sun_path, &st) < 0) {
		if (errno == ENOENT)
			return 0;
		return dp_fail(reterr, errno, "cannot look at '%s': %m", addr->sun_path);
	}
	if (!S_ISSOCK(st.st_mode))
		return dp_fail(reterr, EEXIST,
			"'%s' exists and is no socket; set control.socket to a path of its own",
			addr->sun_path);
	if (is_answered(addr))
		return dp_fail(reterr, EADDRINUSE,
			"another wirecue answers on '%s'; stop it, or give this one a control.socket of "
			"its own",
			addr->sun_path);
	if (unlink(addr->sun_path) < 0 && errno != ENOENT)
		return dp_fail(reterr, errno, "cannot replace '%s', which nobody listens on: %m",
			addr->sun_path);
	return 0;
}

/* Returns the listening descriptor. */
static int bind_at(const struct sockaddr_un *addr, struct dp_err *reterr)
{
	g_autofree char *dir = g_path_get_dirname(addr->sun_path);
	int dir_fd, fd = -1, r;

	// Two that start at once: the lock lets one look, replace and bind before the other looks.
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return dp_fail(reterr, errno, "cannot open '%s' for the control socket: %m", dir);
	if (flock(dir_fd, LOCK_EX) < 0) {
		r = dp_fail(reterr, errno, "cannot lock '%s': %m", dir);
		goto out;
	}
	r = path_clear(addr, reterr);
	if (r < 0)
		goto out;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || fchmod(fd, 0660) < 0 || // the mode bind(2) gives the file
		bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 ||
		chmod(addr->sun_path, 0660) < 0 || listen(fd, CTL_SOCKET_CLIENTS_MAX) < 0) {
		r = dp_fail(
			reterr, errno, "cannot make the control socket '%s': %m", addr->sun_path);
		if (fd >= 0)
			(void)close(fd); // nobody has connected
		goto out;
	}
	r = fd;
out:
	(void)close(dir_fd); // and the lock with it
	return r;
}

int ctl_socket_open(struct event_base *base, const char *path, const struct ctl_show *table,
	void *ctx, struct ctl_socket **ret_socket, struct dp_err *reterr)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct ctl_socket *sock;
	struct stat st = {0};
	int fd;

	if (g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path)) >= sizeof(addr.sun_path))
		return dp_fail(reterr, ENAMETOOLONG,
			"the path of the control socket '%s' is longer than %zu bytes", path,
			sizeof(addr.sun_path) - 1);
	(void)signal(SIGPIPE, SIG_IGN); // libevent writes to clients that may be gone
	fd = bind_at(&addr, reterr);
	if (fd < 0)
		return fd;
	(void)lstat(path, &st); // gone again: then it is not ours to remove

	sock = g_new0(struct ctl_socket, 1);
	*sock = (struct ctl_socket){.base = base,
		.table = table,
		.ctx = ctx,
		.path = g_strdup(path),
		.dev = st.st_dev,
		.ino = st.st_ino};
	sock->listener = evconnlistener_new(
		base, on_accept, sock, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (sock->listener == NULL) {
		(void)close(fd); // nobody was accepted
		ctl_socket_close(sock);
		return dp_fail(reterr, ENOMEM, "cannot listen on '%s': %m", path);
	}
	*ret_socket = sock;
	return 0;
}

void ctl_socket_close(struct ctl_socket *sock)
{
	struct stat st;

	if (sock == NULL)
		return;
	while (sock->clients != NULL)
		client_free(sock->clients);
	if (sock->listener != NULL)
		evconnlistener_free(sock->listener);
	if (lstat(sock->path, &st) == 0 && st.st_dev == sock->dev && st.st_ino == sock->ino)
		(void)unlink(sock->path); // a file left behind is replaced at the next start
	g_free(sock->path);
	g_free(sock);
}
