// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The functions behind commands: argv[0] is the command's name, the return value is the exit code
 * (0 success, 1 run-time failure, 2 wrong usage). They print and complain themselves. */

/* show WHAT [ARG] [--json] [--socket PATH]: ask the running daemon. Without WHAT: what there is. */
int ctl_cmd_show(int argc, char **argv);

/* subject ID [-c FILE]: the pseudonym of an identifier. */
int ctl_cmd_subject(int argc, char **argv);

/* check -c FILE: every mistake of every file on standard error and 2, or one line "ok: ..." and 0.
 * check --options: the reference of all options as markdown. */
int ctl_cmd_check(int argc, char **argv);
