// SPDX-License-Identifier: BSD-3-Clause
#include "control/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* sd_notify(3): '/' begins a path, '@' an abstract name. Other families are not for us. */
static int address_of(const char *name, struct sockaddr_un *ret_addr, socklen_t *ret_len)
{
	const size_t len = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || len < 2)
		return -EAFNOSUPPORT;
	if (len >= sizeof(ret_addr->sun_path))
		return -ENAMETOOLONG;
	*ret_addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret_addr->sun_path, name, len);
	if (name[0] == '@')
		ret_addr->sun_path[0] = '\0';
	// An abstract name ends with its length, a path with its NUL.
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
	return 0;
}

int ctl_notify(const char *state)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr;
	struct timespec now;
	socklen_t addr_len;
	char text[1024];
	int fd, len, r;

	if (name == NULL || name[0] == '\0')
		return 0;
	r = address_of(name, &addr, &addr_len);
	if (r < 0)
		return r;

	if (strncmp(state, "RELOADING=1", strlen("RELOADING=1")) == 0) {
		(void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for this clock
		len = snprintf(text, sizeof(text), "%s\nMONOTONIC_USEC=%lld", state,
			(long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	} else {
		len = snprintf(text, sizeof(text), "%s", state);
	}
	if (len >= (int)sizeof(text))
		return -E2BIG;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = 1;
	if (sendto(fd, text, (size_t)len, MSG_NOSIGNAL, (struct sockaddr *)&addr, addr_len) < 0)
		r = -errno;
	(void)close(fd); // nothing buffered
	return r;
}
