// SPDX-License-Identifier: BSD-3-Clause
#include "control/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* systemd's end. name: path, or '@' and an abstract name. */
static int listen_at(const char *name)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));

	memcpy(addr.sun_path, name, strlen(name));
	if (name[0] == '@')
		addr.sun_path[0] = '\0';
	else
		len++;
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void expect_told(int fd, const char *begin)
{
	char text[2048] = "";

	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_memory_equal(text, begin, strlen(begin));
}

static void without_systemd_nothing_is_told(void **)
{
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(ctl_notify("READY=1"), 0);
}

static void a_path_and_an_abstract_name_are_told(void **)
{
	char path[64], abstract[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/wirecue-notify-%d", (int)getpid());
	(void)snprintf(abstract, sizeof(abstract), "@wirecue-notify-%d", (int)getpid());
	fd = listen_at(path);
	assert_int_equal(ctl_notify("READY=1\nSTATUS=2 ports"), 1);
	expect_told(fd, "READY=1\nSTATUS=2 ports");
	(void)close(fd);
	(void)unlink(path);

	fd = listen_at(abstract);
	assert_int_equal(ctl_notify("STOPPING=1"), 1);
	expect_told(fd, "STOPPING=1");
	assert_int_equal(ctl_notify("RELOADING=1"), 1);
	expect_told(fd, "RELOADING=1\nMONOTONIC_USEC=");
	(void)close(fd);
}

static void what_cannot_be_told_is_an_error_and_never_blocks(void **)
{
	char name[300];
	int fd, n = 0;

	setenv("NOTIFY_SOCKET", "/tmp/wirecue-nobody", 1);
	assert_int_equal(ctl_notify("READY=1"), -ENOENT);
	setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
	assert_int_equal(ctl_notify("READY=1"), -EAFNOSUPPORT);
	memset(name, 'x', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(ctl_notify("READY=1"), -ENAMETOOLONG);

	(void)snprintf(name, sizeof(name), "@wirecue-full-%d", (int)getpid());
	fd = listen_at(name); // and nobody reads
	while (n < 100000 && ctl_notify("READY=1") == 1)
		n++;
	assert_int_equal(ctl_notify("READY=1"), -EAGAIN);
	(void)close(fd);
	unsetenv("NOTIFY_SOCKET");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_systemd_nothing_is_told),
		cmocka_unit_test(a_path_and_an_abstract_name_are_told),
		cmocka_unit_test(what_cannot_be_told_is_an_error_and_never_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
