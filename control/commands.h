// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The commands: one table entry each (control/main.c). argv[0] is the command's name, the return
 * value is the exit code. They print and complain themselves. */

enum { CTL_EXIT_OK = 0, CTL_EXIT_FAILURE = 1, CTL_EXIT_USAGE = 2 };

struct ctl_cmd {
	const char *name;
	const char *args; // for the usage line
	const char *help; // one line
	int (*run)(int argc, char **argv);
};

/* Print "wirecue: sentence" to standard error; returns status. */
[[gnu::format(printf, 2, 3)]] int ctl_complain(int status, const char *fmt, ...);

/* Print a mistake of the configuration (a ctl_mistake_fn) to standard error, as it is: positions are
 * for editors to read. ctx is not used. */
void ctl_print_mistake(void *ctx, const char *text);

/* Print the sentence about an option that getopt_long() has just refused. Its short options begin
 * with ':', so that it says nothing itself. c is what it returned: ':' a value is missing, '?' there
 * is no such option (or it takes no value). Returns CTL_EXIT_USAGE. */
int ctl_complain_option(int c, char *const argv[]);

/* run -c FILE: the daemon, in the foreground. */
int ctl_cmd_run(int argc, char **argv);

/* replay CAPTURE...: the same pipeline over capture files. */
int ctl_cmd_replay(int argc, char **argv);

/* check -c FILE: every mistake of every file; check --options: the reference of all options. */
int ctl_cmd_check(int argc, char **argv);

/* apps WHAT: the workbench, see control/apps_commands.h. */
int ctl_cmd_apps(int argc, char **argv);

/* show WHAT [ARG] [--json] [--socket PATH]: ask the running daemon. Without WHAT: what there is. */
int ctl_cmd_show(int argc, char **argv);

/* top [--interval SECONDS] [--batch [-n N] [--json]]: rates of the running daemon, on the terminal. */
int ctl_cmd_top(int argc, char **argv);

/* stream [resend|continue] [--json] [--socket PATH]: how stream and outbox stand, and the operator's
 * choice when they do not fit. */
int ctl_cmd_stream(int argc, char **argv);

/* subject ID [-c FILE]: the pseudonym of an identifier. */
int ctl_cmd_subject(int argc, char **argv);

/* store check|dump|compact|backup|restore: what survives a restart, without the daemon. */
int ctl_cmd_store(int argc, char **argv);
