// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Readiness for systemd (Type=notify), sd_notify(3)'s protocol without its library: one datagram
 * to $NOTIFY_SOCKET. Any thread; never blocks. */

/* state: "READY=1", "STOPPING=1", "STATUS=…", several separated by newlines. "RELOADING=1" gets
 * the MONOTONIC_USEC= that Type=notify-reload wants.
 * Returns 1 when told, 0 when nobody listens (not started by systemd), -errno when it failed. */
int ctl_notify(const char *state);
