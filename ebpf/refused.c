// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/refused.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/utsname.h>

/* The oldest kernel that is aimed at. */
enum { KERNEL_MAJOR = 6, KERNEL_MINOR = 1 };

static uint64_t effective_caps(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	uint64_t caps = UINT64_MAX; // without /proc the kernel has to say it
	char line[256];

	if (f == NULL)
		return caps;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "CapEff: %" SCNx64, &caps) == 1)
			break;
	}
	(void)fclose(f);
	return caps;
}

int ebpf_refused_caps(struct dp_err *reterr)
{
	const uint64_t caps = effective_caps();
	// capabilities(7): CAP_SYS_ADMIN stands for both, as it did before Linux 5.8.
	const bool has_all = (caps >> CAP_SYS_ADMIN & 1) != 0;
	const bool has_bpf = has_all || (caps >> CAP_BPF & 1) != 0;
	const bool has_net = has_all || (caps >> CAP_NET_ADMIN & 1) != 0;

	if (has_bpf && has_net)
		return 0;
	return dp_fail(reterr, EPERM,
		"an XDP program takes the capabilit%s %s%s%s, which this process lacks: run it as root, or "
		"add AmbientCapabilities=CAP_BPF CAP_NET_ADMIN to its systemd unit",
		has_bpf || has_net ? "y" : "ies", has_bpf ? "" : "CAP_BPF",
		has_bpf || has_net ? "" : " and ", has_net ? "" : "CAP_NET_ADMIN");
}

static bool is_old(const char *release)
{
	int major = 0, minor = 0;

	if (sscanf(release, "%d.%d", &major, &minor) != 2)
		return false;
	return major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR);
}

/* The verifier's last word stands in front of its statistics. */
static const char *last_word(const char *log, int *ret_len)
{
	const char *end = strstr(log, "\nprocessed ");
	const char *begin;

	if (end == NULL)
		end = log + strlen(log);
	while (end > log && end[-1] == '\n')
		end--;
	for (begin = end; begin > log && begin[-1] != '\n'; begin--)
		;
	*ret_len = end - begin > 200 ? 200 : (int)(end - begin);
	return begin;
}

int ebpf_refused_load(int errnum, const char *log, struct dp_err *reterr)
{
	struct utsname name = {.release = "?"};
	int len;

	(void)uname(&name);
	if (is_old(name.release))
		return dp_fail(reterr, errnum,
			"cannot load the XDP program: kernel %s is older than %d.%d", name.release,
			KERNEL_MAJOR, KERNEL_MINOR);
	switch (errnum) {
	case ENOSYS:
		return dp_fail(reterr, errnum,
			"cannot load the XDP program: kernel %s was built without CONFIG_BPF_SYSCALL, or a "
			"seccomp filter forbids bpf(2)",
			name.release);
	case ENOMEM:
		return dp_fail(reterr, errnum,
			"cannot load the XDP program: no memory for its maps, which count against the "
			"service's limit (MemoryMax of its systemd unit)");
	case EPERM:
		return dp_fail(reterr, errnum,
			"cannot load the XDP program: the kernel forbids it although the capabilities are "
			"there: look for a security module, kernel lockdown or a user namespace");
	default:
		break;
	}
	if (log[0] == '\0')
		return dp_fail(reterr, errnum, "cannot load the XDP program: %m");

	const char *word = last_word(log, &len);

	return dp_fail(reterr, errnum,
		"kernel %s refuses the XDP program: its verifier says '%.*s'", name.release, len,
		word);
}
