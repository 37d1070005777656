// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* redis://HOST[:PORT][/DB], rediss:// the same over TLS, and unix:///PATH. Pure. */

#include "dataplane/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { CTL_REDIS_HAS_TLS = WIRECUE_REDIS_TLS }; // this build can: hiredis_ssl was there

struct ctl_redis_url {
	bool is_unix, is_tls;
	char host[256]; // name, IPv4 or IPv6 address without brackets; "" for unix
	uint16_t port; // 6379 when the URL names none
	uint32_t db; // 0 when the URL names none
	char path[108]; // of the socket, fits sockaddr_un; "" for tcp
};

/* Returns 0, or -EINVAL with "expected ..." (never a part of the URL: it may hold a password).
 * User and password inside the URL are refused: a configuration is read by more people than a
 * password file. */
[[nodiscard]] int ctl_redis_url_parse(
	const char *url, struct ctl_redis_url *ret_url, struct dp_err *reterr);

/* NULL, or what would be right: the form of a check in an option table. */
const char *ctl_redis_url_check(const char *url);
