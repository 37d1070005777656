// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A process with a control socket, `wirecue show` against it, and clients that write by hand. */

#include "control/socket.h"

#include <sys/types.h>

struct rig {
	char dir[64];
	char path[96];
	pid_t daemon;
};

/* asked, deed (to do), echo, failing, later, many, summed. */
extern const struct ctl_show table[];

/* Fixtures of a test: *state is a rig, whose process is started by the test. */
int setup(void **state);
int teardown(void **state);

/* Returns 0 or the errno with which the daemon gave up. */
int start(struct rig *rig);
void kill_daemon(struct rig *rig);

/* Run `show WORDS…` with its output in *ret_out and *ret_err (owned by the caller). The last word is
 * NULL. */
int show(struct rig *rig, char **ret_out, char **ret_err, const char *const *words);
#define WORDS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
void expect_show(
	struct rig *rig, const char *const *words, int code, const char *out, const char *err);

int connect_raw(const struct rig *rig);
void send_all(int fd, const char *text, size_t len);

/* Read until the peer closes or text has come; owned by the caller. */
char *receive_until(int fd, const char *text);

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
