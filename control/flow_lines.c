// SPDX-License-Identifier: BSD-3-Clause
#include "control/flow_lines.h"

#include "control/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define THIS_PROGRAM "/proc/self/exe"
enum { FLOWS_FD = 3 }; // of the child
#define FLOWS_PATH "/proc/self/fd/3"

struct ctl_flow_lines {
	FILE *in; // NULL: read to the end, or given up
	pid_t pid; // 0: has been waited for
	int status; // of waitpid(), once pid is 0
	bool is_cut; // its last line has no end
	bool is_lost; // nobody knows how it ended
	int said_fd; // -1: ours
	char *said; // NULL: not asked for yet
	size_t n_read; // lines
	char line[CTL_FLOW_LINE_MAX + 1];
};

static GPtrArray *arguments(const struct ctl_flow_lines_config *c)
{
	static const char *const always[] = {
		"wirecue", "replay", "--no-redis", "--flows", FLOWS_PATH};
	const struct {
		const char *option, *value;
	} given[] = {{"-c", c->config}, {"--apps", c->apps}, {"--workers", c->n_workers}};
	GPtrArray *args = g_ptr_array_new();

	for (size_t i = 0; i < G_N_ELEMENTS(always); i++)
		g_ptr_array_add(args, (void *)always[i]);
	for (size_t i = 0; i < G_N_ELEMENTS(given); i++) {
		if (given[i].value == NULL)
			continue;
		g_ptr_array_add(args, (void *)given[i].option);
		g_ptr_array_add(args, (void *)given[i].value);
	}
	g_ptr_array_add(args, (void *)"--");
	for (size_t i = 0; i < c->n_captures; i++)
		g_ptr_array_add(args, (void *)c->captures[i]);
	g_ptr_array_add(args, NULL);
	return args;
}

/* In the child. What stands at FLOWS_FD may be our end of the flows, or what is kept of another child:
 * of no use here. */
static bool arrange(int flows_fd, int said_fd)
{
	const int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC); // for its report

	if (null_fd < 0 || dup2(null_fd, STDOUT_FILENO) < 0 ||
		(said_fd >= 0 && dup2(said_fd, STDERR_FILENO) < 0))
		return false;
	// Onto itself dup2() would leave the flag that closes it.
	if (flows_fd == FLOWS_FD)
		return fcntl(flows_fd, F_SETFD, 0) == 0;
	return dup2(flows_fd, FLOWS_FD) >= 0;
}

/* Whoever waited for the flows is gone: so are they. (Not posix_spawn(), which cannot ask for that.) */
static bool die_with(pid_t parent)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

static pid_t start(const struct ctl_flow_lines_config *c, int flows_fd, int said_fd)
{
	GPtrArray *args = arguments(c);
	const char *program = c->program != NULL ? c->program : THIS_PROGRAM;
	const pid_t parent = getpid();
	pid_t pid;

	(void)fflush(NULL); // what is buffered is written once
	pid = fork();
	if (pid < 0)
		pid = -errno;
	if (pid == 0) {
		if (die_with(parent) && arrange(flows_fd, said_fd))
			(void)execv(program, (char **)args->pdata);
		_exit(ctl_complain(CTL_EXIT_FAILURE, "cannot run '%s': %m", program));
	}
	g_ptr_array_free(args, TRUE);
	return pid;
}

static int open_ends(struct ctl_flow_lines *l, bool is_silent, int *ret_flows_fd)
{
	int fds[2];

	if (is_silent) {
		l->said_fd = memfd_create("said", MFD_CLOEXEC);
		if (l->said_fd < 0)
			return -errno;
	}
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	l->in = fdopen(fds[0], "r");
	if (l->in == NULL) {
		const int r = -errno;

		(void)close(fds[0]);
		(void)close(fds[1]);
		return r;
	}
	*ret_flows_fd = fds[1];
	return 0;
}

int ctl_flow_lines_open(const struct ctl_flow_lines_config *config,
	struct ctl_flow_lines **ret_lines, struct dp_err *reterr)
{
	struct ctl_flow_lines *l = g_new0(struct ctl_flow_lines, 1);
	int flows_fd = -1, r;

	l->said_fd = -1;
	r = open_ends(l, config->is_silent, &flows_fd);
	if (r == 0) {
		l->pid = start(config, flows_fd, l->said_fd);
		r = MIN(l->pid, 0);
		(void)close(flows_fd);
	}
	if (r < 0) {
		l->pid = 0;
		ctl_flow_lines_free(l);
		return dp_fail(reterr, -r, "cannot start a replay of the captures: %m");
	}
	*ret_lines = l;
	return 0;
}

static int parse(
	const struct ctl_flow_lines *l, size_t len, json_t **ret_flow, struct dp_err *reterr)
{
	json_error_t error;
	json_t *flow = json_loadb(l->line, len, JSON_REJECT_DUPLICATES, &error);

	if (flow == NULL || !json_is_object(flow)) {
		json_decref(flow);
		return dp_fail(reterr, EPROTO,
			"flow %zu of the replay: %s, expected a JSON object a line", l->n_read,
			flow == NULL ? error.text : "no object");
	}
	*ret_flow = flow;
	return 1;
}

int ctl_flow_lines_next(struct ctl_flow_lines *l, json_t **ret_flow, struct dp_err *reterr)
{
	size_t len;

	if (l->in == NULL)
		return 0;
	errno = 0;
	if (fgets(l->line, sizeof(l->line), l->in) == NULL)
		return ferror(l->in) ? dp_fail(reterr, errno, "cannot read from the replay: %m")
				     : 0;
	l->n_read++;
	len = strlen(l->line);
	if (len > 0 && l->line[len - 1] == '\n')
		return parse(l, len, ret_flow, reterr);
	if (len + 1 == sizeof(l->line))
		return dp_fail(reterr, E2BIG,
			"flow %zu of the replay: more than %d bytes, expected a line of fewer",
			l->n_read, CTL_FLOW_LINE_MAX);
	if (!feof(l->in))
		return dp_fail(reterr, EPROTO, "flow %zu of the replay: a byte 0, expected text",
			l->n_read);
	l->is_cut = true; // why, its end tells
	return 0;
}

static void stop_reading(struct ctl_flow_lines *l)
{
	if (l->in != NULL)
		(void)fclose(l->in); // nothing was written
	l->in = NULL;
}

static void wait_for(struct ctl_flow_lines *l)
{
	while (l->pid > 0) {
		const pid_t pid = waitpid(l->pid, &l->status, 0);

		if (pid < 0 && errno == EINTR)
			continue;
		l->is_lost = pid != l->pid; // where children are waited for by somebody else
		l->pid = 0;
	}
}

int ctl_flow_lines_end(struct ctl_flow_lines *l, struct dp_err *reterr)
{
	stop_reading(l);
	wait_for(l);
	if (l->is_lost)
		(void)dp_fail(
			reterr, ECHILD, "cannot learn how the replay of the captures ended: %m");
	else if (!WIFEXITED(l->status))
		(void)dp_fail(reterr, EPROTO,
			"the replay of the captures was ended by signal %d (%s)",
			WTERMSIG(l->status), strsignal(WTERMSIG(l->status)));
	else if (WEXITSTATUS(l->status) == CTL_EXIT_OK && l->is_cut)
		(void)dp_fail(reterr, EPROTO, "the replay of the captures broke off in flow %zu",
			l->n_read);
	else
		return WEXITSTATUS(l->status);
	return CTL_EXIT_FAILURE;
}

const char *ctl_flow_lines_said(struct ctl_flow_lines *l)
{
	if (l->said == NULL && l->said_fd >= 0) {
		l->said = g_malloc0(CTL_FLOW_SAID_MAX + 1);
		// A memfd gives all that there is at once; of one that does not, nothing is known.
		if (pread(l->said_fd, l->said, CTL_FLOW_SAID_MAX, 0) < 0)
			l->said[0] = '\0';
	}
	return l->said != NULL ? l->said : "";
}

void ctl_flow_lines_free(struct ctl_flow_lines *l)
{
	if (l == NULL)
		return;
	stop_reading(l);
	if (l->pid > 0)
		(void)kill(l->pid, SIGKILL);
	wait_for(l);
	if (l->said_fd >= 0)
		(void)close(l->said_fd);
	g_free(l->said);
	g_free(l);
}
