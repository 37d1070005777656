// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The control socket: where `wirecue show` and `wirecue stream` ask the running daemon (control/request.h).
 *
 * A Unix stream socket, mode 0660. Only root and the daemon's own user or group are answered, and only
 * root and the user when something is to be changed; the kernel says who asks. Slow, silent and talkative clients cost a bounded buffer each and are shut
 * out after a while. Thread of the event base only. */

#include "control/request.h"
#include "dataplane/err.h"

enum {
	CTL_SOCKET_CLIENTS_MAX = 16,
	CTL_SOCKET_IDLE_S = 60, // start values
	CTL_SOCKET_WRITE_S = 10,
};

#define CTL_SOCKET_PATH "/run/wirecue/control.sock"

struct event_base;
struct ctl_socket;

/* table and ctx are borrowed until close. Ignores SIGPIPE for the process. A socket file that nobody listens on is replaced; returns
 * -EADDRINUSE when another process answers there, -EEXIST when the path is something else. */
[[nodiscard]] int ctl_socket_open(struct event_base *base, const char *path,
	const struct ctl_show *table, void *ctx, struct ctl_socket **ret_socket,
	struct dp_err *reterr);

/* Removes the file, if it is still ours. */
void ctl_socket_close(struct ctl_socket *socket);
