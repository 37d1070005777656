// SPDX-License-Identifier: BSD-3-Clause
#include "control/redis_url.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

static const char expected_url[] =
	"expected redis://HOST:PORT[/DB] or unix:///PATH such as redis://127.0.0.1:6379";
static const char expected_no_user[] =
	"expected a URL without user and password (redis.user and redis.password_file hold them)";
static const char expected_no_tls[] =
	"expected redis:// or unix:// (the hiredis this was built with has no TLS; "
	"a local stunnel or a unix socket serves)";

enum { REDIS_PORT = 6379, DB_MAX = 65535 };

/* Decimal digits up to the NUL. */
static int number_parse(const char *text, uint32_t max, uint32_t *ret)
{
	uint64_t n = 0;

	if (*text == '\0')
		return -EINVAL;
	for (; *text != '\0'; text++) {
		if (!g_ascii_isdigit(*text))
			return -EINVAL;
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > max)
			return -EINVAL;
	}
	*ret = (uint32_t)n;
	return 0;
}

/* RFC 3986 3.2.2: an IPv6 address stands in brackets. Returns what follows the host, or NULL. */
static const char *host_parse(const char *text, struct ctl_redis_url *url)
{
	const bool is_bracketed = *text == '[';
	const char *begin = text + is_bracketed;
	const size_t len = is_bracketed ? strspn(begin, "0123456789abcdefABCDEF:.")
					: strspn(begin,
						  "0123456789abcdefghijklmnopqrstuvwxyz"
						  "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_");
	const char *end = begin + len;

	if (len == 0 || len >= sizeof(url->host) || (is_bracketed && *end != ']'))
		return NULL;
	memcpy(url->host, begin, len);
	url->host[len] = '\0';
	return end + is_bracketed;
}

static const char *tcp_parse(const char *rest, struct ctl_redis_url *url)
{
	g_auto(GStrv) port_db = NULL;
	uint32_t port = REDIS_PORT;

	if (strchr(rest, '@') != NULL)
		return expected_no_user;
	rest = host_parse(rest, url);
	if (rest == NULL)
		return expected_url;
	port_db = g_strsplit(rest, "/", 2);
	if (port_db[0] != NULL && *port_db[0] != '\0' &&
		(*port_db[0] != ':' || number_parse(port_db[0] + 1, UINT16_MAX, &port) < 0 ||
			port == 0))
		return expected_url;
	if (port_db[0] != NULL && port_db[1] != NULL && *port_db[1] != '\0' &&
		number_parse(port_db[1], DB_MAX, &url->db) < 0)
		return expected_url;
	url->port = (uint16_t)port;
	return NULL;
}

static const char *unix_parse(const char *rest, struct ctl_redis_url *url)
{
	url->is_unix = true;
	if (strchr(rest, '@') != NULL && *rest != '/')
		return expected_no_user;
	if (*rest != '/' || rest[1] == '\0')
		return expected_url;
	if (g_strlcpy(url->path, rest, sizeof(url->path)) >= sizeof(url->path))
		return "expected a socket path of at most 107 bytes";
	return NULL;
}

static const char *parse(const char *text, struct ctl_redis_url *url)
{
	const char *rest;

	if (g_str_has_prefix(text, "rediss://")) {
		url->is_tls = true;
		return CTL_REDIS_HAS_TLS ? tcp_parse(text + strlen("rediss://"), url)
					 : expected_no_tls;
	}
	rest = text + strlen("redis://");
	if (g_str_has_prefix(text, "redis://"))
		return tcp_parse(rest, url);
	rest = text + strlen("unix://");
	if (g_str_has_prefix(text, "unix://"))
		return unix_parse(rest, url);
	return expected_url;
}

int ctl_redis_url_parse(const char *text, struct ctl_redis_url *ret_url, struct dp_err *reterr)
{
	struct ctl_redis_url url = {0};
	const char *expected = parse(text, &url);

	if (expected != NULL)
		return dp_fail(reterr, EINVAL, "%s", expected);
	*ret_url = url;
	return 0;
}

const char *ctl_redis_url_check(const char *text)
{
	struct ctl_redis_url url = {0};

	return parse(text, &url);
}
